package record

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

// Limits of what one record holds.
const (
	maxText = 1000 // bytes of one text: a sentence or two, not a report
	maxName = 200  // bytes of an id, a place or a name
)

// maxQuantity is more pieces, or kWh, than any counter of a plant shows: above, somebody mistyped.
func maxQuantity() exact.Num { return exact.Int(1e15) }

// Check finds everything that is wrong with r; each error names the field as people write it, and says what to do.
func (r *Record) Check() error {
	spec, ok := SpecOf(r.Kind)
	if !ok {
		return fmt.Errorf("kind %q: not one of %s", r.Kind, kindNames())
	}
	errs := []error{r.checkPlace(&spec), r.checkTime(&spec), r.checkAudit()}
	for _, c := range columns() {
		errs = append(errs, r.checkColumn(&spec, &c))
	}
	errs = append(errs, r.checkQuantities())
	if c := r.Category; c != "" && !slices.Contains(Categories(), c) {
		errs = append(errs, fmt.Errorf("category %q: not one of %s", c, strings.Join(Categories(), ", ")))
	}
	return errors.Join(errs...)
}

func kindNames() string {
	var names []string
	for _, s := range Specs() {
		names = append(names, string(s.Kind))
	}
	return strings.Join(names, ", ")
}

func (r *Record) checkPlace(spec *Spec) error {
	var errs []error
	told := 0
	for _, p := range places() {
		v := p.get(r)
		if v == "" {
			continue
		}
		told++
		if !slices.Contains(spec.Where, p.name) {
			errs = append(errs, fmt.Errorf("%s: %s is not of a whole %s; name its %s", p.name, r.Kind, p.name, strings.Join(spec.Where, " or ")))
		}
		errs = append(errs, checkName(p.name, v))
	}
	if told != 1 {
		errs = append(errs, fmt.Errorf("%s: exactly one is needed, %d are given", strings.Join(spec.Where, ", "), told))
	}
	return errors.Join(errs...)
}

// checkName refuses what a tag or an id cannot be.
func checkName(what, s string) error {
	switch {
	case len(s) > maxName:
		return fmt.Errorf("%s: longer than %d bytes; shorten it", what, maxName)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) || c == '\\' || c == utf8.RuneError }):
		return fmt.Errorf("%s %q: holds a control character, a backslash or invalid UTF-8; write it without", what, s)
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("%s %q: begins or ends with a space; write it without", what, s)
	}
	return nil
}

// Times that a record may speak of: 1990 to 2200. Outside, somebody mistyped, or a clock was not set.
const (
	earliest = telemetry.Instant(631152000e9)
	latest   = telemetry.Instant(7258118400e9)
)

func (r *Record) checkTime(spec *Spec) error {
	for _, t := range []struct {
		name string
		at   telemetry.Instant
	}{{spec.Begin, r.From}, {spec.End, r.To}, {"reported_at", r.ReportedAt}} {
		if t.name == "" || t.name == "reported_at" && t.at == 0 {
			continue
		}
		if t.at < earliest || t.at > latest {
			return fmt.Errorf("%s %s: not in the years 1990 to 2199; correct it", t.name, t.at)
		}
	}
	switch {
	case spec.End == "" && r.To != r.From:
		return fmt.Errorf("%s: %s is a moment, it has no end", spec.Begin, r.Kind)
	case spec.End != "" && r.To <= r.From:
		return fmt.Errorf("%s %s: not after %s %s; exchange or correct them", spec.End, r.To, spec.Begin, r.From)
	case r.To-r.From > MaxLength:
		return fmt.Errorf("%s %s: more than 100 days after %s %s; split it, or correct it", spec.End, r.To, spec.Begin, r.From)
	case r.ReportedAt != 0 && r.ReportedAt < r.To:
		return fmt.Errorf("reported_at %s: before %s %s, the end of what is reported; correct it", r.ReportedAt, spec.End, r.To)
	case r.Reach < r.To:
		return fmt.Errorf("reach %s: before the end %s of this revision", r.Reach, r.To)
	}
	return nil
}

func (r *Record) checkAudit() error {
	var errs []error
	if r.ID == "" {
		errs = append(errs, errors.New("id: missing; give one, or leave it to DefaultID"))
	}
	errs = append(errs, checkName("id", r.ID))
	if r.Revision < 1 {
		errs = append(errs, fmt.Errorf("revision %d: revisions count from 1", r.Revision))
	}
	if r.By == "" {
		errs = append(errs, errors.New("by: missing; say who enters it"))
	}
	if (r.Revision > 1 || r.Deleted) && r.Why == "" {
		errs = append(errs, errors.New("why: missing; a correction and a withdrawal need a reason"))
	}
	if r.KnownAt < earliest || r.KnownAt > latest || r.KnownAt%1000 != 0 {
		errs = append(errs, fmt.Errorf("known at %d: not a whole microsecond of the years 1990 to 2199", r.KnownAt))
	}
	for _, t := range []struct{ name, text string }{{"by", r.By}, {"why", r.Why}, {"source", r.Source}} {
		errs = append(errs, checkText(t.name, t.text))
	}
	return errors.Join(errs...)
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

func (r *Record) checkColumn(spec *Spec, c *column) error {
	v := c.get(r)
	switch {
	case v == "" && slices.Contains(spec.Required, c.name):
		return fmt.Errorf("%s: missing; %s needs it", c.name, r.Kind)
	case v != "" && !spec.Has(c.name):
		return fmt.Errorf("%s: does not belong to %s, which has %s", c.name, r.Kind, strings.Join(spec.Columns(), ", "))
	case c.text != nil:
		return checkText(c.name, v)
	case c.number == nil || v == "":
		return nil
	}
	n := **c.number(r)
	nano := n.Mul(exact.Int(1e9))
	switch {
	case n.Sign() < 0:
		return fmt.Errorf("%s %s: below zero; correct it", c.name, v)
	case n.Cmp(maxQuantity()) > 0:
		return fmt.Errorf("%s %s: more than 10^15; correct it", c.name, v)
	case !nano.Equal(nano.Round()):
		return fmt.Errorf("%s %s: more than nine decimals; round it", c.name, v)
	}
	return nil
}

// Columns are all columns of the kind, as people fill them in.
func (s *Spec) Columns() []string {
	list := append(slices.Clone(s.Where), s.Begin)
	if s.End != "" {
		list = append(list, s.End)
	}
	return slices.Concat(list, s.Required, s.Optional)
}

func (r *Record) checkQuantities() error {
	most, name := r.Total, "total"
	if r.Kind == Rework {
		most, name = r.Quantity, "quantity"
	}
	switch {
	case r.Good != nil && most != nil && r.Good.Cmp(*most) > 0:
		return fmt.Errorf("good %s: more than the %s %s; correct one of them", decimal(*r.Good), name, decimal(*most))
	case r.Quantity != nil && r.Quantity.Sign() == 0:
		return errors.New("quantity 0: says nothing; leave the record out, or withdraw it")
	}
	return nil
}
