package agent

import (
	"slices"

	"kvarts/collector/status"
)

// View is the state of the collector now. It may be called while Run runs.
func (a *Agent) View() status.View {
	states, cfg := a.serverStates()
	v := status.View{Collector: cfg.Collector, Version: a.opts.Version, Started: a.started, Now: a.now().Time(), Samples: a.samples.Load(),
		Buffer: status.Buffer{Stat: a.log.Stat(), Dir: cfg.Buffer.Dir, DiskFull: a.holding.Load() > 0}, CertificateUntil: a.certificateUntil()}
	for _, w := range cfg.Warnings {
		v.Warnings = append(v.Warnings, w.Error())
	}
	v.Troubles = a.troubles.list()
	for i, s := range states {
		v.Servers = append(v.Servers, status.Server{ServerState: s, Endpoint: cfg.Servers[i].Endpoint})
	}
	a.mu.Lock()
	crews := slices.Clone(a.crews)
	a.mu.Unlock()
	for _, c := range crews {
		v.Workers = append(v.Workers, c.state())
	}
	for _, d := range a.forwards {
		v.Destinations = append(v.Destinations, status.Destination{URL: d.cfg.URL, State: d.fwd.Snapshot()})
	}
	v.Gaps, v.GapsTotal = a.ledger.gaps()
	q, err := a.quarantine.Stat()
	if err != nil {
		v.Troubles = append(v.Troubles, err.Error())
	}
	v.Quarantine = q
	return v
}
