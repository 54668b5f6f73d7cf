package plant

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"kvarts/historian/exact"
	"kvarts/historian/markup"
)

// Limits of a model's size; wrong counts are more likely than larger plants.
const (
	maxCount = 10_000 // of one template
	maxUnits = 20_000 // of a model; and of meters
	// maxNumber bounds the first number of a template.
	maxNumber = 1_000_000
)

// numberForm is {n}, or {n:03} with leading zeros.
var numberForm = regexp.MustCompile(`\{n(?::0?([1-9]))?\}`)

// expand replaces {n} in s.
func expand(s string, n int) string {
	if !strings.Contains(s, "{n") {
		return s
	}
	return numberForm.ReplaceAllStringFunc(s, func(form string) string {
		width := 0
		if m := numberForm.FindStringSubmatch(form); m[1] != "" {
			width, _ = strconv.Atoi(m[1])
		}
		return fmt.Sprintf("%0*d", width, n)
	})
}

// template is an id that stands for several, numbered ones.
type template struct {
	id           string
	count, first int
	has          bool // count is said
}

// template reads id, count and first.
func (b *block) template(example string) (t template, ok bool) {
	t.count, t.first = 1, 1
	t.has = b.get("count") != nil
	v := b.require("id", "write for example id: "+example)
	ok = b.text("id", &t.id)
	ok = (!t.has || b.Integer("count", &t.count, 1, maxCount)) && ok
	ok = (b.get("first") == nil || b.Integer("first", &t.first, 0, maxNumber)) && ok
	if !ok {
		return t, false
	}
	numbered := numberForm.MatchString(t.id)
	switch {
	case t.count > 1 && !numbered:
		v.Fail(fmt.Sprintf("there are %d of it, but the id has no {n}, so that they would share one", t.count), `write for example id: "`+example+`"`)
		return t, false
	case numbered && !t.has:
		v.Fail("the id has {n}, but nothing says how many there are", "add count")
		return t, false
	}
	return t, v.checkName(expand(t.id, t.first)) && v.checkName(expand(t.id, t.first+t.count-1))
}

// unitList reads the list of units and expands templates.
func (d *decoder) unitList(file *block) {
	if v := file.require("units", "list the machines"); v != nil && v.Empty() {
		v.FailHidden("the list is empty", "list the machines")
	}
	seen := make(map[string]markup.Place)
	file.list("units", levelUnit, func(b *block) {
		t, ok := b.template("CZ-{n:02}")
		proto := &Unit{}
		own := make(map[string]Dated[exact.Num])
		b.require("class", "write the class of equipment")
		if v := b.get("class"); v != nil {
			var name string
			if v.name(&name) && v.known("classes", "name", name) {
				proto.Class = d.model.index.classes[name]
			}
		}
		if proto.Class != nil {
			proto.Stage = d.stageOf(proto.Class.Name)
			c := proto.Class
			proto.MinorStop, proto.Hold, proto.MinKW, proto.RatedKW, proto.Credit = c.MinorStop, c.Hold, c.MinKW, c.RatedKW, c.Credit
			proto.Namespace = d.namespaces[c]
		}
		d.settings(b, proto, own)
		b.require("area", "write the area that the unit stands in")
		b.require("calendar", "write the calendar that it works by")
		if !ok || proto.Class == nil {
			return
		}
		if len(d.model.Units)+t.count > maxUnits {
			b.FailHidden(fmt.Sprintf("the model grows beyond %d units", maxUnits), "check the counts")
			return
		}
		overrides := b.overrides()
		for n := t.first; n < t.first+t.count; n++ {
			u := *proto
			u.ID, u.Number = expand(t.id, n), n
			at, ideal := b, own
			if o := overrides[u.ID]; o != nil {
				delete(overrides, u.ID)
				at, ideal = o, maps.Clone(own)
				d.settings(o, &u, ideal)
			}
			if b.Unique(seen, "id", u.ID) {
				d.finishUnit(at, &u, ideal)
			}
		}
		for _, id := range sortedKeys(overrides) {
			overrides[id].FailHidden(fmt.Sprintf("the template has no unit %q", id), "it makes "+expand(t.id, t.first)+" to "+expand(t.id, t.first+t.count-1))
		}
	})
}

func (b *block) overrides() map[string]*block {
	out := make(map[string]*block)
	if v := b.get("overrides"); v != nil {
		for _, e := range v.entries() {
			if e.Is(markup.Mapping) {
				out[e.Key()] = e.block(levelOverride)
			}
		}
	}
	return out
}

// settings reads the keys of settings.
func (d *decoder) settings(b *block, u *Unit, ideal map[string]Dated[exact.Num]) {
	for _, ref := range []struct {
		key, list, by string
		dst           *string
	}{{"area", "areas", "id", &u.Area}, {"stage", "stages", "name", &u.Stage}, {"calendar", "calendars", "name", &u.Calendar}, {"gateway", "gateways", "name", &u.Gateway}} {
		if v := b.get(ref.key); v != nil && v.name(ref.dst) {
			v.known(ref.list, ref.by, *ref.dst)
		}
	}
	if v := b.get("product"); v != nil {
		u.Product = dated(v, (*value).product).over(u.Product)
	}
	maps.Copy(ideal, b.numsBy("ideal", aboveZero, func(v *value) bool { return v.known("products", "name", v.Key()) }))
	b.text("server", &u.Server)
	if v := b.get("endpoint"); v != nil && v.words(&u.Endpoint) && !strings.HasPrefix(u.Endpoint, "opc.tcp://") {
		v.Fail("this is not an endpoint", "write opc.tcp://HOST:PORT")
	}
	t := tuned{u.MinorStop, u.Hold, u.MinKW, u.RatedKW, u.Credit, u.Namespace}
	b.tuned(&t)
	u.MinorStop, u.Hold, u.MinKW, u.RatedKW, u.Credit, u.Namespace = t.minorStop, t.hold, t.minKW, t.ratedKW, t.credit, t.namespace
}

