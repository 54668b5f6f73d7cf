package uasession

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// RaiseArrayLimit sets how many elements an array may have to be decoded; a longer one makes its message
// undecodable, which is ledgered. The transport library keeps this limit (65,535 at first) in a variable of the whole
// process and reads it without a lock: call it before the first session, from the program's main.
func RaiseArrayLimit(elements int) { ua.MaxVariantArrayLength = elements }

// opLimits is how many operations the server takes in one request. They begin with what the server says, capped by
// Limits.Batch, and are halved when it refuses.
type opLimits struct {
	read, browse, translate, monitor int
}

// The server's own statements (Part 5 §6.3.11, OperationLimitsType).
var limitNodes = [...]uint32{
	id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
	id.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
	id.Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIDs,
	id.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
}

// firstLimits are used until the server has said its own.
func firstLimits(batch int, maxRequest uint32) opLimits {
	// An item of a request takes some 100 to 200 bytes; a server with a small message limit gets small batches.
	if maxRequest > 0 {
		batch = max(1, min(batch, int(maxRequest/200)))
	}
	return opLimits{read: batch, browse: batch, translate: batch, monitor: batch}
}

// readLimits asks for the server's limits. A server without them keeps the first ones.
func readLimits(ctx context.Context, c *channel, timing Timing, first opLimits) (opLimits, []uint32, error) {
	limits := first
	said := make([]uint32, len(limitNodes))
	values, err := readAttributes(ctx, c, timing, valueIDs(limitNodes[:]))
	if err != nil {
		if codeOf(err) == 0 {
			return limits, said, err
		}
		return limits, said, nil // a server that does not tell its limits is served without them
	}
	for i, p := range []*int{&limits.read, &limits.browse, &limits.translate, &limits.monitor} {
		if n, ok := uintOf(values[i]); ok && n > 0 {
			said[i] = n
			*p = min(*p, int(min(n, math.MaxInt32)))
		}
	}
	return limits, said, nil
}

func valueIDs(nodes []uint32) []*ua.ReadValueID {
	ids := make([]*ua.ReadValueID, len(nodes))
	for i, n := range nodes {
		ids[i] = readID(ua.NewNumericNodeID(0, n), ua.AttributeIDValue)
	}
	return ids
}

func readID(node *ua.NodeID, attribute ua.AttributeID) *ua.ReadValueID {
	return &ua.ReadValueID{NodeID: node, AttributeID: attribute, DataEncoding: &ua.QualifiedName{}}
}

// readAttributes is one Read request. The results are as many as asked for.
func readAttributes(ctx context.Context, c *channel, timing Timing, ids []*ua.ReadValueID) ([]*ua.DataValue, error) {
	resp, err := call[*ua.ReadResponse](ctx, c, &ua.ReadRequest{
		TimestampsToReturn: ua.TimestampsToReturnNeither, NodesToRead: ids,
	}, timing.Request)
	if err != nil {
		return nil, err
	}
	if len(resp.Results) != len(ids) {
		return nil, countError("Read", len(resp.Results), len(ids))
	}
	return resp.Results, nil
}

// uintOf reads an unsigned number out of a good value.
func uintOf(v *ua.DataValue) (uint32, bool) {
	if v == nil || isBad(v.Status) || v.Value == nil {
		return 0, false
	}
	switch x := v.Value.Value().(type) {
	case uint32:
		return x, true
	case uint16:
		return uint32(x), true
	case byte:
		return uint32(x), true
	}
	return 0, false
}

func countError(service string, got, want int) error {
	return &faultError{service: service, code: ua.StatusBadUnknownResponse,
		cause: fmt.Errorf("%d results for %d operations", got, want)}
}

// splitter sends n operations in requests of at most *limit.
type splitter struct {
	limit    *int
	isolate  int // requests that may still be spent on finding out which operation makes a whole request fail
	timeouts int
}

// maxIsolate bounds the search for one bad operation: enough to find 1 in 5000 several times over.
const maxIsolate = 64

// tooMuch says that a smaller request may succeed.
func tooMuch(err error) bool {
	switch codeOf(err) {
	case ua.StatusBadTooManyOperations, ua.StatusBadEncodingLimitsExceeded, ua.StatusBadRequestTooLarge,
		ua.StatusBadResponseTooLarge, ua.StatusBadTCPMessageTooLarge:
		return true
	}
	return isUndecodable(err)
}

// run calls send for consecutive ranges of n operations until all are done. A range that the server finds too large
// is halved, for good. A range that it refuses for another reason is split to find the culprit; what remains refused
// is given to refuse. run itself fails only with what ends the connection.
func (s *splitter) run(n int, send func(lo, hi int) error, refuse func(lo, hi int, err error)) error {
	s.isolate = maxIsolate
	for lo := 0; lo < n; {
		hi := min(n, lo+max(1, *s.limit))
		done, err := s.part(lo, hi, send, refuse)
		if err != nil {
			return err
		}
		lo = done
	}
	return nil
}

// part does [lo, hi) or the beginning of it and returns how far it came.
func (s *splitter) part(lo, hi int, send func(lo, hi int) error, refuse func(lo, hi int, err error)) (int, error) {
	for {
		err := send(lo, hi)
		switch {
		case err == nil:
			s.timeouts = 0
			return hi, nil
		case sessionGone(err) || channelGone(err):
			return lo, err
		case isTimeout(err):
			// Once the request may have been too much for the server; twice in a row the line is dead.
			if s.timeouts++; s.timeouts > 1 || hi-lo == 1 {
				return lo, err
			}
			*s.limit = max(1, (hi-lo)/2)
		case tooMuch(err) && hi-lo > 1:
			*s.limit = max(1, (hi-lo)/2)
		case codeOf(err) == 0 && !isUndecodable(err): // ctx
			return lo, err
		case hi-lo > 1 && s.isolate > 0:
			s.isolate--
		default:
			refuse(lo, hi, err)
			return hi, nil
		}
		hi = lo + max(1, (hi-lo)/2)
	}
}

// pulseEvery is how often the session shows the server that it lives, and measures the clock.
func pulseEvery(timing Timing, session time.Duration) time.Duration {
	return max(10*time.Millisecond, min(timing.KeepAlive, session/3))
}
