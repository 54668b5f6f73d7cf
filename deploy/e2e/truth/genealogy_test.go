package truth_test

import (
	"context"
	"maps"
	"math/big"
	"slices"
	"testing"

	"kvarts/deploy/simplant/truth"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/answer"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/lots"
)

// family is the lots and steps of a plant, as the simulator knows them.
type family struct {
	lots  map[string]*world.Lot
	maker map[string]*world.Step
	takes map[string][]*world.Step
	drawn map[string]*big.Rat // of a lot, by all steps
}

func (l *life) family(t testing.TB) *family {
	t.Helper()
	f := &family{map[string]*world.Lot{}, map[string]*world.Step{}, map[string][]*world.Step{}, map[string]*big.Rat{}}
	for _, x := range l.lots {
		f.lots[x.ID] = x
	}
	for _, s := range l.steps {
		for _, o := range s.Outputs {
			if f.maker[o.Lot] != nil {
				t.Fatalf("two steps made %s", o.Lot)
			}
			f.maker[o.Lot] = s
		}
		for _, in := range s.Inputs {
			if !slices.Contains(f.takes[in.Lot], s) {
				f.takes[in.Lot] = append(f.takes[in.Lot], s)
			}
			if f.drawn[in.Lot] == nil {
				f.drawn[in.Lot] = new(big.Rat)
			}
			f.drawn[in.Lot].Add(f.drawn[in.Lot], amount(in.Quantity))
		}
	}
	for id, d := range f.drawn {
		if d.Cmp(amount(f.lots[id].Quantity)) > 0 {
			t.Fatalf("%s of %s was taken of lot %s", d.FloatString(3), f.lots[id].Quantity, id)
		}
	}
	return f
}

// amount is a quantity of thousandths.
func amount(q world.Quantity) *big.Rat { return big.NewRat(int64(q), 1000) }

func over(a, b *big.Rat) *big.Rat  { return new(big.Rat).Quo(a, b) }
func times(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }
func number(r *big.Rat) exact.Num  { return exact.FromRat(r) }
func sum(all []world.Portion) *big.Rat {
	out := new(big.Rat)
	for _, p := range all {
		out.Add(out, amount(p.Quantity))
	}
	return out
}

// composed is what fraction of a lot came of each lot before it, and how much of each of those is in it, as fractions; the lot itself
// included. Each lot is followed once, in the order in which nothing comes before what it was made of.
func (f *family) composed(id string) (ofLower, ofUpper map[string]*big.Rat) {
	ofLower, ofUpper = map[string]*big.Rat{id: big.NewRat(1, 1)}, map[string]*big.Rat{id: big.NewRat(1, 1)}
	for _, lot := range f.ancestors(id) { // the nearest first, each after all that was made of it
		s := f.maker[lot]
		if s == nil {
			continue
		}
		part := over(amount(portion(s.Outputs, lot)), sum(s.Outputs))
		all := sum(s.Inputs)
		for _, in := range s.Inputs {
			add(ofLower, in.Lot, times(ofLower[lot], over(amount(in.Quantity), all)))
			used := over(amount(in.Quantity), amount(f.lots[in.Lot].Quantity))
			add(ofUpper, in.Lot, times(times(used, part), ofUpper[lot]))
		}
	}
	return ofLower, ofUpper
}

func portion(all []world.Portion, id string) world.Quantity {
	i := slices.IndexFunc(all, func(p world.Portion) bool { return p.Lot == id })
	return all[i].Quantity
}

func add(to map[string]*big.Rat, id string, x *big.Rat) {
	if was := to[id]; was != nil {
		x = new(big.Rat).Add(was, x)
	}
	to[id] = x
}

// ancestors are the lots that a lot was made of and the lot itself, each before those that it was made of.
func (f *family) ancestors(id string) []string {
	var out []string
	seen := map[string]bool{}
	var visit func(string)
	visit = func(id string) {
		if seen[id] {
			return
		}
		seen[id] = true
		if s := f.maker[id]; s != nil {
			for _, in := range s.Inputs {
				visit(in.Lot)
			}
		}
		out = append(out, id)
	}
	visit(id)
	slices.Reverse(out)
	return out
}

// descendants are the lots that a lot is in.
func (f *family) descendants(id string) map[string]bool {
	out := map[string]bool{}
	for queue := []string{id}; len(queue) > 0; queue = queue[1:] {
		for _, s := range f.takes[queue[0]] {
			for _, o := range s.Outputs {
				if !out[o.Lot] {
					out[o.Lot] = true
					queue = append(queue, o.Lot)
				}
			}
		}
	}
	return out
}

