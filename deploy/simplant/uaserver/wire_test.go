package uaserver

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/gopcua/opcua/ua"
	"pgregory.net/rapid"
)

// TestDataValueBytes compares with bytes written down after OPC 10000-6 §5.2.2.17.
func TestDataValueBytes(t *testing.T) {
	f := func(s sample, ts ua.TimestampsToReturn, want string) {
		t.Helper()
		if got := hex.EncodeToString(appendDataValue(nil, &s, ts)); got != strings.ReplaceAll(want, " ", "") {
			t.Errorf("%+v: %s, want %s", s, got, want)
		}
	}
	const both = ua.TimestampsToReturnBoth
	f(sample{}, both, "00")
	f(sample{value: true}, both, "01 01 01")
	f(sample{value: int32(-2), status: 0x80050000}, both, "03 06 feffffff 00000580")
	f(sample{value: "é", source: 1}, both, "05 0c 02000000 c3a9 0100000000000000")
	f(sample{value: 1.0, source: math.MaxInt64, server: 2}, both, "0d 0b 000000000000f03f ffffffffffffff7f 0200000000000000")
	f(sample{value: 1.0, source: 1, server: 2}, ua.TimestampsToReturnServer, "09 0b 000000000000f03f 0200000000000000")
	f(sample{value: 1.0, source: -1, server: 2}, ua.TimestampsToReturnSource, "05 0b 000000000000f03f ffffffffffffffff")
	f(sample{status: 0x480, source: 1, server: 2}, ua.TimestampsToReturnNeither, "02 80040000")
}

// TestDataValueAgainstGopcua compares with the encoder of the library, for values and
// timestamps that both can express.
func TestDataValueAgainstGopcua(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.Float64().AsAny(), rapid.Float32().AsAny(), rapid.Bool().AsAny(), rapid.Int8().AsAny(), rapid.Uint8().AsAny(),
			rapid.Int16().AsAny(), rapid.Uint16().AsAny(), rapid.Int32().AsAny(), rapid.Uint32().AsAny(), rapid.Int64().AsAny(),
			rapid.Uint64().AsAny(), rapid.StringN(1, 50, -1).AsAny(), rapid.SliceOfN(rapid.Float64(), 1, 5).AsAny(),
		).Draw(t, "value")
		ticks := DateTime(rapid.Int64Range(int64(unixEpoch), int64(unixEpoch)+9e16).Draw(t, "ticks"))
		status := ua.StatusCode(rapid.Uint32().Draw(t, "status"))
		dv := &ua.DataValue{Value: ua.MustVariant(value), Status: status, SourceTimestamp: ticks.Time()}
		dv.UpdateMask()
		want, err := dv.Encode()
		if err != nil {
			t.Fatal(err)
		}
		frozen, err := freeze(value)
		if err != nil {
			t.Fatal(err)
		}
		got := appendDataValue(nil, &sample{value: frozen, status: status, source: ticks, server: 1}, ua.TimestampsToReturnSource)
		if !bytes.Equal(got, want) {
			t.Fatalf("%x, gopcua has %x", got, want)
		}
	})
}
