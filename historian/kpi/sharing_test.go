package kpi_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/telemetry"
)

func nums(t *testing.T, s ...string) []exact.Num {
	t.Helper()
	out := make([]exact.Num, len(s))
	for i := range s {
		out[i] = num(t, s[i])
	}
	return out
}

func TestAllocateTable(t *testing.T) {
	for name, c := range map[string]struct {
		total   int64
		weights []string
		want    []int64
		ok      bool
	}{
		"ties go to the earlier":       {10, []string{"1", "1", "1"}, []int64{4, 3, 3}, true},
		"largest remainder":            {10, []string{"1/3", "1", "7/3"}, []int64{1, 3, 6}, true},
		"no weight gets nothing":       {7, []string{"0", "2", "0"}, []int64{0, 7, 0}, true},
		"below zero is no claim":       {7, []string{"-5", "2", "5"}, []int64{0, 2, 5}, true},
		"nobody claims":                {7, []string{"0", "-1"}, []int64{0, 0}, false},
		"nobody is there":              {7, nil, []int64{}, false},
		"a correction mirrors":         {-10, []string{"1", "1", "1"}, []int64{-4, -3, -3}, true},
		"the largest total":            {math.MaxInt64, []string{"1", "1"}, []int64{math.MaxInt64/2 + 1, math.MaxInt64 / 2}, true},
		"the smallest total":           {math.MinInt64, []string{"1"}, []int64{math.MinInt64}, true},
		"weights far below the total":  {1_000_000, []string{"1/1000000007", "2/1000000007"}, []int64{333_333, 666_667}, true},
		"nothing to share is no error": {0, []string{"1", "2"}, []int64{0, 0}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := kpi.Allocate(c.total, nums(t, c.weights...))
			if !slices.Equal(got, c.want) || ok != c.ok {
				t.Errorf("shares %v, %v, want %v, %v", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestAllocationSumsExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Int64().Draw(t, "total")
		weights := make([]exact.Num, rapid.IntRange(1, 8).Draw(t, "shares"))
		var positive exact.Num
		for i := range weights {
			weights[i] = exact.Frac(rapid.Int64Range(-2, 1000).Draw(t, "n"), rapid.Int64Range(1, 9).Draw(t, "d"))
			positive = positive.Add(exact.Max(weights[i], exact.Num{}))
		}
		shares, ok := kpi.Allocate(total, weights)
		if ok != (positive.Sign() > 0) {
			t.Fatalf("ok %v, weights sum to %s", ok, positive)
		}
		var sum exact.Num
		for i, s := range shares {
			sum = sum.Add(exact.Int(s))
			if !ok {
				continue
			}
			fair := exact.Int(total).Mul(exact.Max(weights[i], exact.Num{})).Quo(positive)
			if d := exact.Int(s).Sub(fair); d.Cmp(exact.Int(1)) >= 0 || d.Cmp(exact.Int(-1)) <= 0 {
				t.Errorf("share %d is %d, fair is %s", i, s, fair)
			}
		}
		if ok && !sum.Equal(exact.Int(total)) {
			t.Errorf("shares sum to %s of %d", sum, total)
		}
	})
}

// A piece made over a shift border is half each: reports of whole pieces still add up to the day.
func TestO17WholePiecesAddUp(t *testing.T) {
	for _, c := range []struct{ parts, want []string }{
		{[]string{"1/2", "1/2"}, []string{"1", "0"}},
		{[]string{"25875", "1125"}, []string{"25875", "1125"}},
		{[]string{"100/3", "100/3", "100/3"}, []string{"34", "33", "33"}},
		{[]string{"1.4", "1.4", "1.4", "0.8"}, []string{"2", "1", "1", "1"}},
		{[]string{"-1/2", "3/2"}, []string{"0", "1"}},
		{nil, nil},
	} {
		got := kpi.RoundWhole(nums(t, c.parts...))
		want := nums(t, c.want...)
		if !slices.EqualFunc(got, want, exact.Num.Equal) {
			t.Errorf("%v → %v, want %v", c.parts, got, want)
		}
	}
}

func TestRoundedPartsSumToTheRoundedSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := make([]exact.Num, rapid.IntRange(0, 9).Draw(t, "parts"))
		var sum, whole exact.Num
		for i := range parts {
			parts[i] = exact.Frac(rapid.Int64Range(-100, 100_000).Draw(t, "n"), rapid.Int64Range(1, 30).Draw(t, "d"))
			sum = sum.Add(parts[i])
		}
		for i, r := range kpi.RoundWhole(parts) {
			whole = whole.Add(r)
			if d := r.Sub(parts[i]); d.Cmp(exact.Int(1)) >= 0 || d.Cmp(exact.Int(-1)) <= 0 {
				t.Errorf("%s became %s", parts[i], r)
			}
		}
		if !whole.Equal(sum.Round()) {
			t.Errorf("wholes sum to %s, parts to %s", whole, sum)
		}
	})
}

