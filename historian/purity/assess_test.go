package purity

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

func TestElements(t *testing.T) {
	seen := map[string]bool{}
	z := 0
	for _, e := range elements {
		w, err := exact.Parse(e.weight)
		if err != nil || w.Cmp(exact.Int(int64(e.z))) <= 0 || w.Cmp(exact.Int(3*int64(e.z)+1)) > 0 {
			t.Errorf("%s weighs %s, %v", e.symbol, e.weight, err)
		}
		if seen[e.symbol] || e.z <= z || e.symbol == silicon {
			t.Errorf("%s, %d: twice, or out of order", e.symbol, e.z)
		}
		seen[e.symbol], z = true, e.z
	}
	if last := elementStep * 93; last > second {
		t.Errorf("the last element is stored %d ns after its second", last)
	}
}

// by is a result of another method, sample or revision.
func by(r Result, method string, change func(*Result)) Result {
	r.Method = method
	change(&r)
	return r
}

func same(*Result) {}

func TestUncertainty(t *testing.T) {
	list := results(t, "B 0.10 ± 0.04", "Fe 0.20 ± 0.30", "Na 0.50", "Al < 0.10 ± 5")
	p := DefaultPolicy()
	a := mustAssess(t, list, p)
	if got := a.ByLOD.ShowSum() + a.Wide.ShowSum() + a.Sum.ShowSum(); got != "[0.8, 0.9][0.56, 1.24][0.56, 1.24]" {
		t.Errorf("Σ %s", got)
	}
	if want := "12N not demonstrated: the uncertainty of Fe 0.20 ± 0.30 pptw leaves it open"; a.Grade != 11 || a.Next != want {
		t.Errorf("%s; %s\nwant 11N; %s", a.Grade, a.Next, want)
	}
	if want := []string{"no uncertainty is stated for Na: they count as measured"}; !slices.Equal(a.Findings, want) {
		t.Errorf("%q, want %q", a.Findings, want)
	}
	p.Uncertainty = false
	if a := mustAssess(t, list, p); a.Grade != 12 || a.Sum.ShowSum() != "[0.8, 0.9]" || len(a.Findings) > 0 {
		t.Errorf("%s %s %q", a.Grade, a.Sum.ShowSum(), a.Findings)
	}
	mixed := mustAssess(t, results(t, "B 0.60 ± 0.20", "Al < 0.40", "Cu < 0.30"), DefaultPolicy())
	if want := "12N not demonstrated: Al below 0.40 pptw is all the method shows; the uncertainty of B 0.60 ± 0.20 pptw leaves it open"; mixed.Next != want {
		t.Errorf("%s\nwant %s", mixed.Next, want)
	}
}

func TestScope(t *testing.T) {
	list := results(t, "Fe 0.1", "Ga 0.2", "B 0.4", "Cl 0.8", "O 1.6 ppma")
	for _, tt := range []struct {
		scope Scope
		sum   string
		out   string
	}{
		{Metals, "[0.3, 0.3]", "B O Cl"}, {Electrical, "[0.7, 0.7]", "O Cl"}, {Impurities, "[1.5, 1.5]", "O"}, {Everything, "[911469.695332, 911469.695333]", ""},
	} {
		a := mustAssess(t, list, Policy{Basis: Mass, Scope: tt.scope})
		var out []string
		for _, it := range a.LeftOut {
			out = append(out, it.Element)
		}
		if a.Sum.ShowSum() != tt.sum || strings.Join(out, " ") != tt.out {
			t.Errorf("%s: Σ %s without %v", tt.scope, a.Sum.ShowSum(), out)
		}
	}
	a := mustAssess(t, results(t, "B 0.01 ppbw"), Policy{Basis: Atomic, Scope: Impurities})
	if a.Sum.ShowSum() != "[25.978632, 25.978633]" || a.Grade != 10 {
		t.Errorf("by atoms %s ppta, %s", a.Sum.ShowSum(), a.Grade)
	}
}

