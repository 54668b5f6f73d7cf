package influx

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkWriteGzip posts a batch of 5,000 lines in 10 members to a server that throws it away: the cost of the client.
func BenchmarkWriteGzip(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	b.Cleanup(srv.Close)
	c := mustNew(b, Options{URL: srv.URL, Bucket: "b", Token: "token"})
	const members, lines = 10, 500
	var batch [][]byte
	for m := range members {
		var text strings.Builder
		for i := range lines {
			fmt.Fprintf(&text, "wire_saw,area=wafer,unit=ws%02d wire_speed_m_s=%d.%d %d\n", m, i%30, i%97, 1_790_000_000_000_000_000+i*1_000_003)
		}
		batch = append(batch, mustGzip(b, text.String()))
	}
	b.SetBytes(int64(totalBytes(batch)))
	b.ReportAllocs()
	for b.Loop() {
		if r := c.WriteGzip(b.Context(), batch, members*lines); r.Class != OK {
			b.Fatal(r.Err)
		}
	}
	b.ReportMetric(float64(b.N)*members*lines/b.Elapsed().Seconds(), "lines/s")
}

// answerOf makes the answer to a chunked query of rows rows of time, float, integer status and text.
func answerOf(rows int) []byte {
	var b bytes.Buffer
	const chunk = 10_000
	for from := 0; from < rows; from += chunk {
		b.WriteString(`{"results":[{"statement_id":0,"series":[{"name":"wire_saw","tags":{"unit":"ws01"},"columns":["time","wire_speed_m_s","wire_speed_m_s_status","state"],"values":[`)
		for i := from; i < min(rows, from+chunk); i++ {
			if i > from {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `[%d,%d.%03d,%d,"cutting"]`, 1_790_000_000_000_000_000+i*1_000_003, i%30, i%1000, i%3)
		}
		b.WriteString(`]`)
		if from+chunk < rows {
			b.WriteString(`,"partial":true}],"partial":true}]}` + "\n")
		} else {
			b.WriteString(`}]}]}` + "\n")
		}
	}
	return b.Bytes()
}

func BenchmarkDecode(b *testing.B) {
	const rows = 100_000
	doc := answerOf(rows)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		d := &decoder{s: newScanner(bytes.NewReader(doc), 1<<30), each: func(r Row) error {
			if _, ok := r.Values[1].Float(); ok {
				n++
			}
			return nil
		}}
		if err := d.run(); err != nil || n != rows {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkQuery is BenchmarkDecode over HTTP.
func BenchmarkQuery(b *testing.B) {
	const rows = 100_000
	doc := answerOf(rows)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(doc)
	}))
	b.Cleanup(srv.Close)
	c := mustNew(b, Options{URL: srv.URL, Database: "d"})
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := c.Query(b.Context(), Query{Text: "x"}, func(Row) error { n++; return nil }); err != nil || n != rows {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
}
