package kpi_test

import (
	"testing"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
)

// The keys of the conformance vectors, as CONFORMANCE lists them.
var vectorKeys = []string{"A", "P", "Q", "OEE", "NEE", "TEEP", "OpE", "A_low", "A_high", "OEE_low", "OEE_high", "coverage", "count_coverage",
	"PBT_s", "APT_s", "SETUP_s", "STOP_s", "IDLE_s", "UNKNOWN_s", "PLANNED_s", "UNCOUNTED_s", "PQ", "GQ", "ideal_total_s", "ideal_good_s",
	"E_kwh", "E_low_kwh", "E_high_kwh", "E_coverage", "MTBF_s", "MTTR_s"}

func TestKeysOfVectors(t *testing.T) {
	for _, name := range vectorKeys {
		if k, ok := kpi.ParseKey(name); !ok || !k.InVectors() || k.Name() != name {
			t.Errorf("key %q: %v, %v", name, k, ok)
		}
	}
	n := 0
	for k := range kpi.NumKeys {
		if k.InVectors() {
			n++
		}
	}
	if n != len(vectorKeys) {
		t.Errorf("%d keys of vectors, want %d", n, len(vectorKeys))
	}
	if _, ok := kpi.ParseKey("oee"); ok {
		t.Error("names are case-sensitive")
	}
}

func TestEveryKeyIsDefined(t *testing.T) {
	units := map[string]bool{"1": true, "s": true, "pieces": true, "kWh": true, "W": true, "kWh/piece": true, "kWh/W": true}
	seen := make(map[string]bool)
	for i, d := range kpi.Definitions() {
		if d.Key != kpi.Key(i) || d.Name == "" || d.Title == "" || !units[d.Unit] || d.Source == "" || seen[d.Name] {
			t.Errorf("definition %d is incomplete or used twice: %+v", i, d)
		}
		if d.Formula[0] == "" && d.Formula[1] == "" && d.Formula[2] == "" {
			t.Errorf("%s has no formula", d.Name)
		}
		seen[d.Name] = true
	}
}

// The model is part of the name, as the same data have two answers.
func TestFullNames(t *testing.T) {
	for _, c := range []struct {
		key  kpi.Key
		std  kpi.Standard
		of   kpi.Subject
		want string
	}{
		{kpi.OEE, kpi.ISO, kpi.Units, "iso22400.OEE"}, {kpi.OEE, kpi.E79, kpi.Units, "semi_e79.OEE"}, {kpi.OEE, kpi.ISO, kpi.Line, "line.OEE"},
		{kpi.NEE, kpi.E79, kpi.Units, ""}, {kpi.OperationalEfficiency, kpi.ISO, kpi.Units, ""}, {kpi.Availability, kpi.ISO, kpi.Line, ""},
		{kpi.OEE, kpi.E79, kpi.Line, ""}, {kpi.NumKeys, kpi.ISO, kpi.Units, ""},
	} {
		if got := c.key.FullName(c.std, c.of); got != c.want {
			t.Errorf("%s by %d of %d is %q, want %q", c.key, c.std, c.of, got, c.want)
		}
	}
	d := kpi.Definitions()[kpi.OperationalEfficiency]
	if d.FormulaOf(kpi.E79, kpi.Units) == "" || d.FormulaOf(kpi.ISO, kpi.Units) != "" || d.FormulaOf(kpi.E79, kpi.Line) != "" {
		t.Error("OpE is of E79 and of units only")
	}
}

func TestUnknownKeyIsNull(t *testing.T) {
	r := kpi.Compute(&ledger.Facts{}, kpi.ISO)
	if v := r.Get(kpi.NumKeys + 3); !v.Null || v.String() != "null" || (kpi.NumKeys+3).Name() != "" {
		t.Errorf("value %s", v)
	}
}

// A result keeps its own copy: facts that go on growing do not change it.
func TestResultDoesNotFollowItsFacts(t *testing.T) {
	f := facts(t, sums{ledger.RunTime: "10", ledger.StopTime: "10"})
	r := kpi.Compute(f, kpi.ISO)
	f.Sum[ledger.StopTime] = exact.Int(0)
	check(t, r, want{kpi.Availability: "1/2", kpi.StopTime: "10"})
}
