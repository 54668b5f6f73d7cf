package evidence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// Measurements of the stored slices.
const (
	sliceMeasurement = "ledger"
	markMeasurement  = "ledger_mark"
)

// WriteSlices stores slices, then a mark that says so (see Watermark). A slice that cannot be stored does not keep the others
// from it: the error, in whose chain each such slice is a *SliceError, comes when all others are stored. After any other error
// some may be stored and some not; writing the same again is harmless.
func WriteSlices(ctx context.Context, client *influx.Client, all []Slice) error {
	w := writer{client: client}
	c := newCodes()
	var bad []error
	var line []byte
	var touched calendar.Interval
	var newest telemetry.Instant
	for i := range all {
		s := &all[i]
		var err error
		if line, err = s.appendLine(line[:0], c); err != nil {
			bad = append(bad, &SliceError{Subject: s.Subject, Grain: s.Grain, At: s.From, Err: err})
			continue
		}
		if err := w.add(ctx, line); err != nil {
			return fmt.Errorf("store slices: %w", err)
		}
		touched = hull(touched, s.Interval)
		newest = max(newest, s.ComputedAt)
	}
	if err := w.flush(ctx); err != nil {
		return fmt.Errorf("store slices: %w", err)
	}
	if stored := len(all) - len(bad); stored > 0 {
		if err := writeMark(ctx, client, newest, touched, stored); err != nil {
			return fmt.Errorf("mark %d stored slices: %w", stored, err)
		}
	}
	return errors.Join(bad...)
}

// SliceError is what is wrong with one slice that was to be stored or is.
type SliceError struct {
	Subject Subject
	Grain   Grain
	At      telemetry.Instant // begin of the slice; of one that cannot be read, the time of its point
	Err     error
}

func (e *SliceError) Error() string {
	return fmt.Sprintf("%s slice of %s at %s: %v", e.Grain, e.Subject, e.At, e.Err)
}

func (e *SliceError) Unwrap() error { return e.Err }

// Ask says which slices to read.
type Ask struct {
	Kind   Kind
	IDs    []string // nil: all subjects of the kind
	Grain  Grain
	Window calendar.Interval // slices that begin in it
	// Asof, when not 0, asks for what was known then: of each slice the newest revision computed no later. 0: the newest.
	Asof telemetry.Instant
	// Reasons fills Facts.Reasons; Origin fills Model, Inputs, Carry. Without them an answer of days is read in half the time.
	Reasons bool
	Origin  bool
}

// askIDs is how many subjects are named in a query; of more, all are read and the others passed over.
const askIDs = 40

