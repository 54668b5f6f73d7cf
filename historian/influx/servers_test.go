package influx

import (
	"context"
	"os"
	"testing"
	"time"

	"kvarts/deploy/e2e/peers"
	"kvarts/historian/store"
)

// target is a server that the suite runs against.
type target struct {
	name    string
	options func(t testing.TB) Options
	kind    Kind
}

// targets are the real servers of the suite, and the user's own when the environment names one.
func targets() []target {
	list := []target{
		{"embedded store", func(t testing.TB) Options {
			s := openStore(t, store.Options{Tokens: []store.Token{{Name: "test", Secret: "secret-of-the-store"}}})
			return Options{URL: s.URL(), Token: "secret-of-the-store", Database: store.DefaultDatabase}
		}, V1},
		{"influxd 1.8.10", func(t testing.TB) Options {
			s := peers.Influxd18(t, peers.WithAuth())
			return Options{URL: s.URL, Token: s.Token, Database: s.Database}
		}, V1},
		{"influxd 1.8.10 without users", func(t testing.TB) Options {
			s := peers.Influxd18(t)
			return Options{URL: s.URL, Database: s.Database}
		}, V1},
		{"influxd 2.9.1", func(t testing.TB) Options {
			s := peers.Influxd2(t)
			return Options{URL: s.URL, Token: s.Token, Org: s.Org, Bucket: s.Bucket}
		}, V2},
	}
	if u := os.Getenv("KVARTS_TEST_INFLUX_URL"); u != "" {
		list = append(list, target{"KVARTS_TEST_INFLUX_URL", func(testing.TB) Options {
			return Options{URL: u, Token: os.Getenv("KVARTS_TEST_INFLUX_TOKEN"), Database: os.Getenv("KVARTS_TEST_INFLUX_DB")}
		}, KindUnknown})
	}
	return list
}

func eachTarget(t *testing.T, f func(t *testing.T, c *Client, want Kind)) {
	for _, k := range targets() {
		t.Run(k.name, func(t *testing.T) {
			c := mustNew(t, k.options(t))
			f(t, c, k.kind)
		})
	}
}

func mustNew(t testing.TB, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func testContext(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestProbeFindsWhatTheTableSays(t *testing.T) {
	var o ProbeOptions
	if testing.Short() {
		o.lastBody = 4 << 20
	}
	eachTarget(t, func(t *testing.T, c *Client, want Kind) {
		report, err := Probe(testContext(t, 60*time.Second), c, o)
		if report != nil {
			t.Logf("server %s build %q", report.Server, report.Server.Build)
			for _, k := range report.Checks {
				t.Logf("%-5v %-36s expected %-28q got %-28q %s", k.OK, k.Name, k.Expected, k.Got, k.Meaning)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if want != KindUnknown && report.Server.Kind != want {
			t.Errorf("kind %s, want %s", report.Server.Kind, want)
		}
		for _, k := range report.Checks {
			if !k.OK {
				t.Errorf("%s: got %q, the table says %q", k.Name, k.Got, k.Expected)
			}
		}
	})
}
