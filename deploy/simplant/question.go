package main

import (
	"fmt"
	"slices"

	"kvarts/deploy/simplant/truth"
	"kvarts/deploy/simplant/truth/contract"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// target is what is asked of, as in CONFORMANCE.md; the plant is all units but meters.
type target struct {
	Unit  string `json:"unit,omitempty"`
	Line  string `json:"line,omitempty"`
	Plant bool   `json:"plant,omitempty"`
}

// part is a part of the run.
type part struct {
	Kind string // run, served, shift or day
	Name string // of the shift with its day, or of the plant day
	calendar.Interval
	Cut bool // of the shift or day only this part is in the run
}

// question is asked of a target in a part of the run.
type question struct {
	target
	part
}

// questions are of each unit, each line and the plant: of all the run, since it is served, of each shift and of each plant day.
func questions(m *plant.Model, run calendar.Interval, served telemetry.Instant) []question {
	var out []question
	add := func(x target, units ...string) {
		for _, p := range parts(run, served, dividing(m, units)) {
			out = append(out, question{x, p})
		}
	}
	all := make([]string, len(m.Units))
	for i, u := range m.Units {
		all[i] = u.ID
		add(target{Unit: u.ID}, u.ID)
	}
	for _, l := range m.Lines {
		var units []string
		for unit := range l.UnitSeconds {
			units = append(units, unit)
		}
		add(target{Line: l.ID}, units...)
	}
	add(target{Plant: true}, all...)
	return out
}

// dividing are the rules that divide the time of units: those of their calendar where they share one, else of the model's first
// one, as historian kpi has it.
func dividing(m *plant.Model, units []string) *calendar.Rules {
	first, _ := m.Unit(units[0]) // a checked model has them
	for _, id := range units {
		if u, _ := m.Unit(id); u.Calendar != first.Calendar {
			return m.Calendars[0].Rules
		}
	}
	c, _ := m.Calendar(first.Calendar)
	return c.Rules
}

// parts divide a run by rules.
func parts(run calendar.Interval, served telemetry.Instant, rules *calendar.Rules) []part {
	out := []part{{Kind: "run", Interval: run}}
	if run.From < served && served < run.To {
		out = append(out, part{Kind: "served", Interval: calendar.Interval{From: served, To: run.To}})
	}
	add := func(kind, name string, whole calendar.Interval) {
		if v := whole.Meet(run); !v.Empty() {
			out = append(out, part{Kind: kind, Name: name, Interval: v, Cut: v != whole})
		}
	}
	for _, s := range rules.ShiftsIn(run) {
		add("shift", s.Day.String()+" "+s.Name, s.Interval)
	}
	for _, d := range rules.Days(run) {
		add("day", d.Name, d.Interval)
	}
	return slices.Compact(out)
}

// query is the question in the contract's terms; its name is unique among those of a target.
func (q *question) query(a *truth.Answers) contract.Query {
	var out contract.Query
	switch {
	case q.Unit != "":
		out = truth.UnitQuery(q.Unit, q.Interval)
	case q.Line != "":
		out = truth.LineQuery(q.Line, q.Interval)
	default:
		out = a.PlantQuery(q.Interval)
	}
	out.Name = fmt.Sprintf("%s %s %s", q.Kind, q.Name, q.Interval)
	return out
}
