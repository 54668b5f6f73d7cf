package conform

import (
	"errors"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

// Parse reads a vector. name is the file's, for errors. The error is an *InvalidError with everything that is wrong.
func Parse(name string, data []byte) (*Vector, error) {
	root, err := decode(data)
	var syntax *syntaxError
	if errors.As(err, &syntax) {
		return nil, &InvalidError{File: name, Problems: []Problem{{Path: syntax.path, Reason: syntax.reason}}}
	}
	r := &reader{}
	v := r.vector(root)
	if len(r.problems) > 0 {
		return nil, &InvalidError{File: name, Problems: r.problems}
	}
	return v, nil
}

func (r *reader) vector(n *node) *Vector {
	e := r.object(n, "id", "title", "why", "zone", "now", "units", "lines", "queries")
	v := &Vector{ID: r.text(e.required("id")), Title: r.text(e.optional("title")), Why: r.text(e.optional("why"))}
	if z := e.required("zone"); z != nil && r.is(z, text) {
		zone, err := calendar.Zone(z.text)
		if err != nil {
			r.fail(z, "%s", err)
		}
		r.zone, v.Zone = zone, zone
	}
	v.Now = r.time(e.optional("now"), endOfTime)
	seen := map[string]string{}
	for _, item := range r.list(e.optional("units")) {
		v.Units = append(v.Units, r.unit(item, seen))
	}
	lines := map[string]string{}
	for _, item := range r.list(e.optional("lines")) {
		v.Lines = append(v.Lines, r.line(item, seen, lines))
	}
	q := queryReader{reader: r, units: seen, lines: lines, names: map[string]string{}, vector: v}
	for _, item := range r.list(e.optional("queries")) {
		v.Queries = append(v.Queries, q.query(item))
	}
	return v
}

func (r *reader) unit(n *node, seen map[string]string) Unit {
	e := r.object(n, "id", "line", "title", "why", "calendar", "state_map", "states", "alive", "ideal", "minor_stop_s", "counters", "booked", "scrap_reports", "power")
	id := e.required("id")
	u := Unit{ID: r.text(id)}
	r.unique(id, seen, u.ID)
	for _, comment := range []string{"line", "title", "why"} {
		r.text(e.optional(comment))
	}
	r.calendar(&u, e.optional("calendar"))
	u.States = r.states(e.optional("states"), r.stateMap(e.optional("state_map")))
	alive := e.find("alive")
	u.AlwaysAlive = alive == nil
	for _, item := range r.list(alive) {
		if pair, ok := r.tuple(item, 2, "[from, to]"); ok {
			u.Alive = append(u.Alive, r.interval(pair[0], pair[1]))
		}
	}
	for _, item := range r.list(e.optional("ideal")) {
		u.Ideals = append(u.Ideals, r.ideal(item))
	}
	u.MinorStop = r.quantity(e.optional("minor_stop_s"))
	r.counters(&u, e.optional("counters"))
	for _, item := range r.list(e.optional("booked")) {
		u.Booked = append(u.Booked, r.booking(item))
	}
	for _, item := range r.list(e.optional("scrap_reports")) {
		u.ScrapReports = append(u.ScrapReports, r.scrapReport(item))
	}
	u.Power = r.power(e.optional("power"))
	return u
}

func (r *reader) calendar(u *Unit, n *node) {
	for _, item := range r.list(n) {
		e := r.object(item, "kind", "from", "to")
		into := oneOf(r, e.required("kind"), "kind", map[string]*[]calendar.Interval{"shift": &u.Shifts, "planned_stop": &u.PlannedStops}, nil)
		v := r.interval(e.required("from"), e.required("to"))
		if into != nil {
			*into = append(*into, v)
		}
	}
}

// categories are the words of a state_map.
var categories = map[string]ledger.Category{
	"run": ledger.Run, "setup": ledger.Setup, "stop": ledger.Stop, "idle": ledger.Idle, "planned": ledger.Planned,
	"nonscheduled": ledger.Nonscheduled, "unknown": ledger.Unknown,
	"PRD": ledger.Run, "SBY": ledger.Idle, "UDT": ledger.Stop, "SDT": ledger.Planned, "NST": ledger.Nonscheduled, "ENG": ledger.Engineering,
}

func (r *reader) stateMap(n *node) map[string]ledger.Category {
	m := map[string]ledger.Category{}
	if n == nil || !r.is(n, object) {
		return m
	}
	for _, f := range n.fields {
		m[f.key] = oneOf(r, f.value, "category", categories, ledger.Unknown)
	}
	return m
}

// qualities say whether a value may be used.
var qualities = map[string]bool{"Good": true, "Uncertain": false, "Bad": false}

func (r *reader) quality(n *node) bool { return oneOf(r, n, "quality", qualities, true) }

func (r *reader) states(n *node, codes map[string]ledger.Category) []State {
	var out []State
	for _, item := range r.list(n) {
		t, ok := r.tuple(item, 3, "[time, code] or [time, code, quality]")
		if !ok {
			continue
		}
		code := r.text(t[1])
		category, mapped := codes[code]
		out = append(out, State{At: r.time(t[0], always), Code: code, Category: category, Mapped: mapped, Good: r.quality(at(t, 2))})
	}
	return out
}

func (r *reader) ideal(n *node) Ideal {
	e := r.object(n, "product", "seconds_per_unit", "from")
	return Ideal{Product: r.text(e.required("product")), Seconds: r.positive(e.required("seconds_per_unit")), From: r.time(e.optional("from"), always)}
}

func (r *reader) booking(n *node) Booking {
	e := r.object(n, "from", "to", "product", "total", "good", "reported_at")
	b := Booking{Interval: r.interval(e.required("from"), e.required("to")), Product: r.text(e.optional("product")), Total: r.quantity(e.required("total"))}
	b.Good = b.Total
	if good := e.optional("good"); good != nil {
		b.Good = r.quantity(good)
	}
	b.ReportedAt = b.To
	if reported := e.optional("reported_at"); reported != nil {
		b.ReportedAt = r.time(reported, b.To)
		if b.ReportedAt < b.To {
			r.fail(reported, "reported before the interval ended")
		}
	}
	return b
}

func (r *reader) scrapReport(n *node) ScrapReport {
	e := r.object(n, "reported_at", "made_from", "made_to", "quantity")
	reported := e.required("reported_at")
	s := ScrapReport{Made: r.interval(e.required("made_from"), e.required("made_to")), Quantity: r.quantity(e.required("quantity"))}
	s.ReportedAt = r.time(reported, s.Made.To)
	if s.ReportedAt < s.Made.To {
		r.fail(reported, "reported before made_to")
	}
	return s
}

func (r *reader) line(n *node, units, seen map[string]string) Line {
	e := r.object(n, "id", "title", "why", "unit_seconds", "out")
	id, out, seconds := e.required("id"), e.required("out"), e.required("unit_seconds")
	r.text(e.optional("title"))
	r.text(e.optional("why"))
	l := Line{ID: r.text(id), Out: r.text(out), UnitSeconds: map[string]exact.Num{}}
	r.unique(id, seen, l.ID)
	if seconds == nil || !r.is(seconds, object) {
		return l
	}
	for _, f := range seconds.fields {
		if _, ok := units[f.key]; !ok {
			r.fail(f.value, "no unit %q", f.key)
		}
		l.UnitSeconds[f.key] = r.quantity(f.value)
		l.Units = append(l.Units, f.key)
	}
	if _, ok := l.UnitSeconds[l.Out]; !ok && out != nil {
		r.fail(out, "%q is not one of the line's units", l.Out)
	}
	return l
}
