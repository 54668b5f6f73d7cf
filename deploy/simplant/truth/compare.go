package truth

import (
	"fmt"
	"slices"
	"strings"

	"kvarts/deploy/simplant/truth/contract"
	"kvarts/historian/exact"
)

// quanta is so many quanta of a nano-unit.
func quanta(n exact.Num) exact.Num { return n.Mul(exact.Frac(1, 1_000_000_000)) }

// tolerance is how far in a key an engine that keeps whole quanta may be from the exact answer; 0 for times and what follows
// from times alone.
//
// The product counts time in nanoseconds, as the contract does: times must be equal. It counts pieces in nano-pieces, energy in
// µWh and ideal time in ns, and rounds a share of a quantity, or its ideal time, once wherever something cuts it. So a share
// is worth at most one quantum; its ideal time moreover what a nano-piece is worth. The energy of a share that power shapes is
// divided by a sum of steps that were rounded themselves, hence twice.
//
//	PQ GQ              Cuts.Pieces · 10⁻⁹ pieces
//	ideal_total_s …    Cuts.Ideal · 10⁻⁹ s
//	E_kwh …            2 · Cuts.Energy · 10⁻⁹ kWh
//	P Q OEE …          4 · that of the ideal times ÷ (count_coverage · the least time or ideal time that it is divided by)
func tolerance(key string, want *contract.Answer, c contract.Cuts) exact.Num {
	switch key {
	case "PQ", "GQ":
		return quanta(exact.Int(int64(c.Pieces)))
	case "ideal_total_s", "ideal_good_s":
		return quanta(c.Ideal)
	case contract.KeyEkWh, "E_low_kwh", "E_high_kwh":
		return quanta(exact.Int(2 * int64(c.Energy)))
	case "P", "Q", contract.KeyOEE, "OEE_low", "OEE_high", "A_low", "NEE", "TEEP":
		return exact.Int(4).Mul(quanta(c.Ideal)).Quo(divisor(want))
	default:
		return exact.Num{}
	}
}

// divisor is the least that a ratio of an answer is divided by: a time, or an ideal time.
func divisor(a *contract.Answer) exact.Num {
	var least exact.Num
	consider := func(x exact.Num) {
		if x.Sign() > 0 && (least.IsZero() || x.Cmp(least) < 0) {
			least = x
		}
	}
	for _, key := range []string{"PBT_s", "APT_s", "ideal_total_s"} {
		consider(a.Numbers[key])
	}
	consider(a.Numbers["PBT_s"].Sub(a.Numbers["UNKNOWN_s"]))
	if least.IsZero() {
		least = exact.Int(1)
	}
	if c, ok := a.Numbers["count_coverage"]; ok && c.Sign() > 0 {
		least = least.Mul(c)
	}
	return least
}

// Compare says in words in what a product's answer is not the contract's; nothing when it is, to the rounding of its shares. Findings
// that the contract does not name are the product's own affair.
func Compare(product, want *contract.Answer, c contract.Cuts) []string {
	var out []string
	for _, key := range contract.Keys() {
		p, ok1 := product.Numbers[key]
		w, ok2 := want.Numbers[key]
		switch {
		case ok1 != ok2:
			out = append(out, fmt.Sprintf("%s: the product says %s, the contract %s", key, show(p, ok1), show(w, ok2)))
		case ok1:
			if d, most := magnitude(p.Sub(w)), tolerance(key, want, c); d.Cmp(most) > 0 {
				out = append(out, fmt.Sprintf("%s: the product says %s, the contract %s: %.3g apart, at most %.3g is rounding",
					key, show(p, true), show(w, true), d.Float(), most.Float()))
			}
		}
	}
	if product.Reason != want.Reason {
		out = append(out, fmt.Sprintf("reason: the product says %q, the contract %q", product.Reason, want.Reason))
	}
	named := slices.DeleteFunc(slices.Clone(product.Findings), func(f string) bool { return !slices.Contains(contract.Findings(), f) })
	slices.Sort(named)
	if !slices.Equal(named, want.Findings) {
		out = append(out, fmt.Sprintf("findings: the product says [%s], the contract [%s]", strings.Join(named, " "), strings.Join(want.Findings, " ")))
	}
	return out
}

func magnitude(n exact.Num) exact.Num {
	if n.Sign() < 0 {
		return n.Neg()
	}
	return n
}

func show(n exact.Num, ok bool) string {
	if !ok {
		return "null"
	}
	text := n.String()
	if len(text) > 12 || strings.Contains(text, "/") {
		return fmt.Sprintf("%.12g", n.Float())
	}
	return text
}

// Within says in words where a product that could not see everything excludes what was there: truth is the contract's answer on
// all that an undisturbed observer saw. Bounds are of what was not seen. The contract gives none, so that they may fail to hold,
//
//   - for what was seen wrong: a value that was stuck, a clock that was off;
//   - where a border of the window lies in time that was not seen: what a counter grew by over it is then spread, not known;
//   - of OEE, where the product changes while pieces are not counted, or a piece takes less than its ideal;
//   - of A, where the end of a stop was not seen that would have been a minor one.
func Within(product, truth *contract.Answer, c contract.Cuts) []string {
	var out []string
	for _, key := range []string{"A", contract.KeyOEE, contract.KeyEkWh} {
		x, ok := truth.Numbers[key]
		if !ok {
			continue
		}
		low, high := key+"_low", key+"_high"
		if key == contract.KeyEkWh {
			low, high = "E_low_kwh", "E_high_kwh"
		}
		slack := tolerance(low, truth, c)
		if l, ok := product.Numbers[low]; !ok || x.Add(slack).Cmp(l) < 0 {
			out = append(out, fmt.Sprintf("%s is %s, below the product's %s of %s", key, show(x, true), low, show(l, ok)))
		}
		// That no upper bound of energy is known is an answer too; the others are always bounded.
		if h, ok := product.Numbers[high]; ok && x.Sub(slack).Cmp(h) > 0 || !ok && key != contract.KeyEkWh {
			out = append(out, fmt.Sprintf("%s is %s, above the product's %s of %s", key, show(x, true), high, show(h, ok)))
		}
	}
	return out
}
