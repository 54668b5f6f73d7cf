package kpi_test

import (
	"errors"
	"testing"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// digits checks a number against the digits that the goldens print.
func digits(t *testing.T, what string, got exact.Num, printed string) {
	t.Helper()
	places := int64(1)
	seen := false
	for _, c := range printed {
		if seen {
			places *= 10
		}
		seen = seen || c == '.'
	}
	if !got.Mul(exact.Int(places)).Round().Equal(num(t, printed).Mul(exact.Int(places))) {
		t.Errorf("%s is %.12g, want %s", what, got.Float(), printed)
	}
}

// slack checks a number that the goldens print as a sum or product of figures already rounded: one unit in the last place is allowed.
func slack(t *testing.T, what string, got exact.Num, printed string, unit string) {
	t.Helper()
	if d := got.Sub(num(t, printed)); d.Cmp(num(t, unit)) >= 0 || d.Neg().Cmp(num(t, unit)) >= 0 {
		t.Errorf("%s is %.12g, want %s", what, got.Float(), printed)
	}
}

// waferChain is E1's: each stage for one unit of its output, 1,000 good wafers following from the yields.
func waferChain(t *testing.T, slicingYield string) []kpi.Stage {
	t.Helper()
	n := func(s string) exact.Num { return num(t, s) }
	one := exact.Int(1)
	return []kpi.Stage{
		{Name: "MG", Energy: n("12"), Total: one, Good: one},
		{Name: "poly", Energy: n("60"), Input: n("1.15"), Total: one, Good: one},
		{Name: "CZ", Energy: n("24.25"), Input: one, Total: n("0.97"), Good: n("0.97")}, // 25 kWh/kg boule
		{Name: "squaring", Energy: n("0.496"), Input: one, Total: n("0.62"), Good: n("0.62"), Recycled: n("0.361"), ReturnTo: "CZ"},
		{Name: "slicing", Energy: n("0.060"), Input: n("0.014"), Total: one, Good: one},
		{Name: "sorting", Energy: n("0.020"), Input: one, Total: one, Good: n(slicingYield)},
	}
}

func TestE1Chain(t *testing.T) {
	c, err := kpi.NewChain(waferChain(t, "0.98"), num(t, "8.25"))
	if err != nil {
		t.Fatal(err)
	}
	lot := num(t, "8250") // W of 1,000 good wafers
	for i, s := range []struct{ name, quantity, whPerW string }{
		{"MG", "17.751544", "25.820428"}, {"poly", "15.436126", "112.262729"}, {"CZ", "23.041475", "69.822650"},
		{"squaring", "14.285714", "1.385281"}, {"slicing", "1020.408163", "7.421150"}, {"sorting", "1020.408163", "2.473717"},
	} {
		got := c.Stages[i]
		if got.Name != s.name {
			t.Fatalf("stage %d is %s", i, got.Name)
		}
		if s.name == "poly" {
			slack(t, "poly quantity", got.Total.Mul(lot), s.quantity, "0.000001")
		} else {
			digits(t, s.name+" quantity", got.Total.Mul(lot), s.quantity)
		}
		digits(t, s.name+" Wh/W", got.PerWatt.Mul(exact.Int(1000)), s.whPerW)
	}
	digits(t, "charge", c.Stages[2].Total.Mul(lot).Quo(num(t, "0.97")), "23.754098")
	digits(t, "g/W of polysilicon", c.Stages[1].Good.Mul(exact.Int(1000)), "1.871")
	digits(t, "total kWh/W", c.PerWatt(), "0.219185956")
	gate, ok := c.Between("CZ", "sorting")
	if !ok {
		t.Fatal("no gate to gate")
	}
	slack(t, "gate to gate kWh/W", gate, "0.081102798", "1e-9")

	// At 1 GW a year.
	watts := exact.Int(1_000_000_000)
	digits(t, "GWh/a", gate.Mul(watts).Quo(exact.Int(1_000_000)), "81")
	digits(t, "MW average", gate.Mul(watts).Quo(exact.Int(8760*1000)), "9.3")
	digits(t, "t poly/a", c.Stages[1].Good.Mul(watts).Quo(exact.Int(1000)), "1871")
	digits(t, "t boule/a", c.Stages[2].Good.Mul(watts).Quo(exact.Int(1000)), "2793")

	worse, err := kpi.NewChain(waferChain(t, "0.95"), num(t, "8.25"))
	if err != nil {
		t.Fatal(err)
	}
	slack(t, "total kWh/W at a slicing yield of 0.95", worse.PerWatt(), "0.226107618", "1e-9")
}

func TestE1ChainOfImpossibleStages(t *testing.T) {
	for name, change := range map[string]func([]kpi.Stage){
		"no output":                  func(s []kpi.Stage) { s[1].Total = exact.Int(0) },
		"no good output":             func(s []kpi.Stage) { s[1].Good = exact.Int(0) },
		"more good than made":        func(s []kpi.Stage) { s[1].Good = exact.Int(2) },
		"negative energy":            func(s []kpi.Stage) { s[1].Energy = exact.Int(-1) },
		"takes nothing in":           func(s []kpi.Stage) { s[1].Input = exact.Int(0) },
		"name twice":                 func(s []kpi.Stage) { s[1].Name = "MG" },
		"returns to nowhere":         func(s []kpi.Stage) { s[3].ReturnTo = "" },
		"returns further on":         func(s []kpi.Stage) { s[3].ReturnTo = "slicing" },
		"returns to raw material":    func(s []kpi.Stage) { s[3].ReturnTo = "MG" },
		"returns more than it takes": func(s []kpi.Stage) { s[3].Recycled = exact.Int(5) },
	} {
		t.Run(name, func(t *testing.T) {
			stages := waferChain(t, "0.98")
			change(stages)
			if _, err := kpi.NewChain(stages, num(t, "8.25")); !errors.Is(err, kpi.ErrStage) {
				t.Errorf("error %v", err)
			}
		})
	}
	if _, err := kpi.NewChain(waferChain(t, "0.98"), exact.Int(0)); !errors.Is(err, kpi.ErrStage) {
		t.Errorf("of 0 W: error %v", err)
	}
	c, err := kpi.NewChain(waferChain(t, "0.98"), num(t, "8.25"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Between("sorting", "CZ"); ok {
		t.Error("gate to gate backwards")
	}
}

func TestE2SharedUtilities(t *testing.T) {
	const mega = 1_000_000_000 // µWh in a kWh, so that the goldens' nine digits are whole
	direct := []int64{620, 410, 530}
	for _, c := range []struct {
		key     string
		weights []string
		want    []string
	}{
		{"direct kWh", []string{"620", "410", "530"}, []string{"739.230769", "488.846154", "631.923077"}},
		{"run hours", []string{"22", "14", "20"}, []string{"737.857143", "485", "637.142857"}},
		{"good wafers", []string{"42000", "26000", "37000"}, []string{"740", "484.285714", "635.714286"}},
	} {
		t.Run(c.key, func(t *testing.T) {
			weights := make([]exact.Num, len(c.weights))
			for i, w := range c.weights {
				weights[i] = num(t, w)
			}
			shares, ok := kpi.Allocate(300*mega, weights)
			if !ok {
				t.Fatal("nothing allocated")
			}
			var sum int64
			for i, s := range shares {
				sum += s + direct[i]*mega
				digits(t, "saw", exact.Frac(s+direct[i]*mega, mega), c.want[i])
			}
			if sum != 1860*mega {
				t.Errorf("sum %d µWh, want 1860 kWh", sum)
			}
		})
	}
}

func TestE2PlantEnergyPerWatt(t *testing.T) {
	f := facts(t, sums{ledger.Span: "86400", ledger.EnergyKnown: "1860", ledger.EnergySpan: "86400", ledger.Covered: "86400",
		ledger.TotalPieces: "105000", ledger.GoodPieces: "105000", ledger.GoodWatts: "866250"})
	r := kpi.Compute(f, kpi.ISO)
	wh := exact.Int(1000)
	digits(t, "Wh/wafer", r.Get(kpi.EnergyPerGood).Num.Mul(wh), "17.714285714")
	digits(t, "Wh/W", r.Get(kpi.EnergyPerWatt).Num.Mul(wh), "2.147186147")
	check(t, r, want{kpi.WattsGood: "866250", kpi.ComprehensiveEnergy: "1860/105000"})
	for _, k := range []kpi.Key{kpi.EnergyPerWattLow, kpi.EnergyPerWattHigh} {
		if !r.Get(k).Equal(r.Get(kpi.EnergyPerWatt)) {
			t.Errorf("%s is %s, though nothing is unknown", k, r.Get(k))
		}
	}
	direct := kpi.Compute(facts(t, sums{ledger.EnergyKnown: "1560", ledger.EnergyIdle: "100", ledger.EnergyStop: "30", ledger.EnergyOut: "20"}), kpi.ISO)
	check(t, direct, want{kpi.IdleEnergy: "150", kpi.IdleEnergyShare: "0.096153846"})
}

func TestE5ScrapPolicies(t *testing.T) {
	n := func(s string) exact.Num { return num(t, s) }
	stages := []kpi.Stage{
		{Name: "one", Energy: n("500"), Total: n("1000"), Good: n("950")},
		{Name: "two", Energy: n("190"), Input: n("950"), Total: n("950"), Good: n("931")},
	}
	embody := func(p kpi.ScrapPolicy) kpi.Embodied {
		t.Helper()
		e, err := kpi.Embody(stages, p)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	whole := embody(kpi.ScrapToGood)
	digits(t, "kWh/good", whole.PerGood, "0.741138561")
	for _, wrong := range []string{"0.730397422", "0.7"} {
		if near(whole.PerGood, n(wrong)) {
			t.Errorf("kWh/good is the wrong %s", wrong)
		}
	}
	reported := embody(kpi.ReportScrap)
	digits(t, "in scrap", reported.Scrap, "38.3")
	digits(t, "in good", reported.Good, "651.7")
	digits(t, "sum", reported.Scrap.Add(reported.Good), "690.0")

	stages[0].Recycled, stages[0].ReturnTo, stages[0].ReplacedKWh = n("40"), "two", n("0.25")
	if _, err := kpi.Embody(stages, kpi.RecycleCredit); !errors.Is(err, kpi.ErrStage) {
		t.Errorf("material returned to a stage further on: error %v", err)
	}
	stages[0].Recycled = exact.Int(0)
	stages[1].Recycled, stages[1].ReturnTo, stages[1].ReplacedKWh = n("19"), "two", n("0.5")
	credited := embody(kpi.RecycleCredit)
	digits(t, "credited", credited.Recycled, "9.5")
	digits(t, "in good less credit", credited.Good, "680.5")
	stages[1].ReplacedKWh = n("100")
	if _, err := kpi.Embody(stages, kpi.RecycleCredit); !errors.Is(err, kpi.ErrStage) {
		t.Errorf("credit above what is there: error %v", err)
	}
	stages[1].Input = n("951")
	if _, err := kpi.Embody(stages, kpi.ScrapToGood); !errors.Is(err, kpi.ErrStage) {
		t.Errorf("takes what was not made: error %v", err)
	}
}

func TestE6BatchOverAMonthEnd(t *testing.T) {
	at := func(s string) telemetry.Instant {
		u, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		i, _ := telemetry.FromTime(u)
		return i
	}
	border, done := at("2026-02-01T00:00:00Z"), at("2026-02-03T14:00:00Z")
	batch := kpi.Batch{Name: "S-17", Done: done, IsDone: true, Good: num(t, "6000"), Energy: []kpi.BatchEnergy{
		{Interval: calendar.Interval{From: at("2026-01-30T10:00:00Z"), To: border}, KWh: num(t, "84000")},
		{Interval: calendar.Interval{From: border, To: done}, KWh: num(t, "216000")},
	}}
	january, err := kpi.AlignToCompletion([]kpi.Batch{batch}, calendar.Interval{From: at("2026-01-01T00:00:00Z"), To: border})
	if err != nil {
		t.Fatal(err)
	}
	if !january.PerGood.Null {
		t.Errorf("January's kWh/kg is %s, want null", january.PerGood)
	}
	digits(t, "January's work in progress", january.Carried, "84000")

	february, err := kpi.AlignToCompletion([]kpi.Batch{batch}, calendar.Interval{From: border, To: at("2026-03-01T00:00:00Z")})
	if err != nil {
		t.Fatal(err)
	}
	if february.PerGood.String() != "50" {
		t.Errorf("February's kWh/kg is %s, want 50 (36 is by calendar meter)", february.PerGood)
	}
	digits(t, "carried into February", february.Begin, "84000")
	digits(t, "carried out of it", february.Carried, "0")

	march, err := kpi.AlignToCompletion([]kpi.Batch{batch}, calendar.Interval{From: at("2026-03-01T00:00:00Z"), To: at("2026-04-01T00:00:00Z")})
	if err != nil || !march.Begin.IsZero() || !march.PerGood.Null {
		t.Errorf("March: %+v, %v", march, err)
	}
	uncut := calendar.Interval{From: at("2026-01-31T00:00:00Z"), To: at("2026-02-02T00:00:00Z")}
	if _, err := kpi.AlignToCompletion([]kpi.Batch{batch}, uncut); !errors.Is(err, kpi.ErrBatch) {
		t.Errorf("energy that is not cut at the border: error %v", err)
	}
	batch.Done = border
	if _, err := kpi.AlignToCompletion([]kpi.Batch{batch}, calendar.Interval{From: border - 1, To: done}); !errors.Is(err, kpi.ErrBatch) {
		t.Errorf("energy after completion: error %v", err)
	}
}

func TestE7WattsRestated(t *testing.T) {
	n := func(s string) exact.Num { return num(t, s) }
	nominal := []kpi.PowerBin{{Pieces: n("9850"), Watts: n("8.25")}}
	realised := []kpi.PowerBin{{Pieces: n("3000"), Watts: n("8.10")}, {Pieces: n("5000"), Watts: n("8.30")}, {Pieces: n("1780"), Watts: n("8.45")}}
	digits(t, "realised W", kpi.TotalWatts(realised), "80841")
	both := kpi.OverWatts(n("800"), nominal, realised)
	digits(t, "nominal Wh/W", both.Nominal.Num.Mul(exact.Int(1000)), "9.844639286")
	digits(t, "realised Wh/W", both.Realised.Num.Mul(exact.Int(1000)), "9.895968630")
	if before := kpi.OverWatts(n("800"), nominal, nil); !before.Realised.Null || !before.Nominal.Equal(both.Nominal) {
		t.Errorf("before the cell test: %v", before)
	}
}

// E9's point: at the same efficiency, energy per output falls merely with volume; the indicator does not.
func TestE9IndicatorDoesNotRewardVolume(t *testing.T) {
	b := kpi.Baseline{Base: num(t, "1000"), Slope: num(t, "2")}
	small, large := kpi.Period{Energy: num(t, "2000"), Output: num(t, "500")}, kpi.Period{Energy: num(t, "3000"), Output: num(t, "1000")}
	if small.Energy.Quo(small.Output).Cmp(large.Energy.Quo(large.Output)) <= 0 {
		t.Fatal("the example needs energy per output to fall with volume")
	}
	for _, p := range []kpi.Period{small, large} {
		if v := b.Indicator(p); v.String() != "1" {
			t.Errorf("indicator of %v is %s, want 1", p, v)
		}
	}
	better := kpi.Period{Energy: num(t, "2700"), Output: num(t, "1000")}
	if v := b.Indicator(small, better); v.String() != "47/50" {
		t.Errorf("indicator of both is %s, want 4700/5000", v)
	}
	sum := b.CUSUM([]kpi.Period{small, better, better})
	for i, s := range []string{"0", "-300", "-600"} {
		if sum[i].String() != s {
			t.Errorf("CUSUM after %d is %s, want %s", i, sum[i], s)
		}
	}
	if v := (kpi.Baseline{}).Indicator(small); !v.Null {
		t.Errorf("indicator against nothing is %s", v)
	}
}
