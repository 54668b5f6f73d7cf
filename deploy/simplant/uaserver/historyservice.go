package uaserver

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// historyReadRequest is a HistoryRead request (OPC 10000-4 §5.11.3). It is decoded here
// and not by gopcua, whose times end in the year 2262: clients ask up to the year 9999.
type historyReadRequest struct {
	RequestHeader             *ua.RequestHeader
	Details                   *rawBody
	TimestampsToReturn        ua.TimestampsToReturn
	ReleaseContinuationPoints bool
	NodesToRead               []*ua.HistoryReadValueID
}

// Header implements ua.Request.
func (r *historyReadRequest) Header() *ua.RequestHeader { return r.RequestHeader }

// SetHeader implements ua.Request.
func (r *historyReadRequest) SetHeader(h *ua.RequestHeader) { r.RequestHeader = h }

// rawBody is an extension object whose body is left encoded.
type rawBody struct {
	typeID ua.ExpandedNodeID
	body   []byte // nil when it is absent or not binary
}

// Decode implements ua.BinaryDecoder.
func (r *rawBody) Decode(b []byte) (int, error) {
	n, err := r.typeID.Decode(b)
	if err != nil {
		return n, err
	}
	buf := ua.NewBuffer(b[n:])
	if mask := buf.ReadByte(); mask != ua.ExtensionObjectEmpty {
		body := buf.ReadBytes()
		if mask == ua.ExtensionObjectBinary {
			r.body = body
		}
	}
	return n + buf.Pos(), buf.Error()
}

// is tells whether the object is of this binary encoding in namespace 0.
func (r *rawBody) is(encoding uint32) bool {
	return r.typeID.NodeID != nil && r.typeID.NodeID.Namespace() == 0 && r.typeID.NodeID.IntID() == encoding
}

// rawDetails is ReadRawModifiedDetails (OPC 10000-11 §6.5.3). A time of 0 is not stated.
type rawDetails struct {
	IsReadModified   bool
	Start, End       DateTime
	NumValuesPerNode uint32
	ReturnBounds     bool
}

// decodeHistoryRead decodes the body of the request behind its type.
func decodeHistoryRead(b []byte) (*historyReadRequest, error) {
	r := new(historyReadRequest)
	if _, err := ua.Decode(b, r); err != nil {
		return nil, fmt.Errorf("decode HistoryRead: %w", err)
	}
	return r, nil
}

// details checks and decodes the details of r.
func (r *historyReadRequest) details() (*rawDetails, ua.StatusCode) {
	if !r.Details.is(id.ReadRawModifiedDetails_Encoding_DefaultBinary) {
		for _, other := range []uint32{
			id.ReadProcessedDetails_Encoding_DefaultBinary, id.ReadAtTimeDetails_Encoding_DefaultBinary, id.ReadEventDetails_Encoding_DefaultBinary,
		} {
			if r.Details.is(other) {
				return nil, ua.StatusBadHistoryOperationUnsupported
			}
		}
		return nil, ua.StatusBadHistoryOperationInvalid
	}
	d := new(rawDetails)
	if n, err := ua.Decode(r.Details.body, d); err != nil || n != len(r.Details.body) {
		return nil, ua.StatusBadHistoryOperationInvalid
	}
	stated := 0
	for _, is := range []bool{d.Start != 0, d.End != 0, d.NumValuesPerNode != 0} {
		if is {
			stated++
		}
	}
	if stated < 2 {
		return nil, ua.StatusBadHistoryOperationInvalid
	}
	return d, ua.StatusOK
}

// historyNode is one node of a HistoryRead with its reading, or why there is none.
type historyNode struct {
	read   *historyRead
	status ua.StatusCode
	again  *historyRead // with HistoryFaults.SamePoint: as it was before
	key    string       // of the continuation point that it came by
}

// historyRead answers HistoryRead for raw values. A Past may take its time and may wait
// for a lock that is held around SetAll, so the values are read without mu.
func (s *Server) historyRead(c *call, sess *session, r *historyReadRequest) {
	if s.refuseCount(c, len(r.NodesToRead), s.limits.MaxNodesPerHistoryRead) {
		return
	}
	if r.ReleaseContinuationPoints {
		s.releaseHistory(c, sess, r.NodesToRead)
		return
	}
	if r.TimestampsToReturn >= ua.TimestampsToReturnNeither {
		s.fault(c, ua.StatusBadTimestampsToReturnInvalid)
		return
	}
	d, status := r.details()
	if status != ua.StatusOK {
		s.fault(c, status)
		return
	}
	nodes := make([]historyNode, len(r.NodesToRead))
	for i, want := range r.NodesToRead {
		nodes[i] = s.historyNode(sess, want, d, r.TimestampsToReturn)
	}
	visible := lastTime
	if lag := s.faults.history.Lag; lag > 0 {
		visible = s.wall() - DateTime(lag/(time.Second/ticksPerSecond))
	}
	s.mu.Unlock()
	pages := make([]historyPage, len(nodes))
	size := 0
	for i := range nodes {
		pages[i] = nodes[i].page(visible, maxMessageBytes-size)
		size += len(pages[i].bytes)
	}
	s.mu.Lock()
	s.awaitThaw()

	b := s.begin(c, id.HistoryReadResponse_Encoding_DefaultBinary)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(nodes)))
	for i := range nodes {
		b = s.appendHistoryResult(b, sess, &nodes[i], &pages[i])
	}
	s.reply(c, binary.LittleEndian.AppendUint32(b, nullLength))
}

