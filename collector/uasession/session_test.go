package uasession

import (
	"testing"
	"time"

	"kvarts/deploy/simplant/uaserver"
)

func TestCollects(t *testing.T) {
	p := newPlant(t, 3, uaserver.Options{})
	r := newRecorder(t)
	g := p.group("g", 0, 3)
	s := start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{g}}, r)
	eventually(t, "three first values", func() bool { return r.count() >= 3 })
	stop := p.run(5 * time.Millisecond)
	eventually(t, "300 values", func() bool { return r.count() >= 300 })
	stop()
	p.arrived(r, "v0", "v1", "v2")
	eventually(t, "messages are acknowledged", func() bool { return p.srv.Stats().Acknowledgements > 2 })
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	p.settled(r, "server", seriesOf(g))
	if n := p.srv.Sessions(); n != 0 {
		t.Errorf("%d sessions are left at the server", n)
	}
	if n := p.srv.Mutations(); n != 0 {
		t.Errorf("%d requests would have changed the machine", n)
	}
	st := r.snapshot()
	if st.State != StateStopped || st.Counters.Gaps != 0 || st.Counters.Strays != 0 {
		t.Errorf("state at the end: %+v", st)
	}
}
