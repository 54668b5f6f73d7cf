package agent

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"kvarts/collector/config"
	"kvarts/collector/uasession"
	"kvarts/collector/worker"
)

// Reload takes a new configuration text. Servers and their groups change at once, and only they: for the rest it
// returns what needs a restart. A text with mistakes changes nothing.
func (a *Agent) Reload(ctx context.Context, text []byte) (needRestart []string, err error) {
	cfg, err := config.Parse(a.opts.File, text)
	if err != nil {
		return nil, err
	}
	needRestart, living, err := a.adopt(cfg, text)
	if err != nil {
		return nil, err
	}
	for _, c := range living {
		// A worker that is just dying cannot be told; the next one is told anyway.
		if err := c.tell(ctx); isFatal(err) {
			return needRestart, err
		}
	}
	return needRestart, ctx.Err()
}

// adopt puts cfg in force and gives every server a crew. It returns the crews, whose workers are to be told.
func (a *Agent) adopt(cfg *config.Config, text []byte) (needRestart []string, living []*crew, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping {
		return nil, nil, errors.New("the collector is stopping")
	}
	diff := config.Diff(a.cfg, cfg)
	needRestart = diff.Restart
	if len(diff.Destinations) > 0 {
		needRestart = append(needRestart, "destinations")
	}
	if diff.Log {
		needRestart = append(needRestart, "log")
	}
	// What runs keeps the sections that cannot change while it runs.
	cfg.Collector, cfg.Buffer, cfg.Destinations, cfg.Status, cfg.PKI, cfg.Log = a.cfg.Collector, a.cfg.Buffer, a.cfg.Destinations, a.cfg.Status, a.cfg.PKI, a.cfg.Log
	a.cfg, a.text = cfg, text
	a.version++
	want := serverNames(cfg)
	for s := range a.states {
		if !slices.Contains(want, s) {
			delete(a.states, s)
		}
	}
	a.memories.only(want)
	if a.running != nil {
		a.assign(want)
	}
	return needRestart, slices.Clone(a.crews), nil
}

// assign makes the crews have exactly the servers want. A server stays where it is; new ones join the largest crew whose
// worker has not died lately, so that they do not share one with a server that ends it. a.mu is held.
func (a *Agent) assign(want []string) {
	added := slices.Clone(want)
	a.crews = slices.DeleteFunc(a.crews, func(c *crew) bool {
		keep := slices.DeleteFunc(slices.Clone(c.names()), func(s string) bool { return !slices.Contains(want, s) })
		added = slices.DeleteFunc(added, func(s string) bool { return slices.Contains(keep, s) })
		c.assign(keep)
		if len(keep) == 0 {
			c.cancel()
		}
		return len(keep) == 0
	})
	if len(added) == 0 {
		return
	}
	var best *crew
	for _, c := range a.crews {
		if c.steady() && (best == nil || len(c.names()) > len(best.names())) {
			best = c
		}
	}
	if best == nil {
		a.addCrew(added, nil)
		return
	}
	best.assign(slices.Sorted(slices.Values(append(added, best.names()...))))
}

// setup is what the worker of c is to collect now, and the version of that.
func (a *Agent) setup(c *crew) (worker.Setup, uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return worker.Setup{File: a.opts.File, Text: a.text, Servers: c.names(), PKI: a.cfg.PKI.Dir}, a.version
}

// setStates takes what a worker says of its servers.
func (a *Agent) setStates(states []uasession.ServerState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range states {
		if a.configured(s.Server) {
			a.states[s.Server] = s
		}
	}
}

func (a *Agent) configured(server string) bool {
	return slices.ContainsFunc(a.cfg.Servers, func(s config.Server) bool { return s.Name == server })
}

// disconnected marks servers whose worker is gone.
func (a *Agent) disconnected(servers []string, why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range servers {
		if !a.configured(name) {
			continue
		}
		s := a.states[name]
		s.Server, s.Connected, s.State, s.Since, s.Text = name, false, uasession.StateWaiting, time.Now(), why
		a.states[name] = s
	}
}

// serverStates returns the newest state of each configured server, in the order of the configuration.
func (a *Agent) serverStates() ([]uasession.ServerState, *config.Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := maps.Clone(a.states)
	out := make([]uasession.ServerState, len(a.cfg.Servers))
	for i, s := range a.cfg.Servers {
		st, ok := all[s.Name]
		if !ok {
			st = uasession.ServerState{Server: s.Name, State: uasession.StateConnecting, Since: a.started, Text: "starting"}
		}
		out[i] = st
	}
	return out, a.cfg
}
