package kpi_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
)

// num reads a number as the goldens write it: "19/20", "1.6", "18848".
func num(t testing.TB, s string) exact.Num {
	t.Helper()
	n, err := exact.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sums are facts as a person writes them: times and ideal times in s, pieces, kWh, W.
type sums map[ledger.Field]string

// facts turns sums into the ledger's quanta. Units of a piece counter and of a register follow from what is given.
func facts(t testing.TB, s sums) *ledger.Facts {
	t.Helper()
	f := &ledger.Facts{}
	for k, v := range s {
		n := num(t, v)
		switch k {
		case ledger.Failures, ledger.E79Failures:
		case ledger.GoodWatts:
			n = n.Mul(exact.Int(ledger.MicrosPerWatt))
		default:
			n = n.Mul(exact.Int(1_000_000_000)) // s → ns, pieces → nano-pieces, kWh → µWh
		}
		f.Sum[k] = n
		f.HasPieces = f.HasPieces || k == ledger.TotalPieces || k == ledger.GoodPieces
		f.HasEnergy = f.HasEnergy || k == ledger.EnergyKnown
	}
	return f
}

// want are values by key: fractions, exactly; decimals with a point to 1e-9; "null".
type want map[kpi.Key]string

func check(t *testing.T, r kpi.Result, w want) {
	t.Helper()
	for k, s := range w {
		got := r.Get(k)
		if s == "null" {
			if !got.Null {
				t.Errorf("%s = %s, want null", k, got)
			}
			continue
		}
		if got.Null {
			t.Errorf("%s is null, want %s", k, s)
			continue
		}
		if d := got.Num.Sub(num(t, s)); !d.IsZero() && (!decimal(s) || !near(got.Num, num(t, s))) {
			t.Errorf("%s = %s (%.10g), want %s", k, got, got.Num.Float(), s)
		}
	}
}

// never checks that r gives none of the wrong answers, to 1e-9.
func never(t *testing.T, r kpi.Result, k kpi.Key, wrong ...string) {
	t.Helper()
	for _, s := range wrong {
		if got := r.Get(k); !got.Null && near(got.Num, num(t, s)) {
			t.Errorf("%s = %s, which is the wrong %s", k, got, s)
		}
	}
}

func decimal(s string) bool {
	for _, c := range s {
		if c == '.' {
			return true
		}
	}
	return false
}

// near is equality to 1e-9, the goldens' tolerance.
func near(a, b exact.Num) bool {
	d := a.Sub(b)
	if d.Sign() < 0 {
		d = d.Neg()
	}
	return d.Cmp(exact.Frac(1, 1_000_000_000)) <= 0
}

func checkCodes(t *testing.T, r kpi.Result, codes ...kpi.Code) {
	t.Helper()
	if d := cmp.Diff(codes, r.Codes()); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
}

func checkReason(t *testing.T, r kpi.Result, w kpi.Reason) {
	t.Helper()
	if r.Reason() != w {
		t.Errorf("reason %q, want %q", r.Reason(), w)
	}
}