// last is the newest lot of a kind that a step made.
func (l *life) last(f *family, kind string) string {
	for _, x := range slices.Backward(l.lots) {
		if x.Kind == kind && f.maker[x.ID] != nil {
			return x.ID
		}
	}
	return ""
}

// genealogy compares what the product says of lots with the simulator's book.
func (l *life) genealogy(t *testing.T, engine *answer.Engine, want *truth.Answers, raw bool) {
	t.Helper()
	f := l.family(t)
	kinds := []string{"module", "ingot", "harvest", "wafer", "brick", "mg", "tank", "cell"}
	for i := range 3 {
		id := l.last(f, kinds[(int(l.seed)+i*3)%len(kinds)])
		if id == "" {
			continue
		}
		l.backward(t, engine, f, id)
		l.embodied(t, engine, f, want, id, raw)
	}
	for _, x := range l.lots { // of the first lot that something was made of: forward
		if len(f.takes[x.ID]) > 0 && (x.Kind == "harvest" || x.Kind == "ingot") {
			l.forward(t, engine, f, x.ID)
			break
		}
	}
}

func (l *life) backward(t *testing.T, engine *answer.Engine, f *family, id string) {
	t.Helper()
	a, err := engine.Lot(context.Background(), answer.LotQuestion{ID: id, Direction: lots.Backward})
	if err != nil {
		t.Errorf("trace %s: %s", id, err)
		return
	}
	ofLower, ofUpper := f.composed(id)
	if len(a.Trace.Relatives)+1 != len(ofLower) {
		t.Errorf("lot %s was made of %d lots, the product says %d", id, len(ofLower)-1, len(a.Trace.Relatives))
	}
	whole := exact.Num{}
	for _, r := range a.Trace.Relatives {
		if ofLower[r.ID] == nil || !r.OfLower.Equal(number(ofLower[r.ID])) || !r.OfUpper.Equal(number(ofUpper[r.ID])) {
			t.Errorf("lot %s: of lot %s it is %v and has %v, the product says %s and %s", id, r.ID, ofLower[r.ID], ofUpper[r.ID], r.OfLower, r.OfUpper)
			continue
		}
		if q := number(times(ofUpper[r.ID], amount(f.lots[r.ID].Quantity))); !r.Quantity.Equal(q) {
			t.Errorf("lot %s: %s of lot %s is in it, the product says %s", id, q, r.ID, r.Quantity)
		}
		if f.maker[r.ID] == nil {
			whole = whole.Add(r.OfLower)
		}
	}
	if !whole.Equal(exact.Int(1)) {
		t.Errorf("lot %s: what the record begins with sums to %s of it", id, whole)
	}
	edges := map[string]exact.Num{}
	for _, e := range a.Trace.Edges {
		edges[e.To] = edges[e.To].Add(e.OfTo)
		from, to := e.Step.From, f.maker[e.To].From
		if e.Step.ID != f.maker[e.To].ID || from.Time().Unix() != to.Unix() {
			t.Errorf("lot %s: the edge from %s to %s is of step %s, not %s", id, e.From, e.To, e.Step.ID, f.maker[e.To].ID)
		}
	}
	for to, s := range edges {
		if !s.Equal(exact.Int(1)) {
			t.Errorf("lot %s: the edges to %s sum to %s", id, to, s)
		}
	}
}

func (l *life) forward(t *testing.T, engine *answer.Engine, f *family, id string) {
	t.Helper()
	a, err := engine.Lot(context.Background(), answer.LotQuestion{ID: id, Direction: lots.Forward})
	if err != nil {
		t.Errorf("trace %s: %s", id, err)
		return
	}
	below := f.descendants(id)
	if len(a.Trace.Relatives) != len(below) {
		t.Errorf("lot %s is in %d lots, the product says in %d", id, len(below), len(a.Trace.Relatives))
	}
	for _, r := range a.Trace.Relatives {
		ofLower, ofUpper := f.composed(r.ID)
		if ofLower[id] == nil || !r.OfLower.Equal(number(ofLower[id])) || !r.OfUpper.Equal(number(ofUpper[id])) {
			t.Errorf("lot %s: in lot %s it is %v with %v, the product says %s and %s", id, r.ID, ofLower[id], ofUpper[id], r.OfLower, r.OfUpper)
		}
	}
}

// energy is an amount with its bounds; a nil high: there is none.
type energy struct{ kWh, low, high *big.Rat }

