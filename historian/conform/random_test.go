package conform

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kvarts/historian/telemetry"
)

// Random vectors use few moments and small numbers, so that everything coincides with everything: readings with borders
// of shifts, swaps with readings, states with planned stops, drops with the epsilon, rates with their limit.

type fields = map[string]any

// source draws a random vector. rapid prefers small numbers and short lists, of which nothing happens; the choices are
// made evenly from a seed of rapid's instead, and reduce makes small what fails.
type source struct {
	*rand.Rand
	last int // tick of the last moment
}

// newSource is a source for one case.
func newSource(t *rapid.T) source {
	seed := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed") // long enough that none comes twice
	r := rand.New(rand.NewChaCha8([32]byte(seed)))
	return source{r, []int{6, 12, 12, 30}[r.IntN(4)]}
}

// tickTime is a moment: so many seconds after 2026-11-02 08:00.
func tickTime(tick int) telemetry.Instant {
	return telemetry.Instant(time.Date(2026, 11, 2, 8, 0, tick, 0, time.UTC).UnixNano())
}

func stamp(tick int) string { return tickTime(tick).Time().Format("2006-01-02T15:04:05") }

func (g source) upTo(n int) int { return g.IntN(n + 1) }

func (g source) between(a, b int) int { return a + g.IntN(b-a+1) }

func (g source) time() string { return stamp(g.upTo(g.last)) }

// interval is at least least ticks long.
func (g source) interval(least int) (from, to int) {
	from = g.upTo(g.last - least)
	return from, g.between(from+least, g.last)
}

func (g source) chance(percent int) bool { return g.IntN(100) < percent }

func (g source) pick(of ...any) any { return of[g.IntN(len(of))] }

func (g source) vector() fields {
	units := make([]any, 1+g.upTo(2))
	for i := range units {
		units[i] = g.unit("U" + strconv.Itoa(i))
	}
	v := fields{"id": "R", "zone": "UTC", "units": units}
	if g.chance(60) {
		v["now"] = stamp(g.between(g.last/2, g.last))
	}
	if g.chance(40) {
		seconds := fields{}
		for i := range units {
			if i == 0 || g.chance(60) {
				seconds["U"+strconv.Itoa(i)] = g.pick(1, 2, "1/3")
			}
		}
		v["lines"] = []any{fields{"id": "L", "unit_seconds": seconds, "out": g.pick(keysOf(seconds)...)}}
	}
	queries := make([]any, 3)
	for i := range queries {
		queries[i] = g.query("q"+strconv.Itoa(i), len(units), v["lines"] != nil)
	}
	v["queries"] = queries
	return v
}

func keysOf(m fields) []any {
	var keys []any
	for _, k := range []string{"U0", "U1", "U2"} {
		if _, ok := m[k]; ok {
			keys = append(keys, k)
		}
	}
	return keys
}

func (g source) query(name string, units int, hasLine bool) fields {
	targets := []any{fields{"plant": true}, fields{"unit": "U0"}, fields{"unit": "U" + strconv.Itoa(units-1)}, fields{"units": []any{"U" + strconv.Itoa(units-1)}}}
	standards := []any{"iso", "iso", "e79", nil}
	q := fields{"name": name, "target": g.pick(targets...), "standard": g.pick(standards...)}
	if hasLine && g.chance(60) {
		q["target"], q["standard"] = fields{"line": "L"}, nil
	}
	from, to := g.interval(1)
	if g.chance(40) {
		from, to = 0, g.last
	} else if g.chance(3) {
		to = from
	}
	q["window"] = []any{stamp(from), stamp(to)}
	if g.chance(40) {
		q["asof"] = stamp(g.between(g.last/3, g.last))
	}
	if g.chance(30) {
		q["chunk_s"] = g.pick(1, 2, 3, 5, "0.7")
	}
	return q
}

func (g source) unit(id string) fields {
	u := fields{"id": id, "state_map": fields{
		"R": "run", "R2": "PRD", "S": "stop", "S2": "UDT", "U": "setup", "I": "SBY", "P": "planned", "E": "ENG", "N": "nonscheduled", "X": "unknown",
	}}
	var calendar, states, alive []any
	if g.chance(50) {
		for range 1 + g.upTo(2) {
			from, to := g.interval(3)
			calendar = append(calendar, fields{"kind": "shift", "from": stamp(from), "to": stamp(to)})
		}
	}
	for range g.upTo(1) {
		from, to := g.interval(1)
		calendar = append(calendar, fields{"kind": "planned_stop", "from": stamp(from), "to": stamp(to)})
	}
	healthy := g.chance(60) // known from the beginning, and counted from there to the end: otherwise little is ever known
	if healthy {
		states = append(states, []any{stamp(0), "R"})
	}
	for range g.between(1, g.last) {
		code := g.pick("R", "R", "R", "R2", "S", "S", "S2", "U", "I", "P", "E", "N", "X", "?")
		states = append(states, []any{g.time(), code, g.quality()})
	}
	u["calendar"], u["states"] = calendar, states
	if !healthy && g.chance(50) || g.chance(10) {
		alive = []any{}
		for range g.upTo(3) {
			from, to := g.interval(1)
			alive = append(alive, []any{stamp(from), stamp(to)})
		}
		u["alive"] = alive
	}
	u["minor_stop_s"] = g.pick(0, 1, 2, 3, "2.5")
	u["ideal"] = g.ideals()
	g.pieces(u, healthy)
	if g.chance(40) {
		u["power"] = g.power()
	}
	return u
}

func (g source) quality() any {
	return g.pick(nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, "Good", "Bad", "Uncertain")
}

