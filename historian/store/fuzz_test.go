package store_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"kvarts/historian/store"
)

// fuzzPatience is how long one hostile request may take on a loaded machine.
const fuzzPatience = 20 * time.Second

// sane is what every answer must be, whatever was asked: given in time, no recovered panic, an error in the form clients know.
func sane(t *testing.T, what string, start time.Time, a answer, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%q: no answer: %v", what, err)
	}
	if d := time.Since(start); d > fuzzPatience {
		t.Errorf("%q: took %v", what, d)
	}
	if a.Status == http.StatusInternalServerError && !strings.Contains(a.Body, "engine: ") || strings.Contains(a.Body, "[panic:") {
		t.Errorf("%q: %d %s", what, a.Status, a.Body)
	}
	if a.Status >= 400 && !json.Valid([]byte(a.Body)) && a.Header.Get("Content-Type") == "application/json" {
		t.Errorf("%q: %d with broken JSON %q", what, a.Status, a.Body)
	}
}

// FuzzWrite sends any bytes as a write, plain and as gzip. The store answers, and then takes and gives back a good point.
func FuzzWrite(f *testing.F) {
	for _, c := range sameAnswers {
		if strings.Contains(c.path, "write") {
			f.Add(c.body, "ns", c.header["Content-Encoding"] == "gzip")
		}
	}
	f.Add("m v=1 -9223372036854775806\nm v=1 9223372036854775806", "ns", false)
	f.Add("m v=1 99999999999999", "h", false)
	f.Add(`m,a\=\,\ =\\ "f\"="x\\\"y" 1`, "s", false)
	s := open(f, store.Options{Limits: store.Limits{ShardsPerWrite: 4, BodyBytes: 1 << 20}})
	done := 0
	f.Fuzz(func(t *testing.T, body, precision string, gz bool) {
		r := request{method: http.MethodPost, path: "/api/v2/write?bucket=kvarts&precision=" + url.QueryEscape(precision), body: body}
		if gz {
			r = r.with("Content-Encoding", "gzip")
		}
		start := time.Now()
		a, err := r.try(s.URL())
		sane(t, body, start, a, err)
		write(t, s.URL(), "fuzz_sentinel v=7i 1700000000000000000")
		if rows := values(t, s.URL(), "SELECT v FROM fuzz_sentinel WHERE time = 1700000000000000000"); len(rows) != 1 {
			t.Errorf("%q: the good point is gone: %v", body, rows)
		}
		// Invented times leave a shard each; thousands of them would only slow the fuzzer down.
		if done++; done%100 == 0 {
			a := request{path: "/query", form: url.Values{"q": {"DROP DATABASE kvarts; CREATE DATABASE kvarts"}}}.send(t, s.URL())
			if a.Status != http.StatusOK || strings.Contains(a.Body, "error") {
				t.Errorf("start afresh: %+v", a)
			}
		}
	})
}

// destructive are statements that would take the fuzzer's own ground away or wait for a reason.
var destructive = regexp.MustCompile(`(?is)drop|delete|create|alter|kill|into|grant|revoke|set\s`)

// FuzzQuery sends any text as a query, with any parameters and format.
func FuzzQuery(f *testing.F) {
	for _, c := range sameAnswers {
		u, err := url.Parse(c.path)
		if err != nil {
			f.Fatal(err)
		}
		if u.Path == "/query" {
			f.Add(u.Query().Get("q"), u.Query().Get("params"), u.Query().Get("epoch"), uint8(len(c.header)))
		}
	}
	f.Add("SELECT holt_winters(first(v),5,2), derivative(mean(v)) FROM m WHERE time > 0 GROUP BY time(1s) fill(previous) ORDER BY time DESC LIMIT 2 OFFSET 1 SLIMIT 1 TZ('Asia/Tokyo')", "", "", uint8(3))
	f.Add("SELECT top(v, unit, 2), bottom(v,1), sample(v,3), integral(v), mode(v), cumulative_sum(v), moving_average(v,2) FROM m", "", "u", uint8(2))
	f.Add("SELECT v FROM (SELECT v FROM m WHERE $a = v AND /x/ = unit) WHERE time = $t GROUP BY *", `{"a":1.5,"t":"2023-11-14T00:00:00Z"}`, "h", uint8(1))
	s := open(f, store.Options{Limits: store.Limits{QueryTimeout: 2 * time.Second, Rows: 1000, Buckets: 10_000, QueryBytes: 1 << 16}})
	write(f, s.URL(), lines(200, 1_700_000_000_000_000_000)+"cz_puller,unit=p1 heater_kw=1,on=true,s=\"x\" 1700000000000000000")
	accept := []string{"", "application/csv", "text/csv", "application/x-msgpack"}
	f.Fuzz(func(t *testing.T, text, params, epoch string, how uint8) {
		if destructive.MatchString(text) {
			t.Skip("changes the store")
		}
		form := url.Values{"db": {"kvarts"}, "q": {text}, "epoch": {epoch}}
		if params != "" {
			form.Set("params", params)
		}
		if how&4 != 0 {
			form.Set("chunked", "true")
		}
		start := time.Now()
		a, err := request{path: "/query", form: form}.with("Accept", accept[how%4]).try(s.URL())
		sane(t, text, start, a, err)
		if n := count(t, s.URL()); n != 200 {
			t.Errorf("%q changed the store: %d points", text, n)
		}
	})
}

// FuzzTokens reads any token file.
func FuzzTokens(f *testing.F) {
	f.Add([]byte("# plant\ncollector write 0123456789abcdef\n\npanel read fedcba9876543210\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		tokens, err := store.ParseTokens(text)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, k := range tokens {
			if k.Name == "" || len(k.Secret) < 16 || seen[k.Name] || seen[k.Secret] || strings.ContainsAny(k.Secret, " :\n") {
				t.Errorf("%q gave %+v", text, k)
			}
			seen[k.Name] = true
		}
	})
}