func (e energy) plus(f energy) energy {
	out := energy{new(big.Rat).Add(e.kWh, f.kWh), new(big.Rat).Add(e.low, f.low), nil}
	if e.high != nil && f.high != nil {
		out.high = new(big.Rat).Add(e.high, f.high)
	}
	return out
}

func (e energy) part(x *big.Rat) energy {
	out := energy{times(e.kWh, x), times(e.low, x), nil}
	if e.high != nil {
		out.high = times(e.high, x)
	}
	return out
}

// embodiment is the energy in a lot by stage, with that of the steps as own says: scrap bears none.
func (f *family) embodiment(id string, own func(*world.Step) energy, known map[string]map[string]energy) map[string]energy {
	if e, ok := known[id]; ok {
		return e
	}
	out := map[string]energy{}
	known[id] = out
	into := func(stage string, e energy) {
		if was, ok := out[stage]; ok {
			e = was.plus(e)
		}
		out[stage] = e
	}
	s := f.maker[id]
	if s == nil {
		for stage, text := range f.lots[id].Embodied {
			x, _ := new(big.Rat).SetString(text)
			into(stage, energy{x, x, x})
		}
		if len(out) == 0 && f.lots[id].Kind != "quartz" {
			into("before the record", energy{new(big.Rat), new(big.Rat), nil})
		}
		return out
	}
	good, mine := new(big.Rat), new(big.Rat)
	for _, o := range s.Outputs {
		if !o.Scrap {
			good.Add(good, amount(o.Quantity))
		}
		if o.Lot == id && !o.Scrap {
			mine = amount(o.Quantity)
		}
	}
	if good.Sign() == 0 {
		good, mine = sum(s.Outputs), amount(portion(s.Outputs, id))
	}
	if mine.Sign() == 0 {
		return out
	}
	share := over(mine, good)
	into(s.Stage, own(s).part(share))
	for _, in := range s.Inputs {
		used := times(over(amount(in.Quantity), amount(f.lots[in.Lot].Quantity)), share)
		for stage, e := range f.embodiment(in.Lot, own, known) {
			into(stage, e.part(used))
		}
	}
	return out
}

// embodied compares the energy of a lot: that of each step with the contract's for its unit and time, that of the lot, with those,
// exactly.
func (l *life) embodied(t *testing.T, engine *answer.Engine, f *family, want *truth.Answers, id string, raw bool) {
	t.Helper()
	a, err := engine.Lot(context.Background(), answer.LotQuestion{ID: id, Energy: true, Policy: kpi.ScrapToGood, Raw: raw})
	if err != nil {
		t.Errorf("energy of %s: %s", id, err)
		return
	}
	said := map[string]energy{}
	for i := range a.Energy.Steps {
		s := &a.Energy.Steps[i]
		e := energy{s.Own.KWh.Rat(), s.Own.Low.Rat(), nil}
		if !s.Own.Unbounded {
			e.high = s.Own.High.Rat()
		}
		said[s.Step.ID] = e
		l.ownEnergy(t, want, s)
	}
	mine := f.embodiment(id, func(s *world.Step) energy {
		e, ok := said[s.ID]
		if !ok {
			t.Errorf("lot %s: the product leaves out step %s", id, s.ID)
			e = energy{new(big.Rat), new(big.Rat), nil}
		}
		return e
	}, map[string]map[string]energy{})
	total := energy{new(big.Rat), new(big.Rat), new(big.Rat)}
	for _, stage := range slices.Sorted(maps.Keys(mine)) {
		total = total.plus(mine[stage])
		i := slices.IndexFunc(a.Energy.Stages, func(s lots.StageEnergy) bool { return s.Stage == stage })
		if i < 0 || !sameEnergy(mine[stage], a.Energy.Stages[i].Energy) {
			t.Errorf("lot %s: stage %s has %s kWh, the product says %+v", id, stage, mine[stage].kWh.FloatString(6), a.Energy.Stages)
		}
	}
	if len(a.Energy.Stages) != len(mine) || !sameEnergy(total, a.Energy.Total) {
		t.Errorf("lot %s: %s kWh in %d stages, the product says %s in %d", id, total.kWh.FloatString(6), len(mine), a.Energy.Total.KWh, len(a.Energy.Stages))
	}
	for _, x := range []struct {
		watts *world.Quantity
		got   *answer.PerWatt
	}{{f.lots[id].WpNominal, a.Nominal}, {f.lots[id].WpRealised, a.Realised}} {
		switch {
		case (x.watts == nil) != (x.got == nil):
			t.Errorf("lot %s: watts %v, the product's kWh per watt: %v", id, x.watts, x.got)
		case x.got != nil && !x.got.KWh.Num.Equal(number(over(total.kWh, amount(*x.watts)))):
			t.Errorf("lot %s: %s kWh of %s W, the product says %s kWh/W", id, total.kWh.FloatString(6), *x.watts, x.got.KWh)
		}
	}
}

