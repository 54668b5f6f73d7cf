package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"kvarts/historian/store"
)

type serveCmd struct {
	Data      string        `help:"Directory of the data; its layout is that of influxd 1.8. Created if missing." default:"kvarts-data" type:"path" env:"KVARTS_DATA"`
	Listen    string        `help:"Address to listen on; other than loopback needs tokens." default:"127.0.0.1:8086"`
	Database  string        `help:"Database that is created at the start." default:"kvarts"`
	Retention time.Duration `help:"How long points are kept; 0 for ever." default:"0s"`
	TokenFile string        `help:"Tokens that may use the store, one 'name read|write secret' a line; SIGHUP reads it again." type:"existingfile"`
	TLSCert   string        `help:"Certificate (PEM) for https." type:"existingfile"`
	TLSKey    string        `help:"Key of the certificate (PEM)." type:"existingfile"`
	JSON      bool          `help:"Log as JSON lines, also on a terminal."`
}

func (c *serveCmd) Run(ctx context.Context) error {
	log := zerolog.New(os.Stderr).With().Timestamp().Logger()
	if !c.JSON && term.IsTerminal(int(os.Stderr.Fd())) {
		log = log.Output(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.RFC3339})
	}
	s, err := store.Open(ctx, store.Options{Dir: c.Data, Addr: c.Listen, Database: c.Database, Retention: c.Retention, TokenFile: c.TokenFile,
		CertFile: c.TLSCert, KeyFile: c.TLSKey, Logger: log})
	if err != nil {
		return err
	}
	log.Info().Str("url", s.URL()).Str("data", c.Data).Str("database", c.Database).Msg("store is open")
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-hup:
			if err := s.ReloadTokens(); err != nil {
				log.Error().Err(err).Msg("tokens not read again: those in use stay")
				continue
			}
			log.Info().Msg("tokens read again")
			continue
		case <-ctx.Done():
			log.Info().Msg("closing")
		case <-s.Failed():
		}
		if err := s.Close(); err != nil {
			return fmt.Errorf("close store: %w", err)
		}
		return nil
	}
}
