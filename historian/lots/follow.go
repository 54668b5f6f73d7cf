package lots

import (
	"cmp"
	"fmt"
	"slices"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
)

// embodying is the work of one Embody.
type embodying struct {
	g      *Graph
	r      *reached // backward, its steps in order of time
	policy kpi.ScrapPolicy
	out    *Embodied
	own    map[*work]Energy
	order  []string // of stages
}

func (e *embodying) note(code string, s kpi.Severity, lot, step, format string, args ...any) {
	e.out.Findings = append(e.out.Findings, Finding{Code: code, Severity: s, Lot: lot, Step: step, Text: fmt.Sprintf(format, args...)})
}

// credit is what an off-cut takes along; ok is false for what is none, and where the policy knows no credits.
func (e *embodying) credit(out *Output) (kWh exact.Num, ok bool) {
	l := e.g.lots[out.Lot].lot
	if e.policy != kpi.RecycleCredit || out.Scrap || l == nil || l.ReplacedKWh == nil {
		return kWh, false
	}
	return out.Quantity.Mul(*l.ReplacedKWh), true
}

// credits are what all off-cuts of w take along, and the quantity of its other good outputs. Where off-cuts are all that it makes
// there is nobody to give them a credit.
func (e *embodying) credits(w *work) (kWh, others exact.Num) {
	others = w.good
	for i := range w.Outputs {
		if c, ok := e.credit(&w.Outputs[i]); ok {
			kWh, others = kWh.Add(c), others.Sub(w.Outputs[i].Quantity)
		}
	}
	if others.IsZero() {
		return exact.Num{}, w.good
	}
	return kWh, others
}

// share is the fraction of the energy in w that goes to the lot.
func (e *embodying) share(w *work, n *node) exact.Num {
	out := w.output(n.id)
	if e.policy == kpi.ReportScrap || w.good.IsZero() {
		return fraction(out.Quantity, w.made)
	}
	_, others := e.credits(w)
	if _, credited := e.credit(out); out.Scrap || credited && !others.Equal(w.good) {
		return exact.Num{}
	}
	return fraction(out.Quantity, others)
}

// contribute finds what steps and lots from before the record bring along, how much of it is in the lot, and what is to be said of it.
func (e *embodying) contribute(own Own) {
	shares := make(map[*work]rough, len(e.r.steps))
	lots := make(map[*node]rough, len(e.r.lots))
	by := weigher{made: e.share, taken: func(w *work, i int) exact.Num { return w.used(e.g, i) }}
	weigh(e.g, e.r, by, roughOf, func(n *node, x rough) {
		lots[n] = x
		for _, w := range n.makers {
			shares[w] = shares[w].add(x.mul(roughOf(e.share(w, n))))
		}
	})
	for _, n := range slices.Backward(e.r.lots) {
		e.lot(n, lots[n])
	}
	for _, w := range e.r.steps {
		e.step(w, shares[w], own)
	}
	e.stage(Recycled)
}

func (e *embodying) stage(name string) {
	if !slices.Contains(e.order, name) {
		e.order = append(e.order, name)
	}
}

// step asks for a step's own energy.
func (e *embodying) step(w *work, share rough, own Own) {
	x, why := own(w.Step)
	if len(w.unclear) > 0 {
		x.Unbounded = true
	}
	e.own[w] = x
	e.stage(w.Stage)
	if share.zero() {
		return
	}
	e.out.Steps = append(e.out.Steps, StepEnergy{w.Step, x, share.float()})
	switch {
	case x.Unbounded:
		e.note(EnergyUnknown, kpi.Warning, "", w.ID, "its energy, of which %s is in the lot, has no upper bound: %s", percent(share), cmp.Or(why, "it takes of a lot whose quantity nobody told"))
	case !x.Exact():
		e.note(EnergyPartly, kpi.Warning, "", w.ID, "its energy, of which %s is in the lot, is only known to lie between two bounds: %s", percent(share), why)
	}
	if w.good.IsZero() && e.policy != kpi.ReportScrap {
		e.note(AllScrap, kpi.Warning, "", w.ID, "made nothing good that could bear its energy: its scrap does")
	}
}

// percent is a fraction for people.
func percent(x rough) string { return fmt.Sprintf("%.1f %%", 100*x.float()) }

// lot tells what is to be said of a lot, and of one from before the record what it brings along.
func (e *embodying) lot(n *node, share rough) {
	if n.lot != nil && n.lot.Kind == Offcut && n.lot.ReplacedKWh == nil && e.policy == kpi.RecycleCredit && len(n.makers) > 0 {
		e.note(NoCreditValue, kpi.Warning, n.id, "", "does not say what one unit of the feed that it replaces embodies (replaced_kwh): it bears energy as any good output")
	}
	switch {
	case len(n.makers) > 0:
		if n.lot != nil && len(n.lot.Embodied) > 0 {
			e.note(EmbodiedTwice, kpi.Warning, n.id, "", "a step made it, so the energy that it states (embodied_kwh) is not counted: leave that out, or correct the step")
		}
		return
	case share.zero():
		return
	}
	o := OpeningEnergy{ID: n.id, Lot: n.lot, Share: share.float()}
	brought := opening(n)
	for _, stage := range sortedKeys(brought) {
		e.stage(stage)
		o.Own = o.Own.Add(brought[stage].energy())
	}
	if o.Own.Unbounded {
		e.note(EnergyUnknown, kpi.Warning, n.id, "", "no step made it and it does not state its energy (embodied_kwh), of which %s is in the lot", percent(share))
	}
	e.out.Openings = append(e.out.Openings, o)
}

