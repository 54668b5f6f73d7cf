package truth

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"kvarts/deploy/simplant/truth/contract"
	"kvarts/historian/calendar"
)

// Distance is how far the contract's answer, on all that was sampled, is from what really happened in a unit.
type Distance struct {
	Unit   string            `json:"unit"`
	Window calendar.Interval `json:"-"`
	OEE    Pair              `json:"oee"`
	KWh    Pair              `json:"kwh"`
}

// Pair is a number by the contract and in truth; nil where there is none.
type Pair struct {
	Contract *float64 `json:"contract"`
	Truth    *float64 `json:"truth"`
}

// Delta is the contract's less the true one; ok is false where one of them is missing.
func (p Pair) Delta() (d float64, ok bool) {
	if p.Contract == nil || p.Truth == nil {
		return 0, false
	}
	return *p.Contract - *p.Truth, true
}

// MarshalJSON adds the delta.
func (p Pair) MarshalJSON() ([]byte, error) {
	type pair Pair // without this method
	var delta *float64
	if d, ok := p.Delta(); ok {
		delta = &d
	}
	return json.Marshal(struct {
		pair
		Delta *float64 `json:"delta"`
	}{pair(p), delta})
}

// NewDistance compares the contract's answer on a unit with what happened in its window.
func NewDistance(unit string, w calendar.Interval, a *contract.Answer, c *Continuous) Distance {
	d := Distance{Unit: unit, Window: w, OEE: Pair{Contract: number(a, contract.KeyOEE), Truth: c.OEE}}
	if kwh := number(a, contract.KeyEkWh); kwh != nil {
		d.KWh = Pair{Contract: kwh, Truth: &c.KWh}
	}
	return d
}

func number(a *contract.Answer, key string) *float64 {
	n, ok := a.Numbers[key]
	if !ok {
		return nil
	}
	f := n.Float()
	return &f
}

// WriteDistances writes a table for people.
func WriteDistances(to io.Writer, all []Distance) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(columns ...any) {
		for _, c := range columns {
			_, _ = fmt.Fprintf(w, "%s\t", c) // tabwriter keeps it until Flush
		}
		_, _ = fmt.Fprintln(w)
	}
	line("unit", "OEE contract", "OEE true", "Δ", "kWh contract", "kWh true", "Δ")
	for _, d := range all {
		line(append(append([]any{d.Unit}, d.OEE.columns("%.4f", "%+.5f")...), d.KWh.columns("%.2f", "%+.3f")...)...)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write distances: %w", err)
	}
	return nil
}

// columns are the contract's number, the true one and their difference.
func (p Pair) columns(format, delta string) []any {
	show := func(format string, x *float64) string {
		if x == nil {
			return "-"
		}
		return fmt.Sprintf(format, *x)
	}
	d, ok := p.Delta()
	difference := &d
	if !ok {
		difference = nil
	}
	return []any{show(format, p.Contract), show(format, p.Truth), show(delta, difference)}
}
