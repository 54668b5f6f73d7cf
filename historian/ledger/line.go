package ledger

import (
	"fmt"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// LineInput is what a line's facts follow from.
type LineInput struct {
	ID    string
	Units []*Unit
	Out   string // the unit whose good pieces leave the line; one of Units
	// UnitSeconds are, by unit, the ideal seconds per finished unit at each step, after dividing by parallel tools, by
	// From; Product is not looked at. The largest of a moment is the line's ideal.
	UnitSeconds map[string][]Ideal
	Horizon     telemetry.Instant // that of every unit
}

// Line is a line made ready. Of its Facts
//
//   - LinePlannedTime is the union of its units' planned time (PBT), RunTime the part of it in which out is in state run,
//     UncountedTime the part of that which nothing counts;
//   - UnknownTime and BridgedTime, the pieces and GoodWatts are those of out;
//   - IdealGood, BridgedGood and DarkGood are (the line's ideal) × (good pieces of out) made in PBT outside UncountedTime:
//     outside UnknownTime, in BridgedTime, and in the rest of UnknownTime; the fields of Total likewise;
//   - energy is the sum of its units (EnergySpan too), findings are theirs, CounterMissing only out's.
//
// The other fields are 0: a line has no availability of its own.
type Line struct {
	view
	units   []*Unit
	out     *Unit
	planned calendar.Set
}

// NewLine prepares a line. An error names the line and what is wrong.
func NewLine(l LineInput) (*Line, error) {
	line := &Line{units: l.Units}
	horizon := max(dawn, min(l.Horizon, dusk))
	for i, u := range l.Units {
		if slices.ContainsFunc(l.Units[:i], func(other *Unit) bool { return other.in.Unit == u.in.Unit }) {
			return nil, fmt.Errorf("prepare line %q: unit %q twice", l.ID, u.in.Unit)
		}
		if u.in.Horizon != horizon {
			return nil, fmt.Errorf("prepare line %q: unit %q ends at %s, the line at %s", l.ID, u.in.Unit, u.in.Horizon, horizon)
		}
		if u.in.Unit == l.Out {
			line.out = u
		}
		line.planned = line.planned.Union(u.plannedTime())
	}
	if line.out == nil {
		return nil, fmt.Errorf("prepare line %q: out %q is none of its units", l.ID, l.Out)
	}
	if err := l.checkSeconds(); err != nil {
		return nil, err
	}
	line.view = view{rounding: line.out.rounding, streams: line.out.streams}
	dates := l.dates()
	line.tariffs = line.newTariffs(l.UnitSeconds, dates)
	line.atoms = line.cutAtoms(dates)
	return line, nil
}

func (l *LineInput) checkSeconds() error {
	for unit, seconds := range l.UnitSeconds {
		if !slices.ContainsFunc(l.Units, func(u *Unit) bool { return u.in.Unit == unit }) {
			return fmt.Errorf("prepare line %q: unit seconds of %q, which is none of its units", l.ID, unit)
		}
		c := &checker{unit: unit}
		if c.ideals("unit_seconds", seconds, c.positive); c.err != nil {
			return fmt.Errorf("prepare line %q: %w", l.ID, c.err)
		}
	}
	return nil
}

// dates are those that the line's ideal may change at, from dawn on.
func (l *LineInput) dates() []telemetry.Instant {
	dates := []telemetry.Instant{dawn}
	for _, seconds := range l.UnitSeconds {
		for _, d := range seconds {
			dates = append(dates, max(d.From, dawn))
		}
	}
	slices.Sort(dates)
	return slices.Compact(dates)
}

// newTariffs are those of out's products, each with the line's ideal instead of its own: one for each date of the line and
// each tariff of out, the latter within the former.
func (l *Line) newTariffs(seconds map[string][]Ideal, dates []telemetry.Instant) [][]tariff {
	out := make([][]tariff, len(l.out.tariffs))
	for p, own := range l.out.tariffs {
		for _, from := range dates {
			ideal := largestAt(seconds, from)
			for _, t := range own {
				out[p] = append(out[p], tariff{from: max(from, t.from), ideal: ideal, watts: t.watts})
			}
		}
	}
	return out
}

// largestAt is the largest ideal in force at t.
func largestAt(seconds map[string][]Ideal, t telemetry.Instant) factor {
	var largest factor
	for _, s := range seconds {
		if f := idealAt(s, "", t); f.known && (!largest.known || f.value.Cmp(largest.value) > 0) {
			largest = f
		}
	}
	return largest
}

// cutAtoms are out's, cut where the line's planned time and ideal change, and classed as the line sees them.
func (l *Line) cutAtoms(dates []telemetry.Instant) []atom {
	own := int32(len(l.out.tariffs[0]))
	planned := setCursor{set: l.planned}
	date := 0
	atoms := make([]atom, 0, len(l.out.atoms)+2*len(l.planned)+len(dates))
	for _, a := range l.out.atoms {
		unitTariff := a.tariff
		for at := a.from; at < a.to; {
			inPlanned, until := planned.at(at)
			for date+1 < len(dates) && dates[date+1] <= at {
				date++
			}
			if date+1 < len(dates) {
				until = min(until, dates[date+1])
			}
			part := a
			part.from, part.to = at, min(a.to, until)
			part.tariff = int32(date)*own + unitTariff
			part.seenByLine(inPlanned)
			atoms = append(atoms, part)
			at = part.to
		}
	}
	sumSpread(atoms)
	return atoms
}

// seenByLine changes an atom of out to what the line's facts need of it: time in the line's planned time is runTime,
// unknownTime (out's) or idleTime, which stands for the rest.
func (a *atom) seenByLine(inPlanned bool) {
	wasUnknown := a.iso == unknownTime
	a.e79Part, a.isoPart = nowhere, nowhere
	switch {
	case !inPlanned:
		a.iso = outOfSchedule
		return
	case wasUnknown:
		a.iso = unknownTime
	case a.category == Run:
		a.iso = runTime
	default:
		a.iso = idleTime
	}
	if !a.has(uncounted) {
		a.isoPart = a.unlessUnknown(wasUnknown)
	}
}

// plannedTime is the unit's planned busy time.
func (u *Unit) plannedTime() calendar.Set {
	var all []calendar.Interval
	for i := range u.atoms {
		if a := &u.atoms[i]; a.planned() {
			all = append(all, calendar.Interval{From: a.from, To: a.to})
		}
	}
	return calendar.NewSet(all...)
}

// Facts are those of a window, cut at the horizon.
func (l *Line) Facts(w calendar.Interval) Facts {
	return l.Slices([]telemetry.Instant{w.From, w.To})[0]
}

// Slices are the facts between borders as those of Unit.Slices.
func (l *Line) Slices(borders []telemetry.Instant) []Facts {
	if len(borders) < 2 {
		return nil
	}
	facts := make([]Facts, len(borders)-1)
	for _, u := range l.units {
		own := u.Slices(borders)
		for i := range facts {
			facts[i].addUnitOfLine(&own[i], u == l.out)
		}
	}
	b := clip(borders, l.out.in.Horizon)
	if b[0] < b[len(b)-1] {
		l.addTimes(b, facts)
		l.pour(b, facts)
		for i := range facts {
			facts[i].Sum[E79NoIdealPieces] = exact.Num{} // a line is not asked by E79
		}
	}
	return facts
}

// addUnitOfLine adds what a line has of each of its units.
func (f *Facts) addUnitOfLine(unit *Facts, out bool) {
	for k := EnergySpan; k <= EnergyUnknown; k++ {
		f.Sum[k] = f.Sum[k].Add(unit.Sum[k])
	}
	f.HasEnergy = f.HasEnergy || unit.HasEnergy
	findings := unit.Findings
	if out {
		f.HasPieces = unit.HasPieces
	} else {
		findings &^= Findings(CounterMissing)
	}
	f.Findings |= findings
}

// addTimes adds the times of a line.
func (l *Line) addTimes(borders []telemetry.Instant, facts []Facts) {
	c := cursor{atoms: l.atoms, borders: borders}
	from, to := borders[0], borders[len(borders)-1]
	c.jump(from)
	c.seat(from, to)
	k := clock{}
	slice := c.slice
	for cell := range c.cells(from, to) {
		if cell.slice != slice {
			k.settle(nil, &facts[slice])
			slice = cell.slice
		}
		k.addOfLine(&l.atoms[cell.atom], int64(cell.to-cell.from))
	}
	k.settle(nil, &facts[slice])
}

// addOfLine counts ns nanoseconds of an atom of a line.
func (k *clock) addOfLine(a *atom, ns int64) {
	k.sum[Span] += ns
	if !a.planned() {
		return
	}
	k.sum[LinePlannedTime] += ns
	switch a.iso {
	case runTime:
		k.sum[RunTime] += ns
		k.addIf(UncountedTime, ns, a.has(uncounted))
	case unknownTime:
		k.sum[UnknownTime] += ns
		k.addIf(BridgedTime, ns, a.has(bridging))
	}
}
