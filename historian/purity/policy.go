package purity

import (
	"fmt"
	"slices"
	"strings"
)

// Scope says which elements Σ is of. Each scope holds the one before it.
type Scope string

// The scopes.
const (
	Metals     Scope = "metals"     // metals, Al, Ga and In among them
	Electrical Scope = "electrical" // and the dopants that are no metals: B, P, As, Sb
	Impurities Scope = "impurities" // and all else but the light elements: the default
	Everything Scope = "everything" // and H, C, N, O
)

// Scopes are all scopes, the narrowest first.
func Scopes() []Scope { return []Scope{Metals, Electrical, Impurities, Everything} }

// words is the scope for people.
func (s Scope) words() string {
	switch s {
	case Metals:
		return "metals only (Al, Ga, In among them; dopants B, P, As, Sb and non-metals left out)"
	case Electrical:
		return "metals and dopants (other non-metals, and H, C, N, O, left out)"
	case Everything:
		return "all elements, H, C, N, O among them"
	}
	return "all elements but H, C, N, O"
}

// holds says whether elements of the class count.
func (s Scope) holds(c class) bool { return int(c) <= slices.Index(Scopes(), s) }

// SurfaceMethod names what sits on a sample and not in it: its results never count in Σ.
const SurfaceMethod = "ICP-MS surface"

// Policy is how results become Σ and a grade. Every answer and certificate states it.
type Policy struct {
	Basis Basis `json:"basis"`
	Scope Scope `json:"scope"`
	// Uncertainty says that a measured value adds [v−U, v+U], with U for k = 2; else it adds v.
	Uncertainty bool `json:"uncertainty"`
	// Required are the elements without which no grade is granted; all of them are in the scope.
	Required []string `json:"required_elements,omitempty"`
}

// DefaultPolicy is by mass, of all elements but H, C, N, O, with uncertainty.
func DefaultPolicy() Policy { return Policy{Basis: Mass, Scope: Impurities, Uncertainty: true} }

// Check says what is wrong with p.
func (p *Policy) Check() error {
	if p.Basis != Mass && p.Basis != Atomic {
		return fmt.Errorf("basis %q: not %s or %s", p.Basis, Mass, Atomic)
	}
	if !slices.Contains(Scopes(), p.Scope) {
		return fmt.Errorf("scope %q: not one of %v", p.Scope, Scopes())
	}
	for _, symbol := range p.Required {
		e, err := elementOf(symbol)
		if err != nil {
			return fmt.Errorf("required element: %w", err)
		}
		if !p.Scope.holds(e.class) {
			return fmt.Errorf("required element %s: does not count in the scope %s; widen the scope, or leave it out", symbol, p.Scope)
		}
	}
	return nil
}

// Words says p for people, a line each.
func (p *Policy) Words() []string {
	basis := "by mass (pptw)"
	if p.Basis == Atomic {
		basis = "by atoms (ppta), where ppba = ppbw · " + siliconWeight + "/M"
	}
	required := "none is required by name"
	if len(p.Required) > 0 {
		required = strings.Join(p.Required, ", ") + " are required"
	}
	uncertainty := "a measured value adds v; its uncertainty is left out"
	if p.Uncertainty {
		uncertainty = "a measured value adds [v − U, v + U] with U for k = 2, cut at 0; v where no U is stated"
	}
	return []string{
		"Σ of " + p.Scope.words() + ", " + basis + "; " + required,
		"what was not detected adds [0, LOD]; " + uncertainty,
		"a grade nN is granted when the upper end of Σ is 10⁻ⁿ or less",
		"of a result, the highest approved revision counts; of several methods, the one with the lowest LOD (then the latest), but the largest value where they contradict each other",
		"of several samples of a lot, for each element the one that may hold most; " + SurfaceMethod + " does not count",
	}
}
