package influx

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

var (
	json1   = http.Header{"Content-Type": {"application/json"}, headerVersion: {"1.8.10"}, headerBuild: {"OSS"}}
	json2   = http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Platform-Error-Code": {"invalid"}}
	jsonAny = http.Header{"Content-Type": {"application/json"}}
	html    = http.Header{"Content-Type": {"text/html; charset=utf-8"}}
	plain   = http.Header{"Content-Type": {"text/plain"}}
)

const loginPage = "<!DOCTYPE html><html><head><title> Sign in </title></head><body>no</body></html>"

func verdict(status int, h http.Header, body string, hb Habits, lines int, gz error) Result {
	return classify(exchange{
		answer: &answer{status: status, header: h, body: []byte(body)},
		habits: hb, lines: lines, now: time.Unix(1_800_000_000, 0), gzipErr: func() error { return gz },
	})
}

func TestClassify(t *testing.T) {
	damaged := errors.New("gzip: invalid checksum")
	unknown := Habits{}
	for _, k := range []struct {
		name    string
		status  int
		header  http.Header
		body    string
		habits  Habits
		gzipErr error
		class   Class
		dropped int
		fate    Fate
	}{
		{"stored", 204, json1, "", habits18, nil, OK, -1, FateAll},
		{"stored, says a server that loses lines", 204, nil, "", habitsGemini, nil, OK, -1, FateUnknown},
		{"stored, says an unknown server", 204, nil, "", unknown, nil, OK, -1, FateUnknown},

		{"1.8 type conflict", 400, json1, `{"error":"partial write: field type conflict: input field \"t\" on measurement \"m\" is type string, already exists as type float dropped=3"}`, habits18, nil, Split, 3, FateGood},
		{"1.8 unparsable", 400, json1, `{"error":"partial write: unable to parse 'm t= 1': missing field value dropped=0"}`, habits18, nil, Split, -1, FateGood},
		{"1.8 retention", 400, json1, `{"error":"partial write: points beyond retention policy dropped=2"}`, habits18, nil, Split, 2, FateGood},
		{"1.8 shard on its way out", 400, json1, `{"error":"partial write: shard 12 is pending deletion dropped=3"}`, habits18, nil, Retry, -1, FateUnknown},
		{"2.9 shard on its way out", 422, json2, `{"code":"unprocessable entity","message":"failure writing points to database: partial write: shard 12 is pending deletion dropped=3"}`, habits2, nil, Retry, -1, FateUnknown},
		{"those words in a name", 400, json1, `{"error":"partial write: field type conflict: input field \"shard 1 is pending deletion\" on measurement \"m\" dropped=1"}`, habits18, nil, Split, 1, FateGood},
		{"1.8 series limit", 400, json1, `{"error":"partial write: max-series-per-database limit exceeded: (10) dropped=1"}`, habits18, nil, Split, 1, FateUnknown},
		{"dropped more than sent", 400, json1, `{"error":"partial write: points beyond retention policy dropped=2000"}`, habits18, nil, Split, -1, FateGood},
		{"2.9 type conflict", 422, json2, `{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: input field \"t\" on measurement \"m\" is type string, already exists as type float dropped=1"}`, habits2, nil, Split, 1, FateGood},
		{"2.9 unparsable", 400, json2, `{"code":"invalid","message":"unable to parse 'm t= 1': missing field value"}`, habits2, nil, Split, -1, FateNone},
		{"2.9 retention", 422, json2, `{"code":"unprocessable entity","message":"failure writing points to database: partial write: points beyond retention policy dropped=5"}`, habits2, nil, Split, 5, FateGood},
		{"early 2.0 type conflict", 500, json2, `{"code":"internal error","message":"unexpected error writing points to database: partial write: field type conflict: input field \"t\" dropped=1"}`, unknown, nil, Split, 1, FateUnknown},
		{"3 partial", 400, jsonAny, `{"error":"partial write of line protocol occurred","data":[{"original_line":"m t=","line_number":2,"error_message":"bad"}]}`, habits3, nil, Split, 1, FateUnknown},
		{"3 parse", 400, jsonAny, `{"error":"parsing for line protocol failed","data":{"original_line":"m t=","line_number":1,"error_message":"bad"}}`, habits3, nil, Split, -1, FateGood},
		{"clustered 201", 201, jsonAny, `{"error":"partial write of line protocol occurred","data":[{"line_number":2,"error_message":"bad"}]}`, habits3, nil, Split, 1, FateGood},
		{"422 in unknown words", 422, jsonAny, `{"code":"x","message":"the moon is wrong"}`, unknown, nil, Split, -1, FateUnknown},
		{"400 in unknown words of an InfluxDB", 400, json1, `{"error":"something new"}`, habits18, nil, Split, -1, FateUnknown},

		{"cluster node did not answer", 500, json1, `{"error":"partial write"}`, unknown, nil, Retry, -1, FateUnknown},
		{"write timeout", 500, json1, `{"error":"timeout"}`, habits18, nil, Retry, -1, FateUnknown},
		{"cache full", 500, json1, `{"error":"engine: cache-max-memory-size exceeded: (1/1)"}`, habits18, nil, Retry, -1, FateUnknown},
		{"too many requests", 429, json2, `{"code":"too many requests"}`, habits2, nil, Retry, -1, FateUnknown},
		{"unavailable", 503, json2, `{"code":"unavailable","message":"x"}`, habits2, nil, Retry, -1, FateUnknown},
		{"proxy cannot reach it", 502, html, loginPage, unknown, nil, Retry, -1, FateUnknown},
		{"proxy waited too long", 504, html, "", unknown, nil, Retry, -1, FateUnknown},
		{"proxy failed", 500, html, loginPage, unknown, nil, Retry, -1, FateUnknown},
		{"proxy failed with words of a line", 500, html, "<html>unable to parse", unknown, nil, Retry, -1, FateUnknown},
		{"request timeout", 408, plain, "", unknown, nil, Retry, -1, FateUnknown},
		{"unknown 5xx", 599, plain, "", unknown, nil, Retry, -1, FateUnknown},
		{"the body got lost on the way", 200, json1, "", habits18, nil, Retry, -1, FateUnknown},
		{"body broke off on the way", 400, json1, `{"error":"unexpected EOF"}`, habits18, nil, Retry, -1, FateUnknown},
		{"body broke off on the way, 2.9", 500, json2, `{"code":"internal error","message":"unable to read data: unexpected EOF"}`, habits2, nil, Retry, -1, FateUnknown},

		{"own block damaged", 400, json1, `{"error":"gzip: invalid checksum"}`, habits18, damaged, Split, -1, FateNone},
		{"own block damaged, 2.9 says nothing", 500, json2, `{"code":"internal error","message":"An internal error has occurred - check server logs"}`, habits2, damaged, Split, -1, FateNone},
		{"gzip refused by status", 415, plain, "", unknown, nil, Hold, -1, FateNone},
		{"gzip refused by words", 400, json1, `{"error":"gzip: invalid header"}`, habits18, nil, Hold, -1, FateNone},
		{"proxy took Content-Encoding away", 400, json1, `{"error":"partial write: unable to parse '\u001f\ufffd\b\u0000': missing fields dropped=0"}`, habits18, nil, Hold, -1, FateNone},
		{"gzip in a line's own text", 400, json1, `{"error":"partial write: unable to parse 'gzip: flate: unexpected eof': missing fields dropped=0"}`, habits18, nil, Split, -1, FateGood},

		{"too large", 413, json1, `{"error":"Request Entity Too Large"}`, habits18, nil, TooLarge, -1, FateNone},
		{"too large for the proxy", 413, html, loginPage, unknown, nil, TooLarge, -1, FateNone},
		{"too large, says a 400", 400, json2, `{"code":"invalid","message":"unable to read data: points batch is too large"}`, habits2, nil, TooLarge, -1, FateNone},

		{"wrong token", 401, json2, `{"code":"unauthorized","message":"unauthorized access"}`, habits2, nil, Hold, -1, FateNone},
		{"token may only read", 403, json2, `{"code":"forbidden","message":"insufficient permissions for write"}`, habits2, nil, Hold, -1, FateNone},
		{"proxy wants a password", 407, html, loginPage, unknown, nil, Hold, -1, FateNone},
		{"not paid", 402, plain, "", unknown, nil, Hold, -1, FateNone},
		{"no such database", 404, json1, `{"error":"database not found: \"x\""}`, habits18, nil, Hold, -1, FateNone},
		{"no such bucket", 404, json2, `{"code":"not found","message":"bucket \"x\" not found"}`, habits2, nil, Hold, -1, FateNone},
		{"no such page", 404, html, loginPage, unknown, nil, Hold, -1, FateNone},
		{"wrong method", 405, plain, "", unknown, nil, Hold, -1, FateNone},
		{"no such policy", 500, json1, `{"error":"retention policy not found: x"}`, habits18, nil, Hold, -1, FateNone},
		{"no organization", 400, json2, `{"code":"invalid","message":"Please provide either orgID or org"}`, habits2, nil, Hold, -1, FateNone},
		{"http to https", 400, plain, "Client sent an HTTP request to an HTTPS server.\n", unknown, nil, Hold, -1, FateNone},
		{"nginx refuses", 400, html, "<html><head><title>400 Bad Request</title></head></html>", unknown, nil, Hold, -1, FateNone},
		{"400 of who knows whom", 400, plain, "go away", unknown, nil, Hold, -1, FateNone},
		{"login page", 200, html, loginPage, unknown, nil, Hold, -1, FateNone},
		{"login page without a type", 200, nil, loginPage, unknown, nil, Hold, -1, FateNone},
		{"200 of who knows whom", 200, jsonAny, `{"ok":true}`, unknown, nil, Hold, -1, FateNone},
		{"200 of an InfluxDB with words", 200, json1, `{"results":[]}`, habits18, nil, Hold, -1, FateNone},
		{"accepted, perhaps", 202, nil, "", unknown, nil, Hold, -1, FateNone},
		{"redirect", 302, http.Header{"Location": {"https://sso.plant/login?secret=1"}}, "", unknown, nil, Hold, -1, FateNone},
		{"not modified", 304, nil, "", unknown, nil, Hold, -1, FateNone},
		{"not implemented", 501, plain, "", unknown, nil, Hold, -1, FateNone},
		{"teapot", 418, plain, "", unknown, nil, Hold, -1, FateNone},
	} {
		t.Run(k.name, func(t *testing.T) {
			r := verdict(k.status, k.header, k.body, k.habits, 100, k.gzipErr)
			if r.Class != k.class || r.Dropped != k.dropped || r.Fate != k.fate {
				t.Errorf("%s, dropped %d, %s; want %s, dropped %d, %s (%q)", r.Class, r.Dropped, r.Fate, k.class, k.dropped, k.fate, r.Message)
			}
			if r.Class == Hold && r.Remedy == "" {
				t.Error("a person must act, but is not told how")
			}
			if strings.Contains(r.Remedy, "secret=1") {
				t.Errorf("remedy repeats a query: %q", r.Remedy)
			}
		})
	}
}

