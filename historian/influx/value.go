package influx

import (
	"math"
	"strconv"
)

// ValueKind is the JSON kind of a Value, with numbers split in two.
type ValueKind uint8

// The kinds of values. The zero kind is Null: the row has no value in that column.
const (
	Null    ValueKind = iota
	Integer           // number without fraction or exponent that fits int64; a float field of 3.0 comes as Integer 3
	Float             // any other number
	Text
	Boolean
)

// Value is one value of a row. Numbers are exact: an integer never passes through a float. InfluxQL's JSON does not
// tell an integer field from a float field that holds a whole number: whoever needs the difference knows it from the model.
type Value struct {
	kind ValueKind
	bits uint64
	text string
}

// Kind of v.
func (v Value) Kind() ValueKind { return v.kind }

// IsNull says that there is no value.
func (v Value) IsNull() bool { return v.kind == Null }

// Int returns the value of an Integer; ok is false for all else.
func (v Value) Int() (n int64, ok bool) { return int64(v.bits), v.kind == Integer }

// Float returns the value of a number, an Integer rounded to the nearest float64; ok is false for all else.
func (v Value) Float() (f float64, ok bool) {
	switch v.kind {
	case Integer:
		return float64(int64(v.bits)), true
	case Float:
		return math.Float64frombits(v.bits), true
	}
	return 0, false
}

// Text returns the value of a Text; ok is false for all else.
func (v Value) Text() (s string, ok bool) { return v.text, v.kind == Text }

// Bool returns the value of a Boolean; ok is false for all else.
func (v Value) Bool() (b, ok bool) { return v.bits != 0, v.kind == Boolean }

// String shows v for people: as in JSON, but texts without quotes and nothing for null.
func (v Value) String() string {
	switch v.kind {
	case Integer:
		return strconv.FormatInt(int64(v.bits), 10)
	case Float:
		return strconv.FormatFloat(math.Float64frombits(v.bits), 'g', -1, 64)
	case Text:
		return v.text
	case Boolean:
		return strconv.FormatBool(v.bits != 0)
	default:
		return ""
	}
}