func TestE10MeterTreesConserve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		meters := make([]kpi.Meter, rapid.IntRange(1, 20).Draw(t, "meters"))
		parents := make(map[string]bool)
		for i := range meters {
			meters[i] = kpi.Meter{Name: fmt.Sprint("M", i), Wh: rapid.Int64Range(0, 1<<40).Draw(t, "Wh")}
			if up := rapid.IntRange(-1, i-1).Draw(t, "parent"); up >= 0 {
				meters[i].Parent = meters[up].Name
				parents[meters[up].Name] = true
			}
		}
		tree := rapid.Permutation(meters).Draw(t, "order")
		got, err := kpi.BalanceMeters(tree)
		if err != nil {
			t.Fatal(err)
		}
		var rest int64
		for _, m := range meters {
			if m.Parent == "" {
				rest += m.Wh
			}
			if !parents[m.Name] {
				rest -= m.Wh
			}
		}
		for _, b := range got {
			rest += b.Over - b.Unmetered
			if _, found := b.Finding(exact.Int(0)); found != (b.Children > b.Wh) || b.Unmetered < 0 || b.Over < 0 {
				t.Errorf("balance %+v, finding %v", b, found)
			}
		}
		if rest != 0 || len(got) != len(parents) {
			t.Errorf("%d Wh are neither metered, unmetered nor over", rest)
		}
	})
}

// stagesOf draws stages that take at most what was made.
func stagesOf(t *rapid.T, takeAll bool) []kpi.Stage {
	stages := make([]kpi.Stage, rapid.IntRange(1, 6).Draw(t, "stages"))
	for i := range stages {
		total := rapid.Int64Range(1, 10_000).Draw(t, "total")
		stages[i] = kpi.Stage{Name: fmt.Sprint("S", i), Energy: exact.Int(rapid.Int64Range(0, 1_000_000).Draw(t, "kWh")), Total: exact.Int(total),
			Good: exact.Int(rapid.Int64Range(1, total).Draw(t, "good"))}
		if i > 0 {
			stages[i].Input = stages[i-1].Good
			if !takeAll {
				stages[i].Input = stages[i-1].Good.Mul(exact.Frac(rapid.Int64Range(1, 10).Draw(t, "tenths taken"), 10))
			}
		}
	}
	return stages
}

func TestE10EmbodiedEnergyIsConserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stages := stagesOf(t, false)
		last := &stages[len(stages)-1]
		if len(stages) > 1 {
			last.Recycled, last.ReturnTo, last.ReplacedKWh = exact.Int(1), last.Name, last.Energy.Mul(exact.Frac(1, 3))
		}
		for _, p := range []kpi.ScrapPolicy{kpi.ScrapToGood, kpi.ReportScrap, kpi.RecycleCredit} {
			e, err := kpi.Embody(stages, p)
			if err != nil {
				t.Fatal(err)
			}
			var metered exact.Num
			for _, s := range stages {
				metered = metered.Add(s.Energy)
			}
			rest := metered.Sub(e.Good).Sub(e.Scrap).Sub(e.Recycled)
			for _, w := range e.WIP {
				rest = rest.Sub(w)
			}
			if !rest.IsZero() || !metered.Equal(e.Metered) {
				t.Errorf("policy %d: %s kWh of %s are nowhere", p, rest, metered)
			}
		}
	})
}

// Demand followed back and energy moved forward are two computations of the same: they agree where each stage takes all.
func TestChainAgreesWithEmbodied(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stages := stagesOf(t, true)
		watts := exact.Frac(33, 4)
		c, err := kpi.NewChain(stages, watts)
		if err != nil {
			t.Fatal(err)
		}
		e, err := kpi.Embody(stages, kpi.ScrapToGood)
		if err != nil {
			t.Fatal(err)
		}
		if !c.PerWatt().Mul(watts).Equal(e.PerGood) {
			t.Errorf("chain %s kWh/W, embodied %s kWh a piece", c.PerWatt(), e.PerGood)
		}
	})
}

// What an interval carries out, the next carries in, and nothing is lost on the way.
func TestE10WorkInProgressIsCarried(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const months = 4
		batches := make([]kpi.Batch, rapid.IntRange(0, 6).Draw(t, "batches"))
		for i := range batches {
			b := &batches[i]
			first := rapid.Int64Range(0, months-1).Draw(t, "first")
			last := rapid.Int64Range(first, months-1).Draw(t, "last")
			for m := first; m <= last; m++ {
				v := calendar.Interval{From: telemetry.Instant(100 * m), To: telemetry.Instant(100*m + 50)}
				b.Energy = append(b.Energy, kpi.BatchEnergy{Interval: v, KWh: exact.Int(rapid.Int64Range(0, 1000).Draw(t, "kWh"))})
			}
			b.Name, b.Good, b.IsDone = fmt.Sprint("B", i), exact.Int(1), rapid.Bool().Draw(t, "done")
			b.Done = telemetry.Instant(100*last + 50)
		}
		carried := exact.Num{}
		for m := range int64(months) {
			v := calendar.Interval{From: telemetry.Instant(100 * m), To: telemetry.Instant(100 * (m + 1))}
			a, err := kpi.AlignToCompletion(batches, v)
			if err != nil {
				t.Fatal(err)
			}
			if !a.Begin.Equal(carried) || !a.Begin.Add(a.Metered).Equal(a.Energy.Add(a.Carried)) {
				t.Errorf("month %d: %s carried in, want %s; metered %s, completed %s, carried out %s", m, a.Begin, carried, a.Metered, a.Energy, a.Carried)
			}
			carried = a.Carried
		}
	})
}