func TestRequired(t *testing.T) {
	p := DefaultPolicy()
	p.Required = []string{"Fe", "Cu", "Ni", "Ni"}
	late := found(t, "Ni 0.01")
	late.ApprovedAt = 0
	a := mustAssess(t, append(results(t, p1()...), late), p)
	if want := "1N not demonstrated: no approved result of Ni, which the policy requires"; a.Grade != 0 || a.Next != want {
		t.Errorf("%s; %s", a.Grade, a.Next)
	}
	if want := "Ni by GDMS in S, revision 1 is not approved and does not count"; !slices.Contains(a.Findings, want) {
		t.Errorf("%q", a.Findings)
	}
	for _, bad := range []struct {
		p    Policy
		want string
	}{
		{Policy{Basis: "x", Scope: Metals}, `basis "x": not mass or atomic`},
		{Policy{Basis: Mass, Scope: "x"}, `scope "x": not one of [metals electrical impurities everything]`},
		{Policy{Basis: Mass, Scope: Metals, Required: []string{"B"}}, "required element B: does not count in the scope metals; widen the scope, or leave it out"},
		{Policy{Basis: Mass, Scope: Metals, Required: []string{"Xx"}}, `required element: "Xx" is no element that counts in silicon; write its symbol, like Fe`},
	} {
		if _, err := Assess(Subject{Lot: "L"}, nil, bad.p, always); err == nil || err.Error() != "assess lot L: "+bad.want {
			t.Errorf("%v, want %s", err, bad.want)
		}
	}
}

func TestMethods(t *testing.T) {
	lod := func(s string) func(*Result) { return func(r *Result) { r.LOD = mustQuantity(t, s) } }
	gdms, icp := found(t, "Fe 0.20"), found(t, "Fe 0.20")
	tests := []struct {
		name    string
		list    []Result
		counts  string
		finding string
	}{
		{"lowest LOD", []Result{by(gdms, "GDMS", lod("0.05")), by(icp, "ICP-MS bulk", lod("0.02"))}, "ICP-MS bulk 0.20 pptw", ""},
		{"LOD not known", []Result{by(gdms, "GDMS", same), by(icp, "ICP-MS bulk", lod("0.19"))}, "ICP-MS bulk 0.20 pptw", ""},
		{"the latest", []Result{by(gdms, "GDMS", same), by(icp, "ICP-MS bulk", func(r *Result) { r.MeasuredAt++; r.ApprovedAt++ })}, "ICP-MS bulk 0.20 pptw", ""},
		{"other units", []Result{by(gdms, "GDMS", lod("0.05")), by(found(t, "Fe < 0.0001 ppbw"), "PL", same)}, "GDMS 0.20 pptw", "no uncertainty"},
		{"contradiction", []Result{by(gdms, "GDMS", same), by(found(t, "Fe < 0.10"), "PL", same)}, "GDMS 0.20 pptw", "Fe in S: PL (below 0.10 pptw) and GDMS (0.20 pptw) contradict each other; the larger counts"},
		{"no contradiction", []Result{by(found(t, "Fe 0.20 ± 0.10"), "GDMS", same), by(found(t, "Fe < 0.10"), "PL", same)}, "PL below 0.10 pptw", ""},
		{"surface", []Result{by(gdms, "GDMS", same), by(found(t, "Fe < 0.01"), SurfaceMethod, same)}, "GDMS 0.20 pptw", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := mustAssess(t, tt.list, DefaultPolicy())
			if len(a.Counted) != 1 || a.Counted[0].Method+" "+a.Counted[0].Content() != tt.counts || len(a.LeftOut) != len(tt.list)-1 {
				t.Errorf("%+v count", a.Counted)
			}
			if tt.finding != "" && !strings.Contains(strings.Join(a.Findings, "\n"), tt.finding) {
				t.Errorf("%q", a.Findings)
			}
			if contradicted := strings.Contains(strings.Join(a.Findings, "\n"), "contradict"); contradicted && tt.finding == "" {
				t.Errorf("%q", a.Findings)
			}
		})
	}
}

func TestBelowLOQ(t *testing.T) {
	r := found(t, "Fe 0.10 ± 0.05")
	r.LOD, r.LOQ = mustQuantity(t, "0.05"), mustQuantity(t, "0.15")
	a := mustAssess(t, []Result{r}, DefaultPolicy())
	if want := []string{"seen, but below the limit of quantification (LOQ): Fe"}; !slices.Equal(a.Findings, want) {
		t.Errorf("%q", a.Findings)
	}
}

