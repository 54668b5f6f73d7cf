package influx

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON (RFC 8259) from a stream, one token at a time, with an error that sticks: after the first error
// every method returns zero values, so that a decoder can be written straight down and look at err once. It exists
// because encoding/json's Decoder makes a value on the heap of each token, and because numbers must stay text.
type scanner struct {
	r     io.Reader
	buf   []byte
	pos   int // next byte of buf
	end   int // buf[:end] is valid
	left  int64
	str   []byte // last string or number
	err   error
	atEOF bool
}

// Limits of one answer.
const (
	scanBuffer = 64 << 10
	maxToken   = 16 << 20 // bytes of one string or number
	maxDigits  = 1024     // of a number: more than any float64 needs
	maxDepth   = 64       // of values that are skipped
)

var errAnswerTooLarge = errors.New("the answer is larger than MaxResponse")

func newScanner(r io.Reader, limit int64) *scanner {
	return &scanner{r: r, buf: make([]byte, scanBuffer), left: limit}
}

func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// fill reads more; false at the end or after an error.
func (s *scanner) fill() bool {
	if s.err != nil || s.atEOF {
		return false
	}
	if s.left <= 0 {
		s.err = errAnswerTooLarge
		return false
	}
	for range 100 {
		n, err := s.r.Read(s.buf[:min(int64(len(s.buf)), s.left)])
		s.pos, s.end = 0, n
		s.left -= int64(n)
		switch {
		case err == io.EOF:
			s.atEOF = true
			return n > 0
		case err != nil:
			s.err = err
			return false
		case n > 0:
			return true
		}
	}
	s.err = io.ErrNoProgress
	return false
}

// peek returns the next byte that is not white space, 0 at the end of the stream or after an error.
func (s *scanner) peek() byte {
	for {
		for s.pos < s.end {
			switch b := s.buf[s.pos]; b {
			case ' ', '\t', '\n', '\r':
				s.pos++
			case 0:
				s.fail("JSON: a NUL byte")
				return 0
			default:
				return b
			}
		}
		if !s.fill() {
			return 0
		}
	}
}

// raw returns the next byte as it is and moves on.
func (s *scanner) raw() byte {
	if s.pos >= s.end && !s.fill() {
		s.truncated()
		return 0
	}
	b := s.buf[s.pos]
	s.pos++
	return b
}

func (s *scanner) truncated() {
	if s.err == nil {
		s.err = io.ErrUnexpectedEOF
	}
}

// expect consumes one structural byte.
func (s *scanner) expect(want byte) {
	got := s.peek()
	switch {
	case s.err != nil:
	case got == 0:
		s.truncated()
	case got != want:
		s.fail("JSON: %q where %q belongs", got, want)
	default:
		s.pos++
	}
}

// more is called before each member of an array or object that ends with closing; first says that it is the first.
func (s *scanner) more(closing byte, first bool) bool {
	b := s.peek()
	if s.err != nil {
		return false
	}
	if b == closing {
		s.pos++
		return false
	}
	if !first {
		s.expect(',')
		if s.peek() == closing {
			s.fail("JSON: comma before %q", closing)
		}
	}
	return s.err == nil
}

// object calls member for each key; key is valid until the next token.
func (s *scanner) object(member func(key []byte)) {
	s.expect('{')
	for first := true; s.more('}', first); first = false {
		key := s.text()
		s.expect(':')
		if s.err != nil {
			return
		}
		member(key)
	}
}

// text reads a string; the bytes are valid until the next token.
func (s *scanner) text() []byte {
	s.expect('"')
	s.str = s.str[:0]
	for s.err == nil {
		if s.pos >= s.end && !s.fill() {
			s.truncated()
			return nil
		}
		from := s.pos
		for s.pos < s.end && s.buf[s.pos] != '"' && s.buf[s.pos] != '\\' && s.buf[s.pos] >= ' ' {
			s.pos++
		}
		s.keep(s.buf[from:s.pos])
		if s.pos >= s.end {
			continue
		}
		switch b := s.raw(); b {
		case '"':
			if !utf8.Valid(s.str) {
				s.fail("JSON: a string is not valid UTF-8")
				return nil
			}
			return s.str
		case '\\':
			s.escape(s.raw())
		default:
			s.fail("JSON: control character %#x within a string", b)
		}
	}
	return nil
}

func (s *scanner) keep(b []byte) {
	if len(s.str)+len(b) > maxToken {
		s.fail("JSON: a value is longer than %d bytes", maxToken)
		return
	}
	s.str = append(s.str, b...)
}

