package store_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kvarts/historian/store"
)

// childEnv names what a re-executed test binary is to do instead of testing.
const childEnv = "KVARTS_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		runChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// open starts a store on a free port and closes it at the end of the test.
func open(tb testing.TB, o store.Options) *store.Store {
	tb.Helper()
	if o.Dir == "" {
		o.Dir = tb.TempDir()
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	s, err := store.Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

// answer is what a server said.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// request is one HTTP request, without a server.
type request struct {
	method string // default: POST with a body or form, else GET
	path   string // with its query
	body   string
	form   url.Values
	header map[string]string
}

func (q request) send(tb testing.TB, base string) answer {
	tb.Helper()
	a, err := q.try(base)
	if err != nil {
		tb.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	return a
}

func (q request) try(base string) (answer, error) {
	body := q.body
	if q.form != nil {
		body = q.form.Encode()
	}
	method := q.method
	if method == "" {
		method = http.MethodGet
		if q.body != "" || q.form != nil {
			method = http.MethodPost
		}
	}
	r, err := http.NewRequest(method, base+q.path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if q.form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range q.header {
		r.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(b)}, err
}

// write posts lines and expects 204.
func write(tb testing.TB, base, lines string) {
	tb.Helper()
	if a := (request{path: "/api/v2/write?bucket=kvarts&precision=ns", body: lines}).send(tb, base); a.Status != http.StatusNoContent {
		tb.Fatalf("write: %d %s", a.Status, a.Body)
	}
}

// result is the JSON of /query.
type result struct {
	Results []struct {
		Series []struct {
			Name    string
			Tags    map[string]string
			Columns []string
			Values  [][]any
			Partial bool
		}
		Error string
	}
	Error string
}

func ask(tb testing.TB, base, q string) result {
	tb.Helper()
	a := (request{path: "/query?epoch=ns&db=kvarts&q=" + url.QueryEscape(q)}).send(tb, base)
	var r result
	dec := json.NewDecoder(strings.NewReader(a.Body))
	dec.UseNumber()
	if err := dec.Decode(&r); err != nil || a.Status != http.StatusOK {
		tb.Fatalf("%s: %d %s %v", q, a.Status, a.Body, err)
	}
	return r
}

// values are the rows of the only series of the only statement, nil without one.
func values(tb testing.TB, base, q string) [][]any {
	tb.Helper()
	r := ask(tb, base, q)
	if len(r.Results) != 1 || r.Results[0].Error != "" || len(r.Results[0].Series) > 1 {
		tb.Fatalf("%s: %+v", q, r)
	}
	if len(r.Results[0].Series) == 0 {
		return nil
	}
	return r.Results[0].Series[0].Values
}

// count is the number of values of field v in measurement m.
func count(tb testing.TB, base string) int {
	tb.Helper()
	rows := values(tb, base, "SELECT count(v) FROM m")
	if rows == nil {
		return 0
	}
	return int(number(tb, rows[0][1]))
}

func zipped(members ...string) string {
	var b bytes.Buffer
	for _, m := range members {
		w := gzip.NewWriter(&b)
		if _, err := io.WriteString(w, m); err != nil {
			panic(err) // a bytes.Buffer cannot fail
		}
		if err := w.Close(); err != nil {
			panic(err)
		}
	}
	return b.String()
}

// eventually polls until ok, for as long as a loaded machine may take.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: did not happen", what)
		}
		<-tick.C
	}
}

func lines(n int, from int64) string {
	var b strings.Builder
	for i := range int64(n) {
		fmt.Fprintf(&b, "m,unit=u%d v=%di %d\n", i%7, from+i, from+i)
	}
	return b.String()
}

// number reads an integer of a decoded answer.
func number(tb testing.TB, v any) int64 {
	tb.Helper()
	n, ok := v.(json.Number)
	if !ok {
		tb.Fatalf("%v is no number", v)
	}
	i, err := n.Int64()
	if err != nil {
		tb.Fatal(err)
	}
	return i
}
