package worker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"kvarts/collector/config"
	"kvarts/collector/pki"
	"kvarts/collector/uasession"
)

// incomplete says that a server of the setup could not be started.
func (w *worker) incomplete() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.setup.Servers, func(s string) bool { return w.feeds[s] == nil })
}

// apply makes the running sessions those of s; it leaves alone what has not changed. Without reload it only starts what
// could not be started before.
func (w *worker) apply(ctx context.Context, s *Setup, reload bool) error {
	cfg, err := config.Parse(s.File, s.Text)
	if err != nil {
		return fmt.Errorf("worker: configuration that the parent accepted: %w", err)
	}
	certs, err := pki.Open(s.PKI)
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	servers := map[string]*config.Server{}
	secrets := map[string]string{}
	for i := range cfg.Servers {
		srv := &cfg.Servers[i]
		if !slices.Contains(s.Servers, srv.Name) {
			continue
		}
		if secrets[srv.Name], err = srv.Auth.Secret(); err != nil {
			w.blocked(srv.Name, err) // it stops only itself
			continue
		}
		servers[srv.Name] = srv
	}
	if reload {
		w.closeFeeds(s, servers, secrets)
		w.pinConfigured(cfg)
	}
	begin := map[string]*feed{}
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		w.mu.Lock()
		f := w.feeds[name]
		w.mu.Unlock()
		switch {
		case f == nil:
			begin[name], err = w.prepare(servers[name])
		case reload:
			err = f.apply(ctx, *servers[name])
		}
		if err != nil {
			return err
		}
	}
	for name, f := range begin { // all types are pinned by now
		f.secret = secrets[name]
		if err := w.start(f, certs, s); err != nil {
			return err
		}
	}
	return nil
}

// blocked shows why a server is not being collected from.
func (w *worker) blocked(server string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.feeds[server] != nil {
		return // it lives on with what it knows
	}
	old := w.states[server]
	if old.LastError != err.Error() {
		w.o.Log.Error().Err(err).Str("server", server).Msg("not collected")
		old.Since = time.Now()
	}
	w.states[server] = uasession.ServerState{Server: server, State: uasession.StateWaiting, Since: old.Since, Text: "its configuration cannot be used",
		LastError: err.Error(), LastErrorTime: time.Now()}
	w.changed = true
}

// closeFeeds ends the sessions that are not wanted any more or not in this way. What it knows of the tags of the latter
// stays for the session that takes the place.
func (w *worker) closeFeeds(s *Setup, servers map[string]*config.Server, secrets map[string]string) {
	for _, f := range w.running() {
		srv, secret := servers[f.name], secrets[f.name]
		wanted := slices.Contains(s.Servers, f.name)
		if wanted && (srv == nil || sameSession(&f.server, srv) && f.secret == secret) {
			continue
		}
		f.close()
		w.mu.Lock()
		delete(w.feeds, f.name)
		delete(w.known, f.name)
		if wanted {
			w.restored[f.name] = f.takeTracks()
		} else {
			delete(w.states, f.name)
		}
		w.mu.Unlock()
	}
}

func (w *worker) running() []*feed {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.feeds))
}

// prepare makes the feed of a server, with its tracks, and takes over their types.
func (w *worker) prepare(srv *config.Server) (*feed, error) {
	w.mu.Lock()
	tracks := w.restored[srv.Name]
	delete(w.restored, srv.Name)
	w.mu.Unlock()
	if tracks == nil {
		tracks = &Tracks{Server: srv.Name}
	}
	groups, err := sessionGroups(srv)
	if err != nil {
		return nil, err
	}
	w.pinRestored(groups, tracks)
	return newFeed(w, *srv, tracks)
}

func (w *worker) start(f *feed, certs *pki.Store, s *Setup) error {
	cfg, err := sessionConfig(&f.server, f.secret, certs.Peer(f.server.ServerCertificate), s.Resume[f.name])
	if err != nil {
		return err
	}
	if !w.begun[f.name] {
		w.begun[f.name] = true
		cfg.Estate, cfg.Next = s.Estates[f.name], s.Next[f.name]
	}
	cfg.Pin = f.pin
	f.session = uasession.New(cfg, f, w.o.Log.With().Str("server", f.name).Logger())
	ctx, cancel := context.WithCancel(w.sessionsCtx)
	f.cancel, f.ended = cancel, make(chan struct{})
	w.mu.Lock()
	w.feeds[f.name] = f
	w.mu.Unlock()
	w.sessions.Go(func() error {
		defer close(f.ended)
		if err := f.session.Run(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("collect from %s: %w", f.name, err)
		}
		return nil
	})
	return nil
}
