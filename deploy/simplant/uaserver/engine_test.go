package uaserver

import (
	"fmt"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
)

// fakePeer records what the engine sends, by request id.
type fakePeer struct {
	sent   map[uint32][]byte
	order  []uint32
	raw    [][]byte
	closed bool
	max    int // largest response taken; 0: any
}

func (p *fakePeer) send(requestID uint32, body []byte) bool {
	if p.max > 0 && len(body) > p.max {
		return false
	}
	p.sent[requestID] = append([]byte(nil), body...)
	p.order = append(p.order, requestID)
	return true
}
func (p *fakePeer) sendRaw(b []byte) { p.raw = append(p.raw, b) }
func (p *fakePeer) hangUp()          { p.closed = true }

// rig drives a server without sockets and with a clock of its own.
type rig struct {
	t     *testing.T
	s     *Server
	peer  *fakePeer
	clock time.Time
	token *ua.NodeID
	id    uint32
}

var rigStart = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

// newRig returns a rig with an activated session.
func newRig(t *testing.T, opts Options) *rig {
	t.Helper()
	if opts.Namespaces == nil {
		opts.Namespaces = []string{testURI}
	}
	r := &rig{t: t, peer: newPeer(), clock: rigStart}
	opts.Now = func() time.Time { return r.clock }
	r.s = New(opts)
	r.s.now = func() time.Time { return r.clock }
	r.openSession()
	return r
}

func newPeer() *fakePeer { return &fakePeer{sent: make(map[uint32][]byte)} }

func (r *rig) openSession() {
	r.t.Helper()
	created := call1[*ua.CreateSessionResponse](r, &ua.CreateSessionRequest{
		ClientDescription: &ua.ApplicationDescription{ApplicationName: ua.NewLocalizedText("rig")},
		EndpointURL:       "opc.tcp://rig", RequestedSessionTimeout: 60_000,
	})
	r.token = created.AuthenticationToken
	call1[*ua.ActivateSessionResponse](r, activation())
}

func activation() *ua.ActivateSessionRequest {
	return &ua.ActivateSessionRequest{
		ClientSignature: &ua.SignatureData{}, UserTokenSignature: &ua.SignatureData{},
		UserIdentityToken: ua.NewExtensionObject(&ua.AnonymousIdentityToken{PolicyID: "anonymous"}),
	}
}

// post sends a request through the codec and returns its request id.
func (r *rig) post(req ua.Request) uint32 { return r.postHint(req, 0) }

func (r *rig) postHint(req ua.Request, hint time.Duration) uint32 {
	r.t.Helper()
	r.id++
	token := r.token
	if token == nil {
		token = ua.NewTwoByteNodeID(0)
	}
	req.SetHeader(&ua.RequestHeader{
		AuthenticationToken: token, Timestamp: r.clock, RequestHandle: 1000 + r.id,
		TimeoutHint: uint32(hint / time.Millisecond), AdditionalHeader: ua.NewExtensionObject(nil),
	})
	body, err := ua.Encode(req)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.s.dispatch(r.peer, r.id, append(appendTypeID(nil, ua.ServiceTypeID(req)), body...)); err != nil {
		r.t.Fatalf("%T: %v", req, err)
	}
	return r.id
}

// answer returns the response to a request id, nil while there is none.
func (r *rig) answer(id uint32) ua.Response {
	r.t.Helper()
	b, ok := r.peer.sent[id]
	if !ok {
		return nil
	}
	_, svc, err := ua.DecodeService(b)
	if err != nil {
		r.t.Fatalf("response to request %d: %v", id, err)
	}
	resp := svc.(ua.Response)
	if resp.Header().RequestHandle != 1000+id {
		r.t.Fatalf("request %d has the handle %d in its response", id, resp.Header().RequestHandle)
	}
	return resp
}

// call1 sends a request and wants a response of type T.
func call1[T ua.Response](r *rig, req ua.Request) T {
	r.t.Helper()
	resp := r.answer(r.post(req))
	want, ok := resp.(T)
	if !ok {
		status := ua.StatusCode(0)
		if resp != nil {
			status = resp.Header().ServiceResult
		}
		r.t.Fatalf("%T answered with %T, %v", req, resp, status)
	}
	return want
}

// fault sends a request and wants a ServiceFault with status.
func (r *rig) fault(req ua.Request, status ua.StatusCode) {
	r.t.Helper()
	r.wantFault(r.post(req), status)
}

