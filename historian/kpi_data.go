package main

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"kvarts/historian/answer"
	"kvarts/historian/calendar"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
)

// kpiJSON is an answer as a script reads it: times in RFC 3339, numbers as floats, no number as null.
type kpiJSON struct {
	Kind        answer.Kind      `json:"kind"`
	Standard    string           `json:"standard"`
	Target      string           `json:"target"`
	Window      spanJSON         `json:"window"`
	Horizon     time.Time        `json:"horizon"`
	Zone        string           `json:"zone"`
	Calendar    string           `json:"calendar"`
	Rows        []rowJSON        `json:"rows"`
	Totals      []rowJSON        `json:"totals,omitempty"`
	Findings    []findingJSON    `json:"findings"`
	Definitions []definitionJSON `json:"definitions"`
	Sources     sourcesJSON      `json:"sources"`
	Evidence    []evidenceJSON   `json:"evidence,omitempty"`
}

type spanJSON struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

func spanOf(v calendar.Interval) spanJSON { return spanJSON{v.From.Time(), v.To.Time()} }

func spansOf(set []calendar.Interval) []spanJSON {
	out := make([]spanJSON, len(set))
	for i, v := range set {
		out[i] = spanOf(v)
	}
	return out
}

type rowJSON struct {
	answer.Subject
	Part string `json:"part,omitempty"`
	spanJSON
	// Cut: only a part of the shift, day or month is in the row.
	Cut     bool                `json:"cut,omitempty"`
	Values  map[string]*float64 `json:"values"`
	Reason  string              `json:"reason,omitempty"`
	Missing []string            `json:"missing,omitempty"`
	Error   string              `json:"error,omitempty"`
	Reasons []reasonJSON        `json:"reasons,omitempty"`
}

type reasonJSON struct {
	Category string  `json:"category"`
	Reason   string  `json:"reason"`
	Seconds  float64 `json:"seconds"`
	Count    float64 `json:"count"`
}

type findingJSON struct {
	Code string `json:"code"`
	answer.Subject
	When []spanJSON `json:"when"`
	Text string     `json:"text"`
}

// evidenceJSON is what the facts of one unit come from: exact sums in the ledger's quanta.
type evidenceJSON struct {
	answer.Subject
	Error    string            `json:"error,omitempty"`
	Facts    map[string]string `json:"facts"`
	Slices   []ledgerJSON      `json:"ledger"`
	Segments []segmentJSON     `json:"timeline"`
	Deltas   []deltaJSON       `json:"counters"`
}

type ledgerJSON struct {
	spanJSON
	Stored   bool              `json:"stored"`
	Day      bool              `json:"day,omitempty"`
	Revision int               `json:"revision"`
	Facts    map[string]string `json:"facts"`
}

type segmentJSON struct {
	spanJSON
	Category  string `json:"category"`
	Code      string `json:"code"`
	Reason    string `json:"reason,omitempty"`
	Planned   bool   `json:"planned"`
	Minor     bool   `json:"minor,omitempty"`
	Bridged   bool   `json:"bridged,omitempty"`
	Uncounted bool   `json:"uncounted,omitempty"`
}

type deltaJSON struct {
	spanJSON
	Counter    string `json:"counter"`
	Amount     string `json:"amount"`
	Kind       string `json:"kind"`
	LowerBound bool   `json:"lower_bound,omitempty"`
}

func factsJSON(f *ledger.Facts) map[string]string {
	out := make(map[string]string)
	for k := range ledger.NumFields {
		if v := f.Get(k); !v.IsZero() {
			out[k.String()] = v.String()
		}
	}
	return out
}

func evidencesJSON(all []answer.Evidence) []evidenceJSON {
	var out []evidenceJSON
	for i := range all {
		e := &all[i]
		o := evidenceJSON{Subject: e.Subject, Facts: factsJSON(&e.Facts)}
		if e.Err != nil {
			o.Error = e.Err.Error()
		}
		for k := range e.Ledger {
			r := &e.Ledger[k]
			o.Slices = append(o.Slices, ledgerJSON{spanOf(r.Interval), r.Stored, r.Day, r.Revision, factsJSON(&r.Facts)})
		}
		for _, g := range e.Segments {
			o.Segments = append(o.Segments, segmentJSON{spanOf(g.When), categoryNames[g.Category], g.Code, g.Reason, g.Planned, g.Minor, g.Bridged, g.Uncounted})
		}
		for _, d := range e.Deltas {
			o.Deltas = append(o.Deltas, deltaJSON{spanOf(d.When), d.Counter, d.Amount.String(), d.Kind.String(), d.LowerBound})
		}
		out = append(out, o)
	}
	return out
}

