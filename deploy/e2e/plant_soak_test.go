package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"kvarts/configs/plants"
	"kvarts/deploy/simplant/areas"
	"kvarts/deploy/simplant/uaserver"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/influx"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// TestPlantSoak collects a whole plant over OPC UA, all its servers simulated in this process, and takes the store away in the
// middle. Nothing may be lost. KVARTS_SOAK (a duration; the task sets it) is how long each plant runs, a third of it (ten
// minutes at most) without the store; without it, 1 GW runs for half a minute. What it takes is printed, not judged: memory
// alone must not grow.
func TestPlantSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("KVARTS_SOAK"))
	if err != nil {
		long(t)
		plantSoak(t, "1 GW", plants.OneGW, 30*time.Second)
		return
	}
	t.Run("2gw", func(t *testing.T) { plantSoak(t, "2 GW", plants.TwoGW, length) })
	t.Run("1gw", func(t *testing.T) { plantSoak(t, "1 GW", plants.OneGW, length) })
}

func plantSoak(t *testing.T, name string, model []byte, length time.Duration) {
	s := newPlantRun(t, model)
	t.Logf("%s: %d tags on %d servers", name, s.plant.Tags(), len(s.plant.Servers()))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // what fails must not leave the plant running beside the next one
	ran := make(chan error, 1)
	s.begun = time.Now()
	go func() { ran <- s.plant.Run(ctx, areas.Clock(s.plant.Now(), 1)) }() // from where it stood while the collector subscribed
	outage := min(length/3, 10*time.Minute)
	s.watch(length - outage - outage/2)
	s.outage(outage)
	s.watch(length - time.Since(s.begun))
	cancel()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	s.settle()
	s.report(name)
}

// plantRun is a plant with a collector and a store of its own.
type plantRun struct {
	t     *testing.T
	plant *areas.Plant
	gw    *gateway
	store *program
	url   string
	query *influx.Client
	begun time.Time

	readings []reading
	lags     []time.Duration

	// Of the outage:
	away      time.Duration
	backlog   uint64        // lines that were waiting when the store came back
	waited    uint64        // bytes of them on disk
	replayed  uint64        // lines delivered from then on until nothing waited
	replaying time.Duration // and how long that took
	live      float64       // samples a second meanwhile
}

// reading is what the processes hold at a moment.
type reading struct {
	at                          time.Duration
	samples                     uint64
	collector, store, simulator usage
}

func newPlantRun(t *testing.T, text []byte) *plantRun {
	m, err := plant.Parse("plant.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	begin := telemetry.Now()
	w, err := world.New(world.Options{Model: m, Seed: 1, Start: begin.Add(-time.Hour), Process: areas.Processes})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Advance(begin); err != nil {
		t.Fatal(err)
	}
	s := &plantRun{t: t}
	if s.plant, err = areas.New(areas.Options{World: w}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.plant.Close() })
	if err := s.plant.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.store, s.url = startHistorian(t)
	s.query = client(t, influx.Options{URL: s.url})
	s.collect()
	return s
}

// collect starts the collector; the plant stands still until every tag is subscribed, so that all it makes is to be stored.
func (s *plantRun) collect() {
	dir, addr := s.t.TempDir(), fmt.Sprintf("127.0.0.1:%d", freePort(s.t))
	text, err := s.plant.CollectorConfig(areas.Collector{URL: s.url, Database: "kvarts", Dir: dir, Status: addr})
	if err != nil {
		s.t.Fatal(err)
	}
	s.gw = &gateway{dir: dir, config: filepath.Join(dir, "collector.yaml"), page: "http://" + addr}
	if err := os.WriteFile(s.gw.config, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.gw.program = newProgram(s.t, "collector", "run", "--config", s.gw.config)
	s.gw.start()
	s.gw.awaitRunning(s.plant.Tags())
}

// watch lets the plant run, reading lag each second and memory each half minute.
func (s *plantRun) watch(d time.Duration) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for n, end := 0, time.Now().Add(d); time.Now().Before(end); n++ {
		<-second.C
		if lag, ok := s.lag(); ok {
			s.lags = append(s.lags, lag)
		}
		if n%30 == 0 {
			s.read()
		}
	}
	s.read()
}

// lag is how old the newest stored value of the plant's fastest class is, by the machines' clock: half a second of it is the
// signal's own period.
func (s *plantRun) lag() (time.Duration, bool) {
	var newest telemetry.Instant
	err := s.query.Query(context.Background(), influx.Query{Text: "SELECT last(wire_speed_m_per_s) FROM wire_saw WHERE time > now() - 10m"}, func(r influx.Row) error {
		newest, _ = r.Time()
		return nil
	})
	return s.plant.Now().Sub(newest.Time()), err == nil && newest > 0
}

func (s *plantRun) read() {
	s.readings = append(s.readings, reading{
		at: time.Since(s.begun), samples: s.plant.Samples(), collector: collectorUsage(s.t, s.gw),
		store: usageOf(s.t, s.store.cmd.Process.Pid), simulator: usageOf(s.t, os.Getpid()),
	})
}

