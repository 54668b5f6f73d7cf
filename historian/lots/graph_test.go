package lots

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
)

// What contradicts itself is told, and not mended in silence.
func TestFindings(t *testing.T) {
	for _, c := range []struct{ what, text, lot, want string }{
		{"nothing wrong", "lot A mg 10 x=1\nstep S s 1 : A=10 -> B=5 SLAG=5!", "B", ""},
		{"overdrawn", "lot A mg 10 x=1\nstep S s 1 : A=8 -> B=8\nstep T s 1 : A=4 -> C=4", "B", "overdrawn A"},
		{"nothing left", "lot A mg 10 x=1\nstep S s 1 : A=10 -> B=8\nstep T s 1 : A -> C=4", "C", "nothing_left A T"},
		{"a second taker of the rest", "lot A mg 10 x=1\nstep S s 1 : A -> B=8\nstep T s 1 : A -> C=4", "C", "nothing_left A T"},
		{"quantities differ", "lot A mg 10 x=1\nlot B wafer 9\nstep S s 1 : A=10 -> B=8", "B", "quantity_differs B"},
		{"made twice", "lot A mg 10 x=1\nstep S s 1 : A=5 -> B=8\nstep T s 1 : A=5 -> B=8", "B", "made_twice B"},
		{"a lot that nobody described", "step S s 1 : A=5 -> B=8", "B", "lot_missing A"},
		{"the rest of it", "step S s 1 : A -> B=8", "B", "lot_missing A; quantity_unknown A S"},
	} {
		tr, err := mustGraph(t, c.text).Trace(c.lot, Backward, 0)
		if err != nil || codes(tr.Findings) != c.want {
			t.Errorf("%s: %v %v, want %s", c.what, codes(tr.Findings), err, c.want)
		}
	}
	b := script(t, "lot A mg 10 x=1\nlot P wafer 3\nstep S s 1 : A=10 P=1 -> B=8")
	b.Lots[1].UnitOf, b.Lots[1].MadeAt = "pcs", t0+100*hour
	g, err := NewGraph(b)
	if err != nil {
		t.Fatal(err)
	}
	if tr, err := g.Trace("B", Backward, 0); err != nil || codes(tr.Findings) != "units_differ  S; taken_before_made P S" {
		t.Errorf("%v, %v", codes(tr.Findings), err)
	}
	if e := embodied(t, mustGraph(t, "lot A mg 10 x=1\nstep S s 1 : A=10 -> X=5!"), "X", kpi.ScrapToGood); codes(e.Findings) != "all_scrap  S" || e.Total.KWh.String() != "2" {
		t.Errorf("nothing but scrap: %s, %s", codes(e.Findings), e.Total.KWh)
	}
	if e := embodied(t, mustGraph(t, "lot A mg 10 x=1\nlot B mg 5 x=7\nstep S s 1 : A=10 -> B=5"), "B", kpi.ScrapToGood); codes(e.Findings) != "embodied_twice B" || e.Total.KWh.String() != "2" {
		t.Errorf("energy stated of a lot that was made: %s, %s", codes(e.Findings), e.Total.KWh)
	}
	if e := embodied(t, mustGraph(t, "step S s 1 : A -> B=8"), "B", kpi.ScrapToGood); !e.Total.Unbounded {
		t.Errorf("an unknown quantity of an unknown lot: %+v", e.Total)
	}
}

// Of a lot of which more was taken than there was, all that was taken is the whole: energy is neither lost nor made.
func TestOverdrawn(t *testing.T) {
	g := mustGraph(t, "lot A mg 10 x=60\nstep S s 0 : A=8 -> B=8\nstep T s 0 : A=4 -> C=4")
	b, c := embodied(t, g, "B", kpi.ScrapToGood), embodied(t, g, "C", kpi.ScrapToGood)
	if b.Total.KWh.String() != "40" || c.Total.KWh.String() != "20" {
		t.Errorf("%s and %s of 60", b.Total.KWh, c.Total.KWh)
	}
	g = mustGraph(t, "lot A mg 10 x=1\nstep S s 1 : A=4 -> B=8\nstep T s 1 : A=6 -> B=4 C=2")
	tr, err := g.Trace("B", Backward, 0)
	if err != nil || tr.Relatives[0].OfUpper.String() != "4/5" || tr.Relatives[0].OfLower.String() != "1" {
		t.Errorf("made by two steps: %+v, %v", tr.Relatives, err)
	}
}

func TestCycleInWords(t *testing.T) {
	_, err := NewGraph(script(t, "step S s 1 : A=1 -> B=1\nstep T s 1 : B=1 -> C=1\nstep U s 1 : C=1 -> A=1"))
	var cycle *CycleError
	if !errors.As(err, &cycle) || !strings.Contains(err.Error(), "B → C → A → B") {
		t.Error(err)
	}
	if _, err := mustGraph(t, "lot A mg 1").Trace("B", Forward, 0); !errors.Is(err, ErrNoLot) {
		t.Error(err)
	}
	if steps := mustGraph(t, "lot A mg 1").Needed("B"); steps != nil {
		t.Errorf("steps of a lot that is not there: %v", steps)
	}
}

// A tank that is filled again and again makes a chain as long as it lives: it is followed to its end, exactly.
func TestLongChain(t *testing.T) {
	const fillings = 300
	b := script(t, "lot T0 tank 1000 before=1000")
	for i := range fillings {
		b = fill(t, b, i)
	}
	g, err := NewGraph(b)
	if err != nil {
		t.Fatal(err)
	}
	last := b.Lots[len(b.Lots)-1].ID
	e := embodied(t, g, last, kpi.ScrapToGood)
	// each filling leaves half of the tank's energy in it
	half := exact.Int(1)
	for range fillings {
		half = half.Mul(exact.Frac(1, 2))
	}
	if len(e.Openings) != fillings+1 || !e.Stages[0].KWh.Equal(half.Mul(exact.Int(1000))) {
		t.Errorf("%d openings, %s", len(e.Openings), e.Stages[0].Stage)
	}
}

// fill fills the tank once: half of it stays, half comes from a new lot.
func fill(t testing.TB, b Book, i int) Book {
	t.Helper()
	r := Revision{Number: 1, By: "test", KnownAt: t0}
	before := b.Lots[len(b.Lots)-1].ID
	id := fmt.Sprint("T", i+1)
	at := t0.Add(time.Duration(i) * time.Hour)
	half := exact.Int(500)
	b.Lots = append(b.Lots, Lot{ID: "M" + id, Kind: MG, Quantity: half, UnitOf: "kg", MadeAt: at, Embodied: map[string]exact.Num{"mg": exact.Int(7)}, Revision: r},
		Lot{ID: id, Kind: Tank, Quantity: exact.Int(1000), UnitOf: "kg", MadeAt: at, Revision: r})
	b.Steps = append(b.Steps, Step{ID: "F" + id, Stage: "fill", From: at, To: at, EnergyKWh: new(exact.Num),
		Inputs: []Input{{Lot: before, Quantity: &half}, {Lot: "M" + id}}, Outputs: []Output{{Lot: id, Quantity: exact.Int(1000)}}, Revision: r})
	return b
}