// Of the samples of a lot, for each element the one that may hold most counts.
func TestLot(t *testing.T) {
	in := func(sample, text string) Result {
		return by(found(t, text), "GDMS", func(r *Result) { r.Sample = sample })
	}
	elsewhere := in("S3", "Fe 9")
	elsewhere.Lot = "M"
	moved := in("S4", "Fe 9")
	movedAway := moved
	movedAway.Revision, movedAway.Lot, movedAway.Reason = 2, "M", "labels exchanged"
	list := []Result{in("S1", "Fe 0.1"), in("S2", "Fe < 0.4"), in("S1", "B 0.2"), elsewhere, moved, movedAway}
	a, err := Assess(Subject{Lot: "L"}, list, DefaultPolicy(), always)
	if err != nil || a.Sum.ShowSum() != "[0.2, 0.6]" || len(a.LeftOut) != 1 || a.LeftOut[0].LeftOut != "sample S2 may hold more" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestRevisions(t *testing.T) {
	first := found(t, "Fe 0.20")
	second := found(t, "Fe 0.90")
	second.Revision, second.Reason, second.KnownAt, second.ApprovedAt = 2, "retained sample measured again", t0+9*hour, t0+8*hour
	waiting := found(t, "Fe 5")
	waiting.Revision, waiting.Reason, waiting.KnownAt, waiting.ApprovedAt = 3, "again", t0+10*hour, 0
	list := []Result{waiting, second, first, second}
	for _, tt := range []struct {
		asof telemetry.Instant // hours
		want string
	}{{2, "0.20"}, {8, "0.20"}, {9, "0.90"}, {10, "0.90"}} {
		a, err := Assess(Subject{Sample: "S"}, list, DefaultPolicy(), t0+tt.asof*hour)
		if err != nil || len(a.Counted) != 1 || a.Counted[0].Value != tt.want {
			t.Errorf("after %d h %+v, %v", tt.asof, a.Counted, err)
		}
	}
	if a, err := Assess(Subject{Sample: "S"}, list, DefaultPolicy(), t0+hour); err != nil || len(a.Counted) != 0 || a.Grade != 0 ||
		a.Next != "1N not demonstrated: there is no approved result that counts" || a.Sum.String() != "[no lower end, no upper end]" {
		t.Errorf("before all: %+v, %v", a, err)
	}
}

func TestGrades(t *testing.T) {
	for text, want := range map[string]Grade{"12N": 12, "1N": 1, "24N": 24, "0N": 0, "25N": 0, "12": 0, "": 0, "N": 0, "-1N": 0, "11.5N": 0} {
		if g, err := ParseGrade(text); g != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", text, g, err)
		}
	}
	// Compared exactly, whatever the logarithm is rounded to.
	hair := exact.Int(1).Add(exact.Frac(1, 1e18))
	for _, tt := range []struct {
		sum   exact.Num
		grade Grade
		n     string
	}{
		{exact.Int(1), 12, "12.000000"}, {hair, 11, "11.999999"}, {exact.Frac(1, 10), 13, "13.000000"}, {exact.Int(1e12), 0, "0.000000"},
		{exact.Frac(9999999, 10000000), 12, "12.000000"}, {exact.Int(10), 11, "11.000000"},
	} {
		if g, n := gradeOf(tt.sum), ShowN(nines(tt.sum), ""); g != tt.grade || n != tt.n {
			t.Errorf("Σ %s: %s, %s; want %s, %s", tt.sum, g, n, tt.grade, tt.n)
		}
	}
}

func TestAmount(t *testing.T) {
	for _, tt := range []struct{ n, text, low, high string }{
		{"0", "0", "0", "0"}, {"0.82", "0.82", "0.82", "0.82"}, {"1/3", "1/3", "0.333333", "0.333334"}, {"2/3", "2/3", "0.666666", "0.666667"},
		{"0.1234567", "0.1234567", "0.123456", "0.123457"}, {"7000", "7000", "7000", "7000"},
	} {
		n, err := exact.Parse(tt.n)
		a := Amount{n}
		if err != nil || a.String() != tt.text || a.Shown(false) != tt.low || a.Shown(true) != tt.high {
			t.Errorf("%s: %s, [%s, %s]", tt.n, a, a.Shown(false), a.Shown(true))
		}
		var back Amount
		if err := back.UnmarshalText([]byte(a.String())); err != nil || !back.Equal(n) {
			t.Errorf("%s comes back as %s, %v", a, back, err)
		}
	}
}

// drawn are results of sample S of different elements.
func drawn(t *rapid.T) []Result {
	symbols := rapid.SliceOfNDistinct(rapid.SampledFrom(elements[:]), 1, 30, func(e element) string { return e.symbol }).Draw(t, "elements")
	var out []Result
	for _, e := range symbols {
		out = append(out, drawnResult(t, e.symbol))
	}
	return out
}

