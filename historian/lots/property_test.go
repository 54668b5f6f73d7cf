package lots

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
)

// draw makes a book without contradictions: each step takes of lots made before it, not more than there is.
func draw(t *rapid.T) Book {
	amount := func(most int64, name string) exact.Num {
		return exact.Frac(rapid.Int64Range(1, most*4).Draw(t, name), 4)
	}
	r := Revision{Number: 1, By: "test", KnownAt: t0}
	var b Book
	left := make(map[string]exact.Num)
	var open []string // lots of which something is left
	add := func(id string, k Kind, q exact.Num) {
		l := Lot{ID: id, Kind: k, Quantity: q, UnitOf: "kg", MadeAt: t0, Revision: r}
		if k == Offcut {
			l.ReplacedKWh = ptr(exact.Int(rapid.Int64Range(0, 3).Draw(t, "replaces")))
		}
		if k == MG {
			l.Embodied = map[string]exact.Num{"before": amount(100, "embodied"), "stage-0": amount(10, "embodied too")}
		}
		b.Lots = append(b.Lots, l)
		left[id], open = q, append(open, id)
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "openings") {
		add(fmt.Sprintf("O%d", i), rapid.SampledFrom([]Kind{MG, Quartz}).Draw(t, "kind"), amount(100, "quantity"))
	}
	for i := range rapid.IntRange(1, 8).Draw(t, "steps") {
		at := t0.Add(time.Duration(i) * time.Hour)
		s := Step{ID: fmt.Sprintf("S%d", i), Stage: fmt.Sprintf("stage-%d", i%3), From: at, To: at + hour, Revision: r}
		energy := amount(50, "energy")
		s.EnergyKWh = &energy
		for _, id := range slices.Clone(open) {
			if len(s.Inputs) == 3 || !rapid.Bool().Draw(t, "takes") {
				continue
			}
			in := Input{Lot: id}
			if q := left[id].Mul(exact.Frac(rapid.Int64Range(1, 4).Draw(t, "share"), 4)); !q.Equal(left[id]) {
				in.Quantity = &q
				left[id] = left[id].Sub(q)
			} else {
				if rapid.Bool().Draw(t, "stated") {
					in.Quantity = &q
				}
				open = slices.DeleteFunc(open, func(o string) bool { return o == id })
			}
			s.Inputs = append(s.Inputs, in)
		}
		for k := range rapid.IntRange(1, 3).Draw(t, "outputs") {
			id, q := fmt.Sprintf("L%d.%d", i, k), amount(100, "made")
			s.Outputs = append(s.Outputs, Output{Lot: id, Quantity: q, Scrap: rapid.IntRange(0, 3).Draw(t, "scrap") == 0})
			add(id, rapid.SampledFrom([]Kind{Wafer, Offcut}).Draw(t, "what"), q)
		}
		b.Steps = append(b.Steps, s)
	}
	return b
}

func graphOf(t *rapid.T, b Book) *Graph {
	g, err := NewGraph(b)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// forward is another way to the energy of all lots: each step in its turn passes on what it has. It shares nothing with Embody but
// the contract.
func forward(b Book, p kpi.ScrapPolicy) map[string]exact.Num {
	of, lot := make(map[string]exact.Num), make(map[string]*Lot)
	taken := make(map[string]exact.Num)
	for i := range b.Lots {
		lot[b.Lots[i].ID] = &b.Lots[i]
		for _, kwh := range b.Lots[i].Embodied {
			of[b.Lots[i].ID] = of[b.Lots[i].ID].Add(kwh)
		}
	}
	for _, s := range b.Steps {
		all := *s.EnergyKWh
		for _, in := range s.Inputs {
			q := lot[in.Lot].Quantity.Sub(taken[in.Lot])
			if in.Quantity != nil {
				q = *in.Quantity
			}
			taken[in.Lot] = taken[in.Lot].Add(q)
			all = all.Add(of[in.Lot].Mul(q).Quo(lot[in.Lot].Quantity))
		}
		bears := func(o Output) bool { return p == kpi.ReportScrap || !o.Scrap }
		credited := func(o Output) bool { return p == kpi.RecycleCredit && !o.Scrap && lot[o.Lot].Kind == Offcut }
		plain := slices.ContainsFunc(s.Outputs, func(o Output) bool { return bears(o) && !credited(o) })
		if !slices.ContainsFunc(s.Outputs, bears) {
			bears = func(Output) bool { return true }
			plain = true
		}
		var base exact.Num
		for _, o := range s.Outputs {
			switch {
			case plain && credited(o):
				of[o.Lot] = o.Quantity.Mul(*lot[o.Lot].ReplacedKWh)
				all = all.Sub(of[o.Lot])
			case bears(o):
				base = base.Add(o.Quantity)
			}
		}
		for _, o := range s.Outputs {
			if bears(o) && (!plain || !credited(o)) {
				of[o.Lot] = all.Mul(o.Quantity).Quo(base)
			}
		}
	}
	return of
}

var policies = []kpi.ScrapPolicy{kpi.ScrapToGood, kpi.ReportScrap, kpi.RecycleCredit}

// Nothing is lost: own energies and what lots from before the record bring are in what is left of all lots, scrap too.
func TestEnergyIsConserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := draw(t)
		g := graphOf(t, b)
		for _, p := range policies {
			other := forward(b, p)
			var brought, found exact.Num
			for _, s := range b.Steps {
				brought = brought.Add(*s.EnergyKWh)
			}
			for _, l := range b.Lots {
				for _, kwh := range l.Embodied {
					brought = brought.Add(kwh)
				}
				e, err := g.Embody(l.ID, p, Stated)
				if err != nil {
					t.Fatal(err)
				}
				if !e.Total.Exact() || !e.Total.KWh.Equal(other[l.ID]) {
					t.Fatalf("policy %d: lot %s has %s kWh, step by step it is %s", p, l.ID, e.Total.KWh, other[l.ID])
				}
				n := g.lots[l.ID]
				found = found.Add(e.Total.KWh.Mul(exact.Int(1).Sub(fraction(n.taken, n.base))))
			}
			if !found.Equal(brought) {
				t.Fatalf("policy %d: %s kWh were brought, %s are there", p, brought, found)
			}
		}
	})
}

