package uasession

// handles maps client handles to items. A handle is given once and never again, so that a value that comes late, for
// an item that was deleted or whose creation was never confirmed, cannot be taken for another's. It is a slice and not
// a map because every value looks its item up.
type handles struct {
	first uint32  // handle of items[0]; handles begin at 1
	items []*item // nil: given, but nobody's (any more)
}

// next gives the next handle.
func (h *handles) next() uint32 {
	if h.first == 0 {
		h.first = 1
	}
	h.items = append(h.items, nil)
	return h.first + uint32(len(h.items)) - 1
}

// get returns the item of a handle, nil when it is nobody's.
func (h *handles) get(handle uint32) *item {
	if i := handle - h.first; i < uint32(len(h.items)) {
		return h.items[i]
	}
	return nil
}

// set makes handle, given by next, belong to it.
func (h *handles) set(handle uint32, it *item) { h.items[handle-h.first] = it }

// drop makes handle nobody's.
func (h *handles) drop(handle uint32) {
	if i := handle - h.first; i < uint32(len(h.items)) {
		h.items[i] = nil
	}
}

// reset forgets all items, for a new session. Its handles go on from where the last one's ended.
func (h *handles) reset() {
	h.first += uint32(len(h.items))
	h.items = nil
}
