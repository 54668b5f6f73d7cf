package purity

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Quantity is a number as the laboratory wrote it: "0.40" stays "0.40" wherever it is shown. A nil Quantity is not stated.
type Quantity struct {
	exact.Num
	text string
}

// Limits of one quantity: what has more decimals, or is more than all of the material, somebody mistyped.
const maxMillionths = 1_000_000

// ParseQuantity reads a decimal of 0 or more with at most 18 decimals.
func ParseQuantity(s string) (*Quantity, error) {
	n, err := exact.Parse(s)
	switch {
	case strings.Contains(s, ","):
		return nil, fmt.Errorf("%q has a comma; write the decimal point, and no thousands separators: 1234.5", s)
	case strings.HasPrefix(s, "<"):
		return nil, fmt.Errorf("%q: write \"<\" to censored, and the limit to lod", s)
	case err != nil || strings.Contains(s, "/"):
		return nil, fmt.Errorf("%q is not a number; write it like 0.05", s)
	case n.Sign() < 0:
		return nil, fmt.Errorf("%s is negative; what is below the blank is not detected: censored \"<\" with its lod", s)
	}
	if places, exactly := n.Rat().FloatPrec(); !exactly || places > maxDecimals {
		return nil, fmt.Errorf("%s has more than %d decimals; round it", s, maxDecimals)
	}
	return &Quantity{n, s}, nil
}

// String is the number as it was written; "" for nil.
func (q *Quantity) String() string {
	if q == nil {
		return ""
	}
	return q.text
}

// number is q in a form in which equal numbers are equal texts.
func (q *Quantity) number() string {
	if q == nil {
		return ""
	}
	return q.Num.String()
}

// Censored says whether a value is one.
type Censored string

// The two.
const (
	Measured    Censored = "=" // the value is a measurement
	NotDetected Censored = "<" // nothing was seen: the content is below the LOD, and the value is no measurement
)

// Result is one revision of what one method said of one element in one sample. The names of its columns in files are those
// of Columns. A time of 0 is not stated.
type Result struct {
	Sample, Lot                       string // Lot may be ""
	SampledAt, MeasuredAt, ApprovedAt telemetry.Instant
	Method, Element                   string
	Value, LOD, LOQ, U                *Quantity // in Unit; U for k = 2
	Unit                              Unit
	Censored                          Censored
	Analyst, Instrument, Calibration  string
	Revision                          int               // from 1
	Reason                            string            // of a revision from 2 on
	KnownAt                           telemetry.Instant // when it was stored, in whole µs
	Source                            string            // "file:line" of the import
}

// key is what the revisions of a result have in common.
type key struct{ sample, method, element string }

func (r *Result) key() key { return key{r.Sample, r.Method, r.Element} }

func (r *Result) String() string {
	return fmt.Sprintf("%s by %s in %s, revision %d", r.Element, r.Method, r.Sample, r.Revision)
}

// column is one column of a file, and of what is stored: exactly one of its three is set.
type column struct {
	name     string
	text     func(*Result) *string
	number   func(*Result) **Quantity
	instant  func(*Result) *telemetry.Instant
	revision bool
}

// columns are those of a result, in the order of files. Read only.
var columns = [...]column{
	{name: "sample", text: func(r *Result) *string { return &r.Sample }},
	{name: "lot", text: func(r *Result) *string { return &r.Lot }},
	{name: "sampled_at", instant: func(r *Result) *telemetry.Instant { return &r.SampledAt }},
	{name: "measured_at", instant: func(r *Result) *telemetry.Instant { return &r.MeasuredAt }},
	{name: "approved_at", instant: func(r *Result) *telemetry.Instant { return &r.ApprovedAt }},
	{name: "method", text: func(r *Result) *string { return &r.Method }},
	{name: "element", text: func(r *Result) *string { return &r.Element }},
	{name: "value", number: func(r *Result) **Quantity { return &r.Value }},
	{name: "unit", text: func(r *Result) *string { return (*string)(&r.Unit) }},
	{name: "censored", text: func(r *Result) *string { return (*string)(&r.Censored) }},
	{name: "lod", number: func(r *Result) **Quantity { return &r.LOD }},
	{name: "loq", number: func(r *Result) **Quantity { return &r.LOQ }},
	{name: "u_k2", number: func(r *Result) **Quantity { return &r.U }},
	{name: "analyst", text: func(r *Result) *string { return &r.Analyst }},
	{name: "instrument", text: func(r *Result) *string { return &r.Instrument }},
	{name: "calibration", text: func(r *Result) *string { return &r.Calibration }},
	{name: "revision", revision: true},
	{name: "reason", text: func(r *Result) *string { return &r.Reason }},
}

