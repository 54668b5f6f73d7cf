package world

import (
	"container/heap"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// Instant is a moment of the simulated plant, in ns since 1970. Nothing happens between multiples of 100 ns.
type Instant = telemetry.Instant

// Options of a World.
type Options struct {
	Model *plant.Model
	Seed  uint64
	Start Instant
	// Process gives the script of a unit; nil: a unit whose signals only wander.
	Process func(*Unit) Process
	// KeepSegments keeps the truth of every unit in memory: Unit.Segments.
	KeepSegments bool
	Faults       []Fault
}

// Process is what a unit does.
type Process interface {
	// Run lives in simulated time: it returns only when the unit does nothing more. It is left at any of its waits when the
	// world is closed, by a panic that it must not recover from.
	Run(u *Unit)
}

// Observer is told what happens. Functions that are nil are not called. Samples of one signal come in the order of time,
// all else in the order in which it becomes known.
type Observer struct {
	Sample func(*Sample) // as a collector sees it, with faults; valid until it returns
	True   func(*Sample) // the same without faults: what an undisturbed observer would see
	Lot    func(*Lot)
	Step   func(*Step)
	Lab    func(*LabResult)
	Record func(*record.Record) // what people enter; Audit.KnownAt says when
}

// World is a plant in simulated time. It is not safe for concurrent use.
type World struct {
	opts   Options
	loc    *time.Location
	now    Instant
	queue  queue
	seq    uint64
	units  []*Unit
	byID   map[string]*Unit
	stocks map[string]*Stock
	off    map[string]*offTime // by calendar
	obs    Observer
	begun  *event // the first look of obs, until it was had
	serial map[string]int
	err    error
}

// New makes the plant of a model at opts.Start, where every script has begun.
func New(opts Options) (*World, error) {
	loc, err := calendar.Zone(opts.Model.Zone)
	if err != nil {
		return nil, fmt.Errorf("zone of model %s: %w", opts.Model.Name, err)
	}
	w := &World{
		opts: opts, loc: loc, now: opts.Start - opts.Start%100, byID: map[string]*Unit{}, stocks: map[string]*Stock{},
		off: map[string]*offTime{}, serial: map[string]int{},
	}
	for _, p := range opts.Model.Units {
		u := newUnit(w, p)
		w.units = append(w.units, u)
		w.byID[p.ID] = u
	}
	for _, f := range opts.Faults {
		if err := w.AddFault(f); err != nil {
			return nil, err
		}
	}
	for _, u := range w.units {
		var p Process
		if opts.Process != nil {
			p = opts.Process(u)
		}
		u.begin(p)
	}
	if w.err != nil {
		w.Close()
		return nil, w.err
	}
	return w, nil
}

// Close ends all scripts.
func (w *World) Close() {
	for _, u := range w.units {
		u.end()
	}
}

// Now is how far the world has come.
func (w *World) Now() Instant { return w.now }

// Model is the plant model.
func (w *World) Model() *plant.Model { return w.opts.Model }

// Location is the plant's time zone.
func (w *World) Location() *time.Location { return w.loc }

// Units are the model's, in its order.
func (w *World) Units() []*Unit { return w.units }

// Unit finds a unit by its ID.
func (w *World) Unit(id string) (*Unit, bool) {
	u, ok := w.byID[id]
	return u, ok
}

// Advance lives through all that happens before to, and stands at to. The error is of a script that the model does not
// fit; nothing goes on after it.
func (w *World) Advance(to Instant) error {
	for len(w.queue) > 0 && w.queue[0].at < to && w.err == nil {
		e := heap.Pop(&w.queue).(*event)
		w.now = e.at
		e.do()
	}
	w.now = max(w.now, to-to%100)
	return w.err
}

// At does something at a moment, at once when it is past: scripts use it for what comes later by itself, as a result of the
// laboratory does.
func (w *World) At(t Instant, do func()) { w.schedule(max(t, w.now), happens, do) }

// Serial numbers things by their kind: "HEAT" gives HEAT-0001, HEAT-0002, …
func (w *World) Serial(kind string) string {
	w.serial[kind]++
	return fmt.Sprintf("%s-%04d", kind, w.serial[kind])
}

// Stock finds or makes a stock by its name.
func (w *World) Stock(name string) *Stock {
	s := w.stocks[name]
	if s == nil {
		s = &Stock{name: name, w: w}
		w.stocks[name] = s
	}
	return s
}

// Rand is a source of chance of its own for a purpose.
func (w *World) Rand(purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose)) // never fails
	return rand.New(rand.NewPCG(w.opts.Seed, h.Sum64()))
}

// fail ends the world: a script or the model is wrong.
func (w *World) fail(err error) { w.err = errors.Join(w.err, err) }

// What happens at one moment happens in this order.
const (
	happens  = iota // scripts
	observed        // then one looks
)

// event is something that is to be done.
type event struct {
	at    Instant
	class int
	seq   uint64
	do    func()
	index int // in the queue; −1 when it is not there
}

func (w *World) schedule(at Instant, class int, do func()) *event {
	w.seq++
	e := &event{at: at, class: class, seq: w.seq, do: do}
	heap.Push(&w.queue, e)
	return e
}

func (w *World) cancel(e *event) {
	if e != nil && e.index >= 0 {
		heap.Remove(&w.queue, e.index)
	}
}

// queue is a heap of events by time, class and order of scheduling.
type queue []*event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	switch {
	case a.at != b.at:
		return a.at < b.at
	case a.class != b.class:
		return a.class < b.class
	default:
		return a.seq < b.seq
	}
}
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) Push(x any) {
	e := x.(*event)
	e.index = len(*q)
	*q = append(*q, e)
}

func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	e.index = -1
	return e
}
