package peers

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/influxdata/influxdb/models"
)

// FakeValue is one stored value.
type FakeValue struct {
	Time  int64 // ns since 1970
	Value any   // float64, int64, uint64, string or bool
}

// Overwrite is a write that put another value in the place of an earlier one.
type Overwrite struct {
	Series, Field string
	Time          int64
	Old, New      any
}

// fakePoints is the memory of a fake InfluxDB. The store's lock protects it.
type fakePoints struct {
	values     map[fakeKey]map[int64]any
	types      map[[2]string]string // (measurement, field) → type of its first value
	overwrites []Overwrite
	repeats    int // values written again unchanged
	untimed    int // points that came without a time
}

type fakeKey struct{ series, field string }

// noTime is the time that the parser is told to give points without one. No line can spell it.
const noTime = models.MinNanoTime - 1

func newFakePoints() fakePoints {
	return fakePoints{values: map[fakeKey]map[int64]any{}, types: map[[2]string]string{}}
}

// conflict says why a point cannot be stored, or "".
func (p *fakePoints) conflict(pt models.Point) string {
	fields, err := pt.Fields()
	if err != nil {
		return err.Error()
	}
	for name, v := range fields {
		if have, ok := p.types[[2]string{string(pt.Name()), name}]; ok && have != typeName(v) {
			return fmt.Sprintf("field type conflict: input field %q on measurement %q is type %s, already exists as type %s",
				name, pt.Name(), typeName(v), have)
		}
	}
	return ""
}

// put stores a point that has no conflict.
func (p *fakePoints) put(pt models.Point) error {
	fields, err := pt.Fields()
	if err != nil {
		return fmt.Errorf("read fields of %s: %w", pt.Key(), err)
	}
	t := pt.UnixNano()
	if t == noTime {
		p.untimed++
	}
	for name, v := range fields {
		p.types[[2]string{string(pt.Name()), name}] = typeName(v)
		key := fakeKey{string(pt.Key()), name}
		if p.values[key] == nil {
			p.values[key] = map[int64]any{}
		}
		old, ok := p.values[key][t]
		switch {
		case ok && same(old, v):
			p.repeats++
		case ok:
			p.overwrites = append(p.overwrites, Overwrite{key.series, name, t, old, v})
		}
		p.values[key][t] = v
	}
	return nil
}

// same compares bits: 0 and -0 are different values.
func same(a, b any) bool {
	x, okX := a.(float64)
	y, okY := b.(float64)
	if okX && okY {
		return math.Float64bits(x) == math.Float64bits(y)
	}
	return a == b
}

func typeName(v any) string {
	switch v.(type) {
	case float64:
		return "float"
	case int64:
		return "integer"
	case uint64:
		return "unsigned"
	case bool:
		return "boolean"
	}
	return "string"
}

// Len is the number of values stored: one for each series, field and nanosecond.
func (f *FakeStore) Len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, m := range f.points.values {
		n += len(m)
	}
	return n
}

// Series returns the keys of all series, sorted: measurement,tag=value,… as InfluxDB writes them, tags in order.
func (f *FakeStore) Series() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	set := map[string]bool{}
	for key := range f.points.values {
		set[key.series] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// Fields returns the names of a series' fields, sorted.
func (f *FakeStore) Fields(series string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for key := range f.points.values {
		if key.series == series {
			names = append(names, key.field)
		}
	}
	slices.Sort(names)
	return names
}

// Values returns what is stored of one field, by time.
func (f *FakeStore) Values(series, field string) []FakeValue {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.points.values[fakeKey{series, field}]
	list := make([]FakeValue, 0, len(m))
	for t, v := range m {
		list = append(list, FakeValue{t, v})
	}
	slices.SortFunc(list, func(a, b FakeValue) int { return cmp.Compare(a.Time, b.Time) })
	return list
}

// Each calls fn with every stored value, in no order. fn must not call the store's methods.
func (f *FakeStore) Each(fn func(series, field string, v FakeValue)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, m := range f.points.values {
		for t, v := range m {
			fn(key.series, key.field, FakeValue{t, v})
		}
	}
}

// Overwrites lists the writes that put another value in the place of an earlier one: there should be none.
func (f *FakeStore) Overwrites() []Overwrite {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.points.overwrites)
}

// Repeats counts the values that were written again unchanged, as after an answer that was lost.
func (f *FakeStore) Repeats() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.points.repeats
}

// Untimed counts the points that came without a time: there should be none.
func (f *FakeStore) Untimed() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.points.untimed
}
