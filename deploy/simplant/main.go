// Command simplant serves simulated machines of a silicon plant over OPC UA.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"kvarts/deploy/simplant/machine"
	"kvarts/deploy/simplant/uaserver"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"
)

const description = `Serves a crystal puller and a wire saw as two OPC UA servers (security policy None,
anonymous) until Ctrl-C. Look at them with: collector browse ENDPOINT`

// options are the command line.
type options struct {
	Host  string        `help:"Address to listen on." default:"127.0.0.1"`
	Port  uint16        `help:"Port of the first machine, the second gets the next one; 0: free ports." default:"0"`
	Seed  uint64        `help:"Seed of everything random." default:"1"`
	Speed float64       `help:"Speed of the machines' clock; above 1 their timestamps run ahead." default:"1"`
	Pace  float64       `help:"How much faster than their clock the processes run: phases of hours in minutes." default:"60"`
	Log   string        `help:"Write every generated sample to this file, one JSON object a line." type:"path" placeholder:"FILE"`
	For   time.Duration `help:"Stop after this time; 0: at Ctrl-C." default:"0"`
	JSON  bool          `help:"Print JSON: one line with the endpoints at the start, one with the counts at the end."`
}

func main() {
	var opts options
	kong.Parse(&opts, kong.Name("simplant"), kong.Description(description))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx, opts, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "simplant:", err)
		os.Exit(1)
	}
}

// unit is one machine with its server.
type unit struct {
	machine machine.Machine
	server  *uaserver.Server
	runner  *machine.Runner
}

// serve runs the machines until ctx ends or opts.For is over.
func serve(ctx context.Context, opts options, out io.Writer) (err error) {
	if opts.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, opts.For)
		defer cancel()
	}
	log, closeLog, err := openLog(opts.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()

	var units []*unit
	defer func() { err = errors.Join(err, closeAll(units)) }()
	for i, m := range []machine.Machine{
		machine.NewCZPuller(machine.Options{Seed: opts.Seed, Pace: opts.Pace}),
		machine.NewWireSaw(machine.Options{Seed: opts.Seed + 1, Pace: opts.Pace}),
	} {
		u, err := start(ctx, m, opts, i, log)
		if u != nil {
			units = append(units, u)
		}
		if err != nil {
			return err
		}
	}
	if err := announce(out, units, opts.JSON); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	clock := machine.Clock(time.Now(), opts.Speed)
	for _, u := range units {
		g.Go(func() error { return u.runner.Run(gctx, clock) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return farewell(out, units, opts.JSON)
}

// start serves m on its own port.
func start(ctx context.Context, m machine.Machine, opts options, i int, log io.Writer) (*unit, error) {
	port := opts.Port
	if port != 0 {
		port += uint16(i)
	}
	srv := uaserver.New(uaserver.Options{
		Addr:           fmt.Sprintf("%s:%d", opts.Host, port),
		ApplicationURI: m.URI() + ":server",
		ProductName:    m.Name(),
		Namespaces:     []string{m.URI()},
		Log:            log,
	})
	r, err := machine.Attach(srv, m)
	if err != nil {
		return nil, err
	}
	u := &unit{machine: m, server: srv, runner: r}
	if err := srv.Start(ctx); err != nil {
		return u, fmt.Errorf("start %s: %w", m.Name(), err)
	}
	return u, nil
}

func closeAll(units []*unit) error {
	errs := make([]error, 0, len(units))
	for _, u := range units {
		if err := u.server.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", u.machine.Name(), err))
		}
	}
	return errors.Join(errs...)
}

// announce tells where the machines are.
func announce(out io.Writer, units []*unit, asJSON bool) error {
	type place struct {
		Name      string `json:"name"`
		Endpoint  string `json:"endpoint"`
		Namespace string `json:"namespace"`
		Signals   int    `json:"signals"`
	}
	places := make([]place, 0, len(units))
	for _, u := range units {
		places = append(places, place{u.machine.Name(), u.server.Endpoint(), u.machine.URI(), len(u.machine.Signals())})
	}
	if asJSON {
		return json.NewEncoder(out).Encode(map[string]any{"servers": places})
	}
	for _, p := range places {
		if _, err := fmt.Fprintf(out, "%-20s %-28s %d signals, namespace %s\n", p.Name, p.Endpoint, p.Signals, p.Namespace); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, "Ctrl-C stops.")
	return err
}

// farewell reports what was generated.
func farewell(out io.Writer, units []*unit, asJSON bool) error {
	total, mutations := uint64(0), uint64(0)
	for _, u := range units {
		total += u.server.GeneratedCount()
		mutations += u.server.Mutations()
	}
	if asJSON {
		return json.NewEncoder(out).Encode(map[string]uint64{"generated": total, "mutations": mutations})
	}
	_, err := fmt.Fprintf(out, "%d samples generated, %d requests to change something refused.\n", total, mutations)
	return err
}
