package conform

import (
	"strings"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
)

// queryReader reads queries, which refer to what was read before them. The maps hold where a name was first used.
type queryReader struct {
	*reader
	vector              *Vector
	units, lines, names map[string]string
}

var standards = map[string]kpi.Standard{"iso": kpi.ISO, "e79": kpi.E79}

func (r *queryReader) query(n *node) Query {
	e := r.object(n, "name", "title", "why", "target", "window", "asof", "standard", "chunk_s", "tolerance", "expect", "not")
	name := e.required("name")
	q := Query{Name: r.text(name)}
	r.unique(name, r.names, q.Name)
	r.text(e.optional("title"))
	r.text(e.optional("why"))
	if target := e.required("target"); target != nil {
		r.target(&q, target)
	}
	r.window(&q, e.required("window"))
	q.AsOf = r.time(e.optional("asof"), endOfTime)
	standard := e.optional("standard")
	q.Standard = oneOf(r.reader, standard, "standard", standards, kpi.ISO)
	if q.Standard == kpi.E79 && q.Line != "" {
		r.fail(standard, "e79 is not for lines")
	}
	if chunk := e.optional("chunk_s"); chunk != nil {
		q.Chunk = r.length(chunk, r.positive(chunk))
	}
	q.Tolerance = exact.Frac(1, 1_000_000_000)
	if tolerance := e.optional("tolerance"); tolerance != nil {
		q.Tolerance = r.quantity(tolerance)
	}
	q.Expect = r.expect(e.optional("expect"))
	q.Not = r.not(e.optional("not"))
	return q
}

func (r *queryReader) target(q *Query, n *node) {
	e := r.object(n, "unit", "units", "plant", "line")
	if e.kind != object {
		return
	}
	var given []*node
	for _, key := range e.known {
		if v := e.optional(key); v != nil {
			given = append(given, v)
		}
	}
	if len(given) != 1 {
		r.fail(n, "%d targets, want one of unit, units, plant, line", len(given))
		return
	}
	switch v := given[0]; v.step {
	case ".unit":
		q.Units = r.references([]*node{v}, r.units, "unit")
	case ".units":
		q.Units = r.references(r.list(v), r.units, "unit")
	case ".line":
		q.Line = strings.Join(r.references([]*node{v}, r.lines, "line"), "")
	default:
		if r.is(v, boolean) && !v.yes {
			r.fail(v, "false: want true, or another target")
		}
		for _, u := range r.vector.Units {
			q.Units = append(q.Units, u.ID)
		}
	}
}

// references are names that must be known, each at most once.
func (r *queryReader) references(names []*node, known map[string]string, what string) []string {
	var out []string
	seen := map[string]string{}
	for _, n := range names {
		if !r.is(n, text) {
			continue
		}
		if _, ok := known[n.text]; !ok {
			r.fail(n, "no %s %q", what, n.text)
		}
		r.unique(n, seen, n.text)
		out = append(out, n.text)
	}
	return out
}

func (r *queryReader) window(q *Query, n *node) {
	if n == nil {
		return
	}
	t, ok := r.tuple(n, 2, "[from, to]")
	if !ok {
		return
	}
	q.Window.From, q.Window.To = r.time(t[0], always), r.time(t[1], always)
	if q.Window.From != always && q.Window.To != always && q.Window.To < q.Window.From {
		r.fail(t[1], "the window ends before it begins")
	}
}

const (
	keyReason   = "reason"
	keyFindings = "findings"
)

// ExpectKeys are the keys that a vector may expect, in the order in which they are shown.
func ExpectKeys() []string {
	keys := make([]string, 0, kpi.NumKeys)
	for k := kpi.Key(0); k < kpi.NumKeys; k++ {
		if k.InVectors() {
			keys = append(keys, k.Name())
		}
	}
	return append(keys, keyReason, keyFindings)
}

func (r *queryReader) expect(n *node) []Expectation {
	if n == nil {
		return nil
	}
	e := r.object(n, ExpectKeys()...)
	var out []Expectation
	for _, f := range e.fields {
		x := Expectation{Key: f.key, path: f.value.path()}
		if f.key == keyFindings {
			if f.value.kind != null {
				x.Findings = r.texts(f.value)
			}
		} else {
			r.value(&x, f.value)
		}
		out = append(out, x)
	}
	return out
}

func (r *queryReader) not(n *node) []Expectation {
	if n == nil {
		return nil
	}
	e := r.object(n, ExpectKeys()...)
	var out []Expectation
	for _, f := range e.fields {
		values := []*node{f.value}
		if f.value.kind == list {
			values = f.value.items
		}
		for _, v := range values {
			x := Expectation{Key: f.key, path: v.path()}
			if f.key == keyFindings {
				x.Findings = []string{r.text(v)}
			} else {
				r.value(&x, v)
			}
			out = append(out, x)
		}
	}
	return out
}

func (r *queryReader) texts(n *node) []string {
	var out []string
	for _, item := range r.list(n) {
		out = append(out, r.text(item))
	}
	return out
}

// value is what one key must or must not be.
func (r *queryReader) value(x *Expectation, n *node) {
	switch {
	case n.kind == null:
		x.Null = true
	case x.Key == keyReason:
		x.Text = r.text(n)
		x.Null = n.kind == text && x.Text == ""
	default:
		x.Number = r.number(n)
		x.Decimal = strings.ContainsAny(n.text, ".eE")
	}
}
