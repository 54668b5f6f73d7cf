package answer

import (
	"slices"

	"kvarts/historian/exact"
	"kvarts/historian/ledger"
)

// packed are the facts of a stored slice without the zeros, which are most: a month of hours of a plant fits in memory.
// It is never changed once made.
type packed struct {
	fields    []ledger.Field // ascending
	values    []int64
	reasons   map[ledger.Reason]ledger.ReasonSum // shared with the facts it was made of
	findings  ledger.Findings
	hasPieces bool
	hasEnergy bool
}

// pack is f, whose sums are integers of 64 bits; ok is false when they are not.
func pack(f *ledger.Facts) (p *packed, ok bool) {
	n := 0
	for i := range f.Sum {
		if !f.Sum[i].IsZero() {
			n++
		}
	}
	p = &packed{fields: make([]ledger.Field, 0, n), values: make([]int64, 0, n), reasons: f.Reasons,
		findings: f.Findings, hasPieces: f.HasPieces, hasEnergy: f.HasEnergy}
	for i := range f.Sum {
		if f.Sum[i].IsZero() {
			continue
		}
		v, fits := f.Sum[i].Int64()
		if !fits {
			return nil, false
		}
		p.fields, p.values = append(p.fields, ledger.Field(i)), append(p.values, v)
	}
	return p, true
}

// addTo adds p to f.
func (p *packed) addTo(f *ledger.Facts) {
	for i, k := range p.fields {
		f.Sum[k] = f.Sum[k].Add(exact.Int(p.values[i]))
	}
	f.Findings |= p.findings
	f.HasPieces = f.HasPieces || p.hasPieces
	f.HasEnergy = f.HasEnergy || p.hasEnergy
	if len(p.reasons) > 0 {
		f.Add(&ledger.Facts{Reasons: p.reasons})
	}
}

// get is one of the facts.
func (p *packed) get(k ledger.Field) exact.Num {
	if i, ok := slices.BinarySearch(p.fields, k); ok {
		return exact.Int(p.values[i])
	}
	return exact.Num{}
}
