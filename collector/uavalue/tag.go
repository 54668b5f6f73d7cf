// Package uavalue turns OPC UA DataValues into samples. It is pure and total: every built-in type, every shape and
// every status has a rule, and what cannot be stored is named with a reason instead of being dropped or bent.
//
// The rules, per built-in type (Part 6 §5.1.2):
//
//	Boolean, SByte … Int64, Byte … UInt64   int; UInt64 above 2^63-1 is rejected
//	Float, Double                           float; a Float is widened exactly: 0.1f becomes 0.10000000149011612
//	                                        NaN and ±Inf have no value: status BadOutOfRange unless it is Bad already
//	String, XmlElement                      string
//	LocalizedText, QualifiedName            string: the text, the name
//	Guid, NodeId, ExpandedNodeId            string: canonical text; an ExpandedNodeId with a URI as nsu=URI;…
//	DateTime                                string: RFC 3339, UTC, always seven digits (ticks of 100 ns)
//	StatusCode, enumerations                int
//	ByteString                              string in base64 when Output.Base64 is set, else rejected
//	ExtensionObject                         by member when Output.Path names one, else rejected; an unknown type is rejected
//	Variant, DataValue inside a Variant     the inner value; the worse of both statuses; the outer times
//	DiagnosticInfo                          rejected
//	arrays, matrices                        by element when Output.Path names one, else rejected
//	null                                    status BadNoData unless it is Bad already
//
// A Bad sample never stores a value, an Uncertain one does. A rejected value leaves its time and a Bad status behind
// (BadTypeMismatch or BadOutOfRange), so that nobody goes on with the value before it.
package uavalue

import (
	"fmt"

	"kvarts/historian/telemetry"
)

// Tag is one monitored item: what becomes of its values. It is immutable while values are decoded with it.
type Tag struct {
	Time    telemetry.TimeRule
	Outputs []Output // at least one; more for arrays and structures
}

// Output is one field that an item's values fill.
type Output struct {
	Series *telemetry.Series
	// Field carries the pinned type. Values are coerced to it: whole floats to int, integers that a float64 holds
	// exactly to float, nothing from or to string.
	Field *telemetry.Field
	// Path names an element or member of the value, empty for the value itself.
	Path Path
	// stored = value × Scale / Divisor + Offset, computed in float64 in this order; 0 means 1 for the first two. The divisor
	// is there because 2300/1000 is 2.3 and 2300×0.001 is not.
	Scale, Divisor, Offset float64
	// Base64 stores ByteStrings (standard encoding with padding).
	Base64 bool
}

// scaled says that the output changes the number.
func (o *Output) scaled() bool { return !isOne(o.Scale) || !isOne(o.Divisor) || o.Offset != 0 }

// isOne says that a factor changes nothing.
func isOne(x float64) bool { return x == 0 || x == 1 }

// Reject is a value that has no rule or does not fit: it goes to quarantine.
type Reject struct {
	Output int // index in Tag.Outputs
	Type   string
	Text   string // the value, cut to MaxRejectText bytes
	Source telemetry.Instant
	Status telemetry.Status // as the server sent it
	Reason string
}

// MaxRejectText bounds Reject.Text: enough to recognise a value, little enough to keep many.
const MaxRejectText = 256

// String describes r for a log or a page.
func (r *Reject) String() string {
	return fmt.Sprintf("%s %q at %s (%s): %s", r.Type, r.Text, r.Source, r.Status, r.Reason)
}
