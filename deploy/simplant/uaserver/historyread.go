package uaserver

import (
	"math"

	"github.com/gopcua/opcua/ua"
)

// step is the part of a history read that comes next.
type step uint8

const (
	leadingBound step = iota
	rangeValues
	trailingBound
)

// historyRead is the reading of one variable's raw values, on its way from one page to
// the next (OPC 10000-11 §6.5.3.2, with its bounds as in §4.6). Time flows from near to
// far, which lies outside the range unless it is near:
//
//	  bound   [near                               far)      bound
//	───●────────┼────●────●────●─────────●─────────┼─────────●─────►
//	   └ leadingBound └───── rangeValues ┘                   └ trailingBound
//
// A bound is the value at its end of the range, else the nearest one outside, else a null
// value with BadBoundNotFound. A historyRead belongs to one goroutine at a time.
type historyRead struct {
	variable  *Variable
	ts        ua.TimestampsToReturn
	near, far DateTime  // as stated; far means nothing when open
	rng       PastRange // of the values; its beginning follows those that were given
	open      bool      // far is not stated: as many values as left says
	bounds    bool
	left      int // values still to give; < 0: all
	page      int // most values in a page

	step step
	skip int      // values at the beginning of rng that were given
	last DateTime // time of the newest value or bound that was given
}

// newHistoryRead reads what d asks for in pages of at most limit values; reverse gives
// a range from its other end.
func newHistoryRead(v *Variable, d *rawDetails, ts ua.TimestampsToReturn, limit int, reverse bool) *historyRead {
	h := &historyRead{variable: v, ts: ts, near: d.Start, far: d.End, bounds: d.ReturnBounds, left: -1, page: limit}
	n := int(min(d.NumValuesPerNode, math.MaxInt32))
	switch {
	case d.Start == 0: // from End backwards
		h.near, h.open, h.left = d.End, true, n
		h.rng = PastRange{From: firstTime, To: d.End, Backward: true}
	case d.End == 0:
		h.open, h.left = true, n
		h.rng = PastRange{From: d.Start, To: lastTime}
	case d.Start == d.End:
		h.rng = PastRange{From: d.Start, To: d.End}
	case d.Start < d.End:
		h.rng = PastRange{From: d.Start, To: d.End - 1}
	default:
		h.rng = PastRange{From: d.End + 1, To: d.Start, Backward: true}
	}
	if n > 0 && !h.open {
		h.page = min(h.page, n)
	}
	if reverse && !h.open {
		h.near, h.far, h.rng.Backward = h.far, h.near, !h.rng.Backward
	}
	if !h.bounds {
		h.step = rangeValues
	}
	return h
}

// read gives the next page to add, which refuses a value when the page is full, and
// reports whether there is more. Values later than visible are not seen.
func (h *historyRead) read(visible DateTime, add func(*sample) bool) (more bool, err error) {
	count := 0
	give := func(s *sample) bool {
		if h.left == 0 {
			return false
		}
		if count == h.page || !add(s) {
			more = true
			return false
		}
		count++
		h.left--
		h.last = keyTime(s.source, s.server)
		return true
	}
	for h.step <= trailingBound {
		done := true
		switch h.step {
		case leadingBound:
			done, err = h.lead(visible, give)
		case rangeValues:
			done, err = h.values(visible, give)
		case trailingBound:
			if h.bounds {
				done, err = h.trail(visible, give)
			}
		}
		if err != nil || !done {
			return more, err
		}
		h.step++
	}
	return false, nil
}

// values gives what is left of the range; false: not all of it.
func (h *historyRead) values(visible DateTime, give func(*sample) bool) (all bool, err error) {
	all = true
	skip := h.skip
	err = h.each(h.rng, visible, func(s *sample) bool {
		t, begin := keyTime(s.source, s.server), &h.rng.From
		if h.rng.Backward {
			begin = &h.rng.To
		}
		if t == *begin && skip > 0 {
			skip--
			return true
		}
		if !give(s) {
			all = false
			return false
		}
		if t != *begin {
			*begin, h.skip = t, 0
		}
		h.skip++
		return true
	})
	return all, err
}

// lead gives the bound at near, unless the range begins with a value there.
func (h *historyRead) lead(visible DateTime, give func(*sample) bool) (done bool, err error) {
	outside := PastRange{From: firstTime, To: h.near, Backward: true}
	if h.rng.Backward {
		outside = PastRange{From: h.near, To: lastTime}
	}
	bound, err := h.first(outside, visible)
	switch {
	case err != nil:
		return false, err
	case bound == nil:
		return give(noBound(h.near)), nil
	case keyTime(bound.source, bound.server) == h.near && h.within(h.near):
		return true, nil
	default:
		return give(bound), nil
	}
}

// within tells whether t is in the range of values.
func (h *historyRead) within(t DateTime) bool { return h.rng.From <= t && t <= h.rng.To }

// trail gives the bound at far: the first value there or beyond.
func (h *historyRead) trail(visible DateTime, give func(*sample) bool) (done bool, err error) {
	if h.open { // the values ended before they were enough: nothing is beyond
		t := h.last + ticksPerSecond
		if h.rng.Backward {
			t = h.last - ticksPerSecond
		}
		return give(noBound(t)), nil
	}
	outside := PastRange{From: h.far, To: lastTime}
	switch {
	case h.rng.Backward:
		outside = PastRange{From: firstTime, To: h.far, Backward: true}
	case h.near == h.far: // what is at this instant was given
		outside.From = min(h.far, lastTime-1) + 1
	}
	bound, err := h.first(outside, visible)
	if err != nil {
		return false, err
	}
	if bound == nil {
		bound = noBound(h.far)
	}
	return give(bound), nil
}

// noBound stands for a bound that is not there.
func noBound(at DateTime) *sample {
	return &sample{status: ua.StatusBadBoundNotFound, source: at, server: at}
}

// first returns the first value in r, or nil.
func (h *historyRead) first(r PastRange, visible DateTime) (found *sample, err error) {
	err = h.each(r, visible, func(s *sample) bool {
		one := *s
		found = &one
		return false
	})
	return found, err
}

// each yields the values in r that are not later than visible.
func (h *historyRead) each(r PastRange, visible DateTime, yield func(*sample) bool) error {
	if r.To = min(r.To, visible); r.From > r.To {
		return nil
	}
	return h.variable.past(r, yield)
}
