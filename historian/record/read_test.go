package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"kvarts/historian/calendar"
)

func options(t testing.TB, f Format) ReadOptions {
	t.Helper()
	zone, err := calendar.Zone("Asia/Almaty")
	if err != nil {
		t.Fatal(err)
	}
	return ReadOptions{Format: f, Zone: zone, Name: "book", Audit: Audit{By: "Aigerim", KnownAt: t0 + 24*hour}}
}

// told is a record in short, for tables.
func told(r *Record) string {
	spec, _ := SpecOf(r.Kind)
	var parts []string
	for _, name := range []string{"kind", "unit", "line", "area", spec.Begin, spec.End} {
		parts = append(parts, r.Get(name))
	}
	for _, c := range columns() {
		if v := c.get(r); v != "" {
			parts = append(parts, c.name+"="+v)
		}
	}
	return strings.Join(parts, " ")
}

func readAll(t testing.TB, f Format, text string) string {
	t.Helper()
	records, problems := Read(strings.NewReader(text), options(t, f))
	if (len(records) > 0) && (len(problems) > 0) {
		t.Errorf("both records and problems: %v", problems)
	}
	var s []string
	for i := range records {
		r := &records[i]
		if err := r.Check(); err != nil {
			t.Error(err)
		}
		s = append(s, fmt.Sprintf("%d: %s", r.LineOf(), strings.Join(strings.Fields(told(r)), " ")))
	}
	for _, p := range problems {
		s = append(s, "! "+p.Error())
	}
	return strings.Join(s, "\n")
}

