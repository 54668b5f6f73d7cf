package uaserver

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopcua/opcua/ua"
)

// clients opens one session per user on one server; the name "" is anonymous. The first
// rig's clock is the server's.
func clients(t *testing.T, opts Options, users ...string) []*rig {
	t.Helper()
	opts.Namespaces = []string{testURI}
	for _, name := range users {
		if name != "" {
			opts.Users = map[string]string{"anna": "a", "otto": "o"}
		}
	}
	all := make([]*rig, len(users))
	first := &rig{t: t, peer: newPeer(), clock: rigStart}
	opts.Now = func() time.Time { return first.clock }
	first.s = New(opts)
	first.s.now = opts.Now
	for i, name := range users {
		all[i] = &rig{t: t, s: first.s, peer: newPeer(), clock: rigStart}
		if i == 0 {
			all[i] = first
		}
		all[i].openSessionAs(name)
	}
	return all
}

func (r *rig) openSessionAs(user string) {
	r.t.Helper()
	r.token = call1[*ua.CreateSessionResponse](r, &ua.CreateSessionRequest{
		ClientDescription: &ua.ApplicationDescription{ApplicationName: ua.NewLocalizedText(user)},
		EndpointURL:       "opc.tcp://rig", RequestedSessionTimeout: 60_000,
	}).AuthenticationToken
	activate := activation()
	if user != "" {
		activate.UserIdentityToken = ua.NewExtensionObject(&ua.UserNameIdentityToken{PolicyID: "username", UserName: user, Password: []byte(user[:1])})
	}
	call1[*ua.ActivateSessionResponse](r, activate)
}

// take asks for subscriptions and returns the results.
func (r *rig) take(initial bool, subs ...uint32) []*ua.TransferResult {
	r.t.Helper()
	return call1[*ua.TransferSubscriptionsResponse](r, &ua.TransferSubscriptionsRequest{SubscriptionIDs: subs, SendInitialValues: initial}).Results
}

// TestTransferSubscriptions moves a subscription with one message unacknowledged and
// values queued: nothing is lost and the numbers go on.
func TestTransferSubscriptions(t *testing.T) {
	rigs := clients(t, Options{}, "anna", "anna")
	old, heir := rigs[0], rigs[1]
	v, w := old.variable("V", 0.0), old.variable("W", 0.0)
	sub := old.subscribe(10, 1000, 0)
	old.monitor(sub, itemRequest(v, 1, 0, 10, true, nil))
	old.monitor(sub, itemRequest(w, 2, 0, 10, true, nil))
	id := old.publish()
	old.wait(cycleTime)
	old.want(id, "1: 1=0 2=0")
	waiting := old.publish()
	other := heir.subscribe(10, 1000, 0)
	early := heir.publish()
	old.set(v, 1.0)

	got := heir.take(false, sub, 4711, other)
	if got[0].StatusCode != ua.StatusOK || got[1].StatusCode != ua.StatusBadSubscriptionIDInvalid || got[2].StatusCode != ua.StatusBadNothingToDo {
		t.Errorf("%v %v %v", got[0].StatusCode, got[1].StatusCode, got[2].StatusCode)
	}
	if d := cmp.Diff([]uint32{1}, got[0].AvailableSequenceNumbers); d != "" {
		t.Error(d)
	}
	old.want(waiting, "status 2: 0x002d0000")
	old.fault(&ua.PublishRequest{}, ua.StatusBadNoSubscription)
	old.wait(cycleTime)
	heir.want(early, "2: 1=1")
	again := call1[*ua.RepublishResponse](heir, &ua.RepublishRequest{SubscriptionID: sub, RetransmitSequenceNumber: 1})
	if text := dump(&ua.PublishResponse{NotificationMessage: again.NotificationMessage}); text != "1: 1=0 2=0" {
		t.Errorf("republished %s", text)
	}
	if old.s.Stats().Transfers != 1 || old.s.Filtered()[CauseLost] != 0 {
		t.Errorf("%+v, %v", old.s.Stats(), old.s.Filtered())
	}
}

