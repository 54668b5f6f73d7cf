// Command simplant serves a simulated silicon plant over OPC UA, from quartz to module.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"kvarts/configs/plants"
	"kvarts/deploy/simplant/areas"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"
)

const description = `Serves a simulated silicon plant, from quartz to module, as one OPC UA server for each area (security policy
None, anonymous), until Ctrl-C. Look at it with: collector browse ENDPOINT

With --collector it writes the configuration of a collector for it; with --speed it is a load generator; with --truth it
writes what really happened, and what follows from it. Without --truth nothing of it is kept: memory stays as it is.`

// options are the command line.
type options struct {
	Scale string  `help:"The plant: demo (26 machines), 1gw (20,390 signals) or 2gw (40,420 signals)." enum:"demo,1gw,2gw" default:"demo"`
	Plant string  `help:"Another plant: its model (historian model check FILE)." type:"existingfile" placeholder:"FILE"`
	Seed  uint64  `help:"Seed of everything random." default:"1"`
	Speed float64 `help:"Speed of the plant's clock; above 1 its timestamps run ahead, and there is as much more of everything." default:"1"`

	Past    time.Duration `help:"How long the plant has lived before it is served." default:"1h"`
	History int           `help:"Values of each signal that the servers keep for HistoryRead." default:"100"`
	Fault   []string      `help:"Let something go wrong, such as 'cut server=crystal after=30s for=10s' or 'failed unit=CZ-1 signal=diameter_mm for=5m'. Kinds: stuck, failed, unsure, silent, skewed, restart, cut, reset." sep:"none" placeholder:"FAULT"`
	Host    string        `help:"Address to listen on." default:"127.0.0.1"`
	Port    uint16        `help:"Port of the first server, the others get the next ones; 0: free ports." default:"0"`
	For     time.Duration `help:"Stop after this time; 0: at Ctrl-C." default:"0"`

	Collector string `help:"Write the configuration of a collector of the plant to this file." type:"path" placeholder:"FILE"`
	Store     string `help:"Store that the collector writes to." default:"http://127.0.0.1:8086"`
	Database  string `help:"Database in it." default:"kvarts"`

	Truth string `help:"Write what really happens to this folder: model, samples, lots, steps, laboratory results, records; and at the end (also at Ctrl-C) what CONFORMANCE.md says of it, the past included. A day of the demo takes 125 MB of memory, 1.3 GB for some seconds at the end, and 1 GB of disk." type:"path" placeholder:"DIR"`
	Log   string `help:"Write every sample of the servers, and why it was kept from a client, to this file, one JSON object a line." type:"path" placeholder:"FILE"`
	JSON  bool   `help:"Print JSON: one line with the servers at the start, one with the counts at the end."`
}

func main() {
	var opts options
	kong.Parse(&opts, kong.Name("simplant"), kong.Description(description))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for the truth
	err := serve(ctx, &opts, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "simplant:", err)
		os.Exit(1)
	}
}

// serve runs the plant until ctx ends or opts.For is over.
func serve(ctx context.Context, opts *options, out io.Writer) (err error) {
	faults, err := opts.faults()
	if err != nil {
		return err
	}
	model, err := opts.model()
	if err != nil {
		return err
	}
	log, closeLog, err := openLog(opts.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	now := telemetry.Now()
	w, err := world.New(world.Options{
		Model: model, Seed: opts.Seed, Start: now.Add(-opts.Past), Process: areas.Processes, KeepSegments: opts.Truth != "",
	})
	if err != nil {
		return fmt.Errorf("make the plant %s: %w", model.Name, err)
	}
	defer w.Close()
	truth, err := openFolder(opts.Truth, w, w.Now(), len(faults) > 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, truth.close()) }()

	p, err := begin(opts, w, now, truth, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.Start(ctx); err != nil {
		return err
	}
	if err := writeCollector(p, opts); err != nil {
		return err
	}
	s := &show{out: out, plant: p, opts: opts, clock: areas.Clock(p.Now(), opts.Speed)}
	if err := s.announce(); err != nil {
		return err
	}
	if err := errors.Join(run(ctx, opts, p, s, faults), s.reckons()); err != nil {
		return err
	}
	far, err := truth.finish()
	if err != nil {
		return err
	}
	return s.farewell(far)
}

// run lets the plant live, with faults, until ctx ends or opts.For is over.
func run(ctx context.Context, opts *options, p *areas.Plant, s *show, faults []areas.Fault) error {
	if opts.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, opts.For)
		defer cancel()
	}
	for _, f := range faults {
		if err := p.Inject(ctx, f); err != nil {
			return err
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.Run(gctx, s.clock) })
	g.Go(func() error { return s.progress(gctx) })
	return g.Wait()
}

// begin lives through the past of w up to now, and makes the plant that serves it. Nobody looks at the past but truth.
func begin(opts *options, w *world.World, now telemetry.Instant, truth *folder, log io.Writer) (*areas.Plant, error) {
	o := truth.observer()
	w.Observe(o, world.AsTheModelSays)
	if err := w.Advance(now); err != nil {
		return nil, fmt.Errorf("live through the past of plant %s: %w", w.Model().Name, err)
	}
	truth.serve(now)
	p, err := areas.New(areas.Options{World: w, Observer: o, Host: opts.Host, Port: opts.Port, History: opts.History, Log: func(string) io.Writer { return log }})
	if err != nil {
		return nil, fmt.Errorf("make the plant %s: %w", w.Model().Name, err)
	}
	return p, nil
}

// model is the plant that the options name.
func (o *options) model() (*plant.Model, error) {
	if o.Plant != "" {
		return plant.Load(o.Plant)
	}
	switch o.Scale {
	case "1gw":
		return plant.Parse("chain-1gw.yaml", plants.OneGW)
	case "2gw":
		return plant.Parse("chain-2gw.yaml", plants.TwoGW)
	default:
		return plant.Parse("demo.yaml", plants.Demo)
	}
}

func (o *options) faults() ([]areas.Fault, error) {
	if o.Speed <= 0 {
		return nil, fmt.Errorf("speed %g: a plant does not live backwards; write a number above 0", o.Speed)
	}
	faults := make([]areas.Fault, 0, len(o.Fault))
	for _, text := range o.Fault {
		f, err := areas.ParseFault(text)
		if err != nil {
			return nil, err
		}
		faults = append(faults, f)
	}
	return faults, nil
}

// writeCollector writes the collector's configuration where the options want it.
func writeCollector(p *areas.Plant, o *options) error {
	if o.Collector == "" {
		return nil
	}
	text, err := p.CollectorConfig(areas.Collector{URL: o.Store, Database: o.Database, Fastest: o.Speed > 1})
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.Collector, text, 0o600); err != nil {
		return fmt.Errorf("write collector configuration: %w", err)
	}
	return nil
}
