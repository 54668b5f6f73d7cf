package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"kvarts/collector/agent"
	"kvarts/collector/config"
	"kvarts/collector/status"
	"kvarts/collector/uasession"
	"kvarts/collector/worker"
)

// configFlag is how every verb that needs the configuration is told where it is.
type configFlag struct {
	Config string `help:"Configuration file." short:"c" default:"collector.yaml" type:"path" env:"KVARTS_COLLECTOR_CONFIG"`
}

// load reads and checks the configuration.
func (f configFlag) load() (*config.Config, []byte, error) {
	text, err := os.ReadFile(f.Config)
	if err != nil {
		return nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	cfg, err := config.Parse(f.Config, text)
	return cfg, text, err
}

type runCmd struct {
	configFlag
}

// Help is shown by collector run --help.
func (c *runCmd) Help() string {
	return "SIGHUP (or collector reload) takes changed servers, groups and tags from the configuration file. SIGTERM or Ctrl-C stops in good " +
		"order: what the machines sent is on disk, and delivered after the next start if it is not yet."
}

func (c *runCmd) Run(ctx context.Context) error {
	cfg, text, err := c.load()
	if err != nil {
		return err
	}
	log := newLogger(os.Stderr, cfg.Log)
	for _, w := range cfg.Warnings {
		log.Warn().Msg(w.Error())
	}
	own, err := ownCertificate(cfg, log)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	a, err := agent.New(ctx, agent.Options{File: c.Config, Text: text, Log: log, Version: versionText(), CertificateUntil: own.until,
		Spawn: agent.Exec{Path: self, Args: []string{"worker", "--level", cfg.Log.Level}, Env: workerEnv(os.Environ(), cfg)}})
	if err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.Run(gctx) })
	if cfg.Status.Listen != "" {
		group.Go(func() error { return status.Serve(gctx, cfg.Status.Listen, a) })
	}
	group.Go(func() error { return c.reloads(gctx, a, cfg.Buffer.Dir, log) })
	log.Info().Str("version", versionText()).Str("config", c.Config).Str("status", cfg.Status.Listen).Msg("collector is running")
	err = group.Wait()
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		log.Info().Msg("stopped")
		return nil
	}
	return err
}

// workerEnv is the environment of a worker: ours without the tokens of the stores, which it has no use for.
func workerEnv(env []string, cfg *config.Config) []string {
	secret := map[string]bool{}
	for _, d := range cfg.Destinations {
		if d.SecretEnv != "" {
			secret[d.SecretEnv] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return secret[name]
	})
}

// reloads takes the configuration again at each SIGHUP, and writes how that went where collector reload looks.
func (c *runCmd) reloads(ctx context.Context, a *agent.Agent, dir string, log zerolog.Logger) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	if err := writePID(dir); err != nil {
		return err
	}
	defer removePID(dir)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
		}
		out := reloadOutcome{At: time.Now()}
		text, err := os.ReadFile(c.Config)
		if err == nil {
			out.NeedRestart, err = a.Reload(ctx, text)
		}
		if err != nil {
			out.Error = err.Error()
			log.Error().Err(err).Msg("configuration not reloaded: the one in use stays")
		} else {
			log.Info().Strs("need_restart", out.NeedRestart).Msg("configuration reloaded")
		}
		if err := out.save(dir); err != nil {
			log.Error().Err(err).Msg("outcome of the reload not written")
		}
	}
}

// newLogger writes for people on a terminal and JSON lines elsewhere, unless the configuration says which.
func newLogger(w *os.File, l config.Log) zerolog.Logger {
	level, err := zerolog.ParseLevel(l.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	var out io.Writer = w
	if l.Format == "console" || (l.Format != "json" && term.IsTerminal(int(w.Fd()))) {
		out = zerolog.ConsoleWriter{Out: w, TimeFormat: time.RFC3339, NoColor: !term.IsTerminal(int(w.Fd()))}
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}

// maxArrayElements: an array that is longer makes its whole message undecodable. A message is bounded in bytes anyway; a
// wave form of a second at 1 MHz still passes.
const maxArrayElements = 1 << 20

type workerCmd struct {
	Level string `help:"Log level." default:"info"`
}

// Run is the child process of collector run: frames on standard input and output, its log on standard error.
func (c *workerCmd) Run(ctx context.Context) error {
	// Ctrl-C reaches the whole foreground group; the parent then asks its workers to stop, in its order.
	signal.Ignore(os.Interrupt)
	uasession.RaiseArrayLimit(maxArrayElements)
	log := newLogger(os.Stderr, config.Log{Level: c.Level}).With().Int("worker", os.Getpid()).Logger()
	return worker.Run(context.WithoutCancel(ctx), worker.Options{In: os.Stdin, Out: os.Stdout, Log: log})
}
