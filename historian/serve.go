package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"kvarts/historian/influx"
	"kvarts/historian/keeper"
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
	Ledger    bool          `help:"Keep the ledger of this store too, as historian ledger does."`
}

func (c *serveCmd) Run(ctx context.Context) error {
	log := newLog(c.JSON)
	o := store.Options{Dir: c.Data, Addr: c.Listen, Database: c.Database, Retention: c.Retention, TokenFile: c.TokenFile,
		CertFile: c.TLSCert, KeyFile: c.TLSKey, Logger: log}
	secret := ""
	if c.Ledger && c.TokenFile != "" { // where nobody needs a token, one for the ledger would make everybody need one
		secret = store.NewSecret()
		o.Tokens = []store.Token{{Name: "ledger of this process", Secret: secret}}
	}
	s, err := store.Open(ctx, o)
	if err != nil {
		return err
	}
	log.Info().Str("url", s.URL()).Str("data", c.Data).Str("database", c.Database).Msg("store is open")
	ledger := c.keepLedger(ctx, s.URL(), secret, log)
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
		if err := errors.Join(ledger(), s.Close()); err != nil {
			return fmt.Errorf("close store: %w", err)
		}
		return nil
	}
}

// keepLedger keeps the ledger of the store at url, if asked to, until the function that it returns is called: that waits for the
// end. What it speaks to is this process, so its certificate is not looked at.
func (c *serveCmd) keepLedger(ctx context.Context, url, secret string, log zerolog.Logger) (stop func() error) {
	if !c.Ledger {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		client, err := influx.New(influx.Options{URL: url, Database: c.Database, Token: secret, InsecureSkipVerify: true, UserAgent: "kvarts-historian/" + versionText()})
		if err != nil {
			done <- err
			return
		}
		defer client.Close()
		k := keeper.New(client, keeper.Options{Progress: progress(log)})
		done <- k.Run(ctx, ledgerEvery, logRound(log))
	}()
	return func() error {
		cancel()
		return <-done
	}
}

// ledgerEvery is the time from one round of the ledger to the next.
const ledgerEvery = time.Minute
