package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"kvarts/historian/exact"
)

// The wire types are the JSON of CONFORMANCE.md, key by key. Times are text until the vector's zone is known.

type wireVector struct {
	ID      string      `json:"id"`
	Title   string      `json:"title,omitempty"`
	Why     string      `json:"why,omitempty"`
	Zone    string      `json:"zone"`
	Now     string      `json:"now,omitempty"`
	Units   []wireUnit  `json:"units,omitempty"`
	Lines   []wireLine  `json:"lines,omitempty"`
	Queries []wireQuery `json:"queries,omitempty"`
}

type wireUnit struct {
	ID        string            `json:"id"`
	Line      string            `json:"line,omitempty"`
	Title     string            `json:"title,omitempty"`
	Why       string            `json:"why,omitempty"`
	Calendar  []wireShift       `json:"calendar,omitempty"`
	StateMap  map[string]string `json:"state_map,omitempty"`
	States    []tuple           `json:"states,omitempty"`
	Alive     *[]tuple          `json:"alive,omitempty"` // nil: always; an empty list: never
	Ideal     []wireIdeal       `json:"ideal,omitempty"`
	MinorStop number            `json:"minor_stop_s,omitzero"`
	Counters  maybe[wireCounts] `json:"counters,omitzero"`
	Booked    []wireBooking     `json:"booked,omitempty"`
	Scrap     []wireScrapReport `json:"scrap_reports,omitempty"`
	Power     maybe[wirePower]  `json:"power,omitzero"`
}

type wireShift struct {
	Kind string `json:"kind"`
	From string `json:"from"`
	To   string `json:"to"`
}

type wireIdeal struct {
	Product string `json:"product"`
	Seconds number `json:"seconds_per_unit"`
	From    string `json:"from,omitempty"`
}

type wireCounts struct {
	Total  maybe[wireCounter] `json:"total,omitzero"`
	Good   maybe[wireCounter] `json:"good,omitzero"`
	Scrap  maybe[wireCounter] `json:"scrap,omitzero"`
	Energy maybe[wireCounter] `json:"energy_kwh,omitzero"`
}

type wireCounter struct {
	Rule     maybe[wireRule] `json:"rule,omitzero"`
	Readings []tuple         `json:"readings,omitempty"`
	Swaps    []wireSwap      `json:"swaps,omitempty"`
}

type wireRule struct {
	Kind         string `json:"kind,omitempty"`
	Modulus      number `json:"modulus,omitzero"`
	Epsilon      number `json:"epsilon,omitzero"`
	MaxPerSecond number `json:"max_per_s,omitzero"`
}

type wireSwap struct {
	At      string `json:"at"`
	Final   number `json:"final"`
	Initial number `json:"initial"`
}

type wireBooking struct {
	From       string `json:"from"`
	To         string `json:"to"`
	Product    string `json:"product,omitempty"`
	Total      number `json:"total"`
	Good       number `json:"good,omitzero"`
	ReportedAt string `json:"reported_at,omitempty"`
}

type wireScrapReport struct {
	ReportedAt string `json:"reported_at"`
	MadeFrom   string `json:"made_from"`
	MadeTo     string `json:"made_to"`
	Quantity   number `json:"quantity"`
}

type wirePower struct {
	Readings []tuple `json:"readings"`
	Hold     number  `json:"hold_s"`
	Min      number  `json:"min_kw,omitzero"`
	Rated    number  `json:"rated_kw,omitzero"`
}

type wireLine struct {
	ID          string            `json:"id"`
	Title       string            `json:"title,omitempty"`
	Why         string            `json:"why,omitempty"`
	UnitSeconds map[string]number `json:"unit_seconds"`
	Out         string            `json:"out"`
}

type wireQuery struct {
	Name      string                     `json:"name"`
	Title     string                     `json:"title,omitempty"`
	Why       string                     `json:"why,omitempty"`
	Target    wireTarget                 `json:"target"`
	Window    [2]string                  `json:"window"`
	AsOf      string                     `json:"asof,omitempty"`
	Standard  string                     `json:"standard,omitempty"`
	Chunk     number                     `json:"chunk_s,omitzero"`
	Tolerance number                     `json:"tolerance,omitzero"`
	Expect    map[string]json.RawMessage `json:"expect,omitempty"`
	Not       map[string]json.RawMessage `json:"not,omitempty"`
}

type wireTarget struct {
	Unit  string   `json:"unit,omitempty"`
	Units []string `json:"units,omitempty"`
	Plant bool     `json:"plant,omitempty"`
	Line  string   `json:"line,omitempty"`
}

// strictly decodes one JSON value with no keys but those of v.
func strictly(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	return nil
}

// maybe is an object that may be absent, null or empty alike.
type maybe[T any] struct{ *value[T] }

// value keeps T's own methods from being maybe's.
type value[T any] struct{ of T }

func some[T any](v T) maybe[T] { return maybe[T]{&value[T]{v}} }

// IsZero says that there is none.
func (m maybe[T]) IsZero() bool { return m.value == nil }

// UnmarshalJSON reads the object.
func (m *maybe[T]) UnmarshalJSON(data []byte) error {
	m.value = nil
	if empty(data) {
		return nil
	}
	m.value = &value[T]{}
	return strictly(data, &m.of)
}

// MarshalJSON writes the object.
func (m maybe[T]) MarshalJSON() ([]byte, error) { return json.Marshal(m.of) }

// empty says that a JSON value means the same as none.
func empty(data []byte) bool {
	switch string(bytes.Join(bytes.Fields(data), nil)) {
	case "", "null", `""`, "[]", "{}":
		return true
	default:
		return false
	}
}

// number is an exact number, or none.
type number struct {
	exact.Num
	given bool
}

func given(n exact.Num) number { return number{n, true} }

// IsZero says that there is none: 0 is one.
func (n number) IsZero() bool { return !n.given }

// UnmarshalJSON reads a JSON number, or a string that holds an integer, a decimal or a fraction.
func (n *number) UnmarshalJSON(data []byte) error {
	*n = number{}
	if empty(data) {
		return nil
	}
	text := string(data)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	v, err := exact.Parse(text)
	if err != nil {
		return fmt.Errorf("read number: %w", err)
	}
	*n = given(v)
	return nil
}

// MarshalJSON writes whole numbers as such and fractions as text.
func (n number) MarshalJSON() ([]byte, error) {
	if i, ok := n.Int64(); ok {
		return json.Marshal(i)
	}
	return json.Marshal(n.String())
}

// tuple is a list of values of several types.
type tuple []json.RawMessage

// at decodes value i into v, which stays as it is where the tuple is shorter, or null or empty there.
func (t tuple) at(i int, v any) error {
	if i >= len(t) || empty(t[i]) {
		return nil
	}
	return json.Unmarshal(t[i], v)
}

// tupleOf is a tuple of values that can always be encoded.
func tupleOf(vs ...any) (tuple, error) {
	t := make(tuple, len(vs))
	for i, v := range vs {
		data, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		t[i] = data
	}
	return t, nil
}
