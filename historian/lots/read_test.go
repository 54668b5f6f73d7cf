package lots

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"kvarts/historian/telemetry"
)

func options(f Format) ReadOptions {
	return ReadOptions{Format: f, Name: "book", By: "Aigerim", Zone: time.FixedZone("", 5*3600)}
}

// readAll is what a file says, or what is wrong with it, in words.
func readAll(t testing.TB, f Format, text string) string {
	t.Helper()
	b, problems := Read(strings.NewReader(text), options(f))
	if len(problems) > 0 {
		var all []string
		for _, p := range problems {
			all = append(all, p.Error())
		}
		return strings.Join(all, "\n")
	}
	return strings.TrimSpace(jsonLines(t, b))
}

const (
	goodLot  = `{"lot":"MG-7","kind":"mg","product":"MG-Si","quantity":"4210.5","unit_of":"kg","made_at":"2026-11-20T04:10:00Z","wp_nominal":"1.5","embodied_kwh":{"a b":"51000","c":"0"},"revision":2,"by":"mes","why":"w"}`
	goodStep = `{"step":"HEAT-7","stage":"metallurgical","unit":"saf01","from":"2026-11-20T02:00:00Z","to":"2026-11-20T04:10:00Z","inputs":[{"lot":"QZ-3","quantity":"11200"},{"lot":"QZ-4"}],"outputs":[{"lot":"MG-7","quantity":"4210.5"},{"lot":"SLAG-7","quantity":"120","scrap":true}],"energy_kwh":"0","by":"mes"}`
)

