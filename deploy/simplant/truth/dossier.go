package truth

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"kvarts/deploy/simplant/truth/contract"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// dossier is what was known of a unit at a moment, on the way to the inputs of CONFORMANCE.md.
type dossier struct {
	*history
	model   *plant.Model
	span    calendar.Interval // of the record
	alive   []calendar.Interval
	tracks  [numRoles][]point // by time; of one moment the last
	records []record.Record   // in effect, of this unit
}

func newDossier(r *Recorder, h *history, now telemetry.Instant) *dossier {
	d := &dossier{history: h, model: r.opts.Model, span: calendar.Interval{From: r.opts.Begin, To: now}, alive: r.seen(h.ID, now)}
	for k := range h.tracks {
		d.tracks[k] = upTo(h.tracks[k], now)
	}
	for _, x := range record.Effective(r.records, now) {
		if x.Unit == h.ID || x.Line != "" && x.Line == h.Line || x.Area != "" && x.Area == h.Area {
			d.records = append(d.records, x)
		}
	}
	return d
}

// upTo are the points that exist at now, by time.
func upTo(points []point, now telemetry.Instant) []point {
	out := slices.DeleteFunc(slices.Clone(points), func(p point) bool { return p.at > now })
	slices.SortStableFunc(out, func(a, b point) int { return cmp.Compare(a.at, b.at) })
	kept := out[:0]
	for i, p := range out {
		if i+1 == len(out) || out[i+1].at != p.at {
			kept = append(kept, p)
		}
	}
	return kept
}

// unit puts together what is known.
func (d *dossier) unit() (*contract.Unit, error) {
	u := &contract.Unit{ID: d.ID, Alive: d.alive}
	d.schedule(u)
	d.states(u)
	d.told(u)
	var errs []error
	fail := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	minor, _, err := constant("minor_stop", d.MinorStop, d.span)
	fail(err)
	u.MinorStop = exact.Frac(int64(minor), int64(time.Second))
	if d.batches() {
		fail(d.batchCounter(u))
	} else {
		u.Total, err = d.counter(roleTotal)
		fail(err)
	}
	u.Good, err = d.counter(roleGood)
	fail(err)
	u.Scrap, err = d.counter(roleScrap)
	fail(err)
	u.Energy, err = d.counter(roleEnergy)
	fail(err)
	fail(d.power(u))
	d.ideals(u)
	return u, errors.Join(errs...)
}

// constant is a dated value of the model that must not change within v: a vector has one for all its time. ok is false where
// it says nothing.
func constant[T any](name string, d plant.Dated[T], v calendar.Interval) (value T, ok bool, err error) {
	for _, s := range d {
		if v.From < s.From && s.From < v.To {
			return value, false, fmt.Errorf("%s of the model changes at %s: a vector has one for all its time", name, s.From)
		}
	}
	value, ok = d.At(v.From)
	return value, ok, nil
}

// around is how far before and after the record the calendar is asked, so that no stretch of it is cut at the record's ends.
const around = 14 * 24 * time.Hour

// schedule is the unit's calendar, and what people planned besides.
func (d *dossier) schedule(u *contract.Unit) {
	c, _ := d.model.Calendar(d.Calendar) // a checked model has it
	v := calendar.Interval{From: d.span.From.Add(-around), To: d.span.To.Add(around)}
	u.PlannedStops = c.Rules.PlannedStops(v)
	if !c.Rules.Always() {
		u.Shifts = c.Rules.Scheduled(v)
		if len(u.Shifts) == 0 { // no shift at all would mean that every second is scheduled
			u.Shifts = []calendar.Interval{{From: v.From - 1, To: v.From}}
		}
	}
	for i := range d.records {
		if x := &d.records[i]; x.Kind == record.PlannedStop {
			u.PlannedStops = append(slices.Clip(u.PlannedStops), calendar.Interval{From: x.From, To: x.To})
		}
	}
}

