package evidence

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// section is the part of FORMAT.md under a heading, up to the next one of its level or above.
func section(t *testing.T, heading string) string {
	t.Helper()
	b, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(b), heading)
	if !ok {
		t.Fatalf("FORMAT.md has no %q", heading)
	}
	level := heading[:strings.IndexByte(heading, ' ')+1]
	after, _, _ = strings.Cut(after, "\n"+level)
	return after
}

// names are those in back quotes in the first column of the table whose head begins with column.
func names(t *testing.T, text, column string) []string {
	t.Helper()
	_, table, ok := strings.Cut(text, "| "+column+" |")
	if !ok {
		t.Fatalf("no table of %s", column)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var out []string
	for _, row := range strings.Split(strings.TrimSpace(table), "\n")[2:] {
		first, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " |")
		for _, name := range strings.Split(first, ", ") {
			out = append(out, strings.Trim(name, "`"))
		}
	}
	slices.Sort(out)
	return out
}

// written are the tags and fields of a line.
func written(t *testing.T, line []byte) (measurement string, tags, fields []string) {
	t.Helper()
	line, _ = telemetry.NextLine(line)
	p, err := telemetry.ParseLine(line)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range p.Tags {
		tags = append(tags, tag.Key)
	}
	for _, f := range p.Fields {
		fields = append(fields, f.Name)
	}
	slices.Sort(tags)
	slices.Sort(fields)
	return p.Measurement, tags, fields
}

func TestFormatIsWhatIsWritten(t *testing.T) {
	s := Slice{Subject: Subject{Unit, "u"}, Grain: Hour, Place: Place{"s", "a", "l"}, Interval: calendar.Interval{From: 0, To: 3600e9}}
	slice, err := s.appendLine(nil, newCodes())
	if err != nil {
		t.Fatal(err)
	}
	v := storedModel{by: "a", why: "b", hash: "c"}
	model, _, err := v.lines([]byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	mark, err := markLine(1, calendar.Interval{From: 2, To: 3}, 4)
	if err != nil {
		t.Fatal(err)
	}
	for heading, line := range map[string][]byte{"## ledger: slices": slice, "## plant_model: the models that were applied": model, "## ledger_mark: that slices were written": mark} {
		measurement, tags, fields := written(t, line)
		text := section(t, heading)
		if !strings.HasPrefix(heading, "## "+measurement+":") {
			t.Errorf("%s is written to %s", heading, measurement)
		}
		if want := names(t, text, "tag"); !slices.Equal(tags, want) {
			t.Errorf("%s: tags %v, FORMAT.md has %v", measurement, tags, want)
		}
		if want := names(t, text, "field"); !slices.Equal(fields, want) {
			t.Errorf("%s: fields %v, FORMAT.md has %v", measurement, fields, want)
		}
	}
}

// The codes of facts are part of the format: those that were ever used keep their meaning.
func TestCodesOfFacts(t *testing.T) {
	var want []string
	seen := map[uint16]bool{}
	for k := range ledger.NumFields {
		code := codeOf(k)
		if seen[code] {
			t.Errorf("%s has the code of another fact", k)
		}
		seen[code] = true
		want = append(want, fmt.Sprintf("| %04x | `%s` |", code, k))
	}
	_, table, _ := strings.Cut(section(t, "### facts"), "| code | fact |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	if got := strings.Split(strings.TrimSpace(table), "\n"); !slices.Equal(got, want) {
		t.Errorf("FORMAT.md has other codes; they are\n%s", strings.Join(want, "\n"))
	}
}

// A slice as version 1 packed it is read as what it was.
func TestPackedFactsOfVersion1(t *testing.T) {
	const golden = "AQEFgMDiheNoA4CAoM/I4MjjigECJ9SAgMWLxtEBtaAN6TEzWw"
	s := Slice{Interval: calendar.Interval{From: 0, To: 3600e9}, Revision: 3, ComputedAt: 5e18}
	s.Facts.HasPieces, s.Facts.Findings = true, 5
	s.Facts.Sum[ledger.Span], s.Facts.Sum[ledger.GoodPieces] = exact.Int(3600e9), exact.Int(-7)
	text, err := newCodes().pack(&s)
	if err != nil || text != golden {
		t.Errorf("packed %s, %v; want %s", text, err, golden)
	}
	var f ledger.Facts
	h, err := newCodes().unpack(golden, &f)
	if err != nil || h != (head{length: 3600e9, revision: 3, computed: 5e18}) || f.Findings != 5 || !f.HasPieces || f.HasEnergy || f.Get(ledger.GoodPieces) != exact.Int(-7) {
		t.Errorf("%+v %+v %v", h, f, err)
	}
}

// FuzzUnpack: no text makes facts that pack to something else, and none brings the decoder down.
func FuzzUnpack(f *testing.F) {
	f.Add("AQEFgMDiheNoA4CAoM/I4MjjigECJ9SAgMWLxtEBtaAN6TEzWw")
	f.Add("AQ")
	f.Add("")
	c := newCodes()
	f.Fuzz(func(t *testing.T, text string) {
		var facts ledger.Facts
		h, err := c.unpack(text, &facts)
		if err != nil {
			return
		}
		v, ok := h.interval(telemetry.Instant(h.revision))
		if !ok || facts.Storable() != nil {
			return
		}
		s := Slice{Interval: v, Revision: int(h.revision), ComputedAt: h.computed, Facts: facts}
		again, err := c.pack(&s)
		if err != nil {
			t.Fatal(err)
		}
		var facts2 ledger.Facts
		if h2, err := c.unpack(again, &facts2); err != nil || h2 != h || show(&facts) != show(&facts2) {
			t.Fatalf("%q became %q: %v", text, again, err)
		}
	})
}

func show(f *ledger.Facts) string { return fmt.Sprint(f.Sum, f.Findings, f.HasPieces, f.HasEnergy) }

// FuzzReasons: what is read as reasons is written as what is read.
func FuzzReasons(f *testing.F) {
	f.Add(`[]`)
	f.Add(`[{"category":"stop","reason":"a","ns":1,"count":2},{"category":"stop","reason":"a","minor":true,"ns":1,"count":2}]`)
	f.Add(`[{"category":"none"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		reasons, err := unpackReasons(text)
		if err != nil {
			return
		}
		again, err := packReasons(reasons)
		if err != nil {
			return // numbers of more than 53 bits
		}
		back, err := unpackReasons(again)
		if err != nil || fmt.Sprint(back) != fmt.Sprint(reasons) {
			t.Fatalf("%q became %q: %v", text, again, err)
		}
	})
}

// FuzzModelParts: whatever the parts of a stored model are, what comes out of them has the hash that the version names.
func FuzzModelParts(f *testing.F) {
	good, err := deflate([]byte("plant: x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, hashOf([]byte("plant: x")))
	f.Add("AAAA", "")
	f.Add("", "x")
	f.Fuzz(func(t *testing.T, packed, hash string) {
		v := storedModel{hash: hash, by: "a", parts: []string{packed}}
		v.version = v.identity()
		m, err := v.model()
		if err == nil && m.Hash != hash {
			t.Fatalf("a model of hash %s came out of a version of hash %s", m.Hash, hash)
		}
	})
}
