package lots

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
)

// tank is the book of a tank that is filled n times, from each content of which a batch is taken; the last one is BATCH.
func tank(n int) Book {
	rng := rand.New(rand.NewPCG(1, 2))
	r := Revision{Number: 1, By: "test", KnownAt: t0}
	some := func() exact.Num { return exact.Frac(rng.Int64N(9_000_000)+1_000_000, 10) }
	var b Book
	lot := func(id string, k Kind, q exact.Num) {
		b.Lots = append(b.Lots, Lot{ID: id, Kind: k, Quantity: q, UnitOf: "kg", MadeAt: t0, Revision: r})
	}
	step := func(id string, i int, energy exact.Num, out string, q exact.Num, in ...Input) {
		at := t0.Add(time.Duration(i) * time.Hour)
		b.Steps = append(b.Steps, Step{ID: id, Stage: id[:1], From: at, To: at, EnergyKWh: &energy, Inputs: in, Outputs: []Output{{Lot: out, Quantity: q}}, Revision: r})
	}
	rest := some()
	lot("T0", Tank, rest)
	b.Lots[0].Embodied = map[string]exact.Num{"before": exact.Int(1000)}
	for i := range n {
		m, id, batch := some(), fmt.Sprint("T", i+1), fmt.Sprint("B", i+1)
		if i == n-1 {
			batch = "BATCH"
		}
		all := rest.Add(m)
		take := exact.Min(some(), all.Mul(exact.Frac(1, 2)))
		lot("M"+id, MG, m)
		lot(id, Tank, all)
		lot(batch, Batch, take)
		step("H"+id, i, some(), "M"+id, m)
		step("F"+id, i, exact.Num{}, id, all, Input{Lot: fmt.Sprint("T", i)}, Input{Lot: "M" + id})
		step("R"+id, i, some(), batch, take, Input{Lot: id, Quantity: &take})
		rest = all.Sub(take)
	}
	return b
}

// The energy of a batch after 1,000 fillings of its tank: what three months of a furnace come to.
func BenchmarkTank(b *testing.B) {
	g, err := NewGraph(tank(1000))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := g.Embody("BATCH", kpi.ScrapToGood, Stated); err != nil {
			b.Fatal(err)
		}
	}
}

// What one lot was made of, ten steps deep, in a book of 10,000 steps; and the whole book.
func BenchmarkRead(b *testing.B) {
	c := factory.Embedded(b)
	r := Revision{Number: 1, By: "test", KnownAt: t0}
	var book Book
	for i := range 10_000 {
		at, id := t0.Add(time.Duration(i)*time.Minute), fmt.Sprint("L", i)
		book.Lots = append(book.Lots, Lot{ID: id, Kind: Wafer, Quantity: exact.Int(100), UnitOf: "kg", MadeAt: at, Revision: r})
		s := Step{ID: fmt.Sprint("S", i), Stage: "s", Unit: "u", From: at, To: at, Outputs: []Output{{Lot: id, Quantity: exact.Int(100)}}, Revision: r}
		if i >= 1000 {
			s.Inputs = []Input{{Lot: fmt.Sprint("L", i-1000), Quantity: ptr(exact.Int(50))}}
		}
		book.Steps = append(book.Steps, s)
	}
	p, err := PlanImport(b.Context(), c, book, t0+hour)
	if err == nil {
		err = p.Write(b.Context(), c)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Run("closure", func(b *testing.B) {
		for b.Loop() {
			if got, err := ReadClosure(b.Context(), c, "L9999", Backward, t0+hour); err != nil || len(got.Steps) != 10 {
				b.Fatal(len(got.Steps), err)
			}
		}
	})
	b.Run("everything", func(b *testing.B) {
		for b.Loop() {
			s := newShelf(c)
			if err := s.everything(b.Context()); err != nil || len(s.book.Steps) != 10_000 {
				b.Fatal(len(s.book.Steps), err)
			}
		}
	})
}
