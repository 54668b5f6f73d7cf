package influx

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"kvarts/historian/telemetry"
)

// maxColumns bounds columns and tags of one series of an answer: more than any store allows.
const maxColumns = 1 << 16

// decoder reads the answer of /query: one or more JSON documents, one after another, each
//
//	{"results":[{"statement_id":0,"series":[{"name","tags","columns","values"}],"partial":true}]}
//
// and hands out each row as it comes. Of a document only the series in hand is in memory.
type decoder struct {
	s       *scanner
	each    func(Row) error
	stop    error // what ended the decoding: a statementError, or refused
	refused error // what each returned

	row     Row
	known   bool      // columns of the series in hand have been read
	pending []pending // what was announced and has not come yet, per statement
}

// pending says that the server announced more of a statement: it marks all pieces but the last with "partial". On the
// last piece, the mark means that the rest was cut off (1.x: max-row-limit).
type pending struct{ result, series bool }

// statementError is an error that the server reports within an answer of status 200.
type statementError struct {
	statement int // -1: of the whole answer
	text      string
}

func (e *statementError) Error() string {
	if e.statement <= 0 {
		return e.text
	}
	return "statement " + strconv.Itoa(e.statement) + ": " + e.text
}

// errPartial means that the answer ended before all that it announced had come.
var errPartial = errors.New("the server cut the answer short (partial): it is not complete")

// run reads to the end. Any error of the server, of the JSON and of each ends it.
func (d *decoder) run() error {
	documents := 0
	for d.s.err == nil && d.stop == nil && d.s.peek() != 0 {
		d.document()
		documents++
	}
	switch {
	case d.stop != nil:
		return d.stop
	case d.s.err != nil:
		return d.s.err
	case documents == 0:
		return errors.New("the answer is empty")
	}
	for _, p := range d.pending {
		if p.result || p.series {
			return errPartial
		}
	}
	return nil
}

// fail ends the decoding with err.
func (d *decoder) fail(err error) {
	if d.stop == nil {
		d.stop = err
	}
	if d.s.err == nil {
		d.s.err = err
	}
}

func (d *decoder) document() {
	seen := false
	d.s.object(func(key []byte) {
		switch string(key) {
		case "results":
			seen = true
			d.array(d.result)
		case "error":
			seen = true
			d.errorText(-1)
		default:
			d.s.skip(0)
		}
	})
	if d.s.err == nil && !seen {
		d.s.fail("the answer has neither results nor an error: it is not one of an InfluxDB")
	}
}

// array reads an array, or null in place of one.
func (d *decoder) array(element func()) {
	if d.s.peek() == 'n' {
		d.s.literal("null")
		return
	}
	d.s.expect('[')
	for first := true; d.s.more(']', first); first = false {
		element()
	}
}

func (d *decoder) errorText(statement int) {
	if text := d.s.text(); d.s.err == nil {
		d.fail(&statementError{statement: statement, text: string(text)})
	}
}

func (d *decoder) result() {
	d.row.Statement = 0
	var p pending
	d.s.object(func(key []byte) {
		switch string(key) {
		case "statement_id":
			d.row.Statement = d.s.integer()
		case "series":
			p.series = false
			d.array(func() { p.series = d.series() })
		case "partial":
			p.result = d.s.boolean()
		case "error":
			d.errorText(d.row.Statement)
		default:
			d.s.skip(0)
		}
	})
	n := d.row.Statement
	if d.s.err != nil {
		return
	}
	if n < 0 || n > len(d.pending) {
		d.s.fail("statement %d follows %d others", n, len(d.pending))
		return
	}
	if n == len(d.pending) {
		d.pending = append(d.pending, pending{})
	}
	d.pending[n] = p
}

// series reads one series and says whether it is marked as partial.
func (d *decoder) series() (partial bool) {
	d.known = false
	d.row.Series, d.row.Tags, d.row.Columns = "", d.row.Tags[:0], d.row.Columns[:0]
	d.s.object(func(key []byte) {
		switch string(key) {
		case "name":
			d.row.Series = string(d.s.text())
		case "tags":
			d.tags()
		case "columns":
			d.columns()
		case "values":
			d.array(d.values)
		case "partial":
			partial = d.s.boolean()
		default:
			d.s.skip(0)
		}
	})
	return partial
}

func (d *decoder) tags() {
	if d.s.peek() == 'n' {
		d.s.literal("null")
		return
	}
	var tags []telemetry.Tag // a new one for each series: callers may keep it
	d.s.object(func(key []byte) {
		k := string(key)
		tags = append(tags, telemetry.Tag{Key: k, Value: string(d.s.text())})
		if len(tags) > maxColumns {
			d.s.fail("more than %d tags", maxColumns)
		}
	})
	slices.SortFunc(tags, func(a, b telemetry.Tag) int { return strings.Compare(a.Key, b.Key) })
	d.row.Tags = tags
}

func (d *decoder) columns() {
	var columns []string
	d.array(func() {
		columns = append(columns, string(d.s.text()))
		if len(columns) > maxColumns {
			d.s.fail("more than %d columns", maxColumns)
		}
	})
	d.row.Columns, d.known = columns, true
	d.row.Values = slices.Grow(d.row.Values[:0], len(columns))[:len(columns)]
	clear(d.row.Values)
}

// values reads one row and hands it out.
func (d *decoder) values() {
	if !d.known {
		d.s.fail("values before columns")
		return
	}
	n := 0
	d.s.expect('[')
	for first := true; d.s.more(']', first); first = false {
		if n == len(d.row.Values) {
			d.s.fail("a row of more values than the %d columns", n)
			return
		}
		d.value(&d.row.Values[n])
		n++
	}
	if d.s.err != nil {
		return
	}
	if n != len(d.row.Values) {
		d.s.fail("a row of %d values for %d columns", n, len(d.row.Values))
		return
	}
	if err := d.each(d.row); err != nil {
		d.refused = err
		d.fail(err)
	}
}

// value reads one value into v, which holds that of the row before: an equal text is not copied again.
func (d *decoder) value(v *Value) {
	switch d.s.peek() {
	case '"':
		text := d.s.text()
		if v.kind != Text || v.text != string(text) {
			*v = Value{kind: Text, text: string(text)}
		}
	case 't', 'f':
		*v = Value{kind: Boolean}
		if d.s.boolean() {
			v.bits = 1
		}
	case 'n':
		d.s.literal("null")
		*v = Value{}
	case '[', '{':
		d.s.fail("a value is an array or object")
	default:
		*v = number(d.s)
	}
}

// number reads a number without loss: as an integer when it is one and fits.
func number(s *scanner) Value {
	text, whole := s.number()
	if s.err != nil {
		return Value{}
	}
	if whole {
		if n, ok := parseInt(text); ok {
			return Value{kind: Integer, bits: uint64(n)}
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		s.fail("number %s is outside of what a float holds", text)
	}
	return Value{kind: Float, bits: math.Float64bits(f)}
}

// parseInt is strconv.ParseInt for what isNumber accepted.
func parseInt(b []byte) (int64, bool) {
	neg := b[0] == '-'
	if neg {
		b = b[1:]
	}
	var n uint64
	for _, c := range b {
		if n > math.MaxUint64/10-1 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	switch {
	case neg && n == 0:
		return 0, false // -0 is a float
	case neg && n <= 1<<63:
		return -int64(n), true
	case !neg && n <= math.MaxInt64:
		return int64(n), true
	}
	return 0, false
}
