package plant

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
)

// describe puts a whole model into words, for Diff. What is computed from the rest (UnitSeconds, merged ideals) is left out:
// its causes are there.
func (m *Model) describe() *description {
	d := &description{has: map[part]bool{}, labels: map[part][]string{}, values: map[fact]Dated[string]{}}
	put := d.part("plant", "")
	put("name", text(m.Name))
	put("description", text(m.Description))
	put("site", text(m.Site))
	put("zone", text(m.Zone))
	for _, a := range m.Areas {
		d.part("area", a.ID)("description", text(a.Description))
	}
	for i := range m.Calendars {
		m.Calendars[i].describe(d)
	}
	for _, p := range m.Products {
		p.describe(d)
	}
	for _, s := range m.Stages {
		s.describe(d)
	}
	for _, c := range m.Classes {
		c.describe(d)
	}
	for _, u := range m.Units {
		u.describe(d)
	}
	for _, l := range m.Lines {
		l.describe(d)
	}
	for _, e := range m.Meters {
		e.describe(d)
	}
	for _, g := range m.Gateways {
		put := d.part("gateway", g.Name)
		put("description", text(g.Description))
		put("store", text(strings.TrimSpace(g.URL+" "+g.Database+g.Org+" "+g.Bucket)))
		put("token file", text(g.TokenFile))
		put("security", text(g.Policy+" "+g.Mode))
	}
	for i := range m.Limits {
		m.Limits[i].describe(d)
	}
	return d
}

func (c *Calendar) describe(d *description) {
	put := d.part("calendar", c.Name)
	put("description", text(c.Description))
	for _, s := range c.Rules.DayStarts {
		put("plant day"+period(calendar.Period{From: s.From}), text(s.At.String()))
	}
	for i, s := range c.Rules.Shifts {
		put(fmt.Sprintf("shift %d %s", i+1, s.Name), text(showDaily(&s.Daily)))
	}
	for i, s := range c.Rules.Stops {
		words := showDate(s.Once.From, c.Rules.Zone) + " to " + showDate(s.Once.To, c.Rules.Zone)
		if s.Daily != nil {
			words = showDaily(s.Daily)
		}
		put(fmt.Sprintf("planned stop %d %s", i+1, s.Name), text(strings.TrimSpace(words+" "+s.Reason)))
	}
	for _, h := range c.Rules.Holidays {
		put("holiday "+h.Date.String(), text(strings.TrimSpace("free "+h.Name)))
	}
}

func showDaily(v *calendar.Daily) string {
	out := v.Begin.String() + " to " + v.End.String()
	if v.Days != 0 {
		for day := time.Sunday; day <= time.Saturday; day++ {
			if v.Days.Holds(day) {
				out += " " + day.String()[:3]
			}
		}
	}
	if v.Cycle.Length > 0 {
		out += fmt.Sprintf(", days %v of %d from %s", v.Cycle.On, v.Cycle.Length, v.Cycle.Anchor)
	}
	return out + period(v.Effective)
}

func period(p calendar.Period) string {
	out := ""
	if !p.From.IsZero() {
		out += " from " + p.From.String()
	}
	if !p.Until.IsZero() {
		out += " until " + p.Until.String()
	}
	return out
}

func (p *Product) describe(d *description) {
	put := d.part("product", p.Name)
	put("description", text(p.Description))
	put("watts|W", words(p.Watts, showNum))
	put("mass|kg", words(p.Mass, showNum))
	for _, class := range sortedKeys(p.Ideal) {
		put("ideal of "+class+"|s", words(p.Ideal[class], showNum))
	}
}

func (s *Stage) describe(d *description) {
	put := d.part("stage", s.Name)
	put("description", text(s.Description))
	put("output", text(s.Output))
	put("classes|"+names, list(s.Classes))
	put("good output counted at", text(s.GoodAt))
	put("takes from", text(s.From))
	put("input per piece", words(s.Input, showNum))
	put("recycled share", words(s.Recycled, showNum))
	put("carriers|"+names, list(s.Carriers))
}

func (c *Class) describe(d *description) {
	put := d.part("class", c.Name)
	put("description", text(c.Description))
	put("counts", text(c.PieceUnit))
	for _, r := range []struct {
		name string
		s    *Signal
	}{{"state", c.State}, {"total", c.Total}, {"good", c.Good}, {"scrap", c.Scrap}, {"energy", c.Energy}, {"power", c.Power}, {"progress", c.Progress},
		{"product", c.Product}, {"reason", c.Reason}, {"batch", c.Batch}} {
		if r.s != nil {
			put("role "+r.name, text(r.s.Name))
		}
	}
	for i := range c.StateMaps {
		c.StateMaps[i].describe(put)
	}
	put("reasons", text(pairs(c.Reasons)))
	put("product codes", text(pairs(c.ProductCodes)))
	for _, p := range sortedKeys(c.BatchQuantity) {
		put(strings.TrimSpace("batch quantity "+p), words(c.BatchQuantity[p], showNum))
	}
	put("full progress", words(c.ProgressFull, showNum))
	describeTuned(put, c.MinorStop, c.Hold, c.MinKW, c.RatedKW, c.Credit)
	for i := range c.Signals {
		c.Signals[i].describe(d, c.Name)
	}
}

