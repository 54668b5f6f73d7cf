package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"kvarts/historian/answer"
	"kvarts/historian/calendar"
	"kvarts/historian/kpi"
	"kvarts/historian/telemetry"
)

// sheet prints an answer for people, in the plant's time.
type sheet struct {
	out io.Writer
	loc *time.Location
	a   *answer.Answer
}

// writeTable prints a as a table with its findings below.
func writeTable(out io.Writer, a *answer.Answer) error {
	loc, err := calendar.Zone(a.Zone)
	if err != nil {
		return err
	}
	var b strings.Builder
	s := &sheet{out: &b, loc: loc, a: a}
	s.head()
	s.rows()
	s.reasons()
	s.findings()
	s.origin()
	s.evidence()
	_, err = io.WriteString(out, b.String())
	return err
}

// clock is t on the plant's wall.
func (s *sheet) clock(t telemetry.Instant) string {
	return t.Time().In(s.loc).Format("2006-01-02 15:04")
}

// span is v on the plant's wall; its end without the date where that is the same.
func (s *sheet) span(v calendar.Interval) string {
	from, to := s.clock(v.From), s.clock(v.To)
	if from[:10] == to[:10] {
		to = to[11:]
	}
	return from + " to " + to
}

func (s *sheet) head() {
	fmt.Fprintf(s.out, "%s of %s, %s (%s", titleOf(s.a.Question.Kind), s.a.Question.Target, s.span(s.a.Window), s.a.Zone)
	fmt.Fprintf(s.out, ", calendar %s)", s.a.Calendar)
	if s.a.Horizon < s.a.Now {
		fmt.Fprintf(s.out, ", as known at %s", s.clock(s.a.Horizon))
	}
	fmt.Fprintln(s.out)
	fmt.Fprintln(s.out)
}

func titleOf(k answer.Kind) string {
	switch k {
	case answer.Energy:
		return "Energy"
	case answer.Losses:
		return "Losses"
	case answer.States:
		return "States"
	default:
		return "OEE"
	}
}

// rows prints a table of all rows, each subject's total below its parts. Columns that are empty, or that say nothing that
// another does not (bounds where nothing is unknown), are left out.
func (s *sheet) rows() {
	cols := columns(s.a.Question.Kind)
	cells := [][]string{append([]string{"", ""}, titles(cols)...)}
	n := len(s.a.Rows)
	if len(s.a.Totals) > 0 {
		n /= len(s.a.Totals)
	}
	for i := range s.a.Rows {
		r := &s.a.Rows[i]
		cells = append(cells, s.cells(r, s.label(r), cols))
		if len(s.a.Totals) > 0 && (i+1)%n == 0 {
			cells = append(cells, s.cells(&s.a.Totals[i/n], "together", cols))
		}
	}
	printAligned(s.out, withoutEmpty(cells))
}

func titles(cols []column) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = c.title
	}
	return out
}

func (s *sheet) label(r *answer.Row) string {
	label := r.Part.Label
	if r.Part.Cut() && s.a.Question.By != answer.Whole {
		label += " (part)"
	}
	return label
}

func (s *sheet) cells(r *answer.Row, label string, cols []column) []string {
	out := []string{r.Subject.String(), label}
	for _, c := range cols {
		switch {
		case c.text != nil:
			out = append(out, c.text(r))
		case r.Err != nil:
			out = append(out, "-")
		default:
			out = append(out, c.show(c.value(r)))
		}
	}
	return out
}

// withoutEmpty leaves out columns without a number in any row; the first row holds the titles.
func withoutEmpty(cells [][]string) [][]string {
	out := make([][]string, len(cells))
	for c := range cells[0] {
		empty := c > 0 && !slices.ContainsFunc(cells[1:], func(row []string) bool { return row[c] != "" && row[c] != "-" })
		if empty && !keeps(cells[0][c]) {
			continue
		}
		for i, row := range cells {
			out[i] = append(out[i], row[c])
		}
	}
	return out
}

// keeps says that a column is shown even when nothing is in it: that there is no number is what was asked.
func keeps(title string) bool { return title == "OEE" || title == "kWh" }

// printAligned prints numbers to the right and words to the left.
func printAligned(out io.Writer, cells [][]string) {
	width := make([]int, len(cells[0]))
	for _, row := range cells {
		for c, text := range row {
			width[c] = max(width[c], utf8.RuneCountInString(text))
		}
	}
	for _, row := range cells {
		var b strings.Builder
		for c, text := range row {
			pad := strings.Repeat(" ", width[c]-utf8.RuneCountInString(text))
			if c < 2 || c == len(row)-1 && cells[0][c] == "" {
				b.WriteString(text + pad + "  ")
			} else {
				b.WriteString(pad + text + "  ")
			}
		}
		fmt.Fprintln(out, strings.TrimRight(b.String(), " "))
	}
}

// shownSpans is how many times a finding names; more are counted.
const shownSpans = 5

func (s *sheet) findings() {
	if len(s.a.Findings) == 0 {
		return
	}
	fmt.Fprintf(s.out, "\nFindings:\n")
	for _, f := range s.a.Findings {
		var when []string
		for _, v := range f.When[:min(len(f.When), shownSpans)] {
			when = append(when, s.span(v))
		}
		more := ""
		if n := len(f.When) - shownSpans; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		fmt.Fprintf(s.out, "  %s: %s, %s%s: %s (%s%s)\n", f.Severity, f.Subject, strings.Join(when, "; "), more, f.Text, f.Code, figures(f.Evidence))
	}
}

// figures are the numbers that a finding rests on.
func figures(evidence []kpi.Evidence) string {
	var b strings.Builder
	for _, e := range evidence {
		fmt.Fprintf(&b, ", %s %s", e.Name, small(e.Value))
		if e.Unit != "1" {
			b.WriteString(" " + e.Unit)
		}
	}
	return b.String()
}

// origin says in two lines what the numbers rest on.
func (s *sheet) origin() {
	fmt.Fprintln(s.out)
	for _, d := range s.a.Definitions {
		fmt.Fprintf(s.out, "Model %s %.12s, in force from %s, applied %s by %s", d.Model, d.Hash, s.clock(d.Effective), s.clock(d.Known), d.By)
		if d.Why != "" {
			fmt.Fprintf(s.out, " (%s)", d.Why)
		}
		fmt.Fprintln(s.out)
	}
	src := s.a.Sources
	fmt.Fprintf(s.out, "From %d day and %d hour slices", src.DaySlices, src.HourSlices)
	later := 0
	for revision, n := range src.Revisions {
		if revision > 0 {
			later += n
		}
	}
	if later > 0 {
		fmt.Fprintf(s.out, " (%d of them computed again after late data)", later)
	}
	fmt.Fprintf(s.out, " and the raw data of %d units and lines.\n", len(src.Raw))
}