// The fractions of what each lot was made of sum to one, step by step and back to what the record begins with; and what went
// from each lot and is left of it sum to one too.
func TestFractionsSumToOne(t *testing.T) {
	one := exact.Int(1)
	rapid.Check(t, func(t *rapid.T) {
		b := draw(t)
		g := graphOf(t, b)
		for _, l := range b.Lots {
			back, err := g.Trace(l.ID, Backward, 0)
			if err != nil {
				t.Fatal(err)
			}
			of, begins := make(map[string]exact.Num), exact.Num{}
			for _, e := range back.Edges {
				of[e.To] = of[e.To].Add(e.OfTo)
			}
			for id, sum := range of {
				if !sum.Equal(one) {
					t.Fatalf("the fractions of what %s was made of sum to %s", id, sum)
				}
			}
			for _, r := range append(back.Relatives, back.Lot) {
				if n := g.lots[r.ID]; len(n.makers) == 0 || len(n.makers[0].Inputs) == 0 {
					begins = begins.Add(r.OfLower)
				}
				if r.OfUpper.Sign() < 0 || r.OfUpper.Cmp(one) > 0 {
					t.Fatalf("%s of %s is in %s", r.OfUpper, r.ID, l.ID)
				}
			}
			if !begins.Equal(one) {
				t.Fatalf("the fractions of what %s began with sum to %s", l.ID, begins)
			}
			forth, err := g.Trace(l.ID, Forward, 0)
			if err != nil {
				t.Fatal(err)
			}
			ends := exact.Num{}
			for _, r := range append(forth.Relatives, forth.Lot) {
				n := g.lots[r.ID]
				ends = ends.Add(r.OfUpper.Mul(one.Sub(fraction(n.taken, n.base))))
			}
			if !ends.Equal(one) {
				t.Fatalf("what became of %s sums to %s", l.ID, ends)
			}
		}
	})
}

// Asked from either end, what one lot has of another is the same.
func TestBothEndsSayTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := draw(t)
		g := graphOf(t, b)
		told := make(map[[2]string]string) // upper, lower
		for _, d := range []Direction{Backward, Forward} {
			pairs := 0
			for _, l := range b.Lots {
				tr, err := g.Trace(l.ID, d, 0)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range tr.Relatives {
					pair := [2]string{r.ID, l.ID}
					if d == Forward {
						pair = [2]string{l.ID, r.ID}
					}
					says := fmt.Sprint(r.Depth, " ", r.Quantity, " ", r.OfUpper, " ", r.OfLower)
					if d == Backward {
						told[pair] = says
					} else if told[pair] != says {
						t.Fatalf("%s in %s: backward %q, forward %q", pair[0], pair[1], told[pair], says)
					}
					pairs++
				}
			}
			if pairs != len(told) {
				t.Fatalf("%d pairs %s, %d backward", pairs, d, len(told))
			}
		}
	})
}

// A graph has no way from a lot back to itself: a step that would make one is refused in words, whichever it is.
func TestAcyclic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := draw(t)
		g := graphOf(t, b)
		lower := rapid.SampledFrom(b.Lots).Draw(t, "lower").ID
		back, err := g.Trace(lower, Backward, 0)
		if err != nil {
			t.Fatal(err)
		}
		upper := rapid.SampledFrom(append(back.Relatives, back.Lot)).Draw(t, "upper").ID
		if upper == lower {
			return // Step.Check refuses that
		}
		b.Steps = append(b.Steps, Step{ID: "X", Stage: "s", From: t0, To: t0, Inputs: []Input{{Lot: lower}}, Outputs: []Output{{Lot: upper, Quantity: exact.Int(1)}}})
		_, err = NewGraph(b)
		var cycle *CycleError
		if !errors.As(err, &cycle) {
			t.Fatalf("%s into %s: %v", lower, upper, err)
		}
		for i := 1; i < len(cycle.Lots); i++ {
			if !slices.ContainsFunc(b.Steps, func(s Step) bool {
				return slices.ContainsFunc(s.Inputs, func(in Input) bool { return in.Lot == cycle.Lots[i-1] }) &&
					slices.ContainsFunc(s.Outputs, func(o Output) bool { return o.Lot == cycle.Lots[i] })
			}) {
				t.Fatalf("no step makes %s of %s, as %v says", cycle.Lots[i], cycle.Lots[i-1], err)
			}
		}
		if cycle.Lots[0] != cycle.Lots[len(cycle.Lots)-1] || !strings.Contains(err.Error(), " → ") {
			t.Fatal(err)
		}
	})
}
