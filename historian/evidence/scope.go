package evidence

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// ModelsOf says by which models something of v is computed, as known at asof: the text of Slice.Model.
func ModelsOf(history plant.History, v calendar.Interval, asof telemetry.Instant) string {
	var hashes []string
	for _, s := range history.Spans(v, asof) {
		if s.Version != nil {
			hashes = append(hashes, s.Version.Hash)
		}
	}
	return strings.Join(hashes, " ")
}

// ModelsMark says which models were applied. Two that are equal mean that ReadModels gives the same.
type ModelsMark struct {
	Parts  int64             // of all versions together
	Newest telemetry.Instant // time of the newest one
}

// ReadModelsMark asks for the mark of the models known at asof: one small query, however long their texts are.
func ReadModelsMark(ctx context.Context, client *influx.Client, asof telemetry.Instant) (ModelsMark, error) {
	const known = " FROM " + modelMeasurement + " WHERE time < $until"
	var m ModelsMark
	q := influx.Query{
		Text:   "SELECT count(part)" + known + "; SELECT last(part)" + known,
		Params: map[string]any{"until": asof + maxModelParts},
	}
	err := client.Query(ctx, q, func(r influx.Row) error {
		if r.Statement == 0 {
			m.Parts, _ = r.Values[1].Int()
			return nil
		}
		m.Newest, _ = r.Time()
		return nil
	})
	if err != nil {
		return ModelsMark{}, fmt.Errorf("read mark of plant models: %w", err)
	}
	return m, nil
}

// GatherLine gathers the units of a line, as Gather does, and makes its ledger ready for window, in which one version of the
// model must be in force: the caller cuts where another begins.
func GatherLine(ctx context.Context, client *influx.Client, history plant.History, line string, window calendar.Interval,
	horizon, asof telemetry.Instant,
) (*ledger.Line, error) {
	version, _ := history.At(window.From, asof)
	if version == nil {
		return nil, fmt.Errorf("gather line %s: no model is in force at %s", line, window.From)
	}
	l, ok := version.Model.Line(line)
	if !ok {
		return nil, fmt.Errorf("gather line %s: the model in force at %s has no such line", line, window.From)
	}
	in := ledger.LineInput{ID: line, Out: l.Out, Horizon: min(horizon, asof), UnitSeconds: make(map[string][]ledger.Ideal)}
	for _, step := range l.Steps {
		for _, id := range step.Units {
			input, _, err := Gather(ctx, client, history, id, window, horizon, asof)
			if err != nil {
				return nil, fmt.Errorf("gather line %s: %w", line, err)
			}
			unit, err := ledger.New(input)
			if err != nil {
				return nil, fmt.Errorf("ledger of line %s: %w", line, err)
			}
			in.Units = append(in.Units, unit)
			for _, s := range l.UnitSeconds[id] {
				in.UnitSeconds[id] = append(in.UnitSeconds[id], ledger.Ideal{From: s.From, Seconds: s.Value})
			}
		}
	}
	made, err := ledger.NewLine(in)
	if err != nil {
		return nil, fmt.Errorf("ledger of line %s: %w", line, err)
	}
	return made, nil
}

// StoreFailed says that an error concerns every unit, as the store cannot be asked at all, and not the data of one.
func StoreFailed(err error) bool {
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
