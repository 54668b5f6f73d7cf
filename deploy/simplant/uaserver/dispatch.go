package uaserver

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// peer is the connection that a request came from, as the engine sees it. Its methods
// never block, so they may be called with Server.mu held.
type peer interface {
	// send frames body as the response to requestID; false: larger than the peer takes.
	send(requestID uint32, body []byte) bool
	// sendRaw puts bytes on the wire as they are.
	sendRaw(b []byte)
	// hangUp closes the connection once everything queued is written.
	hangUp()
}

// call is one request on its way to a response.
type call struct {
	peer      peer
	requestID uint32
	handle    uint32
	token     string // authentication token of the session
	timeout   time.Duration
	service   string // as in "Read", "Publish"
}

// mutating names the services that would change a machine or its server's nodes.
var mutating = map[uint32]string{
	id.WriteRequest_Encoding_DefaultBinary:            "Write",
	id.CallRequest_Encoding_DefaultBinary:             "Call",
	id.HistoryUpdateRequest_Encoding_DefaultBinary:    "HistoryUpdate",
	id.AddNodesRequest_Encoding_DefaultBinary:         "AddNodes",
	id.AddReferencesRequest_Encoding_DefaultBinary:    "AddReferences",
	id.DeleteNodesRequest_Encoding_DefaultBinary:      "DeleteNodes",
	id.DeleteReferencesRequest_Encoding_DefaultBinary: "DeleteReferences",
}

// unsupported names services that are recognised and refused.
var unsupported = map[uint32]string{
	id.SetTriggeringRequest_Encoding_DefaultBinary:        "SetTriggering",
	id.QueryFirstRequest_Encoding_DefaultBinary:           "QueryFirst",
	id.QueryNextRequest_Encoding_DefaultBinary:            "QueryNext",
	id.RegisterServerRequest_Encoding_DefaultBinary:       "RegisterServer",
	id.RegisterServer2Request_Encoding_DefaultBinary:      "RegisterServer2",
	id.FindServersOnNetworkRequest_Encoding_DefaultBinary: "FindServersOnNetwork",
}

// request is a decoded request; body is nil when the service is refused in any case,
// then status says how.
type request struct {
	service  string
	header   *ua.RequestHeader
	body     ua.Request
	status   ua.StatusCode
	mutating bool
}

// decodeRequest parses the body of a MSG. Only bodies of supported services are decoded
// beyond their header. The error ends the connection.
func decodeRequest(b []byte) (req request, err error) {
	defer recoverDecode("request", &err)
	var typeID ua.ExpandedNodeID
	n, err := typeID.Decode(b)
	if err != nil || typeID.NodeID == nil || typeID.NodeID.Namespace() != 0 {
		return request{}, badFrame(ua.StatusBadDecodingError, "decode request type: %v", err)
	}
	number := typeID.NodeID.IntID()
	if number == id.HistoryReadRequest_Encoding_DefaultBinary {
		r, err := decodeHistoryRead(b[n:])
		if err != nil {
			return request{}, badFrame(ua.StatusBadDecodingError, "%v", err)
		}
		return request{service: "HistoryRead", header: r.RequestHeader, body: r}, nil
	}
	if name, ok := mutating[number]; ok {
		status := ua.StatusBadServiceUnsupported
		if number == id.WriteRequest_Encoding_DefaultBinary {
			status = ua.StatusBadUserAccessDenied
		}
		req = request{service: name, status: status, mutating: true}
	} else if name, ok := unsupported[number]; ok {
		req = request{service: name, status: ua.StatusBadServiceUnsupported}
	} else {
		_, svc, err := ua.DecodeService(b)
		if body, ok := svc.(ua.Request); ok && err == nil && body.Header() != nil {
			return request{service: serviceName(svc), header: body.Header(), body: body}, nil
		}
		if err != nil && svc != nil {
			return request{}, badFrame(ua.StatusBadDecodingError, "decode %s: %v", serviceName(svc), err)
		}
		req = request{service: fmt.Sprintf("i=%d", number), status: ua.StatusBadServiceUnsupported}
	}
	req.header = new(ua.RequestHeader)
	if _, err := ua.Decode(b[n:], req.header); err != nil {
		return request{}, badFrame(ua.StatusBadDecodingError, "decode header of %s: %v", req.service, err)
	}
	return req, nil
}

// serviceName returns "Read" for a *ua.ReadRequest.
func serviceName(v any) string {
	name := strings.TrimPrefix(reflect.TypeOf(v).String(), "*ua.")
	return strings.TrimSuffix(strings.TrimSuffix(name, "Request"), "Response")
}

// recoverDecode turns a panic of gopcua's decoder on hostile bytes into an error.
func recoverDecode(what string, err *error) {
	if p := recover(); p != nil {
		*err = badFrame(ua.StatusBadDecodingError, "decode %s: %v", what, p)
	}
}

