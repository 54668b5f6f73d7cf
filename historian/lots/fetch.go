package lots

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// How a closure is read: one round after the other while there are few lots to look for, each looked for in its part only; then,
// and where there are many, the whole book at once: some seconds for 100,000 steps.
const (
	maxRounds    = 32
	maxRefs      = 512
	refsPerAsk   = 64  // conditions of one statement
	partsPerPost = 128 // statements of one request
)

// row is a row of a query as a point.
type row struct{ *influx.Row }

func (r row) value(field string) influx.Value {
	if i := slices.Index(r.Columns, field); i >= 0 {
		return r.Values[i]
	}
	return influx.Value{}
}

func (r row) Text(field string) (string, bool) { return r.value(field).Text() }
func (r row) Int(field string) (int64, bool)   { return r.value(field).Int() }

// shelf is what was read so far: every revision of each lot and step once.
type shelf struct {
	client *influx.Client
	book   Book
	has    map[string]bool // entries by kind, id and revision as they stand
	asked  map[string]bool // refs of which everything was read
	all    bool            // the whole book was read
}

func newShelf(client *influx.Client) *shelf {
	return &shelf{client: client, has: make(map[string]bool), asked: make(map[string]bool)}
}

// take adds a point, unless it is there already.
func (s *shelf) take(p point) error {
	lot, step, err := decode(p)
	if err != nil {
		return err
	}
	var what, id string
	var r Revision
	if lot != nil {
		what, id, r = entryLot, lot.ID, lot.Revision
	} else {
		what, id, r = entryStep, step.ID, step.Revision
	}
	key := fmt.Sprint(what, " ", r.Number, " ", r.KnownAt, " ", r.By, " ", r.Source, " ", id)
	if s.has[key] {
		return nil
	}
	s.has[key] = true
	if lot != nil {
		s.book.Lots = append(s.book.Lots, *lot)
	} else {
		s.book.Steps = append(s.book.Steps, *step)
	}
	return nil
}

// query runs statements, each of the points under one condition.
func (s *shelf) query(ctx context.Context, conditions []string, params map[string]any) error {
	for some := range slices.Chunk(conditions, partsPerPost) {
		text := make([]string, len(some))
		for i, where := range some {
			text[i] = `SELECT "` + strings.Join(Fields(), `", "`) + `" FROM ` + Measurement + " WHERE " + where + " GROUP BY " + strings.Join(Tags(), ", ")
		}
		err := s.client.Query(ctx, influx.Query{Text: strings.Join(text, "; "), Params: params}, func(r influx.Row) error {
			if err := s.take(row{&r}); err != nil {
				at, _ := r.Time()
				return fmt.Errorf("point %s of %v at %d ns: %w (import it again, and remove the point with InfluxQL: DELETE FROM %s WHERE time = %d)",
					Measurement, r.Tags, at, err, Measurement, at)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read lot book: %w", err)
		}
	}
	return nil
}

// look reads everything under the refs that was not read yet.
func (s *shelf) look(ctx context.Context, refs []string) error {
	byPart := make(map[string][]string)
	n := 0
	for _, ref := range refs {
		if s.all || s.asked[ref] {
			continue
		}
		s.asked[ref] = true
		byPart[partOf(ref)] = append(byPart[partOf(ref)], ref)
		n++
	}
	switch {
	case n == 0:
		return nil
	case n > maxRefs:
		return s.everything(ctx)
	}
	var conditions []string
	params := make(map[string]any, n)
	for _, part := range sortedKeys(byPart) {
		for some := range slices.Chunk(byPart[part], refsPerAsk) {
			any := make([]string, len(some))
			for i, ref := range some {
				name := fmt.Sprintf("r%d", len(params))
				params[name], any[i] = ref, "ref = $"+name
			}
			conditions = append(conditions, "part = '"+part+"' AND ("+strings.Join(any, " OR ")+")")
		}
	}
	return s.query(ctx, conditions, params)
}

// everything reads the whole book, each lot and step once.
func (s *shelf) everything(ctx context.Context) error {
	if s.all {
		return nil
	}
	s.all = true
	return s.query(ctx, []string{"entry = '" + entryLot + "'", "entry = '" + entryStep + "'"}, nil)
}

// ReadClosure reads what Graph.Trace and Graph.Embody of a lot need to know, as known at asof: the lots and steps reached from it,
// all other steps beside those lots, and all other lots of those steps. The book has nothing else to say of them.
func ReadClosure(ctx context.Context, client *influx.Client, id string, d Direction, asof telemetry.Instant) (Book, error) {
	s := newShelf(client)
	if err := s.closure(ctx, []string{id}, d, asof, Book{}); err != nil {
		return Book{}, fmt.Errorf("%s from lot %q: %w", d, id, err)
	}
	return s.book.Effective(asof), nil
}

// closure reads on in a direction until there is nothing more; added stands beside what is stored.
func (s *shelf) closure(ctx context.Context, ids []string, d Direction, asof telemetry.Instant, added Book) error {
	reached := make(map[string]bool)
	for _, id := range ids {
		reached[id] = true
	}
	for round := 0; ; round++ {
		known := Book{Lots: s.book.Lots, Steps: slices.Concat(s.book.Steps, added.Steps)}
		refs := s.refs(known.Effective(asof).Steps, reached, d)
		if !slices.ContainsFunc(refs, func(ref string) bool { return !s.asked[ref] }) || s.all {
			return nil
		}
		if round == maxRounds {
			return s.everything(ctx)
		}
		if err := s.look(ctx, refs); err != nil {
			return err
		}
	}
}

// refs adds to reached what the steps lead to, and gives the refs of it, and of all other lots of those steps.
func (s *shelf) refs(steps []Step, reached map[string]bool, d Direction) []string {
	g := make(map[string][]*Step) // steps that lead on from a lot
	for i := range steps {
		from, _ := ends(&steps[i], d)
		for _, id := range from {
			g[id] = append(g[id], &steps[i])
		}
	}
	beside := make(map[string]bool)
	for queue := sortedKeys(reached); len(queue) > 0; queue = queue[1:] {
		for _, step := range g[queue[0]] {
			from, to := ends(step, d)
			for _, id := range from {
				beside[id] = true
			}
			for _, id := range to {
				if !reached[id] {
					reached[id] = true
					queue = append(queue, id)
				}
			}
		}
	}
	var out []string
	for _, id := range sortedKeys(reached) {
		beside[id] = true
	}
	for _, id := range sortedKeys(beside) {
		out = append(out, refLot(id))
	}
	return out
}

// ends are the lots from which a step leads on, and those that it leads to.
func ends(s *Step, d Direction) (from, to []string) {
	all := s.refs()
	in, out := all[:len(s.Inputs)], all[len(s.Inputs):]
	if d == Forward {
		return in, out
	}
	return out, in
}

// Filter says which lots are meant. The zero Filter is all.
type Filter struct {
	Kind   Kind
	Window calendar.Interval // in which they were made; the zero Interval is all of time
}

// ReadLots reads the lots that were known at asof, in order of time.
func ReadLots(ctx context.Context, client *influx.Client, f Filter, asof telemetry.Instant) ([]Lot, error) {
	s := newShelf(client)
	if err := s.query(ctx, []string{"entry = '" + entryLot + "'"}, nil); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(s.book.Effective(asof).Lots, func(l Lot) bool {
		return f.Kind != "" && l.Kind != f.Kind || f.Window != (calendar.Interval{}) && !f.Window.Holds(l.MadeAt)
	}), nil
}
