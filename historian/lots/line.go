package lots

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"kvarts/historian/telemetry"
)

// Measurement is where the lot book is stored.
const Measurement = "lot"

// What a point is, by its tag entry.
const (
	entryLot  = "lot"  // a lot
	entryStep = "step" // a step
	entryUse  = "use"  // the step again, filed under one of its lots
)

// Tags are the tags of the points: few series however many lots there are.
func Tags() []string { return []string{"entry", "part"} }

// Fields are all fields of a point.
func Fields() []string {
	return []string{"ref", "id", "revision", "by", "why", "known_us", "source", "text"}
}

// parts is how many files, so to speak, the book is kept in: who looks for one lot reads one of so many parts.
const parts = 256

// refLot and refStep are what points are found by.
func refLot(id string) string  { return "lot:" + id }
func refStep(id string) string { return "step:" + id }

// partOf is the part of a ref, two hex digits.
func partOf(ref string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(ref)) // never fails
	sum := h.Sum32()
	return fmt.Sprintf("%02x", (sum^sum>>8^sum>>16^sum>>24)%parts)
}

// entry is one revision of a lot or a step, as it is stored.
type entry struct {
	step bool
	id   string
	at   telemetry.Instant // when the lot was made, the step ended
	text string            // content: an object of the lot book without its audit
	lots []string          // that a step names, or an earlier revision of it
	Revision
}

func (l *Lot) entry() (entry, error) {
	text, err := l.content()
	return entry{id: l.ID, at: l.MadeAt, text: text, Revision: l.Revision}, err
}

func (s *Step) entry() (entry, error) {
	text, err := s.content()
	return entry{step: true, id: s.ID, at: s.To, text: text, lots: s.refs(), Revision: s.Revision}, err
}

func (e *entry) what() string {
	if e.step {
		return "step"
	}
	return "lot"
}

// home is the ref that the entry itself stands under.
func (e *entry) home() string {
	if e.step {
		return refStep(e.id)
	}
	return refLot(e.id)
}

const second = telemetry.Instant(time.Second)

// errLong says that a text is longer than a store keeps.
var errLong = errors.New("is longer than a store keeps; divide the step, or shorten its names")

// appendLine appends the point of e under a ref, newline included. Its time lies within the second of the entry's, the
// nanoseconds are a hash of all that the line says: so revisions stand beside each other, and the same written twice is one point.
func (e *entry) appendLine(dst []byte, kind, ref string) ([]byte, error) {
	if len(e.text) > telemetry.MaxStringBytes {
		return dst, fmt.Errorf("%s %s: %w", e.what(), e.id, errLong)
	}
	series, err := telemetry.NewSeries(Measurement, map[string]string{"entry": kind, "part": partOf(ref)})
	if err != nil {
		return dst, fmt.Errorf("%s %s: %w", e.what(), e.id, err)
	}
	start := len(dst)
	l := telemetry.NewLine(dst, series).Text("ref", ref).Text("id", e.id).Int("revision", int64(e.Number)).
		Text("by", e.By).Text("why", e.Why).Int("known_us", int64(e.KnownAt/1000)).Text("source", e.Source).Text("text", e.text)
	base := e.at - e.at%second
	sum := sha256.Sum256(l.End(base)[start:])
	return l.End(base + telemetry.Instant(binary.BigEndian.Uint64(sum[:])%uint64(second))), nil
}

// uses appends the points of a step at each of its lots.
func (e *entry) uses(dst []byte) ([]byte, int, error) {
	for i, id := range e.lots {
		var err error
		if dst, err = e.appendLine(dst, entryUse, refLot(id)); err != nil {
			return dst, i, err
		}
	}
	return dst, len(e.lots), nil
}

// own appends the point of the entry itself.
func (e *entry) own(dst []byte) ([]byte, error) { return e.appendLine(dst, e.what(), e.home()) }

// point is a stored point: a row of a query, or a parsed line.
type point interface {
	Tag(key string) string
	Text(field string) (string, bool)
	Int(field string) (int64, bool)
}

// revision reads the audit of a point.
func revision(p point) Revision {
	var r Revision
	n, _ := p.Int("revision")
	known, _ := p.Int("known_us")
	r.Number, r.KnownAt = int(n), telemetry.Instant(known)*1000
	r.By, _ = p.Text("by")
	r.Why, _ = p.Text("why")
	r.Source, _ = p.Text("source")
	return r
}

// decode reads a lot or a step back and checks it.
func decode(p point) (lot *Lot, step *Step, err error) {
	text, _ := p.Text("text")
	id, _ := p.Text("id")
	r := revision(p)
	rd := reader{o: ReadOptions{By: r.By, Why: r.Why}, seen: make(map[string]int)}
	rd.object(0, text)
	switch {
	case len(rd.problems) > 0:
		return nil, nil, fmt.Errorf("stored %s %s, revision %d: %s", p.Tag("entry"), id, r.Number, rd.problems[0].Error())
	case len(rd.book.Lots) == 1 && p.Tag("entry") == entryLot && rd.book.Lots[0].ID == id:
		lot = &rd.book.Lots[0]
		r.Withdrawn = lot.Withdrawn
		lot.Revision = r
		return lot, nil, lot.checkStored()
	case len(rd.book.Steps) == 1 && p.Tag("entry") != entryLot && rd.book.Steps[0].ID == id:
		step = &rd.book.Steps[0]
		r.Withdrawn = step.Withdrawn
		step.Revision = r
		return nil, step, step.checkStored()
	}
	return nil, nil, fmt.Errorf("stored %s %s, revision %d: its text %.80q is of something else", p.Tag("entry"), id, r.Number, text)
}

// checkStored finds what is wrong with a revision that was read from a store.
func (r *Revision) checkStored() error {
	switch {
	case r.Number < 1:
		return fmt.Errorf("revision %d: revisions count from 1", r.Number)
	case r.KnownAt < earliest || r.KnownAt > latest:
		return fmt.Errorf("known at %s: not in the years 1990 to 2199", r.KnownAt)
	}
	return r.check()
}
