package telemetry

import (
	"math"
	"strconv"
	"strings"
)

const (
	escMeasurement = ", "
	escTag         = ",= "
)

func appendEscaped(dst []byte, s, special string) []byte {
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(special, s[i]) >= 0 {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return dst
}

// AppendSample appends s as one line of line protocol, newline included, and returns the extended slice:
//
//	wire_saw,area=wafer,unit=ws03 wire_speed_m_s=24.5,wire_speed_m_s_status=1073741824i 1790000000000000003
//
// The status is written when withStatus is set and always when it is not plain Good; a sample without a value writes
// only its status. It does not allocate when dst has room. The caller guarantees that the value has the field's type
// and that a float is finite (see Sample.Check).
func AppendSample(dst []byte, s *Sample, withStatus bool) []byte {
	dst = append(dst, s.Series.key...)
	dst = append(dst, ' ')
	hasValue := s.Value.typ != NoType
	if hasValue {
		dst = append(dst, s.Field.key...)
		dst = append(dst, '=')
		dst = appendValue(dst, &s.Value)
	}
	if withStatus || !hasValue || !s.Status.IsPlainGood() {
		if hasValue {
			dst = append(dst, ',')
		}
		dst = append(dst, s.Field.statusKey...)
		dst = append(dst, '=')
		dst = strconv.AppendUint(dst, uint64(s.Status), 10)
		dst = append(dst, 'i')
	}
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(s.Source), 10)
	return append(dst, '\n')
}

func appendValue(dst []byte, v *Value) []byte {
	switch v.typ {
	case Int:
		return append(strconv.AppendInt(dst, v.i, 10), 'i')
	case Float:
		// The shortest text that reads back as the same float64; the exponent form only where it is shorter by far.
		if a := math.Abs(v.f); a != 0 && (a < 1e-6 || a >= 1e15) {
			return strconv.AppendFloat(dst, v.f, 'e', -1, 64)
		}
		return strconv.AppendFloat(dst, v.f, 'f', -1, 64)
	default:
		return appendQuoted(dst, v.s)
	}
}

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// Line builds one line of line protocol for what is not a sample of a machine: heartbeats, gaps, proof of life.
// Fields keep the order in which they are added; empty strings are left out.
//
//	b = telemetry.NewLine(b, series).Int("queue", 3).Bool("connected", true).End(now)
type Line struct {
	b      []byte
	start  int // where the line begins in b
	fields int
}

// NewLine starts a line of series s at the end of dst.
func NewLine(dst []byte, s *Series) Line {
	return Line{b: append(dst, s.key...), start: len(dst)}
}

func (l Line) key(name string) Line {
	sep := byte(',')
	if l.fields == 0 {
		sep = ' '
	}
	l.b = append(l.b, sep)
	l.b = append(appendEscaped(l.b, name, escTag), '=')
	l.fields++
	return l
}

// Int, Float, Bool and Text add a field. A float that is not finite and an empty text add nothing.
func (l Line) Int(name string, v int64) Line {
	l = l.key(name)
	l.b = append(strconv.AppendInt(l.b, v, 10), 'i')
	return l
}

func (l Line) Float(name string, v float64) Line {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return l
	}
	l = l.key(name)
	l.b = appendValue(l.b, &Value{typ: Float, f: v})
	return l
}

func (l Line) Bool(name string, v bool) Line {
	l = l.key(name)
	l.b = strconv.AppendBool(l.b, v)
	return l
}

func (l Line) Text(name, v string) Line {
	if v == "" {
		return l
	}
	if len(v) > MaxStringBytes {
		v = strings.ToValidUTF8(v[:MaxStringBytes], "")
	}
	l = l.key(name)
	l.b = appendQuoted(l.b, v)
	return l
}

// End writes the time and the newline and returns the extended slice. A line without a field is taken back.
func (l Line) End(at Instant) []byte {
	if l.fields == 0 {
		return l.b[:l.start]
	}
	l.b = append(l.b, ' ')
	l.b = strconv.AppendInt(l.b, int64(at), 10)
	return append(l.b, '\n')
}
