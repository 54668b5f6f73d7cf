package purity

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"kvarts/historian/telemetry"
)

// measurement is where results and certificates are stored.
const measurement = "lab"

// kindTag tells results from certificates.
const (
	kindTag         = "kind"
	kindResult      = "result"
	kindCertificate = "certificate"
)

// tags of the points. Sample and lot are tags, so that a sample is found among all of ten years by the index: at twenty samples a
// day, that is 73,000 series, each with one or two small blocks. Element and method are none: they would make 70 times as many.
func tags() []string { return []string{kindTag, "sample", "lot"} }

// resultFields are the fields of a result.
func resultFields() []string {
	var list []string
	for _, c := range &columns {
		if c.name != "sample" && c.name != "lot" {
			list = append(list, c.name)
		}
	}
	return append(list, "known_us", "source")
}

// certificateFields are the fields of a certificate.
func certificateFields() []string { return []string{"id", "issued_us", "by", "grade", "document"} }

// Times of points: the second of MeasuredAt, and within it a place for each element, in which a hash keeps methods and revisions apart.
const (
	second      = telemetry.Instant(time.Second)
	elementStep = telemetry.Instant(8_000_000) // ns: atomic numbers up to 124 fit a second
)

func series(kind, sample, lot string) (*telemetry.Series, error) {
	t := map[string]string{kindTag: kind}
	if sample != "" {
		t["sample"] = sample
	}
	if lot != "" {
		t["lot"] = lot
	}
	return telemetry.NewSeries(measurement, t)
}

// appendLine appends r, checked, as one line of line protocol, newline included. The same revision stored twice at once is two points
// that say the same; all else that differs stands beside each other.
func (r *Result) appendLine(dst []byte) ([]byte, error) {
	if err := r.Check(); err != nil {
		return dst, fmt.Errorf("result %s: %w", r, err)
	}
	if r.KnownAt < earliest || r.KnownAt > latest || r.KnownAt%1000 != 0 {
		return dst, fmt.Errorf("result %s: known at %d is not a whole microsecond of the years 1990 to 2199", r, r.KnownAt)
	}
	s, err := series(kindResult, r.Sample, r.Lot)
	if err != nil {
		return dst, fmt.Errorf("result %s: %w", r, err)
	}
	start := len(dst)
	l := telemetry.NewLine(dst, s)
	for _, c := range &columns {
		switch {
		case c.revision:
			l = l.Int(c.name, int64(r.Revision))
		case c.name != "sample" && c.name != "lot":
			l = l.Text(c.name, c.get(r))
		}
	}
	l = l.Int("known_us", int64(r.KnownAt/1000)).Text("source", r.Source)
	e, err := elementOf(r.Element)
	if err != nil {
		return dst, err
	}
	base := r.MeasuredAt - r.MeasuredAt%second + telemetry.Instant(e.z)*elementStep
	sum := sha256.Sum256(l.End(base)[start:])
	return l.End(base + telemetry.Instant(binary.BigEndian.Uint64(sum[:])%uint64(elementStep))), nil
}

// line is c as one line of line protocol, newline included. Its time is that of the issue, to the µs, and a hash below.
func (c *Certificate) line() ([]byte, error) {
	at := telemetry.Instant(c.IssuedAt)
	document, err := json.Marshal(c)
	if err == nil && len(document) > telemetry.MaxStringBytes {
		err = fmt.Errorf("%d bytes are more than %d, the longest text of a store", len(document), telemetry.MaxStringBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", c.ID, err)
	}
	s, err := series(kindCertificate, c.Answer.Sample, c.Answer.Lot)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", c.ID, err)
	}
	sum := sha256.Sum256(document)
	return telemetry.NewLine(nil, s).Text("id", c.ID).Int("issued_us", int64(at/1000)).Text("by", c.By).
		Int("grade", int64(c.Grade)).Text("document", string(document)).
		End(at + telemetry.Instant(binary.BigEndian.Uint16(sum[:])%1000)), nil
}

// row is one stored point.
type row interface {
	Tag(key string) string
	Text(field string) (string, bool)
	Int(field string) (int64, bool)
}

// resultFrom reads a result back and checks it.
func resultFrom(p row) (Result, error) {
	r := Result{Sample: p.Tag("sample"), Lot: p.Tag("lot")}
	var errs []error
	for _, c := range &columns {
		text, ok := p.Text(c.name)
		if c.revision {
			n, _ := p.Int(c.name)
			r.Revision = int(n)
		} else if ok && text != "" {
			if err := c.set(&r, text); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
			}
		}
	}
	known, _ := p.Int("known_us")
	r.KnownAt = telemetry.Instant(known) * 1000
	r.Source, _ = p.Text("source")
	if err := errors.Join(append(errs, r.Check())...); err != nil {
		return Result{}, fmt.Errorf("stored result %s: %w", &r, err)
	}
	return r, nil
}

// certificateFrom reads a certificate back.
func certificateFrom(p row) (*Certificate, error) {
	text, _ := p.Text("document")
	return parseCertificate(text)
}
