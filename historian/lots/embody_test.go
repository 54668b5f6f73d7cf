package lots

import (
	"errors"
	"strings"
	"testing"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
)

// embodied is the energy of a lot, whose steps all state theirs.
func embodied(t testing.TB, g *Graph, id string, p kpi.ScrapPolicy) *Embodied {
	t.Helper()
	e, err := g.Embody(id, p, Stated)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// stages are the energies by stage, in short.
func stages(e *Embodied) string {
	out := make([]string, len(e.Stages))
	for i, s := range e.Stages {
		out[i] = s.Stage + " " + s.KWh.String()
	}
	return strings.Join(out, ", ")
}

// E5: two stages with scrap.
func TestE5TwoStagesWithScrap(t *testing.T) {
	g := mustGraph(t, `
		lot IN quartz 1000
		step S1 one 500 : IN=1000 -> MID=950 X1=50!
		step S2 two 190 : MID=950 -> OUT=931 X2=19!`)
	for _, c := range []struct {
		lot    string
		policy kpi.ScrapPolicy
		want   string
	}{
		{"OUT", kpi.ScrapToGood, "690"}, {"X1", kpi.ScrapToGood, "0"}, {"X2", kpi.ScrapToGood, "0"},
		{"OUT", kpi.ReportScrap, "6517/10"}, {"X1", kpi.ReportScrap, "25"}, {"X2", kpi.ReportScrap, "133/10"},
		{"OUT", kpi.RecycleCredit, "690"},
	} {
		if e := embodied(t, g, c.lot, c.policy); e.Total.KWh.String() != c.want || !e.Total.Exact() {
			t.Errorf("%s under policy %d: %s kWh, want %s", c.lot, c.policy, e.Total.KWh, c.want)
		}
	}
	known, _, _ := embodied(t, g, "OUT", kpi.ScrapToGood).Total.Over(exact.Int(931))
	if got := known.Num.Rat().FloatString(9); got != "0.741138561" {
		t.Errorf("%s kWh for a good piece, want 0.741138561", got)
	}
	if got := stages(embodied(t, g, "OUT", kpi.ReportScrap)); got != "one 931/2, two 931/5" {
		t.Errorf("by stage %s", got)
	}
}

// E7: watts restated by the cell test; the nominal ones stay.
func TestE7WattsRestated(t *testing.T) {
	e := embodied(t, mustGraph(t, `
		lot IN quartz 9850
		lot CELLS cell 9850 wp=81262.5 realised=80841
		step S cells 800 : IN -> CELLS=9850`), "CELLS", kpi.ScrapToGood)
	for _, c := range []struct {
		watts exact.Num
		want  string
	}{{*e.Lot.WpNominal, "9.844639286"}, {*e.Lot.WpRealised, "9.895968630"}} {
		known, low, high := e.Total.Over(c.watts)
		if got := known.Num.Mul(exact.Int(1000)).Rat().FloatString(9); got != c.want || !low.Equal(known) || !high.Equal(known) {
			t.Errorf("%s Wh/W (%s to %s), want %s", got, low, high, c.want)
		}
	}
}

// Continuous mixing: a tank is filled twice, a reactor takes from each content. By hand:
//
//	T1 = 600 kg of MG-1 (6000 kWh)                              10 kWh/kg
//	B1 takes 150 of T1: 1/4                                     1500 kWh
//	T2 = 450 of T1 (4500 kWh) + 300 of MG-2 (2400 kWh)          6900 kWh in 750 kg
//	B2 takes 500 of T2: 2/3                                     4600 kWh, of which 3000 through MG-1
//	T3 = 250 of T2 (2300) + 150 of MG-3 (3000)                  5300 kWh in 400 kg
//	B3 takes 100 of T3: 1/4                                     1325 kWh
func TestMixture(t *testing.T) {
	g := mustGraph(t, `
		lot MG-1 mg 600 metallurgical=6000
		lot MG-2 mg 300 metallurgical=2400
		lot MG-3 mg 200 metallurgical=4000
		step F1 fill 0 : MG-1 -> T1=600
		step R1 poly 90 : T1=150 -> B1=140
		step F2 fill 0 : T1 MG-2=300 -> T2=750
		step R2 poly 100 : T2=500 -> B2=400
		step F3 fill 0 : T2 MG-3=150 -> T3=400
		step R3 poly 10 : T3=100 -> B3=80`)
	for lot, want := range map[string]string{"B1": "fill 0, metallurgical 1500, poly 90", "B2": "fill 0, metallurgical 4600, poly 100", "B3": "fill 0, metallurgical 1325, poly 10"} {
		e := embodied(t, g, lot, kpi.ScrapToGood)
		got := strings.Split(stages(e), ", ")
		for _, part := range strings.Split(want, ", ") {
			if !strings.Contains(strings.Join(got, ", ")+",", part+",") {
				t.Errorf("%s: %s, want %s", lot, stages(e), part)
			}
		}
	}
	trace, err := g.Trace("B3", Backward, 0)
	if err != nil {
		t.Fatal(err)
	}
	// of T3's 400 kg, 250 are of T2, which is 450/750 of MG-1
	for lot, want := range map[string][3]string{"MG-1": {"75/2", "1/16", "3/8"}, "MG-2": {"25", "1/12", "1/4"}, "MG-3": {"75/2", "3/16", "3/8"}, "T2": {"125/2", "1/12", "5/8"}} {
		for _, r := range trace.Relatives {
			if r.ID == lot && (r.Quantity.String() != want[0] || r.OfUpper.String() != want[1] || r.OfLower.String() != want[2]) {
				t.Errorf("%s in B3: %s, %s of it, %s of B3, want %v", lot, r.Quantity, r.OfUpper, r.OfLower, want)
			}
		}
	}
	if len(trace.Relatives) != 6 || len(trace.Findings) != 0 {
		t.Errorf("%d relatives, findings %s", len(trace.Relatives), codes(trace.Findings))
	}
}

// E1: the chain of 1,000 good wafers as lots. Off-cuts come from earlier runs and go to later ones; they bring no energy along, as
// in the chain they only save feed: their credit is that of a feed worth nothing.
func TestE1Chain(t *testing.T) {
	wafers := exact.Int(1000)
	cut := wafers.Quo(num(t, "0.98"))
	brick := cut.Mul(num(t, "0.014"))
	boule := brick.Quo(num(t, "0.62"))
	charge := boule.Quo(num(t, "0.97"))
	offcuts := boule.Sub(brick)
	back := offcuts.Mul(num(t, "0.95"))
	poly := charge.Sub(back)
	mg := poly.Mul(num(t, "1.15"))
	r := Revision{Number: 1, By: "test", KnownAt: t0}
	lot := func(id string, k Kind, q exact.Num) Lot {
		return Lot{ID: id, Kind: k, Quantity: q, UnitOf: "kg", MadeAt: t0, Revision: r}
	}
	old, cells := lot("OLD", Offcut, back), lot("WAFERS", Wafer, wafers)
	old.Embodied = map[string]exact.Num{"crystal": {}}
	cells.WpNominal = ptr(exact.Int(8250))
	fresh := lot("OFFCUTS", Offcut, back)
	fresh.ReplacedKWh = new(exact.Num)
	b := Book{Lots: []Lot{lot("QZ", Quartz, mg), lot("MG", MG, mg), lot("POLY", Harvest, poly), old, lot("BOULE", Ingot, boule), lot("BRICK", Brick, brick), fresh, lot("CUT", Cut, cut), cells}}
	made := func(id string, energy exact.Num, inputs []string, outputs ...Output) {
		s := Step{ID: id, Stage: id, From: t0, To: t0, EnergyKWh: &energy, Outputs: outputs, Revision: r}
		for _, in := range inputs {
			s.Inputs = append(s.Inputs, Input{Lot: in})
		}
		b.Steps = append(b.Steps, s)
	}
	made("mg", mg.Mul(num(t, "12")), []string{"QZ"}, Output{"MG", mg, false})
	made("poly", poly.Mul(num(t, "60")), []string{"MG"}, Output{"POLY", poly, false})
	made("cz", boule.Mul(num(t, "25")), []string{"POLY", "OLD"}, Output{"BOULE", boule, false}, Output{"LOST", charge.Sub(boule), true})
	made("squaring", brick.Mul(num(t, "0.8")), []string{"BOULE"}, Output{"BRICK", brick, false}, Output{"OFFCUTS", back, false}, Output{"DUST", offcuts.Sub(back), true})
	made("slicing", cut.Mul(num(t, "0.06")), []string{"BRICK"}, Output{"CUT", cut, false})
	made("cleaning", cut.Mul(num(t, "0.02")), []string{"CUT"}, Output{"WAFERS", wafers, false}, Output{"BROKEN", cut.Sub(wafers), true})
	g, err := NewGraph(b)
	if err != nil {
		t.Fatal(err)
	}
	e := embodied(t, g, "WAFERS", kpi.RecycleCredit)
	want := map[string]string{"mg": "25.820428", "poly": "112.262729", "cz": "69.822650", "squaring": "1.385281", "slicing": "7.421150", "cleaning": "2.473717"}
	for _, s := range e.Stages {
		known, _, _ := s.Over(*cells.WpNominal)
		if got := known.Num.Mul(exact.Int(1000)).Rat().FloatString(6); want[s.Stage] != "" && got != want[s.Stage] {
			t.Errorf("%s: %s Wh/W, want %s", s.Stage, got, want[s.Stage])
		}
		delete(want, s.Stage)
	}
	if known, _, _ := e.Total.Over(*cells.WpNominal); known.Num.Rat().FloatString(9) != "0.219185956" || len(want) > 0 {
		t.Errorf("%s kWh/W, without the stages %v", known.Num.Rat().FloatString(9), want)
	}
}

func TestRecycleCredit(t *testing.T) {
	const text = `
		lot IN quartz 100
		lot OFF offcut 20 replaces=3
		step S crystal 1000 : IN=100 -> BRICK=70 OFF=20 DUST=10!`
	g := mustGraph(t, text)
	for _, c := range []struct {
		lot    string
		policy kpi.ScrapPolicy
		want   string
	}{
		{"BRICK", kpi.RecycleCredit, "crystal 1000, recycled -60"}, {"OFF", kpi.RecycleCredit, "recycled 60"}, {"DUST", kpi.RecycleCredit, ""},
		{"BRICK", kpi.ScrapToGood, "crystal 7000/9"}, {"OFF", kpi.ScrapToGood, "crystal 2000/9"}, {"DUST", kpi.ReportScrap, "crystal 100"},
	} {
		if got := stages(embodied(t, g, c.lot, c.policy)); got != c.want {
			t.Errorf("%s under policy %d: %q, want %q", c.lot, c.policy, got, c.want)
		}
	}
	dear := embodied(t, mustGraph(t, strings.Replace(text, "replaces=3", "replaces=300", 1)), "BRICK", kpi.RecycleCredit)
	if codes(dear.Findings) != "credit_too_large BRICK" {
		t.Errorf("a credit above what is there: %s", codes(dear.Findings))
	}
	silent := embodied(t, mustGraph(t, strings.Replace(text, "replaces=3", "", 1)), "OFF", kpi.RecycleCredit)
	if codes(silent.Findings) != "no_credit_value OFF" || stages(silent) != "crystal 2000/9" {
		t.Errorf("an off-cut that replaces nobody knows what: %s, %s", codes(silent.Findings), stages(silent))
	}
	alone := embodied(t, mustGraph(t, `
		lot IN quartz 100
		lot OFF offcut 20 replaces=3
		step S crystal 1000 : IN=100 -> OFF=20`), "OFF", kpi.RecycleCredit)
	if stages(alone) != "crystal 1000" {
		t.Errorf("off-cuts alone: %s", stages(alone))
	}
}

// What is not known is no zero: it has bounds, or none, and says why.
func TestUnknownEnergy(t *testing.T) {
	g := mustGraph(t, `
		lot BOUGHT mg 100
		lot QZ quartz 10
		step S1 one ? : QZ -> A=10
		step S2 two 7 : BOUGHT=50 A=5 -> B=55
		step S3 three 8 : A=5 -> C=5`)
	between := func(s *Step) (Energy, string) {
		if s.ID == "S1" {
			return Energy{KWh: exact.Int(40), Low: exact.Int(50), High: exact.Int(60)}, "the register was away"
		}
		return Stated(s)
	}
	c, err := g.Embody("C", kpi.ScrapToGood, between)
	if err != nil || c.Total.KWh.String() != "28" || c.Total.Low.String() != "33" || c.Total.High.String() != "38" || c.Total.Unbounded {
		t.Errorf("half of 40 (50 to 60) and 8: %+v, %v", c.Total, err)
	}
	if codes(c.Findings) != "energy_partly_known  S1" || !strings.Contains(c.Findings[0].Text, "50.0 % is in the lot") {
		t.Errorf("findings %v", c.Findings)
	}
	b, err := g.Embody("B", kpi.ScrapToGood, between)
	if err != nil || b.Total.KWh.String() != "27" || b.Total.Low.String() != "32" || !b.Total.Unbounded {
		t.Errorf("with a lot of unknown energy: %+v, %v", b.Total, err)
	}
	if codes(b.Findings) != "energy_partly_known  S1; energy_unknown BOUGHT" {
		t.Errorf("findings %s", codes(b.Findings))
	}
	if _, _, high := b.Total.Over(exact.Int(5)); !high.Null {
		t.Errorf("an upper bound of what has none: %s", high)
	}
	if known, _, _ := b.Total.Over(exact.Num{}); !known.Null {
		t.Errorf("for no watts: %s", known)
	}
	if _, err := g.Embody("Z", kpi.ScrapToGood, Stated); !errors.Is(err, ErrNoLot) {
		t.Errorf("a lot that is not there: %v", err)
	}
}
