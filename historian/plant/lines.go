package plant

import (
	"fmt"
	"slices"

	"kvarts/historian/exact"
	"kvarts/historian/markup"
	"kvarts/historian/telemetry"
)

// lines reads the list of lines.
func (d *decoder) lines(file *block) {
	seen, member := make(map[string]markup.Place), make(map[string]markup.Place)
	file.list("lines", levelLine, func(b *block) {
		l := &Line{UnitSeconds: make(map[string]Dated[exact.Num])}
		b.require("id", "write for example id: CELL-1")
		b.name("id", &l.ID)
		b.Unique(seen, "id", l.ID)
		b.text("description", &l.Description)
		if v := b.get("area"); v != nil && v.name(&l.Area) {
			v.known("areas", "id", l.Area)
		}
		if v := b.get("product"); v != nil {
			l.Product = dated(v, (*value).product)
		}
		b.require("steps", "list the operations in the order of the flow")
		b.list("steps", levelStep, func(s *block) { l.Steps = append(l.Steps, d.step(s, l, member)) })
		if v := b.get("steps"); v != nil && v.Empty() {
			v.FailHidden("the list is empty", "list the operations in the order of the flow")
		}
		if v := b.require("out", "write the unit whose good pieces leave the line"); v != nil && v.name(&l.Out) {
			if !slices.ContainsFunc(l.Steps, func(s Step) bool { return slices.Contains(s.Units, l.Out) }) {
				v.Fail("the unit is in none of the line's steps", "name one of them, usually the last")
			}
		}
		d.model.Lines = append(d.model.Lines, l)
		d.model.index.lines[l.ID] = l
	})
}

// step reads one member of steps.
func (d *decoder) step(b *block, l *Line, member map[string]markup.Place) Step {
	s := Step{Per: Constant(exact.Int(1))}
	b.require("name", "write the operation, for example print")
	b.text("name", &s.Name)
	if v := b.require("units", "list the step's units, which work side by side"); v != nil {
		for _, id := range v.selection(0) {
			if first, taken := member[id]; taken {
				v.FailHidden(fmt.Sprintf("the unit %s is in a line already: %s", id, first), "a unit belongs to one step of one line")
				continue
			}
			member[id] = v.Place()
			s.Units = append(s.Units, id)
			d.model.index.units[id].Line = l.ID
		}
		if v.Empty() {
			v.FailHidden("the list is empty", "list the step's units")
		}
	}
	if v := b.get("per"); v != nil {
		if per := dated(v, func(v *value) (exact.Num, bool) { return v.num(aboveZero) }); per != nil {
			s.Per = per
		}
	}
	b.nums("seconds", &s.Seconds, aboveZero)
	seconds := s.Seconds
	if b.get("seconds") == nil {
		seconds = d.stepSeconds(b, l, &s)
	}
	for _, id := range s.Units {
		l.UnitSeconds[id] = seconds
	}
	return s
}

// stepSeconds is the shortest time per finished unit of the line at a step, from the ideals of its units for the line's
// product: the units' rates add up.
func (d *decoder) stepSeconds(b *block, l *Line, s *Step) Dated[exact.Num] {
	if len(l.Product) == 0 {
		if l.Product == nil && len(s.Units) > 0 {
			b.Missing("seconds", "write seconds per finished unit of the line, or the line's product, so that they follow from the ideals")
		}
		return nil
	}
	dates := slices.Concat(froms(l.Product), froms(s.Per))
	for _, id := range s.Units {
		for _, p := range l.Product {
			dates = append(dates, froms(d.model.index.units[id].Ideal(p.Value))...)
		}
	}
	slices.Sort(dates)
	var out Dated[exact.Num]
	for _, t := range slices.Compact(dates) {
		x, missing := d.secondsAt(l, s, t)
		switch {
		case missing == "":
			out = append(out, Since[exact.Num]{From: t, Value: x})
		case len(out) > 0 || t >= l.Product[0].From && t >= s.Per[0].From && t != Always:
			b.FailHidden(fmt.Sprintf("%s is not known%s", missing, d.since(t)), "add it to the product, or write seconds for the step")
			return nil
		}
	}
	if len(out) == 0 && len(s.Units) > 0 {
		_, missing := d.secondsAt(l, s, dates[len(dates)-1])
		b.FailHidden(missing+" is not known", "add it to the product, or write seconds for the step")
	}
	return out
}

// secondsAt is stepSeconds at one moment; missing says what is not known then.
func (d *decoder) secondsAt(l *Line, s *Step, t telemetry.Instant) (x exact.Num, missing string) {
	product, ok := l.Product.At(t)
	if !ok {
		return x, "the line's product"
	}
	per, ok := s.Per.At(t)
	if !ok {
		return x, "per"
	}
	var rate exact.Num // pieces per second of all units
	for _, id := range s.Units {
		ideal, ok := d.model.index.units[id].Ideal(product).At(t)
		if !ok {
			return x, fmt.Sprintf("the ideal time of %s in %s", product, id)
		}
		rate = rate.Add(exact.Int(1).Quo(ideal))
	}
	if rate.Sign() <= 0 {
		return x, "the step's units"
	}
	return per.Quo(rate), ""
}
