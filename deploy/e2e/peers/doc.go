// Package peers starts the real programs that Kvarts is tested against, and the instruments that disturb them.
//
// Servers run as processes of their own, on a free port of the loopback interface, with their data in the test's
// temporary folder; they are killed with their process group when the test ends, and by the kernel when the test binary
// dies. Each test has its own:
//
//	db := peers.Influxd18(t)             // InfluxDB 1.8.10
//	db := peers.Influxd2(t)              // InfluxDB 2.9.1
//	ua := peers.NodeOPCUA(t)             // node-opcua, an OPC UA server in JavaScript
//	px := peers.Proxy(t, ua.Endpoint)    // a TCP proxy that cuts, freezes, delays and corrupts
//	fk := peers.FakeInflux(t)            // an InfluxDB that answers as a fault test scripts it
//
// A program that is not installed yet is installed on first use by Ensure, into a cache folder outside of the source
// tree; `go run ./deploy/setup` does the same beforehand. If its toolchain is missing the test is skipped with one line
// that names the tool, unless KVARTS_PEERS=all or the peer is one that is always required: then it fails.
//
// Methods of running peers report what went wrong by Errorf and may be called from any goroutine of the test.
package peers
