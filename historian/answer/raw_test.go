package answer

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// ruler is a source whose slices say their own length.
type ruler struct{ t *testing.T }

func (r ruler) Slices(borders []telemetry.Instant) []ledger.Facts {
	out := make([]ledger.Facts, len(borders)-1)
	for i := range out {
		if borders[i+1] <= borders[i] {
			r.t.Errorf("borders %v are not ascending", borders)
		}
		out[i].Sum[ledger.Span] = exact.Int(int64(borders[i+1] - borders[i]))
	}
	return out
}

func TestBetweenGivesEachWindowItsOwn(t *testing.T) {
	windows := []calendar.Interval{{From: 0, To: 3}, {From: 3, To: 10}, {From: 12, To: 13}}
	for i, f := range between(ruler{t}, windows) {
		if n, _ := f.Get(ledger.Span).Int64(); n != int64(windows[i].Duration()) {
			t.Errorf("window %v has %d", windows[i], n)
		}
	}
}

func TestBatchesAreNotLong(t *testing.T) {
	var windows []calendar.Interval
	hour := telemetry.Instant(time.Hour)
	for i := range telemetry.Instant(24 * 10) {
		windows = append(windows, calendar.Interval{From: i * hour, To: (i + 1) * hour})
	}
	windows = append(windows, calendar.Interval{From: 500 * hour, To: 600 * hour})
	n := 0
	for _, b := range batches(windows, func(a, b calendar.Interval) bool { return b.From%(30*hour) != 0 }) {
		n += len(b)
		if span := b[len(b)-1].To.Sub(b[0].From); span > gatherSpan && len(b) > 1 {
			t.Errorf("%d windows over %v at once", len(b), span)
		}
	}
	if n != len(windows) {
		t.Errorf("%d of %d windows are in a batch", n, len(windows))
	}
}

func TestFatal(t *testing.T) {
	ctx := context.Background()
	gone, cancel := context.WithCancel(ctx)
	cancel()
	for _, k := range []struct {
		ctx  context.Context
		err  error
		want bool
	}{
		{ctx, nil, false},
		{ctx, errors.New("one unit's data"), false},
		{gone, errors.New("any"), true},
		{ctx, fmt.Errorf("gather: %w", &influx.Error{Kind: influx.KindNetwork}), true},
		{ctx, fmt.Errorf("gather: %w", &influx.Error{Kind: influx.KindRefused}), false},
	} {
		if got := fatal(k.ctx, k.err); got != k.want {
			t.Errorf("%v: fatal %v", k.err, got)
		}
	}
}