func (v *value) product() (name string, ok bool) {
	return name, v.name(&name) && v.known("products", "name", name)
}

// stageOf is the stage that lists the class.
func (d *decoder) stageOf(class string) string {
	for _, s := range d.model.Stages {
		if slices.Contains(s.Classes, class) {
			return s.Name
		}
	}
	return ""
}

// finishUnit settles what follows for the unit from its class and product, and adds it.
func (d *decoder) finishUnit(b *block, u *Unit, own map[string]Dated[exact.Num]) {
	u.own, u.ideal = own, d.ideals(u.Class.Name, own)
	u.Server, u.Endpoint = expand(u.Server, u.Number), expand(u.Endpoint, u.Number)
	if u.Class.State != nil && len(u.Class.StateMaps) > 0 {
		i := slices.IndexFunc(u.Class.StateMaps, func(m StateMap) bool { return m.Namespace == u.Namespace })
		if i < 0 {
			i = slices.IndexFunc(u.Class.StateMaps, func(m StateMap) bool { return m.Namespace == "" })
		}
		if i < 0 {
			d.once(b, fmt.Sprintf("the class %s has no state map for the namespace %q", u.Class.Name, u.Namespace), "add one to its state_maps, or correct the namespace")
		} else {
			u.States = u.Class.StateMaps[i].Codes
		}
	}
	b.checkPower(u.MinKW, u.RatedKW)
	if u.Class.countsPieces() {
		d.checkPieces(b, u)
	}
	if u.Gateway != "" {
		d.checkAddress(b, u)
	}
	d.model.Units = append(d.model.Units, u)
	d.model.index.units[u.ID] = u
}

// ideals is the ideal times of a class by product, own over them.
func (d *decoder) ideals(class string, own map[string]Dated[exact.Num]) map[string]Dated[exact.Num] {
	base := d.classIdeals[class]
	if base == nil {
		base = make(map[string]Dated[exact.Num])
		for _, p := range d.model.Products {
			if ideal := p.Ideal[class]; ideal != nil {
				base[p.Name] = ideal
			}
		}
		d.classIdeals[class] = base
	}
	if len(own) == 0 {
		return base
	}
	out := maps.Clone(base)
	for product, ideal := range own {
		out[product] = ideal.over(base[product])
	}
	return out
}

// checkPieces reports what a unit that counts pieces lacks for OEE. It is a warning where the engine will say so itself
// (OEE null, reason no_ideal), an error where pieces would not be counted at all.
func (d *decoder) checkPieces(b *block, u *Unit) {
	const blank = "until then its OEE has no answer (no_ideal)"
	if len(u.Product) == 0 && u.Class.Product == nil {
		d.onceWarn(b, fmt.Sprintf("units of %s count pieces, but nothing says which product", u.Class.Name), "add product; "+blank)
	}
	for _, p := range u.Product {
		if u.ideal[p.Value] == nil {
			d.onceWarn(b, fmt.Sprintf("nothing says how long one %s takes at best in a %s", p.Value, u.Class.Name), fmt.Sprintf("add ideal: {%s: SECONDS} to the product; %s", u.Class.Name, blank))
		}
		if u.Class.Progress != nil && len(u.Class.BatchQuantity) > 0 && u.BatchQuantity(p.Value) == nil {
			d.once(b, fmt.Sprintf("nothing says how many %s a whole batch of a %s has", p.Value, u.Class.Name), "add it to the class's batch_quantity")
		}
	}
}

// checkAddress reports a unit that a gateway is to collect, but cannot find.
func (d *decoder) checkAddress(b *block, u *Unit) {
	if u.Endpoint == "" {
		d.once(b, "the unit has a gateway, but no endpoint", "write endpoint: opc.tcp://HOST:PORT")
	}
	if u.Namespace == "" {
		d.once(b, "the unit has a gateway, but nothing says the namespace of its nodes", "write namespace: URI, here or in the class")
	}
	if u.Server == "" {
		u.Server = u.ID
	}
	key := u.Gateway + "/" + u.Server
	if first, ok := d.servers[key]; ok && first != u.Endpoint {
		d.once(b, fmt.Sprintf("the server %q of gateway %s has two endpoints, %s and %s", u.Server, u.Gateway, first, u.Endpoint), "give each endpoint its own server name")
	}
	d.servers[key] = u.Endpoint
	for i := range u.Class.Signals {
		if u.Class.Signals[i].Node == "" {
			d.once(b, fmt.Sprintf("the unit has a gateway, but the signal %s of %s has no node", u.Class.Signals[i].Name, u.Class.Name),
				"write node for the class or the signal, or node: none if the collector does not read it")
			return
		}
	}
}
