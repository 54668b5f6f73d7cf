// Command demo shows the whole path on one machine with nothing installed: a crystal puller and a wire saw as OPC UA
// servers, a collector that reads them over disk, and the embedded store. At the end it settles the books: what the
// machines say they made against what the store gives back.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/term"
)

type options struct {
	length time.Duration
	json   bool
	dir    string
	store  string
	status string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// command returns the exit code: 0 when the books balance, 1 when not or when something failed, 2 for wrong usage.
func command(ctx context.Context, args []string) int {
	var o options
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	fs.DurationVar(&o.length, "for", 0, "how long to run; 0: until Ctrl-C")
	fs.BoolVar(&o.json, "json", false, "end with one line of JSON on standard output; the rest goes to standard error")
	fs.StringVar(&o.dir, "dir", "", "keep buffer and store in this folder (default: a temporary one that is removed)")
	fs.StringVar(&o.store, "store", "127.0.0.1:8086", "address of the store; a free port is taken if it is in use")
	fs.StringVar(&o.status, "status", "127.0.0.1:9478", "address of the collector's status page; likewise")
	fs.Usage = func() {
		fmt.Fprintln(fs.Output(), "Two simulated machines, a collector and a store, on this machine only.\n\n  go run ./deploy/demo [flags]")
		fs.PrintDefaults()
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil || fs.NArg() > 0:
		fs.Usage()
		return 2
	}
	out := os.Stdout
	if o.json {
		out = os.Stderr
	}
	books, err := run(ctx, o, out, term.IsTerminal(int(out.Fd())))
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
	if o.json {
		if err := json.NewEncoder(os.Stdout).Encode(books); err != nil {
			return 1
		}
	}
	if !books.Balanced() {
		return 1
	}
	return 0
}

// settleWait bounds how long the end waits for what is under way to reach the store.
const settleWait = 20 * time.Second

func run(ctx context.Context, o options, out io.Writer, terminal bool) (*books, error) {
	if o.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.length)
		defer cancel()
	}
	p, err := newPlant(o, out)
	if err != nil {
		return nil, err
	}
	defer p.close() // what it stops has been stopped already when all went well

	// The machines run until ctx ends; the collector and the store until the books are settled.
	path, stopPath := context.WithCancel(context.Background())
	defer stopPath()
	group, path := errgroup.WithContext(path)
	if err := p.start(path, group); err != nil {
		return nil, err
	}
	machines, ctx := errgroup.WithContext(ctx)
	for _, m := range p.machines {
		machines.Go(func() error { return m.run(ctx) })
	}
	machines.Go(func() error { p.show(ctx, out, terminal); return nil })
	machines.Go(func() error { // a collector or store that fails ends the machines too
		select {
		case <-ctx.Done():
			return nil
		case <-path.Done():
			return errors.New("the collector or the store stopped by itself")
		}
	})
	err = machines.Wait()
	fmt.Fprintln(out, "\nThe machines have stopped; settling the books …")
	if err == nil {
		p.drain(path)
	}
	stopPath()
	if gerr := group.Wait(); gerr != nil && !errors.Is(gerr, context.Canceled) {
		err = errors.Join(err, gerr)
	}
	if err != nil {
		return nil, err
	}
	b, err := p.settle(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	b.print(out)
	return b, p.explain(context.WithoutCancel(ctx), out)
}
