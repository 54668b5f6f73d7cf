package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/term"

	"kvarts/historian/answer"
	"kvarts/historian/calendar"
	"kvarts/historian/kpi"
	"kvarts/historian/telemetry"
)

type kpiCmd struct {
	OEE    kpiOEE    `cmd:"" name:"oee" help:"Effectiveness and its factors, with bounds and coverage."`
	Energy kpiEnergy `cmd:"" help:"Energy, also per good piece and per watt, by stage."`
	Losses kpiLosses `cmd:"" help:"Where the planned time went: the six losses."`
	States kpiStates `cmd:"" help:"Time by category and by reason."`
}

type (
	kpiOEE    struct{ kpiFlags }
	kpiEnergy struct{ kpiFlags }
	kpiLosses struct{ kpiFlags }
	kpiStates struct{ kpiFlags }
)

func (c *kpiOEE) Run(ctx context.Context) error    { return c.ask(ctx, answer.OEE) }
func (c *kpiEnergy) Run(ctx context.Context) error { return c.ask(ctx, answer.Energy) }
func (c *kpiLosses) Run(ctx context.Context) error { return c.ask(ctx, answer.Losses) }
func (c *kpiStates) Run(ctx context.Context) error { return c.ask(ctx, answer.States) }

// Help is shown by historian kpi oee --help.
func (c *kpiFlags) Help() string {
	return "Times are " + whenHelp + `.

  historian kpi oee --line L1 --from yesterday --to today --by shift
  historian kpi oee --each unit --from shift                     every machine, this shift so far
  historian kpi energy --chain --from 2026-10-01 --to 2026-11-01
  historian kpi oee --unit ws03 --from now-8h --explain          the ledger and the raw data behind the number
  historian kpi oee --plant --from 2026-10-01 --to 2026-11-01 --by day --asof '2026-11-01 08:00'

A number is followed by its bounds where something is unknown: it lies between them whatever the missing data would have
said. Coverage is the share of planned time whose state is known. "-" is no number; the last column says why.`
}

type kpiFlags struct {
	target
	Unit  string   `help:"One unit." xor:"target" group:"Of what (default: the plant):"`
	Units []string `help:"Several units, summed." xor:"target" group:"Of what (default: the plant):"`
	Line  string   `help:"A line: its bottleneck's ideal against what leaves it." xor:"target" group:"Of what (default: the plant):"`
	Area  string   `help:"All units of an area." xor:"target" group:"Of what (default: the plant):"`
	Stage string   `help:"All units of a stage of the chain." xor:"target" group:"Of what (default: the plant):"`
	Plant bool     `help:"All units." xor:"target" group:"Of what (default: the plant):"`
	Chain bool     `help:"All units, stage by stage." xor:"target" group:"Of what (default: the plant):"`

	From     string   `help:"Begin of the window." default:"today" group:"When:"`
	To       string   `help:"End of the window." default:"now" group:"When:"`
	By       string   `help:"Divide the window: ${enum}." enum:"none,hour,shift,day,month" default:"none" group:"When:"`
	Calendar string   `help:"Calendar of the model whose days and shifts divide the window; default: that of the units." group:"When:"`
	Asof     string   `help:"What was known then." group:"When:"`
	Each     []string `help:"Rows of the parts too: unit, line, area, stage." enum:"unit,line,area,stage" group:"How:"`
	Standard string   `help:"Model of the KPI: iso (ISO 22400-2) or e79 (SEMI E79)." enum:"iso,e79" default:"iso" group:"How:"`
	Raw      bool     `help:"Compute from raw data only; the numbers are the same." group:"How:"`
	Explain  bool     `help:"Show what the numbers come from." group:"How:"`
	JSON     bool     `help:"Print one JSON object." xor:"format" group:"How:"`
	CSV      bool     `help:"Print CSV." xor:"format" group:"How:"`
}

func (c *kpiFlags) ask(ctx context.Context, kind answer.Kind) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	engine := answer.New(client, telemetry.Now)
	q, err := c.question(ctx, engine, kind)
	if err != nil {
		return err
	}
	q.Progress = patience(os.Stderr, time.Now())
	a, err := engine.Ask(ctx, q)
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		return writeJSON(os.Stdout, a)
	case c.CSV:
		return writeCSV(os.Stdout, a)
	default:
		return writeTable(os.Stdout, a)
	}
}

// patience tells a person who has waited since begin how far it is; a script's log hears nothing.
func patience(out *os.File, begin time.Time) func(done, total int) {
	const after, every = 2 * time.Second, time.Second
	if !term.IsTerminal(int(out.Fd())) {
		return nil
	}
	said := begin
	return func(done, total int) {
		if now := time.Now(); now.Sub(begin) > after && (now.Sub(said) > every || done == total) {
			said = now
			fmt.Fprintf(out, "\r%d of %d units and lines", done, total)
			if done == total {
				fmt.Fprintln(out)
			}
		}
	}
}

// question is what the flags ask.
func (c *kpiFlags) question(ctx context.Context, engine *answer.Engine, kind answer.Kind) (answer.Question, error) {
	q := answer.Question{Kind: kind, Target: c.about(), Calendar: c.Calendar, Raw: c.Raw, Explain: c.Explain}
	if c.Standard == "e79" {
		q.Standard = kpi.E79
	}
	if err := q.By.UnmarshalText([]byte(c.By)); err != nil {
		return q, err
	}
	q.Each = make([]answer.Level, len(c.Each))
	for i, s := range c.Each {
		if err := q.Each[i].UnmarshalText([]byte(s)); err != nil {
			return q, err
		}
	}
	if q.Target.Level == answer.Chain && len(q.Each) == 0 {
		q.Each = []answer.Level{answer.Stage}
	}
	rules, err := engine.Calendar(ctx, q.Target, c.Calendar)
	if err != nil {
		return q, err
	}
	w := &when{now: telemetry.Now(), rules: rules}
	var errs []error
	read := func(flag, text string) telemetry.Instant {
		t, err := w.parse(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flag, err))
		}
		return t
	}
	q.Window = calendar.Interval{From: read("from", c.From), To: read("to", c.To)}
	if c.Asof != "" {
		q.Asof = read("asof", c.Asof)
	}
	return q, errors.Join(errs...)
}

// about is the target that the flags name.
func (c *kpiFlags) about() answer.Target {
	for _, t := range []struct {
		level answer.Level
		id    string
	}{{answer.Unit, c.Unit}, {answer.Line, c.Line}, {answer.Area, c.Area}, {answer.Stage, c.Stage}} {
		if t.id != "" {
			return answer.Target{Level: t.level, IDs: []string{t.id}}
		}
	}
	switch {
	case len(c.Units) > 0:
		return answer.Target{Level: answer.Units, IDs: c.Units}
	case c.Chain:
		return answer.Target{Level: answer.Chain}
	default:
		return answer.Target{Level: answer.Plant}
	}
}