func TestReadCSV(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"plain", "kind,unit,from,to,reason\ndowntime_reason,saw-01,2026-11-02T08:00:00,2026-11-02T09:00:00,wire break\n",
			"2: downtime_reason saw-01 2026-11-02T03:00:00Z 2026-11-02T04:00:00Z reason=wire break"},
		{"BOM, semicolons, CRLF, spaces", "\ufeffkind; unit ;from;to;reason\r\ndowntime_reason; saw-01;2026-11-02T08:00:00Z;2026-11-02T09:00:00+05:00 ;x\r\n",
			"! line 2: to 2026-11-02T04:00:00Z: not after from 2026-11-02T08:00:00Z; exchange or correct them"},
		{"BOM, semicolons, CRLF", "\ufeffkind; unit ;from;to;reason\r\ndowntime_reason; saw-01;2026-11-02T03:00:00Z;2026-11-02T09:00:00+05:00 ;x, y\r\n",
			"2: downtime_reason saw-01 2026-11-02T03:00:00Z 2026-11-02T04:00:00Z reason=x, y"},
		{"quotes", "kind,unit,from,to,reason\ndowntime_reason,saw-01,2026-11-02T08:00:00,2026-11-02T09:00:00,\"he said \"\"no\"\", and left\"\n",
			`2: downtime_reason saw-01 2026-11-02T03:00:00Z 2026-11-02T04:00:00Z reason=he said "no", and left`},
		{"a line break in quotes: lines still count", "kind,unit,from,to,reason\ndowntime_reason,saw-01,2026-11-02T08:00:00,2026-11-02T09:00:00,\"two\nlines\"\ndowntime_reason,saw-01,x,2026-11-02T09:00:00,r\n",
			"! line 2: reason \"two\\nlines\": holds a line break, another control character or invalid UTF-8; write it on one line, as UTF-8\n" +
				"! line 4: from: time \"x\": not a time: write 2026-11-02T08:00:00 (local time), 2026-11-02T08:00:00Z or 2026-11-02T08:00:00+05:00, with at most nine decimals of a second"},
		{"several kinds, empty columns and rows", "kind,unit,from,to,reason,at,signal,final,initial\n,,,,,,,,\ndowntime_reason,saw-01,2026-11-02T08:00:00,2026-11-02T09:00:00,r,,,,\n\n" +
			"counter_swap,saw-01,,,,2026-11-02T08:00:00.5,energy_kwh,45215.5,12\n",
			"3: downtime_reason saw-01 2026-11-02T03:00:00Z 2026-11-02T04:00:00Z reason=r\n5: counter_swap saw-01 2026-11-02T03:00:00.5Z signal=energy_kwh final=45215.5 initial=12"},
		{"a column of another kind", "kind,unit,from,to,reason,signal\ndowntime_reason,saw-01,2026-11-02T08:00:00,2026-11-02T09:00:00,r,total\n",
			"! line 2: signal: does not belong to downtime_reason, which has unit, from, to, reason, category"},
		{"a moment with from", "kind,unit,from,signal,final,initial\ncounter_swap,saw-01,2026-11-02T08:00:00,total,1,2\n",
			"! line 2: from: does not belong to counter_swap, which has unit, at, signal, final, initial, reason\n! line 2: at: missing; counter_swap needs it"},
		{"decimal comma", "kind;unit;from;to;total\nbooked;press;2026-11-02T08:00:00;2026-11-02T09:00:00;1250,5\n",
			"! line 2: total: \"1250,5\" has a comma; write the decimal point, and no thousands separators: 1234.5"},
		{"thousands", "kind;unit;from;to;total\nbooked;press;2026-11-02T08:00:00;2026-11-02T09:00:00;1 250\n",
			"! line 2: total: \"1 250\" is not a number; write it like 1234.5"},
		{"a comma too many", "kind,unit,from,to,reason\ndowntime_reason,saw-01,2026-11-02T08:00:00,2026-11-02T09:00:00,a, b\n",
			"! line 2: has 6 fields, the header 5; a text that holds the separator stands in quotes"},
		{"too few fields", "kind,unit,from,to,reason\ndowntime_reason,saw-01\n", "! line 2: has 2 fields, the header 5; a text that holds the separator stands in quotes"},
		{"unknown kind", "kind,unit\nbreak,saw-01\n\n", "! line 2: kind: \"break\" is not one of " + kindNames()},
		{"no kind", "unit\nsaw-01\n", "! line 2: kind: \"\" is not one of " + kindNames()},
		{"all at once", "kind,unit,from,to,reason\ndowntime_reason,,2026-11-02T08:00:00,,r\ndowntime_reason,saw-01,2026-11-02T08:00:00,2026-11-02T09:00:00,\n",
			"! line 2: to: missing; downtime_reason needs it\n! line 3: reason: missing; downtime_reason needs it"},
		{"twice", "kind,unit,from,to,reason\ndowntime_reason,saw-01,2026-11-02T08:00:00,2026-11-02T09:00:00,a\ndowntime_reason,saw-01,2026-11-02T03:00:00Z,2026-11-02T10:00:00,b\n",
			"! line 3: is the same downtime_reason as line 2 (same place and begin); keep one of them, or give each an id"},
		{"twice with ids", "id,kind,unit,from,to,reason\nA,downtime_reason,saw-01,2026-11-02T08:00:00,2026-11-02T09:00:00,a\nB,downtime_reason,saw-01,2026-11-02T03:00:00Z,2026-11-02T10:00:00,b\n",
			"2: downtime_reason saw-01 2026-11-02T03:00:00Z 2026-11-02T04:00:00Z reason=a\n3: downtime_reason saw-01 2026-11-02T03:00:00Z 2026-11-02T05:00:00Z reason=b"},
		{"a quote that is not closed", "kind,unit\ndowntime_reason,\"saw\n", "! line 2: extraneous or missing \" in quoted-field (line 2, character 22); write a quote within quotes twice, and close each"},
		{"a quote in the middle, and what follows is still read", "kind,unit\ndowntime_reason,sa\"w\nbreak,x\n",
			"! line 2: bare \" in non-quoted-field (line 2, character 19); write a quote within quotes twice, and close each\n! line 3: kind: \"break\" is not one of " + kindNames()},
		{"not UTF-8", "kind,unit\ndowntime_reason,\xf1aw\n", "! line 2: is not UTF-8; save the file as UTF-8 (in a spreadsheet: \"CSV UTF-8\")"},
		{"nothing", "", "! line 1: has no header; the first line names the columns: " + strings.Join(ColumnNames(), ", ")},
		{"a header only", "kind,unit\n", ""},
		{"a column twice", "kind,unit,kind\n", "! line 1: kind: is there twice; keep one column"},
		{"an unknown column", "kind,machine\nx,y\n", "! line 1: machine: is not a column; use " + strings.Join(ColumnNames(), ", ")},
		{"the hour that occurs twice", "kind,unit,from,to,reason\ndowntime_reason,saw-01,2024-02-29T23:30:00,2024-02-29T23:30:00+05:00,first to second\n",
			"2: downtime_reason saw-01 2024-02-29T17:30:00Z 2024-02-29T18:30:00Z reason=first to second"},
	} {
		if got := readAll(t, CSV, c.text); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, got, c.want)
		}
	}
}

