package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"kvarts/historian/answer"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/lots"
	"kvarts/historian/telemetry"
)

// lotsAsk is what the questions about one lot have in common.
type lotsAsk struct {
	target
	Lot  string `arg:"" help:"Its name: see historian lots list."`
	Asof string `help:"What was known then: RFC 3339, the plant's wall clock or 'now-8h'."`
	Zone string `help:"IANA zone of times without an offset; default: that of the plant model in the store."`
	JSON bool   `help:"Print one JSON object."`
}

// ask asks q, whose ID and Asof are filled in.
func (c *lotsAsk) ask(ctx context.Context, q answer.LotQuestion) (*answer.LotAnswer, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	q.ID = c.Lot
	if c.Asof != "" {
		says, err := readPlant(ctx, client, c.Zone)
		if err != nil {
			return nil, err
		}
		if q.Asof, err = spoken(c.Asof, says.zone); err != nil {
			return nil, fmt.Errorf("--asof: %w", err)
		}
	}
	return answer.New(client, telemetry.Now).Lot(ctx, q)
}

type lotsTrace struct {
	lotsAsk
	Forward  bool `help:"To what was made of it." xor:"direction"`
	Backward bool `help:"To what it was made of: the default." xor:"direction"`
	Depth    int  `help:"So many steps at most; 0: all." default:"50"`
}

// Help is shown by historian lots trace --help.
func (c *lotsTrace) Help() string {
	return `Examples:

  historian lots trace WAFER-0421                  back to the quartz
  historian lots trace MG-0007 --forward --depth 3

Each line is a lot. "took" is what went of the earlier lot into the later one of the two lines, over that one step, and the share
of the line above that this is: backward these shares sum to 100 % beneath each lot. "in all" adds up all ways between the lot and the one
asked for, with the shares of both. A lot that was reached twice is followed once.`
}

// Run prints the trace.
func (c *lotsTrace) Run(ctx context.Context) error {
	q := answer.LotQuestion{Direction: lots.Backward, Depth: c.Depth}
	if c.Forward {
		q.Direction = lots.Forward
	}
	a, err := c.ask(ctx, q)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(traceObject(a))
	}
	return writeTrace(os.Stdout, a)
}

// tree prints a trace, a lot a line.
type tree struct {
	*lots.Trace
	loc   *time.Location
	of    map[string]*lots.Relative
	next  map[string][]*lots.Edge // from a lot on
	seen  map[string]bool
	cells [][]string
}

func writeTrace(out io.Writer, a *answer.LotAnswer) error {
	loc, err := calendar.Zone(a.Zone)
	if err != nil {
		return err
	}
	t := &tree{Trace: a.Trace, loc: loc, of: make(map[string]*lots.Relative), next: make(map[string][]*lots.Edge), seen: make(map[string]bool)}
	for i := range t.Relatives {
		t.of[t.Relatives[i].ID] = &t.Relatives[i]
	}
	for i := range t.Edges {
		e := &t.Edges[i]
		from := e.To
		if t.Direction == lots.Forward {
			from = e.From
		}
		t.next[from] = append(t.next[from], e)
	}
	of := "of the lot above"
	if t.Direction == lots.Forward {
		of = "of the one above"
	}
	t.cells = append(t.cells, []string{"lot", "", "took", of, "in all", "of the earlier", "of the later", ""})
	t.cells = append(t.cells, []string{t.Lot.ID, "", "", "", "", "", "", ""})
	t.lot(t.Lot.ID, "")
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s (%s)%s\n\n", titleOfTrace(t.Direction), describe(a, loc), a.Zone, asKnown(a, loc))
	printAligned(&b, t.cells)
	if t.Further > 0 {
		fmt.Fprintf(&b, "\n%d more lots are further away: see --depth\n", t.Further)
	}
	writeLotFindings(&b, a.Findings)
	_, err = io.WriteString(out, b.String())
	return err
}

func titleOfTrace(d lots.Direction) string {
	if d == lots.Forward {
		return "What was made of it"
	}
	return "What it was made of"
}

// asKnown says that an answer is of what was known earlier.
func asKnown(a *answer.LotAnswer, loc *time.Location) string {
	if a.Horizon < a.Now {
		return ", as known at " + wall(a.Horizon, loc)
	}
	return ""
}

func describe(a *answer.LotAnswer, loc *time.Location) string {
	if a.Lot == nil {
		return a.Question.ID + ", which nobody described"
	}
	return fmt.Sprintf("%s, %s, %s, made %s", a.Lot.ID, a.Lot.Kind, amountOf(a.Lot), wall(a.Lot.MadeAt, loc))
}

// lot prints what is behind one lot; its own line was printed.
func (t *tree) lot(id, indent string) {
	t.seen[id] = true
	edges := t.next[id]
	for i, e := range edges {
		branch, deeper := "├ ", "│ "
		if i == len(edges)-1 {
			branch, deeper = "└ ", "  "
		}
		far, share := e.From, e.OfTo
		if t.Direction == lots.Forward {
			far, share = e.To, e.OfFrom
		}
		note := ""
		if len(t.next[far]) > 0 && t.seen[far] {
			note = " (followed elsewhere)"
		}
		t.line(indent+branch+far+note, e, far, share)
		if note == "" && !t.seen[far] {
			t.lot(far, indent+deeper)
		}
	}
}

