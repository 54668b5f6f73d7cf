package conform

import (
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

func (r *reader) counters(u *Unit, n *node) {
	if n == nil {
		return
	}
	e := r.object(n, "total", "good", "scrap", "energy_kwh")
	u.Total = r.counter(e.optional("total"))
	u.Good = r.counter(e.optional("good"))
	u.Scrap = r.counter(e.optional("scrap"))
	u.Energy = r.counter(e.optional("energy_kwh"))
}

func (r *reader) counter(n *node) *Counter {
	if n == nil {
		return nil
	}
	e := r.object(n, "rule", "readings", "swaps")
	c := &Counter{}
	r.rule(c, e.optional("rule"))
	for _, item := range r.list(e.optional("readings")) {
		if t, ok := r.tuple(item, 5, "[time, value, quality, revision, known_at]"); ok {
			c.Readings = append(c.Readings, r.reading(c, t))
		}
	}
	for _, item := range r.list(e.optional("swaps")) {
		s := r.object(item, "at", "final", "initial")
		c.Swaps = append(c.Swaps, ledger.Swap{
			At: r.time(s.required("at"), always), Final: r.value(c, s.required("final")), Initial: r.value(c, s.required("initial")),
		})
	}
	return c
}

func (r *reader) rule(c *Counter, n *node) {
	if n == nil {
		return
	}
	e := r.object(n, "kind", "modulus", "epsilon", "max_per_s")
	c.Rule.From = always
	c.Rule.Kind = oneOf(r, e.optional("kind"), "kind", map[string]ledger.RuleKind{"reset": ledger.Reset, "rollover": ledger.Rollover}, ledger.Reset)
	c.Rule.Epsilon = r.quantity(e.optional("epsilon"))
	if c.Rule.Kind == ledger.Rollover {
		c.Rule.Modulus = r.positive(e.required("modulus"))
	} else {
		r.quantity(e.optional("modulus"))
	}
	maximum := e.optional("max_per_s")
	c.HasMax = maximum != nil
	c.Rule.MaxPerSecond = r.quantity(maximum)
}

func (r *reader) reading(c *Counter, t []*node) Reading {
	v := Reading{At: r.time(t[0], always), Good: r.quality(at(t, 2)), Revision: r.quantity(at(t, 3))}
	if revision := at(t, 3); !v.Revision.Equal(v.Revision.Round()) {
		r.fail(revision, "a revision is a whole number")
	}
	v.KnownAt = r.time(at(t, 4), v.At)
	if v.Good {
		v.Value = r.value(c, t[1])
	} else {
		v.Value = r.quantity(t[1]) // whatever a broken reading says is dropped, so it need not be below the modulus
	}
	return v
}

// value is what a register shows: below its modulus, if it has one.
func (r *reader) value(c *Counter, n *node) exact.Num {
	v := r.quantity(n)
	if n != nil && c.Rule.Kind == ledger.Rollover && c.Rule.Modulus.Sign() > 0 && v.Cmp(c.Rule.Modulus) >= 0 {
		r.fail(n, "%s is not below the modulus %s", v, c.Rule.Modulus)
	}
	return v
}

func (r *reader) power(n *node) *Power {
	if n == nil {
		return nil
	}
	e := r.object(n, "readings", "hold_s", "min_kw", "rated_kw")
	hold := e.required("hold_s")
	p := &Power{Hold: r.length(hold, r.quantity(hold)), Min: r.quantity(e.optional("min_kw"))}
	for _, item := range r.list(e.required("readings")) {
		if t, ok := r.tuple(item, 3, "[time, kW] or [time, kW, quality]"); ok {
			p.Readings = append(p.Readings, PowerReading{At: r.time(t[0], always), KW: r.quantity(t[1]), Good: r.quality(at(t, 2))})
		}
	}
	if rated := e.optional("rated_kw"); rated != nil {
		p.Rated, p.HasRated = r.quantity(rated), true
	}
	return p
}
