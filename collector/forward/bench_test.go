package forward

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvarts/collector/buffer"
	"kvarts/collector/forward/quarantine"
	"kvarts/historian/influx"
)

// BenchmarkReplay drains a backlog of a million lines from a buffer on disk to an HTTP server that throws them away:
// what the way itself costs, in one process with that server.
func BenchmarkReplay(b *testing.B) {
	const records, perRecord = 1000, 1000
	var got atomic.Int64
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		got.Add(n)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer sink.Close()
	client, err := influx.New(influx.Options{URL: sink.URL, Database: "kvarts"})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	var blocks []buffer.Record
	size := int64(0)
	for i := range 20 {
		blocks = append(blocks, record("saw", fmt.Sprint("g", i%4), noise(i*perRecord, perRecord)...))
		size += int64(len(blocks[i].Payload)) * records / 20
	}
	q, err := quarantine.Open(quarantine.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	var cpu, wall time.Duration
	for b.Loop() {
		b.StopTimer()
		log, err := buffer.Open(context.Background(), buffer.Options{Dir: filepath.Join(b.TempDir(), "buffer"), Destinations: []string{"plant"}})
		if err != nil {
			b.Fatal(err)
		}
		for i := range records {
			r := blocks[i%len(blocks)]
			r.Received = 1 // old: a backlog
			if _, err := log.Append(&r); err != nil {
				b.Fatal(err)
			}
		}
		if err := log.Sync(context.Background()); err != nil {
			b.Fatal(err)
		}
		cursor, err := log.Cursor("plant")
		if err != nil {
			b.Fatal(err)
		}
		f, err := New(Options{Name: "plant", Log: log, Cursor: cursor, Store: client, Quarantine: q})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		b.StartTimer()
		before, start := cpuTime(b), time.Now()
		go func() { done <- f.Run(ctx) }()
		for f.Snapshot().Records > 0 {
			time.Sleep(time.Millisecond)
		}
		cpu, wall = cpu+cpuTime(b)-before, wall+time.Since(start)
		b.StopTimer()
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		if err := log.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	if want := size * int64(b.N); got.Load() != want {
		b.Fatalf("%d bytes arrived, want %d", got.Load(), want)
	}
	lines := float64(b.N) * records * perRecord
	b.ReportMetric(lines/wall.Seconds(), "lines/s")
	b.ReportMetric(cpu.Seconds()/lines*1e6, "CPU-s/Mline")
	b.ReportMetric(float64(size)/(records*perRecord), "B/line")
	b.ReportMetric(0, "ns/op")
}

// noise makes lines as a machine's doubles are: no two values alike, times with jitter.
func noise(from, n int) []string {
	out := make([]string, n)
	for i := range out {
		at := 1_700_000_000_000_000_000 + int64(from+i)*1_000_000 + rand.Int64N(10_000)*100
		out[i] = fmt.Sprintf("cz_puller,area=pulling,site=s1,unit=p%d heater_%d_kw=%v %d", i%5, i%40, 40+rand.Float64(), at)
	}
	return out
}

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTakeApart is what a search adds for each line that it has to take apart, order and compress again once.
func BenchmarkTakeApart(b *testing.B) {
	const n = 20_000
	rec := record("saw", "g", noise(0, n)...)
	e := &buffer.Entry{Record: rec}
	h := hint{measurement: "none"}
	before := cpuTime(b)
	for b.Loop() {
		lines, err := takeApart(e)
		if err != nil {
			b.Fatal(err)
		}
		for _, l := range lines {
			h.suspect(l.text)
		}
		h.arrange(lines)
		if _, err := compress(lines); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpuTime(b)-before).Seconds()/float64(b.N)/n*1e6, "CPU-s/Mline")
}