func (g source) ideals() []any {
	var out []any
	for range g.upTo(3) {
		d := fields{"product": g.pick("A", "B"), "seconds_per_unit": g.pick(1, 2, "0.5", "1/3")}
		if g.chance(60) {
			d["from"] = g.time()
		}
		out = append(out, d)
	}
	return out
}

func (g source) pieces(u fields, healthy bool) {
	counters := fields{}
	for _, name := range []string{"total", "good", "scrap", "energy_kwh"} {
		if g.chance(45) {
			counters[name] = g.counter(healthy)
		}
	}
	var booked, scrap []any
	for range max(0, g.upTo(4)-2) {
		from, to := g.interval(1)
		b := fields{"from": stamp(from), "to": stamp(to), "total": g.pick(0, 1, 3, 6)}
		if g.chance(60) {
			b["product"] = g.pick("A", "B", "C")
		}
		if g.chance(50) {
			b["good"] = g.pick(0, 1, 2)
		}
		if g.chance(30) {
			b["reported_at"] = stamp(g.between(to, g.last))
		}
		booked = append(booked, b)
	}
	for range max(0, g.upTo(4)-2) {
		from, to := g.interval(1)
		at := stamp(g.between(to, g.last))
		scrap = append(scrap, fields{"reported_at": at, "made_from": stamp(from), "made_to": stamp(to), "quantity": g.pick(0, 1, 2)})
	}
	u["counters"], u["booked"], u["scrap_reports"] = counters, booked, scrap
}

func (g source) counter(healthy bool) fields {
	value := func() int { return g.upTo(9) }
	c := fields{}
	rule := fields{"kind": g.pick("reset", "rollover")}
	if rule["kind"] == "rollover" {
		rule["modulus"] = 10
		rule["max_per_s"] = g.pick(nil, nil, 0, 1, 2, 4, 10)
	}
	rule["epsilon"] = g.pick(nil, 0, 1, 2)
	c["rule"] = rule
	var readings, swaps []any
	if healthy {
		readings = append(readings, []any{stamp(0), 0}, []any{stamp(g.last), value()})
	}
	for range g.upTo(g.last * 2 / 3) {
		r := []any{g.time(), value(), g.quality()}
		if g.chance(30) {
			r = append(r, g.pick(nil, 1, 2))
			if g.chance(50) {
				r = append(r, g.time())
			}
		}
		readings = append(readings, r)
	}
	for range max(0, g.upTo(4)-2) {
		swaps = append(swaps, fields{"at": g.time(), "final": value(), "initial": value()})
	}
	c["readings"], c["swaps"] = readings, swaps
	return c
}

func (g source) power() fields {
	p := fields{"hold_s": g.pick(0, 1, 2, 5, 100, "1.5"), "min_kw": g.pick(nil, 0, 600), "rated_kw": g.pick(nil, 0, 3600, 7200)}
	readings := []any{}
	for range g.upTo(5) {
		readings = append(readings, []any{g.time(), g.pick(0, 1800, 3600, 5400), g.quality()})
	}
	p["readings"] = readings
	return p
}

// mustParse parses a random vector.
func mustParse(t rapid.TB, f fields) *Vector {
	t.Helper()
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Parse("random", data)
	if err != nil {
		t.Fatalf("%s\n%s", err, data)
	}
	return v
}

// mustAnswer is the engine's answer to query i.
func mustAnswer(t rapid.TB, v *Vector, i int) Answer {
	t.Helper()
	o, err := NewRunner(v).Run(i)
	if err != nil {
		t.Fatal(err)
	}
	return o.Answer
}

// TestOracle: the engine answers random vectors in every key as the text does, whole and in chunks.
func TestOracle(t *testing.T) {
	var compared atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		f := newSource(t).vector()
		if diff := disagreement(t, f); len(diff) > 0 {
			small := reduce(f, func(f fields) bool { return len(disagreement(t, f)) > 0 })
			text, _ := json.MarshalIndent(small, "", " ")
			if dir := os.Getenv("CONFORM_SAVE"); dir != "" {
				_ = os.WriteFile(filepath.Join(dir, "difference.json"), text, 0o600)
			}
			t.Fatalf("%s\n%s", strings.Join(disagreement(t, small), "\n"), text)
		}
		compared.Add(int64(len(f["queries"].([]any))))
	})
	t.Logf("%d queries compared", compared.Load())
}

// disagreement is in what engine and oracle differ over a vector; nothing if it is none.
func disagreement(t rapid.TB, f fields) []string {
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Parse("random", data)
	if err != nil {
		return nil
	}
	var out []string
	for i := range v.Queries {
		got := mustAnswer(t, v, i)
		for _, d := range differences(&got, oracleAnswer(v, &v.Queries[i])) {
			out = append(out, v.Queries[i].Name+": "+d)
		}
	}
	return out
}

// reduce takes away keys and items one by one as long as the vector still fails.
func reduce(f fields, fails func(fields) bool) fields {
	for again := true; again; {
		again = false
		for _, smaller := range without(f) {
			if g := smaller.(fields); fails(g) {
				f, again = g, true
				break
			}
		}
	}
	return f
}

// without is every copy of v from which one key or item is taken away, at any depth.
func without(v any) []any {
	var out []any
	switch v := v.(type) {
	case fields:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			less := maps.Clone(v)
			delete(less, k)
			out = append(out, less)
			for _, inner := range without(v[k]) {
				changed := maps.Clone(v)
				changed[k] = inner
				out = append(out, changed)
			}
		}
	case []any:
		for i := range v {
			out = append(out, slices.Delete(slices.Clone(v), i, i+1))
			for _, inner := range without(v[i]) {
				changed := slices.Clone(v)
				changed[i] = inner
				out = append(out, changed)
			}
		}
	}
	return out
}
