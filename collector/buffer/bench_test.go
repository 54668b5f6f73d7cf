package buffer

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
)

// realistic returns a block of 2,000 samples of line protocol, as the worker makes it.
func realistic(b testing.TB) *Record {
	var lines bytes.Buffer
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 2000 {
		fmt.Fprintf(&lines, "cz_puller,area=crystal,site=plant,unit=cz%02d main_heater_power_kw=%.3f %d\n", i%20, 80+rng.Float64(), int64(t0)+int64(i)*500_000_000)
	}
	r := block("puller", "fast", 1)
	r.Samples, r.Lines, r.Payload = 2000, 2000, member(b, lines.String())
	return r
}

func benchLog(b *testing.B, o Options) *Log {
	o.Dir = b.TempDir()
	l, err := Open(context.Background(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := l.Close(); err != nil {
			b.Error(err)
		}
	})
	return l
}

func BenchmarkAppend(b *testing.B) {
	l := benchLog(b, Options{MaxBytes: 256 << 20})
	r := realistic(b)
	b.SetBytes(int64(len(r.Payload)))
	b.ReportAllocs()
	for b.Loop() {
		mustAppend(b, l, r)
	}
	mustSync(b, l)
	b.ReportMetric(float64(b.N)*2000/b.Elapsed().Seconds(), "samples/s")
}

func BenchmarkAppendSync(b *testing.B) {
	l := benchLog(b, Options{MaxBytes: 256 << 20})
	r := realistic(b)
	b.SetBytes(int64(len(r.Payload)))
	for b.Loop() {
		mustAppend(b, l, r)
		mustSync(b, l)
	}
	b.ReportMetric(float64(b.N)*2000/b.Elapsed().Seconds(), "samples/s")
}

func BenchmarkRead(b *testing.B) {
	l := benchLog(b, Options{})
	r := realistic(b)
	const records = 5000
	for range records {
		mustAppend(b, l, r)
	}
	mustSync(b, l)
	b.SetBytes(int64(len(r.Payload)) * records)
	for b.Loop() {
		var list []Entry
		for from := uint64(1); from <= records; from = list[len(list)-1].Seq + 1 {
			var err error
			if list, err = l.Read(from, 100, 2<<20, list[:0]); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)*2000*records/b.Elapsed().Seconds(), "samples/s")
}

// BenchmarkOpen opens logs of 128 MB (an eighth of 1 GB): closed well, and with no footer in any segment.
func BenchmarkOpen(b *testing.B) {
	for _, footers := range []bool{true, false} {
		b.Run(fmt.Sprintf("footers=%v", footers), func(b *testing.B) {
			dir := b.TempDir()
			ctx := context.Background()
			l, err := Open(ctx, Options{Dir: dir})
			if err != nil {
				b.Fatal(err)
			}
			r := realistic(b)
			total := 0
			for ; total < 128<<20; total += len(r.Payload) {
				mustAppend(b, l, r)
			}
			mustClose(b, l)
			if !footers {
				cutFooters(b, dir)
			}
			b.SetBytes(int64(total))
			for b.Loop() {
				if l, err = Open(ctx, Options{Dir: dir}); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				mustClose(b, l)
				if !footers {
					cutFooters(b, dir)
				}
				b.StartTimer()
			}
		})
	}
}

func cutFooters(b *testing.B, dir string) {
	b.Helper()
	d := diskFS{}
	list, err := d.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range list {
		if _, ok := segmentNumber(f.Name); !ok {
			continue
		}
		file, err := d.Open(dir+"/"+f.Name, true)
		if err != nil {
			b.Fatal(err)
		}
		var tail [footerTail]byte
		if err := readFull(file, tail[:], f.Size-footerTail); err != nil {
			b.Fatal(err)
		}
		if n, err := footerLength(tail[:]); err == nil {
			if err := file.Truncate(f.Size - n); err != nil {
				b.Fatal(err)
			}
		}
		if err := file.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
