package lots

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"kvarts/historian/kpi"
)

// Finding is something that a person should know before believing a number.
type Finding struct {
	Code      string
	Severity  kpi.Severity
	Lot, Step string // what it is about: one of them, or both
	Text      string // what was seen and what to do about it
}

// The codes of findings.
const (
	LotMissing      = "lot_missing"       // a step names a lot that nobody described
	MadeTwice       = "made_twice"        // several steps made the lot
	Overdrawn       = "overdrawn"         // more was taken of the lot than there was
	NothingLeft     = "nothing_left"      // a step takes what is left of the lot, and that is nothing
	QuantityUnknown = "quantity_unknown"  // a step takes what is left of a lot whose quantity nobody told
	QuantityDiffers = "quantity_differs"  // the lot's quantity is not what its step made
	UnitsDiffer     = "units_differ"      // quantities of different units are put in proportion
	TakenEarly      = "taken_before_made" // a step ended before the lot that it takes was made
	EnergyUnknown   = "energy_unknown"    // an own energy, or that of a lot from before the record, is not known
	EnergyPartly    = "energy_partly_known"
	EmbodiedTwice   = "embodied_twice"   // a lot that a step made states its energy: not counted
	AllScrap        = "all_scrap"        // a step has no good output that could bear its energy
	NoCreditValue   = "no_credit_value"  // an off-cut does not say what it replaces
	CreditTooLarge  = "credit_too_large" // the off-cuts' credits are above what is there
)

// findings are those of the lots and steps reached. Of a lot reached all steps are known, of others they need not be.
func (g *Graph) findings(r *reached) []Finding {
	var out []Finding
	for _, n := range r.lots {
		out = append(out, n.findings()...)
	}
	for _, w := range r.steps {
		out = append(out, w.findings(g)...)
	}
	sortFindings(out)
	return out
}

// sortFindings sorts the gravest first.
func sortFindings(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Lot, b.Lot), cmp.Compare(a.Step, b.Step))
	})
}

func (n *node) findings() []Finding {
	var out []Finding
	note := func(code string, s kpi.Severity, format string, args ...any) {
		out = append(out, Finding{Code: code, Severity: s, Lot: n.id, Text: fmt.Sprintf(format, args...)})
	}
	quantity, known := n.quantity()
	if n.lot == nil && !n.scrap() {
		note(LotMissing, kpi.Error, "nobody described this lot, only steps name it: import it, or correct the name")
	}
	if len(n.makers) > 1 {
		names := make([]string, len(n.makers))
		for i, w := range n.makers {
			names[i] = w.ID
		}
		note(MadeTwice, kpi.Error, "the steps %s all made it: what they took is counted in proportion to what they made of it. Correct all but one", strings.Join(names, ", "))
	}
	if known && n.taken.Cmp(quantity) > 0 {
		note(Overdrawn, kpi.Warning, "%s were taken of %s, %s too many: scales differ, or a quantity is wrong. Fractions are of what was taken",
			decimal(n.taken), decimal(quantity), decimal(n.taken.Sub(quantity)))
	}
	if n.lot != nil && len(n.makers) == 1 {
		if made := n.makers[0].output(n.id).Quantity; !made.Equal(n.lot.Quantity) {
			note(QuantityDiffers, kpi.Warning, "it is said to be %s, and step %s made %s of it: fractions are of the former", decimal(n.lot.Quantity), n.makers[0].ID, decimal(made))
		}
	}
	return out
}

// scrap says that the lot is nothing but scrap, which need not be described.
func (n *node) scrap() bool {
	return len(n.makers) > 0 && len(n.takers) == 0 && !slices.ContainsFunc(n.makers, func(w *work) bool { return !w.output(n.id).Scrap })
}

func (w *work) findings(g *Graph) []Finding {
	var out []Finding
	note := func(code, lot string, s kpi.Severity, format string, args ...any) {
		out = append(out, Finding{Code: code, Severity: s, Lot: lot, Step: w.ID, Text: fmt.Sprintf(format, args...)})
	}
	for i, in := range w.Inputs {
		n := g.lots[in.Lot]
		switch {
		case slices.Contains(w.unclear, in.Lot):
			note(QuantityUnknown, in.Lot, kpi.Error, "takes what is left of a lot whose quantity nobody told: it is in no fraction")
		case w.takes[i].IsZero():
			note(NothingLeft, in.Lot, kpi.Warning, "takes what is left of the lot, and other steps took all of it: say how much")
		}
		if n.lot != nil && w.To < n.lot.MadeAt {
			note(TakenEarly, in.Lot, kpi.Warning, "ended at %s, and the lot was made at %s: one of the times is wrong", w.To, n.lot.MadeAt)
		}
	}
	inputs, outputs := make([]string, len(w.Inputs)), make([]string, len(w.Outputs))
	for i := range w.Inputs {
		inputs[i] = w.Inputs[i].Lot
	}
	for i := range w.Outputs {
		outputs[i] = w.Outputs[i].Lot
	}
	for _, side := range []struct {
		does string
		lots []string
	}{{"takes", inputs}, {"makes", outputs}} {
		if units := g.units(side.lots); len(units) > 1 {
			note(UnitsDiffer, "", kpi.Error, "%s quantities in %s, which are put in proportion as if they were of one unit: state them in one", side.does, strings.Join(units, " and "))
		}
	}
	return out
}

// units are the different units of lots, as far as they are known.
func (g *Graph) units(ids []string) []string {
	var out []string
	for _, id := range ids {
		if l := g.lots[id].lot; l != nil && !slices.Contains(out, l.UnitOf) {
			out = append(out, l.UnitOf)
		}
	}
	slices.Sort(out)
	return out
}