func (r *rig) wantFault(id uint32, status ua.StatusCode) {
	r.t.Helper()
	resp, ok := r.answer(id).(*ua.ServiceFault)
	if !ok || resp.ResponseHeader.ServiceResult != status {
		r.t.Fatalf("request %d: %T %+v, want a fault %v", id, r.answer(id), resp, status)
	}
}

// wait lets d pass, as the clock goroutine would see it.
func (r *rig) wait(d time.Duration) {
	for end := r.clock.Add(d); r.clock.Before(end); {
		r.s.mu.Lock()
		next := end
		if !r.s.due.IsZero() && r.s.due.Before(end) && r.s.due.After(r.clock) {
			next = r.s.due
		}
		r.clock = next
		r.s.advance(r.clock)
		r.s.mu.Unlock()
	}
}

func (r *rig) variable(name string, initial any) *Variable {
	r.t.Helper()
	return mustVariable(r.t, r.s, NodeSpec{Path: name, Initial: initial, Range: &Range{0, 200}})
}

func (r *rig) set(v *Variable, value any) {
	r.t.Helper()
	if err := v.Set(value, ua.StatusOK, r.clock); err != nil {
		r.t.Fatal(err)
	}
}

// subscribe makes a subscription with an interval of 100 ms.
func (r *rig) subscribe(keepAliveCount, lifetime, maxNotes uint32) uint32 {
	r.t.Helper()
	return call1[*ua.CreateSubscriptionResponse](r, &ua.CreateSubscriptionRequest{
		RequestedPublishingInterval: 100, RequestedMaxKeepAliveCount: keepAliveCount,
		RequestedLifetimeCount: lifetime, MaxNotificationsPerPublish: maxNotes, PublishingEnabled: true,
	}).SubscriptionID
}

func itemRequest(v *Variable, handle uint32, sampling float64, queue uint32, oldest bool, filter any) *ua.MonitoredItemCreateRequest {
	return &ua.MonitoredItemCreateRequest{
		ItemToMonitor:  &ua.ReadValueID{NodeID: v.NodeID(), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}},
		MonitoringMode: ua.MonitoringModeReporting,
		RequestedParameters: &ua.MonitoringParameters{
			ClientHandle: handle, SamplingInterval: sampling, QueueSize: queue, DiscardOldest: oldest, Filter: ua.NewExtensionObject(filter),
		},
	}
}

// monitor makes one item and returns its result.
func (r *rig) monitor(sub uint32, req *ua.MonitoredItemCreateRequest) *ua.MonitoredItemCreateResult {
	r.t.Helper()
	return call1[*ua.CreateMonitoredItemsResponse](r, &ua.CreateMonitoredItemsRequest{
		SubscriptionID: sub, TimestampsToReturn: ua.TimestampsToReturnBoth, ItemsToCreate: []*ua.MonitoredItemCreateRequest{req},
	}).Results[0]
}

func (r *rig) publish(acks ...*ua.SubscriptionAcknowledgement) uint32 {
	r.t.Helper()
	return r.post(&ua.PublishRequest{SubscriptionAcknowledgements: acks})
}

// published returns the response to a Publish request, nil while there is none.
func (r *rig) published(id uint32) *ua.PublishResponse {
	r.t.Helper()
	resp, _ := r.answer(id).(*ua.PublishResponse)
	return resp
}

// dump renders a Publish response: "seq: handle=value/status …", "keep-alive seq", "status code".
func dump(p *ua.PublishResponse) string {
	if p == nil {
		return "nothing"
	}
	m := p.NotificationMessage
	if len(m.NotificationData) == 0 {
		return fmt.Sprintf("keep-alive %d", m.SequenceNumber)
	}
	switch d := m.NotificationData[0].Value.(type) {
	case *ua.StatusChangeNotification:
		return fmt.Sprintf("status %d: %#08x", m.SequenceNumber, uint32(d.Status))
	case *ua.DataChangeNotification:
		text := fmt.Sprintf("%d:", m.SequenceNumber)
		for _, it := range d.MonitoredItems {
			text += fmt.Sprintf(" %d=%v", it.ClientHandle, it.Value.Value.Value())
			if it.Value.Status != ua.StatusOK {
				text += fmt.Sprintf("/%x", uint32(it.Value.Status))
			}
		}
		if p.MoreNotifications {
			text += " …"
		}
		return text
	}
	return fmt.Sprintf("%T", m.NotificationData[0].Value)
}

// want compares a Publish response with its rendering.
func (r *rig) want(id uint32, text string) {
	r.t.Helper()
	if got := dump(r.published(id)); got != text {
		r.t.Errorf("publish %d: %s, want %s", id, got, text)
	}
}