func (t *tree) line(label string, e *lots.Edge, far string, share exact.Num) {
	r := t.of[far]
	kind, unit, upper := "", "", &t.Lot
	if r.Lot != nil {
		kind = string(r.Lot.Kind)
	}
	if t.Direction == lots.Backward {
		upper = r
	}
	if from := t.find(e.From); from != nil && from.Lot != nil {
		unit = " " + from.Lot.UnitOf
	}
	in := ""
	if upper.Lot != nil {
		in = " " + upper.Lot.UnitOf
	}
	value := func(n exact.Num) kpi.Value { return kpi.Value{Num: n} }
	step := fmt.Sprintf("step %s, %s", e.Step.ID, e.Step.Stage)
	if e.Step.Unit != "" {
		step += ", " + e.Step.Unit
	}
	t.cells = append(t.cells, []string{label, kind, weight(e.Quantity) + unit, percent(value(share)),
		weight(r.Quantity) + in, percent(value(r.OfUpper)), percent(value(r.OfLower)), step + ", " + wall(e.Step.From, t.loc)})
}

func (t *tree) find(id string) *lots.Relative {
	if id == t.Lot.ID {
		return &t.Lot
	}
	return t.of[id]
}

func writeLotFindings(b *strings.Builder, all []lots.Finding) {
	if len(all) == 0 {
		return
	}
	b.WriteString("\nFindings:\n")
	for _, f := range all {
		var about []string
		if f.Lot != "" {
			about = append(about, "lot "+f.Lot)
		}
		if f.Step != "" {
			about = append(about, "step "+f.Step)
		}
		fmt.Fprintf(b, "  %s: %s: %s (%s)\n", f.Severity, strings.Join(about, ", "), f.Text, f.Code)
	}
}

// The answers as a script reads them: times in RFC 3339, numbers as floats, no number as null.
type (
	lotObject struct {
		ID       string    `json:"lot"`
		Kind     lots.Kind `json:"kind,omitempty"`
		Product  string    `json:"product,omitempty"`
		Quantity *float64  `json:"quantity"`
		UnitOf   string    `json:"unit_of,omitempty"`
	}
	relativeObject struct {
		lotObject
		Depth   int     `json:"depth"`
		Shared  float64 `json:"shared"`   // of the earlier lot in the later, in the earlier's unit
		OfUpper float64 `json:"of_upper"` // as a fraction of the earlier
		OfLower float64 `json:"of_lower"` // as a fraction of the later
	}
	edgeObject struct {
		Step     string    `json:"step"`
		Stage    string    `json:"stage"`
		Unit     string    `json:"unit,omitempty"`
		Begin    time.Time `json:"begin"`
		End      time.Time `json:"end"`
		From     string    `json:"from"`
		To       string    `json:"to"`
		Quantity float64   `json:"quantity"`
		OfFrom   float64   `json:"of_from"`
		OfTo     float64   `json:"of_to"`
	}
	traceJSON struct {
		lotObject
		Direction lots.Direction   `json:"direction"`
		Horizon   time.Time        `json:"horizon"`
		Relatives []relativeObject `json:"relatives"`
		Further   int              `json:"further"` // relatives beyond --depth
		Edges     []edgeObject     `json:"edges"`
		Findings  []noteObject     `json:"findings"`
	}
	noteObject struct {
		Code     string `json:"code"`
		Severity string `json:"severity"`
		Lot      string `json:"lot,omitempty"`
		Step     string `json:"step,omitempty"`
		Text     string `json:"text"`
	}
)

func notesOf(all []lots.Finding) []noteObject {
	out := make([]noteObject, len(all))
	for i, f := range all {
		out[i] = noteObject{f.Code, f.Severity.String(), f.Lot, f.Step, f.Text}
	}
	return out
}

func lotOf(id string, l *lots.Lot) lotObject {
	o := lotObject{ID: id}
	if l != nil {
		q := l.Quantity.Float()
		o.Kind, o.Product, o.Quantity, o.UnitOf = l.Kind, l.Product, &q, l.UnitOf
	}
	return o
}

func traceObject(a *answer.LotAnswer) traceJSON {
	t := a.Trace
	o := traceJSON{lotObject: lotOf(t.Lot.ID, t.Lot.Lot), Direction: t.Direction, Horizon: a.Horizon.Time(),
		Further:   t.Further,
		Relatives: make([]relativeObject, len(t.Relatives)), Edges: make([]edgeObject, len(t.Edges)), Findings: notesOf(a.Findings)}
	for i := range t.Relatives {
		r := &t.Relatives[i]
		o.Relatives[i] = relativeObject{lotOf(r.ID, r.Lot), r.Depth, r.Quantity.Float(), r.OfUpper.Float(), r.OfLower.Float()}
	}
	for i := range t.Edges {
		e := &t.Edges[i]
		o.Edges[i] = edgeObject{e.Step.ID, e.Step.Stage, e.Step.Unit, e.Step.From.Time(), e.Step.To.Time(), e.From, e.To,
			e.Quantity.Float(), e.OfFrom.Float(), e.OfTo.Float()}
	}
	return o
}
