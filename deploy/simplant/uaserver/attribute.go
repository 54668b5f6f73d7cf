package uaserver

import (
	"encoding/binary"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// numberType is the abstract base of all numeric data types.
const numberType = id.Number

// Bits of the AccessLevel (OPC 10000-3 §8.57): every variable is readable, some have a
// history, nothing else.
const (
	accessCurrentRead = uint8(1 << 0)
	accessHistoryRead = uint8(1 << 2)
)

// read answers the Read service (OPC 10000-4 §5.11.2).
func (s *Server) read(c *call, r *ua.ReadRequest) {
	switch {
	case s.refuseCount(c, len(r.NodesToRead), s.limits.MaxNodesPerRead):
		return
	case r.MaxAge < 0:
		s.fault(c, ua.StatusBadMaxAgeInvalid)
		return
	case r.TimestampsToReturn > ua.TimestampsToReturnNeither:
		s.fault(c, ua.StatusBadTimestampsToReturnInvalid)
		return
	}
	b := s.begin(c, id.ReadResponse_Encoding_DefaultBinary)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.NodesToRead)))
	for _, want := range r.NodesToRead {
		smp := sample{status: ua.StatusBadNodeIDUnknown}
		if n := s.space.find(want.NodeID); n != nil {
			smp = s.attribute(n, want)
			if want.AttributeID != ua.AttributeIDValue {
				smp.source = 0 // only values have a source time
			}
		}
		b = appendDataValue(b, &smp, r.TimestampsToReturn)
	}
	s.reply(c, binary.LittleEndian.AppendUint32(b, nullLength))
}

// attribute reads one attribute of n.
func (s *Server) attribute(n *node, want *ua.ReadValueID) sample {
	if want.AttributeID == ua.AttributeIDValue && n.variable != nil {
		if want.DataEncoding != nil && want.DataEncoding.Name != "" && want.DataEncoding.Name != "Default Binary" {
			return sample{status: ua.StatusBadDataEncodingUnsupported}
		}
		if want.IndexRange != "" {
			return sample{status: ua.StatusBadIndexRangeNoData}
		}
		return n.variable.current()
	}
	value, ok := s.attributeValue(n, want.AttributeID)
	if !ok {
		return sample{status: ua.StatusBadAttributeIDInvalid}
	}
	frozen, err := freeze(value)
	if err != nil {
		return sample{status: ua.StatusBadInternalError}
	}
	return sample{value: frozen, server: s.wall()}
}

// attributeValue returns any attribute but Value; false: nodes of its class have none.
func (s *Server) attributeValue(n *node, attr ua.AttributeID) (any, bool) {
	switch attr {
	case ua.AttributeIDNodeID:
		return s.space.nodeID(n.key), true
	case ua.AttributeIDNodeClass:
		return int32(n.class), true
	case ua.AttributeIDBrowseName:
		return s.space.qualifiedName(n.browse), true
	case ua.AttributeIDDisplayName:
		return ua.NewLocalizedText(n.browse.name), true
	case ua.AttributeIDDescription:
		return ua.NewLocalizedText(n.desc), true
	case ua.AttributeIDWriteMask, ua.AttributeIDUserWriteMask:
		return uint32(0), true
	default:
		return s.classAttribute(n, attr)
	}
}

// classAttribute returns an attribute that only some node classes have.
func (s *Server) classAttribute(n *node, attr ua.AttributeID) (any, bool) {
	switch n.class {
	case ua.NodeClassVariable, ua.NodeClassVariableType:
		return s.variableAttribute(n, attr)
	case ua.NodeClassObject:
		return uint8(0), attr == ua.AttributeIDEventNotifier
	case ua.NodeClassReferenceType:
		return referenceAttribute(n, attr)
	case ua.NodeClassObjectType, ua.NodeClassDataType:
		return n.abstract, attr == ua.AttributeIDIsAbstract
	default:
		return nil, false
	}
}

func referenceAttribute(n *node, attr ua.AttributeID) (any, bool) {
	switch attr {
	case ua.AttributeIDIsAbstract:
		return n.abstract, true
	case ua.AttributeIDSymmetric:
		return n.inverse == "" && !n.abstract, true
	case ua.AttributeIDInverseName:
		return ua.NewLocalizedText(n.inverse), n.inverse != ""
	default:
		return nil, false
	}
}

func (s *Server) variableAttribute(n *node, attr ua.AttributeID) (any, bool) {
	isType := n.class == ua.NodeClassVariableType
	switch attr {
	case ua.AttributeIDDataType:
		return s.space.nodeID(nodeKey{num: n.dataType}), true
	case ua.AttributeIDValueRank:
		return n.rank, true
	case ua.AttributeIDArrayDimensions:
		return dimensions(n), true
	case ua.AttributeIDIsAbstract:
		return n.abstract, isType
	case ua.AttributeIDAccessLevel, ua.AttributeIDUserAccessLevel:
		access := accessCurrentRead
		if n.historizing() {
			access |= accessHistoryRead
		}
		return access, !isType
	case ua.AttributeIDMinimumSamplingInterval:
		if n.unchanged {
			return float64(-1), !isType // unknown
		}
		return inMilliseconds(s.limits.MinSamplingInterval), !isType
	case ua.AttributeIDHistorizing:
		return n.historizing(), !isType
	default:
		return nil, false
	}
}

// historizing tells whether n is a variable with a history.
func (n *node) historizing() bool { return n.variable != nil && n.variable.historizing() }

// dimensions is the ArrayDimensions of n: for arrays of unknown lengths, zeros.
func dimensions(n *node) []uint32 {
	if n.rank <= 0 {
		return []uint32{}
	}
	dims := make([]uint32, n.rank)
	copy(dims, n.dims)
	return dims
}
