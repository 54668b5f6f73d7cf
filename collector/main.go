// Command collector reads machines over OPC UA, keeps every value on disk, and delivers it to InfluxDB. It never writes
// to a machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"

	"kvarts/collector/config"
)

// version is set by release builds (-ldflags "-X main.version=v1.2.3"); others say the commit they were built from.
var version = ""

type cli struct {
	Run    runCmd    `cmd:"" help:"Collect and deliver until stopped."`
	Check  checkCmd  `cmd:"" help:"Check a configuration file without connecting to anything."`
	Reload reloadCmd `cmd:"" help:"Have the running collector take its changed configuration; unchanged tags are not touched."`
	Browse browseCmd `cmd:"" help:"Print what a server offers: as a tree, CSV, JSON, or a configuration to start from."`
	Probe  probeCmd  `cmd:"" help:"Measure a server's real limits and clock."`
	PKI    pkiCmd    `cmd:"" name:"pki" help:"Own certificate and trusted servers."`
	Buffer bufferCmd `cmd:"" help:"Look into the buffer and the quarantine."`
	Worker workerCmd `cmd:"" hidden:"" help:"Child process of run."`

	Completion kongcompletion.Completion `cmd:"" help:"Tell how to have the shell complete commands and flags."`

	Version kong.VersionFlag `help:"Print the version and leave."`
}

// Exit codes: 0 done, 1 it failed, 2 it was asked for wrongly or the configuration has mistakes.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	var c cli
	parser, err := kong.New(&c, kong.Name("collector"), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Description("Collects OPC UA values over disk into InfluxDB.\n\nExit codes: 0 done, 1 failed, 2 wrong usage or mistakes in the configuration."),
		kong.Vars{"version": "collector " + versionText()}, kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		fmt.Fprintln(os.Stderr, "collector:", err)
		return exitFailed
	}
	kongcompletion.Register(parser)
	k, err := parser.Parse(args)
	if err != nil {
		parser.Errorf("%s", err)
		fmt.Fprintln(os.Stderr, "Try: collector --help")
		return exitUsage
	}
	err = k.Run()
	var mistakes config.Errors
	switch {
	case err == nil:
		return 0
	case errors.As(err, &mistakes):
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	case errors.Is(err, errMistakes):
		fmt.Fprintln(os.Stderr, "collector:", err)
		return exitUsage
	default:
		fmt.Fprintln(os.Stderr, "collector:", err)
		return exitFailed
	}
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
