package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"kvarts/historian/influx"
)

// usage is what a process has taken so far.
type usage struct {
	cpu  time.Duration
	rss  int64 // bytes in memory now
	peak int64 // the most so far: reading the configuration takes it
}

// usageOf reads /proc; a process that has just ended uses nothing. The scheduler counts in ticks of 10 ms.
func usageOf(b testing.TB, pid int) usage {
	b.Helper()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		b.Skip("no /proc here: ", err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	u := usage{cpu: time.Duration(user+system) * 10 * time.Millisecond}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u
	}
	for _, line := range strings.Split(string(status), "\n") {
		for key, field := range map[string]*int64{"VmHWM:": &u.peak, "VmRSS:": &u.rss} {
			if rest, ok := strings.CutPrefix(line, key); ok {
				kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
				*field = kb << 10
			}
		}
	}
	return u
}

// collectorUsage adds parent and worker.
func collectorUsage(b testing.TB, gw *gateway) (u usage) {
	b.Helper()
	v, ok := gw.view()
	if !ok {
		b.Fatal("no status page")
	}
	gw.mu.Lock()
	pids := []int{gw.cmd.Process.Pid}
	gw.mu.Unlock()
	for _, w := range v.Workers {
		if w.Running {
			pids = append(pids, w.PID)
		}
	}
	for _, pid := range pids {
		p := usageOf(b, pid)
		u.cpu, u.rss, u.peak = u.cpu+p.cpu, u.rss+p.rss, u.peak+p.peak
	}
	return u
}

func folderBytes(b testing.TB, dir string) (n int64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, ierr := d.Info(); ierr == nil {
				n += info.Size()
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// meter takes the usage of a run from start until everything is delivered; what it costs to settle the books is not in it.
type meter struct {
	b                *testing.B
	gw               *gateway
	store            *program
	collector, after usage
	history, later   usage
	started          time.Time
	length           time.Duration
}

func startMeter(b *testing.B, gw *gateway, store *program) *meter {
	return &meter{b: b, gw: gw, store: store, collector: collectorUsage(b, gw), history: usageOf(b, store.cmd.Process.Pid), started: time.Now()}
}

// rest is called when the machine has stopped.
func (m *meter) rest() {
	m.length = time.Since(m.started)
	quiet := 0
	eventually(m.b, 60*time.Second, func() string {
		if v, ok := m.gw.view(); ok && v.Destinations[0].Records == 0 {
			quiet++
		} else {
			quiet = 0
		}
		if quiet < 20 { // a second without anything waiting
			return "values are still on their way"
		}
		return ""
	})
	m.after, m.later = collectorUsage(m.b, m.gw), usageOf(m.b, m.store.cmd.Process.Pid)
}

func (m *meter) report(generated, stored uint64) {
	v, _ := m.gw.view()
	million := float64(generated) / 1e6
	m.b.ReportMetric(float64(generated)/m.length.Seconds(), "samples/s")
	m.b.ReportMetric(100*float64(stored)/float64(generated), "%stored")
	m.b.ReportMetric((m.after.cpu-m.collector.cpu).Seconds()/million, "collector-cpu-s/M")
	m.b.ReportMetric((m.later.cpu-m.history.cpu).Seconds()/million, "store-cpu-s/M")
	m.b.ReportMetric(float64(m.after.rss)/(1<<20), "collector-MB")
	m.b.ReportMetric(float64(m.after.peak)/(1<<20), "collector-peak-MB")
	m.b.ReportMetric(float64(m.later.rss)/(1<<20), "store-MB")
	m.b.ReportMetric(float64(v.Destinations[0].Totals.Bytes)/float64(v.Destinations[0].Totals.Lines), "wire-B/sample")
	m.b.ReportMetric(0, "ns/op")
}

// BenchmarkPathNodeOPCUA: 10,000 doubles that change every 500 ms, from node-opcua over disk into the embedded store.
func BenchmarkPathNodeOPCUA(b *testing.B) {
	const items = 10_000
	peer := loadPeer(b, items, 500*time.Millisecond)
	n := newNodeServer(b, peer, peer.Endpoint, unprotected, twiceASecond)
	gw, store, url := n.collectLoad(items)
	for b.Loop() {
		m := startMeter(b, gw, store)
		peer.StartLoad()
		time.Sleep(20 * time.Second)
		peer.StopLoad()
		m.rest()
		a := gw.mustBalance(client(b, influx.Options{URL: url}), n.made)
		m.report(a.Generated, a.Stored)
	}
}

// BenchmarkPathGoServer: 5,000 doubles that change every 100 ms (50,000 values/s), from a simulated machine.
func BenchmarkPathGoServer(b *testing.B) {
	machine := newMachine(b, "load", 5000)
	store, url := startHistorian(b)
	gw := newGateway(b, "url: "+url+", database: kvarts", machine.yaml(machine.srv.Endpoint()))
	gw.start()
	gw.awaitRunning(len(machine.vars))
	for b.Loop() {
		m := startMeter(b, gw, store)
		machine.work(100 * time.Millisecond)
		time.Sleep(10 * time.Second)
		machine.rest()
		m.rest()
		a := gw.mustBalance(client(b, influx.Options{URL: url}), machine.made)
		m.report(a.Generated, a.Stored)
	}
}

// BenchmarkOutageReplay: the store is away for 15 s of 40,000 samples/s, then the backlog is delivered.
func BenchmarkOutageReplay(b *testing.B) {
	machine := newMachine(b, "load", 2000)
	store, url := startHistorian(b)
	gw := newGateway(b, "url: "+url+", database: kvarts", machine.yaml(machine.srv.Endpoint()))
	gw.start()
	gw.awaitRunning(len(machine.vars))
	for b.Loop() {
		_ = store.signal(syscall.SIGKILL)
		machine.work(50 * time.Millisecond)
		time.Sleep(15 * time.Second)
		machine.rest()
		v, _ := gw.view()
		delivered := v.Destinations[0].Totals.Lines
		store.start()
		awaitStore(b, url)
		started := time.Now()
		eventually(b, 60*time.Second, func() string {
			v, _ = gw.view()
			if v.Destinations[0].Records > 5 {
				return "the backlog is not delivered"
			}
			return ""
		})
		b.ReportMetric(float64(v.Destinations[0].Totals.Lines-delivered)/time.Since(started).Seconds(), "replayed-samples/s")
		a := gw.mustBalance(client(b, influx.Options{URL: url}), machine.made)
		b.ReportMetric(100*float64(a.Stored)/float64(a.Generated), "%stored")
		b.ReportMetric(float64(folderBytes(b, filepath.Join(gw.dir, "buffer"))), "buffer-bytes-after")
		b.ReportMetric(0, "ns/op")
	}
}
