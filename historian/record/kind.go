package record

import (
	"slices"
	"strings"

	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Spec is what belongs to a kind. Names are those of the columns of an import, of the command line and of the store.
type Spec struct {
	Kind     Kind
	Help     string
	Where    []string // of unit, line, area
	Begin    string   // column of From
	End      string   // column of To; "" for a moment
	Required []string
	Optional []string
	key      []string // columns that tell one record from another of the same kind, place and begin
}

// Has says that the column belongs to the kind.
func (s *Spec) Has(column string) bool {
	return column != "" && (column == s.Begin || column == s.End) || slices.Contains(s.Where, column) ||
		slices.Contains(s.Required, column) || slices.Contains(s.Optional, column)
}

// Specs are the kinds, in the order in which people are told of them.
func Specs() []Spec {
	unit, unitLine := []string{"unit"}, []string{"unit", "line"}
	return []Spec{
		{DowntimeReason, "why a unit did not run", unit, "from", "to", []string{"reason"}, []string{"category"}, nil},
		{Order, "which order a unit or line worked on", unitLine, "from", "to", []string{"order", "product"}, nil, []string{"order"}},
		{Changeover, "set-up between products", unitLine, "from", "to", nil, []string{"product", "reason"}, nil},
		{Booked, "pieces counted by hand", unit, "from", "to", []string{"total"}, []string{"good", "product", "order", "reported_at"}, []string{"to", "product", "order"}},
		{Scrap, "pieces that turned out not to be good", unit, "made_from", "made_to", []string{"quantity", "reported_at"}, []string{"reason", "product"}, []string{"made_to", "reported_at", "reason", "product"}},
		{CounterSwap, "a meter replaced", unit, "at", "", []string{"signal", "final", "initial"}, []string{"reason"}, []string{"signal"}},
		{CounterReset, "a counter set back by hand", unit, "at", "", []string{"signal", "final", "initial"}, []string{"reason"}, []string{"signal"}},
		{PlannedStop, "approved maintenance", []string{"unit", "line", "area"}, "from", "to", []string{"reason"}, nil, nil},
		{Rework, "pieces worked again", unit, "from", "to", []string{"quantity"}, []string{"good", "product", "order"}, []string{"to", "product", "order"}},
	}
}

// SpecOf is the spec of a kind.
func SpecOf(k Kind) (Spec, bool) {
	for _, s := range Specs() {
		if s.Kind == k {
			return s, true
		}
	}
	return Spec{}, false
}

// Categories are what a downtime reason may say that its time counts as.
func Categories() []string {
	return []string{"setup", "stop", "idle", "planned", "engineering", "nonscheduled"}
}

// column is one field of a Record by its name; exactly one of text, number and instant gives it.
type column struct {
	name    string
	text    func(*Record) *string
	number  func(*Record) **exact.Num
	instant func(*Record) *telemetry.Instant
}

// columns are the fields that are stored under their own names. Where, From and To are not among them.
func columns() []column {
	return []column{
		{name: "reason", text: func(r *Record) *string { return &r.Reason }},
		{name: "category", text: func(r *Record) *string { return &r.Category }},
		{name: "order", text: func(r *Record) *string { return &r.Order }},
		{name: "product", text: func(r *Record) *string { return &r.Product }},
		{name: "signal", text: func(r *Record) *string { return &r.Signal }},
		{name: "total", number: func(r *Record) **exact.Num { return &r.Total }},
		{name: "good", number: func(r *Record) **exact.Num { return &r.Good }},
		{name: "quantity", number: func(r *Record) **exact.Num { return &r.Quantity }},
		{name: "final", number: func(r *Record) **exact.Num { return &r.Final }},
		{name: "initial", number: func(r *Record) **exact.Num { return &r.Initial }},
		{name: "reported_at", instant: func(r *Record) *telemetry.Instant { return &r.ReportedAt }},
	}
}

// get is the field as text, "" when it is not told.
func (c *column) get(r *Record) string {
	switch {
	case c.text != nil:
		return *c.text(r)
	case c.number != nil:
		if n := *c.number(r); n != nil {
			return decimal(*n)
		}
	case *c.instant(r) != 0:
		return c.instant(r).String()
	}
	return ""
}

// decimal is n as people write it, where nine decimals say it, else as a fraction.
func decimal(n exact.Num) string {
	nano := n.Mul(exact.Int(1e9))
	if !nano.Equal(nano.Round()) || !strings.Contains(n.String(), "/") {
		return n.String()
	}
	return strings.TrimRight(n.Rat().FloatString(9), "0")
}

// places are the tags that say where.
func places() []column {
	return []column{
		{name: "unit", text: func(r *Record) *string { return &r.Unit }},
		{name: "line", text: func(r *Record) *string { return &r.Line }},
		{name: "area", text: func(r *Record) *string { return &r.Area }},
	}
}

// Get is the value of a column of r as people write it, "" when r does not tell it: the columns of its Spec, and kind and id.
// Times are RFC 3339, UTC.
func (r *Record) Get(name string) string {
	spec, _ := SpecOf(r.Kind)
	switch name {
	case "":
		return ""
	case "kind":
		return string(r.Kind)
	case "id":
		return r.ID
	case spec.Begin:
		return r.From.String()
	case spec.End:
		return r.To.String()
	}
	for _, c := range slices.Concat(places(), columns()) {
		if c.name == name {
			return c.get(r)
		}
	}
	return ""
}