// The words that would have told are lost: wait, do not judge.
func TestClassifyTruncatedBody(t *testing.T) {
	r := classify(exchange{
		answer: &answer{status: 400, header: json1, body: []byte(`{"error":"part`), bodyErr: errors.New("cut")},
		habits: habits18, lines: 5, gzipErr: func() error { return nil },
	})
	if r.Class != Retry {
		t.Errorf("class %s", r.Class)
	}
	h := json1.Clone()
	h.Set("X-Influxdb-Error", "partial write: points beyond retention policy dropped=2")
	r = classify(exchange{
		answer: &answer{status: 400, header: h, bodyErr: errors.New("cut")},
		habits: habits18, lines: 5, gzipErr: func() error { return nil },
	})
	if r.Class != Split || r.Dropped != 2 {
		t.Errorf("class %s, dropped %d", r.Class, r.Dropped)
	}
}

func TestSuspect(t *testing.T) {
	for _, k := range []struct {
		body string
		want bool
	}{
		{`{"error":"timeout"}`, true},
		{`{"error":"partial write"}`, true},
	} {
		if r := verdict(500, json1, k.body, habits18, 10, nil); r.Suspect != k.want {
			t.Errorf("%s: suspect %t", k.body, r.Suspect)
		}
	}
	for _, status := range []int{429, 502, 503, 504} {
		if r := verdict(status, json1, "", habits18, 10, nil); r.Suspect {
			t.Errorf("%d: the batch is under suspicion", status)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, k := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"7", "", 7 * time.Second},
		{" 7 ", "", 7 * time.Second},
		{"300", "", MaxRetryAfter},
		{"301", "", MaxRetryAfter},
		{"31536000", "", MaxRetryAfter},
		{"99999999999999999999999999", "", MaxRetryAfter},
		{"-5", "", 0},
		{"1.5", "", 0},
		{"soon", "", 0},
		{"Mon, 23 Nov 2026 12:00:30 GMT", "", 30 * time.Second},
		{"Mon, 23 Nov 2026 11:59:30 GMT", "", 0},
		{"Thu, 01 Jan 1970 00:00:00 GMT", "", 0},
		{"Fri, 31 Dec 9999 23:59:59 GMT", "", MaxRetryAfter},
		{"Mon, 23 Nov 2020 12:00:30 GMT", "Mon, 23 Nov 2020 12:00:00 GMT", 30 * time.Second}, // the server's clock is six years late
	} {
		h := http.Header{}
		h.Set("Retry-After", k.value)
		if k.date != "" {
			h.Set("Date", k.date)
		}
		if got := retryAfter(h, now); got != k.want {
			t.Errorf("%q: %s, want %s", k.value, got, k.want)
		}
	}
}