func TestReadJSON(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"as it is written", goodLot + "\n" + goodStep, goodLot + "\n" + goodStep},
		{"of the contract", `{"lot":"MG-0007","kind":"mg","product":"MG-Si","quantity":4210.50,"unit_of":"kg","made_at":"2026-11-20T04:10:00Z","wp_nominal":null,"embodied_kwh":{"metallurgical":"51000"},"by":"mes","revision":1}`,
			`{"lot":"MG-0007","kind":"mg","product":"MG-Si","quantity":"4210.5","unit_of":"kg","made_at":"2026-11-20T04:10:00Z","embodied_kwh":{"metallurgical":"51000"},"revision":1,"by":"mes"}`},
		{"nothing", "\ufeff\n \r\n", ""},
		{"local times", strings.Replace(goodLot, "04:10:00Z", "09:10:00", 1), goodLot},
		{"a number that a float cannot hold", strings.Replace(goodLot, `"4210.5"`, "900719925474.099300001", 1), strings.Replace(goodLot, "4210.5", "900719925474.099300001", 1)},
		{"who says it", strings.Replace(goodLot, `"by":"mes",`, "", 1), strings.Replace(goodLot, "mes", "Aigerim", 1)},

		{"neither", `{"kind":"mg"}`, `book:1: is neither a lot nor a step; begin it with {"lot": or {"step":`},
		{"both", `{"lot":"A","step":"B"}`, `book:1: is neither a lot nor a step; begin it with {"lot": or {"step":`},
		{"an array", "[" + goodLot + "]", "book:1: is not a JSON object; write one object a line"},
		{"several lines", "\n{\n\"lot\":\"A\"}", "book:2: ends within an object; it was cut, or stands on several lines: write one object a line\nbook:3: is not a JSON object; write one object a line"},
		{"something behind it", goodLot + "{}", "book:1: is followed by something on the same line; write one object a line"},
		{"not JSON", `{"lot":x}`, "book:1: is not JSON: invalid character 'x' looking for beginning of value"},
		{"not UTF-8", "{\"lot\":\"\xff\"}", "book:1: is not UTF-8; save the file as UTF-8 (in a spreadsheet: \"CSV UTF-8\")"},
		{"an unknown member", strings.Replace(goodLot, `"product"`, `"colour"`, 1), "book:1: colour: is not a member; use " + strings.Join(lotMembers(), ", ")},
		{"an unknown member within", strings.Replace(goodStep, `"scrap":true`, `"good":false`, 1), "book:1: outputs[1].good: is not a member; use lot, quantity, scrap"},
		{"a member twice", strings.Replace(goodLot, `"product":"MG-Si"`, `"kind":null`, 1), "book:1: kind: is there twice; keep one of them"},
		{"what is missing", `{"lot":"A"}`, "book:1: kind: missing\nbook:1: quantity: missing\nbook:1: unit_of: missing\nbook:1: made_at: missing"},
		{"what is missing of a step", `{"step":"A","outputs":[{"quantity":1}],"inputs":[{"quantity":1}]}`,
			"book:1: outputs[0].lot: missing\nbook:1: inputs[0].lot: missing\nbook:1: stage: missing\nbook:1: from: missing\nbook:1: to: missing"},
		{"a truth as text", strings.Replace(goodStep, `"scrap":true`, `"scrap":"true"`, 1), "book:1: outputs[1].scrap: is neither true nor false"},
		{"a text as truth", strings.Replace(goodLot, `"MG-Si"`, "true", 1), "book:1: product: is neither a text nor a number; write one of them"},
		{"inputs that are none", strings.Replace(goodStep, `[{"lot":"QZ-3","quantity":"11200"},{"lot":"QZ-4"}]`, `"QZ-3"`, 1), `book:1: inputs: is not an array; write it like [{"lot":"MG-7","quantity":"12.5"}]`},
		{"an input that is none", strings.Replace(goodStep, `{"lot":"QZ-4"}`, `"QZ-4"`, 1), "book:1: inputs: number 2 is not a JSON object; write one object a line"},
		{"energy by stage that is none", strings.Replace(goodLot, `{"a b":"51000","c":"0"}`, "51000", 1), `book:1: embodied_kwh: is not an object; write energy by stage like {"metallurgical":"51000"}`},
		{"a comma", strings.Replace(goodLot, "4210.5", "4210,5", 1), `book:1: quantity: "4210,5" has a comma; write the decimal point, and no thousands separators: 1234.5`},
		{"all that a lot may not say", `{"lot":"A ","kind":"mgg","quantity":-1,"unit_of":"kg","made_at":"1920-11-20T04:10:00Z","wp_nominal":"0.0000000001","replaced_kwh":1}`,
			"book:1: lot \"A \": begins or ends with a space; write it without\nbook:1: made_at 1920-11-20T04:10:00Z: not in the years 1990 to 2199; correct it\n" +
				"book:1: quantity -1: below zero; correct it\nbook:1: wp_nominal 1/10000000000: more than nine decimals; round it\n" +
				"book:1: kind \"mgg\": not one of " + kindNames() + "\nbook:1: replaced_kwh: is a member of off-cuts, not of kind \"mgg\"; leave it out"},
		{"a step that takes what it makes", strings.Replace(goodStep, "QZ-4", "MG-7", 1), `book:1: lot "MG-7": is there twice; add up what is taken or made of it, and give what is made a name of its own`},
		{"a step that ends before it begins", strings.Replace(goodStep, "02:00", "05:00", 1), "book:1: to 2026-11-20T04:10:00Z: before from 2026-11-20T05:00:00Z; exchange or correct them"},
		{"a step that makes nothing", strings.Replace(goodStep, `[{"lot":"MG-7","quantity":"4210.5"},{"lot":"SLAG-7","quantity":"120","scrap":true}]`, "[]", 1), "book:1: outputs: missing; a step makes at least one lot, be it scrap"},
		{"a withdrawal without reason", strings.Replace(goodLot, `"why":"w"`, `"withdrawn":true`, 1), "book:1: why: missing; a withdrawal needs a reason"},
		{"revision 0", strings.Replace(goodLot, `"revision":2`, `"revision":0`, 1), `book:1: revision: "0" is not a revision; they count from 1`},
		{"the same twice", goodLot + "\n" + goodLot, "book:2: is the same lot MG-7 as line 1; keep one of them, or give the later one the next revision"},
		{"the next revision", goodLot + "\n" + strings.Replace(goodLot, `"revision":2`, `"revision":3`, 1), goodLot + "\n" + strings.Replace(goodLot, `"revision":2`, `"revision":3`, 1)},
	} {
		if got := readAll(t, JSON, c.text); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, got, c.want)
		}
	}
}

