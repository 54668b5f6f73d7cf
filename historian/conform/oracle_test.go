package conform

import (
	"math/big"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// The oracle answers a query a second time, slowly and straight from the words of CONFORMANCE.md: all time is broken at
// every border that occurs anywhere in the vector, each piece of it is classified, every quantity is spread over the pieces
// in big.Rat, and the keys are computed by the text's formulas. It shares the parsed Vector with the engine and nothing else.

type rat = *big.Rat

func ratOf(n exact.Num) rat { return n.Rat() }

func num(i int64) rat { return new(big.Rat).SetInt64(i) }

func plus(xs ...rat) rat {
	s := new(big.Rat)
	for _, x := range xs {
		s.Add(s, x)
	}
	return s
}

func minus(a, b rat) rat { return new(big.Rat).Sub(a, b) }

func times(xs ...rat) rat {
	p := num(1)
	for _, x := range xs {
		p.Mul(p, x)
	}
	return p
}

func lesser(a, b rat) rat {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

func greater(a, b rat) rat {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

// over is a/b, nil for null: a null operand or a zero denominator.
func over(a, b rat) rat {
	if a == nil || b == nil || b.Sign() == 0 {
		return nil
	}
	return new(big.Rat).Quo(a, b)
}

func secondsOf(v calendar.Interval) rat { return big.NewRat(int64(v.To-v.From), 1_000_000_000) }

// piece is an elementary interval: nothing in the vector begins or ends within it.
type piece struct {
	calendar.Interval
	state             ledger.Category // Unknown when not known
	unmapped          bool
	minor             bool // of a stop
	inShift, inStop   bool
	class             class
	uncounted         bool // state run, planned or not
	bridged           bool // unknown, and the counters tell what was made
	made              []made
	covered           bool
	energy            rat
	stopID            int // which stop it belongs to, from 1
	firstOfStop       bool
	firstOfStopInPlan bool
}

// made is what one stream (the counters, or one booking) made in a piece.
type made struct {
	total, good rat
	ideal       rat  // nil: there is none
	cut         bool // by reported scrap: good pieces were there, be they none now
}

type class uint8

const (
	inNone class = iota
	inPlanned
	inRun
	inMinor
	inSetup
	inStopTime
	inIdle
	inUnknown
)

func (c class) planned() bool { return c >= inRun }

type oracleDelta struct {
	calendar.Interval
	amount                     rat
	lower                      bool
	reset, dropped, ambiguous  bool
	whileStopped, fromRegister bool
}

type oracleUnit struct {
	u      *Unit
	h      telemetry.Instant
	pieces []piece
	deltas []oracleDelta // all of them, for findings
	hasPCS bool
	hasE   bool
}

// oracleAnswer is what the text says.
func oracleAnswer(v *Vector, q *Query) Answer {
	h := min(v.Now, q.AsOf)
	w := calendar.Interval{From: min(q.Window.From, h), To: min(q.Window.To, h)}
	borders := oracleBorders(v, h, w)
	units := map[string]*oracleUnit{}
	for i := range v.Units {
		units[v.Units[i].ID] = newOracleUnit(&v.Units[i], h, borders)
	}
	if q.Line != "" {
		i := slices.IndexFunc(v.Lines, func(l Line) bool { return l.ID == q.Line })
		return oracleLine(&v.Lines[i], units, w)
	}
	s := newOracleSums()
	for _, id := range q.Units {
		s.add(units[id], w, q.Standard)
	}
	return s.answer(q.Standard)
}

func oracleBorders(v *Vector, h telemetry.Instant, w calendar.Interval) []telemetry.Instant {
	all := []telemetry.Instant{h, w.From, w.To}
	iv := func(vs ...calendar.Interval) {
		for _, x := range vs {
			all = append(all, x.From, x.To)
		}
	}
	for i := range v.Units {
		u := &v.Units[i]
		iv(u.Shifts...)
		iv(u.PlannedStops...)
		iv(u.Alive...)
		for _, s := range u.States {
			all = append(all, s.At)
		}
		for _, d := range u.Ideals {
			if d.From != always {
				all = append(all, d.From)
			}
		}
		for _, c := range []*Counter{u.Total, u.Good, u.Scrap, u.Energy} {
			if c == nil {
				continue
			}
			for _, r := range c.Readings {
				all = append(all, r.At)
			}
			for _, s := range c.Swaps {
				all = append(all, s.At)
			}
		}
		for _, b := range u.Booked {
			iv(b.Interval)
		}
		for _, s := range u.ScrapReports {
			iv(s.Made)
		}
		if u.Power != nil {
			for _, p := range u.Power.Readings {
				all = append(all, p.At)
				if u.Power.Hold < maxLength-1 && p.At.Add(u.Power.Hold) < endOfTime {
					all = append(all, p.At.Add(u.Power.Hold))
				}
			}
		}
	}
	all = slices.DeleteFunc(all, func(t telemetry.Instant) bool { return t > h })
	slices.Sort(all)
	return slices.Compact(all)
}

func newOracleUnit(u *Unit, h telemetry.Instant, borders []telemetry.Instant) *oracleUnit {
	o := &oracleUnit{u: u, h: h}
	for i := 0; i+1 < len(borders); i++ {
		o.pieces = append(o.pieces, piece{Interval: calendar.Interval{From: borders[i], To: borders[i+1]}, energy: new(big.Rat)})
	}
	o.readStates()
	o.findStops()
	o.classify()
	o.makePieces()
	o.useEnergy()
	return o
}

func within(t telemetry.Instant, vs []calendar.Interval) bool {
	return slices.ContainsFunc(vs, func(v calendar.Interval) bool { return v.From <= t && t < v.To })
}

// readStates: a state holds until the next one, never outside alive; before the first, unknown; of two with the same time
// the later in the file counts.
func (o *oracleUnit) readStates() {
	for i := range o.pieces {
		p := &o.pieces[i]
		var last *State
		for j := range o.u.States {
			s := &o.u.States[j]
			if s.At <= p.From && s.At <= o.h && (last == nil || s.At >= last.At) {
				last = s
			}
		}
		alive := o.u.AlwaysAlive || within(p.From, o.u.Alive)
		p.state = ledger.Unknown
		if last != nil && alive && last.Good {
			p.unmapped = !last.Mapped
			p.state = last.Category
		}
	}
}

// findStops: unbroken time in category stop; minor if strictly shorter than minor_stop_s and directly between two runs.
func (o *oracleUnit) findStops() {
	id := 0
	for i := 0; i < len(o.pieces); {
		if o.pieces[i].state != ledger.Stop {
			i++
			continue
		}
		j := i
		for j < len(o.pieces) && o.pieces[j].state == ledger.Stop {
			j++
		}
		id++
		between := i > 0 && o.pieces[i-1].state == ledger.Run && j < len(o.pieces) && o.pieces[j].state == ledger.Run
		length := secondsOf(calendar.Interval{From: o.pieces[i].From, To: o.pieces[j-1].To})
		for k := i; k < j; k++ {
			o.pieces[k].stopID = id
			o.pieces[k].minor = between && length.Cmp(ratOf(o.u.MinorStop)) < 0
		}
		o.pieces[i].firstOfStop = true
		i = j
	}
}

func (o *oracleUnit) classify() {
	counted := map[int]bool{}
	for i := range o.pieces {
		p := &o.pieces[i]
		p.inShift = len(o.u.Shifts) == 0 || within(p.From, o.u.Shifts)
		p.inStop = within(p.From, o.u.PlannedStops)
		switch {
		case !p.inShift || p.state == ledger.Nonscheduled:
			p.class = inNone
		case p.inStop && p.state != ledger.Run, p.state == ledger.Planned, p.state == ledger.Engineering:
			p.class = inPlanned
		case p.state == ledger.Run:
			p.class = inRun
		case p.state == ledger.Setup:
			p.class = inSetup
		case p.state == ledger.Stop && p.minor:
			p.class = inMinor
		case p.state == ledger.Stop:
			p.class = inStopTime
		case p.state == ledger.Idle:
			p.class = inIdle
		default:
			p.class = inUnknown
		}
		if p.class == inStopTime && !counted[p.stopID] {
			counted[p.stopID] = true
			p.firstOfStopInPlan = true
		}
	}
}
