package truth

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"kvarts/deploy/simplant/truth/contract"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// The product counts in whole quanta, and takes what a meter shows to the nearest one: so does the truth, for what it is
// compared with is what follows from the same readings.
const (
	quantumCounted = 1_000_000_000 // of a piece; of a kWh: µWh
	quantumKW      = 1_000_000     // of a kW: mW
)

// amount is what a value of a meter says, to the nearest of so many parts; ok is false when it says nothing: it is not good, no
// number, or below zero.
func (p *point) amount(parts int64) (n exact.Num, ok bool) {
	if p.bad {
		return n, false
	}
	switch p.value.Type() {
	case telemetry.Int:
		n, ok = exact.Int(p.value.Int()), true
	case telemetry.Float:
		if n, ok = exact.FromFloat(p.value.Float()); ok {
			n = n.Mul(exact.Int(parts)).Round().Quo(exact.Int(parts))
		}
	default:
	}
	return n, ok && n.Sign() >= 0
}

// signal is the unit's signal of a role; nil when it has none.
func (d *dossier) signal(r role) *plant.Signal { return rolesOf(d.Class)[r] }

// counter is the unit's counter of a role; nil when it has none. One of pieces that reports every change says by its silence,
// as long as the unit is seen alive, that nothing was counted: its reading holds until the begin of the last interval of the
// grid, before the next reading, in which the unit was seen; likewise at the end of the record. (That interval itself may hold
// the change: what is proven by its end is that the server answered.)
//
//	readings   5          6      6 was counted in the interval that it came in, not in all the time since 5
//	grid       ├──┼──┼──┼──┤
//	stands     5────────5
func (d *dossier) counter(r role) (*contract.Counter, error) {
	s := d.signal(r)
	if s == nil {
		return nil, nil
	}
	c := &contract.Counter{}
	rule, _, err := constant("counter of "+s.Name, s.Rules, d.span)
	if err != nil {
		return nil, err
	}
	c.Rule.Epsilon = rule.Epsilon
	if rule.Kind == plant.Rollover {
		c.Rule.Rollover, c.Rule.Modulus = true, rule.Modulus
		if rule.MaxPerSec.Sign() > 0 {
			c.Rule.MaxPerSecond = &rule.MaxPerSec
		}
	}
	c.Swaps = d.swaps(s.Name)
	var life *proofs
	if r != roleEnergy && s.Reporting == plant.OnChange {
		life = d.proofs(r)
	}
	d.readCounter(c, r, life)
	return c, nil
}

// readCounter adds the readings of a role's signal; life is nil where silence means nothing.
func (d *dossier) readCounter(c *contract.Counter, r role, life *proofs) {
	var last *contract.Reading // what the counter showed last
	told := false              // by a reading of its own, not by a swap
	perBatch := d.signal(r).Reporting == plant.PerBatch
	stand := func(until telemetry.Instant) {
		if life != nil && last != nil && until > last.At {
			c.Readings = append(c.Readings, contract.Reading{At: until, KnownAt: until, Value: last.Value})
		}
	}
	swaps := slices.Clone(c.Swaps)
	slices.SortStableFunc(swaps, func(a, b contract.Swap) int { return cmp.Compare(a.At, b.At) })
	replaced := func(until telemetry.Instant) {
		for len(swaps) > 0 && swaps[0].At <= until {
			stand(life.before(swaps[0].At))
			last, told = &contract.Reading{At: swaps[0].At, Value: swaps[0].Initial}, false
			swaps = swaps[1:]
		}
	}
	for i := range d.tracks[r] {
		p := &d.tracks[r][i]
		value, ok := p.amount(quantumCounted)
		if !ok || c.Rule.Rollover && value.Cmp(c.Rule.Modulus) >= 0 {
			continue
		}
		replaced(p.at)
		if last != nil && last.At == p.at {
			continue // read at the moment of a swap: ignored
		}
		if perBatch && told && last.Value.Equal(value) {
			continue // told again: nothing was made since, or is not told yet
		}
		stand(life.before(p.at))
		told = true
		last = &contract.Reading{At: p.at, KnownAt: p.at, Value: value}
		c.Readings = append(c.Readings, *last)
	}
	replaced(d.span.To)
	stand(min(d.span.To, life.before(d.span.To+1)))
}

// swaps are the meters of a signal that were replaced, or set back, as people recorded it.
func (d *dossier) swaps(signal string) []contract.Swap {
	var out []contract.Swap
	for i := range d.records {
		x := &d.records[i]
		if (x.Kind == record.CounterSwap || x.Kind == record.CounterReset) && x.Signal == signal && x.Final != nil && x.Initial != nil && x.From <= d.span.To {
			out = append(out, contract.Swap{At: x.From, Final: *x.Final, Initial: *x.Initial})
		}
	}
	return out
}

// proofs are when the silence of a counter meant that it stood.
type proofs struct {
	alive []calendar.Interval // whole intervals of the grid
	blind []calendar.Interval // what it shows is not known
}

