package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"kvarts/deploy/simplant/areas"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

const (
	pastDays   = 7
	forgetDays = 30 // a kept plant that is older begins anew
	proofEvery = 10 * time.Second
)

// kept is what stays of the simulated plant from one start to the next, beside its store.
type kept struct {
	Seed  uint64            `json:"seed"`
	Epoch telemetry.Instant `json:"epoch"` // where the plant begins
	Until telemetry.Instant `json:"until"` // up to where the store has what happened
	Model string            `json:"model"` // hash of its text
	Diary uint64            `json:"diary"` // of what happened up to Until: another simulator lives another life
}

const keptName = "plant.json"

func readKept(dir string) (k kept, ok bool, err error) {
	text, err := os.ReadFile(filepath.Join(dir, keptName))
	if errors.Is(err, fs.ErrNotExist) {
		return k, false, nil
	}
	if err != nil {
		return k, false, fmt.Errorf("read what was kept: %w", err)
	}
	return k, json.Unmarshal(text, &k) == nil, nil // a damaged file: begin anew
}

func (k *kept) write(dir string) error {
	text, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("keep the plant: %w", err)
	}
	name := filepath.Join(dir, keptName)
	if err := os.WriteFile(name+".new", text, 0o600); err != nil {
		return fmt.Errorf("keep the plant: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("keep the plant: %w", err)
	}
	return nil
}

// diary is a running hash of what the plant made.
type diary struct{ sum uint64 }

func (d *diary) note(what string, at time.Time) {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s %d", d.sum, what, at.UnixNano())
	d.sum = h.Sum64()
}

// past is the plant's life before anybody collects it.
type past struct {
	world   *world.World
	kept    kept
	diary   diary
	fresh   bool // nothing was kept
	store   *influx.Client
	words   *words
	write   *lineWriter
	book    book
	samples uint64
}

// recall makes the plant as it was at the last end, or a new one that begins pastDays before now.
func recall(dir string, model *plant.Model, seed uint64, now telemetry.Instant) (p *past, err error) {
	k, ok, err := readKept(dir)
	if err != nil {
		return nil, err
	}
	old := k.Epoch < now.Add(-forgetDays*24*time.Hour) || k.Until > now
	if ok && !old && k.Seed == seed && k.Model == model.Hash {
		if p, err = relive(model, k); err != nil {
			return nil, err
		}
		if p.diary.sum == k.Diary {
			return p, nil
		}
		p.world.Close()
	}
	epoch := now.Add(-pastDays * 24 * time.Hour)
	epoch -= epoch % telemetry.Instant(time.Minute)
	if p, err = relive(model, kept{Seed: seed, Epoch: epoch, Until: epoch, Model: model.Hash}); err == nil {
		p.fresh = true
	}
	return p, err
}

// relive lets the plant come to where its record ends.
func relive(model *plant.Model, k kept) (*past, error) {
	p := &past{kept: k}
	var err error
	if p.world, err = world.New(world.Options{Model: model, Seed: k.Seed, Start: k.Epoch, Process: areas.Processes}); err != nil {
		return nil, fmt.Errorf("make the plant: %w", err)
	}
	p.world.Observe(p.watch(world.Observer{}), nil)
	if err = p.world.Advance(k.Until); err == nil {
		p.words, err = newWords(p.world)
	}
	if err != nil {
		p.world.Close()
		return nil, fmt.Errorf("let the plant live to %s: %w", k.Until, err)
	}
	p.book.forget()
	return p, nil
}

// watch adds the diary and the book to an observer.
func (p *past) watch(o world.Observer) world.Observer {
	o.Lot = func(l *world.Lot) { p.diary.note(l.ID, l.MadeAt); p.book.lot(l) }
	o.Step = func(s *world.Step) { p.diary.note(s.ID, s.To); p.book.step(s) }
	o.Lab = func(r *world.LabResult) { p.book.result(r) }
	o.Record = func(r *record.Record) { p.book.record(r) }
	return o
}

// keep notes that the record has everything up to the present of the plant.
func (p *past) keep(dir string) error {
	p.kept.Until, p.kept.Diary = p.world.Now(), p.diary.sum
	return p.kept.write(dir)
}

// cadence is that of the past: what is measured, each minute; what counts, each minute in which it changed and at each end of
// a batch; what holds, and counters whose silence means that nothing changed, as it changes.
func cadence(_ *world.Unit, s *plant.Signal) time.Duration {
	switch {
	case s.Kind == plant.State || s.Kind == plant.Text || s.Sampling == 0 && s.Kind == plant.Analog:
		return 0
	case s.Kind == plant.Counter && s.Reporting == plant.OnChange:
		return time.Second
	default:
		return time.Minute
	}
}

// fill writes what happened since the end of the record, up to the present, through the store's write API.
func (p *past) fill(ctx context.Context, out io.Writer, terminal bool) error {
	begin, now := p.world.Now(), telemetry.Now()
	bar := newBar(out, terminal, fmt.Sprintf("living through %s of plant", inWords(now.Sub(begin))))
	p.write = &lineWriter{ctx: ctx, client: p.store}
	var sample telemetry.Sample
	p.world.Observe(p.watch(world.Observer{Sample: func(s *world.Sample) {
		sample = telemetry.Sample{Series: p.words.series[s.Unit], Field: p.words.fields[s.Signal], Value: s.Value, Source: s.At, Status: telemetry.Status(s.Status)}
		p.write.add(func(dst []byte) []byte { return telemetry.AppendSample(dst, &sample, false) })
		p.samples++
	}}), cadence)
	const stride = 2 * time.Hour
	for at := begin; at < now && ctx.Err() == nil; { // the present goes on meanwhile
		to := min(now, at.Add(stride))
		p.prove(at, to)
		if err := p.world.Advance(to); err != nil {
			return fmt.Errorf("let the plant live to %s: %w", to, err)
		}
		if p.write.err != nil {
			return p.write.err
		}
		at = to
		bar.show(float64(at-begin)/float64(now-begin), fmt.Sprintf("%s samples", grouped(p.samples)))
		if at == now && telemetry.Now().Sub(now) > time.Second {
			now = telemetry.Now()
		}
	}
	if p.write.flush(); p.write.err != nil {
		return p.write.err
	}
	bar.end()
	return ctx.Err()
}

// prove writes proofs of life as collectors do: on a grid, each for the interval that ends with it.
func (p *past) prove(from, to telemetry.Instant) {
	every := telemetry.Instant(proofEvery)
	for at := from - from%every + every; at <= to; at += every {
		for _, u := range p.world.Units() {
			if s := p.words.alive[u]; s != nil {
				p.write.add(func(dst []byte) []byte { return appendProof(dst, s, at) })
			}
		}
	}
}

func appendProof(dst []byte, s *telemetry.Series, at telemetry.Instant) []byte {
	dst = append(dst, s.Key()...)
	dst = append(dst, " alive=true "...)
	return append(fmt.Appendf(dst, "%d", int64(at)), '\n')
}

// enter writes the model, and what people and the MES know so far.
func (p *past) enter(ctx context.Context, model *plant.Model) error {
	if err := evidence.ApplyModel(ctx, p.store, model.Text, 0, p.kept.Epoch, "demo", "the demo's plant"); err != nil {
		return err
	}
	return p.book.enter(ctx, p.store)
}
