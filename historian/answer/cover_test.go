package answer

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// Whatever stands on the shelves, a cover is a partition of what was asked.
func TestCoverIsPartition(t *testing.T) {
	slice := rapid.Custom(func(t *rapid.T) stored {
		from := rapid.Int64Range(-10, 100).Draw(t, "from")
		return stored{Interval: calendar.Interval{From: telemetry.Instant(from), To: telemetry.Instant(from + rapid.Int64Range(1, 30).Draw(t, "length"))}}
	})
	rapid.Check(t, func(t *rapid.T) {
		s := shelves{days: newShelf(rapid.SliceOf(slice).Draw(t, "days")), hours: newShelf(rapid.SliceOf(slice).Draw(t, "hours"))}
		from := rapid.Int64Range(0, 90).Draw(t, "from")
		v := calendar.Interval{From: telemetry.Instant(from), To: telemetry.Instant(rapid.Int64Range(from, 100).Draw(t, "to"))}
		c := s.cover(v)
		all := slices.Clone(c.raw)
		for _, u := range slices.Concat(c.days, c.hours) {
			all = append(all, u.Interval)
		}
		slices.SortFunc(all, func(a, b calendar.Interval) int { return cmp.Compare(a.From, b.From) })
		at := v.From
		for _, p := range all {
			if p.From != at || p.Empty() {
				t.Fatalf("part %d..%d of the cover follows %d", p.From, p.To, at)
			}
			at = p.To
		}
		if at != v.To {
			t.Fatalf("the cover ends at %d instead of %d", at, v.To)
		}
	})
}

// A cover takes the largest slices there are.
func TestCoverPrefersDays(t *testing.T) {
	span := func(from, to telemetry.Instant) stored {
		return stored{Interval: calendar.Interval{From: from, To: to}}
	}
	s := shelves{days: newShelf([]stored{span(24, 48)}), hours: newShelf([]stored{span(22, 23), span(23, 24), span(24, 25), span(48, 49), span(50, 51)})}
	c := s.cover(calendar.Interval{From: 22, To: 51})
	if len(c.days) != 1 || len(c.hours) != 4 || len(c.raw) != 1 || c.raw[0] != (calendar.Interval{From: 49, To: 50}) {
		t.Errorf("cover %+v", c)
	}
}
