package plant

import (
	"cmp"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// History is all models that were applied to a plant, by Known; of equal Known the later applied one counts. Nothing in it
// ever changes: a correction is a further version.
type History []Version

// NewHistory sorts versions, which may be in any order.
func NewHistory(versions ...Version) History {
	h := slices.Clone(versions)
	slices.SortStableFunc(h, func(a, b Version) int { return cmp.Compare(a.Known, b.Known) })
	return h
}

// At is the version in force at moment t, as known at asof: of those known by then and effective by t the one with the
// greatest Effective, of equals the one known last. ok is false when there is none.
func (h History) At(t, asof telemetry.Instant) (v *Version, ok bool) {
	for i := range h {
		if w := &h[i]; w.Known <= asof && w.Effective <= t && (v == nil || w.Effective >= v.Effective) {
			v = w
		}
	}
	return v, v != nil
}

// Span is a time in which one version is in force.
type Span struct {
	calendar.Interval
	Version *Version // nil: no model describes this time
}

// Spans divides w by the versions in force, as known at asof: without holes or overlaps, in order. Empty when w is.
func (h History) Spans(w calendar.Interval, asof telemetry.Instant) []Span {
	if w.Empty() {
		return nil
	}
	cuts := []telemetry.Instant{w.From}
	for i := range h {
		if e := h[i].Effective; h[i].Known <= asof && w.From < e && e < w.To {
			cuts = append(cuts, e)
		}
	}
	slices.Sort(cuts)
	cuts = append(slices.Compact(cuts), w.To)
	var out []Span
	for i, from := range cuts[:len(cuts)-1] {
		v, _ := h.At(from, asof)
		if n := len(out); n > 0 && out[n-1].Version == v {
			out[n-1].To = cuts[i+1]
			continue
		}
		out = append(out, Span{Interval: calendar.Interval{From: from, To: cuts[i+1]}, Version: v})
	}
	return out
}
