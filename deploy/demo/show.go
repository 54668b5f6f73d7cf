package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"kvarts/collector/status"
	"kvarts/deploy/e2e/oracle"
	"kvarts/deploy/simplant/machine"
	"kvarts/historian/telemetry"
)

// Built-in types of OPC UA (Part 6 §5.1.2) as node ids of namespace 0.
const (
	floatType  = 10
	doubleType = 11
	stringType = 12
)

// typeOf is the field type that a signal's data type gives.
func typeOf(s machine.Signal) telemetry.Type {
	switch s.DataType {
	case doubleType, floatType:
		return telemetry.Float
	case stringType:
		return telemetry.String
	default:
		return telemetry.Int
	}
}

const (
	refreshEvery = time.Second
	plainEvery   = 5 * time.Second // without a terminal
)

// show prints the table until ctx ends: redrawn in place on a terminal, a line now and then elsewhere.
func (p *plant) show(ctx context.Context, out io.Writer, terminal bool) {
	p.next(out)
	every := refreshEvery
	if !terminal {
		every = plainEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	before, lines := p.agent.View(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		v := p.agent.View()
		if terminal {
			if lines > 0 {
				fmt.Fprintf(out, "\x1b[%dA", lines)
			}
			t := table(&v, &before)
			lines = strings.Count(t, "\n")
			fmt.Fprint(out, strings.ReplaceAll(t, "\n", "\x1b[K\n"))
		} else {
			fmt.Fprintln(out, line(&v, &before))
		}
		before = v
	}
}

// next says where to look.
func (p *plant) next(out io.Writer) {
	fmt.Fprintf(out, `Two machines are collected into the embedded store.

  status page    http://%s/
  ask the store  go run ./historian query --url %s 'SELECT last(wire_speed_m_per_s) FROM wire_saw GROUP BY unit'
  explain it     go run ./historian kpi oee --url %s --each unit --from now-5m
  configuration  %s
  look around    go run ./collector browse %s

Ctrl-C stops and settles the books.

`, p.status, p.store.URL(), p.store.URL(), p.config, p.machines[0].srv.Endpoint())
}

func table(v, before *status.View) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-10s %-10s %12s %10s %8s %8s\n", "MACHINE", "STATE", "VALUES", "VALUES/S", "TAGS", "LAG")
	for i, s := range v.Servers {
		fmt.Fprintf(&b, "%-10s %-10s %12d %10.1f %8d %8s\n", s.Server, s.State, s.Counters.Values, rate(s.Counters.Values, before.Servers[i].Counters.Values, v, before), s.ItemsOK, lag(v.Now, s.LastValue))
	}
	for i, d := range v.Destinations {
		fmt.Fprintf(&b, "%-10s %-10s %12d %10.1f %8s %8s\n", d.Name, "delivered", d.Totals.Lines, rate(d.Totals.Lines, before.Destinations[i].Totals.Lines, v, before), "", "")
		fmt.Fprintf(&b, "queue %d records, %d bytes on disk, quarantine %d, gaps %d\n", d.Records, v.Buffer.Bytes, v.Quarantine.Entries, v.GapsTotal)
	}
	return b.String()
}

func line(v, before *status.View) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", v.Now.Format(time.TimeOnly))
	for i, s := range v.Servers {
		fmt.Fprintf(&b, "  %s %s: %d values, %.0f/s, lag %s", s.Server, s.State, s.Counters.Values, rate(s.Counters.Values, before.Servers[i].Counters.Values, v, before), lag(v.Now, s.LastValue))
	}
	for _, d := range v.Destinations {
		fmt.Fprintf(&b, "  delivered %d, queue %d", d.Totals.Lines, d.Records)
	}
	fmt.Fprintf(&b, ", gaps %d", v.GapsTotal)
	return b.String()
}

func rate(now, before uint64, v, w *status.View) float64 {
	if dt := v.Now.Sub(w.Now).Seconds(); dt > 0 && now >= before {
		return float64(now-before) / dt
	}
	return 0
}

func lag(now time.Time, last telemetry.Instant) string {
	if last == 0 {
		return "-"
	}
	return max(0, now.Sub(last.Time())).Round(10 * time.Millisecond).String()
}

// books is the demo's result.
type books struct{ oracle.Account }

func (b *books) print(out io.Writer) {
	fmt.Fprintf(out, "\nThe machines made %d samples: %d in the store, %d in quarantine, %d in the loss ledger (%d gaps), %d unaccounted for.\n",
		b.Generated, b.Stored, b.Quarantined, b.Ledgered, b.Gaps, b.Missing)
	if b.Extra > 0 {
		fmt.Fprintf(out, "%d points are in the store that no machine made.\n", b.Extra)
	}
	for _, e := range b.Examples {
		fmt.Fprintln(out, " ", e)
	}
}