// states are those that were reported, and what people said that standing time was.
func (d *dossier) states(u *contract.Unit) {
	u.StateMap = map[string]contract.Category{}
	points := d.tracks[roleState]
	cuts := d.stateCuts()
	for i, p := range points {
		next := d.span.To + 1
		if i+1 < len(points) {
			next = points[i+1].at
		}
		u.States = append(u.States, d.state(u, p, p.at))
		for len(cuts) > 0 && cuts[0] < next {
			if cuts[0] > p.at {
				u.States = append(u.States, d.state(u, p, cuts[0]))
			}
			cuts = cuts[1:]
		}
	}
}

// stateCuts are the moments at which a state may come to mean something else.
func (d *dossier) stateCuts() []telemetry.Instant {
	var cuts []telemetry.Instant
	for _, s := range d.States {
		cuts = append(cuts, s.From)
	}
	for i := range d.records {
		if x := &d.records[i]; x.Kind == record.DowntimeReason || x.Kind == record.Changeover {
			cuts = append(cuts, x.From, x.To)
		}
	}
	slices.Sort(cuts)
	return slices.Compact(cuts)
}

// state is what a point says at a moment, under a code that stands for its meaning then.
func (d *dossier) state(u *contract.Unit, p point, at telemetry.Instant) contract.State {
	code, ok := text(p.value)
	s := contract.State{At: at, Code: code, Bad: p.bad || !ok}
	if s.Bad {
		return s
	}
	codes, _ := d.States.At(at)
	meaning, mapped := codes[code]
	if !mapped {
		return contract.State{At: at, Code: code + " (unmapped)"}
	}
	category := categoryOf(meaning.Category)
	if said := d.said(at); said != "" && category != contract.Run && category != contract.Unknown {
		category, s.Code = categoryOf(said), code+" (as "+string(said)+")"
	} else if u.StateMap[code] != category {
		if _, other := u.StateMap[code]; other { // the map has changed
			s.Code = code + " (" + string(meaning.Category) + ")"
		}
	}
	u.StateMap[s.Code] = category
	return s
}

// said is what people said that standing time at a moment was; "" when nothing.
func (d *dossier) said(at telemetry.Instant) plant.Category {
	var said plant.Category
	for i := range d.records { // by From: of two about one moment that which begins later counts
		switch x := &d.records[i]; {
		case x.From > at || at >= x.To:
		case x.Kind == record.Changeover:
			said = plant.Setup
		case x.Kind == record.DowntimeReason:
			said = plant.Category(x.Category)
		}
	}
	return said
}

// text is a value that stands for itself as text.
func text(v telemetry.Value) (string, bool) {
	switch v.Type() {
	case telemetry.Int:
		return strconv.FormatInt(v.Int(), 10), true
	case telemetry.String:
		return v.Text(), true
	default:
		return "", false
	}
}

func categoryOf(c plant.Category) contract.Category {
	switch c {
	case plant.Run:
		return contract.Run
	case plant.Setup:
		return contract.Setup
	case plant.Stop:
		return contract.Stop
	case plant.Idle:
		return contract.Idle
	case plant.Planned:
		return contract.Planned
	case plant.Engineering:
		return contract.Engineering
	case plant.Nonscheduled:
		return contract.Nonscheduled
	default:
		return contract.Unknown
	}
}

// told is what people entered of quantities.
func (d *dossier) told(u *contract.Unit) {
	for i := range d.records {
		x := &d.records[i]
		v := calendar.Interval{From: x.From, To: x.To}
		reported := cmp.Or(x.ReportedAt, x.To)
		switch {
		case reported > d.span.To:
		case x.Kind == record.Scrap && x.Quantity != nil:
			u.ScrapReports = append(u.ScrapReports, contract.ScrapReport{Made: v, Quantity: *x.Quantity, ReportedAt: max(reported, x.To)})
		case x.Kind == record.Booked && x.Total != nil:
			b := contract.Booking{Interval: v, Product: x.Product, Total: *x.Total, Good: *x.Total, ReportedAt: max(reported, x.To)}
			if x.Good != nil {
				b.Good = *x.Good
			}
			u.Booked = append(u.Booked, b)
		}
	}
}
