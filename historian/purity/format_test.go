package purity

import (
	"os"
	"slices"
	"strings"
	"testing"

	"kvarts/historian/telemetry"
)

// tableOf are the first two cells of each row of the table in FORMAT.md whose head begins with column.
func tableOf(t *testing.T, column string) (names, types []string) {
	t.Helper()
	b, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(b), "\n| "+column+" |")
	if !ok {
		t.Fatalf("FORMAT.md has no table of %s", column)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	for _, row := range strings.Split(strings.TrimSpace(table), "\n")[2:] {
		cells := strings.Split(row, "|")
		names = append(names, strings.Trim(cells[1], " `"))
		types = append(types, strings.TrimSpace(cells[2]))
	}
	return names, types
}

// point is a line as a stored row.
type point struct{ *telemetry.Point }

func (p point) Text(field string) (string, bool) {
	v, ok := p.Field(field)
	return v.Text(), ok && v.Type() == telemetry.String
}

func (p point) Int(field string) (int64, bool) {
	v, ok := p.Field(field)
	return v.Int(), ok && v.Type() == telemetry.Int
}

func parsed(t testing.TB, line []byte) telemetry.Point {
	t.Helper()
	line, _ = telemetry.NextLine(line)
	p, err := telemetry.ParseLine(line)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustLine(t testing.TB, r *Result) []byte {
	t.Helper()
	line, err := r.appendLine(nil)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// full is a result in which nothing is empty.
func full(t testing.TB) Result {
	t.Helper()
	r := found(t, "Fe 0.20 ± 0.04 pptw")
	r.SampledAt, r.LOD, r.LOQ = t0-hour, mustQuantity(t, "0.05"), mustQuantity(t, "0.15")
	r.Analyst, r.Instrument, r.Calibration, r.Revision, r.Reason = "Aigerim", "Element GD", "C-7", 2, "retained sample measured again"
	return r
}

func TestFormat(t *testing.T) {
	r := full(t)
	a := mustAssess(t, []Result{r}, DefaultPolicy())
	c, err := Issue(a, 0, "Daulet", t0+3*hour)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := c.line()
	if err != nil {
		t.Fatal(err)
	}
	if names, _ := tableOf(t, "tag"); !slices.Equal(names, tags()) {
		t.Errorf("tags %v, in the code %v", names, tags())
	}
	if names, _ := tableOf(t, "column"); !slices.Equal(names, Columns()) {
		t.Errorf("columns %v, in the code %v", names, Columns())
	}
	for _, tt := range []struct {
		column string
		line   []byte
		fields []string
	}{{"field of a result", mustLine(t, &r), resultFields()}, {"field of a certificate", certificate, certificateFields()}} {
		names, types := tableOf(t, tt.column)
		if !slices.Equal(names, tt.fields) {
			t.Errorf("%s: %v, in the code %v", tt.column, names, tt.fields)
		}
		p := parsed(t, tt.line)
		var written []string
		for i, f := range p.Fields {
			written = append(written, f.Name)
			if i < len(types) && (types[i] == "integer") != (f.Value.Type() == telemetry.Int) {
				t.Errorf("%s is no %s", f.Name, types[i])
			}
		}
		if !slices.Equal(written, names) {
			t.Errorf("%s: %v are written", tt.column, written)
		}
		if p.Measurement != "lab" {
			t.Errorf("measurement %s", p.Measurement)
		}
	}
}

// What version 1 stored is read as what it was.
func TestStoredByVersion1(t *testing.T) {
	const golden = `lab,kind=result,lot=L,sample=S sampled_at="2026-11-19T23:00:00Z",measured_at="2026-11-20T00:00:00Z",approved_at="2026-11-20T01:00:00Z",` +
		`method="GDMS",element="Fe",value="0.20",unit="pptw",censored="=",lod="0.05",loq="0.15",u_k2="0.04",analyst="Aigerim",instrument="Element GD",` +
		`calibration="C-7",revision=2i,reason="retained sample measured again",known_us=1795140000000000i,source="book:1" `
	r := full(t)
	line := string(mustLine(t, &r))
	if !strings.HasPrefix(line, golden) {
		t.Fatalf("\n%swant\n%s…", line, golden)
	}
	p := parsed(t, []byte(line))
	if iron := t0 + 26*8_000_000; p.Time < iron || p.Time >= iron+8_000_000 {
		t.Errorf("at %s", p.Time)
	}
	back, err := resultFrom(point{&p})
	if err != nil || back.content() != r.content() || back.KnownAt != r.KnownAt || back.Source != r.Source || back.Hash() != r.Hash() {
		t.Errorf("%+v comes back as %+v, %v", r, back, err)
	}
	if got := r.Hash(); got != "6562bc35101e25978163e28b855d81e5" {
		t.Errorf("hash %s: certificates that were issued rest on another", got)
	}
}

// FuzzStoredResult: what is read from a store is stored again as what it was.
func FuzzStoredResult(f *testing.F) {
	r := full(f)
	f.Add(mustLine(f, &r))
	r = found(f, "Al < 0.10")
	f.Add(mustLine(f, &r))
	f.Fuzz(func(t *testing.T, line []byte) {
		line, _ = telemetry.NextLine(line)
		p, err := telemetry.ParseLine(line)
		if err != nil {
			return
		}
		r, err := resultFrom(point{&p})
		if err != nil {
			return
		}
		again, err := r.appendLine(nil)
		if err != nil {
			return // times of storing that nobody writes
		}
		p2 := parsed(t, again)
		back, err := resultFrom(point{&p2})
		if err != nil || back.Hash() != r.Hash() || back.Sample != r.Sample || back.KnownAt != r.KnownAt {
			t.Fatalf("%+v comes back as %+v, %v", r, back, err)
		}
	})
}

// FuzzCertificate: no document brings the reader down, and what it reads says the same when it is written.
func FuzzCertificate(f *testing.F) {
	a := mustAssess(f, results(f, p1()...), DefaultPolicy())
	c, err := Issue(a, 12, "Aigerim", t0+3*hour)
	if err != nil {
		f.Fatal(err)
	}
	line, err := c.line()
	if err != nil {
		f.Fatal(err)
	}
	p := parsed(f, line)
	document, _ := point{&p}.Text("document")
	f.Add(document)
	f.Add(`{"id":"x","issued_at":"2026-11-20T00:00:00Z","answer":{"sample":"S"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCertificate(text)
		if err != nil {
			return
		}
		first, err := c.line()
		if err != nil {
			return // a sample that is no tag, or too long
		}
		p := parsed(t, first)
		back, err := certificateFrom(point{&p})
		if err != nil {
			t.Fatal(err)
		}
		if second, err := back.line(); err != nil || string(second) != string(first) {
			t.Fatalf("%s becomes %s, %v", first, second, err)
		}
	})
}