func TestReadCSV(t *testing.T) {
	const head = "entry;lot;kind;product;quantity;unit_of;made_at;wp_nominal;embodied_kwh;step;stage;unit;from;to;energy_kwh;scrap;revision;by;why\n"
	const lot = "lot;MG-7;mg;MG-Si;4210.5;kg;2026-11-20T04:10:00Z;1.5;\"a b=51000; c = 0\";;;;;;;;2;mes;w\n"
	const step = "step;;;;;;;;;HEAT-7;metallurgical;saf01;2026-11-20T02:00:00Z;2026-11-20T04:10:00Z;0;;;mes;\n"
	const edges = "output;MG-7;;;4210.5;;;;;HEAT-7;;;;;;;;;\ninput;QZ-3;;;11200;;;;;HEAT-7;;;;;;;;;\noutput;SLAG-7;;;120;;;;;HEAT-7;;;;;;true;;;\ninput;QZ-4;;;;;;;;HEAT-7;;;;;;;;;\n"
	for _, c := range []struct{ what, text, want string }{
		{"as it is written", "\ufeff" + head + edges + "\n" + lot + ";;;;;;;;;;;;;;;;;;\n" + step, goodLot + "\n" + goodStep},
		{"commas", strings.ReplaceAll(strings.ReplaceAll(head+lot, `"a b=51000; c = 0"`, "c=1"), ";", ","), strings.Replace(goodLot, `{"a b":"51000","c":"0"}`, `{"c":"1"}`, 1)},
		{"nothing", "", "book:1: has no header; the first line names the columns: " + strings.Join(Columns(), ", ")},
		{"a header only", head, ""},
		{"columns", "entry;lot;lot;colour\n", "book:1: lot: is there twice; keep one column\nbook:1: colour: is not a column; use " + strings.Join(Columns(), ", ")},
		{"no entry", head + strings.Replace(lot, "lot", "batch", 1), `book:2: entry: "batch" is not one of lot, step, input, output`},
		{"a short row", head + "lot;A\n" + lot, "book:2: has 2 fields, the header 19; a text that holds the separator stands in quotes"},
		{"a quote", head + "lot;\"A\n", "book:2: extraneous or missing \" in quoted-field (line 2, character 8); write a quote within quotes twice, and close each"},
		{"what does not belong", "entry,step,lot,scrap\ninput,S,A,true\n", "book:2: scrap: does not belong to a row of input, which has lot, quantity, step, revision"},
		{"what is missing", "entry,step,lot,from\noutput,S,A,\nstep,S,,\n", "book:2: quantity: missing; a row of output needs it\nbook:3: stage: missing; a row of step needs it\nbook:3: from: missing; a row of step needs it\nbook:3: to: missing; a row of step needs it"},
		{"edges of no step", head + edges, "book:2: step: no row of this step with the same revision is in the file; add it, or correct the name"},
		{"a step without outputs", head + step, "book:2: outputs: missing; a step makes at least one lot, be it scrap"},
		{"wrong values", head + strings.Replace(lot, "4210.5", "x", 1) + strings.Replace(step, ";0;", ";y;", 1) + strings.Replace(edges, "true", "maybe", 1),
			"book:2: quantity: \"x\" is not a number; write it like 1234.5\nbook:3: energy_kwh: \"y\" is not a number; write it like 1234.5\n" +
				"book:4: step: no row of this step with the same revision is in the file; add it, or correct the name\nbook:6: scrap: \"maybe\" is neither true nor false"},
		{"energy by stage", head + strings.Replace(lot, "c = 0", "a b=1", 1), `book:2: embodied_kwh: "a b=51000; a b=1" is not energy by stage; write it like metallurgical=51000; poly=12.5, each stage once`},
		{"not UTF-8", head + "\xff", "book:1: is not UTF-8; save the file as UTF-8 (in a spreadsheet: \"CSV UTF-8\")"},
	} {
		if got := readAll(t, CSV, c.text); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, got, c.want)
		}
	}
}

