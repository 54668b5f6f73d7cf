package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvarts/collector/uasession"
)

func TestHeirlooms(t *testing.T) {
	var h heirlooms
	e := &uasession.Estate{Token: []byte{1}}
	h.reached("saws", "fast", uasession.Mark{Stream: 7, Seq: 3}) // before the estate: it counts as soon as that comes
	h.reached("saws", "slow", uasession.Mark{})                  // half a message
	h.leave("saws", e)
	h.reached("saws", "fast", uasession.Mark{Stream: 7, Seq: 4})
	estates, next := h.of([]string{"saws", "pullers"})
	if d := cmp.Diff(map[string]*uasession.Estate{"saws": e}, estates); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]map[string]uasession.Mark{"saws": {"fast": {Stream: 7, Seq: 5}}}, next); d != "" {
		t.Error(d)
	}
	next["saws"]["fast"] = uasession.Mark{} // a copy
	h.leave("saws", nil)
	h.reached("saws", "fast", uasession.Mark{Stream: 8, Seq: 1})
	if estates, next := h.of([]string{"saws"}); len(estates) != 0 || len(next) != 0 {
		t.Errorf("after the session was closed: %v %v", estates, next)
	}
}
