package lots

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// The members of the objects of a lot book, and the columns of its CSV, in the order in which people are told of them.
func lotMembers() []string {
	return append([]string{"lot", "kind", "product", "quantity", "unit_of", "made_at", "wp_nominal", "wp_realised", "embodied_kwh", "replaced_kwh"}, audit()...)
}

func stepMembers() []string {
	return append([]string{"step", "stage", "unit", "from", "to", "inputs", "outputs", "energy_kwh"}, audit()...)
}

func inputMembers() []string  { return []string{"lot", "quantity"} }
func outputMembers() []string { return []string{"lot", "quantity", "scrap"} }
func audit() []string         { return []string{"revision", "by", "why", "withdrawn"} }

// neededOf are those of the members without which an object is none.
func neededOf(members []string) []string {
	all := []string{"lot", "kind", "quantity", "unit_of", "made_at", "step", "stage", "from", "to", "outputs"}
	return slices.DeleteFunc(all, func(name string) bool { return !slices.Contains(members, name) })
}

// set sets a member of l that is one text.
func (l *Lot) set(name, text string, zone *time.Location) (err error) {
	switch name {
	case "lot":
		l.ID = text
	case "kind":
		l.Kind = Kind(text)
	case "product":
		l.Product = text
	case "quantity":
		l.Quantity, err = number(text)
	case "unit_of":
		l.UnitOf = text
	case "made_at":
		l.MadeAt, err = calendar.ParseTime(text, zone)
	case "wp_nominal":
		l.WpNominal, err = amount(text)
	case "wp_realised":
		l.WpRealised, err = amount(text)
	case "replaced_kwh":
		l.ReplacedKWh, err = amount(text)
	case "embodied_kwh":
		l.Embodied, err = byStage(text)
	default:
		err = l.Revision.set(name, text)
	}
	return err
}

// set sets a member of s that is one text.
func (s *Step) set(name, text string, zone *time.Location) (err error) {
	switch name {
	case "step":
		s.ID = text
	case "stage":
		s.Stage = text
	case "unit":
		s.Unit = text
	case "from":
		s.From, err = calendar.ParseTime(text, zone)
	case "to":
		s.To, err = calendar.ParseTime(text, zone)
	case "energy_kwh":
		s.EnergyKWh, err = amount(text)
	default:
		err = s.Revision.set(name, text)
	}
	return err
}

func (r *Revision) set(name, text string) (err error) {
	switch name {
	case "by":
		r.By = text
	case "why":
		r.Why = text
	case "withdrawn":
		r.Withdrawn, err = yes(text)
	case "revision":
		if r.Number, err = strconv.Atoi(text); err != nil || r.Number < 1 {
			err = fmt.Errorf("%q is not a revision; they count from 1", text)
		}
	default:
		err = fmt.Errorf("is not a text; write it as the format says")
	}
	return err
}

func yes(text string) (bool, error) {
	switch text {
	case "true", "1", "yes":
		return true, nil
	case "false", "0", "no":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

func number(text string) (exact.Num, error) {
	n, err := exact.Parse(text)
	if err != nil && strings.Contains(text, ",") {
		return n, fmt.Errorf("%q has a comma; write the decimal point, and no thousands separators: 1234.5", text)
	}
	if err != nil {
		return n, fmt.Errorf("%q is not a number; write it like 1234.5", text)
	}
	return n, nil
}

func amount(text string) (*exact.Num, error) {
	n, err := number(text)
	return &n, err
}

// byStage reads "metallurgical=51000; poly=12.5".
func byStage(text string) (map[string]exact.Num, error) {
	out := make(map[string]exact.Num)
	for part := range strings.SplitSeq(text, ";") {
		stage, value, ok := strings.Cut(part, "=")
		stage = strings.TrimSpace(stage)
		if _, twice := out[stage]; !ok || twice || stage == "" {
			return nil, fmt.Errorf("%q is not energy by stage; write it like metallurgical=51000; poly=12.5, each stage once", text)
		}
		n, err := number(strings.TrimSpace(value))
		if err != nil {
			return nil, err
		}
		out[stage] = n
	}
	return out, nil
}

// clock is at as the book writes it; "" when it is not told.
func clock(at telemetry.Instant) string {
	if at == 0 {
		return ""
	}
	return at.String()
}
