package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/keeper"
	"kvarts/historian/telemetry"
)

type ledgerCmd struct {
	target
	From     string        `help:"Compute this window, of any age, and leave: begin."`
	To       string        `help:"Its end." default:"now"`
	Once     bool          `help:"One round, then leave."`
	Every    time.Duration `help:"Time from one round to the next." default:"1m"`
	Settle   time.Duration `help:"How long after its end an hour is computed first, so that what is on its way arrives." default:"2m"`
	Lookback time.Duration `help:"How far back late data is looked for: once an hour, and in the last three days each round." default:"840h"`
	JSON     bool          `help:"Log as JSON lines, also on a terminal."`
}

// Help is shown by historian ledger --help.
func (c *ledgerCmd) Help() string {
	return `Computes the hours and days of every machine and line that are over and stores them, so that questions about months are
answered at once. Late data, records and models are found and only the hours they touch are computed again; what an hour said
before stays readable (kpi --asof). Without the ledger the numbers are the same, slower. It may be stopped at any moment.

  historian ledger                                      the service: a round every minute, until Ctrl-C
  historian ledger --once                               one round
  historian ledger --from 2026-01-01 --to 2026-02-01    a month that is older than the lookback
  historian serve --ledger                              store and ledger in one program

--from and --to are ` + whenHelp + `.`
}

func (c *ledgerCmd) Run(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	log := newLog(c.JSON)
	k := keeper.New(client, keeper.Options{Settle: c.Settle, Lookback: c.Lookback, Progress: progress(log)})
	switch {
	case c.From != "":
		w, err := c.window(ctx, client)
		if err != nil {
			return err
		}
		return reported(k.Backfill(ctx, w))
	case c.Once:
		return reported(k.Cycle(ctx))
	default:
		return k.Run(ctx, c.Every, logRound(log))
	}
}

// window reads --from and --to in the plant's time.
func (c *ledgerCmd) window(ctx context.Context, client *influx.Client) (v calendar.Interval, err error) {
	now := telemetry.Now()
	history, err := evidence.ReadModels(ctx, client, now)
	if err != nil {
		return v, err
	}
	version, ok := history.At(now, now)
	if !ok {
		return v, errors.New("no plant model is in force: apply one with `historian model apply FILE`")
	}
	w := &when{now: now, rules: version.Model.Calendars[0].Rules}
	var errFrom, errTo error
	v.From, errFrom = w.parse(c.From)
	v.To, errTo = w.parse(c.To)
	return v, errors.Join(errFrom, errTo)
}

// reported prints what a round did. One that left something out has failed.
func reported(r keeper.Report, err error) error {
	fmt.Fprintf(os.Stderr, "%d slices looked at, %d computed, %d new\n", r.Looked, r.Computed, r.Written)
	for _, f := range r.Failed {
		err = errors.Join(err, errors.New(f.String()))
	}
	return err
}

// logRound logs rounds that did something, or could not.
func logRound(log zerolog.Logger) func(keeper.Report, error) {
	return func(r keeper.Report, err error) {
		for _, f := range r.Failed {
			log.Warn().Err(f.Err).Str("subject", f.Subject.String()).Stringer("window", f.Window).Msg("slices not computed: tried again with the next round")
		}
		switch {
		case err != nil:
			log.Error().Err(err).Msg("ledger stopped in the middle of a round: tried again with the next one")
		case r.Written > 0:
			log.Info().Int("computed", r.Computed).Int("new", r.Written).Msg("ledger written")
		}
	}
}

// progressEvery is how often long work says how far it is.
const progressEvery = 5 * time.Second

// progress logs how far a round is, when it takes long.
func progress(log zerolog.Logger) func(keeper.Progress) {
	last := time.Now()
	return func(p keeper.Progress) {
		if p.Done == 1 {
			last = time.Now()
		}
		if time.Since(last) < progressEvery {
			return
		}
		last = time.Now()
		log.Info().Int("done", p.Done).Int("of", p.Total).Stringer("at", p.Subject).Stringer("window", p.Window).Msg("computing slices")
	}
}

// newLog writes to standard error: for people on a terminal, else JSON lines.
func newLog(asJSON bool) zerolog.Logger {
	log := zerolog.New(os.Stderr).With().Timestamp().Logger()
	if !asJSON && term.IsTerminal(int(os.Stderr.Fd())) {
		log = log.Output(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.RFC3339})
	}
	return log
}
