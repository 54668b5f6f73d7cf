package store

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/influxdata/influxdb/models"

	"kvarts/configs/plants"
	"kvarts/deploy/simplant/areas"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// BenchmarkBytesPerSample writes an hour of the simulated plant and reports what a sample takes once it is compacted, by kind of
// signal and in all, and what that is in a year. Of what changes a few times an hour it writes a day: else the head of each
// series' block, which a shard of a week has once, would be most of it. Run it with -benchtime 1x.
func BenchmarkBytesPerSample(b *testing.B) {
	const hour, day = time.Hour, 24 * time.Hour
	everything := func(*plant.Signal) bool { return true }
	for _, c := range []struct {
		name  string
		model []byte
		which func(*plant.Signal) bool
		span  time.Duration
	}{
		{"measured", plants.OneGW, func(s *plant.Signal) bool { return s.Kind == plant.Analog && s.Sampling > 0 }, hour},
		{"set-point", plants.OneGW, func(s *plant.Signal) bool { return s.Kind == plant.Analog && s.Sampling == 0 }, day},
		{"register", plants.OneGW, func(s *plant.Signal) bool { return s.Kind == plant.Register }, hour},
		{"counter", plants.OneGW, func(s *plant.Signal) bool { return s.Kind == plant.Counter }, hour},
		{"state", plants.OneGW, func(s *plant.Signal) bool { return s.Kind == plant.State }, day},
		{"text", plants.OneGW, func(s *plant.Signal) bool { return s.Kind == plant.Text }, day},
		{"alive", plants.OneGW, nil, hour},
		{"1gw", plants.OneGW, everything, hour},
		{"2gw", plants.TwoGW, everything, hour},
	} {
		b.Run(c.name, func(b *testing.B) {
			m, err := plant.Parse(c.name, c.model)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				sizeOf(b, m, c.which, c.span)
			}
		})
	}
}

// sizeOf writes a span of the samples of which and reports; without which, or with all of them, the proofs of life too.
func sizeOf(b *testing.B, m *plant.Model, which func(*plant.Signal) bool, span time.Duration) {
	ctx := context.Background()
	s, err := Open(ctx, Options{Dir: b.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	begin := telemetry.Instant(1_790_000_000e9)
	w, err := world.New(world.Options{Model: m, Seed: 1, Start: begin, Process: areas.Processes})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	p := &pointsOf{b: b, engine: s.engine, tags: map[*world.Unit]models.Tags{}}
	from := begin.Add(time.Minute)
	if err := w.Advance(from); err != nil { // every script has begun
		b.Fatal(err)
	}
	w.Observe(world.Observer{Sample: func(x *world.Sample) {
		if which != nil && which(x.Signal) {
			p.add(x.Unit, x.Unit.Class.Name, x.Signal.Name, valueOf(x.Value), x.At)
		}
	}}, func(u *world.Unit, s *plant.Signal) time.Duration {
		if which == nil || !which(s) {
			return 0 // not looked at in vain
		}
		return world.AsTheModelSays(u, s)
	})
	alive := which == nil || which(&plant.Signal{})
	for at := from.Add(10 * time.Second); at <= from.Add(span); at = at.Add(10 * time.Second) {
		if err := w.Advance(at); err != nil {
			b.Fatal(err)
		}
		for _, u := range w.Units() {
			if alive {
				p.add(u, "alive", "alive", true, at)
			}
		}
	}
	p.flush()
	bytes := compacted(b, s.engine)
	perSecond := float64(p.total) / span.Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(bytes)/float64(p.total), "B/sample")
	b.ReportMetric(perSecond, "samples/s")
	b.ReportMetric(perSecond*365*24*3600*float64(bytes)/float64(p.total)/1e9, "GB/year")
}

func valueOf(v telemetry.Value) any {
	switch v.Type() {
	case telemetry.Int:
		return v.Int()
	case telemetry.String:
		return v.Text()
	default:
		return v.Float()
	}
}

// pointsOf writes points to the engine in batches, as its HTTP handler does.
type pointsOf struct {
	b      *testing.B
	engine *engine
	tags   map[*world.Unit]models.Tags
	batch  []models.Point
	total  int
}

func (p *pointsOf) add(u *world.Unit, measurement, field string, v any, at telemetry.Instant) {
	tags, ok := p.tags[u]
	if !ok {
		tags = models.NewTags(u.World().Model().Tags(u.Unit))
		p.tags[u] = tags
	}
	point, err := models.NewPoint(measurement, tags, models.Fields{field: v}, at.Time())
	if err != nil {
		p.b.Fatal(err)
	}
	p.batch = append(p.batch, point)
	if p.total++; len(p.batch) == 20_000 {
		p.flush()
	}
}

func (p *pointsOf) flush() {
	if err := p.engine.writer.WritePointsPrivileged(DefaultDatabase, "", models.ConsistencyLevelAny, p.batch); err != nil {
		p.b.Fatal(err)
	}
	p.batch = p.batch[:0]
}

// compacted is the size of all shards after a full compaction.
func compacted(b *testing.B, e *engine) (bytes int64) {
	for _, id := range e.store.ShardIDs() {
		shard := e.store.Shard(id)
		if err := shard.ScheduleFullCompaction(); err != nil {
			b.Fatal(err)
		}
		for deadline := time.Now().Add(5 * time.Minute); ; {
			idle, why := shard.IsIdle()
			if idle {
				break
			}
			if time.Now().After(deadline) {
				b.Fatal("shard " + strconv.FormatUint(id, 10) + " is not compacted: " + why)
			}
			time.Sleep(100 * time.Millisecond)
		}
		n, err := shard.DiskSize()
		if err != nil {
			b.Fatal(err)
		}
		bytes += n
	}
	return bytes
}
