package truth_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"kvarts/deploy/simplant/truth"
	"kvarts/deploy/simplant/truth/contract"
	"kvarts/historian/calendar"
	"kvarts/historian/record"
)

// sights are what occurs in some lives: what the acceptance is for, and what it would prove nothing of if it did not.
type sights struct {
	mu   sync.Mutex
	seen map[string]int
}

func (s *sights) add(t testing.TB, l *life, want *truth.Answers) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]int{}
	}
	for _, m := range l.model.Units {
		u, _ := want.Unit(m.ID)
		l.plannedByHand(t, m.ID, m.Calendar, u.PlannedStops)
		for _, v := range u.PlannedStops {
			if !v.Meet(l.window).Empty() {
				s.seen["planned stop"]++
			}
		}
		if u.Energy != nil {
			s.seen["register rollover"] += falls(u.Energy)
			s.seen["meter swap"] += len(u.Energy.Swaps)
		}
		for _, c := range []*contract.Counter{u.Total, u.Good} {
			if c != nil && c.Rule.Rollover {
				s.seen["counter rollover"] += falls(c)
			}
		}
		for _, r := range u.ScrapReports {
			if !r.Made.Meet(l.window).Empty() {
				s.seen["late scrap"]++
			}
			if r.Made.Holds(l.middle) || r.Made.To < l.middle && r.ReportedAt > l.middle {
				s.seen["scrap of what was stored"]++
			}
		}
		if m.Class.Progress != nil && u.Total != nil {
			s.seen["batch"] += len(u.Total.Swaps)
		}
	}
}

// falls counts how often a counter went back, but by a swap.
func falls(c *contract.Counter) int {
	n := 0
	for i := 1; i < len(c.Readings); i++ {
		a, b := &c.Readings[i-1], &c.Readings[i]
		swapped := slices.ContainsFunc(c.Swaps, func(s contract.Swap) bool { return a.At <= s.At && s.At <= b.At })
		if b.Value.Cmp(a.Value) < 0 && !swapped {
			n++
		}
	}
	return n
}

// plannedByHand compares the planned stops of a unit with those that the plant file names, reckoned here: wafering stops on Mondays
// from 8 to 10, the lines on Wednesdays from 8 to 12, in Almaty, five hours ahead of UTC.
func (l *life) plannedByHand(t testing.TB, unit, rules string, stops []calendar.Interval) {
	t.Helper()
	on := map[string]struct {
		day   time.Weekday
		hours time.Duration
	}{"wafering": {time.Monday, 2 * time.Hour}, "lines": {time.Wednesday, 4 * time.Hour}}
	var want []calendar.Interval
	for day := l.window.From.Add(-48 * time.Hour).Time().Truncate(24 * time.Hour); day.Before(l.window.To.Time()); day = day.Add(24 * time.Hour) {
		stop, ok := on[rules]
		if !ok || day.Weekday() != stop.day {
			continue
		}
		from := l.window.From.Add(day.Add(3 * time.Hour).Sub(l.window.From.Time()))
		if v := (calendar.Interval{From: from, To: from.Add(stop.hours)}).Meet(l.window); !v.Empty() {
			want = append(want, v)
		}
	}
	got := []calendar.Interval(calendar.NewSet(stops...).Clip(l.window))
	entered := slices.ContainsFunc(l.records, func(r record.Record) bool { return r.Kind == record.PlannedStop && r.Unit == unit })
	if !entered && !slices.Equal(got, want) {
		t.Errorf("unit %s: the planned stops are %s, want %s", unit, got, want)
	}
}

// report says what occurred, and what did not though it should.
func (s *sights) report(t *testing.T) {
	t.Helper()
	t.Logf("seen: %v", s.seen)
	if someSeeds() {
		return
	}
	for _, what := range []string{"planned stop", "register rollover", "meter swap", "counter rollover", "late scrap", "scrap of what was stored", "batch"} {
		if s.seen[what] == 0 {
			t.Errorf("no seed has a %s: choose other ones", what)
		}
	}
}
