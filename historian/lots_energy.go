package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"kvarts/historian/answer"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/lots"
)

type lotsEnergy struct {
	lotsAsk
	Policy string `help:"Who bears the energy of what is not good: ${enum}." enum:"scrap-to-good,report-scrap,recycle-credit" default:"scrap-to-good"`
	Steps  bool   `help:"Show every step, with its own energy and how much of it is in the lot."`
	Raw    bool   `help:"Compute from raw data only; the numbers are the same."`
}

// Help is shown by historian lots energy --help.
func (c *lotsEnergy) Help() string {
	return `Examples:

  historian lots energy CELL-0421
  historian lots energy CELL-0421 --asof '2026-11-20 08:00'      before the cell test: nominal watts only
  historian lots energy ING-0012 --policy report-scrap --steps

A step passes on what its inputs embody, by the fraction that it took of them, and its own energy: what is stated for it, else what
its unit used from begin to end. By scrap-to-good all of that goes to its good outputs, in proportion to quantity; by report-scrap scrap
keeps its share; by recycle-credit off-cuts take along what the feed that they replace embodies. Where the energy of a step is not known,
the lot's lies between "at least" and "at most".`
}

// policyOf is the policy by its name on the command line.
func policyOf(name string) kpi.ScrapPolicy {
	switch name {
	case "report-scrap":
		return kpi.ReportScrap
	case "recycle-credit":
		return kpi.RecycleCredit
	default:
		return kpi.ScrapToGood
	}
}

// Run prints the energy of a lot.
func (c *lotsEnergy) Run(ctx context.Context) error {
	a, err := c.ask(ctx, answer.LotQuestion{Energy: true, Policy: policyOf(c.Policy), Raw: c.Raw, Progress: patience(os.Stderr, time.Now())})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(c.object(a))
	}
	return c.write(os.Stdout, a)
}

func (c *lotsEnergy) write(out io.Writer, a *answer.LotAnswer) error {
	loc, err := calendar.Zone(a.Zone)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Energy of %s (%s), %s%s\n\n", describe(a, loc), a.Zone, c.Policy, asKnown(a, loc))
	c.stages(&b, a)
	perWatt(&b, "nominal", a.Nominal)
	perWatt(&b, "realised", a.Realised)
	if c.Steps {
		stepTable(&b, a, loc)
	}
	writeLotFindings(&b, a.Findings)
	fmt.Fprintf(&b, "\nFrom %d steps and %d lots that the record begins with; %d day and %d hour slices and the raw data of %d units.\n",
		len(a.Energy.Steps), len(a.Energy.Openings), a.Sources.DaySlices, a.Sources.HourSlices, len(a.Sources.Raw))
	_, err = io.WriteString(out, b.String())
	return err
}

// stages prints kWh by stage; bounds only where they say something.
func (c *lotsEnergy) stages(b *strings.Builder, a *answer.LotAnswer) {
	cells := [][]string{{"stage", "", "kWh", "at least", "at most", "share"}}
	add := func(name string, e lots.Energy) {
		row := []string{name, "", energyNumber(e.KWh), "", "", ""}
		if !e.Exact() {
			row[3], row[4] = energyNumber(e.Low), "no bound"
			if !e.Unbounded {
				row[4] = energyNumber(e.High)
			}
		}
		if total := a.Energy.Total.KWh; !total.IsZero() {
			row[5] = percent(kpi.Value{Num: e.KWh.Quo(total)})
		}
		cells = append(cells, row)
	}
	for _, s := range a.Energy.Stages {
		if !s.Exact() || !s.KWh.IsZero() {
			add(s.Stage, s.Energy)
		}
	}
	add("together", a.Energy.Total)
	printAligned(b, withoutEmpty(cells))
}

// shareText and shareOf are how much of a step's energy is in the lot.
func shareText(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + " %" }

func shareOf(own lots.Energy, share float64) string {
	n, _ := exact.FromFloat(own.KWh.Float() * share)
	return energyNumber(n)
}

// energyNumber shows kWh: small ones with four digits, as a wafer's are less than one.
func energyNumber(n exact.Num) string {
	v := kpi.Value{Num: n}
	if f, _ := v.Float(); f > -1 && f < 1 && f != 0 {
		return small(v)
	}
	return number(v)
}

