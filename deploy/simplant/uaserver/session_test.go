package uaserver

import (
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// anything is a request that needs an activated session.
func anything() ua.Request {
	return &ua.ReadRequest{NodesToRead: []*ua.ReadValueID{{
		NodeID: ua.NewNumericNodeID(0, id.Server_NamespaceArray), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{},
	}}}
}

func TestSessionTimeout(t *testing.T) {
	r := newRig(t, Options{})
	r.subscribe(10, 1_000_000, 0)
	for range 3 {
		r.wait(59 * time.Second)
		call1[*ua.ReadResponse](r, anything())
	}
	waiting := r.publish()
	r.wait(cycleTime) // takes the first keep-alive
	r.want(waiting, "keep-alive 1")
	r.wait(60 * time.Second)
	r.fault(anything(), ua.StatusBadSessionIDInvalid)
	if r.s.Stats().SessionTimeouts != 1 || r.s.Sessions() != 0 {
		t.Errorf("%+v", r.s.Stats())
	}
}

func TestRevisedSessionTimeout(t *testing.T) {
	f := func(asked, want float64) {
		t.Helper()
		r := newRig(t, Options{Limits: Limits{MinSessionTimeout: time.Second, MaxSessionTimeout: time.Minute}})
		got := call1[*ua.CreateSessionResponse](r, &ua.CreateSessionRequest{
			ClientDescription: &ua.ApplicationDescription{ApplicationName: &ua.LocalizedText{}}, EndpointURL: "opc.tcp://x", RequestedSessionTimeout: asked,
		}).RevisedSessionTimeout
		if got != want {
			t.Errorf("asked for %v: %v, want %v", asked, got, want)
		}
	}
	f(0, 1000)
	f(-5, 1000)
	f(30_000, 30_000)
	f(1e300, 60_000)
}

func TestReactivationOnNewChannel(t *testing.T) {
	r := newRig(t, Options{})
	v := r.variable("V", 0.0)
	r.monitor(r.subscribe(10, 1000, 0), itemRequest(v, 1, 0, 10, true, nil))
	lost := r.publish()
	r.s.mu.Lock()
	r.s.detachPeer(r.peer) // the connection breaks
	r.s.mu.Unlock()
	r.set(v, 1.0)
	r.wait(3 * cycleTime)
	r.want(lost, "nothing")

	r.peer = newPeer()
	r.fault(anything(), ua.StatusBadSecureChannelIDInvalid)
	call1[*ua.ActivateSessionResponse](r, activation())
	r.want(r.publish(), "1: 1=0 1=1")
}

func TestActivationMovesBetweenLiveChannels(t *testing.T) {
	r := newRig(t, Options{})
	r.subscribe(10, 1000, 0)
	waiting, old := r.publish(), r.peer
	r.peer = newPeer()
	call1[*ua.ActivateSessionResponse](r, activation())
	next := r.peer
	r.peer = old
	r.wantFault(waiting, ua.StatusBadSecureChannelClosed)
	r.fault(anything(), ua.StatusBadSecureChannelIDInvalid)
	r.peer = next
	call1[*ua.ReadResponse](r, anything())
}

func TestSessionErrors(t *testing.T) {
	r := newRig(t, Options{Limits: Limits{MaxSessions: 2}})
	create := func() *ua.CreateSessionRequest {
		return &ua.CreateSessionRequest{
			ClientDescription: &ua.ApplicationDescription{ApplicationName: &ua.LocalizedText{}}, EndpointURL: "opc.tcp://x", RequestedSessionTimeout: 10_000,
		}
	}
	first := r.token
	r.token = call1[*ua.CreateSessionResponse](r, create()).AuthenticationToken
	r.fault(anything(), ua.StatusBadSessionNotActivated)
	r.fault(create(), ua.StatusBadTooManySessions)
	other := r.peer
	r.peer = newPeer()
	r.fault(activation(), ua.StatusBadSecureChannelIDInvalid) // the first activation belongs to its channel
	r.peer = other
	wrong := activation()
	wrong.UserIdentityToken = ua.NewExtensionObject(&ua.UserNameIdentityToken{PolicyID: "username", UserName: "u", Password: []byte("p")})
	r.fault(wrong, ua.StatusBadIdentityTokenRejected)
	r.token = ua.NewByteStringNodeID(0, []byte("forged"))
	r.fault(anything(), ua.StatusBadSessionIDInvalid)
	r.fault(activation(), ua.StatusBadSessionIDInvalid)
	r.token = nil
	r.fault(anything(), ua.StatusBadSessionIDInvalid)
	r.token = first
	call1[*ua.CloseSessionResponse](r, &ua.CloseSessionRequest{DeleteSubscriptions: true})
	r.fault(anything(), ua.StatusBadSessionIDInvalid)
}

func TestUsers(t *testing.T) {
	s := New(Options{Users: map[string]string{"operator": "secret"}})
	f := func(token any, want ua.StatusCode) {
		t.Helper()
		if _, got := s.authenticate(ua.NewExtensionObject(token)); got != want {
			t.Errorf("%+v: %v, want %v", token, got, want)
		}
	}
	f(&ua.UserNameIdentityToken{UserName: "operator", Password: []byte("secret")}, ua.StatusOK)
	f(&ua.UserNameIdentityToken{UserName: "operator", Password: []byte("Secret")}, ua.StatusBadUserAccessDenied)
	f(&ua.UserNameIdentityToken{UserName: "nobody"}, ua.StatusBadUserAccessDenied)
	f(&ua.UserNameIdentityToken{UserName: "operator", Password: []byte("secret"), EncryptionAlgorithm: "rsa"}, ua.StatusBadIdentityTokenInvalid)
	f(&ua.AnonymousIdentityToken{}, ua.StatusBadIdentityTokenRejected)
	f(&ua.X509IdentityToken{}, ua.StatusBadIdentityTokenInvalid)
	if got := s.endpoints()[0].UserIdentityTokens; len(got) != 1 || got[0].TokenType != ua.UserTokenTypeUserName {
		t.Errorf("endpoint offers %+v", got[0])
	}
}

func TestCloseSessionKeepsOrDeletesSubscriptions(t *testing.T) {
	f := func(remove bool, want int) {
		t.Helper()
		r := newRig(t, Options{})
		v := r.variable("V", 0.0)
		r.monitor(r.subscribe(2, 6, 0), itemRequest(v, 1, 0, 10, true, nil))
		waiting := r.publish()
		call1[*ua.CloseSessionResponse](r, &ua.CloseSessionRequest{DeleteSubscriptions: remove})
		r.wantFault(waiting, ua.StatusBadSessionClosed)
		if len(r.s.subs) != want || len(v.items) != want {
			t.Errorf("delete %t: %d subscriptions, %d items", remove, len(r.s.subs), len(v.items))
		}
		r.wait(10 * cycleTime) // its lifetime
		if len(r.s.subs) != 0 || len(v.items) != 0 {
			t.Errorf("delete %t: %d subscriptions outlived their lifetime", remove, len(r.s.subs))
		}
	}
	f(true, 0)
	f(false, 1)
}

func TestNothingCanBeChanged(t *testing.T) {
	r := newRig(t, Options{})
	v := r.variable("V", 1.0)
	value := &ua.DataValue{EncodingMask: ua.DataValueValue, Value: ua.MustVariant(2.0)}
	r.fault(&ua.WriteRequest{NodesToWrite: []*ua.WriteValue{{NodeID: v.NodeID(), AttributeID: ua.AttributeIDValue, Value: value}}}, ua.StatusBadUserAccessDenied)
	r.fault(&ua.CallRequest{MethodsToCall: []*ua.CallMethodRequest{{ObjectID: v.NodeID(), MethodID: v.NodeID()}}}, ua.StatusBadServiceUnsupported)
	r.fault(&ua.HistoryUpdateRequest{}, ua.StatusBadServiceUnsupported)
	r.fault(&ua.AddNodesRequest{}, ua.StatusBadServiceUnsupported)
	r.fault(&ua.DeleteNodesRequest{}, ua.StatusBadServiceUnsupported)
	r.fault(&ua.AddReferencesRequest{}, ua.StatusBadServiceUnsupported)
	r.fault(&ua.DeleteReferencesRequest{}, ua.StatusBadServiceUnsupported)
	if r.s.Mutations() != 7 {
		t.Errorf("%d counted", r.s.Mutations())
	}
	r.fault(&ua.SetTriggeringRequest{}, ua.StatusBadServiceUnsupported)
	r.fault(&ua.QueryNextRequest{}, ua.StatusBadServiceUnsupported)
	got := r.s.Requests()
	for _, name := range []string{"Write", "Call", "SetTriggering", "QueryNext"} {
		if got[name] != 1 {
			t.Errorf("%d %s requests counted", got[name], name)
		}
	}
	if r.s.Mutations() != 7 || v.cur.value != 1.0 {
		t.Errorf("%d counted, value %v", r.s.Mutations(), v.cur.value)
	}
}

func TestCancel(t *testing.T) {
	r := newRig(t, Options{})
	r.subscribe(50, 1000, 0)
	a, b := r.publish(), r.publish()
	if got := call1[*ua.CancelResponse](r, &ua.CancelRequest{RequestHandle: 1000 + a}); got.CancelCount != 1 {
		t.Errorf("%d cancelled", got.CancelCount)
	}
	r.wantFault(a, ua.StatusBadRequestCancelledByClient)
	r.want(b, "nothing")
}

func TestResponseTooLarge(t *testing.T) {
	r := newRig(t, Options{})
	r.peer.max = 100
	r.fault(anything(), ua.StatusBadResponseTooLarge)
}