// TestTransferRepeatsValues has sendInitialValues: the last value of what has none queued.
func TestTransferRepeatsValues(t *testing.T) {
	rigs := clients(t, Options{}, "anna", "anna")
	old, heir := rigs[0], rigs[1]
	v, w, off := old.variable("V", 0.0), old.variable("W", 0.0), old.variable("Off", 0.0)
	sub := old.subscribe(10, 1000, 0)
	old.monitor(sub, itemRequest(v, 1, 0, 10, true, nil))
	old.monitor(sub, itemRequest(w, 2, 0, 10, true, nil))
	disabled := itemRequest(off, 3, 0, 10, true, nil)
	disabled.MonitoringMode = ua.MonitoringModeDisabled
	old.monitor(sub, disabled)
	id := old.publish()
	old.wait(cycleTime)
	old.want(id, "1: 1=0 2=0")
	old.set(w, 5.0)
	if got := heir.take(true, sub)[0].StatusCode; got != ua.StatusOK {
		t.Fatal(got)
	}
	id = heir.publish()
	old.wait(cycleTime)
	heir.want(id, "2: 2=5 1=0")
	if len(old.s.sessions) != 2 {
		t.Errorf("%d sessions", len(old.s.sessions))
	}
}

// TestTransferFromAClosedSession takes over what its session left behind.
func TestTransferFromAClosedSession(t *testing.T) {
	rigs := clients(t, Options{}, "otto", "otto")
	old, heir := rigs[0], rigs[1]
	v := old.variable("V", 0.0)
	sub := old.subscribe(10, 1000, 0)
	old.monitor(sub, itemRequest(v, 1, 0, 10, true, nil))
	call1[*ua.CloseSessionResponse](old, &ua.CloseSessionRequest{})
	old.wait(5 * cycleTime) // it becomes late
	if got := heir.take(false, sub)[0]; got.StatusCode != ua.StatusOK || len(got.AvailableSequenceNumbers) != 0 {
		t.Fatalf("%+v", got)
	}
	heir.want(heir.publish(), "1: 1=0")
}

func TestTransferIsRefused(t *testing.T) {
	f := func(opts Options, owner, taker string, prepare func(*Server), want ua.StatusCode) {
		t.Helper()
		rigs := clients(t, opts, owner, taker)
		sub := rigs[0].subscribe(10, 1000, 0)
		if prepare != nil {
			prepare(rigs[0].s)
		}
		if got := rigs[1].take(false, sub)[0].StatusCode; got != want {
			t.Errorf("%q takes from %q: %v, want %v", taker, owner, got, want)
		}
	}
	f(Options{}, "anna", "anna", nil, ua.StatusOK)
	f(Options{}, "anna", "otto", nil, ua.StatusBadUserAccessDenied)
	f(Options{}, "", "", nil, ua.StatusBadUserAccessDenied)
	f(Options{AnonymousTransfer: true}, "", "", nil, ua.StatusOK)
	f(Options{}, "anna", "anna", func(s *Server) { s.RefuseTransfer(ua.StatusBadUserAccessDenied) }, ua.StatusBadUserAccessDenied)
	f(Options{}, "anna", "anna", func(s *Server) { s.RefuseTransfer(ua.StatusBadNotSupported); s.RefuseTransfer(ua.StatusOK) }, ua.StatusOK)

	r := clients(t, Options{Limits: Limits{MaxSubscriptions: 1}}, "anna", "anna")
	sub := r[0].subscribe(10, 1000, 0)
	r[1].subscribe(10, 1000, 0)
	if got := r[1].take(false, sub)[0].StatusCode; got != ua.StatusBadTooManySubscriptions {
		t.Errorf("%v", got)
	}
	r[1].fault(&ua.TransferSubscriptionsRequest{}, ua.StatusBadNothingToDo)
	r[0].s.FaultOn("TransferSubscriptions", ua.StatusBadServiceUnsupported, 1)
	r[1].fault(&ua.TransferSubscriptionsRequest{SubscriptionIDs: []uint32{sub}}, ua.StatusBadServiceUnsupported)
}
