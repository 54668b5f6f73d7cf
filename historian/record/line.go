package record

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Measurement is where records are stored.
const Measurement = "record"

// Tags are the tags of a record's points: few series however many records there are. LongTag is "1" on what reaches further
// than ShortLength from its begin, and absent on all else: so that who reads a day need not look through 100 days.
func Tags() []string { return []string{"kind", "unit", "line", "area", LongTag} }

// LongTag marks records that are long, or were before a correction.
const LongTag = "long"

// ShortLength is how far, in ns, a record without LongTag reaches at most: one day.
const ShortLength = telemetry.Instant(24 * 3600 * 1e9)

// Fields are all fields of a record's points.
func Fields() []string {
	list := []string{"id", "revision", "from", "to", "reach_s"}
	for _, c := range columns() {
		list = append(list, c.name)
	}
	return append(list, "by", "why", "known_us", "source", "deleted", "moved")
}

const second = telemetry.Instant(time.Second)

// AppendLine appends r as one line of line protocol, newline included. An error is that of Check.
//
// The point's time lies within the second of From; its nanoseconds are a hash of all that the line says. So revisions and records
// of the same begin stand beside each other, and the same revision written twice is one point. (With the id as a tag each
// record were a series of its own, a million and more after some years, which InfluxDB keeps in memory. Two different lines
// of one kind, place and second share a time with a probability of 10⁻⁹.) Integers stay below 2⁵³, beyond which some stores round.
func (r *Record) AppendLine(dst []byte) ([]byte, error) {
	if err := r.Check(); err != nil {
		return dst, fmt.Errorf("record %s: %w", r.ID, err)
	}
	tags := map[string]string{"kind": string(r.Kind)}
	for _, p := range places() {
		if v := p.get(r); v != "" {
			tags[p.name] = v
		}
	}
	if r.Reach-r.From > ShortLength {
		tags[LongTag] = "1"
	}
	series, err := telemetry.NewSeries(Measurement, tags)
	if err != nil {
		return dst, fmt.Errorf("record %s: %w", r.ID, err)
	}
	start := len(dst)
	l := telemetry.NewLine(dst, series).Text("id", r.ID).Int("revision", int64(r.Revision)).
		Text("from", r.From.String()).Text("to", r.To.String()).Int("reach_s", int64((r.Reach+second-1)/second))
	for _, c := range columns() {
		l = l.Text(c.name, c.get(r))
	}
	l = l.Text("by", r.By).Text("why", r.Why).Int("known_us", int64(r.KnownAt/1000)).Text("source", r.Source)
	if r.Deleted {
		l = l.Int("deleted", 1)
	}
	if r.Moved {
		l = l.Int("moved", 1)
	}
	base := r.From - r.From%second
	sum := sha256.Sum256(l.End(base)[start:])
	return l.End(base + telemetry.Instant(binary.BigEndian.Uint64(sum[:])%uint64(second))), nil
}

// Row is one stored point: a row of a query, or a parsed line.
type Row interface {
	Tag(key string) string
	Text(field string) (string, bool)
	Int(field string) (int64, bool)
}

// FromRow reads a record back and checks it.
func FromRow(row Row) (Record, error) {
	r := Record{Kind: Kind(row.Tag("kind")), Unit: row.Tag("unit"), Line: row.Tag("line"), Area: row.Tag("area")}
	d := decoder{row: row}
	r.ID, r.By, r.Why, r.Source = d.text("id"), d.text("by"), d.text("why"), d.text("source")
	r.Revision = int(d.integer("revision"))
	r.KnownAt = telemetry.Instant(d.integer("known_us")) * 1000
	r.From, r.To = d.instant("from"), d.instant("to")
	r.Reach = max(r.To, telemetry.Instant(d.integer("reach_s"))*second)
	r.Deleted, r.Moved = d.integer("deleted") == 1, d.integer("moved") == 1
	for _, c := range columns() {
		switch {
		case c.text != nil:
			*c.text(&r) = d.text(c.name)
		case c.number != nil:
			*c.number(&r) = d.number(c.name)
		default:
			*c.instant(&r) = d.instant(c.name)
		}
	}
	if err := errors.Join(d.err, r.Check()); err != nil {
		return Record{}, fmt.Errorf("stored record %s, revision %d: %w", r.ID, r.Revision, err)
	}
	return r, nil
}

// decoder reads the fields of a row and keeps the first error.
type decoder struct {
	row Row
	err error
}

func (d *decoder) text(name string) string {
	s, _ := d.row.Text(name)
	return s
}

func (d *decoder) integer(name string) int64 {
	n, _ := d.row.Int(name)
	return n
}

func (d *decoder) instant(name string) telemetry.Instant {
	s := d.text(name)
	if s == "" {
		return 0
	}
	at, err := calendar.ParseTime(s, time.UTC)
	d.fail(name, err)
	return at
}

func (d *decoder) number(name string) *exact.Num {
	s := d.text(name)
	if s == "" {
		return nil
	}
	n, err := exact.Parse(s)
	d.fail(name, err)
	return &n
}

func (d *decoder) fail(name string, err error) {
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("%s: %w", name, err)
	}
}

// Parse reads a record back from its line, without or with its newline.
func Parse(line []byte) (Record, error) {
	line, _ = telemetry.NextLine(line)
	p, err := telemetry.ParseLine(line)
	if err != nil {
		return Record{}, fmt.Errorf("record: %w", err)
	}
	if p.Measurement != Measurement {
		return Record{}, fmt.Errorf("measurement %q is not %q", p.Measurement, Measurement)
	}
	return FromRow(point{&p})
}

// point is a parsed line as a Row.
type point struct{ *telemetry.Point }

func (p point) Text(field string) (string, bool) {
	v, _ := p.Field(field)
	return v.Text(), v.Type() == telemetry.String
}

func (p point) Int(field string) (int64, bool) {
	v, _ := p.Field(field)
	return v.Int(), v.Type() == telemetry.Int
}

// DefaultID names r by its kind, place, begin and what else tells it from others, but not by what is likely to be corrected:
// so that what is imported again with another quantity is the same record.
func (r *Record) DefaultID() string {
	spec, _ := SpecOf(r.Kind)
	h := sha256.New()
	for _, name := range slices.Concat([]string{"kind", "unit", "line", "area", spec.Begin}, spec.key) {
		fmt.Fprintf(h, "%q ", r.Get(name))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
