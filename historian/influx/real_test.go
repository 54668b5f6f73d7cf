package influx

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func mustGzip(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer // by the standard library: what a server makes of the bytes themselves is tested too
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Each way in which a real server refuses a whole batch, and what it must mean.
func TestRefusalsOfRealServers(t *testing.T) {
	eachTarget(t, func(t *testing.T, c *Client, kind Kind) {
		ctx := testContext(t, 30*time.Second)
		now := time.Now().UnixNano()
		good := mustGzip(t, fmt.Sprintf("m,k=a f=1 %d\n", now))
		damaged := bytes.Clone(good)
		damaged[len(damaged)-6] ^= 0x40 // in the checksum
		for _, k := range []struct {
			name  string
			c     *Client
			batch [][]byte
			lines int
			want  Class
		}{
			{"good", c, [][]byte{good}, 1, OK},
			{"unknown bucket", c.on("none"), [][]byte{good}, 1, Hold},
			{"empty bucket", c.on(""), [][]byte{good}, 1, Hold},
			{"unknown policy", c.on(c.opts.Bucket + "/none"), [][]byte{good}, 1, Hold},
			{"damaged checksum", c, [][]byte{good, damaged}, 2, Split},
			{"cut member", c, [][]byte{good[:len(good)-9]}, 1, Split},
			{"not gzip", c, [][]byte{[]byte("m f=1 1\n")}, 1, Split},
			{"no time fits", c, [][]byte{mustGzip(t, "m f=1 99999999999999999999\n")}, 1, Split},
			{"control character", c, [][]byte{mustGzip(t, "m s=\"\x01\",f= 1\n")}, 1, Split},
			{"garbage", c, [][]byte{mustGzip(t, "\x1f\x8b\x00 = = =\n")}, 1, Hold},
			{"gzip within gzip", c, [][]byte{mustGzip(t, string(good))}, 1, Hold},
		} {
			t.Run(k.name, func(t *testing.T) {
				r := k.c.WriteGzip(ctx, k.batch, k.lines)
				t.Logf("%d %s %q %q dropped %d %s", r.Status, r.Class, r.Message, r.Remedy, r.Dropped, r.Fate)
				if r.Class != k.want {
					t.Errorf("class %s, want %s", r.Class, k.want)
				}
			})
		}
		if kind == V2 {
			for org, want := range map[string]Class{"none": Hold, "": Hold} {
				d := c.on(c.opts.Bucket)
				o := c.opts
				o.Org = org
				d.use(o)
				r := d.WriteGzip(ctx, [][]byte{good}, 1)
				t.Logf("org %q: %d %s %q %q", org, r.Status, r.Class, r.Message, r.Remedy)
				if r.Class != want {
					t.Errorf("organization %q: class %s, want %s", org, r.Class, want)
				}
			}
		}
	})
}

func TestQueryErrorsOfRealServers(t *testing.T) {
	eachTarget(t, func(t *testing.T, c *Client, kind Kind) {
		ctx := testContext(t, 30*time.Second)
		if _, err := c.Detect(ctx); err != nil {
			t.Fatal(err)
		}
		for _, k := range []struct {
			name, text, db string
			params         map[string]any
			want           ErrorKind
		}{
			{"syntax", "SELEC 1", "", nil, KindSyntax},
			{"no such database", `SELECT * FROM m`, "none", nil, KindNotFound},
			{"no such policy", `SELECT * FROM "none"."m"`, "", nil, KindNotFound},
			{"missing parameter", `SELECT * FROM m WHERE k = $k`, "", map[string]any{"j": 1}, KindSyntax},
			{"unknown function", `SELECT nonsense(f) FROM m`, "", nil, KindRefused},
			{"second statement", `SHOW DATABASES; SELECT nonsense(f) FROM m`, "", nil, KindRefused},
		} {
			t.Run(k.name, func(t *testing.T) {
				err := c.Query(ctx, Query{Text: k.text, Params: k.params, Database: k.db}, func(Row) error { return nil })
				var e *Error
				if !errors.As(err, &e) {
					t.Fatalf("error %v", err)
				}
				t.Logf("%d kind %d %v", e.Status, e.Kind, e)
				want := k.want
				if kind == V2 && k.want == KindNotFound {
					want = KindMapping
				}
				if e.Kind != want {
					t.Errorf("kind %d, want %d", e.Kind, want)
				}
				if want == KindMapping && !strings.Contains(e.Hint, "influx v1 dbrp create --db ") {
					t.Errorf("hint %q names no command", e.Hint)
				}
			})
		}
		if !c.cred.anonymous() {
			err := c.withToken("wrong:token").Query(ctx, Query{Text: "SELECT * FROM m"}, func(Row) error { return nil })
			var e *Error
			if !errors.As(err, &e) || e.Kind != KindAuth {
				t.Errorf("wrong token: %v", err)
			}
		}
	})
}

func TestChunkedAnswersAreWhole(t *testing.T) {
	eachTarget(t, func(t *testing.T, c *Client, _ Kind) {
		ctx := testContext(t, 30*time.Second)
		const units, rows = 7, 23
		var b strings.Builder
		for u := range units {
			for i := range rows {
				fmt.Fprintf(&b, "m,unit=u%d f=%d,s=\"%d \\\"ö\\\" \U0001F600\" %d\n", u, i, i, 1_700_000_000_000_000_000+i)
			}
		}
		if r := c.WriteGzip(ctx, [][]byte{mustGzip(t, b.String())}, units*rows); r.Class != OK {
			t.Fatal(r.Err)
		}
		for _, chunk := range []int{0, 1, 10, 1000} {
			n := 0
			err := c.Query(ctx, Query{Text: `SELECT f, s FROM m GROUP BY unit; SELECT count(f) FROM m`, ChunkRows: chunk}, func(r Row) error {
				if r.Statement == 1 {
					if f, _ := r.Values[1].Int(); f != units*rows {
						return fmt.Errorf("count %d", f)
					}
					return nil
				}
				u, i := n/rows, n%rows
				at, _ := r.Time()
				f, _ := r.Values[1].Float()
				s, _ := r.Values[2].Text()
				if r.Tag("unit") != fmt.Sprintf("u%d", u) || int64(at) != 1_700_000_000_000_000_000+int64(i) || f != float64(i) || s != fmt.Sprintf("%d \"ö\" \U0001F600", i) {
					return fmt.Errorf("row %d: %+v", n, r)
				}
				n++
				return nil
			})
			if err != nil || n != units*rows {
				t.Errorf("chunks of %d: %d rows, %v", chunk, n, err)
			}
		}
	})
}

func TestProbeCleansUp(t *testing.T) {
	eachTarget(t, func(t *testing.T, c *Client, kind Kind) {
		databases := func() (list string) {
			t.Helper()
			text := "SHOW DATABASES"
			if err := c.Query(testContext(t, 10*time.Second), Query{Text: text}, func(r Row) error {
				s, _ := r.Values[0].Text()
				list += s + " "
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			return list
		}
		before := databases()
		ctx, cancel := context.WithCancel(testContext(t, 30*time.Second))
		steps := 0
		during := ""
		_, err := Probe(ctx, c, ProbeOptions{Progress: func(step string) {
			if steps++; steps == 5 {
				during = databases()
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want that of the caller", err)
		}
		if !strings.Contains(during, "kvarts_probe_") {
			t.Errorf("databases during the probe: %s", during)
		}
		if after := databases(); after != before {
			t.Errorf("databases after the probe: %s, before: %s", after, before)
		}
	})
}

// What was written is there, a line that the server refuses is an error, and no lines are no request.
func TestWriteLines(t *testing.T) {
	eachTarget(t, func(t *testing.T, c *Client, _ Kind) {
		ctx := testContext(t, 30*time.Second)
		now := time.Now().UnixNano()
		if err := c.WriteLines(ctx, fmt.Appendf(nil, "written f=1 %d\nwritten f=2 %d\n", now, now+1), 2); err != nil {
			t.Fatal(err)
		}
		var sum float64
		err := c.Query(ctx, Query{Text: "SELECT f FROM written"}, func(r Row) error {
			f, _ := r.Values[1].Float()
			sum += f
			return nil
		})
		if err != nil || sum != 3 {
			t.Errorf("the sum of what was written is %v, %v", sum, err)
		}
		if err := c.WriteLines(ctx, []byte("m f=1 99999999999999999999\n"), 1); err == nil {
			t.Error("a line that no server takes was written")
		}
		if err := c.on("none").WriteLines(ctx, nil, 0); err != nil {
			t.Errorf("no lines: %v", err)
		}
	})
}
