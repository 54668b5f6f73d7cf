// Command historian is the plant's memory and its command line: the embedded store, questions to it and to any other
// InfluxDB, and a suite that finds out how a store really behaves.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
)

// version is set by release builds (-ldflags "-X main.version=v1.2.3"); others say the commit they were built from.
var version = ""

type cli struct {
	Serve serveCmd `cmd:"" help:"Run the embedded store: an InfluxDB 1.8 engine behind the InfluxDB HTTP API."`
	Query queryCmd `cmd:"" help:"Run one InfluxQL query on any InfluxDB and print its answer."`
	Probe probeCmd `cmd:"" help:"Find out how a store treats bad lines, big integers, limits and more, and what differs from what Kvarts knows of it."`

	KPI     kpiCmd     `cmd:"" name:"kpi" help:"OEE, energy, losses and states of a machine, a line or the plant."`
	Ledger  ledgerCmd  `cmd:"" help:"Compute and keep the hours and days that questions are answered from: a service."`
	Conform conformCmd `cmd:"" help:"Run OEE and energy conformance vectors through the KPI engine."`

	Record recordCmd `cmd:"" help:"Enter, correct and list what people know: downtime reasons, orders, scrap, replaced meters."`
	Import importCmd `cmd:"" help:"Import records from a CSV or JSON file."`

	Lots lotsCmd `cmd:"" help:"Lots: what they were made of, what became of them, and the energy that went into them."`

	Lab labCmd `cmd:"" help:"Laboratory results: what they show of a sample or lot, and certificates of purity."`

	Model modelCmd `cmd:"" help:"Check, compare, apply and show plant models, and make collector configurations from them."`

	Completion kongcompletion.Completion `cmd:"" help:"Tell how to have the shell complete commands and flags."`

	Version kong.VersionFlag `help:"Print the version and leave."`
}

// Exit codes: 0 done, 1 it failed, 2 it was asked for wrongly or given what it cannot read, 3 it worked and found something (probe).
const (
	exitFailed = 1
	exitUsage  = 2
	exitFound  = 3
)

// errFound ends a command that worked and has something to report.
var errFound = errors.New("differences found")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	var c cli
	parser, err := kong.New(&c, kong.Name("historian"), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Description("The memory of a Kvarts plant.\n\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 probe found differences."),
		kong.Vars{"version": "historian " + versionText()}, kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		fmt.Fprintln(os.Stderr, "historian:", err)
		return exitFailed
	}
	kongcompletion.Register(parser)
	k, err := parser.Parse(args)
	if err != nil {
		parser.Errorf("%s", err)
		fmt.Fprintln(os.Stderr, "Try: historian --help")
		return exitUsage
	}
	return exitCode(k.Run(), os.Stderr)
}

// exitCode is how a command's end is told to whoever started it; problems is told why.
func exitCode(err error, problems io.Writer) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFound):
		return exitFound
	}
	fmt.Fprintln(problems, "historian:", err)
	if errors.Is(err, errInvalid) {
		return exitUsage
	}
	return exitFailed
}

func versionText() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "development " + s.Value[:min(12, len(s.Value))]
		}
	}
	return "development"
}
