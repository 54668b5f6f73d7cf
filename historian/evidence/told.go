package evidence

import (
	"context"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// told is what people entered of a unit.
type told struct {
	booked  []ledger.Booking
	scrap   []ledger.ScrapReport
	swaps   [numRoles][]ledger.Swap
	stops   []calendar.Interval // planned
	reasons []saying
	orders  []saying
}

// saying is a word about some time. Of two about the same moment the later one in the list counts.
type saying struct {
	calendar.Interval
	word string
}

// readTold reads the records known at asof.
func (g *gathering) readTold(_ context.Context, _ telemetry.Instant) error { return nil }

// core is w with the whole of what was booked or scrapped across its ends.
func (t *told) core(w calendar.Interval) calendar.Interval {
	for _, s := range t.scrap {
		if !s.Made.Meet(w).Empty() {
			w = hull(w, s.Made)
		}
	}
	all := w
	for _, b := range t.booked {
		if !b.Meet(w).Empty() {
			all = hull(all, b.Interval)
		}
	}
	return all
}

func (t *told) reasonAt(at telemetry.Instant) string  { return wordAt(t.reasons, at) }
func (t *told) productAt(at telemetry.Instant) string { return wordAt(t.orders, at) }

func (t *told) reasonCuts() []telemetry.Instant  { return borders(t.reasons) }
func (t *told) productCuts() []telemetry.Instant { return borders(t.orders) }

func wordAt(list []saying, at telemetry.Instant) string {
	for _, s := range slices.Backward(list) {
		if s.Holds(at) {
			return s.word
		}
	}
	return ""
}

func borders(list []saying) []telemetry.Instant {
	var out []telemetry.Instant
	for _, s := range list {
		out = append(out, s.From, s.To)
	}
	return out
}
