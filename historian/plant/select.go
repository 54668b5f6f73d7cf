package plant

import (
	"path"
	"slices"
	"strings"

	"kvarts/historian/markup"
)

// selection reads a list of units: ids, ranges "CZ-01..CZ-14" in the order of the model, and patterns "CZ-*". {n} stands for
// the number n. Each unit is in it once, in the order of the list.
func (v *value) selection(n int) []string {
	var out []string
	seen := make(map[string]bool)
	for _, item := range v.texts() {
		var s string
		if !item.words(&s) {
			continue
		}
		for _, id := range item.selected(expand(s, n)) {
			if seen[id] {
				item.Fail("the unit "+id+" is in the list already", "name it once")
				break
			}
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// selected finds the units that one entry of a list means.
func (v *value) selected(s string) []string {
	d := v.d
	if ids, ok := d.selected[s]; ok {
		return ids
	}
	var out []string
	first, last, isRange := strings.Cut(s, "..")
	switch {
	case isRange:
		i, j := d.position(first), d.position(last)
		if i < 0 || j < i {
			v.Fail("there is no such range of units", "write FIRST..LAST with two units in the order in which the model lists them")
			return nil
		}
		for _, u := range d.model.Units[i : j+1] {
			out = append(out, u.ID)
		}
	case strings.ContainsAny(s, "*?["):
		for _, u := range d.model.Units {
			if ok, err := path.Match(s, u.ID); ok && err == nil {
				out = append(out, u.ID)
			}
		}
		if len(out) == 0 {
			v.Fail("no unit matches this pattern", "write for example CZ-*")
			return nil
		}
	case d.model.index.units[s] == nil:
		v.refer("units", s, d.unitIDs())
		return nil
	default:
		return []string{s}
	}
	d.selected[s] = out
	return out
}

func (d *decoder) position(id string) int {
	return slices.IndexFunc(d.model.Units, func(u *Unit) bool { return u.ID == id })
}

func (d *decoder) unitIDs() []string {
	out := make([]string, len(d.model.Units))
	for i, u := range d.model.Units {
		out[i] = u.ID
	}
	return out
}

// known reports a name that no block of a list has, wherever in the file the list stands.
func (v *value) known(list, by, name string) bool {
	names := v.d.names(list, by)
	if slices.Contains(names, name) {
		return true
	}
	v.refer(list, name, names)
	return false
}

// names are the values of a key in all blocks of one of the file's lists, as written.
func (d *decoder) names(list, by string) []string {
	if names, ok := d.declared[list]; ok {
		return names
	}
	var out []string
	if blocks := d.doc.Root().Find(list); blocks != nil && blocks.Kind() == markup.Sequence {
		for _, item := range blocks.Items() {
			if name := item.Find(by); name != nil && name.Kind() == markup.Scalar {
				out = append(out, name.Raw())
			}
		}
	}
	d.declared[list] = out
	return out
}
