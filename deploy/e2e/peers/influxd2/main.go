// Command influxd2 is InfluxDB 2 as a test peer: the server of
// github.com/influxdata/influxdb/v2 and nothing else.
//
// It is a module of its own because that module's go.mod has replace
// directives, which `go install module@version` refuses, and because its
// dependencies must not enter the product's go.mod. Package peers builds it.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/influxdata/influxdb/v2"
	"github.com/influxdata/influxdb/v2/cmd/influxd/launcher"
	_ "github.com/influxdata/influxdb/v2/tsdb/engine/tsm1" // the storage engine registers itself
	_ "github.com/influxdata/influxdb/v2/tsdb/index/tsi1"  // so does the index
	"github.com/spf13/viper"
)

// version is the release that go.mod requires; the server reports it by
// /health and in its X-Influxdb-Version header. A test compares it with go.mod.
const version = "v2.9.1"

func main() {
	influxdb.SetBuildInfo(version, "none", "")
	cmd, err := launcher.NewInfluxdCommand(context.Background(), viper.New())
	if err == nil {
		err = cmd.Execute()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