// FuzzClassify: whatever an answer holds, only 204 forgets the batch, and no line comes into quarantine because of
// something that is not an InfluxDB.
func FuzzClassify(f *testing.F) {
	f.Add(400, "application/json", "", "1.8.10", `{"error":"partial write: unable to parse 'x' dropped=1"}`, 5)
	f.Add(422, "application/json", "9", "", `{"code":"x","message":"y","data":[{"line_number":1}]}`, 1)
	f.Add(200, "text/html", "Mon, 23 Nov 2026 12:00:30 GMT", "", loginPage, 0)
	f.Add(204, "", "", "", "", 9)
	f.Fuzz(func(t *testing.T, status int, media, after, version, body string, lines int) {
		if status < 100 || status > 999 {
			return
		}
		h := http.Header{"Content-Type": {media}, "Retry-After": {after}}
		if version != "" {
			h.Set(headerVersion, version)
		}
		r := verdict(status, h, body, habits18, lines, nil)
		if (r.Class == OK) != (status == 204) {
			t.Errorf("status %d gives %s", status, r.Class)
		}
		if r.RetryAfter < 0 || r.RetryAfter > MaxRetryAfter {
			t.Errorf("retry after %s", r.RetryAfter)
		}
		if r.Dropped == 0 || r.Dropped < -1 || r.Dropped > 0 && r.Dropped > lines {
			t.Errorf("dropped %d of %d", r.Dropped, lines)
		}
		if r.Class == Split && strings.HasPrefix(media, "text/html") {
			t.Error("a page for people puts lines into quarantine")
		}
		if c := clean(r.Message); len(c) > maxMessage+len("…") || strings.ContainsFunc(c, func(r rune) bool { return r < ' ' }) {
			t.Errorf("message %q", c)
		}
	})
}
