package answer

import (
	"cmp"
	"slices"
	"sort"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// stored is one slice as it stands on a shelf.
type stored struct {
	calendar.Interval
	revision int
	computed telemetry.Instant
	model    string // that it was computed by; "" when that was not asked, as it cannot matter
	day      bool   // of a plant day; else of an hour, or what borders left of it
	facts    *packed
}

// shelf holds the stored slices of one grain of one subject, by From and of equal From the longer first. They may overlap: a
// calendar that was changed cuts its hours elsewhere, and both cuts are true. The zero shelf is empty.
type shelf []stored

func newShelf(all []stored) shelf {
	slices.SortFunc(all, func(a, b stored) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(b.To, a.To))
	})
	return all
}

// within gives slices that lie wholly in v and do not overlap, and what of v they leave.
//
//	v      [───────────────────────────────)
//	shelf [──)[───)[───)    [───)[────)[──────)
//	used      [───)[───)    [───)[────)
//	rest   [──)         [───)          [───)
func (s shelf) within(v calendar.Interval) (used []stored, rest []calendar.Interval) {
	at := v.From
	for _, c := range s[sort.Search(len(s), func(i int) bool { return s[i].From >= v.From }):] {
		if c.From >= v.To {
			break
		}
		if c.From < at || c.To > v.To {
			continue
		}
		if at < c.From {
			rest = append(rest, calendar.Interval{From: at, To: c.From})
		}
		used, at = append(used, c), c.To
	}
	if at < v.To {
		rest = append(rest, calendar.Interval{From: at, To: v.To})
	}
	return used, rest
}

// cover is how the facts of a stretch of time are put together: from the largest stored slices that fit, and from raw data
// where there are none. As facts are additive, every cover of a stretch has the same sum.
//
//	asked      [──────────────────────────────────────)
//	days             [──────────────)[─────────────)          day slices
//	hours       [──)[)              .              [──)[─)    hour slices
//	raw        [)                                         [)  edges, holes and the living tail
type cover struct {
	days, hours []stored
	raw         []calendar.Interval
}

func (s shelves) cover(v calendar.Interval) cover {
	var c cover
	if v.Empty() {
		return c
	}
	days, rest := s.days.within(v)
	c.days = days
	for _, gap := range rest {
		hours, left := s.hours.within(gap)
		c.hours = append(c.hours, hours...)
		c.raw = append(c.raw, left...)
	}
	return c
}

// shelves are the stored slices of one subject.
type shelves struct{ days, hours shelf }
