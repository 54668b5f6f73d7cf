package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// truth is a folder with what really happened, in the formats that historian imports:
//
//	plant.yaml     the model                                    historian model apply
//	lots.jsonl     lots and steps, as they were entered         historian lots import
//	lab.jsonl      results of the laboratory                    historian lab import
//	records.json   what people entered                          historian record import
//	samples.jsonl  what the machines showed since they are served: {"unit","signal","at","value","status"}
//
// The zero truth writes nothing. It is not safe for concurrent use.
type truth struct {
	lots, lab, records, samples *file
	buf                         []byte
}

// file is one of them; its first error is kept for the end.
type file struct {
	f   *os.File
	w   *bufio.Writer
	err error
}

// openTruth makes the folder; "" is none.
func openTruth(dir string, model *plant.Model) (t *truth, err error) {
	t = &truth{}
	if dir == "" {
		return t, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make folder of the truth: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "plant.yaml"), model.Text, 0o600); err != nil {
		return nil, fmt.Errorf("write the model: %w", err)
	}
	for _, x := range []struct {
		to   **file
		name string
	}{{&t.lots, "lots.jsonl"}, {&t.lab, "lab.jsonl"}, {&t.records, "records.json"}, {&t.samples, "samples.jsonl"}} {
		f, err := os.Create(filepath.Join(dir, x.name))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("create %s: %w", x.name, err), t.close())
		}
		*x.to = &file{f: f, w: bufio.NewWriterSize(f, 1<<20)}
	}
	return t, nil
}

// observer writes what happens.
func (t *truth) observer() world.Observer {
	if t.lots == nil {
		return world.Observer{}
	}
	return world.Observer{
		Lot:    func(l *world.Lot) { t.lots.object(l) },
		Step:   func(s *world.Step) { t.lots.object(s) },
		Lab:    func(r *world.LabResult) { t.lab.object(r) },
		Record: func(r *record.Record) { t.records.object(row(r)) },
		Sample: t.sample,
	}
}

// close writes all out, and returns the first error of each file.
func (t *truth) close() error {
	var errs []error
	for _, f := range []*file{t.lots, t.lab, t.records, t.samples} {
		if f == nil {
			continue
		}
		f.keep(f.w.Flush())
		f.keep(f.f.Close())
		if f.err != nil {
			errs = append(errs, fmt.Errorf("write the truth: %w", f.err))
		}
	}
	return errors.Join(errs...)
}

func (f *file) keep(err error) {
	if f.err == nil {
		f.err = err
	}
}

// object writes one JSON object as a line.
func (f *file) object(x any) { f.keep(json.NewEncoder(f.w).Encode(x)) }

// row is a record as a row of its import format.
func row(r *record.Record) map[string]string {
	out := map[string]string{"kind": string(r.Kind), "id": r.ID, "by": r.By, "why": r.Why}
	spec, _ := record.SpecOf(r.Kind) // all kinds have one
	for _, column := range spec.Columns() {
		if text := r.Get(column); text != "" {
			out[column] = text
		}
	}
	return out
}

// sample writes a sample. It is called ten thousand times a second, so that it does without reflection.
func (t *truth) sample(s *world.Sample) {
	b := t.buf[:0]
	b = append(b, `{"unit":`...)
	b = strconv.AppendQuote(b, s.Unit.ID)
	b = append(b, `,"signal":`...)
	b = strconv.AppendQuote(b, s.Signal.Name)
	b = append(b, `,"at":"`...)
	b = s.At.Time().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","value":`...)
	switch s.Value.Type() {
	case telemetry.Int:
		b = strconv.AppendInt(b, s.Value.Int(), 10)
	case telemetry.Float:
		b = strconv.AppendFloat(b, s.Value.Float(), 'g', -1, 64)
	case telemetry.String:
		text, err := json.Marshal(s.Value.Text())
		t.samples.keep(err)
		b = append(b, text...)
	default:
		b = append(b, "null"...)
	}
	b = append(b, `,"status":`...)
	b = strconv.AppendUint(b, uint64(s.Status), 10)
	b = append(b, "}\n"...)
	_, err := t.samples.w.Write(b)
	t.samples.keep(err)
	t.buf = b
}
