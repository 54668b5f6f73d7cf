package answer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

func modelsOf(h plant.History, v calendar.Interval, asof telemetry.Instant) string {
	var hashes []string
	for _, s := range h.Spans(v, asof) {
		if s.Version != nil {
			hashes = append(hashes, s.Version.Hash)
		}
	}
	return strings.Join(hashes, " ")
}

func gatherLine(ctx context.Context, client *influx.Client, h plant.History, id string, v calendar.Interval, horizon, asof telemetry.Instant) (*ledger.Line, error) {
	version, ok := h.At(v.From, asof)
	if !ok {
		return nil, fmt.Errorf("gather line %s: %w", id, evidence.ErrNoUnit)
	}
	line, ok := version.Model.Line(id)
	if !ok {
		return nil, fmt.Errorf("gather line %s: %w", id, evidence.ErrNoUnit)
	}
	in := ledger.LineInput{ID: id, Out: line.Out, Horizon: min(horizon, asof), UnitSeconds: make(map[string][]ledger.Ideal)}
	for _, s := range line.Steps {
		for _, u := range s.Units {
			input, _, err := evidence.Gather(ctx, client, h, u, v, horizon, asof)
			if err != nil {
				return nil, fmt.Errorf("gather line %s: %w", id, err)
			}
			unit, err := ledger.New(input)
			if err != nil {
				return nil, fmt.Errorf("ledger of line %s: %w", id, err)
			}
			in.Units = append(in.Units, unit)
			for _, d := range line.UnitSeconds[u] {
				in.UnitSeconds[u] = append(in.UnitSeconds[u], ledger.Ideal{From: d.From, Seconds: d.Value})
			}
		}
	}
	return ledger.NewLine(in)
}

// modelsMark is a text that changes when another model was applied, or one becomes known.
func modelsMark(ctx context.Context, client *influx.Client, now telemetry.Instant) (string, error) {
	mark := ""
	q := influx.Query{Text: `SELECT count(hash) FROM plant_model WHERE time <= $now; SELECT last(hash) FROM plant_model WHERE time <= $now`, Params: map[string]any{"now": now}}
	err := client.Query(ctx, q, func(r influx.Row) error {
		at, _ := r.Time()
		mark += fmt.Sprint(at, r.Values[1])
		return nil
	})
	return mark, err
}

// storeFailed says that an error concerns every unit, as the store cannot be asked, and not only the data of one.
func storeFailed(err error) bool {
	var e *influx.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case influx.KindNetwork, influx.KindTimeout, influx.KindTLS, influx.KindAuth, influx.KindNotFound, influx.KindMapping, influx.KindUnavailable:
		return true
	default:
		return false
	}
}
