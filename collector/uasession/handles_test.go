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

func TestInheritedHandles(t *testing.T) {
	var h handles
	items := []*item{{handle: 3*handleLeap + 1}, {handle: 7}, {handle: 5}, {handle: 3 * handleLeap}}
	h.inherit(items[0].handle, items)
	for _, it := range items {
		if h.get(it.handle) != it {
			t.Errorf("handle %d is not its item's", it.handle)
		}
	}
	if h.get(6) != nil || h.get(4) != nil || h.get(8) != nil || h.get(handleLeap) != nil || len(h.spans) != 2 {
		t.Errorf("%d spans, or a handle that nobody has is somebody's", len(h.spans))
	}
	fresh := h.next()
	it := &item{}
	h.set(fresh, it)
	if fresh <= items[0].handle+handleLeap-1 || h.get(fresh) != it || h.next() != fresh+1 {
		t.Errorf("next handle %d", fresh)
	}
	h.drop(7)
	if h.get(7) != nil || h.get(5) != items[2] {
		t.Error("drop")
	}
	h.reset()
	if next := h.next(); next != fresh+2 || h.get(5) != nil {
		t.Errorf("after a reset: %d", next)
	}
}