type definitionJSON struct {
	spanJSON
	Model     string    `json:"model"`
	Hash      string    `json:"hash"`
	Effective time.Time `json:"effective"`
	Known     time.Time `json:"known"`
	By        string    `json:"by"`
	Why       string    `json:"why,omitempty"`
}

type sourcesJSON struct {
	DaySlices  int                   `json:"day_slices"`
	HourSlices int                   `json:"hour_slices"`
	Revisions  map[int]int           `json:"revisions"`
	Raw        map[string][]spanJSON `json:"raw"`
}

// writeJSON prints a as one object.
func writeJSON(out io.Writer, a *answer.Answer) error {
	o := kpiJSON{Kind: a.Question.Kind, Standard: standardName(a.Question.Standard), Target: a.Question.Target.String(),
		Window: spanOf(a.Window), Horizon: a.Horizon.Time(), Zone: a.Zone, Calendar: a.Calendar,
		Rows: rowsJSON(a, a.Rows), Totals: rowsJSON(a, a.Totals), Findings: make([]findingJSON, len(a.Findings)),
		Sources: sourcesJSON{DaySlices: a.Sources.DaySlices, HourSlices: a.Sources.HourSlices, Revisions: a.Sources.Revisions, Raw: map[string][]spanJSON{}}}
	for i, f := range a.Findings {
		o.Findings[i] = findingJSON{Code: f.Code, Subject: f.Subject, When: spansOf(f.When), Text: f.Text}
	}
	for _, d := range a.Definitions {
		o.Definitions = append(o.Definitions, definitionJSON{spanOf(d.Interval), d.Model, d.Hash, d.Effective.Time(), d.Known.Time(), d.By, d.Why})
	}
	for id, set := range a.Sources.Raw {
		o.Sources.Raw[id] = spansOf(set)
	}
	o.Evidence = evidencesJSON(a.Evidence)
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(o)
}

func standardName(s kpi.Standard) string {
	if s == kpi.E79 {
		return "e79"
	}
	return "iso"
}

func rowsJSON(a *answer.Answer, rows []answer.Row) []rowJSON {
	out := make([]rowJSON, len(rows))
	cols := columns(a.Question.Kind)
	for i := range rows {
		r := &rows[i]
		o := rowJSON{Subject: r.Subject, Part: r.Part.Label, spanJSON: spanOf(r.Part.Interval), Cut: r.Part.Cut(),
			Values: map[string]*float64{}, Missing: r.Missing}
		if r.Err != nil {
			o.Error = r.Err.Error()
		} else {
			o.Reason = string(r.Result.Reason())
		}
		for _, c := range cols {
			if c.name == "" {
				continue
			}
			var number *float64
			if f, ok := valueOf(&c, r); ok {
				number = &f
			}
			o.Values[c.name] = number
		}
		if k := a.Question.Kind; k == answer.Losses || k == answer.States {
			for _, p := range paretoOf(r) {
				o.Reasons = append(o.Reasons, reasonJSON{categoryName(p.Cause), p.Cause.Reason, p.Time.Float() / 1e9, p.Count.Float()})
			}
		}
		out[i] = o
	}
	return out
}

// valueOf is a column's number of a row; ok is false when there is none.
func valueOf(c *column, r *answer.Row) (f float64, ok bool) {
	if r.Err != nil {
		return 0, false
	}
	return c.value(r).Float()
}

// writeCSV prints the rows and totals of a; a cell without a number is empty.
func writeCSV(out io.Writer, a *answer.Answer) error {
	w := csv.NewWriter(out)
	head := []string{"level", "id", "part", "from", "to", "cut"}
	var cols []column
	for _, c := range columns(a.Question.Kind) {
		if c.name != "" {
			cols, head = append(cols, c), append(head, c.name)
		}
	}
	if err := w.Write(append(head, "reason", "missing", "error")); err != nil {
		return err
	}
	write := func(r *answer.Row, part string) error {
		v := spanOf(r.Part.Interval)
		cells := []string{r.Subject.Level.String(), r.Subject.ID, part, v.From.Format(time.RFC3339Nano), v.To.Format(time.RFC3339Nano), strconv.FormatBool(r.Part.Cut())}
		for i := range cols {
			text := ""
			if f, ok := valueOf(&cols[i], r); ok {
				text = strconv.FormatFloat(f, 'g', -1, 64)
			}
			cells = append(cells, text)
		}
		reason, failed := string(r.Result.Reason()), ""
		if r.Err != nil {
			reason, failed = "", r.Err.Error()
		}
		return w.Write(append(cells, reason, strings.Join(r.Missing, " "), failed))
	}
	for i := range a.Rows {
		if err := write(&a.Rows[i], a.Rows[i].Part.Label); err != nil {
			return err
		}
	}
	for i := range a.Totals {
		if err := write(&a.Totals[i], "together"); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