// describe tells each code by itself, so that one that changes is one line.
func (s *StateMap) describe(put func(string, Dated[string])) {
	var codes []string
	for _, e := range s.Codes {
		codes = unite(codes, sortedKeys(e.Value))
	}
	for _, code := range codes {
		put(strings.TrimSpace("state "+code+" "+s.Namespace), words(s.Codes, func(c Codes) string {
			m := c[code]
			if m.Reason == "" {
				return string(m.Category)
			}
			return string(m.Category) + " (" + m.Reason + ")"
		}))
	}
}

func (s *Signal) describe(d *description, class string) {
	put := d.part("signal", class+"."+s.Name)
	put("description", text(s.Description))
	put("type", text(string(s.Type)))
	put("kind", text(string(s.Kind)))
	put("unit", text(s.Unit))
	put("unit of the machine", text(s.SourceUnit))
	if s.Range != nil {
		put("range", text(showNum(s.Range.Low)+" to "+showNum(s.Range.High)))
	}
	put("reporting", text(string(s.Reporting)))
	put("counting", words(s.Rules, func(r Rule) string {
		out := string(r.Kind)
		for _, v := range []struct {
			name string
			x    exact.Num
		}{{"modulus", r.Modulus}, {"epsilon", r.Epsilon}, {"at most per second", r.MaxPerSec}} {
			if v.x.Sign() > 0 {
				out += ", " + v.name + " " + showNum(v.x)
			}
		}
		return out
	}))
	put("node", text(s.Node))
	put("sampling", text(showDuration(s.Sampling)))
	put("deadband", text(s.Deadband))
}

func (u *Unit) describe(d *description) {
	put := d.part("unit", u.ID)
	put("class", text(u.Class.Name))
	put("area", text(u.Area))
	put("stage", text(u.Stage))
	put("calendar", text(u.Calendar))
	put("gateway", text(u.Gateway))
	put("server", text(u.Server))
	put("endpoint", text(u.Endpoint))
	put("namespace", text(u.Namespace))
	put("product", words(u.Product, func(s string) string { return s }))
	c := u.Class
	describeTuned(put, ownOnly(u.MinorStop, c.MinorStop), ownOnly(u.Hold, c.Hold), ownOnly(u.MinKW, c.MinKW), ownOnly(u.RatedKW, c.RatedKW), ownOnly(u.Credit, c.Credit))
	for _, p := range sortedKeys(u.own) {
		put("ideal of "+p+"|s", words(u.own[p], showNum))
	}
}

// ownOnly is nothing when d is what the class says: over shares the class's memory then.
func ownOnly[T any](d, class Dated[T]) Dated[T] {
	if len(d) > 0 && len(d) == len(class) && &d[0] == &class[0] {
		return nil
	}
	return d
}

func describeTuned(put func(string, Dated[string]), minor, hold Dated[time.Duration], low, rated Dated[exact.Num], credit Dated[Credit]) {
	put("minor stop", words(minor, showDuration))
	put("hold", words(hold, showDuration))
	put("least power|kW", words(low, showNum))
	put("rated power|kW", words(rated, showNum))
	put("credit", words(credit, func(c Credit) string { return string(c) }))
}

func (l *Line) describe(d *description) {
	put := d.part("line", l.ID)
	put("description", text(l.Description))
	put("area", text(l.Area))
	put("product", words(l.Product, func(s string) string { return s }))
	steps := make([]string, len(l.Steps))
	for i, s := range l.Steps {
		steps[i] = s.Name
		put("step "+s.Name+" units|"+names, list(s.Units))
		put("step "+s.Name+" pieces per finished unit", words(s.Per, showNum))
		put("step "+s.Name+" seconds|s", words(s.Seconds, showNum))
	}
	put("steps|"+names, list(steps))
	put("out", text(l.Out))
}

func (m *Meter) describe(d *description) {
	put := d.part("meter", m.ID)
	put("parent", text(m.Parent))
	put("kind", text(string(m.Kind)))
	put("units|"+names, list(m.Units))
	put("registers behind it|"+names, list(m.Behind))
	put("source", text(m.Source))
	put("key", words(m.Key, func(k Key) string {
		out := strings.TrimSpace(string(k.Kind) + " " + k.Signal)
		for _, id := range sortedKeys(k.Shares) {
			out += " " + id + " " + showNum(k.Shares[id])
		}
		return out
	}))
}

func (l *Limit) describe(d *description) {
	put := d.part("limit", l.Name)
	put("class", text(l.Class))
	if l.Class == "" {
		put("units|"+names, list(l.Units))
	}
	put("looks at", text(l.Signal+l.KPI))
	if l.Below != nil {
		put("below", text(showNum(*l.Below)))
	}
	if l.Above != nil {
		put("above", text(showNum(*l.Above)))
	}
	put("for", text(showDuration(l.For)))
	put("severity", text(string(l.Severity)))
	put("text", text(l.Text))
}

// showNum writes a number as a person does: a decimal where one of few digits says it exactly, else the fraction.
func showNum(x exact.Num) string {
	const digits = 9
	s := x.Rat().FloatString(digits)
	if y, err := exact.Parse(s); err != nil || !y.Equal(x) {
		return x.String()
	}
	if slices.Contains([]byte(s), '.') {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
