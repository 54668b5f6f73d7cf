// Package telemetry holds the words that all rooms of Kvarts share: a sample, its time, its quality, what was lost,
// and line protocol in both directions. It imports only the standard library.
//
// A point in InfluxDB is (measurement, tags, field, source time): see ARCHITECTURE.md, "identity". Everything that
// decides the bytes of a point is in this package, so that live data, republished data, history and replay of the
// same sample give the same bytes.
package telemetry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Type is the pinned type of a field: one for each (measurement, signal), as InfluxDB demands.
type Type uint8

// The types that a field may have. OPC UA Boolean and all integers are Int; see uavalue for the whole table.
const (
	NoType Type = iota // no value: the sample carries only a status
	Int
	Float
	String
)

// String gives the name that configuration files use.
func (t Type) String() string {
	switch t {
	case Int:
		return "int"
	case Float:
		return "float"
	case String:
		return "string"
	default:
		return "none"
	}
}

// ParseType is the inverse of Type.String for the three real types.
func ParseType(s string) (Type, bool) {
	switch s {
	case "int":
		return Int, true
	case "float":
		return Float, true
	case "string":
		return String, true
	}
	return NoType, false
}

// Value is a value of one of the types, or none. The zero Value is none.
type Value struct {
	typ Type
	i   int64
	f   float64
	s   string
}

// IntValue, FloatValue and StringValue make values.
func IntValue(v int64) Value     { return Value{typ: Int, i: v} }
func FloatValue(v float64) Value { return Value{typ: Float, f: v} }
func StringValue(v string) Value { return Value{typ: String, s: v} }

// Type of v; NoType when there is no value.
func (v Value) Type() Type { return v.typ }

// Int, Float and Text return the payload of a value of that type, else zero.
func (v Value) Int() int64     { return v.i }
func (v Value) Float() float64 { return v.f }
func (v Value) Text() string   { return v.s }

func (v Value) String() string {
	switch v.typ {
	case Int:
		return fmt.Sprint(v.i)
	case Float:
		return fmt.Sprint(v.f)
	case String:
		return v.s
	}
	return "(none)"
}

// Tag is one tag of a series.
type Tag struct{ Key, Value string }

// Series is a measurement with its tags. It is immutable and made once for each unit; samples share it.
type Series struct {
	Measurement string
	Tags        []Tag // sorted by key
	key         []byte
}

// Limits of InfluxDB 1.x and 2.x: a series key is stored with a 16 bit length.
const (
	maxKeyBytes    = 65535 - 1024 // room for the field, whose key is appended to the series' in the index
	maxStringBytes = 64 * 1024    // longer string values are refused by InfluxDB 1.x with "partial write"
)

// MaxStringBytes is the longest string value that every supported store keeps.
const MaxStringBytes = maxStringBytes - 1

// NewSeries checks and escapes. It refuses what a store would refuse or silently change: an empty measurement, an
// empty tag key or value, control characters, a backslash (line protocol cannot say it before a comma), the reserved tag
// keys `time`, `_field` and `_measurement`, a measurement beginning with '#' or '_', duplicate keys.
func NewSeries(measurement string, tags map[string]string) (*Series, error) {
	s := &Series{Measurement: measurement}
	if err := checkName("measurement", measurement); err != nil {
		return nil, err
	}
	if measurement[0] == '#' || measurement[0] == '_' {
		return nil, fmt.Errorf("measurement %q: must not begin with %q", measurement, measurement[0])
	}
	for k, v := range tags {
		if err := checkName("tag key", k); err != nil {
			return nil, err
		}
		if k == "time" || k == "_field" || k == "_measurement" {
			return nil, fmt.Errorf("tag key %q is reserved by InfluxDB", k)
		}
		if err := checkName("value of tag "+k, v); err != nil {
			return nil, err
		}
		s.Tags = append(s.Tags, Tag{k, v})
	}
	slices.SortFunc(s.Tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	s.key = appendEscaped(s.key, measurement, escMeasurement)
	for _, t := range s.Tags {
		s.key = append(s.key, ',')
		s.key = appendEscaped(s.key, t.Key, escTag)
		s.key = append(s.key, '=')
		s.key = appendEscaped(s.key, t.Value, escTag)
	}
	if len(s.key) > maxKeyBytes {
		return nil, fmt.Errorf("series key of %d bytes is longer than %d", len(s.key), maxKeyBytes)
	}
	return s, nil
}

// Key is the escaped series key, as in line protocol. It must not be changed.
func (s *Series) Key() []byte { return s.key }

// Tag returns the value of the tag named key, or "".
func (s *Series) Tag(key string) string {
	for _, t := range s.Tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

// StatusSuffix ends the name of the field that holds a signal's status.
const StatusSuffix = "_status"

// Field is one signal of a series, with its pinned type. Immutable; made once for each tag.
type Field struct {
	Name      string
	Type      Type
	key       []byte // escaped name
	statusKey []byte // escaped name + StatusSuffix
}

// NewField checks and escapes. A signal may not be named *_status, nor `time`.
func NewField(name string, typ Type) (*Field, error) {
	if err := checkName("field", name); err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(name, StatusSuffix):
		return nil, fmt.Errorf("field %q: a signal must not end in %q, that name holds the status of a signal", name, StatusSuffix)
	case name == "time" || name == "_field" || name == "_measurement":
		return nil, fmt.Errorf("field %q is reserved by InfluxDB", name)
	case typ == NoType || typ > String:
		return nil, fmt.Errorf("field %q has no type", name)
	}
	f := &Field{Name: name, Type: typ}
	f.key = appendEscaped(nil, name, escTag)
	f.statusKey = append(slices.Clone(f.key), StatusSuffix...)
	return f, nil
}

// Sample is one value of one signal at one time, with its quality.
type Sample struct {
	Series *Series
	Field  *Field
	Value  Value   // of Field.Type, or none when Bad without a usable value
	Source Instant // identity: source time, with its number within the tick once sequenced
	Server Instant // server time, 0 if unknown; not stored
	Status Status
}

var errEmpty = errors.New("is empty")

func checkName(what, s string) error {
	if s == "" {
		return fmt.Errorf("%s %w", what, errEmpty)
	}
	if strings.Contains(s, `\`) {
		return fmt.Errorf("%s %q holds a backslash, which line protocol cannot express in every place", what, s)
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r == 0xFFFD {
			return fmt.Errorf("%s %q holds a control character or invalid UTF-8", what, s)
		}
	}
	return nil
}
