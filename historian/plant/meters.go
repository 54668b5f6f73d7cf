package plant

import (
	"fmt"
	"slices"

	"kvarts/historian/exact"
	"kvarts/historian/markup"
)

// meters reads the tree of meters and expands templates.
func (d *decoder) meters(file *block) {
	seen, fed := make(map[string]markup.Place), make(map[string]markup.Place)
	at := make(map[string]*block)
	file.list("meters", levelMeter, func(b *block) {
		t, ok := b.template("EM-CZ-{n:02}")
		if !ok {
			return
		}
		if len(d.model.Meters)+t.count > maxUnits {
			b.FailHidden(fmt.Sprintf("the model grows beyond %d meters", maxUnits), "check the counts")
			return
		}
		for n := t.first; n < t.first+t.count; n++ {
			m := d.meter(b, expand(t.id, n), n, fed)
			if b.Unique(seen, "id", m.ID) {
				d.model.Meters = append(d.model.Meters, m)
				d.model.index.meters[m.ID] = m
				at[m.ID] = b
			}
		}
	})
	above := func(id string) string {
		if m := d.model.index.meters[id]; m != nil {
			return m.Parent
		}
		return ""
	}
	circle := false
	for _, m := range d.model.Meters {
		b := at[m.ID]
		if m.Parent != "" && d.model.index.meters[m.Parent] == nil {
			b.get("parent").refer("meters", m.Parent, sortedKeys(d.model.index.meters))
		}
		if path := loop(m.ID, above); path != "" && !circle {
			b.get("parent").Fail("the meters feed each other in a circle: "+path, "remove parent at the meter nearest to the grid")
			circle = true
		}
		d.checkMeter(b, m)
	}
}

// meter reads one meter, the n-th of its template. fed are the units that meters before it have as direct and behind them.
func (d *decoder) meter(b *block, id string, n int, fed map[string]markup.Place) *Meter {
	m := &Meter{ID: id, Kind: Shared, Source: id}
	markup.Choice(b.Get("kind"), &m.Kind, Direct, Shared)
	var s string
	if b.text("parent", &s) {
		m.Parent = expand(s, n)
	}
	if b.text("source", &s) {
		m.Source = expand(s, n)
	}
	if v := b.get("units"); v != nil {
		m.Units = v.selection(n)
		if m.Kind == Direct {
			v.single(m.Units, "direct", fed, "a unit has one direct meter; let others be shared")
		}
	}
	if v := b.get("behind"); v != nil {
		m.Behind = v.selection(n)
		v.single(m.Behind, "behind", fed, "list it at the lowest meter above its register")
	}
	if v := b.get("key"); v != nil {
		m.Key = dated(v, func(v *value) (Key, bool) { return v.allocation(m) })
	}
	return m
}

// single reports units that another meter has in the same part: as direct, or behind it.
func (v *value) single(units []string, part string, seen map[string]markup.Place, remedy string) {
	for _, id := range units {
		if first, taken := seen[part+" "+id]; taken {
			v.FailHidden(fmt.Sprintf("the unit %s stands already in %s", id, first), remedy)
			continue
		}
		seen[part+" "+id] = v.Place()
	}
}

// allocation reads a word, or {kind, signal, shares}.
func (v *value) allocation(m *Meter) (k Key, ok bool) {
	words := []KeyKind{KeyDirectKWh, KeyRunHours, KeyGoodUnits, KeyFlow, KeyShares}
	if v.Kind() != markup.Mapping {
		if k.Kind, ok = choose(v, words...); ok && (k.Kind == KeyFlow || k.Kind == KeyShares) {
			v.Fail("this key needs more", "write key: {kind: flow, signal: NAME} or key: {kind: shares, shares: {UNIT: PART}}")
			return k, false
		}
		return k, ok
	}
	b := v.block(levelKey)
	before := len(v.d.doc.Errors)
	b.require("kind", "write one of "+or(words))
	markup.Choice(b.Get("kind"), &k.Kind, words...)
	b.text("signal", &k.Signal)
	if s := b.get("signal"); (k.Kind == KeyFlow) != (s != nil) {
		v.FailHidden("signal belongs to the kind flow, which needs it", "write {kind: flow, signal: NAME}")
	} else if s != nil {
		v.d.checkFlow(s, k.Signal, m)
	}
	if s := b.get("shares"); (k.Kind == KeyShares) != (s != nil) {
		v.FailHidden("shares belong to the kind shares, which needs them", "write {kind: shares, shares: {UNIT: PART}}")
	} else if s != nil {
		k.Shares = s.shares(m)
	}
	return k, len(v.d.doc.Errors) == before
}