func drawnResult(t *rapid.T, symbol string) Result {
	amount := func(name string) *Quantity {
		q, err := ParseQuantity(fmt.Sprintf("%d.%03d", rapid.IntRange(0, 3).Draw(t, name), rapid.IntRange(1, 999).Draw(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	r := Result{Sample: "S", MeasuredAt: t0, ApprovedAt: t0, Method: "GDMS", Element: symbol, Revision: 1, KnownAt: t0, Unit: rapid.SampledFrom(Units()).Draw(t, "unit")}
	if rapid.Bool().Draw(t, "detected") {
		r.Censored, r.Value = Measured, amount("value")
		if rapid.Bool().Draw(t, "has U") {
			r.U = amount("U")
		}
	} else {
		r.Censored, r.LOD = NotDetected, amount("lod")
	}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	return r
}

func drawnPolicy(t *rapid.T) Policy {
	return Policy{Basis: rapid.SampledFrom([]Basis{Mass, Atomic}).Draw(t, "basis"), Scope: rapid.SampledFrom(Scopes()).Draw(t, "scope"), Uncertainty: rapid.Bool().Draw(t, "uncertainty")}
}

func assessed(t *rapid.T, list []Result, p Policy) *Answer {
	a, err := Assess(Subject{Sample: "S"}, list, p, always)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Another element that was looked for, found or not, never raises the lower end of N, nor the grade; with what holds at the ends.
func TestMoreElementsNeverRaiseTheGrade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, p := drawn(t), drawnPolicy(t)
		all := assessed(t, list, p)
		some := assessed(t, list[1:], p)
		if len(some.Counted) > 0 && (all.Grade > some.Grade || *all.Sum.NLow > *some.Sum.NLow || all.Sum.High.Cmp(some.Sum.High.Num) < 0) {
			t.Fatalf("%s %s with %v, %s %s without", all.Grade, all.Sum, list[0], some.Grade, some.Sum)
		}
		if all.Sum.Low.Cmp(all.Sum.High.Num) > 0 || all.Wide.Low.Cmp(all.ByLOD.Low.Num) > 0 || all.Wide.High.Cmp(all.ByLOD.High.Num) < 0 {
			t.Fatalf("Σ %v, by LOD %v, wide %v", all.Sum, all.ByLOD, all.Wide)
		}
		if n := all.Sum.NLow; n != nil && Grade(max(math.Floor(*n), 0)) != all.Grade {
			t.Fatalf("N %v is %s", *n, all.Grade)
		}
		if all.Why(all.Grade+1) == "" || all.Why(all.Grade) != "" {
			t.Fatalf("%s: %q, %q", all.Grade, all.Why(all.Grade), all.Why(all.Grade+1))
		}
	})
}

// A wider scope never raises the grade.
func TestWiderScope(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, p := drawn(t), drawnPolicy(t)
		var before *Answer
		for _, p.Scope = range Scopes() {
			a := assessed(t, list, p)
			if before != nil && len(before.Counted) > 0 && a.Grade > before.Grade {
				t.Fatalf("%s in %s, %s in a narrower scope", a.Grade, p.Scope, before.Grade)
			}
			before = a
		}
	})
}

// The order of results, and that some come twice, changes nothing.
func TestOrderIsIrrelevant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, p := drawn(t), drawnPolicy(t)
		for i := range list {
			other := drawnResult(t, list[i].Element)
			other.Method = rapid.SampledFrom([]string{"PL", "SIMS", SurfaceMethod}).Draw(t, "method")
			again := drawnResult(t, list[i].Element)
			again.Revision, again.Reason = 2, "again"
			list = append(list, other, again)
		}
		want := mustJSON(t, assessed(t, list, p))
		list = append(list, list[:rapid.IntRange(0, len(list)).Draw(t, "twice")]...)
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if got := mustJSON(t, assessed(t, list, p)); got != want {
			t.Fatalf("\n%s\n%s", got, want)
		}
	})
}

func mustJSON(t *rapid.T, a *Answer) string {
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Any amount converted and back is the same number.
func TestConversionIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.SampledFrom(elements[:]).Draw(t, "element")
		from, to := rapid.SampledFrom(Units()).Draw(t, "from"), rapid.SampledFrom(Units()).Draw(t, "to")
		x := exact.Frac(rapid.Int64Range(0, 1e12).Draw(t, "n"), rapid.Int64Range(1, 1e9).Draw(t, "d"))
		there, err := Convert(x, e.symbol, from, to)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Convert(there, e.symbol, to, from); err != nil || !back.Equal(x) {
			t.Fatalf("%s %s of %s come back as %s, %v", x, from, e.symbol, back, err)
		}
	})
	if _, err := Convert(exact.Int(1), "Si", PPTW, PPTA); err == nil {
		t.Error("silicon in silicon is converted")
	}
	if _, err := Convert(exact.Int(1), "B", "ppt", PPTA); err == nil {
		t.Error("from ppt")
	}
}
