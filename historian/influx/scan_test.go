package influx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// generic reads any value with the scanner into what encoding/json makes of it with UseNumber.
func generic(s *scanner, depth int) any {
	if depth > maxDepth {
		s.fail("deep")
		return nil
	}
	switch s.peek() {
	case 0:
		s.truncated()
	case '{':
		m := map[string]any{}
		s.object(func(key []byte) {
			k := string(key)
			m[k] = generic(s, depth+1)
		})
		return m
	case '[':
		list := []any{}
		s.expect('[')
		for first := true; s.more(']', first); first = false {
			list = append(list, generic(s, depth+1))
		}
		return list
	case '"':
		return string(s.text())
	case 't', 'f':
		return s.boolean()
	case 'n':
		s.literal("null")
	default:
		text, _ := s.number()
		return json.Number(text)
	}
	return nil
}

// FuzzScanner: against encoding/json. Where the two differ on purpose: invalid UTF-8 is an error here, and lengths and
// depths are bounded.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{
		`{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"k":"a"},"columns":["time","f"],"values":[[1,2.5e3],[-0,null]]}],"partial":true}]}`,
		`{"error":"x\u00e9\ud83d\ude00\ud83d\u0041\udfff\ud800"}`, `[true,false,null,-1.5E-7,0,10,[],{}]`, `"\/\b\f\n\r\t\\\""`, ` [ 1 , 2 ] `,
		`01`, `1.`, `+1`, `{"a":1,}`, `[1 2]`, `nul`, `"a`, "\"\x01\"", `{"a" 1}`, `-`, `1e`, `"\u12"`, `"\ud83d\u00"`, `"\ud83d\n"`, `"\ud800\`,
	} {
		f.Add([]byte(s), uint8(1))
		f.Add([]byte(s), uint8(200))
	}
	f.Fuzz(func(t *testing.T, doc []byte, piece uint8) {
		s := newScanner(&pieces{doc, int(piece) + 1}, 1<<30)
		got := generic(s, 0)
		if s.err == nil && s.peek() != 0 {
			s.fail("left over")
		}
		if s.err == nil && s.peek() == 0 && bytes.IndexByte(doc, 0) >= 0 && s.err == nil {
			t.Fatalf("NUL taken for the end of %q", doc)
		}
		d := json.NewDecoder(bytes.NewReader(doc))
		d.UseNumber()
		var want any
		err := d.Decode(&want)
		if err == nil {
			if _, more := d.Token(); more != io.EOF {
				err = errors.New("left over")
			}
		}
		switch {
		case err != nil && s.err == nil:
			t.Fatalf("%q read as %v, but: %v", doc, got, err)
		case err == nil && s.err == nil && !cmp.Equal(got, want):
			t.Fatalf("%q: %s", doc, cmp.Diff(want, got))
		case err == nil && s.err != nil && !allowed(doc, s.err):
			t.Fatalf("%q refused: %v", doc, s.err)
		}
	})
}

func allowed(doc []byte, err error) bool {
	text := err.Error()
	return !json.Valid(doc) || strings.Contains(text, "UTF-8") || strings.Contains(text, "deep") || strings.Contains(text, "1024 digits")
}

// pieces gives its bytes in reads of n at most, so that tokens fall on the borders of reads.
type pieces struct {
	b []byte
	n int
}

func (p *pieces) Read(b []byte) (int, error) {
	n := copy(b[:min(p.n, len(b))], p.b)
	if p.b = p.b[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Any number that a server can send comes back exactly.
func TestNumbersAreExact(t *testing.T) {
	for _, k := range []struct {
		text string
		kind ValueKind
		want string
	}{
		{"9007199254740993", Integer, "9007199254740993"},
		{"9223372036854775807", Integer, "9223372036854775807"},
		{"-9223372036854775808", Integer, "-9223372036854775808"},
		{"9223372036854775808", Float, "9.223372036854776e+18"},
		{"18446744073709551615", Float, "1.8446744073709552e+19"},
		{"-9223372036854775809", Float, "-9.223372036854776e+18"},
		{"99999999999999999999999999", Float, "1e+26"},
		{"-0", Float, "-0"},
		{"0", Integer, "0"},
		{"3", Integer, "3"},
		{"3.0", Float, "3"},
		{"1e3", Float, "1000"},
		{"5e-324", Float, "5e-324"},
	} {
		s := newScanner(strings.NewReader(k.text), 100)
		v := number(s)
		if s.err != nil || v.Kind() != k.kind || v.String() != k.want {
			t.Errorf("%s: kind %d %s %v", k.text, v.Kind(), v, s.err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		if got, ok := number(newScanner(strings.NewReader(strconv.FormatInt(n, 10)), 100)).Int(); !ok || got != n {
			t.Fatalf("%d came as %d", n, got)
		}
		f := rapid.Float64().Draw(t, "f")
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return
		}
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := number(newScanner(bytes.NewReader(b), 1000)).Float(); !ok || got != f {
			t.Fatalf("%g came as %g", f, got)
		}
	})
	s := newScanner(strings.NewReader("1e999"), 100)
	if number(s); s.err == nil {
		t.Error("1e999 accepted")
	}
}

type flatRow struct {
	Statement int
	Series    string
	Tags      string
	Columns   string
	Values    string
}

func decodeAll(r io.Reader) ([]flatRow, error) {
	var rows []flatRow
	d := &decoder{s: newScanner(r, 1<<30), each: func(r Row) error {
		var v []string
		for _, x := range r.Values {
			v = append(v, fmt.Sprintf("%d:%s", x.Kind(), x))
		}
		rows = append(rows, flatRow{r.Statement, r.Series, fmt.Sprint(r.Tags), strings.Join(r.Columns, ","), strings.Join(v, ",")})
		return nil
	}}
	err := d.run()
	return rows, err
}

func TestDecode(t *testing.T) {
	const s1 = `"series":[{"name":"m","tags":{"b":"2","a":"1"},"columns":["time","f"],"values":[[1,2],[3,"x"],[4,"x"],[5,null],[6,true],[7,false]]}]`
	six := []flatRow{
		{0, "m", "[{a 1} {b 2}]", "time,f", "1:1,1:2"}, {0, "m", "[{a 1} {b 2}]", "time,f", "1:3,3:x"},
		{0, "m", "[{a 1} {b 2}]", "time,f", "1:4,3:x"}, {0, "m", "[{a 1} {b 2}]", "time,f", "1:5,0:"},
		{0, "m", "[{a 1} {b 2}]", "time,f", "1:6,4:true"}, {0, "m", "[{a 1} {b 2}]", "time,f", "1:7,4:false"},
	}
	one := []flatRow{{0, "m", "[]", "time", "1:1"}}
	const sOne = `"series":[{"name":"m","columns":["time"],"values":[[1]]}]`
	for _, k := range []struct {
		name, text string
		rows       []flatRow
		err        string
	}{
		{"rows", `{"results":[{"statement_id":0,` + s1 + `}]}`, six, ""},
		{"nothing found", `{"results":[{"statement_id":0}]}`, nil, ""},
		{"no results", `{"results":[]}`, nil, ""},
		{"null results", `{"results":null}`, nil, ""},
		{"null tags and values", `{"results":[{"series":[{"name":"m","tags":null,"columns":["time"],"values":null}]}]}`, nil, ""},
		{"unknown members", `{"x":{"y":[1,{}]},"results":[{"messages":[{"level":"warning","text":"old"}],` + sOne + `}],"z":null}`, one, ""},
		{"two documents", `{"results":[{"statement_id":0,` + sOne + `,"partial":true}]}` + "\n" + `{"results":[{"statement_id":0,` + sOne + `}]}` + "\n", append(one, one...), ""},
		{"series goes on", `{"results":[{"series":[{"name":"m","columns":["time"],"values":[[1]],"partial":true}],"partial":true}]}{"results":[{` + sOne + `}]}`, append(one, one...), ""},
		{"cut by a row limit", `{"results":[{"series":[{"name":"m","columns":["time"],"values":[[1]],"partial":true}]}]}`, one, "partial"},
		{"cut between documents", `{"results":[{"statement_id":0,` + sOne + `,"partial":true}]}`, one, "partial"},
		{"error of all", `{"error":"no way"}`, nil, "no way"},
		{"error of a statement", `{"results":[{"statement_id":0,"error":"no such"}]}`, nil, "no such"},
		{"error of the second", `{"results":[{"statement_id":0,` + sOne + `},{"statement_id":1,"error":"no such"}]}`, one, "statement 1: no such"},
		{"error after rows", `{"results":[{"statement_id":0,` + sOne + `,"partial":true}]}{"results":[{"statement_id":0,"error":"died"}]}`, one, "died"},
		{"empty", ``, nil, "empty"},
		{"white space", " \n ", nil, "empty"},
		{"neither", `{"ok":true}`, nil, "not one of an InfluxDB"},
		{"an array", `[1]`, nil, "JSON"},
		{"HTML", `<html>`, nil, "JSON"},
		{"cut", `{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time"],"values":[[1],[2`, one, "unexpected EOF"},
		{"cut behind a row", `{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time"],"values":[[1]`, one, "unexpected EOF"},
		{"values first", `{"results":[{"series":[{"name":"m","values":[[1]],"columns":["time"]}]}]}`, nil, "before columns"},
		{"too few", `{"results":[{"series":[{"columns":["a","b"],"values":[[1]]}]}]}`, nil, "1 values for 2"},
		{"too many", `{"results":[{"series":[{"columns":["a"],"values":[[1,2]]}]}]}`, nil, "more values"},
		{"array as a value", `{"results":[{"series":[{"columns":["a"],"values":[[[1]]]}]}]}`, nil, "array or object"},
		{"statement out of order", `{"results":[{"statement_id":3,` + sOne + `}]}`, []flatRow{{3, "m", "[]", "time", "1:1"}}, "statement 3"},
		{"statement not whole", `{"results":[{"statement_id":1.5}]}`, nil, "whole number"},
		{"NUL", "{\"results\":[]}\x00", nil, "NUL"},
		{"deep", `{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `,"results":[]}`, nil, "nested"},
	} {
		t.Run(k.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(k.text), iotest.OneByteReader(strings.NewReader(k.text)), iotest.DataErrReader(strings.NewReader(k.text))} {
				rows, err := decodeAll(r)
				if diff := cmp.Diff(k.rows, rows); diff != "" {
					t.Error(diff)
				}
				if (err == nil) != (k.err == "") || err != nil && !strings.Contains(err.Error(), k.err) {
					t.Errorf("error %v, want %q", err, k.err)
				}
			}
		})
	}
}

func TestDecodeLimits(t *testing.T) {
	endless := io.MultiReader(strings.NewReader(`{"results":[{"series":[{"name":"`), strings.NewReader(strings.Repeat("x", maxToken+1)))
	if _, err := decodeAll(endless); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Error(err)
	}
	d := &decoder{s: newScanner(strings.NewReader(`{"results":[`+strings.Repeat(`{},`, 1000)+`{}]}`), 100), each: func(Row) error { return nil }}
	if err := d.run(); !errors.Is(err, errAnswerTooLarge) {
		t.Error(err)
	}
	broken := errors.New("cable cut")
	if _, err := decodeAll(io.MultiReader(strings.NewReader(`{"results":[`), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := decodeAll(stuck{}); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"k":"a"},"columns":["time","f"],"values":[[1,2.5e3],[-0,null]]}],"partial":true}]}`))
	f.Add([]byte(`{"results":[{"error":"x"}]}{"error":"y"}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		whole, err := decodeAll(bytes.NewReader(doc))
		parts, errParts := decodeAll(iotest.OneByteReader(bytes.NewReader(doc)))
		if fmt.Sprint(err) != fmt.Sprint(errParts) || !cmp.Equal(whole, parts) {
			t.Fatalf("the pieces in which it arrives matter: %v / %v", err, errParts)
		}
		if err == nil {
			for d := json.NewDecoder(bytes.NewReader(doc)); ; {
				var any json.RawMessage
				if err := d.Decode(&any); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("not JSON: %v", err)
				}
			}
		}
	})
}
