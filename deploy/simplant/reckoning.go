package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"kvarts/deploy/simplant/truth"
	"kvarts/deploy/simplant/truth/contract"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// reckoning is what CONFORMANCE.md says of all that a plant showed, by code that is not the product's, and how far that is from
// what really happened:
//
//	answers.json             for each target and part of the run all keys of CONFORMANCE.md, one JSON object a line
//	vectors/UNIT.json        all that was to be seen of a unit, with those answers, as a conformance vector
//	vectors/seen/UNIT.json   the same of what was seen, where faults were switched on
//	distance.json            OEE and kWh of each unit: the contract's, and by integration over what happened
//
// It keeps in memory what answers rest on: states, counters, registers, power.
type reckoning struct {
	world         *world.World
	begin, served telemetry.Instant
	undisturbed   *truth.Recorder // of what there was to be seen
	seen          *truth.Recorder // of what was seen; nil where nothing was disturbed
}

// sight names one of the two.
type sight string

const (
	undisturbed sight = "undisturbed"
	seen        sight = "seen"
)

const (
	answersFile  = "answers.json"
	distanceFile = "distance.json"
)

// vectorFile is where the vector of a unit is.
func vectorFile(s sight, unit string) string {
	if s == seen {
		return filepath.Join("vectors", string(seen), unit+".json")
	}
	return filepath.Join("vectors", unit+".json")
}

// newReckoning begins to keep what w shows from begin on.
func newReckoning(w *world.World, begin telemetry.Instant, faults bool) *reckoning {
	r := &reckoning{world: w, begin: begin, served: begin}
	r.undisturbed = truth.NewRecorder(truth.Options{Model: w.Model(), Begin: begin})
	if faults {
		r.seen = truth.NewRecorder(truth.Options{Model: w.Model(), Begin: begin, Seen: func(unit string, v calendar.Interval) calendar.Set {
			u, _ := w.Unit(unit) // units are those of the model
			return u.Seen(v)
		}})
	}
	return r
}

// sample takes in what was seen.
func (r *reckoning) sample(s *world.Sample) {
	if r.seen != nil {
		r.seen.Sample(s)
	}
}

func (r *reckoning) record(x *record.Record) {
	r.undisturbed.Record(x)
	if r.seen != nil {
		r.seen.Record(x)
	}
}

// write reckons up to the world's present, and writes it to a folder. One sight comes after the other: the pictures that an
// evaluator keeps of all units are most of the memory.
func (r *reckoning) write(dir string) (*distances, error) {
	run := calendar.Interval{From: r.begin, To: r.world.Now()}
	all := questions(r.world.Model(), run, r.served)
	out := &distances{Window: windowOf(run)}
	var said, saidSeen []contract.Answer
	var err error
	if said, out.Undisturbed, err = r.judge(dir, undisturbed, r.undisturbed, all); err != nil {
		return nil, err
	}
	if r.seen != nil {
		if saidSeen, out.Seen, err = r.judge(dir, seen, r.seen, all); err != nil {
			return nil, err
		}
	}
	return out, errors.Join(
		writeFile(filepath.Join(dir, answersFile), func(to io.Writer) error { return writeAnswers(to, all, said, saidSeen) }),
		writeFile(filepath.Join(dir, distanceFile), func(to io.Writer) error { return json.NewEncoder(to).Encode(out) }),
	)
}

// judge answers all questions by what one observer knows, and writes the vectors of the units.
func (r *reckoning) judge(dir string, s sight, known *truth.Recorder, all []question) ([]contract.Answer, []truth.Distance, error) {
	a, err := known.Answers(r.world.Now())
	if err != nil {
		return nil, nil, err
	}
	said := make([]contract.Answer, len(all))
	asked := map[string][]contract.Query{} // of units, with what was said
	var far []truth.Distance
	for i := range all {
		q := all[i].query(a)
		if said[i], err = a.Answer(q); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", q.Name, err)
		}
		unit := all[i].Unit
		if unit == "" {
			continue
		}
		q.Expect = &said[i]
		asked[unit] = append(asked[unit], q)
		if all[i].Kind == "run" {
			far = append(far, r.distance(a, unit, all[i].Interval, &said[i]))
		}
	}
	for _, u := range r.world.Model().Units {
		if err := r.writeVector(dir, s, a, u.ID, asked[u.ID]); err != nil {
			return nil, nil, err
		}
	}
	return said, far, nil
}

// writeVector writes the record of a unit with what is expected of each window.
func (r *reckoning) writeVector(dir string, s sight, a *truth.Answers, id string, asked []contract.Query) error {
	unit, _ := a.Unit(id) // units are those of the model
	m := r.world.Model()
	v := &contract.Vector{
		ID: fmt.Sprintf("%s %s %s", m.Name, id, s), Title: "all that was to be seen of " + id, Zone: m.Zone, Now: r.world.Now(),
		Units: []contract.Unit{*unit}, Queries: asked,
	}
	if s == seen {
		v.Title = "what was seen of " + id + " while faults were switched on"
	}
	return writeFile(filepath.Join(dir, vectorFile(s, id)), func(to io.Writer) error { return contract.Write(to, v) })
}

// distance is how far the contract's answer is from what a unit did; a meter's energy is that of what it measures, too.
func (r *reckoning) distance(a *truth.Answers, id string, w calendar.Interval, said *contract.Answer) truth.Distance {
	known, _ := a.Unit(id)
	u, _ := r.world.Unit(id)
	c := truth.Integrate(known, u.Segments(), w, loads(u)...)
	if u.Class.State == nil { // a meter has no time that could be used
		c.OEE = nil
	}
	return truth.NewDistance(id, w, said, &c)
}

// loads are what a meter measures besides its own load, through other meters, too.
func loads(u *world.Unit) [][]world.Segment {
	var out [][]world.Segment
	for _, x := range u.Measured() {
		out = append(append(out, x.Segments()), loads(x)...)
	}
	return out
}