func sameEnergy(e energy, p lots.Energy) bool {
	if !p.KWh.Equal(number(e.kWh)) || !p.Low.Equal(number(e.low)) || p.Unbounded != (e.high == nil) {
		return false
	}
	return p.Unbounded || p.High.Equal(number(e.high))
}

// ownEnergy compares what the product says that a step used with the contract's energy of its unit in its time.
func (l *life) ownEnergy(t *testing.T, want *truth.Answers, s *lots.StepEnergy) {
	t.Helper()
	u, _ := l.model.Unit(s.Step.Unit)
	if s.Step.From == s.Step.To {
		if !s.Own.Exact() || !s.Own.KWh.IsZero() {
			t.Errorf("step %s takes no time and has %s kWh", s.Step.ID, s.Own.KWh)
		}
		return
	}
	if u == nil || u.Class.Energy == nil && u.Class.Power == nil {
		if !s.Own.Unbounded {
			t.Errorf("step %s of unit %q without a meter has an energy of %s kWh", s.Step.ID, s.Step.Unit, s.Own.KWh)
		}
		return
	}
	q := truth.UnitQuery(u.ID, calendar.Interval{From: s.Step.From, To: min(s.Step.To, l.Now())})
	w, err := want.Answer(q)
	if err != nil {
		t.Fatal(err)
	}
	cuts, err := want.Cuts(q)
	if err != nil {
		t.Fatal(err)
	}
	most := exact.Frac(int64(cuts.Energy), 1_000_000_000)
	near := func(a, b exact.Num) bool { return a.Sub(b).Cmp(most) <= 0 && b.Sub(a).Cmp(most) <= 0 }
	high, bounded := w.Numbers["E_high_kwh"]
	if !near(s.Own.KWh, w.Numbers["E_kwh"]) || !near(s.Own.Low, w.Numbers["E_low_kwh"]) || bounded == s.Own.Unbounded || bounded && !near(s.Own.High, high) {
		t.Errorf("step %s on %s: the contract says %s kWh (%s to %s), the product %s (%s to %s)", s.Step.ID, q.Name,
			w.Numbers["E_kwh"], w.Numbers["E_low_kwh"], high, s.Own.KWh, s.Own.Low, s.Own.High)
	}
}

// conserved says that no energy is lost or made: what all steps and all lots from before the record bring is in the lots that
// nobody took, and in what is left of others. One kWh is given to each step and each lot, so that every one of them tells.
func (l *life) conserved(t *testing.T) {
	t.Helper()
	text := jsonLines(t, l.lots...)
	text.Write(jsonLines(t, l.steps...).Bytes())
	book, problems := lots.Read(text, lots.ReadOptions{Format: lots.JSON, Name: "mes.jsonl"})
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	g, err := lots.NewGraph(book.Effective(l.Now()))
	if err != nil {
		t.Fatal(err) // a cycle, for one
	}
	one := exact.Int(1)
	brought, found := exact.Int(int64(len(l.steps))), exact.Num{}
	f := l.family(t)
	for id := range f.maker {
		if f.lots[id] == nil { // scrap that nobody describes
			f.lots[id] = &world.Lot{ID: id, Quantity: portion(f.maker[id].Outputs, id)}
		}
	}
	for _, x := range f.lots {
		if f.maker[x.ID] == nil {
			for _, text := range x.Embodied {
				n, err := exact.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				brought = brought.Add(n)
			}
		}
		rest := one
		if d := f.drawn[x.ID]; d != nil {
			rest = one.Sub(number(over(d, amount(x.Quantity))))
		}
		if rest.IsZero() {
			continue
		}
		e, err := g.Embody(x.ID, kpi.ReportScrap, func(*lots.Step) (lots.Energy, string) { return lots.Energy{KWh: one, Low: one, High: one}, "" })
		if err != nil {
			t.Fatal(err)
		}
		found = found.Add(e.Total.KWh.Mul(rest))
	}
	if !found.Equal(brought) {
		t.Errorf("steps and lots from before the record bring %s kWh, the lots that are left have %s", brought, found)
	}
}
