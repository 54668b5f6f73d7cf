package answer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// What is gathered at once: windows that lie close together share what stands between them, and no more than some days of raw
// data of a unit are in memory at a time.
const (
	gatherGap  = 2 * time.Hour
	gatherSpan = 3 * 24 * time.Hour
)

// raw computes the facts of r in each of the windows, which are disjoint and in order, from raw data.
func (e *Engine) raw(ctx context.Context, p *plan, r ref, windows []calendar.Interval, each func(i int, f *ledger.Facts)) error {
	may := func(a, b calendar.Interval) bool { return r.level != Line || p.spanOf(a.From) == p.spanOf(b.From) }
	i := 0
	for _, together := range batches(windows, may) {
		source, err := e.gather(ctx, e.client, p, r, calendar.Interval{From: together[0].From, To: together[len(together)-1].To})
		if err != nil {
			return err
		}
		for _, f := range between(source, together) {
			each(i, &f)
			i++
		}
	}
	return nil
}

// source is a ledger.Unit or a ledger.Line.
type source interface {
	Slices(borders []telemetry.Instant) []ledger.Facts
}

// gatherer makes the ledger of a unit or line ready for some time.
type gatherer func(ctx context.Context, client *influx.Client, p *plan, r ref, v calendar.Interval) (source, error)

// gather is the gatherer of the evidence in a store.
func gather(ctx context.Context, client *influx.Client, p *plan, r ref, v calendar.Interval) (source, error) {
	if r.level == Line {
		return evidence.GatherLine(ctx, client, p.history, r.id, v, p.horizon, p.horizon)
	}
	in, _, err := evidence.Gather(ctx, client, p.history, r.id, v, p.horizon, p.horizon)
	if err != nil {
		return nil, err
	}
	u, err := ledger.New(in)
	if err != nil {
		return nil, fmt.Errorf("ledger of %s: %w", r, err)
	}
	return u, nil
}

// spanOf is the index of the version in force at t.
func (p *plan) spanOf(t telemetry.Instant) int {
	return slices.IndexFunc(p.spans, func(s plant.Span) bool { return s.Holds(t) })
}

// batches divides windows into runs of neighbours that may be gathered together.
func batches(windows []calendar.Interval, may func(a, b calendar.Interval) bool) [][]calendar.Interval {
	var out [][]calendar.Interval
	first := 0
	for i := 1; i <= len(windows); i++ {
		if i < len(windows) && windows[i].From.Sub(windows[i-1].To) <= gatherGap && windows[i].To.Sub(windows[first].From) <= gatherSpan &&
			may(windows[i-1], windows[i]) {
			continue
		}
		out, first = append(out, windows[first:i]), i
	}
	return out
}

// between asks a source for windows in one pass.
func between(s source, windows []calendar.Interval) []ledger.Facts {
	borders := make([]telemetry.Instant, 0, 2*len(windows))
	for _, w := range windows {
		borders = append(borders, w.From, w.To)
	}
	borders = slices.Compact(borders)
	all := s.Slices(borders)
	out := make([]ledger.Facts, 0, len(windows))
	for _, w := range windows {
		i, _ := slices.BinarySearch(borders, w.From)
		out = append(out, all[i])
	}
	return out
}

// fatal tells trouble that concerns every unit (the store cannot be asked, nobody waits any more) from that of one.
func fatal(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || evidence.StoreFailed(err))
}
