package lots

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Limits of what one entry holds.
const (
	maxText  = 1000 // bytes of one text: a sentence or two, not a report
	maxName  = 200  // bytes of an id, a stage or a unit
	maxEdges = 200  // inputs and outputs of one step: stored with the step at each of its lots
)

// Times that an entry may speak of: 1990 to 2200. Outside, somebody mistyped, or a clock was not set.
const (
	earliest = telemetry.Instant(631152000e9)
	latest   = telemetry.Instant(7258118400e9)
)

// maxQuantity is more kilograms, pieces or kWh than any lot of a plant has: above, somebody mistyped.
func maxQuantity() exact.Num { return exact.Int(1e15) }

// Check finds everything that is wrong with the lot on its own; each error names the member as people write it, and says what to do.
func (l *Lot) Check() error {
	errs := []error{
		checkName("lot", l.ID, true), checkText("product", l.Product), checkName("unit_of", l.UnitOf, true), checkTime("made_at", l.MadeAt),
		checkAmount("quantity", &l.Quantity, false), checkAmount("wp_nominal", l.WpNominal, false),
		checkAmount("wp_realised", l.WpRealised, false), checkAmount("replaced_kwh", l.ReplacedKWh, true), l.Revision.check(),
	}
	if !slices.Contains(Kinds(), l.Kind) {
		errs = append(errs, fmt.Errorf("kind %q: not one of %s", l.Kind, kindNames()))
	}
	if l.ReplacedKWh != nil && l.Kind != Offcut {
		errs = append(errs, fmt.Errorf("replaced_kwh: is a member of off-cuts, not of kind %q; leave it out", l.Kind))
	}
	for _, stage := range sortedKeys(l.Embodied) {
		kwh := l.Embodied[stage]
		errs = append(errs, checkName("embodied_kwh", stage, true), checkAmount("embodied_kwh of "+stage, &kwh, true))
	}
	return errors.Join(errs...)
}

// Check is Lot.Check of a step.
func (s *Step) Check() error {
	errs := []error{
		checkName("step", s.ID, true), checkName("stage", s.Stage, true), checkName("unit", s.Unit, false),
		checkTime("from", s.From), checkTime("to", s.To), checkAmount("energy_kwh", s.EnergyKWh, true), s.Revision.check(),
	}
	if s.To < s.From {
		errs = append(errs, fmt.Errorf("to %s: before from %s; exchange or correct them", s.To, s.From))
	}
	if n := len(s.Inputs) + len(s.Outputs); n > maxEdges {
		errs = append(errs, fmt.Errorf("inputs, outputs: %d lots, more than %d; divide the step", n, maxEdges))
	}
	if len(s.Outputs) == 0 {
		errs = append(errs, errors.New("outputs: missing; a step makes at least one lot, be it scrap"))
	}
	seen := make(map[string]bool)
	for _, id := range s.refs() {
		if seen[id] {
			errs = append(errs, fmt.Errorf("lot %q: is there twice; add up what is taken or made of it, and give what is made a name of its own", id))
		}
		seen[id] = true
		errs = append(errs, checkName("lot", id, true))
	}
	for _, in := range s.Inputs {
		errs = append(errs, checkAmount("quantity of input "+in.Lot, in.Quantity, false))
	}
	for i := range s.Outputs {
		errs = append(errs, checkAmount("quantity of output "+s.Outputs[i].Lot, &s.Outputs[i].Quantity, false))
	}
	return errors.Join(errs...)
}

func (r *Revision) check() error {
	var errs []error
	if r.Number < 0 || r.Number > 1_000_000 {
		errs = append(errs, fmt.Errorf("revision %d: revisions count from 1", r.Number))
	}
	if r.By == "" {
		errs = append(errs, errors.New("by: missing; say who enters it"))
	}
	if r.Withdrawn && r.Why == "" {
		errs = append(errs, errors.New("why: missing; a withdrawal needs a reason"))
	}
	return errors.Join(append(errs, checkText("by", r.By), checkText("why", r.Why), checkText("source", r.Source))...)
}

func kindNames() string {
	names := make([]string, len(Kinds()))
	for i, k := range Kinds() {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

// checkName refuses what an id cannot be.
func checkName(what, s string, needed bool) error {
	switch {
	case s == "" && needed:
		return fmt.Errorf("%s: missing", what)
	case len(s) > maxName:
		return fmt.Errorf("%s: longer than %d bytes; shorten it", what, maxName)
	case strings.ContainsRune(s, '\\'):
		return fmt.Errorf("%s %q: holds a backslash; write it without", what, s)
	}
	return checkText(what, s)
}

// checkText refuses what a store does not give back as it was written.
func checkText(what, s string) error {
	switch {
	case len(s) > maxText:
		return fmt.Errorf("%s: longer than %d bytes; shorten it", what, maxText)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) || c == utf8.RuneError }):
		return fmt.Errorf("%s %q: holds a line break, another control character or invalid UTF-8; write it on one line, as UTF-8", what, s)
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("%s %q: begins or ends with a space; write it without", what, s)
	}
	return nil
}

func checkTime(what string, at telemetry.Instant) error {
	if at < earliest || at > latest {
		return fmt.Errorf("%s %s: not in the years 1990 to 2199; correct it", what, at)
	}
	return nil
}

// checkAmount refuses what is no quantity; n may be nil.
func checkAmount(what string, n *exact.Num, zero bool) error {
	if n == nil {
		return nil
	}
	nano := n.Mul(exact.Int(1e9))
	switch {
	case n.Sign() < 0:
		return fmt.Errorf("%s %s: below zero; correct it", what, decimal(*n))
	case n.Sign() == 0 && !zero:
		return fmt.Errorf("%s 0: missing, or says nothing; correct it, or leave it out", what)
	case n.Cmp(maxQuantity()) > 0:
		return fmt.Errorf("%s %s: more than 10^15; correct it", what, decimal(*n))
	case !nano.Equal(nano.Round()):
		return fmt.Errorf("%s %s: more than nine decimals; round it", what, n)
	}
	return nil
}

// decimal is n as people write it, where nine decimals say it, else as a fraction.
func decimal(n exact.Num) string {
	nano := n.Mul(exact.Int(1e9))
	if !nano.Equal(nano.Round()) || !strings.Contains(n.String(), "/") {
		return n.String()
	}
	return strings.TrimRight(n.Rat().FloatString(9), "0")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
