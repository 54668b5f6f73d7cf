// Command demo is a plant to look at, on one machine with nothing installed: a simulated silicon chain that has lived for a
// week, its machines as OPC UA servers, a collector that reads them over disk, the store, and what the record says of it
// all. At the end it settles the books: what the machines made while it ran against what the store gives back.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

type options struct {
	length time.Duration
	json   bool
	chaos  bool
	fresh  bool
	dir    string
	seed   uint64
	store  string
	status string
}

const usage = `A silicon plant in small, simulated: 21 machines from arc furnace to module and their meters, a week of record, and what
happens now, collected over OPC UA into a store on this machine. The plant is kept for the next start.

  go run ./deploy/demo [flags]

`

func main() {
	if len(os.Args) > 1 && os.Args[1] == storeVerb {
		os.Exit(serveStore(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the program as it stands: the next start makes it good
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
	fs.BoolVar(&o.chaos, "chaos", false, "cut links, kill the store and restart servers while it runs")
	fs.BoolVar(&o.fresh, "fresh", false, "forget the plant that was kept and begin a new one")
	fs.StringVar(&o.dir, "dir", "", "folder of the plant and its store (default: in your cache folder, or $KVARTS_CACHE)")
	fs.Uint64Var(&o.seed, "seed", 1, "seed of everything random; another seed is another plant")
	fs.StringVar(&o.store, "store", "127.0.0.1:8086", "address of the store; a free port is taken if it is in use")
	fs.StringVar(&o.status, "status", "127.0.0.1:9478", "address of the collector's status page; likewise")
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), usage)
		fs.PrintDefaults()
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case o.length < 0:
		fmt.Fprintf(fs.Output(), "demo: --for %s: say how long, or 0\n", o.length)
		return 2
	case fs.NArg() > 0:
		fmt.Fprintf(fs.Output(), "demo: %q is no flag\n\n", fs.Arg(0))
		fs.Usage()
		return 2
	}
	out := os.Stdout
	if o.json {
		out = os.Stderr
	}
	result, err := run(ctx, o, out, term.IsTerminal(int(out.Fd())) && os.Getenv("TERM") != "dumb")
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
	if o.json {
		if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
			return 1
		}
	}
	if !result.Balanced() {
		return 1
	}
	return 0
}
