package purity

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func options(f Format) ReadOptions { return ReadOptions{Format: f, Name: "book", KnownAt: t0 + 9*hour} }

// readAll is what a file comes to: results in short, or problems.
func readAll(t testing.TB, f Format, text string) string {
	t.Helper()
	list, problems := Read(strings.NewReader(text), options(f))
	if len(list) > 0 && len(problems) > 0 {
		t.Error("results of a file with problems")
	}
	var s []string
	for i := range list {
		r := &list[i]
		s = append(s, fmt.Sprintf("%s %s %s%s lod=%s u=%s %s r%d", r.Source, r.Element, strings.Trim(string(r.Censored), "="), r.Value, r.LOD, r.U, r.Unit, r.Revision))
	}
	for _, p := range problems {
		s = append(s, "! "+p.Error())
	}
	return strings.Join(s, "\n")
}

const iron = `{"sample":"S","lot":"L","measured_at":"2026-11-20T10:00:00+05:00","approved_at":"2026-11-20T06:00:00Z","method":"GDMS","element":"Fe","value":"0.20","unit":"pptw","censored":"=","lod":0.05,"u_k2":"0.04","revision":1,"reason":""}`

func TestReadJSON(t *testing.T) {
	with := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(iron) }
	tests := []struct{ name, text, want string }{
		{"one", iron, "book:1 Fe 0.20 lod=0.05 u=0.04 pptw r1"},
		{"empty lines", "\ufeff\n" + iron + "\r\n\n", "book:2 Fe 0.20 lod=0.05 u=0.04 pptw r1"},
		{"not detected", with(`"="`, `"<"`, `"0.20"`, `null`), "book:1 Fe < lod=0.05 u=0.04 pptw r1"},
		{"its value is no measurement", with(`"="`, `"<"`, `"0.20"`, `"0.05"`), "book:1 Fe <0.05 lod=0.05 u=0.04 pptw r1"},
		{"above its own limit", with(`"="`, `"<"`), "! book:1: value: 0.20 is above the lod 0.05, though not detected; leave it empty, or correct the lod"},
		{"no limit", with(`"="`, `"<"`, `"lod":0.05,`, ``), "! book:1: lod: missing; what was not detected is only known to be below the limit of detection"},
		{"below the limit", with(`"0.20"`, `"0.01"`), "! book:1: value: 0.01 is below the lod 0.05 and so not detected; write censored \"<\""},
		{"zero", with(`"0.20"`, `"0"`), "! book:1: value: nothing is measured to be 0; write censored \"<\" and the lod"},
		{"no value", with(`"0.20"`, `""`), "! book:1: value: missing; what was not detected has censored \"<\" and a lod"},
		{"censored within the value", with(`"0.20"`, `"<0.05"`), "! book:1: value: \"<0.05\": write \"<\" to censored, and the limit to lod"},
		{"comma", with(`"0.20"`, `"0,20"`), "! book:1: value: \"0,20\" has a comma; write the decimal point, and no thousands separators: 1234.5"},
		{"negative", with(`"0.20"`, `-0.2`), "! book:1: value: -0.2 is negative; what is below the blank is not detected: censored \"<\" with its lod"},
		{"fraction", with(`"0.20"`, `"1/5"`), "! book:1: value: \"1/5\" is not a number; write it like 0.05"},
		{"too fine", with(`"0.20"`, `2e-19`), "! book:1: value: 2e-19 has more than 18 decimals; round it"},
		{"more than all", with(`"pptw"`, `"ppma"`, `"0.20"`, `1000001`), "! book:1: value: 1000001 ppma is more than all of the material; correct the number or the unit"},
		{"all", with(`"pptw"`, `"ppma"`, `"0.20"`, `1000000`), "book:1 Fe 1000000 lod=0.05 u=0.04 ppma r1"},
		{"lod 0", with(`0.05`, `0`), "! book:1: lod: 0 is no limit of detection; leave it empty when it is not known"},
		{"loq", with(`"u_k2"`, `"loq":0.04,"u_k2"`), "! book:1: loq: 0.04 is below the lod 0.05; exchange or correct them"},
		{"unit", with(`"pptw"`, `"ppt"`), "! book:1: unit: \"ppt\" is not one of pptw, ppbw, ppmw, ppta, ppba, ppma"},
		{"silicon", with(`"Fe"`, `"Si"`), "! book:1: element: Si is the matrix, not an impurity; leave the row out"},
		{"element", with(`"Fe"`, `"FE"`), "! book:1: element: \"FE\" is no element that counts in silicon; write its symbol, like Fe"},
		{"censored", with(`"="`, `">"`), "! book:1: censored: \">\" is not \"=\" (measured) or \"<\" (not detected)"},
		{"time", with(`2026-11-20T10:00:00+05:00`, `2026-11-20T10:00:00`), "! book:1: measured_at: time \"2026-11-20T10:00:00\": write RFC 3339 with Z or an offset, like 2026-11-20T04:10:00Z"},
		{"year", with(`2026-11-20T10`, `1970-11-20T10`), "! book:1: measured_at: 1970-11-20T05:00:00Z is not in the years 1990 to 2199; correct it"},
		{"approved first", with(`06:00:00Z`, `04:00:00Z`), "! book:1: approved_at: 2026-11-20T04:00:00Z is before measured_at 2026-11-20T05:00:00Z; exchange or correct them"},
		{"sampled last", with(`"lot"`, `"sampled_at":"2026-11-21T00:00:00Z","lot"`), "! book:1: measured_at: 2026-11-20T05:00:00Z is before sampled_at 2026-11-21T00:00:00Z; exchange or correct them"},
		{"revision", with(`"revision":1`, `"revision":"2"`), "! book:1: reason: missing; a revision needs one, like \"retained sample measured again\""},
		{"revision 0", with(`"revision":1`, `"revision":0`), "! book:1: revision: 0 is not 1 to 10000"},
		{"revision 1.5", with(`"revision":1`, `"revision":1.5`), "! book:1: revision: \"1.5\" is not a whole number; revisions count from 1"},
		{"no sample", with(`"S"`, `" "`), "! book:1: sample: missing"},
		{"backslash", with(`"S"`, `"S\\1"`), "! book:1: sample: \"S\\\\1\" holds a control character, a backslash or invalid UTF-8; write it without"},
		{"long", with(`"S"`, `"`+strings.Repeat("S", 201)+`"`), "! book:1: sample: longer than 200 bytes; shorten it"},
		{"twice", with(`"lot":"L"`, `"lot":"L","lot":"M"`), "! book:1: lot: is there twice; keep one of them"},
		{"nested", with(`"L"`, `["L"]`), "! book:1: lot: is neither a text nor a number; write one of them"},
		{"array", "[" + iron + "]", "! book:1: is not an object; write one result a line: {\"sample\": …, \"element\": …}, without an array around them"},
		{"two on a line", iron + iron, "! book:1: something follows the object; write one result a line"},
		{"cut", iron[:60] + "\n" + iron, "! book:1: ends within an object; write each result on one line, and close its bracket"},
		{"not JSON", "{sample}", "! book:1: is not JSON: invalid character 's'; correct it"},
		{"latin 1", iron + "\n" + with(`"L"`, "\"L\xe4\""), "! book:2: is not UTF-8; save the file as UTF-8 (in a spreadsheet: \"CSV UTF-8\")"},
		{"all problems", with(`"Fe"`, `"Xx"`, `"pptw"`, `"ppt"`) + "\n" + with(`"lot"`, `"batch"`), "! book:1: unit: \"ppt\" is not one of pptw, ppbw, ppmw, ppta, ppba, ppma\n! book:1: element: \"Xx\" is no element that counts in silicon; write its symbol, like Fe\n" +
			"! book:2: \"batch\" is not a column; use " + strings.Join(Columns(), ", ")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := readAll(t, JSON, tt.text); got != tt.want {
				t.Errorf("\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestReadCSV(t *testing.T) {
	const head = "sample,measured_at,method,element,value,unit,censored,lod\n"
	const row = "S,2026-11-20T05:00:00Z,GDMS,Ca,,pptw,<,0.40\n"
	tests := []struct{ name, text, want string }{
		{"one", head + row, "book:2 Ca < lod=0.40 u= pptw r1"},
		{"semicolons, byte order mark, empty row", "\ufeff" + strings.ReplaceAll(head+",,,,,,,\n"+row, ",", ";"), "book:3 Ca < lod=0.40 u= pptw r1"},
		{"quotes", head + strings.Replace(row, "GDMS", `"GD,MS"`, 1), "book:2 Ca < lod=0.40 u= pptw r1"},
		{"open quote", head + row + strings.Replace(row, "GDMS", `GD"MS`, 1) + row, "! book:3: bare \" in non-quoted-field (line 3, character 26); write a quote within quotes twice, and close each"},
		{"short row", head + "S,GDMS\n" + row, "! book:2: has 2 fields, the header 8; a text that holds the separator stands in quotes"},
		{"column", strings.Replace(head, "lod", "limit", 1), "! book:1: \"limit\" is not a column; use " + strings.Join(Columns(), ", ")},
		{"column twice", strings.Replace(head, "lod", "unit", 1), "! book:1: unit: is there twice; keep one column"},
		{"empty", "", "! book:1: has no header; the first line names the columns: " + strings.Join(Columns(), ", ")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := readAll(t, CSV, tt.text); got != tt.want {
				t.Errorf("\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestReadLimits(t *testing.T) {
	if _, problems := Read(iotest.ErrReader(io.ErrClosedPipe), options(JSON)); len(problems) != 1 || problems[0].Error() != "book: cannot be read: io: read/write on closed pipe" {
		t.Errorf("%v", problems)
	}
	if _, problems := Read(strings.NewReader(strings.Repeat("{\n", maxProblems+9)), options(JSON)); len(problems) != maxProblems+1 {
		t.Errorf("%d problems", len(problems))
	}
	if _, problems := Read(strings.NewReader(iron), options("xml")); len(problems) != 1 || problems[0].At != "book" {
		t.Errorf("%v", problems)
	}
}

// fuzzRead: no file brings the reader down, problems name a line that is there, and what is read can be stored.
func fuzzRead(f *testing.F, format Format) {
	f.Fuzz(func(t *testing.T, text string) {
		list, problems := Read(strings.NewReader(text), options(format))
		if len(list) > 0 && len(problems) > 0 {
			t.Fatal("results of a file with problems")
		}
		lines := strings.Count(text, "\n") + 1
		for _, p := range problems {
			var line int
			if _, err := fmt.Sscanf(p.At, "book:%d", &line); p.Text == "" || err == nil && (line < 1 || line > lines+1) {
				t.Fatalf("%+v of %d lines", p, lines)
			}
		}
		for _, r := range list {
			p := parsed(t, mustLine(t, &r))
			back, err := resultFrom(point{&p})
			if err != nil || back.Hash() != r.Hash() {
				t.Fatalf("%+v comes back as %+v, %v", r, back, err)
			}
			for _, b := range []Basis{Mass, Atomic} {
				if it, err := newItem(&r, b); err != nil || it.Low.Cmp(it.High.Num) > 0 || it.WideLow.Sign() < 0 || it.WideHigh.Cmp(it.High.Num) < 0 {
					t.Fatalf("%+v adds %+v, %v", r, it, err)
				}
			}
		}
	})
}

func FuzzReadJSON(f *testing.F) {
	f.Add(iron)
	f.Add(strings.Replace(iron, `"="`, `"<"`, 1) + "\n[]\n{}")
	fuzzRead(f, JSON)
}

func FuzzReadCSV(f *testing.F) {
	f.Add("sample,measured_at,method,element,value,unit,censored,lod\nS,2026-11-20T05:00:00Z,GDMS,Ca,,pptw,<,0.40\n")
	f.Add("\ufeffsample;lot;measured_at;method;element;value;unit;censored;u_k2\r\nS;L;2026-11-20T05:00:00Z;PL;B;1e-3;ppba;=;0.5\r\n")
	fuzzRead(f, CSV)
}
