// Command setup installs the programs that Kvarts' tests run against, each once, into a cache folder outside of the
// source tree. `go run ./deploy/setup --help` tells more; package deploy/e2e/peers does the work.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

const description = `Installs the programs that Kvarts' tests run against: InfluxDB 1.8.10 (influxd18), node-opcua
(node-opcua) and InfluxDB 2.9.1 (influxd2). What is there already is skipped. Without names all are installed.

They go into $KVARTS_CACHE, or "kvarts" in the user's cache folder, each in a folder named by its version: remove that
folder to remove them. Tests install what they need themselves; setup does it beforehand and shows its progress.

influxd18 needs Go, node-opcua Node.js with npm, influxd2 a C compiler, pkg-config and Rust (about 4 minutes on 2
cores). A peer whose toolchain is missing is named in one line and left out; with KVARTS_PEERS=all in the environment,
and for the first two always, that is an error.`

func main() {
	var c command
	kong.Parse(&c, kong.Name("setup"), kong.Description(description), kong.UsageOnError())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := c.run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "setup: %v\n", err)
		os.Exit(1)
	}
}
