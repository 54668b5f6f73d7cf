package evidence

import (
	"errors"
	"fmt"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// Kind is what a stored slice is about.
type Kind string

// The kinds of subjects.
const (
	Unit Kind = "unit"
	Line Kind = "line"
)

// Grain is how long slices are at most. Slices of both grains of one subject say the same in different portions.
type Grain string

// The grains.
const (
	Hour Grain = "hour"
	Day  Grain = "day" // a plant day
)

// Subject is one unit or line. Its ID is unique within its kind in a plant.
type Subject struct {
	Kind Kind
	ID   string
}

func (s Subject) String() string { return string(s.Kind) + " " + s.ID }

// Place says where a subject stands, for people who look at the stored points. It identifies nothing: a unit that is moved to
// another line stays the same subject.
type Place struct {
	Site, Area, Line string // "" : none
}

// Slice is the ledger of one subject for one stretch of time, as it was computed at one moment.
//
// A slice is identified by subject, grain and From; each time it is computed anew it gets the next Revision, and all of them
// are kept. Which one holds is a question of when one asks: see Ask.Asof.
type Slice struct {
	Subject           Subject
	Grain             Grain
	Place             Place
	calendar.Interval                   // From is a whole second; at most a day (of 25 hours)
	Revision          int               // from 0
	ComputedAt        telemetry.Instant // what was in the store then is what it is made of
	Model             string            // hash of the model that it was computed by; of several, all of them
	Inputs            string            // what it was made of, in the words of whoever computed it: see Fingerprint
	Facts             ledger.Facts
	// Carry is the state at the end of the slice, "" Code: none was known. It outlives the raw data: see Gather.
	Carry Carry
}

// Carry is a state that goes on.
type Carry struct {
	At   telemetry.Instant // when it was reported
	Code string
}

// Limits of what is stored. Revisions are kept apart by the ns of the slice's time, which is why a slice begins with a second.
const (
	maxRevision = int(time.Second) - 1
	maxSlice    = 49 * time.Hour // two plant days of a zone that skips back
)

// check says what of s cannot be stored.
func (s *Slice) check() error {
	switch {
	case s.Subject.Kind != Unit && s.Subject.Kind != Line, s.Subject.ID == "":
		return fmt.Errorf("subject %q is none", s.Subject)
	case s.Grain != Hour && s.Grain != Day:
		return fmt.Errorf("grain %q is none", s.Grain)
	case s.Empty():
		return errors.New("it is empty")
	case s.Duration() > maxSlice:
		return fmt.Errorf("it is longer than %s", maxSlice)
	case s.From%telemetry.Instant(time.Second) != 0:
		return errors.New("it does not begin with a whole second")
	case s.Revision < 0 || s.Revision > maxRevision:
		return fmt.Errorf("revision %d is outside of 0 to %d", s.Revision, maxRevision)
	}
	return nil
}

// series is where s is stored.
func (s *Slice) series() (*telemetry.Series, error) {
	tags := map[string]string{"kind": string(s.Subject.Kind), "id": s.Subject.ID, "grain": string(s.Grain)}
	for k, v := range map[string]string{"site": s.Place.Site, "area": s.Place.Area, "line": s.Place.Line} {
		if v != "" {
			tags[k] = v
		}
	}
	return telemetry.NewSeries(sliceMeasurement, tags)
}

// appendLine appends s as one line.
func (s *Slice) appendLine(dst []byte, c *codes) ([]byte, error) {
	if err := s.check(); err != nil {
		return dst, err
	}
	facts, err := c.pack(s)
	if err != nil {
		return dst, err
	}
	reasons, err := packReasons(s.Facts.Reasons)
	if err != nil {
		return dst, err
	}
	series, err := s.series()
	if err != nil {
		return dst, err
	}
	for name, text := range map[string]string{"model": s.Model, "inputs": s.Inputs, "state": s.Carry.Code} {
		if len(text) > telemetry.MaxStringBytes {
			return dst, fmt.Errorf("its %s has %d bytes: more than %d", name, len(text), telemetry.MaxStringBytes)
		}
	}
	at := s.From + telemetry.Instant(s.Revision)
	return telemetry.NewLine(dst, series).Text("facts", facts).Text("reasons", reasons).
		Text("model", text(s.Model)).Text("inputs", text(s.Inputs)).
		Text("state", text(s.Carry.Code)).Int("state_at", int64(s.Carry.At)).End(at), nil
}

// none stands for an empty text, which a point cannot hold: left out, it would keep what an earlier write of the point said.
const none = "-"

func text(s string) string {
	if s == "" {
		return none
	}
	return s
}

func untext(s string) string {
	if s == none {
		return ""
	}
	return s
}

// whole is v as an integer of 53 bits.
func whole(what string, v exact.Num) (int64, error) {
	n, ok := v.Int64()
	if !ok || n > 1<<53 || n < -1<<53 {
		return 0, fmt.Errorf("%s is %s: not an integer of 53 bits", what, v)
	}
	return n, nil
}
