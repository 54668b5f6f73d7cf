package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kvarts/historian/store"
)

// benchBatch is lines of slowly changing floats of 2,000 signals (200 units with 10 fields each on their own lines), one
// value per second, as a collector sends them: 5,000 lines from sequence number n on.
func benchBatch(b *strings.Builder, n int64) {
	const batch, series = 5000, 2000
	b.Reset()
	for i := n * batch; i < (n+1)*batch; i++ {
		signal, second := i%series, i/series
		value := 400 + float64(signal%97) + float64((second+signal)%60)/8 + float64(rand.IntN(4))/16
		fmt.Fprintf(b, "cz_puller,site=a,area=pulling,unit=p%03d heater_%d_kw=%.4f %d\n", signal/10, signal%10, value, 1_700_000_000_000_000_000+second*int64(time.Second))
	}
}

// fileBytes is the size of all files of a kind. The engine may remove one meanwhile.
func fileBytes(b *testing.B, dir, suffix string) (n int64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(d.Name(), suffix) {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.Fatal(err)
	}
	return n
}

// BenchmarkWrite posts batches of 5,000 lines as gzip members from two clients; one operation is one batch. It reports
// points per second with the fsync of each batch, and bytes per point once all are in TSM files (before full compaction).
func BenchmarkWrite(b *testing.B) {
	dir := b.TempDir()
	s := open(b, store.Options{Dir: dir, Engine: store.Engine{SnapshotBytes: 4 << 20}})
	const prepared = 400
	bodies := make([]string, prepared)
	var text strings.Builder
	for i := range bodies {
		benchBatch(&text, int64(i))
		bodies[i] = zipped(text.String())
	}
	var next atomic.Int64
	b.ResetTimer()
	b.SetParallelism(1)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := next.Add(1) - 1
			a, err := w(bodies[i%prepared]).with("Content-Encoding", "gzip").try(s.URL())
			if err != nil || a.Status != http.StatusNoContent {
				b.Errorf("write: %v %v", a, err)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)*5000/b.Elapsed().Seconds(), "points/s")
	if n := int64(b.N); n <= prepared { // more would write the same points again
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		open(b, store.Options{Dir: dir, Engine: store.Engine{SnapshotBytes: 1}}) // whatever the log holds goes to TSM files
		eventually(b, "the log is written to TSM files", func() bool { return fileBytes(b, dir, ".wal") == 0 })
		b.ReportMetric(float64(fileBytes(b, dir, ".tsm"))/float64(n*5000), "disk-B/point")
	}
}

// BenchmarkQuery is a panel's query over one signal of 200,000 points in 100 units.
func BenchmarkQuery(b *testing.B) {
	s := open(b, store.Options{})
	var text strings.Builder
	for i := range int64(40) {
		benchBatch(&text, i)
		write(b, s.URL(), text.String())
	}
	for _, c := range []struct{ name, text string }{
		{"one_unit", "SELECT mean(heater_1_kw) FROM cz_puller WHERE unit='p001' AND time >= 1700000000s AND time < 1700000100s GROUP BY time(10s)"},
		{"all_units", "SELECT mean(heater_1_kw) FROM cz_puller WHERE time >= 1700000000s AND time < 1700000100s GROUP BY time(10s), unit"},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if a := q(c.text, "epoch", "ms").send(b, s.URL()); a.Status != http.StatusOK {
					b.Fatal(a)
				}
			}
		})
	}
}
