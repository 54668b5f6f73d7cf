package evidence

import (
	"context"
	"fmt"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// Watermark says how far the stored slices were written. Two that are equal mean that nothing was written in between; one
// that differs means that something may have been.
type Watermark struct {
	Marks  int64             // writes so far
	Newest telemetry.Instant // time of the newest one
}

// Written is what one call of WriteSlices touched.
type Written struct {
	At     telemetry.Instant // when
	Window calendar.Interval // the shortest that holds all its slices
	Slices int64
}

// ReadWatermark asks for the watermark: one small query, whatever the store holds.
func ReadWatermark(ctx context.Context, client *influx.Client) (Watermark, error) {
	var w Watermark
	q := influx.Query{Text: "SELECT count(slices) FROM " + markMeasurement + "; SELECT last(slices) FROM " + markMeasurement}
	err := client.Query(ctx, q, func(r influx.Row) error {
		if r.Statement == 0 {
			w.Marks, _ = r.Values[1].Int()
			return nil
		}
		w.Newest, _ = r.Time()
		return nil
	})
	if err != nil {
		return Watermark{}, fmt.Errorf("read watermark of slices: %w", err)
	}
	return w, nil
}

// WrittenSince lists what was written at or after the time since, so that a cache drops only what may have changed. Marks of
// clocks that run behind may lie before the newest: a cache that must not miss one asks from some minutes earlier.
func WrittenSince(ctx context.Context, client *influx.Client, since telemetry.Instant) ([]Written, error) {
	var out []Written
	q := influx.Query{
		Text:   `SELECT slices, "from", "to" FROM ` + markMeasurement + ` WHERE time >= $since`,
		Params: map[string]any{"since": since},
	}
	err := client.Query(ctx, q, func(r influx.Row) error {
		var w Written
		w.At, _ = r.Time()
		w.Slices, _ = r.Values[1].Int()
		from, _ := r.Values[2].Int()
		to, _ := r.Values[3].Int()
		w.Window = calendar.Interval{From: telemetry.Instant(from), To: telemetry.Instant(to)}
		out = append(out, w)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read marks of slices since %s: %w", since, err)
	}
	return out, nil
}

// writeMark says that slices were written. It comes after them, so that whoever sees it sees them.
func writeMark(ctx context.Context, client *influx.Client, computed telemetry.Instant, touched calendar.Interval, n int) error {
	line, err := markLine(computed, touched, n)
	if err != nil {
		return err
	}
	w := writer{client: client}
	if err := w.add(ctx, line); err != nil {
		return err
	}
	return w.flush(ctx)
}

// markLine is a mark. computed is the slices' own clock; the mark's time is the wall clock's, so that slices that are computed
// with a clock of the past leave a mark of their own.
func markLine(computed telemetry.Instant, touched calendar.Interval, n int) ([]byte, error) {
	series, err := telemetry.NewSeries(markMeasurement, map[string]string{"by": "historian"})
	if err != nil {
		return nil, err
	}
	return telemetry.NewLine(nil, series).Int("slices", int64(n)).Int("from", int64(touched.From)).Int("to", int64(touched.To)).
		Int("computed_at", int64(computed)).End(telemetry.Now()), nil
}

// ceilSecond is the first whole second that is not before t.
func ceilSecond(t telemetry.Instant) telemetry.Instant {
	r := t % telemetry.Instant(time.Second)
	if r > 0 {
		return t - r + telemetry.Instant(time.Second)
	}
	return t - r
}