func perWatt(b *strings.Builder, which string, p *answer.PerWatt) {
	if p == nil {
		return
	}
	fmt.Fprintf(b, "kWh/Wp %s: %s", which, wattNumber(p.KWh))
	if !p.Low.Equal(p.KWh) || !p.High.Equal(p.KWh) {
		fmt.Fprintf(b, " (at least %s, at most %s)", wattNumber(p.Low), wattNumber(p.High))
	}
	b.WriteByte('\n')
}

func wattNumber(v kpi.Value) string {
	if v.Null {
		return "no bound"
	}
	return v.Num.Rat().FloatString(6)
}

func stepTable(b *strings.Builder, a *answer.LotAnswer, loc *time.Location) {
	cells := [][]string{{"step", "stage", "begin", "end", "own kWh", "in the lot", "kWh"}}
	for _, s := range a.Energy.Steps {
		cells = append(cells, []string{s.Step.ID, s.Step.Stage, wall(s.Step.From, loc), wall(s.Step.To, loc), energyNumber(s.Own.KWh),
			shareText(s.Share), shareOf(s.Own, s.Share)})
	}
	for _, o := range a.Energy.Openings {
		cells = append(cells, []string{o.ID, "from before the record", "", "", energyNumber(o.Own.KWh), shareText(o.Share), shareOf(o.Own, o.Share)})
	}
	b.WriteByte('\n')
	printAligned(b, cells)
}

// The answer as a script reads it.
type (
	amountObject struct {
		KWh  float64  `json:"kwh"`
		Low  float64  `json:"low"`
		High *float64 `json:"high"` // null: no bound
	}
	stageObject struct {
		Stage string `json:"stage"`
		amountObject
	}
	shareObject struct {
		ID    string       `json:"id"`
		Stage string       `json:"stage,omitempty"`
		Own   amountObject `json:"own"`
		Share float64      `json:"share"`
	}
	wattObject struct {
		KWh  *float64 `json:"kwh_per_wp"`
		Low  *float64 `json:"low"`
		High *float64 `json:"high"`
	}
	energyJSON struct {
		lotObject
		Policy   string        `json:"policy"`
		Horizon  time.Time     `json:"horizon"`
		Total    amountObject  `json:"total"`
		Stages   []stageObject `json:"stages"`
		Nominal  *wattObject   `json:"nominal"`
		Realised *wattObject   `json:"realised"`
		Steps    []shareObject `json:"steps,omitempty"`
		Openings []shareObject `json:"openings,omitempty"`
		Findings []noteObject  `json:"findings"`
	}
)

func amountJSON(e lots.Energy) amountObject {
	o := amountObject{KWh: e.KWh.Float(), Low: e.Low.Float()}
	if high := e.High.Float(); !e.Unbounded {
		o.High = &high
	}
	return o
}

func wattJSON(p *answer.PerWatt) *wattObject {
	if p == nil {
		return nil
	}
	value := func(v kpi.Value) *float64 {
		if f, ok := v.Float(); ok {
			return &f
		}
		return nil
	}
	return &wattObject{value(p.KWh), value(p.Low), value(p.High)}
}

func (c *lotsEnergy) object(a *answer.LotAnswer) energyJSON {
	e := a.Energy
	o := energyJSON{lotObject: lotOf(a.Question.ID, e.Lot), Policy: c.Policy, Horizon: a.Horizon.Time(), Total: amountJSON(e.Total),
		Stages: make([]stageObject, len(e.Stages)), Nominal: wattJSON(a.Nominal), Realised: wattJSON(a.Realised), Findings: notesOf(a.Findings)}
	for i, s := range e.Stages {
		o.Stages[i] = stageObject{s.Stage, amountJSON(s.Energy)}
	}
	if !c.Steps {
		return o
	}
	for _, s := range e.Steps {
		o.Steps = append(o.Steps, shareObject{s.Step.ID, s.Step.Stage, amountJSON(s.Own), s.Share})
	}
	for _, s := range e.Openings {
		o.Openings = append(o.Openings, shareObject{s.ID, "", amountJSON(s.Own), s.Share})
	}
	return o
}