func TestReadJSON(t *testing.T) {
	one := `{"kind":"booked","unit":"press","from":"2026-11-02T08:00:00","to":"2026-11-02T09:00:00","total":1250.50,"good":"1200","product":null}`
	want := "booked press 2026-11-02T03:00:00Z 2026-11-02T04:00:00Z total=1250.5 good=1200"
	other := strings.Replace(one, "T08", "T07", 1)
	for _, c := range []struct{ what, text, want string }{
		{"an array", "[" + one + "]", "1: " + want},
		{"an empty array", " [ ] ", ""},
		{"nothing", "", ""},
		{"objects", one + "\n" + other + "\n", "1: " + want + "\n2: " + strings.Replace(want, "T03", "T02", 1)},
		{"lines of a pretty file", "\ufeff[\n\n  " + one + "\n,\n" + other + "]\n", "3: " + want + "\n5: " + strings.Replace(want, "T03", "T02", 1)},
		{"an unknown column", `[{"kind":"booked","machine":1}]`, "! line 1: machine: is not a column; use " + strings.Join(ColumnNames(), ", ") +
			"\n! line 1: from: missing; booked needs it\n! line 1: to: missing; booked needs it"},
		{"a column twice", strings.Replace(one, `"good"`, `"total":1,"good"`, 1), "! line 1: total: is there twice; keep one of them"},
		{"a nested value", strings.Replace(one, `"1200"`, `[1200]`, 1), "! line 1: good: is neither a text nor a number; write one of them"},
		{"true", strings.Replace(one, `"1200"`, `true`, 1), "! line 1: good: is neither a text nor a number; write one of them"},
		{"a large number is read exactly", strings.Replace(one, "1250.50", "900719925474099.3", 1), "1: " + strings.Replace(want, "1250.5", "900719925474099.3", 1)},
		{"an exponent too large", strings.Replace(one, "1250.50", "1e999", 1), `! line 1: total: "1e999" is not a number; write it like 1234.5`},
		{"no object", "[\n7]", "! line 2: 7 is not an object; write each record as {\"column\": value, …}"},
		{"cut", "[" + one[:40], "! line 1: the file ends within a record; it was cut, or a bracket is missing"},
		{"cut behind a record", "[" + one, "! line 1: the file ends within a record; it was cut, or a bracket is missing"},
		{"something behind it", "[" + one + "]\n{}", "! line 2: something follows the end of the array; remove it"},
		{"not JSON", "kind,unit\n", "! line 1: is not JSON: invalid character 'k' looking for beginning of value; correct it, what follows was not read"},
	} {
		if got := readAll(t, JSON, c.text); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, got, c.want)
		}
	}
}

func TestReadDefaults(t *testing.T) {
	o := options(t, CSV)
	o.Kind, o.Audit.Why = DowntimeReason, "book"
	text := "kind,unit,from,to,reason,by,why\n,saw-01,2026-11-02T08:00:00,2026-11-02T09:00:00,a,,\ndowntime_reason,saw-02,2026-11-02T08:00:00,2026-11-02T09:00:00,a,Daulet,seen\n"
	records, problems := Read(strings.NewReader(text), o)
	if len(problems) > 0 || len(records) != 2 || records[0].By != "Aigerim" || records[0].Why != "book" || records[0].Source != "book:2" ||
		records[1].By != "Daulet" || records[1].Why != "seen" || records[1].KnownAt != o.Audit.KnownAt {
		t.Errorf("%+v, %v", records, problems)
	}
	o.Zone = nil
	if _, problems := Read(strings.NewReader(text), o); len(problems) != 4 || !strings.Contains(problems[0].Text, "a known zone: write Z or an offset") {
		t.Errorf("local times of no zone: %v", problems)
	}
	o.Format = "xlsx"
	if _, problems := Read(strings.NewReader(text), o); len(problems) != 1 || !strings.Contains(problems[0].Text, "not csv or json") {
		t.Errorf("a format that does not exist: %v", problems)
	}
	if _, problems := Read(iotest.ErrReader(errors.New("the stick was pulled")), o); len(problems) != 1 || !strings.Contains(problems[0].Text, "the stick was pulled") {
		t.Errorf("a file that cannot be read: %v", problems)
	}
}

