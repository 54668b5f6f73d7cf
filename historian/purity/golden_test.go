package purity

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// t0 is 2026-11-20T00:00:00Z; always is a moment at which everything is known.
const (
	t0     = telemetry.Instant(1795132800e9)
	always = telemetry.Instant(math.MaxInt64)
	hour   = telemetry.Instant(3600e9)
)

// found is a result of sample S as P1 tells it: "Fe 0.20", "Al < 0.10" or "Fe 0.20 ± 0.04", in pptw, or with a unit behind.
func found(t testing.TB, text string) Result {
	t.Helper()
	r := Result{Sample: "S", Lot: "L", MeasuredAt: t0, ApprovedAt: t0 + hour, Method: "GDMS", Censored: Measured, Unit: PPTW, Revision: 1, KnownAt: t0 + 2*hour, Source: "book:1"}
	words := strings.Fields(text)
	r.Element, words = words[0], words[1:]
	if words[0] == "<" {
		r.Censored, r.LOD = NotDetected, mustQuantity(t, words[1])
		words = words[2:]
	} else {
		r.Value = mustQuantity(t, words[0])
		words = words[1:]
	}
	if len(words) > 0 && words[0] == "±" {
		r.U = mustQuantity(t, words[1])
		words = words[2:]
	}
	if len(words) > 0 {
		r.Unit = Unit(words[0])
	}
	if err := r.Check(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}

func mustQuantity(t testing.TB, s string) *Quantity {
	t.Helper()
	q, err := ParseQuantity(s)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func results(t testing.TB, texts ...string) []Result {
	t.Helper()
	var out []Result
	for _, s := range texts {
		out = append(out, found(t, s))
	}
	return out
}

func mustAssess(t testing.TB, list []Result, p Policy) *Answer {
	t.Helper()
	a, err := Assess(Subject{Sample: "S"}, list, p, always)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func p1() []string {
	return []string{"B 0.05", "P 0.12", "Fe 0.20", "Na 0.30", "Al < 0.10", "Cu < 0.05"}
}

// every is n different elements that count under the default policy, each with the same text.
func every(n int, text string) []string {
	var out []string
	for _, e := range elements {
		if e.class != light && len(out) < n {
			out = append(out, e.symbol+" "+text)
		}
	}
	return out
}

func TestGoldenPurity(t *testing.T) {
	tests := []struct {
		name      string
		results   []string
		low, high string // Σ in pptw
		n         string
		grade     Grade
		next      string
	}{
		{"P1", p1(), "0.67", "0.82", "[12.086186, 12.173925]", 12, "13N not reached: Na 0.30 pptw is found, and Σ is 0.67 pptw or more"},
		{"P2", append(p1(), "Ca < 0.40"), "0.67", "1.22", "[11.913640, 12.173925]", 11, "12N not demonstrated: Ca below 0.40 pptw is all the method shows"},
		{"P3", []string{"B < 2", "P < 2"}, "0", "4", "[11.397940, no upper end]", 11, "12N not demonstrated: B below 2 pptw and P below 2 pptw are all the method shows"},
		{"P4", every(70, "< 0.1 ppbw"), "0", "7000", "[8.154902, no upper end]", 8, "9N not demonstrated: Li below 0.1 ppbw, Be below 0.1 ppbw, B below 0.1 ppbw, F below 0.1 ppbw, Na below 0.1 ppbw, Mg below 0.1 ppbw and 54 more are all the method shows"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := mustAssess(t, results(t, tt.results...), DefaultPolicy())
			if a.Sum.Low.String() != tt.low || a.Sum.High.String() != tt.high || a.Sum.String() != tt.n {
				t.Errorf("Σ [%s, %s], N %s; want [%s, %s], %s", a.Sum.Low, a.Sum.High, a.Sum, tt.low, tt.high, tt.n)
			}
			if a.Grade != tt.grade || a.Next != tt.next {
				t.Errorf("%s; %s\nwant %s; %s", a.Grade, a.Next, tt.grade, tt.next)
			}
		})
	}
}

// P5 in both directions.
func TestGoldenUnits(t *testing.T) {
	x, err := Convert(exact.Frac(1, 100), "B", PPBW, PPBA)
	if err != nil || fmt.Sprintf("%.9f", x.Float()) != "0.025978633" {
		t.Errorf("0.01 ppbw B is %.9f ppba, %v", x.Float(), err)
	}
	if back, err := Convert(x, "B", PPBA, PPBW); err != nil || !back.Equal(exact.Frac(1, 100)) {
		t.Errorf("and back %s, %v", back, err)
	}
	if g, err := Convert(exact.Int(2), "P", PPMA, PPTW); err != nil || !g.Equal(exact.Int(2e6).Mul(exact.Frac(30973762, 28085500))) {
		t.Errorf("2 ppma P are %s pptw, %v", g, err)
	}
}