// releaseHistory forgets continuation points.
func (s *Server) releaseHistory(c *call, sess *session, nodes []*ua.HistoryReadValueID) {
	results := make([]*ua.HistoryReadResult, len(nodes))
	for i, n := range nodes {
		results[i] = &ua.HistoryReadResult{HistoryData: ua.NewExtensionObject(nil)}
		if _, ok := sess.history[string(n.ContinuationPoint)]; !ok {
			results[i].StatusCode = ua.StatusBadContinuationPointInvalid
		}
		delete(sess.history, string(n.ContinuationPoint))
	}
	s.respond(c, &ua.HistoryReadResponse{Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}})
}

// historyNode begins the reading of a node, or takes up one by its continuation point; mu
// is held. A point is good for one call.
func (s *Server) historyNode(sess *session, want *ua.HistoryReadValueID, d *rawDetails, ts ua.TimestampsToReturn) historyNode {
	n := s.space.find(want.NodeID)
	switch {
	case n == nil:
		return historyNode{status: ua.StatusBadNodeIDUnknown}
	case s.faults.history.Status != ua.StatusOK:
		return historyNode{status: s.faults.history.Status}
	case !n.historizing() || d.IsReadModified:
		return historyNode{status: ua.StatusBadHistoryOperationUnsupported}
	case want.DataEncoding != nil && want.DataEncoding.Name != "" && want.DataEncoding.Name != "Default Binary":
		return historyNode{status: ua.StatusBadDataEncodingUnsupported}
	case want.IndexRange != "":
		return historyNode{status: ua.StatusBadIndexRangeNoData}
	case len(want.ContinuationPoint) == 0:
		return historyNode{read: newHistoryRead(n.variable, d, ts, s.limits.MaxHistoryValues, s.faults.history.NewestFirst)}
	}
	key := string(want.ContinuationPoint)
	h := sess.history[key]
	if h == nil || h.variable != n.variable {
		return historyNode{status: ua.StatusBadContinuationPointInvalid}
	}
	delete(sess.history, key)
	hn := historyNode{read: h, key: key}
	if s.faults.history.SamePoint {
		before := *h
		hn.again = &before
	}
	return hn
}

// historyPage is one page of values, encoded.
type historyPage struct {
	bytes []byte // the values, one behind the other
	count uint32
	more  bool
	err   error
}

// page reads the next page of a node into at most most bytes, but one value at least; mu
// is not held.
func (n *historyNode) page(visible DateTime, most int) (p historyPage) {
	if n.read == nil {
		return p
	}
	p.more, p.err = n.read.read(visible, func(smp *sample) bool {
		if p.count > 0 && len(p.bytes) >= most {
			return false
		}
		p.bytes = appendDataValue(p.bytes, smp, n.read.ts)
		p.count++
		return true
	})
	return p
}

// appendHistoryResult writes a HistoryReadResult and keeps the continuation point of what
// is left; mu is held.
func (s *Server) appendHistoryResult(b []byte, sess *session, n *historyNode, p *historyPage) []byte {
	le := binary.LittleEndian
	status, point := n.status, ""
	switch {
	case status != ua.StatusOK:
	case p.err != nil:
		status = ua.StatusBadInternalError
	case n.again != nil:
		point = n.key
		sess.history[point] = n.again
	case p.more && len(sess.history) >= s.limits.MaxHistoryContinuationPoints:
		status = ua.StatusBadNoContinuationPoints
	case p.more:
		point = fmt.Sprintf("hp-%d", s.newID())
		sess.history[point] = n.read
	case p.count == 0:
		status = ua.StatusGoodNoData
	}
	b = le.AppendUint32(b, uint32(status))
	if point == "" {
		b = le.AppendUint32(b, nullLength)
	} else {
		b = appendString(b, point)
	}
	if status>>30 != 0 {
		return append(b, 0x00, 0x00, ua.ExtensionObjectEmpty)
	}
	b = appendTypeID(b, id.HistoryData_Encoding_DefaultBinary)
	b = append(b, ua.ExtensionObjectBinary)
	b = le.AppendUint32(b, uint32(4+len(p.bytes)))
	b = le.AppendUint32(b, p.count)
	s.stats.HistoryValues += uint64(p.count)
	return append(b, p.bytes...)
}
