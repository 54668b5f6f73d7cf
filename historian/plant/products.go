package plant

import (
	"slices"

	"kvarts/historian/markup"
)

// areas reads the list of areas.
func (d *decoder) areas(file *block) {
	seen := make(map[string]markup.Place)
	file.list("areas", levelArea, func(b *block) {
		var a Area
		b.require("id", "write a short name; it is the tag area of its units")
		b.name("id", &a.ID)
		b.Unique(seen, "id", a.ID)
		b.text("description", &a.Description)
		d.model.Areas = append(d.model.Areas, a)
	})
}

// products reads the list of products.
func (d *decoder) products(file *block) {
	seen := make(map[string]markup.Place)
	file.list("products", levelProduct, func(b *block) {
		p := &Product{}
		b.require("name", "write the product's short name, for example M10")
		b.name("name", &p.Name)
		b.Unique(seen, "name", p.Name)
		b.text("description", &p.Description)
		b.nums("watts", &p.Watts, aboveZero)
		b.nums("mass_kg", &p.Mass, aboveZero)
		p.Ideal = b.numsBy("ideal", aboveZero, func(v *value) bool { return v.known("classes", "name", v.Key()) })
		d.model.Products = append(d.model.Products, p)
		d.model.index.products[p.Name] = p
	})
}

// stages reads the list of stages.
func (d *decoder) stages(file *block) {
	seen, owners := make(map[string]markup.Place), make(map[string]markup.Place)
	at := make(map[string]*markup.Value)
	file.list("stages", levelStage, func(b *block) {
		s := &Stage{Carriers: []string{"electricity"}}
		b.require("name", "write a short name, for example wafer")
		b.name("name", &s.Name)
		b.Unique(seen, "name", s.Name)
		b.text("description", &s.Description)
		b.require("output", "write the unit of what the stage gives, for example kg or wafer")
		b.text("output", &s.Output)
		if v := b.require("classes", "list the classes whose units belong to the stage"); v != nil {
			s.Classes = v.stageClasses(owners, b.Path())
		}
		b.goodAt(s)
		b.input(s)
		if v := b.get("carriers"); v != nil {
			if s.Carriers = nil; v.Empty() {
				v.FailHidden("the list is empty", "list the forms of energy, or remove the key for electricity")
			}
			for _, item := range v.texts() {
				if c, ok := choose(item, "electricity", "heat", "steam", "gas", "carbon"); ok && !slices.Contains(s.Carriers, c) {
					s.Carriers = append(s.Carriers, c)
				}
			}
		}
		d.model.Stages = append(d.model.Stages, s)
		d.model.index.stages[s.Name] = s
		at[s.Name] = b.Value
	})
	above := func(name string) string {
		if s, ok := d.model.index.stages[name]; ok {
			return s.From
		}
		return ""
	}
	for _, s := range d.model.Stages {
		if cycle := loop(s.Name, above); cycle != "" {
			at[s.Name].FailHidden("the stages run in a circle: "+cycle, "remove from at the first stage of the chain")
			break
		}
	}
}

// stageClasses reads the classes of a stage, which stands at path; owners are those of the stages before.
func (v *value) stageClasses(owners map[string]markup.Place, path string) []string {
	var out []string
	for _, item := range v.texts() {
		var name string
		if !item.name(&name) || !item.known("classes", "name", name) {
			continue
		}
		if first, taken := owners[name]; taken {
			item.Fail("this class belongs to a stage already: "+first.String(), "leave it in one; single units can say stage themselves")
			continue
		}
		owners[name] = markup.Place{Line: item.Pos().Line, Path: path}
		out = append(out, name)
	}
	if v.Empty() {
		v.FailHidden("the list is empty", "list the classes whose units belong to the stage")
	}
	return out
}

// goodAt reads the class whose good pieces count.
func (b *block) goodAt(s *Stage) {
	v := b.get("good_at")
	switch {
	case v == nil && len(s.Classes) == 1:
		s.GoodAt = s.Classes[0]
	case v == nil && len(s.Classes) == 0: // said already
	case v == nil:
		b.require("good_at", "write the class at which good output is counted")
	case !v.name(&s.GoodAt):
	case !slices.Contains(s.Classes, s.GoodAt):
		v.Fail("good output must be counted at one of the stage's classes: "+some(s.Classes), "name one of them")
	}
}

// input reads what the stage takes from the one before.
func (b *block) input(s *Stage) {
	from := b.get("from")
	if from != nil && from.name(&s.From) {
		from.known("stages", "name", s.From)
	}
	b.nums("input", &s.Input, aboveZero)
	b.nums("recycled", &s.Recycled, belowOne)
	for _, key := range []string{"input", "recycled"} {
		if v := b.get(key); v != nil && from == nil {
			v.FailHidden("the stage takes nothing from another", "add from, or remove it")
		}
	}
	if from != nil && b.get("input") == nil {
		b.Missing("input", "write how much of the other stage's output one piece takes")
	}
}

// loop walks up from name; it is the path of a circle that comes back to name, "" when there is none.
func loop(name string, above func(string) string) string {
	path := name
	seen := map[string]bool{name: true}
	for at := above(name); at != ""; at = above(at) {
		path += " → " + at
		if at == name {
			return path
		}
		if seen[at] {
			return "" // a circle further up, which is reported there
		}
		seen[at] = true
	}
	return ""
}
