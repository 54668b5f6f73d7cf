package truth

import (
	"slices"
	"time"

	"kvarts/deploy/simplant/truth/contract"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// Continuous is what a unit did in a window, by integration over what was really so: nothing in it was sampled or spread.
type Continuous struct {
	Planned    float64 // s of planned busy time
	Run        float64 // s of it in state run, or in a minor stop
	Pieces     float64 // made in planned time
	Good       float64 // of them, less the scrap that was reported later
	IdealTotal float64 // s, of Pieces
	IdealGood  float64 // s, of Good
	KWh        float64 // whatever the moment

	A, P, Q, OEE *float64 // nil: nothing to divide by, or a piece without an ideal
}

// Integrate is the truth of a unit in w. The unit's record says what is planned, what a piece is worth and which scrap was found
// later. load is what a meter measures besides its own load: the segments of other units, of which only the energy counts.
func Integrate(u *contract.Unit, segments []world.Segment, w calendar.Interval, load ...[]world.Segment) Continuous {
	in := newIntegral(u, segments)
	for i := range segments {
		for _, v := range divide(segments[i].Meet(w), in.cuts) {
			in.add(&segments[i], v, in.minor[i])
		}
	}
	for _, other := range load {
		for i := range other {
			in.out.KWh += kWh(&other[i], other[i].Meet(w))
		}
	}
	return in.result()
}

// integral is what Integrate needs of a unit.
type integral struct {
	unit           *contract.Unit
	shifts, stops  calendar.Set
	cuts           []telemetry.Instant // where the worth or the planning of a moment can change, sorted
	minor          []bool              // of each segment: it belongs to a minor stop
	late           []float64           // of each scrap report: good pieces lost for one made in its time
	ideals         []contract.Ideal    // by From
	withoutAnIdeal bool
	out            Continuous
}

func newIntegral(u *contract.Unit, segments []world.Segment) *integral {
	in := &integral{unit: u, shifts: calendar.NewSet(u.Shifts...), stops: calendar.NewSet(u.PlannedStops...), minor: minorStops(u, segments)}
	for _, set := range []calendar.Set{in.shifts, in.stops} {
		for _, v := range set {
			in.cuts = append(in.cuts, v.From, v.To)
		}
	}
	in.ideals = slices.Clone(u.Ideals)
	slices.SortStableFunc(in.ideals, func(a, b contract.Ideal) int { return compareFrom(calendar.Interval{From: a.From}, b.From) })
	for _, d := range in.ideals {
		in.cuts = append(in.cuts, d.From)
	}
	for i := range u.ScrapReports {
		r := &u.ScrapReports[i]
		in.cuts = append(in.cuts, r.Made.From, r.Made.To)
		made := 0.0
		for k := range segments {
			made += segments[k].Total * segments[k].Meet(r.Made).Duration().Seconds()
		}
		lost := 0.0
		if made > 0 {
			lost = r.Quantity.Float() / made
		}
		in.late = append(in.late, lost)
	}
	slices.Sort(in.cuts)
	return in
}

// minorStops says of each segment whether it belongs to a stop that costs performance, not availability.
func minorStops(u *contract.Unit, segments []world.Segment) []bool {
	minor := make([]bool, len(segments))
	for i := 0; i < len(segments); i++ {
		j := i
		for j < len(segments) && segments[j].Category == plant.Stop {
			j++
		}
		if i == j {
			continue
		}
		length := exact.Frac(int64(segments[j-1].To.Sub(segments[i].From)), int64(time.Second))
		between := i > 0 && segments[i-1].Category == plant.Run && j < len(segments) && segments[j].Category == plant.Run
		for k := i; k < j; k++ {
			minor[k] = between && length.Cmp(u.MinorStop) < 0
		}
		i = j
	}
	return minor
}

// divide cuts v at the moments within it.
func divide(v calendar.Interval, cuts []telemetry.Instant) []calendar.Interval {
	if v.Empty() {
		return nil
	}
	var out []calendar.Interval
	i, _ := slices.BinarySearch(cuts, v.From)
	for ; i < len(cuts) && cuts[i] < v.To; i++ {
		if cuts[i] > v.From {
			out = append(out, calendar.Interval{From: v.From, To: cuts[i]})
			v.From = cuts[i]
		}
	}
	return append(out, v)
}

// add adds what happened in v, a part of segment s in which nothing changes.
func (in *integral) add(s *world.Segment, v calendar.Interval, minor bool) {
	c := &in.out
	c.KWh += kWh(s, v)
	if !in.planned(s, v.From) {
		return
	}
	length := v.Duration().Seconds()
	c.Planned += length
	if s.Category == plant.Run || minor {
		c.Run += length
	}
	pieces := s.Total * length
	good := pieces - s.Scrap*length
	for i, lost := range in.late {
		if in.unit.ScrapReports[i].Made.Holds(v.From) {
			good -= pieces * lost
		}
	}
	c.Pieces, c.Good = c.Pieces+pieces, c.Good+good
	if pieces == 0 {
		return
	}
	each, ok := in.idealAt(v.From)
	in.withoutAnIdeal = in.withoutAnIdeal || !ok
	c.IdealTotal, c.IdealGood = c.IdealTotal+pieces*each, c.IdealGood+good*each
}

// planned says that a moment of s is planned busy time.
func (in *integral) planned(s *world.Segment, t telemetry.Instant) bool {
	switch {
	case len(in.shifts) > 0 && !in.shifts.Holds(t), s.Category == plant.Nonscheduled:
		return false
	case in.stops.Holds(t) && s.Category != plant.Run:
		return false
	default:
		return s.Category != plant.Planned && s.Category != plant.Engineering
	}
}

// idealAt is the ideal time of a piece at a moment, in seconds.
func (in *integral) idealAt(t telemetry.Instant) (seconds float64, ok bool) {
	for _, d := range in.ideals {
		if d.From > t {
			break
		}
		seconds, ok = d.Seconds.Float(), true
	}
	return seconds, ok
}

// kWh is the energy of the part v of segment s: of a load that is a line.
func kWh(s *world.Segment, v calendar.Interval) float64 {
	if v.Empty() {
		return 0
	}
	from, length := v.From.Sub(s.From).Seconds(), v.Duration().Seconds()
	return (s.KW + s.Slope*(from+length/2)) * length / 3600
}

func (in *integral) result() Continuous {
	c := in.out
	c.A = ratio(c.Run, c.Planned)
	c.Q = ratio(c.Good, c.Pieces)
	if !in.withoutAnIdeal {
		c.P, c.Q, c.OEE = ratio(c.IdealTotal, c.Run), ratio(c.IdealGood, c.IdealTotal), ratio(c.IdealGood, c.Planned)
	}
	return c
}

func ratio(a, b float64) *float64 {
	if b == 0 {
		return nil
	}
	q := a / b
	return &q
}
