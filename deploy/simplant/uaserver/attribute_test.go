package uaserver

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

func (r *rig) readOne(nid *ua.NodeID, attr ua.AttributeID) *ua.DataValue {
	r.t.Helper()
	return call1[*ua.ReadResponse](r, &ua.ReadRequest{
		TimestampsToReturn: ua.TimestampsToReturnBoth,
		NodesToRead:        []*ua.ReadValueID{{NodeID: nid, AttributeID: attr, DataEncoding: &ua.QualifiedName{}}},
	}).Results[0]
}

func TestAttributes(t *testing.T) {
	r := newRig(t, Options{})
	power := mustVariable(t, r.s, NodeSpec{Path: "Machine/Power", Initial: 1.5, Description: "main", Unit: &Unit{Code: "KWT", Name: "kW", Text: "kilowatt"}, Range: &Range{0, 180}})
	phase := mustVariable(t, r.s, NodeSpec{Path: "Machine/Phase", DataType: id.Int32, States: []string{"Off", "On"}})
	grid := mustVariable(t, r.s, NodeSpec{ID: "nsu=" + testURI + ";i=7", Path: "Grid", Rank: 2, Dimensions: []uint32{2, 3}, Initial: [][]float32{{1, 2, 3}, {4, 5, 6}}})
	f := func(nid *ua.NodeID, attr ua.AttributeID, want any) {
		t.Helper()
		if got := r.readOne(nid, attr); got.Status != ua.StatusOK || !reflect.DeepEqual(got.Value.Value(), want) {
			t.Errorf("%v %v: %v %v, want %v", nid, attr, got.Status, got.Value.Value(), want)
		}
	}
	child := func(v *Variable, name string) *ua.NodeID {
		return ua.NewStringNodeID(2, v.NodeID().StringID()+"."+name)
	}
	f(power.NodeID(), ua.AttributeIDNodeID, power.NodeID())
	f(power.NodeID(), ua.AttributeIDNodeClass, int32(ua.NodeClassVariable))
	f(power.NodeID(), ua.AttributeIDBrowseName, &ua.QualifiedName{NamespaceIndex: 2, Name: "Power"})
	f(power.NodeID(), ua.AttributeIDDisplayName, ua.NewLocalizedText("Power"))
	f(power.NodeID(), ua.AttributeIDDescription, ua.NewLocalizedText("main"))
	f(power.NodeID(), ua.AttributeIDValue, 1.5)
	f(power.NodeID(), ua.AttributeIDDataType, ua.NewTwoByteNodeID(id.Double))
	f(power.NodeID(), ua.AttributeIDValueRank, int32(-1))
	f(power.NodeID(), ua.AttributeIDAccessLevel, uint8(1))
	f(power.NodeID(), ua.AttributeIDMinimumSamplingInterval, 0.0)
	f(phase.NodeID(), ua.AttributeIDDataType, ua.NewTwoByteNodeID(id.Int32))
	f(child(phase, "EnumStrings"), ua.AttributeIDValue, []*ua.LocalizedText{ua.NewLocalizedText("Off"), ua.NewLocalizedText("On")})
	f(grid.NodeID(), ua.AttributeIDValueRank, int32(2))
	f(grid.NodeID(), ua.AttributeIDArrayDimensions, []uint32{2, 3})
	f(grid.NodeID(), ua.AttributeIDDataType, ua.NewTwoByteNodeID(id.Float))
	f(grid.NodeID(), ua.AttributeIDValue, [][]float32{{1, 2, 3}, {4, 5, 6}})
	f(ua.NewNumericNodeID(0, id.ServerType), ua.AttributeIDIsAbstract, false)
	f(ua.NewNumericNodeID(0, id.Organizes), ua.AttributeIDInverseName, ua.NewLocalizedText("OrganizedBy"))
	f(ua.NewNumericNodeID(0, id.Server), ua.AttributeIDEventNotifier, uint8(0))
	f(ua.NewNumericNodeID(0, id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead), ua.AttributeIDValue, uint32(1000))
	f(ua.NewNumericNodeID(0, id.Server_ServerStatus_State), ua.AttributeIDValue, int32(0))
	f(ua.NewNumericNodeID(0, id.Server_ServerStatus_CurrentTime), ua.AttributeIDValue, rigStart)
	f(ua.NewNumericNodeID(0, id.Server_ServerStatus_BuildInfo_ManufacturerName), ua.AttributeIDValue, "Kvarts")

	unit := r.readOne(child(power, "EngineeringUnits"), ua.AttributeIDValue).Value.ExtensionObject().Value.(*ua.EUInformation)
	if unit.UnitID != 4937556 || unit.DisplayName.Text != "kW" { // 0x4B5754, "KWT"
		t.Errorf("unit %+v", unit)
	}
	rng := r.readOne(child(power, "EURange"), ua.AttributeIDValue).Value.ExtensionObject().Value.(*ua.Range)
	if rng.Low != 0 || rng.High != 180 {
		t.Errorf("range %+v", rng)
	}
	if got := r.readOne(phase.NodeID(), ua.AttributeIDValue); got.Status != ua.StatusBadWaitingForInitialData || got.Has(ua.DataValueValue) {
		t.Errorf("variable without a value: %+v", got)
	}
}

