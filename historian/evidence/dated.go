package evidence

import (
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// limits are the limits of minor stops, era by era.
func (g *gathering) limits() []ledger.Limits {
	var out []ledger.Limits
	for _, s := range over(g.eras, func(u *plant.Unit) plant.Dated[time.Duration] { return u.MinorStop }) {
		out = append(out, ledger.Limits{From: s.from, MinorStop: s.value})
	}
	return out
}

// forEver is how long a power reading holds when the model says no limit: longer than the ledger's time.
const forEver = 100 * 365 * 24 * time.Hour

// bounds are those of the power, era by era.
func (g *gathering) bounds() []ledger.PowerBounds {
	hold := over(g.eras, func(u *plant.Unit) plant.Dated[time.Duration] { return u.Hold })
	least := over(g.eras, func(u *plant.Unit) plant.Dated[exact.Num] { return u.MinKW })
	most := over(g.eras, func(u *plant.Unit) plant.Dated[exact.Num] { return u.RatedKW })
	dates := slices.Concat(datesOf(hold), datesOf(least), datesOf(most))
	slices.Sort(dates)
	var out []ledger.PowerBounds
	kw := exact.Int(ledger.MilliWattPerKW)
	for _, t := range slices.Compact(dates) {
		b := ledger.PowerBounds{From: t, Hold: forEver}
		if h, ok := at(hold, t); ok {
			b.Hold = h
		}
		if v, ok := at(least, t); ok {
			b.Min = v.Mul(kw).Round()
		}
		if v, ok := at(most, t); ok {
			b.Rated, b.HasRated = v.Mul(kw).Round(), true
		}
		out = append(out, b)
	}
	return out
}

func datesOf[T any](list []since[T]) []telemetry.Instant {
	out := make([]telemetry.Instant, len(list))
	for i := range list {
		out[i] = list[i].from
	}
	return out
}

// productAt is what the unit makes at the time at: what its signal says, else the order it works on, else the model; "" when
// nothing says it.
func (g *gathering) productAt(t telemetry.Instant) string {
	e := describing(g.eras, t)
	if name := g.signalProduct(e, t); name != "" {
		return name
	}
	if name := g.said.productAt(t); name != "" {
		return name
	}
	if e.unit == nil {
		return ""
	}
	name, _ := e.unit.Product.At(t)
	return name
}

// signalProduct is the product that the unit's signal names, "" when it names none. A name that the model does not know is
// a product that is worth nothing known: a number by the ideal of another product would look like any other.
func (g *gathering) signalProduct(e *era, t telemetry.Instant) string {
	track := g.tracks[roleProduct]
	if track == nil || e.unit == nil {
		return ""
	}
	i := track.index(t+1) - 1
	if i < 0 || !track.points[i].good {
		return ""
	}
	name, _ := codeText(track.points[i].value)
	if product, ok := e.unit.Class.ProductCodes[name]; ok {
		name = product
	}
	if _, known := e.version.Model.Product(name); !known && name != "" {
		g.note("%s names the product %q, which the model does not know", g.name(roleProduct, track.points[i].at), name)
	}
	return name
}

// worth is a list of what pieces are worth from dates on: seconds of ideal time, or watts.
type worth struct {
	from    telemetry.Instant
	product string
	value   exact.Num // 0: nothing says it
}

// worths are what pieces of the products that the unit makes are worth by pick, which also tells for any era the dates on
// which that changes. Counted pieces are worth what the last entry says: so of entries of one date that of the product
// in the making comes last, and where nothing says what it is worth an entry of 0 says so.
func (g *gathering) worths(pick func(e *era, product string) plant.Dated[exact.Num]) []worth {
	products := g.bookedProducts()
	dates := g.productDates()
	for i := range g.eras {
		e := &g.eras[i]
		for _, p := range append(g.madeProducts(dates), products...) {
			for _, s := range pick(e, p) {
				if e.From < s.From && s.From < e.To {
					dates = append(dates, s.From)
				}
			}
		}
	}
	slices.Sort(dates)
	var out, last []worth
	for _, t := range slices.Compact(dates) {
		now := g.worthsAt(t, products, pick)
		if !sameWorth(now, last) {
			out, last = append(out, now...), now
		}
	}
	if !slices.ContainsFunc(out, func(w worth) bool { return !w.value.IsZero() }) {
		return nil
	}
	return out
}

func sameWorth(a, b []worth) bool {
	return slices.EqualFunc(a, b, func(a, b worth) bool { return a.product == b.product && a.value.Equal(b.value) })
}

// worthsAt are the entries of one date.
func (g *gathering) worthsAt(t telemetry.Instant, products []string, pick func(e *era, product string) plant.Dated[exact.Num]) []worth {
	e := describing(g.eras, t)
	value := func(product string) exact.Num {
		if e.unit == nil || product == "" {
			return exact.Num{}
		}
		v, _ := pick(e, product).At(max(t, e.From))
		return v
	}
	made := g.productAt(t)
	var out []worth
	for _, p := range products {
		if p != made {
			out = append(out, worth{t, p, value(p)})
		}
	}
	return append(out, worth{t, made, value(made)})
}

// productDates are the moments at which the product may change, unsorted.
func (g *gathering) productDates() []telemetry.Instant {
	dates := []telemetry.Instant{beginning}
	for _, s := range over(g.eras, func(u *plant.Unit) plant.Dated[string] { return u.Product }) {
		dates = append(dates, s.from)
	}
	if t := g.tracks[roleProduct]; t != nil {
		for i := range t.points {
			dates = append(dates, t.points[i].at)
		}
	}
	return append(dates, borders(g.said.orders)...)
}

// madeProducts are the products that the unit makes at any of the dates.
func (g *gathering) madeProducts(dates []telemetry.Instant) []string {
	var out []string
	for _, t := range dates {
		if p := g.productAt(t); p != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// bookedProducts are the products that pieces were booked of.
func (g *gathering) bookedProducts() []string {
	var out []string
	for _, b := range g.said.booked {
		if b.Product != "" && !slices.Contains(out, b.Product) {
			out = append(out, b.Product)
		}
	}
	return out
}

func idealOf(e *era, product string) plant.Dated[exact.Num] {
	if e.unit == nil {
		return nil
	}
	return e.unit.Ideal(product)
}

func wattsOf(e *era, product string) plant.Dated[exact.Num] {
	if e.unit == nil {
		return nil
	}
	if p, ok := e.version.Model.Product(product); ok {
		return p.Watts
	}
	return nil
}

// schedule is the unit's calendar in v: each era's own.
func (g *gathering) schedule(v calendar.Interval) (shifts calendar.Set, always bool, stops calendar.Set) {
	always = true
	var all, planned []calendar.Interval
	for _, e := range g.eras {
		part := e.Meet(v)
		if part.Empty() {
			continue
		}
		if e.unit == nil {
			always = false
			continue
		}
		c, ok := e.version.Model.Calendar(e.unit.Calendar)
		if !ok { // a checked model has it
			always = false
			continue
		}
		always = always && c.Rules.Always()
		all = append(all, c.Rules.Scheduled(part)...)
		planned = append(planned, c.Rules.PlannedStops(part)...)
	}
	planned = append(planned, g.said.stops...)
	return calendar.NewSet(all...), always, calendar.NewSet(planned...).Clip(v)
}