// dispatch decodes one request and has it answered. The error ends the connection.
func (s *Server) dispatch(p peer, requestID uint32, body []byte) error {
	req, err := decodeRequest(body)
	if err != nil {
		return err
	}
	h := req.header
	c := &call{
		peer: p, requestID: requestID, handle: h.RequestHandle, service: req.service,
		timeout: time.Duration(h.TimeoutHint) * time.Millisecond,
	}
	if h.AuthenticationToken != nil {
		c.token = h.AuthenticationToken.String()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaitThaw()
	s.requests[c.service]++
	if req.mutating {
		s.stats.Mutations++
	}
	if status, ok := s.faults.take(c.service); ok {
		s.fault(c, status)
		return nil
	}
	if req.body == nil {
		s.fault(c, req.status)
		return nil
	}
	s.serve(c, req.body)
	return nil
}

// awaitThaw holds a request while the server is frozen; mu is held.
func (s *Server) awaitThaw() {
	for s.faults.frozen {
		s.thawed.Wait()
	}
}

// serve routes a request to its service; mu is held.
func (s *Server) serve(c *call, body ua.Request) {
	switch r := body.(type) {
	case *ua.FindServersRequest:
		s.findServers(c)
		return
	case *ua.GetEndpointsRequest:
		s.getEndpoints(c)
		return
	case *ua.CreateSessionRequest:
		s.createSession(c, r)
		return
	case *ua.ActivateSessionRequest:
		s.activateSession(c, r)
		return
	case *ua.CloseSessionRequest:
		s.closeSession(c, r)
		return
	}
	sess, status := s.sessionOf(c)
	if status != ua.StatusOK {
		s.fault(c, status)
		return
	}
	switch r := body.(type) {
	case *ua.ReadRequest:
		s.read(c, r)
	case *historyReadRequest:
		s.historyRead(c, sess, r)
	case *ua.BrowseRequest:
		s.browse(c, sess, r)
	case *ua.BrowseNextRequest:
		s.browseNext(c, sess, r)
	case *ua.TranslateBrowsePathsToNodeIDsRequest:
		s.translate(c, r)
	case *ua.RegisterNodesRequest:
		s.registerNodes(c, r)
	case *ua.UnregisterNodesRequest:
		s.unregisterNodes(c, r)
	case *ua.CancelRequest:
		s.cancelRequest(c, sess, r)
	case *ua.PublishRequest:
		s.publish(c, sess, r)
	case *ua.RepublishRequest:
		s.republish(c, sess, r)
	default:
		s.serveSubscription(c, sess, body)
	}
}

// serveSubscription routes the services that manage subscriptions and items.
func (s *Server) serveSubscription(c *call, sess *session, body ua.Request) {
	switch r := body.(type) {
	case *ua.CreateSubscriptionRequest:
		s.createSubscription(c, sess, r)
	case *ua.ModifySubscriptionRequest:
		s.modifySubscription(c, sess, r)
	case *ua.SetPublishingModeRequest:
		s.setPublishingMode(c, sess, r)
	case *ua.DeleteSubscriptionsRequest:
		s.deleteSubscriptions(c, sess, r)
	case *ua.TransferSubscriptionsRequest:
		s.transferSubscriptions(c, sess, r)
	case *ua.CreateMonitoredItemsRequest:
		s.createMonitoredItems(c, sess, r)
	case *ua.ModifyMonitoredItemsRequest:
		s.modifyMonitoredItems(c, sess, r)
	case *ua.SetMonitoringModeRequest:
		s.setMonitoringMode(c, sess, r)
	case *ua.DeleteMonitoredItemsRequest:
		s.deleteMonitoredItems(c, sess, r)
	default:
		s.fault(c, ua.StatusBadServiceUnsupported)
	}
}

// respond encodes and sends a response of the ua package; mu is held.
func (s *Server) respond(c *call, resp ua.Response) {
	resp.SetHeader(&ua.ResponseHeader{
		Timestamp:          s.wall().Time(),
		RequestHandle:      c.handle,
		ServiceDiagnostics: &ua.DiagnosticInfo{},
		StringTable:        []string{},
		AdditionalHeader:   ua.NewExtensionObject(nil),
	})
	body, err := ua.Encode(resp)
	if err != nil {
		s.fault(c, ua.StatusBadEncodingError)
		return
	}
	s.reply(c, append(appendTypeID(s.scratch[:0], ua.ServiceTypeID(resp)), body...))
}

// fault answers with a ServiceFault; mu is held.
func (s *Server) fault(c *call, status ua.StatusCode) {
	s.stats.Faults++
	b := appendTypeID(s.scratch[:0], id.ServiceFault_Encoding_DefaultBinary)
	s.reply(c, appendResponseHeader(b, s.wall(), c.handle, status))
}

// refuseCount answers a call whose list of operations is empty or longer than most, and then returns true; mu is held.
func (s *Server) refuseCount(c *call, n int, most uint32) bool {
	switch {
	case n == 0:
		s.fault(c, ua.StatusBadNothingToDo)
	case n > int(most):
		s.fault(c, ua.StatusBadTooManyOperations)
	default:
		return false
	}
	return true
}

// begin starts a response that is encoded by hand; mu is held.
func (s *Server) begin(c *call, typeID uint16) []byte {
	b := appendTypeID(s.scratch[:0], typeID)
	return appendResponseHeader(b, s.wall(), c.handle, ua.StatusOK)
}

// reply sends an encoded response unless a fault switch replaces it; mu is held. body
// may be built on s.scratch.
func (s *Server) reply(c *call, body []byte) {
	s.scratch = body[:0]
	if g, ok := s.faults.garbage(c.service); ok {
		if g.raw {
			c.peer.sendRaw(g.bytes)
			return
		}
		body = g.build(s.wall(), c.handle)
	}
	if !c.peer.send(c.requestID, body) {
		b := appendTypeID(nil, id.ServiceFault_Encoding_DefaultBinary)
		c.peer.send(c.requestID, appendResponseHeader(b, s.wall(), c.handle, ua.StatusBadResponseTooLarge))
	}
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
