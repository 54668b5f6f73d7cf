package uasession

import (
	"context"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"kvarts/deploy/e2e/peers"
	"kvarts/historian/telemetry"
)

// counter is a Sink that only counts.
type counter struct {
	values, gaps atomic.Int64
	live         atomic.Int64
}

func (c *counter) Deliver(_ context.Context, m *Message, done func()) error {
	c.values.Add(int64(len(m.Samples)))
	done()
	return nil
}

func (c *counter) Gap(context.Context, telemetry.Gap) error {
	c.gaps.Add(1)
	return nil
}

func (c *counter) State(s ServerState) { c.live.Store(int64(s.ItemsOK)) }

func (c *counter) Estate(Estate) {}

// BenchmarkFromSocketToSink takes b.N values of 10,000 doubles that change every 500 ms from node-opcua, a process of
// its own, and reports the CPU time of this one: transport, decoding, sequence, acknowledgement, samples.
func BenchmarkFromSocketToSink(b *testing.B) {
	const nodes = 10_000
	u := peers.NodeOPCUA(b, func(o *peers.NodeOptions) {
		o.Load, o.NoMachine, o.NoOdd, o.NoTypes = nodes, true, true, true
	})
	series, err := telemetry.NewSeries("test", map[string]string{"unit": "u"})
	if err != nil {
		b.Fatal(err)
	}
	g := Group{Name: "g", Publishing: 500 * time.Millisecond}
	for i := range nodes {
		f := loadName(i)
		g.Tags = append(g.Tags, Tag{
			Name: f, Node: "nsu=" + peers.NSLoad + ";s=" + f, Sampling: 250 * time.Millisecond, Queue: 20,
			Outputs: []Output{{Series: series, Name: f, Type: telemetry.Float}},
		})
	}
	var sink counter
	s := New(ServerConfig{Name: "bench", Endpoint: u.Endpoint, Policy: PolicyNone, Groups: []Group{g}}, &sink, zerolog.Nop())
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for sink.live.Load() < nodes {
		time.Sleep(10 * time.Millisecond)
	}
	b.ResetTimer()
	from, cpu := sink.values.Load(), cpuTime(b)
	for sink.values.Load()-from < int64(b.N) {
		time.Sleep(10 * time.Millisecond)
	}
	b.StopTimer()
	values := sink.values.Load() - from
	b.ReportMetric((cpuTime(b)-cpu).Seconds()/float64(values)*1e6, "cpu-s/Mvalue")
	b.ReportMetric(float64(values)/b.Elapsed().Seconds(), "values/s")
	b.ReportMetric(float64(sink.gaps.Load()), "gaps")
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
