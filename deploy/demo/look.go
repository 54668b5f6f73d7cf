package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kvarts/historian/answer"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/influx"
	"kvarts/historian/kpi"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// picture is what the record says of the plant at one moment.
type picture struct {
	units  []unitLine
	stages []stageLine
	chain  kpi.Value // kWh/W from the first stage to the last
	oee    kpi.Value // of the plant, the last day
	week   []unitLine
	alarms []string
	err    error // why there is nothing newer
}

// unitLine is one machine.
type unitLine struct {
	id       string
	category plant.Category // now
	reason   string
	day      kpi.Value // OEE of the last day
	// Of the last week:
	oee       kpi.Value
	a, p, q   kpi.Value
	low, high kpi.Value
	share     [parts]float64 // of planned time
	why       string         // there is no OEE
}

// Parts of planned time, as the bar shows them.
const (
	good = iota
	defects
	slow
	down
	unknown
	parts
)

// stageLine is one stage of the chain in the last week.
type stageLine struct {
	name       string
	perWatt    kpi.Value
	perGood    kpi.Value
	good       kpi.Value
	unit       string
	cumulative kpi.Value
}

// looker asks the store as a panel would.
type looker struct {
	engine *answer.Engine
	client *influx.Client
	model  *plant.Model
}

// look makes a picture; what is of a week only when it is due, else it is that of before.
func (l *looker) look(ctx context.Context, before *picture, week bool) *picture {
	out := &picture{chain: kpi.Value{Null: true}}
	if before != nil {
		out.week, out.stages, out.chain = before.week, before.stages, before.chain
	}
	var steps []func(context.Context, *picture) error
	if week {
		steps = append(steps, l.week, l.energy)
	}
	steps = append(steps, l.day, l.states, l.limits)
	for _, step := range steps {
		if err := step(ctx, out); err != nil {
			if before != nil {
				again := *before
				again.err = err
				return &again
			}
			out.err = err
			return out
		}
	}
	return out
}

// losses asks for OEE and losses of each machine and of the plant in so many days until now.
func (l *looker) losses(ctx context.Context, days int, each func(r *answer.Row)) error {
	now := telemetry.Now()
	a, err := l.engine.Ask(ctx, answer.Question{
		Kind: answer.Losses, Target: answer.Target{Level: answer.Plant}, Each: []answer.Level{answer.Unit},
		Window: calendar.Interval{From: now.Add(-time.Duration(days) * 24 * time.Hour), To: now},
	})
	if err != nil {
		return fmt.Errorf("ask for effectiveness: %w", err)
	}
	for i := range a.Rows {
		each(&a.Rows[i])
	}
	return nil
}

// week is OEE and losses of each machine in the last week.
func (l *looker) week(ctx context.Context, out *picture) error {
	return l.losses(ctx, pastDays, func(r *answer.Row) {
		u, ok := l.model.Unit(r.Subject.ID)
		if r.Subject.Level != answer.Unit || !ok || u.Class.State == nil { // a meter has no state
			return
		}
		get := r.Result.Get
		out.week = append(out.week, unitLine{
			id: u.ID, oee: get(kpi.OEE), a: get(kpi.Availability), p: get(kpi.Performance), q: get(kpi.Quality),
			low: get(kpi.OEELow), high: get(kpi.OEEHigh), why: string(r.Result.Reason()), share: shares(&r.Losses),
		})
	})
}

// day is OEE of each machine in the last day.
func (l *looker) day(ctx context.Context, out *picture) error {
	oee := map[string]kpi.Value{}
	err := l.losses(ctx, 1, func(r *answer.Row) {
		if r.Subject.Level == answer.Plant {
			out.oee = r.Result.Get(kpi.OEE)
		}
		oee[r.Subject.ID] = r.Result.Get(kpi.OEE)
	})
	week := map[string]*unitLine{}
	for i := range out.week {
		week[out.week[i].id] = &out.week[i]
	}
	for _, u := range l.model.Units {
		if u.Class.State == nil {
			continue // a meter
		}
		line := unknownLine(u.ID)
		if w := week[u.ID]; w != nil {
			line = *w
		}
		line.day = oee[u.ID]
		out.units = append(out.units, line)
	}
	return err
}

// unknownLine is a machine of which nothing was asked yet.
func unknownLine(id string) unitLine {
	null := kpi.Value{Null: true}
	return unitLine{id: id, oee: null, a: null, p: null, q: null, low: null, high: null}
}

