package plant

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// Few different moments, so that equal ones and neighbours are met; and the first and the last that there are.
func moments() *rapid.Generator[telemetry.Instant] {
	return rapid.OneOf(rapid.Map(rapid.IntRange(-5, 20), func(i int) telemetry.Instant { return telemetry.Instant(i) }),
		rapid.SampledFrom([]telemetry.Instant{Always, Always + 1, math.MaxInt64}))
}

func drawDated(t *rapid.T, name string) Dated[int] {
	dates := rapid.SliceOfNDistinct(moments(), 0, 6, rapid.ID[telemetry.Instant]).Draw(t, name)
	var d Dated[int]
	for i, at := range froms(datesOnly(dates)) {
		d = append(d, Since[int]{at, rapid.IntRange(0, 3).Draw(t, name+"value")*10 + i})
	}
	return d
}

func datesOnly(dates []telemetry.Instant) Dated[int] {
	var d Dated[int]
	for _, at := range dates {
		d = append(d, Since[int]{From: at})
	}
	return d
}

// At gives the entry with the latest date that is not after the moment, as a search through all of them does.
func TestDatedAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, at := drawDated(t, "d"), moments().Draw(t, "at")
		want, wantOK := 0, false
		for _, s := range d {
			if s.From <= at {
				want, wantOK = s.Value, true
			}
		}
		if got, ok := d.At(at); got != want || ok != wantOK {
			t.Fatalf("%v at %d is %d %v, want %d %v", d, at, got, ok, want, wantOK)
		}
	})
}

// over: what d says holds from its first date on, base before that; no date stands twice.
func TestDatedOver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, base, at := drawDated(t, "d"), drawDated(t, "base"), moments().Draw(t, "at")
		merged := d.over(base)
		want, wantOK := d.At(at)
		if !wantOK {
			want, wantOK = base.At(at)
		}
		if got, ok := merged.At(at); got != want || ok != wantOK {
			t.Fatalf("%v over %v at %d is %d %v, want %d %v", d, base, at, got, ok, want, wantOK)
		}
		for i := 1; i < len(merged); i++ {
			if merged[i-1].From >= merged[i].From {
				t.Fatalf("not ascending: %v", merged)
			}
		}
	})
}

func drawHistory(t *rapid.T) []Version {
	n := rapid.IntRange(0, 6).Draw(t, "versions")
	out := make([]Version, n)
	for i := range out {
		out[i] = Version{Effective: moments().Draw(t, "effective"), Known: moments().Draw(t, "known"), Hash: string(rune('a' + i))}
	}
	return out
}

// At gives, of what is known, the version with the greatest effective date, the one known last among equals. What becomes
// known later changes nothing.
func TestHistoryAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		versions := drawHistory(t)
		h := NewHistory(versions...)
		at, asof := moments().Draw(t, "at"), moments().Draw(t, "asof")
		got, ok := h.At(at, asof)
		eligible := 0
		for i := range versions {
			v := &versions[i]
			if v.Known > asof || v.Effective > at {
				continue
			}
			eligible++
			if !ok || v.Effective > got.Effective || (v.Effective == got.Effective && v.Known > got.Known) {
				t.Fatalf("at %d asof %d of %v: got %+v, but %+v is there", at, asof, versions, got, v)
			}
		}
		if ok != (eligible > 0) || ok && (got.Known > asof || got.Effective > at) {
			t.Fatalf("at %d asof %d: %+v of %d", at, asof, got, eligible)
		}
		known := NewHistory()
		for _, v := range h {
			if v.Known <= asof {
				known = append(known, v)
			}
		}
		if past, _ := known.At(at, asof); ok && past.Hash != got.Hash {
			t.Fatalf("the future decides: %+v, %+v", got, past)
		}
	})
}

// Spans cover the window without holes, and each says what At says of all of its moments; neighbours differ.
func TestHistorySpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, asof := NewHistory(drawHistory(t)...), moments().Draw(t, "asof")
		w := calendar.Interval{From: moments().Draw(t, "from"), To: moments().Draw(t, "to")}
		spans := h.Spans(w, asof)
		if w.Empty() {
			if spans != nil {
				t.Fatalf("an empty window has %v", spans)
			}
			return
		}
		at := w.From
		for i, s := range spans {
			if s.From != at || s.Empty() {
				t.Fatalf("%v in %v: a hole, an overlap or nothing at %d", spans, w, at)
			}
			at = s.To
			if i > 0 && spans[i-1].Version == s.Version {
				t.Fatalf("%v: the same version twice", spans)
			}
			for _, m := range []telemetry.Instant{s.From, s.To - 1} {
				if v, _ := h.At(m, asof); v != s.Version {
					t.Fatalf("at %d %v holds, the span says %v", m, v, s.Version)
				}
			}
		}
		if at != w.To {
			t.Fatalf("%v ends at %d, the window %v", spans, at, w)
		}
	})
}