func TestReadLimits(t *testing.T) {
	o := options(t, CSV)
	if _, problems := Read(io.LimitReader(endless{}, maxFile+10), o); len(problems) != 1 || !strings.Contains(problems[0].Text, "larger than 64 MB") {
		t.Errorf("a file too large: %v", problems)
	}
	text := "kind\n" + strings.Repeat("x\n", 2*maxProblems)
	if _, problems := Read(strings.NewReader(text), o); len(problems) != maxProblems+1 || !strings.Contains(problems[0].Text, "these are the first") {
		t.Errorf("too many problems: %d", len(problems))
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestWrittenIsRead: what Get gives, Set reads.
func TestWrittenIsRead(t *testing.T) {
	for _, r := range samples() {
		spec, _ := SpecOf(r.Kind)
		back := Record{Kind: r.Kind}
		for _, name := range spec.Columns() {
			if v := r.Get(name); v != "" {
				if err := back.Set(name, v, time.UTC); err != nil {
					t.Errorf("%s %s: %v", r.Kind, name, err)
				}
			}
		}
		if spec.End == "" {
			back.To = back.From
		}
		if back.content() != r.content() {
			t.Errorf("%s comes back as %s", r.content(), back.content())
		}
	}
}

func fuzzRead(f *testing.F, format Format) {
	o := options(f, format)
	f.Fuzz(func(t *testing.T, text string) {
		records, problems := Read(strings.NewReader(text), o)
		if len(records) > 0 && len(problems) > 0 {
			t.Fatal("records of a file with problems")
		}
		lines := strings.Count(text, "\n") + 1
		for _, p := range problems {
			if p.Line < 0 || p.Line > lines+1 || p.Text == "" {
				t.Fatalf("%+v of %d lines", p, lines)
			}
		}
		ids := make(map[string]bool)
		for _, r := range records {
			if ids[r.ID] {
				t.Fatalf("id %s twice", r.ID)
			}
			ids[r.ID] = true
			back, err := Parse(mustLine(t, &r))
			if err != nil || back.content() != r.content() || back.Audit != r.Audit {
				t.Fatalf("%+v comes back as %+v, %v", r, back, err)
			}
		}
	})
}

func FuzzReadCSV(f *testing.F) {
	f.Add("kind,unit,from,to,reason\ndowntime_reason,saw-01,2026-11-02T08:00:00,2026-11-02T09:00:00,wire break\n")
	f.Add("\ufeffid;kind;unit;made_from;made_to;quantity;reported_at;by\r\n7;scrap;s;2026-11-02T08:00:00Z;2026-11-02T09:00:00Z;\"1.5\";2026-11-03T09:00:00Z;x\r\n")
	f.Add("kind,unit,at,signal,final,initial\ncounter_swap,u,2026-11-02T08:00:00Z,s,1/2,0\n")
	fuzzRead(f, CSV)
}

func FuzzReadJSON(f *testing.F) {
	f.Add(`[{"kind":"booked","unit":"press","from":"2026-11-02T08:00:00","to":"2026-11-02T09:00:00","total":1250.50,"good":"1200"}]`)
	f.Add(`{"kind":"counter_reset","unit":"u","at":"2026-11-02T08:00:00Z","signal":"s","final":1e3,"initial":0}` + "\n{}")
	fuzzRead(f, JSON)
}

func FuzzParse(f *testing.F) {
	for _, r := range samples() {
		f.Add(mustLine(f, &r))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := Parse(line)
		if err != nil {
			return
		}
		back, err := Parse(mustLine(t, &r))
		if err != nil || back.content() != r.content() || back.Audit != r.Audit || back.Revision != r.Revision || back.ID != r.ID {
			t.Fatalf("%+v comes back as %+v, %v", r, back, err)
		}
	})
}

func TestProblemJSON(t *testing.T) {
	b, err := json.Marshal(Problem{Line: 3, Column: "total", Text: "is \"x\""})
	if err != nil || string(b) != `{"line":3,"column":"total","text":"is \"x\""}` {
		t.Errorf("%s, %v", b, err)
	}
}
