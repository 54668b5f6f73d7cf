package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strconv"

	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// point is one stored value of a signal, with its quality.
type point struct {
	at    telemetry.Instant
	value influx.Value // null: only a status was stored
	good  bool         // the value may be used: there is one, and its status is Good
}

// track is what is known of one signal of a unit: all its points in have, and none of others. It grows to both sides.
//
//	data   ·  · ·   · · ·· ·  ·   ·
//	have        [───────────)
//	back(1)   [─                       to the point before
//	forth(1)                ─]         to the point after
//
// Each method adds a statement to an ask; when that has run, the track has what it was asked for.
type track struct {
	channels []channel
	points   []point // by time, one for each
	have     calendar.Interval
	first    bool // nothing lies before have
	last     bool // nothing lies after have, up to the horizon
}

// statement asks for the points of the channel in v; order says which of them come and how.
func (c *channel) statement(v calendar.Interval, order string) (string, error) {
	class, err := influx.Ident(c.class)
	if err != nil {
		return "", fmt.Errorf("class: %w", err)
	}
	field, err := influx.Ident(c.field)
	if err != nil {
		return "", fmt.Errorf("signal: %w", err)
	}
	status, err := influx.Ident(c.field + telemetry.StatusSuffix)
	if err != nil {
		return "", fmt.Errorf("signal: %w", err)
	}
	return "SELECT " + field + ", " + status + " FROM " + class + ` WHERE "unit" = $unit` + during(v) + order, nil
}

// during is the condition that a point's time is in v, as far as v has ends.
func during(v calendar.Interval) string {
	s := ""
	if v.From != beginning {
		s += " AND time >= " + strconv.FormatInt(int64(v.From), 10)
	}
	if v.To != ending {
		s += " AND time < " + strconv.FormatInt(int64(v.To), 10)
	}
	return s
}

// pointOf reads a row of a value and its status. A value without a status is plain Good: see the package
// comment.
func pointOf(r *influx.Row) (point, bool) {
	at, ok := r.Time()
	p := point{at: at, value: r.Values[1], good: !r.Values[1].IsNull()}
	if !r.Values[2].IsNull() {
		p.good = p.good && isGood(r.Values[2])
	}
	return p, ok
}

// read adds a statement for one channel; done comes with its points, in the order of the answer.
func (t *track) read(a *ask, c *channel, v calendar.Interval, order string, done func([]point)) error {
	s, err := c.statement(v, order)
	if err != nil {
		return err
	}
	var got []point
	a.add(s, func(r *influx.Row) error {
		if p, ok := pointOf(r); ok {
			got = append(got, p)
		}
		return nil
	}, func() { done(got) })
	return nil
}

// readAll adds the statements for all points of one channel in v: values and statuses each for themselves, as statuses are
// few and a column of nothing costs a fifth of the time. Statuses are asked for after the values: what arrives in between is
// then a status without its value, and not a bad value that looks good.
func (t *track) readAll(a *ask, c *channel, v calendar.Interval) error {
	class, err := influx.Ident(c.class)
	if err != nil {
		return fmt.Errorf("class: %w", err)
	}
	var values, statuses []point
	for _, column := range []struct {
		name string
		into *[]point
	}{{c.field, &values}, {c.field + telemetry.StatusSuffix, &statuses}} {
		name, err := influx.Ident(column.name)
		if err != nil {
			return fmt.Errorf("signal: %w", err)
		}
		a.add("SELECT "+name+" FROM "+class+` WHERE "unit" = $unit`+during(v), func(r *influx.Row) error {
			if at, ok := r.Time(); ok {
				*column.into = append(*column.into, point{at: at, value: r.Values[1], good: true})
			}
			return nil
		}, nil)
	}
	a.done[len(a.done)-1] = func() { t.insert(judged(values, statuses)) }
	return nil
}

// judged gives each value its status; a status without a value becomes a point without one.
func judged(values, statuses []point) []point {
	if len(statuses) == 0 {
		return values
	}
	out := make([]point, 0, len(values)+len(statuses))
	for _, s := range statuses {
		i := sort.Search(len(values), func(i int) bool { return values[i].at >= s.at })
		out = append(out, values[:i]...)
		values = values[i:]
		p := point{at: s.at}
		if len(values) > 0 && values[0].at == s.at {
			p.value, p.good = values[0].value, isGood(s.value)
			values = values[1:]
		}
		out = append(out, p)
	}
	return append(out, values...)
}

// isGood says that a stored status is Good; one that is no code is not.
func isGood(status influx.Value) bool {
	code, ok := status.Int()
	return ok && telemetry.Status(uint32(code)).IsGood()
}

// reach asks for what is missing of v, which may be far from what the track has: all between comes too.
func (t *track) reach(a *ask, v calendar.Interval) error {
	if v.Empty() {
		return nil
	}
	missing := []calendar.Interval{v}
	if !t.have.Empty() {
		missing = []calendar.Interval{{From: v.From, To: t.have.From}, {From: t.have.To, To: v.To}}
	}
	for _, m := range missing {
		for i := range t.channels {
			c := &t.channels[i]
			if part := c.Meet(m); !part.Empty() {
				if err := t.readAll(a, c, part); err != nil {
					return err
				}
			}
		}
	}
	t.have = hull(t.have, v)
	return nil
}

// back asks for the n points before what the track has, of which there must be something.
func (t *track) back(a *ask, n int) error {
	i := sort.Search(len(t.channels), func(i int) bool { return t.channels[i].From >= t.have.From }) - 1
	if i < 0 || t.first {
		t.first = true
		return nil
	}
	c := &t.channels[i]
	v := calendar.Interval{From: c.From, To: min(c.To, t.have.From)}
	return t.read(a, c, v, " ORDER BY time DESC LIMIT "+strconv.Itoa(n), func(got []point) {
		if len(got) < n {
			t.have.From, t.first = c.From, i == 0
		} else {
			t.have.From = got[len(got)-1].at
		}
		slices.Reverse(got)
		t.insert(got)
	})
}

// forth asks for the n points after what the track has, of which there must be something.
func (t *track) forth(a *ask, n int) error {
	i := sort.Search(len(t.channels), func(i int) bool { return t.channels[i].To > t.have.To })
	if i == len(t.channels) || t.last {
		t.last = true
		return nil
	}
	c := &t.channels[i]
	v := calendar.Interval{From: max(c.From, t.have.To), To: c.To}
	return t.read(a, c, v, " LIMIT "+strconv.Itoa(n), func(got []point) {
		if len(got) < n {
			t.have.To, t.last = c.To, i == len(t.channels)-1
		} else {
			t.have.To = got[len(got)-1].at + 1
		}
		t.insert(got)
	})
}

// insert takes points over, which are in order. Of two of one time (of a unit whose tags changed) one stays, always the same.
func (t *track) insert(got []point) {
	switch {
	case len(got) == 0:
		return
	case len(t.points) == 0:
		t.points = got
	case got[len(got)-1].at < t.points[0].at:
		t.points = append(got, t.points...)
	default:
		sorted := t.points[len(t.points)-1].at < got[0].at
		t.points = append(t.points, got...)
		if !sorted {
			slices.SortStableFunc(t.points, func(a, b point) int { return cmp.Compare(a.at, b.at) })
		}
	}
	t.points = slices.CompactFunc(t.points, func(a, b point) bool { return a.at == b.at })
}

// index is that of the first point at or after at.
func (t *track) index(at telemetry.Instant) int {
	return sort.Search(len(t.points), func(i int) bool { return t.points[i].at >= at })
}