func TestReadErrors(t *testing.T) {
	r := newRig(t, Options{Limits: Limits{MaxNodesPerRead: 2}})
	v := r.variable("V", 1.0)
	one := func(nid *ua.NodeID, attr ua.AttributeID, want ua.StatusCode) {
		t.Helper()
		if got := r.readOne(nid, attr); got.Status != want {
			t.Errorf("%v %v: %v, want %v", nid, attr, got.Status, want)
		}
	}
	one(v.NodeID(), 0, ua.StatusBadAttributeIDInvalid)
	one(v.NodeID(), 99, ua.StatusBadAttributeIDInvalid)
	one(v.NodeID(), ua.AttributeIDExecutable, ua.StatusBadAttributeIDInvalid)
	one(ua.NewNumericNodeID(0, id.Server), ua.AttributeIDValue, ua.StatusBadAttributeIDInvalid)
	one(ua.NewStringNodeID(2, "none"), ua.AttributeIDValue, ua.StatusBadNodeIDUnknown)
	one(ua.NewStringNodeID(9, "V"), ua.AttributeIDValue, ua.StatusBadNodeIDUnknown)
	item := func() *ua.ReadValueID {
		return &ua.ReadValueID{NodeID: v.NodeID(), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}}
	}
	r.fault(&ua.ReadRequest{}, ua.StatusBadNothingToDo)
	r.fault(&ua.ReadRequest{NodesToRead: []*ua.ReadValueID{item(), item(), item()}}, ua.StatusBadTooManyOperations)
	r.fault(&ua.ReadRequest{MaxAge: -1, NodesToRead: []*ua.ReadValueID{item()}}, ua.StatusBadMaxAgeInvalid)
	r.fault(&ua.ReadRequest{TimestampsToReturn: 4, NodesToRead: []*ua.ReadValueID{item()}}, ua.StatusBadTimestampsToReturnInvalid)
	ranged, encoded := item(), item()
	ranged.IndexRange, encoded.DataEncoding.Name = "0:1", "Default XML"
	res := call1[*ua.ReadResponse](r, &ua.ReadRequest{NodesToRead: []*ua.ReadValueID{ranged, encoded}}).Results
	if res[0].Status != ua.StatusBadIndexRangeNoData || res[1].Status != ua.StatusBadDataEncodingUnsupported {
		t.Errorf("%v %v", res[0].Status, res[1].Status)
	}
}

// TestValuesOnTheWire compares the encoder of this package with gopcua's decoder.
func TestValuesOnTheWire(t *testing.T) {
	r := newRig(t, Options{})
	v := mustVariable(t, r.s, NodeSpec{Path: "V"})
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_200, time.UTC)
	for _, value := range []any{
		true, int8(-5), uint8(200), int16(-3000), uint16(60000), int32(math.MinInt32), uint32(math.MaxUint32),
		int64(1<<53 + 1), uint64(math.MaxUint64), float32(0.1), 0.1, math.Inf(-1), math.Copysign(0, -1), math.MaxFloat64,
		"", "line\n\"quoted\" \\ ☃", at, ua.StatusBadNoCommunication,
		[]byte{1, 2, 3}, ua.NewGUID("72962B91-FA75-4AE6-8D28-B404DC7DAF63"), ua.NewStringNodeID(2, "x"),
		&ua.QualifiedName{NamespaceIndex: 1, Name: "q"}, ua.NewLocalizedTextWithLocale("text", "en"),
		ua.XMLElement("<a/>"), []float64{}, []int32{1, 2, 3}, []string{"a", ""}, [][]int16{{1, 2}, {3, 4}},
	} {
		if err := v.Set(value, ua.StatusUncertainLastUsableValue, at); err != nil {
			t.Errorf("%T: %v", value, err)
			continue
		}
		got := r.readOne(v.NodeID(), ua.AttributeIDValue)
		if !reflect.DeepEqual(got.Value.Value(), value) {
			t.Errorf("%T %v became %T %v", value, value, got.Value.Value(), got.Value.Value())
		}
		if got.Status != ua.StatusUncertainLastUsableValue || !got.SourceTimestamp.Equal(at) || !got.ServerTimestamp.Equal(rigStart) {
			t.Errorf("%T: %v, source %v, server %v", value, got.Status, got.SourceTimestamp, got.ServerTimestamp)
		}
	}
}

func TestTimestampsToReturn(t *testing.T) {
	r := newRig(t, Options{})
	v := r.variable("V", 1.0)
	for ts, want := range map[ua.TimestampsToReturn]byte{
		ua.TimestampsToReturnSource:  ua.DataValueValue | ua.DataValueSourceTimestamp,
		ua.TimestampsToReturnServer:  ua.DataValueValue | ua.DataValueServerTimestamp,
		ua.TimestampsToReturnBoth:    ua.DataValueValue | ua.DataValueSourceTimestamp | ua.DataValueServerTimestamp,
		ua.TimestampsToReturnNeither: ua.DataValueValue,
	} {
		got := call1[*ua.ReadResponse](r, &ua.ReadRequest{TimestampsToReturn: ts, NodesToRead: []*ua.ReadValueID{{
			NodeID: v.NodeID(), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{},
		}}}).Results[0]
		if got.EncodingMask != want {
			t.Errorf("%v: mask %x, want %x", ts, got.EncodingMask, want)
		}
	}
}