// outage kills the store, lets the plant run on, starts it again and waits until the backlog is delivered while live data flows.
func (s *plantRun) outage(d time.Duration) {
	_ = s.store.signal(syscall.SIGKILL)
	made, from := s.plant.Samples(), time.Now()
	time.Sleep(d)
	v, _ := s.gw.view()
	s.away, s.backlog, s.waited = time.Since(from), s.plant.Samples()-made, v.Destinations[0].Bytes
	s.live = float64(s.backlog) / s.away.Seconds()
	s.store.start()
	awaitStore(s.t, s.url)
	from, delivered := time.Now(), v.Destinations[0].Totals.Samples
	eventually(s.t, 10*time.Minute, func() string {
		v, _ = s.gw.view()
		if v.Destinations[0].Replaying || v.Destinations[0].Records > 20 {
			return fmt.Sprintf("%d records of the backlog wait", v.Destinations[0].Records)
		}
		return ""
	})
	s.replaying, s.replayed = time.Since(from), v.Destinations[0].Totals.Samples-delivered
}

// settle counts what is stored. Samples that did not change are not sent by a server (OPC 10000-4 §7.22.2) and do not count.
func (s *plantRun) settle() {
	made := s.plant.Samples()
	for _, srv := range s.plant.Servers() {
		made -= srv.UA.Filtered()[uaserver.CauseUnchanged]
		if rest := srv.UA.Filtered(); rest[uaserver.CauseUnchanged] != sum(rest) {
			s.t.Errorf("%s kept samples to itself: %v", srv.Name, rest)
		}
	}
	var stored uint64
	eventually(s.t, time.Minute, func() string {
		if stored = s.stored(); stored < made {
			return fmt.Sprintf("%d of %d samples are stored, %d are missing", stored, made, made-stored)
		}
		return ""
	})
	if stored != made {
		s.t.Errorf("%d samples are stored, only %d were made", stored, made)
	}
	if v, _ := s.gw.view(); v.GapsTotal > 0 || v.Quarantine.Entries > 0 {
		s.t.Errorf("%d gaps, %d in quarantine: %v", v.GapsTotal, v.Quarantine.Entries, v.Gaps[:min(3, len(v.Gaps))])
	}
}

func sum(counts map[uaserver.Cause]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// stored is how many values the store has of the plant's signals.
func (s *plantRun) stored() (n uint64) {
	for _, c := range s.plant.Model().Classes {
		name, err := influx.Ident(c.Name)
		if err != nil {
			s.t.Fatal(err)
		}
		err = s.query.Query(context.Background(), influx.Query{Text: "SELECT count(*) FROM " + name}, func(r influx.Row) error {
			for i, column := range r.Columns {
				if k, ok := r.Values[i].Int(); ok && i > 0 && !strings.HasSuffix(column, telemetry.StatusSuffix) {
					n += uint64(k)
				}
			}
			return nil
		})
		if err != nil {
			return 0
		}
	}
	return n
}

// report prints the figures, and fails when memory grew from the second quarter of the run to the last.
func (s *plantRun) report(name string) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "after\tsamples/s\tcores\tcollector\tstore\tsimulator\t")
	for i, r := range s.readings {
		var before reading
		if i > 0 {
			before = s.readings[i-1]
		}
		dt := (r.at - before.at).Seconds()
		cpu := r.collector.cpu + r.store.cpu + r.simulator.cpu - before.collector.cpu - before.store.cpu - before.simulator.cpu
		if r.store.cpu < before.store.cpu { // it was killed meanwhile
			cpu += before.store.cpu
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%s\t%s\t%s\t\n", r.at.Round(time.Second), float64(r.samples-before.samples)/dt, cpu.Seconds()/dt,
			mib(r.collector.rss), mib(r.store.rss), mib(r.simulator.rss))
	}
	_ = w.Flush() // a Builder never fails
	slices.Sort(s.lags)
	lag := func(q float64) time.Duration {
		if len(s.lags) == 0 {
			return 0
		}
		return s.lags[int(q*float64(len(s.lags)-1))].Round(time.Millisecond)
	}
	rate := float64(s.replayed) / s.replaying.Seconds()
	fmt.Fprintf(&b, "%d samples made; lag of the newest stored value p50 %s, p99 %s, at most %s\n", s.plant.Samples(), lag(0.5), lag(0.99), lag(1))
	fmt.Fprintf(&b, "outage of %s at %.0f samples/s: %d samples, %.2f bytes each on disk; replayed at %.0f samples/s, %.1f times the live rate\n",
		s.away.Round(time.Second), s.live, s.backlog, float64(s.waited)/float64(s.backlog), rate, rate/s.live)
	days := 72 * time.Hour
	fmt.Fprintf(&b, "72 hours of it would take %.1f GB, and %s to replay\n", float64(s.waited)/s.away.Seconds()*days.Seconds()/1e9,
		time.Duration(days.Seconds()*s.live/(rate-s.live)*1e9).Round(time.Minute))
	s.t.Logf("%s\n%s", name, b.String())
	s.flat("collector", func(r *reading) int64 { return r.collector.rss })
	s.flat("simulator", func(r *reading) int64 { return r.simulator.rss })
}

func (s *plantRun) flat(what string, of func(*reading) int64) {
	n := len(s.readings)
	if n < 8 {
		return // too short to tell
	}
	early, late := of(&s.readings[n/4]), of(&s.readings[n-1])
	if late > early+early/4+64<<20 {
		s.t.Errorf("memory of the %s grew from %s to %s", what, mib(early), mib(late))
	}
}