// beforeRecord is the stage of energy from before the record that nobody told anything of.
const beforeRecord = "before the record"

// opening is what a lot from before the record brings along, by stage. Quartz is where the account begins.
func opening(n *node) map[string]parcel {
	out := make(map[string]parcel)
	switch {
	case n.lot == nil || len(n.lot.Embodied) == 0 && n.lot.Kind != Quartz:
		out[beforeRecord] = parcel{exact: true, unbounded: true}
	default:
		for stage, kWh := range n.lot.Embodied {
			out[stage] = parcel{kWh: ratioOf(kWh), exact: true}
		}
	}
	return out
}

// parcel is an Energy with very many digits. Where exact is set, low and high are not: they are kWh.
type parcel struct {
	kWh, low, high ratio
	exact          bool
	unbounded      bool
}

func parcelOf(e Energy) parcel {
	a := parcel{kWh: ratioOf(e.KWh), exact: e.Low.Equal(e.KWh) && e.High.Equal(e.KWh), unbounded: e.Unbounded}
	if !a.exact {
		a.low, a.high = ratioOf(e.Low), ratioOf(e.High)
	}
	return a
}

func (a parcel) energy() Energy {
	e := exactly(a.kWh.num())
	if e.Unbounded = a.unbounded; !a.exact {
		e.Low, e.High = a.low.num(), a.high.num()
	}
	return e
}

// bounds are low and high in words of their own.
func (a parcel) bounds() (low, high ratio) {
	if a.exact {
		return a.kWh, a.kWh
	}
	return a.low, a.high
}

func (a parcel) add(b parcel) parcel {
	out := parcel{kWh: a.kWh.add(b.kWh), exact: a.exact && b.exact, unbounded: a.unbounded || b.unbounded}
	if !out.exact {
		low, high := a.bounds()
		moreLow, moreHigh := b.bounds()
		out.low, out.high = low.add(moreLow), high.add(moreHigh)
	}
	return out
}

func (a parcel) times(x ratio) parcel {
	out := parcel{kWh: a.kWh.mul(x), exact: a.exact, unbounded: a.unbounded}
	if !a.exact {
		out.low, out.high = a.low.mul(x), a.high.mul(x)
	}
	return out
}

// into adds to a sum by stage.
func (a parcel) into(sum map[string]parcel, stage string) {
	if was, ok := sum[stage]; ok {
		a = was.add(a)
	}
	sum[stage] = a
}

// following is the energy by stage of lots and steps, as long as somebody behind them will ask for it.
type following struct {
	*embodying
	lots  map[*node]map[string]parcel
	steps map[*work]map[string]parcel
	need  map[*node]int // steps that will still ask for the lot
	asked map[*work]int // lots that will still ask for the step
}

// follow goes from what the record begins with to the lot asked for, each lot after all that it was made of.
func (e *embodying) follow() map[string]parcel {
	f := &following{embodying: e, lots: make(map[*node]map[string]parcel), steps: make(map[*work]map[string]parcel),
		need: make(map[*node]int), asked: make(map[*work]int)}
	for _, w := range e.r.steps {
		for _, in := range w.Inputs {
			f.need[e.g.lots[in.Lot]]++
		}
		for _, o := range w.Outputs {
			if _, ok := e.r.depth[e.g.lots[o.Lot]]; ok {
				f.asked[w]++
			}
		}
	}
	for _, n := range slices.Backward(e.r.lots) {
		f.lots[n] = f.lotEnergy(n)
	}
	return f.lots[e.r.lots[0]]
}

// lotEnergy is what its steps put into a lot.
func (f *following) lotEnergy(n *node) map[string]parcel {
	if len(n.makers) == 0 {
		return opening(n)
	}
	sum := make(map[string]parcel)
	for _, w := range n.makers {
		if share := ratioOf(f.share(w, n)); !share.zero() {
			for stage, x := range f.stepEnergy(w) {
				x.times(share).into(sum, stage)
			}
		}
		if c, ok := f.credit(w.output(n.id)); ok {
			if given, _ := f.credits(w); !given.IsZero() {
				parcel{kWh: ratioOf(c), exact: true}.into(sum, Recycled)
			}
		}
		if f.asked[w]--; f.asked[w] == 0 {
			delete(f.steps, w)
		}
	}
	return sum
}

// stepEnergy is what a step took over from its inputs, its own, and less what its off-cuts take along.
func (f *following) stepEnergy(w *work) map[string]parcel {
	if sum, ok := f.steps[w]; ok {
		return sum
	}
	sum := make(map[string]parcel)
	for i, in := range w.Inputs {
		n := f.g.lots[in.Lot]
		if used := ratioOf(w.used(f.g, i)); !used.zero() {
			for stage, x := range f.lots[n] {
				x.times(used).into(sum, stage)
			}
		}
		if f.need[n]--; f.need[n] == 0 {
			delete(f.lots, n)
		}
	}
	parcelOf(f.own[w]).into(sum, w.Stage)
	if c, _ := f.credits(w); !c.IsZero() {
		parcel{kWh: ratioOf(c.Neg()), exact: true}.into(sum, Recycled)
	}
	f.steps[w] = sum
	return sum
}