// escape takes what follows a backslash; b is the first byte of it.
func (s *scanner) escape(b byte) {
	switch b {
	case '"', '\\', '/':
		s.str = append(s.str, b)
	case 'b':
		s.str = append(s.str, '\b')
	case 'f':
		s.str = append(s.str, '\f')
	case 'n':
		s.str = append(s.str, '\n')
	case 'r':
		s.str = append(s.str, '\r')
	case 't':
		s.str = append(s.str, '\t')
	case 'u':
		s.unicodeEscape()
	default:
		s.fail("JSON: unknown escape \\%c", b)
	}
}

// unicodeEscape reads the four digits of \u and, for the first half of a surrogate pair, the second half. A half
// without its other half gives U+FFFD, as in encoding/json.
func (s *scanner) unicodeEscape() {
	r := s.hex4()
	for utf16.IsSurrogate(r) {
		if s.pos >= s.end && !s.fill() {
			s.truncated()
			return
		}
		if s.buf[s.pos] != '\\' {
			r = utf8.RuneError
			break
		}
		s.pos++
		if next := s.raw(); next != 'u' {
			s.str = utf8.AppendRune(s.str, utf8.RuneError)
			s.escape(next)
			return
		}
		second := s.hex4()
		if pair := utf16.DecodeRune(r, second); pair != utf8.RuneError {
			r = pair
			break
		}
		s.str = utf8.AppendRune(s.str, utf8.RuneError)
		r = second
	}
	s.str = utf8.AppendRune(s.str, r)
}

func (s *scanner) hex4() rune {
	var r rune
	for range 4 {
		b := s.raw()
		switch {
		case b >= '0' && b <= '9':
			r = r<<4 | rune(b-'0')
		case b >= 'a' && b <= 'f':
			r = r<<4 | rune(b-'a'+10)
		case b >= 'A' && b <= 'F':
			r = r<<4 | rune(b-'A'+10)
		default:
			s.fail("JSON: bad \\u escape")
			return 0
		}
	}
	return r
}

// number reads a number's text; the bytes are valid until the next token. whole says that it has neither fraction nor
// exponent.
func (s *scanner) number() (text []byte, whole bool) {
	s.peek()
	s.str, whole = s.str[:0], true
	for s.err == nil && (s.pos < s.end || s.fill()) {
		i := s.pos
		for i < s.end && numberByte[s.buf[i]] != 0 {
			whole = whole && numberByte[s.buf[i]] == 1
			i++
		}
		s.str = append(s.str, s.buf[s.pos:i]...)
		s.pos = i
		if len(s.str) > maxDigits {
			s.fail("JSON: a number of more than %d digits", maxDigits)
		}
		if i < s.end {
			break
		}
	}
	if s.err == nil && !isNumber(s.str) {
		s.fail("JSON: %q is not a number", s.str)
	}
	return s.str, whole
}

// numberByte says which bytes belong to a number: 1 to any, 2 to one with a fraction or exponent.
var numberByte = [256]byte{
	'0': 1, '1': 1, '2': 1, '3': 1, '4': 1, '5': 1, '6': 1, '7': 1, '8': 1, '9': 1, '-': 1, '+': 1, '.': 2, 'e': 2, 'E': 2,
}

// isNumber checks the grammar of RFC 8259 §6.
func isNumber(b []byte) bool {
	i := 0
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return false
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(b)
}

// literal reads true, false or null and checks it against want.
func (s *scanner) literal(want string) {
	s.peek()
	for i := range len(want) {
		if b := s.raw(); s.err == nil && b != want[i] {
			s.fail("JSON: %q within %s", b, want)
		}
	}
}

// boolean reads true or false.
func (s *scanner) boolean() bool {
	if s.peek() == 't' {
		s.literal("true")
		return s.err == nil
	}
	s.literal("false")
	return false
}

// integer reads a number that must be a whole one.
func (s *scanner) integer() int {
	text, _ := s.number()
	if s.err != nil {
		return 0
	}
	n, err := strconv.Atoi(string(text))
	if err != nil {
		s.fail("JSON: %q is not a whole number", text)
	}
	return n
}

// skip reads any value and forgets it.
func (s *scanner) skip(depth int) {
	if depth > maxDepth {
		s.fail("JSON: nested deeper than %d", maxDepth)
		return
	}
	switch b := s.peek(); b {
	case 0:
		s.truncated()
	case '{':
		s.object(func([]byte) { s.skip(depth + 1) })
	case '[':
		s.expect('[')
		for first := true; s.more(']', first); first = false {
			s.skip(depth + 1)
		}
	case '"':
		s.text()
	case 't', 'f':
		s.boolean()
	case 'n':
		s.literal("null")
	default:
		s.number()
	}
}
