package purity

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"kvarts/historian/telemetry"
)

// Certificate is what somebody signed for: a grade, and all that it was granted on. It is stored as it was issued; whatever becomes
// known later, it keeps its value.
type Certificate struct {
	ID       string `json:"id"`
	IssuedAt Moment `json:"issued_at"` // whole µs
	By       string `json:"by"`
	Grade    Grade  `json:"grade"` // that is certified; the answer may show more
	Answer   Answer `json:"answer"`
}

// ErrNotDemonstrated is in the chain of the error of Issue when the results do not show the grade.
var ErrNotDemonstrated = errors.New("the results do not show the grade")

// Issue certifies the grade, or with 0 the highest that the answer shows. The time is cut to whole µs.
func Issue(a *Answer, g Grade, by string, at telemetry.Instant) (*Certificate, error) {
	if g == 0 {
		g = max(a.Grade, 1)
	}
	if why := a.Why(g); why != "" {
		return nil, fmt.Errorf("issue certificate of %s: %s: %w", a.Subject(), why, ErrNotDemonstrated)
	}
	c := &Certificate{IssuedAt: Moment(at - at%1000), By: by, Grade: g, Answer: *a}
	if by == "" {
		return nil, fmt.Errorf("issue certificate of %s: nobody is named who issues it", a.Subject())
	}
	if err := checkText("by", by, maxName); err != nil {
		return nil, fmt.Errorf("issue certificate of %s: %w", a.Subject(), err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("issue certificate of %s: %w", a.Subject(), err)
	}
	sum := sha256.Sum256(text)
	c.ID = "LC-" + hex.EncodeToString(sum[:6])
	return c, nil
}

// Subject is what the answer is of.
func (a *Answer) Subject() Subject { return Subject{Sample: a.Sample, Lot: a.Lot} }

// parseCertificate reads the document of a stored certificate.
func parseCertificate(text string) (*Certificate, error) {
	var c Certificate
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	if at := telemetry.Instant(c.IssuedAt); at < earliest || at > latest || at%1000 != 0 {
		return nil, fmt.Errorf("read certificate %s: issued at %d, which is not a whole microsecond of the years 1990 to 2199", c.ID, at)
	}
	if s := c.Answer.Subject(); (s.Sample == "") == (s.Lot == "") {
		return nil, fmt.Errorf("read certificate %s: it is of %q and %q, not of one of them", c.ID, s.Sample, s.Lot)
	}
	return &c, nil
}

// Changed says in words what became of the results that the certificate rests on, and what they would show now; "" when they
// are the same. now is the answer under the policy of the certificate.
func (c *Certificate) Changed(now *Answer) string {
	was, is := c.Answer.Counted, now.Counted
	var parts []string
	for i := range is {
		it := &is[i]
		if holds(was, func(o *Item) bool { return o.Hash == it.Hash }) {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s by %s in %s, revision %d, says %s", it.Element, it.Method, it.Sample, it.Revision, it.Content()))
	}
	for i := range was {
		it := &was[i]
		if !holds(is, func(o *Item) bool { return o.Element == it.Element }) {
			parts = append(parts, fmt.Sprintf("%s by %s in %s no longer counts", it.Element, it.Method, it.Sample))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	if more := len(parts) - maxNames; more > 0 {
		parts = append(parts[:maxNames], fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("results changed since: %s; would now be N %s, %s", strings.Join(parts, "; "), now.Sum, now.Grade)
}

func holds(items []Item, is func(*Item) bool) bool {
	return slices.ContainsFunc(items, func(it Item) bool { return is(&it) })
}

// String is the interval of N for people.
func (i Interval) String() string {
	return fmt.Sprintf("[%s, %s]", ShowN(i.NLow, "no lower end"), ShowN(i.NHigh, "no upper end"))
}
