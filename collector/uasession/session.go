package uasession

import (
	"context"

	"github.com/rs/zerolog"
)

// Session collects from one server.
type Session struct {
	cfg  ServerConfig
	sink Sink
	log  zerolog.Logger
}

// New makes a session; Run starts it.
func New(cfg ServerConfig, sink Sink, log zerolog.Logger) *Session {
	return &Session{cfg: cfg, sink: sink, log: log}
}

// Run collects until ctx is done, or the sink fails.
func (s *Session) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Apply changes what is collected; only the difference is sent to the server.
func (s *Session) Apply(ctx context.Context, groups []Group) error { return nil }