// shares divides planned time.
func shares(w *kpi.Waterfall) (out [parts]float64) {
	var sums [parts]exact.Num
	planned := w.Good
	sums[good] = w.Good
	for _, l := range w.Losses {
		var part int
		switch l.Kind {
		case kpi.OutOfSchedule, kpi.PlannedStops:
			continue
		case kpi.Breakdowns, kpi.SetUps, kpi.Idling, kpi.EngineeringUse:
			part = down
		case kpi.MinorStops, kpi.ReducedSpeed:
			part = slow
		case kpi.Defects:
			part = defects
		default:
			part = unknown
		}
		sums[part] = sums[part].Add(l.Time)
		planned = planned.Add(l.Time)
	}
	if planned.Sign() <= 0 {
		return out
	}
	for i := range sums {
		out[i] = sums[i].Quo(planned).Float()
	}
	return out
}

// energy is kWh/W by stage in the last week.
func (l *looker) energy(ctx context.Context, out *picture) error {
	now := telemetry.Now()
	a, err := l.engine.Ask(ctx, answer.Question{
		Kind: answer.Energy, Target: answer.Target{Level: answer.Chain}, Each: []answer.Level{answer.Stage},
		Window: calendar.Interval{From: now.Add(-pastDays * 24 * time.Hour), To: now},
	})
	if err != nil {
		return fmt.Errorf("ask for energy: %w", err)
	}
	out.stages, out.chain = nil, kpi.Value{Null: true}
	for i := range a.Rows {
		r := &a.Rows[i]
		switch {
		case r.Energy == nil:
		case r.Subject.Level == answer.Chain && r.Energy.Chain != nil:
			out.chain = kpi.Value{Num: r.Energy.Chain.PerWatt()}
		case r.Subject.Level == answer.Stage:
			s := stageLine{name: r.Subject.ID, perGood: r.Energy.Whole.Get(kpi.EnergyPerGood), good: r.Energy.Whole.Get(kpi.PiecesGood), perWatt: kpi.Value{Null: true}, cumulative: kpi.Value{Null: true}}
			if st, ok := l.model.Stage(s.name); ok {
				s.unit = st.Output
			}
			if c := r.Energy.Stage; c != nil {
				s.perWatt, s.cumulative = kpi.Value{Num: c.PerWatt}, kpi.Value{Num: c.Cumulative}
			}
			out.stages = append(out.stages, s)
		}
	}
	return nil
}

// states is what the machines do now.
func (l *looker) states(ctx context.Context, out *picture) error {
	codes := map[string]string{}
	for _, c := range l.model.Classes {
		if c.State == nil {
			continue
		}
		err := l.last(ctx, c, c.State.Name, 0, func(unit string, v influx.Value) { codes[unit] = v.String() })
		if err != nil {
			return fmt.Errorf("ask for the states of %s: %w", c.Name, err)
		}
	}
	for i := range out.units {
		line := &out.units[i]
		u, _ := l.model.Unit(line.id)
		line.category = plant.Unknown
		if states, ok := u.States.At(telemetry.Now()); ok {
			if m, ok := states[codes[line.id]]; ok {
				line.category, line.reason = m.Category, m.Reason
			}
		}
		if line.category == plant.Stop {
			text := line.id + " has stopped"
			if line.reason != "" && line.reason != codes[line.id] {
				text += ": " + line.reason
			}
			out.alarms = append(out.alarms, text)
		}
	}
	return nil
}

// limits is which signals are beyond what the model says.
func (l *looker) limits(ctx context.Context, out *picture) error {
	for i := range l.model.Limits {
		m := &l.model.Limits[i]
		c, ok := l.model.Class(m.Class)
		if m.Signal == "" || !ok {
			continue
		}
		err := l.last(ctx, c, m.Signal, time.Minute, func(unit string, v influx.Value) {
			f, isNumber := v.Float()
			above := m.Above != nil && f > m.Above.Float()
			if isNumber && slices.Contains(m.Units, unit) && (above || m.Below != nil && f < m.Below.Float()) {
				out.alarms = append(out.alarms, fmt.Sprintf("%s %s %.4g: %s", unit, m.Signal, f, m.Text))
			}
		})
		if err != nil {
			return fmt.Errorf("ask for %s of %s: %w", m.Signal, c.Name, err)
		}
	}
	return nil
}

// last asks for the newest value of a signal in each unit, of the last while or of all time.
func (l *looker) last(ctx context.Context, c *plant.Class, signal string, within time.Duration, each func(unit string, v influx.Value)) error {
	field, err := influx.Ident(signal)
	if err != nil {
		return err
	}
	from, err := influx.Ident(c.Name)
	if err != nil {
		return err
	}
	text := "SELECT last(" + field + ") FROM " + from
	if within > 0 {
		text += fmt.Sprintf(" WHERE time > now() - %ds", int(within.Seconds()))
	}
	return l.client.Query(ctx, influx.Query{Text: text + ` GROUP BY "unit"`}, func(r influx.Row) error {
		if len(r.Values) > 1 {
			each(r.Tag("unit"), r.Values[1])
		}
		return nil
	})
}
