package uasession

import (
	"cmp"
	"math"
	"slices"
)

// handles maps client handles to items. A handle is given once and never again, so that a value that comes late, for
// an item that was deleted or whose creation was never confirmed, cannot be taken for another's. It holds slices and
// not a map because every value looks its item up.
type handles struct {
	given uint32 // the highest; handles begin at 1
	spans []span // ascending; more than one only after a take-over
}

// span is a run of handles.
type span struct {
	first uint32
	items []*item // nil: given, but nobody's (any more)
}

const (
	// handleLeap is left out after a take-over: more handles than the process before can have given without being able
	// to tell. The server may report under them.
	handleLeap = 1 << 20
	// maxInherited is the highest handle that still leaves room for a leap and what comes after it.
	maxInherited = math.MaxUint32 - 8*handleLeap
	// spanGap is the longest run of handles of nobody that is kept within a span.
	spanGap = 1 << 12
)

// next gives the next handle.
func (h *handles) next() uint32 {
	h.given++
	last := len(h.spans) - 1
	if last < 0 || h.spans[last].first+uint32(len(h.spans[last].items)) != h.given {
		h.spans = append(h.spans, span{first: h.given})
		last++
	}
	h.spans[last].items = append(h.spans[last].items, nil)
	return h.given
}

// slot is where the item of a handle stands, nil when the handle was not given.
func (h *handles) slot(handle uint32) **item {
	for i := range h.spans {
		sp := &h.spans[i]
		if k := handle - sp.first; k < uint32(len(sp.items)) {
			return &sp.items[k]
		}
	}
	return nil
}

// get returns the item of a handle, nil when it is nobody's.
func (h *handles) get(handle uint32) *item {
	if p := h.slot(handle); p != nil {
		return *p
	}
	return nil
}

// set makes handle, given by next, belong to it.
func (h *handles) set(handle uint32, it *item) { *h.slot(handle) = it }

// drop makes handle nobody's.
func (h *handles) drop(handle uint32) {
	if p := h.slot(handle); p != nil {
		*p = nil
	}
}

// reset forgets all items, for a new session. Its handles go on from where the last one's ended.
func (h *handles) reset() { h.spans = nil }

// inherit takes over items with the handles that a process before has given them, which gave handles up to given, and
// perhaps more. It is called on an empty table; given is at most maxInherited.
func (h *handles) inherit(given uint32, items []*item) {
	items = slices.SortedFunc(slices.Values(items), func(a, b *item) int { return cmp.Compare(a.handle, b.handle) })
	for _, it := range items {
		last := len(h.spans) - 1
		if last < 0 || it.handle-h.spans[last].first-uint32(len(h.spans[last].items)) > spanGap {
			h.spans = append(h.spans, span{first: it.handle})
			last++
		}
		sp := &h.spans[last]
		for sp.first+uint32(len(sp.items)) <= it.handle {
			sp.items = append(sp.items, nil)
		}
		sp.items[it.handle-sp.first] = it
		given = max(given, it.handle)
	}
	h.given = given + handleLeap
}
