package areas_test

import (
	"testing"
	"time"

	"kvarts/collector/config"
	"kvarts/configs/plants"
	"kvarts/deploy/simplant/areas"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// shipped makes a plant of a shipped model.
func shipped(t testing.TB, text []byte, begin telemetry.Instant) *areas.Plant {
	t.Helper()
	m, err := plant.Parse("model.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Options{Model: m, Seed: 1, Start: begin, Process: areas.Processes})
	if err != nil {
		t.Fatal(err)
	}
	p, err := areas.New(areas.Options{World: w})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestShippedPlants(t *testing.T) {
	for name, text := range map[string][]byte{"demo": plants.Demo, "1gw": plants.OneGW} {
		t.Run(name, func(t *testing.T) {
			begin := telemetry.Now()
			p := shipped(t, text, begin)
			if err := p.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if p.Samples() < uint64(p.Tags()) {
				t.Errorf("%d samples at first, of %d variables", p.Samples(), p.Tags())
			}
			if _, err := p.Step(begin.Time().Add(5 * time.Minute)); err != nil {
				t.Fatal(err)
			}
			out, err := p.CollectorConfig(areas.Collector{URL: "http://127.0.0.1:1", Database: "d", Fastest: true})
			if err != nil {
				t.Fatal(err)
			}
			c, err := config.Parse("collector.yaml", out)
			if err != nil {
				t.Fatal(err)
			}
			nodes := 0
			for i := range c.Servers {
				s, ok := p.Server(c.Servers[i].Name)
				if !ok || c.Servers[i].Endpoint != s.UA.Endpoint() {
					t.Errorf("server %s at %s", c.Servers[i].Name, c.Servers[i].Endpoint)
				}
				for _, g := range c.Servers[i].Groups {
					nodes += len(g.Nodes)
				}
			}
			if nodes != p.Tags() {
				t.Errorf("%d nodes are collected of %d variables", nodes, p.Tags())
			}
		})
	}
}

// BenchmarkStep is a second of a plant of 2 GW: cores says how many cores of this machine it needs in real time.
func BenchmarkStep(b *testing.B) {
	begin := telemetry.Now()
	p := shipped(b, plants.TwoGW, begin)
	if err := p.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	now, first := begin.Time(), p.Samples()
	for b.Loop() {
		for range 10 {
			now = now.Add(100 * time.Millisecond)
			if _, err := p.Step(now); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(p.Tags()), "tags")
	b.ReportMetric(float64(p.Samples()-first)/float64(b.N), "samples/s")
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "cores")
}