// checkFlow reports a signal that not all of the meter's units have.
func (d *decoder) checkFlow(v *value, signal string, m *Meter) {
	for _, id := range m.Units {
		c := d.model.index.units[id].Class
		if s, ok := c.Signal(signal); !ok || s.Kind != Analog {
			v.Fail(fmt.Sprintf("the unit %s has no analog signal %q", id, signal), "name a measured flow that all of the meter's units have")
			return
		}
	}
}

// shares reads {unit: part} for all of the meter's units.
func (v *value) shares(m *Meter) map[string]exact.Num {
	out := make(map[string]exact.Num)
	for _, e := range v.entries() {
		if !slices.Contains(m.Units, e.Key()) {
			e.FailHidden(fmt.Sprintf("%q is none of the meter's units", e.Key()), "the meter feeds "+some(m.Units))
			continue
		}
		if x, ok := e.num(aboveZero); ok {
			out[e.Key()] = x
		}
	}
	for _, id := range m.Units {
		if _, ok := out[id]; !ok && v.Kind() == markup.Mapping && v.Find(id) == nil {
			v.FailHidden("the share of "+id+" is missing", "write one for each of the meter's units")
		}
	}
	return out
}

// checkMeter holds the parts of a meter against each other and against what it measures.
func (d *decoder) checkMeter(b *block, m *Meter) {
	source := d.model.index.units[m.Source]
	switch {
	case source == nil:
		d.once(b, fmt.Sprintf("the meter %s has no unit of this name whose register it could read", m.ID), "add such a unit of a class with the role energy, or write source: UNIT")
	case source.Class.Energy == nil:
		d.once(b, fmt.Sprintf("the unit %s has no energy register: its class %s lacks the role energy", source.ID, source.Class.Name), "add the role, or name another source")
	case source.Meter != "":
		d.once(b, fmt.Sprintf("the register of %s is that of the meter %s already", source.ID, source.Meter), "give each meter its own register")
	default:
		source.Meter = m.ID
	}
	for _, id := range m.Behind {
		if u := d.model.index.units[id]; u.Class.Energy == nil {
			d.once(b, fmt.Sprintf("the unit %s has no energy register that could be behind the meter: its class %s lacks the role energy", id, u.Class.Name), "remove it from behind, or add the role")
			break
		}
	}
	switch {
	case slices.Contains(m.Units, m.Source) || slices.Contains(m.Behind, m.Source):
		d.once(b, fmt.Sprintf("the meter %s feeds %s, which is its own register", m.ID, m.Source), "list the units that it feeds")
	case m.Kind == Direct && len(m.Units) != 1:
		d.once(b, fmt.Sprintf("a direct meter feeds exactly one unit, this feeds %d", len(m.Units)), "write kind: shared and a key")
	case m.Kind == Direct && d.model.index.units[m.Units[0]].Class.Energy != nil:
		d.once(b, fmt.Sprintf("the unit %s has an energy register of its own, so that its energy would count twice", m.Units[0]), "list it under behind, and divide the rest with kind: shared and key: direct_kwh")
	case m.Kind == Direct && b.get("key") != nil:
		b.get("key").FailHidden("a direct meter divides nothing", "remove the key, or write kind: shared")
	case m.Kind == Shared && len(m.Units) > 0 && b.get("key") == nil:
		d.once(b, "the meter's energy is to be divided among its units, but nothing says how", "add key: run_hours, direct_kwh, good_units, {kind: flow, …} or {kind: shares, …}")
	case m.Kind == Shared && len(m.Units) == 0 && b.get("key") != nil:
		b.get("key").FailHidden("the meter has no units to divide among", "add units, or remove the key")
	}
	if m.Kind == Shared && len(m.Units) == 0 && len(m.Behind) == 0 && !slices.ContainsFunc(d.model.Meters, func(o *Meter) bool { return o.Parent == m.ID }) {
		d.onceWarn(b, "the meter "+m.ID+" feeds no unit and no other meter: its energy stays unallocated", "add units")
	}
}