// Columns are the columns of a file of results.
func Columns() []string {
	var names []string
	for _, c := range &columns {
		names = append(names, c.name)
	}
	return names
}

// set reads a cell.
func (c *column) set(r *Result, text string) (err error) {
	switch {
	case c.text != nil:
		*c.text(r) = text
	case c.number != nil:
		*c.number(r), err = ParseQuantity(text)
	case c.instant != nil:
		*c.instant(r), err = parseTime(text)
	default:
		if r.Revision, err = strconv.Atoi(text); err != nil {
			err = fmt.Errorf("%q is not a whole number; revisions count from 1", text)
		}
	}
	return err
}

// get is the cell; "" for what is not stated.
func (c *column) get(r *Result) string {
	switch {
	case c.text != nil:
		return *c.text(r)
	case c.number != nil:
		return (*c.number(r)).String()
	case c.instant != nil:
		return showTime(*c.instant(r))
	default:
		return strconv.Itoa(r.Revision)
	}
}

// Moment is a time in answers and certificates: RFC 3339 as text, "" for 0.
type Moment telemetry.Instant

var (
	_ encoding.TextMarshaler   = Moment(0)
	_ encoding.TextUnmarshaler = (*Moment)(nil)
)

func (m Moment) String() string { return showTime(telemetry.Instant(m)) }

// MarshalText is String.
func (m Moment) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (m *Moment) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*m = 0
		return nil
	}
	at, err := parseTime(string(b))
	*m = Moment(at)
	return err
}

// showTime is RFC 3339, or "" for a time that is not stated.
func showTime(at telemetry.Instant) string {
	if at == 0 {
		return ""
	}
	return at.String()
}

func parseTime(s string) (telemetry.Instant, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	at, ok := telemetry.FromTime(t)
	if err != nil || !ok {
		return 0, fmt.Errorf("time %q: write RFC 3339 with Z or an offset, like 2026-11-20T04:10:00Z", s)
	}
	return at, nil
}

// content is all that r says but when it was approved, stored and where it was read.
func (r *Result) content() string {
	var b strings.Builder
	for _, c := range &columns {
		switch {
		case c.name == "approved_at":
		case c.number != nil:
			fmt.Fprintf(&b, "%q ", (*c.number(r)).number())
		default:
			fmt.Fprintf(&b, "%q ", c.get(r))
		}
	}
	return b.String()
}

// Hash names what r says: what a certificate rests on.
func (r *Result) Hash() string {
	sum := sha256.Sum256([]byte(r.content() + showTime(r.ApprovedAt)))
	return hex.EncodeToString(sum[:16])
}

// Check finds everything that is wrong with r; each error names the column and says what to do.
func (r *Result) Check() error {
	errs := []error{r.checkTexts(), r.checkTimes(), r.checkQuantities()}
	if _, err := elementOf(r.Element); err != nil && r.Element != "" {
		errs = append(errs, fmt.Errorf("element: %w", err))
	}
	if r.Revision < 1 || r.Revision > maxRevision {
		errs = append(errs, fmt.Errorf("revision: %d is not 1 to %d", r.Revision, maxRevision))
	}
	if r.Revision > 1 && r.Reason == "" {
		errs = append(errs, errors.New("reason: missing; a revision needs one, like \"retained sample measured again\""))
	}
	return errors.Join(errs...)
}

// maxRevision is more often than any sample can be measured.
const maxRevision = 10_000

