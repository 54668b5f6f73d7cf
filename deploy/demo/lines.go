package main

import (
	"context"
	"fmt"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/influx"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// words are the series and fields of a plant model, as the collector would name them.
type words struct {
	series map[*world.Unit]*telemetry.Series
	alive  map[*world.Unit]*telemetry.Series
	fields map[*plant.Signal]*telemetry.Field
}

func newWords(w *world.World) (*words, error) {
	out := &words{series: map[*world.Unit]*telemetry.Series{}, alive: map[*world.Unit]*telemetry.Series{}, fields: map[*plant.Signal]*telemetry.Field{}}
	for _, u := range w.Units() {
		tags := w.Model().Tags(u.Unit)
		s, err := telemetry.NewSeries(u.Class.Name, tags)
		if err != nil {
			return nil, fmt.Errorf("name the points of %s: %w", u.ID, err)
		}
		if out.series[u] = s; len(u.Class.Signals) == 0 {
			continue
		}
		if out.alive[u], err = telemetry.NewSeries("alive", tags); err != nil {
			return nil, fmt.Errorf("name the proofs of life of %s: %w", u.ID, err)
		}
		for i := range u.Class.Signals {
			sig := &u.Class.Signals[i]
			if out.fields[sig], err = telemetry.NewField(sig.Name, typeOf(sig)); err != nil {
				return nil, fmt.Errorf("name signal %s of %s: %w", sig.Name, u.Class.Name, err)
			}
		}
	}
	return out, nil
}

// typeOf is the type that a signal is stored in.
func typeOf(s *plant.Signal) telemetry.Type {
	switch s.Type {
	case plant.Int:
		return telemetry.Int
	case plant.String:
		return telemetry.String
	default:
		return telemetry.Float
	}
}

// batchLines is how many lines go into one request: what the collector sends at most.
const batchLines = 20_000

// lineWriter posts lines in batches through the store's write API. The first error stays.
type lineWriter struct {
	ctx    context.Context
	client *influx.Client
	lines  []byte
	n      int
	err    error
}

func (w *lineWriter) add(appendTo func(dst []byte) []byte) {
	if w.err != nil {
		return
	}
	w.lines = appendTo(w.lines)
	if w.n++; w.n >= batchLines {
		w.flush()
	}
}

// flush posts what is there.
func (w *lineWriter) flush() {
	if w.err != nil {
		return
	}
	if w.err = w.client.WriteLines(w.ctx, w.lines, w.n); w.err == nil {
		w.lines, w.n = w.lines[:0], 0
	}
}
