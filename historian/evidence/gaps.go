package evidence

import (
	"strconv"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// longestGap is how long before a window a gap that reaches into it can have begun. A gap is written by one session or one
// sweep of a buffer; a gateway that is off for longer than this has no proofs of life either.
const longestGap = 100 * 24 * time.Hour

// What gapOf reads of a gap.
const (
	gapColumns = `"to", "count", closed`
	gapGroups  = ` GROUP BY "server", "unit", "signal", "cause"`
)

// askGaps asks for the gaps of the loss ledger that meet v and may concern the unit.
func (g *gathering) askGaps(a *ask, v calendar.Interval) {
	s := "SELECT " + gapColumns + " FROM " + telemetry.GapMeasurement + ` WHERE ("unit" = $unit OR "unit" = '')` +
		during(calendar.Interval{From: v.From.Add(-longestGap), To: min(v.To, g.horizon+1)}) +
		` AND "to" >= ` + strconv.FormatInt(int64(v.From), 10) + gapGroups
	var got []telemetry.Gap
	a.add(s, func(r *influx.Row) error {
		gap, unit, ok := gapOf(r)
		if ok && g.concerns(&gap, unit) {
			got = append(got, gap)
		}
		return nil
	}, func() { g.gaps = got })
}

// warn asks for the gaps that meet v besides those that are known.
func (g *gathering) warn(a *ask, v calendar.Interval) {
	if need := hull(g.warned, v); need != g.warned {
		g.warned = need
		g.askGaps(a, need)
	}
}

// gapOf reads a row; ok is false for a gap that was closed, which is none any more.
func gapOf(r *influx.Row) (gap telemetry.Gap, unit string, ok bool) {
	at, _ := r.Time()
	to, hasEnd := r.Values[1].Int()
	count, counted := r.Values[2].Int()
	if !counted {
		count = -1
	}
	closed, _ := r.Values[3].Text()
	gap = telemetry.Gap{Server: r.Tag("server"), Signal: r.Tag("signal"), Cause: telemetry.Cause(r.Tag("cause")), From: at, To: telemetry.Instant(to), Count: count}
	return gap, r.Tag("unit"), hasEnd && closed == "" && gap.To >= gap.From
}

// concerns says that values of the unit may be what the gap says is missing: it names the unit, or the server that feeds
// it. Of a unit whose model names no server, every gap may be that of a server which no other unit has.
func (g *gathering) concerns(gap *telemetry.Gap, unit string) bool {
	if unit != "" {
		return unit == g.unit
	}
	for _, e := range g.eras {
		if e.unit == nil || e.To <= gap.From || e.From > gap.To && e.From != g.eras[0].From {
			continue
		}
		if e.unit.Server == gap.Server || e.unit.Server == "" && !e.feeds(gap.Server) {
			return true
		}
	}
	return false
}

// feeds says that the model knows a unit of the server.
func (e *era) feeds(server string) bool {
	for _, u := range e.version.Model.Units {
		if u.Server == server {
			return true
		}
	}
	return false
}

// about says that the gap is about the signal of the role: about all signals of the unit, or this one.
func (g *gathering) about(gap *telemetry.Gap, r role) bool {
	if gap.Signal == "" {
		return true
	}
	if g.tracks[r] == nil {
		return false
	}
	for i := range g.tracks[r].channels {
		c := &g.tracks[r].channels[i]
		if c.field == gap.Signal && c.From <= gap.To && gap.From < c.To {
			return true
		}
	}
	return false
}

// renews says that after a gap of the cause the present values came anew, so that the last one of each signal is true again.
func renews(cause telemetry.Cause) bool {
	return cause == telemetry.CauseSession || cause == telemetry.CauseItem
}