func (r *Result) checkTexts() error {
	var errs []error
	for _, c := range &columns {
		if c.text == nil {
			continue
		}
		text := *c.text(r)
		limit := maxText
		if c.name == "sample" || c.name == "lot" || c.name == "method" {
			limit = maxName
		}
		errs = append(errs, checkText(c.name, text, limit))
		if text == "" && slices.Contains(required(), c.name) {
			errs = append(errs, fmt.Errorf("%s: missing", c.name))
		}
	}
	return errors.Join(errs...)
}

// required are the text columns without which there is no result.
func required() []string { return []string{"sample", "method", "element", "unit", "censored"} }

func (r *Result) checkTimes() error {
	if r.MeasuredAt == 0 {
		return errors.New("measured_at: missing; say when it was measured")
	}
	for _, t := range []struct {
		name string
		at   telemetry.Instant
	}{{"sampled_at", r.SampledAt}, {"measured_at", r.MeasuredAt}, {"approved_at", r.ApprovedAt}} {
		if t.at != 0 && (t.at < earliest || t.at > latest) {
			return fmt.Errorf("%s: %s is not in the years 1990 to 2199; correct it", t.name, t.at)
		}
	}
	switch {
	case r.SampledAt > r.MeasuredAt:
		return fmt.Errorf("measured_at: %s is before sampled_at %s; exchange or correct them", r.MeasuredAt, r.SampledAt)
	case r.ApprovedAt != 0 && r.ApprovedAt < r.MeasuredAt:
		return fmt.Errorf("approved_at: %s is before measured_at %s; exchange or correct them", r.ApprovedAt, r.MeasuredAt)
	}
	return nil
}

// Times that a result may have: outside, somebody mistyped, or a clock was not set.
const (
	earliest = telemetry.Instant(631152000e9)
	latest   = telemetry.Instant(7258118400e9)
)

func (r *Result) checkQuantities() error {
	parts, _, ok := r.Unit.spec()
	switch {
	case r.Unit == "" || r.Censored == "":
		return nil // told as missing
	case !ok:
		return fmt.Errorf("unit: %q is not one of %s", r.Unit, unitNames())
	}
	var errs []error
	all := exact.Int(maxMillionths * 1_000_000 / parts)
	for _, c := range &columns {
		if c.number == nil {
			continue
		}
		if q := *c.number(r); q != nil && q.Cmp(all) > 0 {
			errs = append(errs, fmt.Errorf("%s: %s %s is more than all of the material; correct the number or the unit", c.name, q, r.Unit))
		}
	}
	if r.LOD != nil && r.LOD.Sign() == 0 {
		errs = append(errs, errors.New("lod: 0 is no limit of detection; leave it empty when it is not known"))
	}
	if r.LOD != nil && r.LOQ != nil && r.LOQ.Cmp(r.LOD.Num) < 0 {
		errs = append(errs, fmt.Errorf("loq: %s is below the lod %s; exchange or correct them", r.LOQ, r.LOD))
	}
	switch r.Censored {
	case Measured:
		errs = append(errs, r.checkMeasured())
	case NotDetected:
		errs = append(errs, r.checkNotDetected())
	default:
		errs = append(errs, fmt.Errorf("censored: %q is not \"=\" (measured) or \"<\" (not detected)", r.Censored))
	}
	return errors.Join(errs...)
}

func (r *Result) checkMeasured() error {
	switch {
	case r.Value == nil:
		return errors.New("value: missing; what was not detected has censored \"<\" and a lod")
	case r.Value.Sign() == 0:
		return errors.New("value: nothing is measured to be 0; write censored \"<\" and the lod")
	case r.LOD != nil && r.Value.Cmp(r.LOD.Num) < 0:
		return fmt.Errorf("value: %s is below the lod %s and so not detected; write censored \"<\"", r.Value, r.LOD)
	}
	return nil
}

func (r *Result) checkNotDetected() error {
	switch {
	case r.LOD == nil:
		return errors.New("lod: missing; what was not detected is only known to be below the limit of detection")
	case r.Value != nil && r.Value.Cmp(r.LOD.Num) > 0:
		return fmt.Errorf("value: %s is above the lod %s, though not detected; leave it empty, or correct the lod", r.Value, r.LOD)
	}
	return nil
}
