package truth

import (
	"fmt"
	"time"

	"kvarts/deploy/simplant/truth/contract"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// beat is the grid of the proofs of life that a collector writes, each for the interval that ends with it.
const beat = 10 * time.Second

// Options of a Recorder.
type Options struct {
	Model *plant.Model                                        // in force all the time
	Begin telemetry.Instant                                   // of the record: nothing was seen before
	Seen  func(unit string, v calendar.Interval) calendar.Set // when a unit was seen alive within v; nil: all the time
}

// Recorder keeps what was seen of a plant, as far as OEE and energy follow from it. It is not safe for concurrent use.
type Recorder struct {
	opts    Options
	units   map[string]*history
	records []record.Record
}

// history is what was seen of one unit.
type history struct {
	*plant.Unit
	roles  [][]role // of each signal of the class, mostly none
	tracks [numRoles][]point
}

// point is one value of a signal.
type point struct {
	at    telemetry.Instant
	value telemetry.Value
	bad   bool // Uncertain or Bad
}

// role is what a signal is to its unit.
type role uint8

const (
	roleState role = iota
	roleTotal
	roleGood
	roleScrap
	roleEnergy
	rolePower
	roleProgress
	roleProduct
	roleBatch
	numRoles
)

// rolesOf are the signals with a role; nil where the class has none for it.
func rolesOf(c *plant.Class) [numRoles]*plant.Signal {
	return [numRoles]*plant.Signal{
		roleState: c.State, roleTotal: c.Total, roleGood: c.Good, roleScrap: c.Scrap, roleEnergy: c.Energy, rolePower: c.Power,
		roleProgress: c.Progress, roleProduct: c.Product, roleBatch: c.Batch,
	}
}

// NewRecorder makes a recorder of the units of a model.
func NewRecorder(opts Options) *Recorder {
	r := &Recorder{opts: opts, units: map[string]*history{}}
	for _, u := range opts.Model.Units {
		h := &history{Unit: u, roles: make([][]role, len(u.Class.Signals))}
		for k, signal := range rolesOf(u.Class) {
			for i := range u.Class.Signals {
				if signal == &u.Class.Signals[i] {
					h.roles[i] = append(h.roles[i], role(k))
				}
			}
		}
		r.units[u.ID] = h
	}
	return r
}

// Sample takes in what was seen of a signal; it has the form of world.Observer.Sample and True. Samples of one signal come
// in the order in which the machine showed them; times may go back where its clock is wrong.
func (r *Recorder) Sample(s *world.Sample) {
	h := r.units[s.Unit.ID]
	for _, k := range h.roles[s.Index] {
		h.tracks[k] = append(h.tracks[k], point{at: s.At, value: s.Value, bad: s.Status>>30 != 0})
	}
}

// Record takes in what a person entered; it has the form of world.Observer.Record.
func (r *Recorder) Record(x *record.Record) {
	kept := *x
	if kept.ID == "" {
		kept.ID = kept.DefaultID()
	}
	r.records = append(r.records, kept)
}

// Vector is all that was known at a moment, as the inputs of CONFORMANCE.md: the units, each with all it recorded, and the
// lines. The error names a unit whose model says what a vector has no word for.
func (r *Recorder) Vector(now telemetry.Instant) (*contract.Vector, error) {
	v := &contract.Vector{ID: r.opts.Model.Name, Zone: r.opts.Model.Zone, Now: now}
	for _, u := range r.opts.Model.Units {
		x, err := r.unit(u.ID, now)
		if err != nil {
			return nil, err
		}
		v.Units = append(v.Units, *x)
	}
	for _, l := range r.opts.Model.Lines {
		line, err := r.line(l, now)
		if err != nil {
			return nil, err
		}
		v.Lines = append(v.Lines, *line)
	}
	return v, nil
}

// unit is what was known of one unit.
func (r *Recorder) unit(id string, now telemetry.Instant) (*contract.Unit, error) {
	d := newDossier(r, r.units[id], now)
	u, err := d.unit()
	if err != nil {
		return nil, fmt.Errorf("record of unit %s: %w", id, err)
	}
	return u, nil
}

// unitVector is what was known of one unit alone.
func (r *Recorder) unitVector(id string, now telemetry.Instant) (*contract.Vector, error) {
	if r.units[id] == nil {
		return nil, fmt.Errorf("record of unit %s: the model %s has no such unit", id, r.opts.Model.Name)
	}
	u, err := r.unit(id, now)
	if err != nil {
		return nil, err
	}
	return &contract.Vector{ID: r.opts.Model.Name + " " + id, Zone: r.opts.Model.Zone, Now: now, Units: []contract.Unit{*u}}, nil
}

// seen is when the unit was seen alive up to now: whole intervals of the grid, as a proof of life says no more.
func (r *Recorder) seen(unit string, now telemetry.Instant) []calendar.Interval {
	v := calendar.Interval{From: r.opts.Begin, To: now}
	all := calendar.NewSet(v)
	if r.opts.Seen != nil {
		all = r.opts.Seen(unit, v)
	}
	grid := telemetry.Instant(beat)
	var out []calendar.Interval
	for _, v := range all {
		v = calendar.Interval{From: (v.From + grid - 1) / grid * grid, To: v.To / grid * grid}
		if !v.Empty() {
			out = append(out, v)
		}
	}
	return calendar.NewSet(out...)
}
