package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// folder is where what really happened is written, as it happens, in the formats that historian imports:
//
//	plant.yaml     the model                                    historian model apply
//	lots.jsonl     lots and steps, as they were entered         historian lots import
//	lab.jsonl      results of the laboratory                    historian lab import
//	records.json   what people entered                          historian import
//	samples.jsonl  what the machines showed, with faults: {"unit","signal","at","value","status"}
//
// and, by finish, what follows from it: see reckoning. The folder without a path keeps and writes nothing. It is not safe for
// concurrent use.
type folder struct {
	path                        string
	lots, lab, records, samples *file
	reckoning                   *reckoning
	flushed                     telemetry.Instant
	buf                         []byte
}

// flushEvery is how much of the plant's time is lost at most where the process is killed.
const flushEvery = time.Minute

// file is one of them; its first error is kept for the end.
type file struct {
	f   *os.File
	w   *bufio.Writer
	err error
}

// openFolder makes the folder for what is seen of w from begin on; "" is none. faults says that some will be switched on.
func openFolder(path string, w *world.World, begin telemetry.Instant, faults bool) (d *folder, err error) {
	d = &folder{path: path}
	if path == "" {
		return d, nil
	}
	if err := os.MkdirAll(path, 0o750); err != nil {
		return nil, fmt.Errorf("make folder of the truth: %w", err)
	}
	if err := os.WriteFile(filepath.Join(path, "plant.yaml"), w.Model().Text, 0o600); err != nil {
		return nil, fmt.Errorf("write the model: %w", err)
	}
	if err := removeReckoning(path, w.Model()); err != nil {
		return nil, err
	}
	for _, x := range []struct {
		to   **file
		name string
	}{{&d.lots, "lots.jsonl"}, {&d.lab, "lab.jsonl"}, {&d.records, "records.json"}, {&d.samples, "samples.jsonl"}} {
		f, err := os.Create(filepath.Join(path, x.name))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("create %s: %w", x.name, err), d.close())
		}
		*x.to = &file{f: f, w: bufio.NewWriterSize(f, 1<<20)}
	}
	d.reckoning = newReckoning(w, begin, faults)
	return d, nil
}

// removeReckoning removes what an earlier run left: it would stand beside samples that it does not follow from.
func removeReckoning(path string, m *plant.Model) error {
	names := []string{answersFile, distanceFile}
	for _, u := range m.Units {
		names = append(names, vectorFile(undisturbed, u.ID), vectorFile(seen, u.ID))
	}
	for _, name := range names {
		if err := os.Remove(filepath.Join(path, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove what an earlier run left: %w", err)
		}
	}
	return nil
}

// observer writes what happens, and keeps what the reckoning needs of it.
func (d *folder) observer() world.Observer {
	if d.path == "" {
		return world.Observer{}
	}
	return world.Observer{
		Lot:  func(l *world.Lot) { d.lots.object(l) },
		Step: func(s *world.Step) { d.lots.object(s) },
		Lab:  func(r *world.LabResult) { d.lab.object(r) },
		Record: func(r *record.Record) {
			d.records.object(row(r))
			d.reckoning.record(r)
		},
		Sample: func(s *world.Sample) {
			d.sample(s)
			d.reckoning.sample(s)
		},
		True: func(s *world.Sample) {
			d.reckoning.undisturbed.Sample(s)
			if s.At.Sub(d.flushed) >= flushEvery {
				d.flushed = s.At
				d.flush()
			}
		},
	}
}

// serve says that clients see the plant from t on.
func (d *folder) serve(t telemetry.Instant) {
	if d.path != "" {
		d.reckoning.served = t
	}
}

// finish writes what follows from all that happened up to now; nil without a folder.
func (d *folder) finish() (*distances, error) {
	if d.path == "" {
		return nil, nil
	}
	d.flush()
	x, err := d.reckoning.write(d.path)
	if err != nil {
		return nil, fmt.Errorf("reckon the truth: %w", err)
	}
	return x, nil
}

func (d *folder) files() []*file {
	var out []*file
	for _, f := range []*file{d.lots, d.lab, d.records, d.samples} {
		if f != nil {
			out = append(out, f)
		}
	}
	return out
}

func (d *folder) flush() {
	for _, f := range d.files() {
		f.keep(f.w.Flush())
	}
}

// close writes all out, and returns the first error of each file.
func (d *folder) close() error {
	d.flush()
	var errs []error
	for _, f := range d.files() {
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
func (d *folder) sample(s *world.Sample) {
	b := d.buf[:0]
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
		d.samples.keep(err)
		b = append(b, text...)
	default:
		b = append(b, "null"...)
	}
	b = append(b, `,"status":`...)
	b = strconv.AppendUint(b, uint64(s.Status), 10)
	b = append(b, "}\n"...)
	_, err := d.samples.w.Write(b)
	d.samples.keep(err)
	d.buf = b
}

// writeFile makes a file of the folder with what write gives, and its own folder where it has one.
func writeFile(path string, write func(to io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("make folder of the truth: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the truth: %w", err)
	}
	w := bufio.NewWriter(f)
	if err := errors.Join(write(w), w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
