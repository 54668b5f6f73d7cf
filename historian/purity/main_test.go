package purity

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kvarts/deploy/e2e/peers"
	"kvarts/historian/influx"
	"kvarts/historian/store"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The engine of the embedded store starts these at import and never ends them.
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
	)
}

// eachStore runs f against an empty database of each server that it must work the same on.
func eachStore(t *testing.T, f func(t *testing.T, c *influx.Client)) {
	for name, open := range map[string]func(testing.TB) influx.Options{
		"embedded": embedded,
		"influxd 1.8.10": func(t testing.TB) influx.Options {
			s := peers.Influxd18(t)
			return influx.Options{URL: s.URL, Database: s.Database}
		},
		"influxd 2.9.1": func(t testing.TB) influx.Options {
			s := peers.Influxd2(t)
			return influx.Options{URL: s.URL, Token: s.Token, Org: s.Org, Bucket: s.Bucket}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := influx.New(open(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			f(t, c)
		})
	}
}

func embedded(t testing.TB) influx.Options {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return influx.Options{URL: s.URL(), Database: store.DefaultDatabase}
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