// ReadSlices reads slices, by subject in the order of the IDs' text, then by From. Slices that cannot be read (damaged, or
// written by another version) are left out and returned in damaged: the raw data has the same facts.
func ReadSlices(ctx context.Context, client *influx.Client, a Ask) (found []Slice, damaged []*SliceError, err error) {
	damaged, err = EachSlice(ctx, client, a, func(s *Slice) error {
		found = append(found, *s)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	byID := func(a, b Slice) int { return strings.Compare(a.Subject.ID, b.Subject.ID) }
	if !slices.IsSortedFunc(found, byID) { // no server that was tried needs it
		slices.SortStableFunc(found, byID)
	}
	return found, damaged, nil
}

// EachSlice is ReadSlices one slice after the other, while the answer is being received: a month of hours of a plant would
// take 200 MB. Slices of one subject come together, by From; subjects come in the order of the store. s may be used, but its
// reasons be kept, until each returns. An error of each ends the reading and is returned as it is.
func EachSlice(ctx context.Context, client *influx.Client, a Ask, each func(s *Slice) error) (damaged []*SliceError, err error) {
	r := sliceReader{ask: &a, codes: newCodes(), each: each}
	if len(a.IDs) > askIDs {
		r.only = make(map[string]bool, len(a.IDs))
		for _, id := range a.IDs {
			r.only[id] = true
		}
	}
	err = client.Query(ctx, a.query(), r.row)
	if err == nil {
		err = r.flush()
	}
	switch {
	case r.refused != nil:
		return nil, r.refused
	case err != nil:
		return nil, fmt.Errorf("read %s slices: %w", a.Grain, err)
	}
	return r.damaged, nil
}

// query asks for the slices. Times of points are those of slices plus less than a second, and slices begin with a second: so
// the window's ends, rounded up to seconds, cut between slices.
func (a *Ask) query() influx.Query {
	columns := "facts"
	if a.Reasons {
		columns += ", reasons"
	}
	if a.Origin {
		columns += `, "model", inputs, "state", state_at`
	}
	some, params := anyOf("id", a.IDs)
	maps.Copy(params, map[string]any{"kind": string(a.Kind), "grain": string(a.Grain), "from": ceilSecond(a.Window.From), "to": ceilSecond(a.Window.To)})
	where := `"kind" = $kind AND "grain" = $grain AND ` + some
	return influx.Query{
		Text:   "SELECT " + columns + " FROM " + sliceMeasurement + " WHERE " + where + ` AND time >= $from AND time < $to GROUP BY "id"`,
		Params: params,
	}
}

// anyOf is the condition that a tag has one of the values; of too many (or nil) that it is there at all. The caller passes over
// the others.
func anyOf(tag string, values []string) (condition string, params map[string]any) {
	params = make(map[string]any, len(values)+4)
	switch {
	case values == nil || len(values) > askIDs:
		return `"` + tag + `" != ''`, params
	case len(values) == 0:
		return `"` + tag + `" = ''`, params // none
	}
	each := make([]string, len(values))
	for i, v := range values {
		name := fmt.Sprintf("%s%d", tag, i)
		params[name] = v
		each[i] = `"` + tag + `" = $` + name
	}
	return "(" + strings.Join(each, " OR ") + ")", params
}

// sliceReader turns rows into slices. Rows of one subject come in the order of time, so that revisions of one slice follow
// one another: a slice is handed out when another one follows.
type sliceReader struct {
	ask     *Ask
	codes   *codes
	only    map[string]bool // nil: all
	each    func(*Slice) error
	refused error // what each returned
	damaged []*SliceError

	held, next Slice
	holds      bool // held is a slice that was not handed out yet
}

func (r *sliceReader) row(row influx.Row) error {
	id := row.Tag("id")
	if r.only != nil && !r.only[id] {
		return nil
	}
	at, ok := row.Time()
	packed, isText := row.Values[1].Text()
	if !ok || !isText {
		return nil // a point without facts: something else than a slice
	}
	r.next = Slice{Subject: Subject{Kind: r.ask.Kind, ID: id}, Grain: r.ask.Grain}
	switch err := r.decode(&r.next, at, packed, row.Values[2:]); {
	case err != nil:
		r.damaged = append(r.damaged, &SliceError{Subject: r.next.Subject, Grain: r.next.Grain, At: at, Err: err})
		if r.holds && r.held.Subject == r.next.Subject && ceilSecond(at-telemetry.Instant(maxRevision)) == r.held.From {
			r.holds = false // it was superseded, by what cannot be read
		}
		return nil
	case r.ask.Asof != 0 && r.next.ComputedAt > r.ask.Asof:
		return nil
	}
	if r.holds && (r.held.Subject != r.next.Subject || r.held.From != r.next.From) {
		if err := r.flush(); err != nil {
			return err
		}
	}
	r.held, r.next, r.holds = r.next, r.held, true
	return nil
}

// flush hands out the held slice.
func (r *sliceReader) flush() error {
	if !r.holds {
		return nil
	}
	r.holds = false
	r.refused = r.each(&r.held)
	return r.refused
}

func (r *sliceReader) decode(s *Slice, at telemetry.Instant, packed string, more []influx.Value) error {
	h, err := r.codes.unpack(packed, &s.Facts)
	if err != nil {
		return err
	}
	v, ok := h.interval(at)
	if !ok {
		return fmt.Errorf("%w: length %d ns, revision %d", errPacked, h.length, h.revision)
	}
	s.Interval, s.Revision, s.ComputedAt = v, int(h.revision), h.computed
	if r.ask.Reasons {
		text, _ := more[0].Text()
		if s.Facts.Reasons, err = unpackReasons(text); err != nil {
			return err
		}
		more = more[1:]
	}
	if r.ask.Origin {
		model, _ := more[0].Text()
		inputs, _ := more[1].Text()
		code, _ := more[2].Text()
		at, _ := more[3].Int()
		s.Model, s.Inputs, s.Carry = untext(model), untext(inputs), Carry{At: telemetry.Instant(at), Code: untext(code)}
	}
	return nil
}

// hull is the shortest interval that holds v and w; an empty one counts for nothing.
func hull(v, w calendar.Interval) calendar.Interval {
	switch {
	case v.Empty():
		return w
	case w.Empty():
		return v
	}
	return calendar.Interval{From: min(v.From, w.From), To: max(v.To, w.To)}
}
