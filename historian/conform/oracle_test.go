package conform

import (
	"math/big"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
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

// deltasOf are a counter's deltas as known at h.
func deltasOf(c *Counter, h telemetry.Instant, register bool) []oracleDelta {
	type event struct {
		at     telemetry.Instant
		value  rat
		begins bool // of a new meter
	}
	best := map[telemetry.Instant]Reading{}
	for _, r := range c.Readings {
		if r.At > h || r.KnownAt > h || !r.Good {
			continue
		}
		if was, ok := best[r.At]; !ok || r.Revision.Cmp(was.Revision) >= 0 {
			best[r.At] = r
		}
	}
	swaps := map[telemetry.Instant]ledger.Swap{}
	for _, s := range c.Swaps {
		if s.At <= h {
			swaps[s.At] = s
			delete(best, s.At)
		}
	}
	var events []event
	for at, r := range best {
		events = append(events, event{at: at, value: ratOf(r.Value)})
	}
	for at, s := range swaps {
		events = append(events, event{at: at, value: ratOf(s.Final)}, event{at: at, value: ratOf(s.Initial), begins: true})
	}
	slices.SortFunc(events, func(a, b event) int {
		switch {
		case a.at != b.at:
			if a.at < b.at {
				return -1
			}
			return 1
		case a.begins == b.begins:
			return 0
		case a.begins:
			return 1
		}
		return -1
	})
	var out []oracleDelta
	var high rat
	for i, e := range events {
		if i == 0 || e.begins {
			high = e.value
			continue
		}
		d := oracleDelta{Interval: calendar.Interval{From: events[i-1].at, To: e.at}, fromRegister: register}
		modulus := ratOf(c.Rule.Modulus)
		limit := times(ratOf(c.Rule.MaxPerSecond), secondsOf(d.Interval))
		bounded := c.Rule.Kind == ledger.Rollover && c.HasMax
		risen := true
		switch {
		case e.value.Cmp(high) >= 0:
			d.amount = minus(e.value, high)
			high = e.value
		case minus(high, e.value).Cmp(ratOf(c.Rule.Epsilon)) <= 0:
			d.amount, d.dropped, risen = new(big.Rat), true, false
		default:
			d.amount = plus(minus(modulus, high), e.value)
			if c.Rule.Kind != ledger.Rollover || bounded && d.amount.Cmp(limit) > 0 {
				d.amount, d.reset, d.lower, risen = e.value, true, true, false
			}
			high = e.value
		}
		if risen && bounded && plus(d.amount, modulus).Cmp(limit) <= 0 {
			d.lower, d.ambiguous = true, true
		}
		out = append(out, d)
	}
	return out
}

// shares is how much of a quantity of 1 over v falls into each piece: evenly over the time in run or UNKNOWN_s; over all of
// it when there is none.
func (o *oracleUnit) shares(v calendar.Interval) (of []rat, whileStopped bool) {
	whole := new(big.Rat)
	takes := func(p *piece) bool { return p.state == ledger.Run || p.class == inUnknown }
	for i := range o.pieces {
		if p := &o.pieces[i]; within(p.From, []calendar.Interval{v}) && takes(p) {
			whole.Add(whole, secondsOf(p.Interval))
		}
	}
	whileStopped = whole.Sign() == 0
	if whileStopped {
		whole = secondsOf(v)
	}
	of = make([]rat, len(o.pieces))
	for i := range o.pieces {
		p := &o.pieces[i]
		of[i] = new(big.Rat)
		if within(p.From, []calendar.Interval{v}) && (whileStopped || takes(p)) {
			of[i].Quo(secondsOf(p.Interval), whole)
		}
	}
	return of, whileStopped
}

func (o *oracleUnit) idealAt(t telemetry.Instant, product string) rat {
	var last *Ideal
	for i := range o.u.Ideals {
		d := &o.u.Ideals[i]
		if (product == "" || d.Product == product) && d.From <= t && (last == nil || d.From >= last.From) {
			last = d
		}
	}
	if last == nil {
		return nil
	}
	return ratOf(last.Seconds)
}

// stream appends a stream valued at a product's ideal and returns its number.
func (o *oracleUnit) stream(product string) int {
	for i := range o.pieces {
		p := &o.pieces[i]
		p.made = append(p.made, made{total: new(big.Rat), good: new(big.Rat), ideal: o.idealAt(p.From, product)})
	}
	return len(o.pieces[0].made) - 1
}

func (o *oracleUnit) makePieces() {
	var booked []Booking
	for _, b := range o.u.Booked {
		if b.ReportedAt <= o.h {
			booked = append(booked, b)
		}
	}
	o.hasPCS = len(booked) > 0
	counters := []*Counter{o.u.Total, o.u.Good, o.u.Scrap}
	sums := make([][]rat, 3)
	var all [][]oracleDelta
	for k, c := range counters {
		sums[k] = make([]rat, len(o.pieces))
		for i := range sums[k] {
			sums[k][i] = new(big.Rat)
		}
		if c == nil {
			continue
		}
		o.hasPCS = true
		ds := deltasOf(c, o.h, false)
		for j := range ds {
			of, stopped := o.shares(ds[j].Interval)
			ds[j].whileStopped = stopped && ds[j].amount.Sign() > 0
			for i := range of {
				sums[k][i].Add(sums[k][i], times(of[i], ds[j].amount))
			}
		}
		all = append(all, ds)
		o.deltas = append(o.deltas, ds...)
	}
	if len(o.pieces) == 0 {
		return
	}
	o.stream("") // number 0: the counters'
	for i := range o.pieces {
		total, good, scrap := sums[0][i], sums[1][i], sums[2][i]
		if o.u.Total == nil {
			total = plus(good, scrap)
		}
		if o.u.Good == nil {
			good = minus(total, scrap)
		}
		o.pieces[i].made[0].total, o.pieces[i].made[0].good = total, good
	}
	for _, b := range booked {
		k := o.stream(b.Product)
		of, stopped := o.shares(b.Interval)
		for i := range of {
			m := &o.pieces[i].made[k]
			m.total, m.good = times(of[i], ratOf(b.Total)), times(of[i], ratOf(b.Good))
		}
		o.deltas = append(o.deltas, oracleDelta{Interval: b.Interval, whileStopped: stopped && plus(ratOf(b.Total), ratOf(b.Good)).Sign() > 0})
	}
	o.reportScrap()
	o.count(booked, all)
}

func (o *oracleUnit) reportScrap() {
	type cut struct {
		piece, stream int
		by            rat
	}
	var cuts []cut
	for _, s := range o.u.ScrapReports {
		if s.ReportedAt > o.h || !o.hasPCS { // a unit without counters and bookings adds no pieces
			continue
		}
		whole := new(big.Rat)
		for i := range o.pieces {
			for _, m := range o.pieces[i].made {
				if within(o.pieces[i].From, []calendar.Interval{s.Made}) {
					whole.Add(whole, m.total)
				}
			}
		}
		if whole.Sign() == 0 {
			of, _ := o.shares(s.Made)
			for i := range of {
				cuts = append(cuts, cut{i, 0, times(of[i], ratOf(s.Quantity))})
			}
			continue
		}
		for i := range o.pieces {
			for k, m := range o.pieces[i].made {
				if within(o.pieces[i].From, []calendar.Interval{s.Made}) {
					cuts = append(cuts, cut{i, k, over(times(ratOf(s.Quantity), m.total), whole)})
				}
			}
		}
	}
	for _, c := range cuts {
		m := &o.pieces[c.piece].made[c.stream]
		m.good = minus(m.good, c.by)
		m.cut = m.cut || c.by.Sign() > 0
	}
}

// count says which run time is uncounted and which unknown time is bridged.
func (o *oracleUnit) count(booked []Booking, counters [][]oracleDelta) {
	for i := range o.pieces {
		p := &o.pieces[i]
		inAll, inAllSurely := true, true
		for _, ds := range counters {
			in, surely := false, false
			for _, d := range ds {
				if within(p.From, []calendar.Interval{d.Interval}) {
					in, surely = true, !d.lower
				}
			}
			inAll, inAllSurely = inAll && in, inAllSurely && surely
		}
		isBooked := slices.ContainsFunc(booked, func(b Booking) bool { return within(p.From, []calendar.Interval{b.Interval}) })
		p.uncounted = p.state == ledger.Run && !isBooked && (len(counters) == 0 || !inAll)
		p.bridged = p.state == ledger.Unknown && len(counters) > 0 && inAllSurely
	}
}

// powerAt is the known power in a piece, nil where it is not known.
func (o *oracleUnit) powerAt(p *piece) rat {
	if o.u.Power == nil {
		return nil
	}
	var last *PowerReading
	for i := range o.u.Power.Readings {
		r := &o.u.Power.Readings[i]
		if r.At <= o.h && r.At <= p.From && (last == nil || r.At >= last.At) {
			last = r
		}
	}
	if last == nil || !last.Good || p.From.Sub(last.At) >= o.u.Power.Hold {
		return nil
	}
	return ratOf(last.KW)
}

func hoursOf(p *piece) rat { return times(secondsOf(p.Interval), big.NewRat(1, 3600)) }

func (o *oracleUnit) useEnergy() {
	o.hasE = o.u.Energy != nil || o.u.Power != nil
	for i := range o.pieces {
		p := &o.pieces[i]
		if kw := o.powerAt(p); kw != nil {
			p.covered, p.energy = true, times(kw, hoursOf(p))
		}
	}
	if o.u.Energy == nil {
		return
	}
	ds := deltasOf(o.u.Energy, o.h, true)
	o.deltas = append(o.deltas, ds...)
	for _, d := range ds {
		o.shape(d)
	}
}

func (o *oracleUnit) shape(d oracleDelta) {
	var all, dark, known []*piece
	k, v, hours := new(big.Rat), new(big.Rat), new(big.Rat)
	for i := range o.pieces {
		p := &o.pieces[i]
		if !within(p.From, []calendar.Interval{d.Interval}) {
			continue
		}
		all = append(all, p)
		hours.Add(hours, hoursOf(p))
		if kw := o.powerAt(p); kw == nil {
			dark = append(dark, p)
			v.Add(v, hoursOf(p))
		} else {
			known = append(known, p)
			k.Add(k, times(kw, hoursOf(p)))
		}
	}
	evenly := func(ps []*piece, amount, over rat) {
		for _, p := range ps {
			p.energy = new(big.Rat).Quo(times(amount, hoursOf(p)), over)
		}
	}
	switch {
	case o.u.Power == nil, k.Sign() == 0 && v.Sign() == 0:
		evenly(all, d.amount, hours)
	case k.Sign() == 0:
		evenly(dark, d.amount, v)
		evenly(known, new(big.Rat), num(1))
	default:
		rest := minus(d.amount, k)
		if o.u.Power.HasRated {
			rest = lesser(rest, times(ratOf(o.u.Power.Rated), v))
		}
		r := new(big.Rat)
		if v.Sign() > 0 {
			r = lesser(d.amount, greater(times(ratOf(o.u.Power.Min), v), rest))
			evenly(dark, r, v)
		}
		for _, p := range known {
			p.energy = new(big.Rat).Quo(times(minus(d.amount, r), o.powerAt(p), hoursOf(p)), k)
		}
	}
	for _, p := range all {
		p.covered = true
	}
}

// oracleSums are the terms of the formulas, summed over units.
type oracleSums struct {
	t, pbt, apt, up, setup, stop, idle, u, planned, c, r, b                    rat
	pq, gq, idealTotalS, idealGoodS, idealTotal, idealGood, g, bridgedTotal, f rat
	e, low, high, covered, et                                                  rat
	highNull, hasPCS, hasE, noIdeal                                            bool
	findings                                                                   map[string]bool
}

func newOracleSums() *oracleSums {
	s := &oracleSums{findings: map[string]bool{}}
	for _, x := range []*rat{
		&s.t, &s.pbt, &s.apt, &s.up, &s.setup, &s.stop, &s.idle, &s.u, &s.planned, &s.c, &s.r, &s.b,
		&s.pq, &s.gq, &s.idealTotalS, &s.idealGoodS, &s.idealTotal, &s.idealGood, &s.g, &s.bridgedTotal, &s.f,
		&s.e, &s.low, &s.high, &s.covered, &s.et,
	} {
		*x = new(big.Rat)
	}
	return s
}

func (s *oracleSums) add(o *oracleUnit, w calendar.Interval, standard kpi.Standard) {
	e79 := standard == kpi.E79
	s.hasPCS = s.hasPCS || o.hasPCS
	s.t.Add(s.t, secondsOf(w))
	s.addEnergy(o, w)
	s.seen(o, w, e79)
	s.missing(o, w)
	for i := range o.pieces {
		p := &o.pieces[i]
		if p.From < w.From || p.To > w.To {
			continue
		}
		sec := secondsOf(p.Interval)
		for _, m := range p.made {
			s.pq.Add(s.pq, m.total)
			s.gq.Add(s.gq, m.good)
		}
		planned, unknown := p.class.planned(), p.class == inUnknown
		if e79 {
			planned, unknown = true, p.state == ledger.Unknown
		}
		inc := func(x rat, when bool) {
			if when {
				x.Add(x, sec)
			}
		}
		run := p.state == ledger.Run && planned
		inc(s.pbt, planned)
		inc(s.r, run)
		inc(s.c, run && p.uncounted)
		inc(s.u, unknown)
		inc(s.b, unknown && p.bridged)
		if e79 {
			minor := p.state == ledger.Stop && p.minor
			inc(s.apt, run || minor)
			inc(s.up, run || minor || p.state == ledger.Idle || p.state == ledger.Engineering)
			inc(s.stop, p.state == ledger.Stop && !minor)
			if p.firstOfStop && !p.minor {
				s.f.Add(s.f, num(1))
			}
		} else {
			inc(s.apt, run || p.class == inMinor)
			inc(s.up, run || p.class == inMinor)
			inc(s.setup, p.class == inSetup)
			inc(s.stop, p.class == inStopTime)
			inc(s.idle, p.class == inIdle)
			inc(s.planned, p.class == inPlanned)
			if p.firstOfStopInPlan {
				s.f.Add(s.f, num(1))
			}
		}
		if planned {
			s.value(p, unknown)
		}
	}
}

// value adds the ideal times of what was made in a planned piece.
func (s *oracleSums) value(p *piece, unknown bool) {
	for _, m := range p.made {
		if m.total.Sign() == 0 && m.good.Sign() == 0 && !m.cut {
			continue
		}
		if m.ideal == nil {
			s.noIdeal = true
			continue
		}
		total, good := times(m.total, m.ideal), times(m.good, m.ideal)
		if p.uncounted {
			continue
		}
		s.idealTotalS.Add(s.idealTotalS, total)
		s.idealGoodS.Add(s.idealGoodS, good)
		if !unknown {
			s.idealTotal.Add(s.idealTotal, total)
			s.idealGood.Add(s.idealGood, good)
		}
		if !unknown || p.bridged {
			s.g.Add(s.g, good)
		}
		if unknown && p.bridged {
			s.bridgedTotal.Add(s.bridgedTotal, total)
		}
	}
}

func (s *oracleSums) addEnergy(o *oracleUnit, w calendar.Interval) {
	if !o.hasE {
		return
	}
	s.hasE = true
	s.et.Add(s.et, secondsOf(w))
	for i := range o.pieces {
		p := &o.pieces[i]
		if p.From < w.From || p.To > w.To {
			continue
		}
		if p.covered {
			s.covered.Add(s.covered, secondsOf(p.Interval))
			s.e.Add(s.e, p.energy)
			continue
		}
		if o.u.Power != nil {
			s.low.Add(s.low, times(ratOf(o.u.Power.Min), hoursOf(p)))
		}
		if o.u.Power == nil || !o.u.Power.HasRated {
			s.highNull = true
		} else {
			s.high.Add(s.high, times(ratOf(o.u.Power.Rated), hoursOf(p)))
		}
	}
	for _, d := range o.deltas {
		if d.fromRegister && d.lower && !d.Meet(w).Empty() {
			s.highNull = true
		}
	}
}

func (s *oracleSums) seen(o *oracleUnit, w calendar.Interval, e79 bool) {
	for i := range o.pieces {
		p := &o.pieces[i]
		if p.From < w.From || p.To > w.To {
			continue
		}
		if p.unmapped {
			s.findings["unmapped_state"] = true
		}
		if p.state == ledger.Run && !p.inShift && !e79 {
			s.findings["ran_unscheduled"] = true
		}
		if p.state == ledger.Run && p.inShift && p.inStop && !e79 {
			s.findings["ran_in_planned_stop"] = true
		}
	}
	for _, d := range o.deltas {
		if d.Meet(w).Empty() {
			continue
		}
		for name, yes := range map[string]bool{
			"counter_reset_assumed": d.reset, "counter_drop_ignored": d.dropped,
			"rollover_ambiguous": d.ambiguous, "made_while_stopped": d.whileStopped,
		} {
			if yes {
				s.findings[name] = true
			}
		}
	}
}

func (s *oracleSums) missing(o *oracleUnit, w calendar.Interval) {
	for i := range o.pieces {
		if p := &o.pieces[i]; p.From >= w.From && p.To <= w.To && p.uncounted {
			s.findings["counter_missing"] = true
		}
	}
}

func oracleLine(l *Line, units map[string]*oracleUnit, w calendar.Interval) Answer {
	s := newOracleSums()
	s.t = secondsOf(w)
	out := units[l.Out]
	s.hasPCS = out.hasPCS
	slowest := new(big.Rat)
	for _, id := range l.Units {
		slowest = greater(slowest, ratOf(l.UnitSeconds[id]))
		s.addEnergy(units[id], w)
		s.seen(units[id], w, false)
	}
	s.missing(out, w)
	for i := range out.pieces {
		p := &out.pieces[i]
		if p.From < w.From || p.To > w.To {
			continue
		}
		good := new(big.Rat)
		for _, m := range p.made {
			s.pq.Add(s.pq, m.total)
			s.gq.Add(s.gq, m.good)
			good.Add(good, times(m.good, slowest))
		}
		planned := false
		for _, id := range l.Units {
			planned = planned || units[id].pieces[i].class.planned()
		}
		if !planned {
			continue
		}
		sec := secondsOf(p.Interval)
		s.pbt.Add(s.pbt, sec)
		if p.state == ledger.Run {
			s.r.Add(s.r, sec)
			if p.uncounted {
				s.c.Add(s.c, sec)
				continue
			}
		}
		s.idealGoodS.Add(s.idealGoodS, good)
		if p.class != inUnknown {
			s.idealGood.Add(s.idealGood, good)
			s.g.Add(s.g, good)
			continue
		}
		s.u.Add(s.u, sec)
		if p.bridged {
			s.b.Add(s.b, sec)
			s.g.Add(s.g, good)
		}
	}
	full := s.answer(kpi.ISO)
	kept := []string{
		"PBT_s", "UNKNOWN_s", "UNCOUNTED_s", "OEE", "OEE_low", "OEE_high", "coverage", "count_coverage", "TEEP", "PQ", "GQ", "ideal_good_s",
		"E_kwh", "E_low_kwh", "E_high_kwh", "E_coverage",
	}
	for key := range full.Numbers {
		if !slices.Contains(kept, key) {
			full.Numbers[key] = kpi.Value{Null: true}
		}
	}
	if !slices.Contains([]string{"no_planned_time", "no_known_time", "no_counters"}, full.Reason) {
		full.Reason = ""
	}
	full.Findings = slices.DeleteFunc(full.Findings, func(f string) bool { return f == "performance_over_one" || f == "quality_out_of_range" })
	return full
}

func (s *oracleSums) answer(standard kpi.Standard) Answer {
	e79 := standard == kpi.E79
	noCounters := s.c.Sign() > 0 && s.c.Cmp(s.r) == 0
	x, pace := new(big.Rat), num(1)
	if s.c.Sign() > 0 && !noCounters {
		x = over(times(s.idealGood, s.c), minus(s.r, s.c))
		pace = over(s.r, minus(s.r, s.c))
	}
	n := map[string]rat{}
	n["A"] = over(s.up, minus(s.pbt, s.u))
	n["A_high"] = over(plus(s.up, s.u), s.pbt)
	n["A_low"] = over(plus(s.up, lesser(s.u, s.bridgedTotal)), s.pbt)
	n["coverage"] = complement(over(s.u, s.pbt))
	n["count_coverage"] = complement(over(s.c, s.r))
	n["PBT_s"], n["APT_s"], n["UNKNOWN_s"], n["UNCOUNTED_s"] = s.pbt, s.apt, s.u, s.c
	if !e79 {
		n["SETUP_s"], n["STOP_s"], n["IDLE_s"], n["PLANNED_s"] = s.setup, s.stop, s.idle, s.planned
	} else {
		n["OpE"] = over(s.apt, s.up)
	}
	n["MTBF_s"], n["MTTR_s"] = over(plus(s.apt, s.setup), s.f), over(s.stop, s.f)
	if s.hasPCS {
		n["PQ"], n["GQ"] = s.pq, s.gq
	}
	if !s.noIdeal {
		if s.hasPCS {
			n["ideal_total_s"], n["ideal_good_s"] = s.idealTotalS, s.idealGoodS
		}
		n["OEE_low"] = over(s.idealGoodS, s.pbt)
		n["OEE_high"] = over(plus(s.g, greater(minus(s.u, s.b), minus(s.idealGoodS, s.g)), greater(s.c, x)), s.pbt)
		if !noCounters {
			if p := over(s.idealTotal, s.apt); p != nil {
				n["P"] = times(p, pace)
			}
			n["Q"] = over(s.idealGood, s.idealTotal)
			n["OEE"] = over(plus(s.g, x), plus(minus(s.pbt, s.u), s.b))
			if f, g := over(plus(s.apt, s.setup), s.apt), over(plus(s.idealGood, x), minus(s.pbt, s.u)); f != nil && g != nil && !e79 {
				n["NEE"] = times(f, g)
			}
			if s.hasPCS && !e79 {
				n["TEEP"] = over(plus(s.idealGoodS, x), s.t)
			}
		}
	}
	if s.hasE {
		n["E_kwh"], n["E_low_kwh"], n["E_coverage"] = s.e, plus(s.e, s.low), over(s.covered, s.et)
		if !s.highNull {
			n["E_high_kwh"] = plus(s.e, s.high)
		}
	}
	a := Answer{Numbers: map[string]kpi.Value{}}
	for _, key := range ExpectKeys() {
		if key == keyReason || key == keyFindings {
			continue
		}
		a.Numbers[key] = kpi.Value{Null: true}
		if n[key] != nil {
			a.Numbers[key] = kpi.Value{Num: exact.FromRat(n[key])}
		}
	}
	switch {
	case s.pbt.Sign() == 0:
		a.Reason = "no_planned_time"
	case s.pbt.Cmp(s.u) == 0:
		a.Reason = "no_known_time"
	case noCounters:
		a.Reason = "no_counters"
	case s.noIdeal:
		a.Reason = "no_ideal"
	case s.apt.Sign() == 0:
		a.Reason = "no_run_time"
	case s.idealTotal.Sign() == 0:
		a.Reason = "no_parts"
	}
	if s.noIdeal {
		s.findings["no_ideal"] = true
	}
	if n["P"] != nil && n["P"].Cmp(num(1)) > 0 {
		s.findings["performance_over_one"] = true
	}
	if q := n["Q"]; q != nil && (q.Sign() < 0 || q.Cmp(num(1)) > 0) {
		s.findings["quality_out_of_range"] = true
	}
	for f := range s.findings {
		a.Findings = append(a.Findings, f)
	}
	slices.Sort(a.Findings)
	return a
}

func complement(x rat) rat {
	if x == nil {
		return nil
	}
	return minus(num(1), x)
}

// differences are the keys in which the engine's answer is not the oracle's.
func differences(engine *Answer, oracle Answer) []string {
	var out []string
	for _, key := range ExpectKeys() {
		switch key {
		case keyReason:
			if engine.Reason != oracle.Reason {
				out = append(out, "reason: engine "+engine.show(key)+", oracle "+oracle.show(key))
			}
		case keyFindings:
			got := slices.Sorted(slices.Values(engine.Findings))
			if !slices.Equal(got, oracle.Findings) {
				out = append(out, "findings: engine "+engine.show(key)+", oracle "+oracle.show(key))
			}
		default:
			if !engine.Numbers[key].Equal(oracle.Numbers[key]) {
				out = append(out, key+": engine "+engine.show(key)+", oracle "+oracle.show(key))
			}
		}
	}
	return out
}