func (d *dossier) proofs(r role) *proofs {
	p := &proofs{alive: d.alive}
	since := telemetry.Instant(math.MinInt64)
	blind := false
	for i := range d.tracks[r] {
		x := &d.tracks[r][i]
		switch _, ok := x.amount(quantumCounted); {
		case !ok && !blind:
			since, blind = x.at, true
		case ok && blind:
			p.blind, blind = append(p.blind, calendar.Interval{From: since, To: x.at}), false
		}
	}
	if blind {
		p.blind = append(p.blind, calendar.Interval{From: since, To: d.span.To + 1})
	}
	return p
}

// before is the begin of the last interval of the grid before t in which the unit was seen and the counter was not blind; long
// ago when there is none.
func (p *proofs) before(t telemetry.Instant) telemetry.Instant {
	for p != nil {
		i, _ := slices.BinarySearchFunc(p.alive, t, compareFrom)
		if i == 0 {
			return math.MinInt64
		}
		v := p.alive[i-1]
		steps := (min(v.To, t) - 1 - v.From) / telemetry.Instant(beat)
		at := v.From + steps*telemetry.Instant(beat)
		k, _ := slices.BinarySearchFunc(p.blind, at+1, compareFrom)
		if k == 0 || p.blind[k-1].To <= at {
			return at
		}
		t = p.blind[k-1].From
	}
	return math.MinInt64
}

func compareFrom(v calendar.Interval, t telemetry.Instant) int {
	switch {
	case v.From < t:
		return -1
	case v.From > t:
		return 1
	default:
		return 0
	}
}

// forEver is how long a power reading holds where the model says no limit.
const forEver = 100 * 365 * 24 * time.Hour

// power is what the unit's power meter read. A value that is no power that a unit can use is not known.
func (d *dossier) power(u *contract.Unit) error {
	if d.signal(rolePower) == nil {
		return nil
	}
	hold, limited, err1 := constant("hold", d.Hold, d.span)
	least, _, err2 := constant("min_kw", d.MinKW, d.span)
	rated, bounded, err3 := constant("rated_kw", d.RatedKW, d.span)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if !limited {
		hold = forEver
	}
	u.Power = &contract.Power{Hold: hold, Min: least}
	if bounded {
		u.Power.Rated = &rated
	}
	for i := range d.tracks[rolePower] {
		p := &d.tracks[rolePower][i]
		kw, ok := p.amount(quantumKW)
		if !ok {
			kw = exact.Num{}
		}
		u.Power.Readings = append(u.Power.Readings, contract.PowerReading{At: p.at, KW: kw, Bad: !ok})
	}
	return nil
}

// ideals are what the pieces of the products are worth from dates on. The last entry of a date is what is made then.
func (d *dossier) ideals(u *contract.Unit) {
	var booked []string // whose own entries a vector needs too
	for i := range u.Booked {
		if p := u.Booked[i].Product; p != "" && !slices.Contains(booked, p) {
			booked = append(booked, p)
		}
	}
	dates := d.productDates()
	products := slices.Clone(booked)
	for _, at := range dates {
		if p := d.productAt(at); !slices.Contains(products, p) {
			products = append(products, p)
		}
	}
	for _, p := range products {
		for _, s := range d.Ideal(p) {
			dates = append(dates, s.From)
		}
	}
	slices.Sort(dates)
	entry := func(product string, at telemetry.Instant) {
		seconds, _ := d.Ideal(product).At(at) // 0: none
		if len(u.Ideals) > 0 || seconds.Sign() > 0 {
			u.Ideals = append(u.Ideals, contract.Ideal{Product: product, From: at, Seconds: seconds})
		}
	}
	for _, at := range slices.Compact(dates) {
		made := d.productAt(at)
		for _, p := range booked {
			if p != made {
				entry(p, at)
			}
		}
		entry(made, at)
	}
}

// productDates are the moments at which the product may change.
func (d *dossier) productDates() []telemetry.Instant {
	dates := []telemetry.Instant{contract.Always}
	for _, s := range d.Product {
		dates = append(dates, s.From)
	}
	for _, p := range d.tracks[roleProduct] {
		dates = append(dates, p.at)
	}
	for i := range d.records {
		if x := &d.records[i]; x.Kind == record.Order {
			dates = append(dates, x.From, x.To)
		}
	}
	return dates
}

// productAt is what the unit makes at a moment: what its signal says, else the order, else the model; "" when nothing does.
func (d *dossier) productAt(t telemetry.Instant) string {
	points := d.tracks[roleProduct]
	i, _ := slices.BinarySearchFunc(points, t+1, func(p point, t telemetry.Instant) int {
		return compareFrom(calendar.Interval{From: p.at}, t)
	})
	if i > 0 && t != contract.Always && !points[i-1].bad {
		name, _ := text(points[i-1].value)
		if product, ok := d.Class.ProductCodes[name]; ok {
			name = product
		}
		if name != "" {
			return name
		}
	}
	name := ""
	for k := range d.records {
		if x := &d.records[k]; x.Kind == record.Order && x.From <= t && t < x.To {
			name = x.Product
		}
	}
	if name == "" {
		name, _ = d.Product.At(t)
	}
	return name
}
