package forward

import (
	"context"
	"fmt"
	"io"
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
	m := newMaker()
	var blocks []buffer.Record
	for i := range 20 {
		blocks = append(blocks, record("saw", fmt.Sprint("g", i%4), m.lines(perRecord)...))
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
	lines := float64(b.N) * records * perRecord
	b.ReportMetric(lines/wall.Seconds(), "lines/s")
	b.ReportMetric(cpu.Seconds()/lines*1e6, "CPU-s/Mline")
	b.ReportMetric(0, "ns/op")
}

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
