package lots

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/kpi"
	"kvarts/historian/telemetry"
)

// importing reads, plans and writes a book of JSON lines, and gives what it came to.
func importing(t testing.TB, c *influx.Client, text string, now telemetry.Instant) string {
	t.Helper()
	rows, problems := Read(strings.NewReader(text), ReadOptions{Format: JSON, Name: "book", By: "test"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	p, err := PlanImport(context.Background(), c, rows, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Problems) > 0 {
		if err := p.Write(context.Background(), c); err == nil {
			t.Error("a book with problems was written")
		}
		var all []string
		for _, q := range p.Problems {
			all = append(all, q.Error())
		}
		return strings.Join(all, "\n")
	}
	if err := p.Write(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d new, %d known, %d corrected", p.New, p.Known, p.Corrected)
}

// jsonLines is a book as JSON lines.
func jsonLines(t testing.TB, b Book) string {
	t.Helper()
	var out strings.Builder
	add := func(text []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(text, '\n'))
	}
	for i := range b.Lots {
		add(b.Lots[i].MarshalJSON())
	}
	for i := range b.Steps {
		add(b.Steps[i].MarshalJSON())
	}
	return out.String()
}

const chain = `
	lot QZ quartz 100
	lot OTHER quartz 100
	step S1 one 10 : QZ=60 -> A=50 SLAG=10!
	step S2 two 20 : A=20 -> B=20
	step S3 two 30 : A -> C=30
	step S4 one 10 : OTHER -> D=100
	step S5 three 5 : B C=10 D=10 -> E=40`

func TestStoredAndReadBack(t *testing.T) {
	c := factory.Embedded(t)
	text := jsonLines(t, script(t, chain))
	now := t0 + 24*hour
	if got := importing(t, c, text, now); got != "12 new, 0 known, 0 corrected" {
		t.Error(got)
	}
	if got := importing(t, c, text, now+hour); got != "0 new, 12 known, 0 corrected" {
		t.Errorf("imported again: %s", got)
	}
	closure := func(id string, d Direction, asof telemetry.Instant) *Graph {
		t.Helper()
		b, err := ReadClosure(t.Context(), c, id, d, asof)
		if err != nil {
			t.Fatal(err)
		}
		g, err := NewGraph(b)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	whole := mustGraph(t, chain)
	for _, id := range []string{"QZ", "A", "B", "C", "D", "E", "SLAG"} {
		for _, d := range []Direction{Backward, Forward} {
			want, err := whole.Trace(id, d, 0)
			if err != nil {
				t.Fatal(err)
			}
			got, err := closure(id, d, now).Trace(id, d, 0)
			if err != nil || words(got) != words(want) {
				t.Errorf("%s from %s: %v\n%s\nwant\n%s", d, id, err, words(got), words(want))
			}
		}
		want, got := embodied(t, whole, id, kpi.ScrapToGood), embodied(t, closure(id, Backward, now), id, kpi.ScrapToGood)
		if stages(got) != stages(want) {
			t.Errorf("energy of %s: %s, want %s", id, stages(got), stages(want))
		}
	}
	if b, err := ReadClosure(t.Context(), c, "B", Backward, now); err != nil || slices.ContainsFunc(b.Lots, func(l Lot) bool { return l.ID == "OTHER" }) {
		t.Errorf("the whole book was read for one lot, or nothing: %v", err)
	}
	if b, err := ReadClosure(t.Context(), c, "E", Backward, now-1); err != nil || len(b.Lots)+len(b.Steps) > 0 {
		t.Errorf("known before it was known: %+v, %v", b, err)
	}
}

// words are a trace, line by line.
func words(t *Trace) string {
	var b strings.Builder
	for _, r := range append([]Relative{t.Lot}, t.Relatives...) {
		fmt.Fprintln(&b, r.ID, r.Lot != nil, r.Depth, r.Quantity, r.OfUpper, r.OfLower)
	}
	for _, e := range t.Edges {
		fmt.Fprintln(&b, e.Step.ID, e.From, e.To, e.Quantity, e.OfFrom, e.OfTo)
	}
	fmt.Fprintln(&b, codes(t.Findings))
	return b.String()
}

func TestRevisions(t *testing.T) {
	c := factory.Embedded(t)
	early, late := t0+24*hour, t0+48*hour
	text := jsonLines(t, script(t, chain))
	importing(t, c, text, early)
	// S5 took of OTHER, not of D, and C was 31 kg.
	step := line(text, `{"step":"S5"`)
	step = strings.Replace(strings.Replace(step, `"lot":"D"`, `"lot":"OTHER"`, 1), `"revision":1`, `"revision":2,"why":"mixed up"`, 1)
	lot := strings.Replace(strings.Replace(line(text, `{"lot":"C"`), `"quantity":"30"`, `"quantity":"31"`, 1), `"revision":1,`, "", 1)
	if got := importing(t, c, step+lot, late); got != "0 new, 0 known, 2 corrected" {
		t.Error(got)
	}
	if got := importing(t, c, text+step+lot, late+hour); got != "0 new, 14 known, 0 corrected" {
		t.Errorf("the old book again: %s", got)
	}
	for _, q := range []struct {
		asof     telemetry.Instant
		from     string
		d        Direction
		has, not string
	}{
		{early, "E", Backward, "D", ""}, {late, "E", Backward, "OTHER", "D"}, {early, "D", Forward, "E", ""},
		{late, "D", Forward, "D", "E"}, {late, "OTHER", Forward, "E", ""},
	} {
		b, err := ReadClosure(t.Context(), c, q.from, q.d, q.asof)
		if err != nil {
			t.Fatal(err)
		}
		g, err := NewGraph(b)
		if err != nil {
			t.Fatal(err)
		}
		trace, err := g.Trace(q.from, q.d, 0)
		if err != nil {
			t.Fatal(err)
		}
		text := words(trace)
		if !strings.Contains(text, q.has+" ") || q.not != "" && strings.Contains(text, "\n"+q.not+" ") {
			t.Errorf("%s from %s at %s:\n%s", q.d, q.from, q.asof, text)
		}
	}
	for _, q := range []struct{ text, want string }{
		{strings.Replace(step, "mixed up", "again", 1) + strings.Replace(step, `"20"`, `"19"`, 1), "step \"S5\""},
		{strings.Replace(step, `"three"`, `"four"`, 1), "book:1: step S5: revision 2 stands already and says something else; give this one revision 3"},
		{strings.Replace(strings.Replace(step, `"three"`, `"four"`, 1), `"revision":2`, `"revision":1`, 1), "give this one revision 3"},
	} {
		rows, problems := Read(strings.NewReader(q.text), ReadOptions{Format: JSON, Name: "book", By: "test"})
		if len(problems) > 0 {
			continue
		}
		p, err := PlanImport(t.Context(), c, rows, late)
		if err != nil || len(p.Problems) != 1 || !strings.Contains(p.Problems[0].Error(), q.want) {
			t.Errorf("%+v, %v, want %s", p, err, q.want)
		}
	}
	gone := strings.Replace(step, `"revision":2,"why":"mixed up"`, `"why":"it never was","withdrawn":true`, 1)
	if got := importing(t, c, gone, late+2*hour); got != "0 new, 0 known, 1 corrected" {
		t.Errorf("withdrawn: %s\n%s", got, gone)
	}
	if b, err := ReadClosure(t.Context(), c, "B", Forward, late+3*hour); err != nil || len(b.Steps) != 1 {
		t.Errorf("after it was withdrawn: %+v steps, %v", b.Steps, err)
	}
}

// line is the line of text that begins so.
func line(text, begin string) string {
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, begin) {
			return l
		}
	}
	return ""
}

func TestRefused(t *testing.T) {
	c := factory.Embedded(t)
	importing(t, c, jsonLines(t, script(t, chain)), t0+24*hour)
	for _, q := range []struct{ what, text, want string }{
		{"a cycle through what is stored", "step X back 1 : E=1 -> QZ=60", "book:2: step X: lots would be made of themselves: A → B → E → QZ → A"},
		{"a cycle of its own", "step X back 1 : F=1 -> G=2\nstep Y back 1 : G=2 -> F=1", "lots would be made of themselves: "},
		{"made by another", "step X again 1 : OTHER=1 -> B=20", "step X: makes lot B, which step S2 made"},
	} {
		b := script(t, q.text)
		b.Lots = slices.DeleteFunc(b.Lots, func(l Lot) bool { return l.ID == "QZ" || l.ID == "B" })
		got := importing(t, c, "\n"+jsonLines(t, b), t0+48*hour)
		if !strings.Contains(got, q.want) {
			t.Errorf("%s: %s, want %s", q.what, got, q.want)
		}
	}
}

func TestReadLots(t *testing.T) {
	c := factory.Embedded(t)
	importing(t, c, jsonLines(t, script(t, chain)), t0+24*hour)
	ids := func(f Filter) string {
		t.Helper()
		all, err := ReadLots(t.Context(), c, f, t0+24*hour)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, l := range all {
			out = append(out, l.ID)
		}
		return strings.Join(out, " ")
	}
	if got := ids(Filter{}); got != "OTHER QZ A B C D E" {
		t.Error(got)
	}
	if got := ids(Filter{Kind: Quartz}); got != "OTHER QZ" {
		t.Error(got)
	}
	if got := ids(Filter{Window: calendar.Interval{From: t0.Add(time.Hour), To: t0.Add(3*time.Hour + time.Minute)}}); got != "A B" {
		t.Error(got)
	}
}
