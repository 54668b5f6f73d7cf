package contract

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kvarts/historian/calendar"
	"kvarts/historian/conform"
	"kvarts/historian/telemetry"
)

// FuzzRead: what the product takes for a vector can be read, and what can be read can be written and read again.
func FuzzRead(f *testing.F) {
	for _, path := range vectorPaths(f) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Read(data)
		if _, invalid := conform.Parse("fuzz", data); err != nil {
			if invalid == nil {
				t.Fatalf("a vector that cannot be read: %s", err)
			}
			return
		}
		var b bytes.Buffer
		if err := Write(&b, v); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(b.Bytes()); err != nil {
			t.Fatalf("what was written cannot be read: %s\n%s", err, b.Bytes())
		}
	})
}

// TestRefusals: what cannot be understood is refused with what is wrong.
func TestRefusals(t *testing.T) {
	unit := func(s string) string { return `{"id":"V","zone":"UTC","units":[{"id":"U",` + s + `}]}` }
	for _, c := range []struct{ text, says string }{
		{`{`, "decode vector"},
		{`{"id":"V","zone":"UTC"} {}`, "something follows"},
		{`{"id":"V","zone":"UTC","colour":1}`, "colour"},
		{`{"id":"V","zone":"Nowhere"}`, "read zone"},
		{unit(`"states":[["yesterday","RUN"]]`), "yesterday"},
		{unit(`"states":[["1700-01-01T00:00:00","RUN"]]`), "outside the years"},
		{unit(`"states":[["2026-11-02T08:00:00","RUN","Fine"]]`), "Fine"},
		{unit(`"state_map":{"RUN":"running"}`), "running"},
		{unit(`"calendar":[{"kind":"pause","from":"2026-11-02T08:00:00","to":"2026-11-02T09:00:00"}]`), "pause"},
		{unit(`"alive":[["2026-11-02T08:00:00","2026-11-02T08:00:00"]]`), "is not after"},
		{unit(`"alive":[["2026-11-02T08:00:00"]]`), "missing"},
		{unit(`"ideal":[{"product":"A","seconds_per_unit":"fast"}]`), "fast"},
		{unit(`"counters":{"total":{"readings":[["2026-11-02T08:00:00",-1]]}}`), "negative"},
		{unit(`"counters":{"total":{"readings":[["2026-11-02T08:00:00",1,null,"1/2"]]}}`), "revision"},
		{unit(`"power":{"readings":[],"hold_s":"1e-10"}`), "whole number of nanoseconds"},
	} {
		_, err := Read([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want an error that says %q", c.text, err, c.says)
		}
	}
}

// TestUnknownTargets: what a vector does not have cannot be asked of.
func TestUnknownTargets(t *testing.T) {
	e := NewEvaluator(&Vector{Now: Never, Lines: []Line{{ID: "L", Out: "U"}}})
	for _, q := range []Query{{Units: []string{"U"}}, {Line: "M"}, {Line: "L"}} {
		if _, err := e.Evaluate(&q); err == nil {
			t.Errorf("an answer of %+v", q)
		}
	}
}

// TestParts: the sums of a window are those of its parts, wherever it is cut.
func TestParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newSource(t)
		v := g.vector()
		w := g.interval(1)
		borders := []telemetry.Instant{w.From, w.To}
		for range 1 + g.IntN(5) {
			borders = append(borders, w.From.Add(time.Duration(g.Int64N(int64(w.Duration())))))
		}
		slices.Sort(borders)
		for i := range v.Units {
			p := newPicture(&v.Units[i], v.Now)
			for _, e79 := range []bool{false, true} {
				whole, parts := newSums(), newSums()
				whole.add(p, w, e79)
				for k := range borders[1:] {
					parts.add(p, calendar.Interval{From: borders[k], To: borders[k+1]}, e79)
				}
				if diff := cmp.Diff(whole.answer(e79), parts.answer(e79)); diff != "" {
					t.Errorf("unit %s, e79 %t (-whole +parts):\n%s", v.Units[i].ID, e79, diff)
				}
			}
		}
	})
}

// TestBusyDay: a day as full as they get is answered as the engine does.
func TestBusyDay(t *testing.T) {
	v := &Vector{ID: "busy", Zone: "UTC", Now: Never, Units: []Unit{*machineDays(2)}}
	w := day(0, 1)
	for _, w := range []calendar.Interval{w, {From: w.From.Add(7 * time.Hour), To: w.To.Add(5*time.Hour + time.Minute)}} {
		v.Queries = append(v.Queries, Query{Name: w.String(), Plant: true, Window: w, AsOf: Never})
	}
	for _, d := range disagreement(t, written(t, v)) {
		t.Error(d)
	}
}