func TestReadLimits(t *testing.T) {
	o := options(JSON)
	if _, problems := Read(iotest.ErrReader(errors.New("the stick was pulled")), o); len(problems) != 1 || !strings.Contains(problems[0].Text, "the stick was pulled") {
		t.Errorf("a file that cannot be read: %v", problems)
	}
	if _, problems := Read(io.LimitReader(endless{}, maxFile+10), o); len(problems) != 1 || !strings.Contains(problems[0].Text, "larger than 256 MB") {
		t.Errorf("a file too large: %v", problems)
	}
	if _, problems := Read(strings.NewReader(strings.Repeat("x\n", 2*maxProblems)), o); len(problems) != maxProblems+1 || !strings.Contains(problems[0].Text, "these are the first") {
		t.Errorf("too many problems: %d", len(problems))
	}
	o.Format = "xlsx"
	if _, problems := Read(strings.NewReader(""), o); len(problems) != 1 || !strings.Contains(problems[0].Error(), "book: format \"xlsx\"") {
		t.Errorf("a format that does not exist: %v", problems)
	}
	o = options(JSON)
	o.Zone = nil
	if _, problems := Read(strings.NewReader(strings.Replace(goodLot, "04:10:00Z", "04:10:00", 1)), o); len(problems) != 1 || !strings.Contains(problems[0].Text, "a known zone: write Z or an offset") {
		t.Errorf("a local time of no zone: %v", problems)
	}
	var many strings.Builder
	for i := range maxEdges {
		fmt.Fprintf(&many, `,{"lot":"X%d"}`, i)
	}
	if got := readAll(t, JSON, strings.Replace(goodStep, `,{"lot":"QZ-4"}`, many.String(), 1)); !strings.Contains(got, "203 lots, more than 200; divide the step") {
		t.Errorf("a step of too many lots: %s", got)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// parsed is a parsed line as a point.
type parsed struct{ *telemetry.Point }

func (p parsed) Text(field string) (string, bool) {
	v, _ := p.Field(field)
	return v.Text(), v.Type() == telemetry.String
}

func (p parsed) Int(field string) (int64, bool) {
	v, _ := p.Field(field)
	return v.Int(), v.Type() == telemetry.Int
}

// fuzzRead: whatever a file says, it has problems or a book, and what is read is stored and comes back as it is.
func fuzzRead(f *testing.F, format Format) {
	f.Fuzz(func(t *testing.T, text string) {
		b, problems := Read(strings.NewReader(text), options(format))
		if len(problems) > 0 && len(b.Lots)+len(b.Steps) > 0 {
			t.Fatal("a book with problems")
		}
		lines := strings.Count(text, "\n") + 1
		for _, p := range problems {
			if p.Line < 0 || p.Line > lines+1 || p.Text == "" {
				t.Fatalf("%+v of %d lines", p, lines)
			}
		}
		if len(problems) > 0 {
			return
		}
		again, problems := Read(strings.NewReader(jsonLines(t, b)), options(JSON))
		if len(problems) > 0 || jsonLines(t, again) != jsonLines(t, b) {
			t.Fatalf("%s comes back as %s, %v", jsonLines(t, b), jsonLines(t, again), problems)
		}
		for i := range b.Lots {
			e, err := b.Lots[i].entry()
			roundTrip(t, e, err)
		}
		for i := range b.Steps {
			e, err := b.Steps[i].entry()
			roundTrip(t, e, err)
		}
	})
}

func roundTrip(t *testing.T, e entry, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	e.Number, e.KnownAt = max(e.Number, 1), t0
	line, err := e.own(nil)
	if errors.Is(err, errLong) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	line, _ = telemetry.NextLine(line)
	p, err := telemetry.ParseLine(line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	lot, step, err := decode(parsed{&p})
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	var back entry
	if lot != nil {
		back, err = lot.entry()
	} else {
		back, err = step.entry()
	}
	if err != nil || back.text != e.text || back.Revision != e.Revision || back.id != e.id || back.at != e.at {
		t.Fatalf("%+v comes back as %+v, %v", e, back, err)
	}
}

func FuzzReadJSON(f *testing.F) {
	f.Add(goodLot)
	f.Add(goodStep + "\n\n{}")
	f.Add(`{"lot":"a","kind":"offcut","quantity":1e-3,"unit_of":"kg","made_at":"2026-11-20T04:10:00+05:00","replaced_kwh":0,"withdrawn":true,"why":"\"<>&\u2028"}`)
	fuzzRead(f, JSON)
}

func FuzzReadCSV(f *testing.F) {
	f.Add("entry,lot,kind,quantity,unit_of,made_at\nlot,A,mg,1.5,kg,2026-11-20T04:10:00Z\n")
	f.Add("entry;step;stage;from;to;lot;quantity;scrap\nstep;S;s;2026-11-20T04:10:00;2026-11-20T04:10:00;;;\noutput;S;;;;A;2;yes\n")
	fuzzRead(f, CSV)
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{goodLot, goodStep} {
		b, problems := Read(strings.NewReader(text), options(JSON))
		if len(problems) > 0 {
			f.Fatal(problems)
		}
		e, err := unwrittenOf(b)
		if err != nil {
			f.Fatal(err)
		}
		e.KnownAt, e.Number = t0, 1
		line, err := e.own(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		line, _ = telemetry.NextLine(line)
		p, err := telemetry.ParseLine(line)
		if err != nil {
			return
		}
		lot, step, err := decode(parsed{&p})
		if err != nil {
			return
		}
		if lot != nil {
			e, err := lot.entry()
			roundTrip(t, e, err)
			return
		}
		e, err := step.entry()
		roundTrip(t, e, err)
	})
}

// unwrittenOf is the only entry of a book.
func unwrittenOf(b Book) (entry, error) {
	if len(b.Lots) == 1 {
		return b.Lots[0].entry()
	}
	return b.Steps[0].entry()
}
