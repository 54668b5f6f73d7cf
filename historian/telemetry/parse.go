package telemetry

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Point is one parsed line of line protocol.
type Point struct {
	Key         string // series key as written, escapes included
	Measurement string
	Tags        []Tag
	Fields      []PointField
	Time        Instant
}

// PointField is one field of a Point. A boolean reads as Int 0 or 1 with Bool set.
type PointField struct {
	Name  string
	Value Value
	Bool  bool
}

// Field returns the value of the field named name.
func (p *Point) Field(name string) (Value, bool) {
	for i := range p.Fields {
		if p.Fields[i].Name == name {
			return p.Fields[i].Value, true
		}
	}
	return Value{}, false
}

// Tag returns the value of the tag named key, or "".
func (p *Point) Tag(key string) string {
	for _, t := range p.Tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

var (
	errNoFields = errors.New("has no fields")
	errNoTime   = errors.New("has no time stamp")
)

// NextLine cuts the first line off b. A newline within a quoted string value does not end a line. The line comes
// without its newline; rest is what follows. At the end of b both are empty.
func NextLine(b []byte) (line, rest []byte) {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			// A quote opens a string only as the first byte of a field value; elsewhere it is a byte like others.
			if quoted || (i > 0 && b[i-1] == '=' && inFields(b[:i])) {
				quoted = !quoted
			}
		case '\n':
			if !quoted {
				return b[:i], b[i+1:]
			}
		}
	}
	return b, nil
}

// inFields says that prefix, the beginning of a line, has passed the space that ends the series key.
func inFields(prefix []byte) bool { return endOf(prefix, ' ') < len(prefix) }

// endOf is the index of the first unescaped c in b, or len(b).
func endOf(b []byte, c byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case c:
			return i
		}
	}
	return len(b)
}

// ParseLine parses one line, without its newline. It accepts the line protocol that Kvarts writes: a time stamp is
// required, white space is one space, comments are not lines.
func ParseLine(line []byte) (Point, error) {
	var p Point
	end := endOf(line, ' ')
	if end == len(line) {
		return p, fmt.Errorf("line protocol %.60q: %w", line, errNoFields)
	}
	p.Key = string(line[:end])
	if err := p.parseKey(line[:end]); err != nil {
		return p, fmt.Errorf("line protocol %.60q: %w", line, err)
	}
	rest, err := p.parseFields(line[end+1:])
	if err != nil {
		return p, fmt.Errorf("line protocol %.60q: %w", line, err)
	}
	t, err := strconv.ParseInt(string(rest), 10, 64)
	if err != nil {
		return p, fmt.Errorf("line protocol %.60q: time stamp %.30q: %w", line, rest, errNoTime)
	}
	p.Time = Instant(t)
	return p, nil
}

func (p *Point) parseKey(key []byte) error {
	cut := endOf(key, ',')
	p.Measurement = unescape(key[:cut])
	if p.Measurement == "" {
		return errors.New("has no measurement")
	}
	for key = key[cut:]; len(key) > 0; {
		key = key[1:]
		cut = endOf(key, ',')
		eq := endOf(key[:cut], '=')
		if eq == 0 || eq >= cut-1 {
			return fmt.Errorf("tag %.40q is not key=value", key[:cut])
		}
		p.Tags = append(p.Tags, Tag{unescape(key[:eq]), unescape(key[eq+1 : cut])})
		key = key[cut:]
	}
	return nil
}

// parseFields parses the fields at the start of b and returns what follows the space behind them.
func (p *Point) parseFields(b []byte) ([]byte, error) {
	for {
		eq := endOf(b, '=')
		if eq == 0 || eq == len(b) {
			return nil, errNoFields
		}
		f := PointField{Name: unescape(b[:eq])}
		b = b[eq+1:]
		n, err := f.parseValue(b)
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", f.Name, err)
		}
		p.Fields = append(p.Fields, f)
		b = b[n:]
		if len(b) == 0 {
			return nil, errNoTime
		}
		sep := b[0]
		b = b[1:]
		switch sep {
		case ' ':
			return b, nil
		case ',':
		default:
			return nil, fmt.Errorf("field %q: %q behind its value", f.Name, sep)
		}
	}
}

// parseValue parses the value at the start of b and returns its length in bytes.
func (f *PointField) parseValue(b []byte) (int, error) {
	if len(b) > 0 && b[0] == '"' {
		var s strings.Builder
		for i := 1; i < len(b); i++ {
			switch {
			case b[i] == '"':
				f.Value = StringValue(s.String())
				return i + 1, nil
			case b[i] == '\\' && i+1 < len(b) && (b[i+1] == '"' || b[i+1] == '\\'):
				i++
			}
			s.WriteByte(b[i])
		}
		return 0, errors.New("string without an end")
	}
	n := bytes.IndexAny(b, ", ")
	if n < 0 {
		n = len(b)
	}
	text := string(b[:n])
	switch text {
	case "":
		return 0, errors.New("has no value")
	case "true", "false":
		f.Bool = true
		f.Value = IntValue(0)
		if text == "true" {
			f.Value = IntValue(1)
		}
		return n, nil
	}
	if whole, ok := strings.CutSuffix(text, "i"); ok {
		v, err := strconv.ParseInt(whole, 10, 64)
		f.Value = IntValue(v)
		return n, err
	}
	v, err := strconv.ParseFloat(text, 64)
	if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
		err = fmt.Errorf("%q is not a finite number", text)
	}
	f.Value = FloatValue(v)
	return n, err
}

// unescape takes the backslash off escaped commas, equal signs and spaces; other backslashes stay.
func unescape(b []byte) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && strings.IndexByte(escTag, b[i+1]) >= 0 {
			i++
		}
		out = append(out, b[i])
	}
	return string(out)
}
