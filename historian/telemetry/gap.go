package telemetry

import (
	"fmt"
	"time"
)

// Cause says why values are or may be missing: the loss ledger's vocabulary.
type Cause string

// The causes. Each is written where it is found, once, and never as a log line only.
const (
	CauseOverflow     Cause = "queue_overflow"   // the server dropped values of one item: overflow bit in the status
	CauseSequence     Cause = "sequence_gap"     // notification messages that could not be republished
	CauseSession      Cause = "session_lost"     // no subscription existed: outage, restart of server or collector
	CauseBufferLimit  Cause = "buffer_limit"     // the buffer's drop policy gave up values
	CauseBufferDamage Cause = "buffer_damage"    // records of the buffer failed their checksum
	CauseDecode       Cause = "decode_error"     // a message could not be decoded
	CauseClockJump    Cause = "clock_jump"       // the source's clock went backwards over times already used
	CauseSubTicks     Cause = "tick_exhausted"   // more than 100 different values within one tick of 100 ns
	CauseItem         Cause = "item_unavailable" // the server refused to monitor one node
	CauseStore        Cause = "store_refused"    // the quarantine's own limit gave up lines that the store refused
)

// GapMeasurement is the measurement of the loss ledger.
const GapMeasurement = "gap"

// Gap is one entry of the loss ledger: between From and To, both included, values of Server (of Unit or of Signal
// only, when they are set) are or may be missing.
//
// Times are source times where the loss has them, else the server's publish times; where a bound is in doubt a Gap is the
// wider one, to be sure to hold what was lost. That of an item that cannot be monitored reaches beyond the next try, so
// into the future, and is written anew with its true end when that is known: readers take the union of entries, up to now.
type Gap struct {
	Server string
	Group  string // subscription, when only one of the server's is concerned
	Series string // escaped series key (measurement and tags) when only one unit is concerned
	Signal string // field, when only one signal is concerned
	From   Instant
	To     Instant
	Cause  Cause
	Count  int64  // samples lost, -1 when unknown
	Detail string // for people: what was seen, with figures
	Closed string // how the loss was made good later ("history", "republish"), empty while it stands
}

// AppendLine appends g as one line of the measurement `gap`, newline included. The point's time is From, so that
// writing the same gap twice stores it once.
func (g *Gap) AppendLine(dst []byte) ([]byte, error) {
	tags := map[string]string{"server": g.Server, "cause": string(g.Cause)}
	for k, v := range map[string]string{"group": g.Group, "signal": g.Signal} {
		if v != "" {
			tags[k] = v
		}
	}
	if g.Series != "" {
		p, err := ParseLine([]byte(g.Series + " x=0i 0"))
		if err != nil {
			return dst, fmt.Errorf("gap of series %q: %w", g.Series, err)
		}
		tags["class"] = p.Measurement
		for _, t := range p.Tags {
			if t.Key == "site" || t.Key == "area" || t.Key == "line" || t.Key == "unit" {
				tags[t.Key] = t.Value
			}
		}
	}
	s, err := NewSeries(GapMeasurement, tags)
	if err != nil {
		return dst, fmt.Errorf("gap: %w", err)
	}
	l := NewLine(dst, s).Int("to", int64(g.To))
	if g.Count >= 0 {
		l = l.Int("count", g.Count)
	}
	return l.Text("series", g.Series).Text("detail", g.Detail).Text("closed", g.Closed).End(g.From), nil
}

// GapOf reads a gap back from its line.
func GapOf(p *Point) (Gap, error) {
	if p.Measurement != GapMeasurement {
		return Gap{}, fmt.Errorf("measurement %q is not %q", p.Measurement, GapMeasurement)
	}
	g := Gap{Server: p.Tag("server"), Group: p.Tag("group"), Signal: p.Tag("signal"), Cause: Cause(p.Tag("cause")), From: p.Time, Count: -1}
	for _, f := range p.Fields {
		switch f.Name {
		case "to":
			g.To = Instant(f.Value.Int())
		case "count":
			g.Count = f.Value.Int()
		case "series":
			g.Series = f.Value.Text()
		case "detail":
			g.Detail = f.Value.Text()
		case "closed":
			g.Closed = f.Value.Text()
		}
	}
	if g.To < g.From {
		return g, fmt.Errorf("gap ends at %s, before it begins at %s", g.To, g.From)
	}
	return g, nil
}

// Covers says that a sample of (server, series, signal) at t may be what g says is missing.
func (g *Gap) Covers(server, series, signal string, t Instant) bool {
	return g.Server == server && (g.Series == "" || g.Series == series) && (g.Signal == "" || g.Signal == signal) &&
		g.From <= t && t <= g.To
}

// Duration of the gap.
func (g *Gap) Duration() time.Duration { return g.To.Sub(g.From) }
