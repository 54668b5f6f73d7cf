package uasession

import "testing"

func TestHandlesAreNeverUsedAgain(t *testing.T) {
	var h handles
	if h.get(0) != nil || h.get(1) != nil {
		t.Error("an empty table knows an item")
	}
	a, b := &item{}, &item{}
	ha, hb := h.next(), h.next()
	h.set(ha, a)
	if ha == 0 || ha == hb || h.get(ha) != a || h.get(hb) != nil || h.get(0) != nil {
		t.Errorf("handles %d, %d", ha, hb)
	}
	h.drop(ha)
	h.drop(12345)
	hc := h.next()
	h.set(hc, b)
	if h.get(ha) != nil || h.get(hc) != b || hc == ha || hc == hb {
		t.Errorf("after a drop: handles %d, %d, %d", ha, hb, hc)
	}
	h.reset()
	if hd := h.next(); hd <= hc || h.get(hc) != nil || h.get(hb) != nil {
		t.Errorf("after a reset: handle %d", hd)
	}
}
