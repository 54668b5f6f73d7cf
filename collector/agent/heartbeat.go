package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kvarts/collector/buffer"
	"kvarts/collector/config"
	"kvarts/collector/uasession"
	"kvarts/historian/telemetry"
)

// heartbeatEvery is the interval of the measurements `collector` and `alive`; a proof of life covers the interval
// that ends with it.
const heartbeatEvery = 10 * time.Second

// Measurements that the collector writes about itself and its units.
const (
	collectorMeasurement = "collector"
	aliveMeasurement     = "alive"
)

// heartbeat writes the state of every server and the proof of life of every unit, on the grid of heartbeatEvery.
func (a *Agent) heartbeat(ctx context.Context) error {
	for {
		now := a.now()
		next := heartbeatEvery - time.Duration(now)%heartbeatEvery
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(next):
		}
		at := a.now()
		at -= at % telemetry.Instant(heartbeatEvery)
		states, cfg := a.serverStates()
		lines, n, err := a.heartbeatLines(at, states, cfg)
		if err != nil {
			return fmt.Errorf("heartbeat: %w", err)
		}
		a.ledger.retry()
		switch _, err := a.ledger.append(lines, n, at, at); {
		case errors.Is(err, buffer.ErrFailed):
			return fatal(fmt.Errorf("heartbeat: %w", err))
		case err != nil:
			// A full buffer or disk: the page shows it, and the next beat tries again.
			a.events.Debug().Err(err).Msg("heartbeat not stored")
		}
	}
}

func (a *Agent) heartbeatLines(at telemetry.Instant, states []uasession.ServerState, cfg *config.Config) (lines []byte, n uint32, err error) {
	stat := a.log.Stat()
	var records uint64
	for _, d := range a.forwards {
		records = max(records, d.fwd.Snapshot().Records)
	}
	for _, s := range states {
		series, err := telemetry.NewSeries(collectorMeasurement, map[string]string{"collector": cfg.Collector, "server": s.Server})
		if err != nil {
			return nil, 0, err
		}
		l := telemetry.NewLine(lines, series).
			Bool("connected", s.Connected).
			Int("queue_records", int64(records)).
			Int("buffer_bytes", stat.Bytes).
			Float("buffer_age_s", age(at, stat.Oldest)).
			Float("clock_offset_s", s.ClockOffset.Seconds()).
			Int("uptime_s", int64(time.Since(a.started).Seconds())).
			Text("version", a.opts.Version)
		if s.LastValue != 0 {
			l = l.Float("lag_s", age(at, s.LastValue))
		}
		if until := a.certificateUntil(); !until.IsZero() {
			l = l.Int("certificate_days_left", int64(time.Until(until).Hours()/24))
		}
		lines = l.End(at)
		n++
	}
	alive, k, err := aliveLines(at, states, cfg)
	return append(lines, alive...), n + k, err
}

func age(now, then telemetry.Instant) float64 {
	if then == 0 {
		return 0
	}
	return max(0, now.Sub(then).Seconds())
}

func (a *Agent) certificateUntil() time.Time {
	if a.opts.CertificateUntil == nil {
		return time.Time{}
	}
	return a.opts.CertificateUntil()
}

// unitTags are the tags that say which unit a series belongs to.
var unitTags = []string{"site", "area", "line", "unit"}

// aliveLines says of each unit whether every server that feeds it showed life in the interval that ends at.
func aliveLines(at telemetry.Instant, states []uasession.ServerState, cfg *config.Config) (lines []byte, n uint32, err error) {
	type unit struct {
		tags  map[string]string
		alive bool
	}
	units := map[string]*unit{}
	var order []string
	for i := range cfg.Servers {
		srv := &cfg.Servers[i]
		for _, g := range srv.Groups {
			lives := lives(states, srv.Name, g.Name, at)
			for _, node := range g.Nodes {
				tags := map[string]string{}
				var key strings.Builder
				for _, t := range unitTags {
					if v := node.Tags[t]; v != "" {
						tags[t] = v
						fmt.Fprintf(&key, "%s=%q ", t, v)
					}
				}
				if tags["unit"] == "" {
					continue
				}
				u := units[key.String()]
				if u == nil {
					u = &unit{tags: tags, alive: true}
					units[key.String()] = u
					order = append(order, key.String())
				}
				u.alive = u.alive && lives
			}
		}
	}
	slices.Sort(order)
	for _, k := range order {
		series, err := telemetry.NewSeries(aliveMeasurement, units[k].tags)
		if err != nil {
			return nil, 0, err
		}
		lines = telemetry.NewLine(lines, series).Bool("alive", units[k].alive).End(at)
		n++
	}
	return lines, n, nil
}

// statesLate is how much older than its signs of life a state is when it gets here.
const statesLate = 2 * time.Second

// lives says that the group's subscription exists and was heard of in the interval that ends at. One that the server
// shows alive less often (a publishing interval or a revised keep-alive of more than the interval) lives as long as it is
// not overdue: that is also when its session gives it up.
func lives(states []uasession.ServerState, server, group string, at telemetry.Instant) bool {
	for i := range states {
		if states[i].Server != server || !states[i].Connected {
			continue
		}
		for _, g := range states[i].Groups {
			if g.Name == group {
				window := max(heartbeatEvery, max(g.KeepAlive, g.Publishing)+statesLate)
				return g.ID != 0 && g.LastSeen >= at.Add(-window)
			}
		}
	}
	return false
}
