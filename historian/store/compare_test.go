package store_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvarts/deploy/e2e/peers"
	"kvarts/historian/store"
)

// q is a query by GET, as most clients send it.
func q(text string, params ...string) request {
	v := url.Values{"db": {"kvarts"}, "q": {text}}
	for i := 0; i < len(params); i += 2 {
		v.Set(params[i], params[i+1])
	}
	return request{path: "/query?" + v.Encode()}
}

// w is a write of nanosecond lines.
func w(body string) request { return request{path: "/api/v2/write?bucket=kvarts", body: body} }

func (q request) with(key, value string) request {
	header := map[string]string{key: value}
	for k, v := range q.header {
		header[k] = v
	}
	q.header = header
	return q
}

// sameAnswers are sent to both servers, in this order.
var sameAnswers = []struct {
	name string
	request
}{
	{"ping", request{path: "/ping"}},
	{"ping by HEAD", request{method: "HEAD", path: "/ping"}},
	{"ping verbose", request{path: "/ping?verbose=true"}},
	{"ping by POST", request{method: "POST", path: "/ping"}},
	{"health", request{path: "/health"}},
	{"unknown path", request{path: "/api/v3/write"}},
	{"flux is off", request{path: "/api/v2/query", body: "from(bucket:\"kvarts\")"}},
	{"options", request{method: "OPTIONS", path: "/query"}},

	{"write one line", w("cz_puller,site=a,unit=p1 heater_kw=81.5,on=true,turns=7i,recipe=\"R 1\" 1700000000000000000")},
	{"write several", w("cz_puller,site=a,unit=p1 heater_kw=82.5 1700000060000000000\ncz_puller,site=a,unit=p2 heater_kw=9 1700000000000000000\ncz_puller,site=b,unit=p3 heater_kw=-3e-2 1700000120000000000\n")},
	{"write over v1", request{path: "/write?db=kvarts&precision=s", body: "wire_saw,site=a,unit=w1 speed=12.25 1700000000"}},
	{"write with policy", request{path: "/api/v2/write?bucket=kvarts/autogen&org=ignored&precision=ms", body: "wire_saw,site=a,unit=w1 speed=12.5 1700000001000"}},
	{"write microseconds", request{path: "/api/v2/write?bucket=kvarts&precision=us", body: "wire_saw,site=a,unit=w1 speed=12.75 1700000002000000"}},
	{"write seconds", request{path: "/api/v2/write?bucket=kvarts&precision=s", body: "wire_saw,site=a,unit=w1 speed=13 1700000003"}},
	{"write minutes over v1", request{path: "/write?db=kvarts&precision=m", body: "hourly x=1i 28333333"}},
	{"write escapes", w(`odd\ name\,x,ta\=g=va\ l\,ue f\ k="a\"b\\c",n=1i 1700000000000000000`)},
	{"write unicode", w("måling,sted=Årdal størrelse=\"π≈3\" 1700000000000000000")},
	{"write newline in string", w("m2 s=\"a\nb\" 1700000000000000000")},
	{"write comment and blank lines", w("# comment\n\n\nm2 s=\"c\" 1700000000000000001\n\n")},
	{"write large integers", w("big a=9007199254740993i,b=9223372036854775807i,c=-9223372036854775808i 1700000000000000000")},
	{"write floats", w("flt a=1e308,b=4.9e-324,c=-0 1700000000000000000")},
	{"write CRLF", w("m3 v=1 1700000000000000000\r\nm3 v=2 1700000000000000001\r\n")},
	{"write gzip", w(zipped("gz v=1i 1700000000000000000\n")).with("Content-Encoding", "gzip")},
	{"write gzip of two members", w(zipped("gz v=2i 1700000000000000001\n", "gz v=3i 1700000000000000002\n")).with("Content-Encoding", "gzip")},
	{"write gzip cut short", w(zipped("gz v=9i 1700000000000000009\n")[:20]).with("Content-Encoding", "gzip")},
	{"write garbage gzip", w("this is no gzip at all").with("Content-Encoding", "gzip")},
	{"write gzip with garbage behind", w(zipped("gz v=9i 1700000000000000009\n")+"trailing").with("Content-Encoding", "gzip")},
	{"write empty gzip body", request{method: "POST", path: "/api/v2/write?bucket=kvarts", header: map[string]string{"Content-Encoding": "gzip"}}},
	{"write gzip of nothing", w(zipped("")).with("Content-Encoding", "gzip")},
	{"write empty body", request{method: "POST", path: "/api/v2/write?bucket=kvarts"}},
	{"write by GET", request{method: "GET", path: "/api/v2/write?bucket=kvarts"}},
	{"write by PUT", request{method: "PUT", path: "/write?db=kvarts", body: "m v=1"}},
	{"write unknown bucket", request{path: "/api/v2/write?bucket=nowhere", body: "m v=1 1"}},
	{"write no bucket", request{path: "/api/v2/write", body: "m v=1 1"}},
	{"write bucket of three parts", request{path: "/api/v2/write?bucket=a/b/c", body: "m v=1 1"}},
	{"write unknown policy", request{path: "/api/v2/write?bucket=kvarts/weekly", body: "m v=1 1"}},
	{"write unknown policy over v1", request{path: "/write?db=kvarts&rp=weekly", body: "m v=1 1"}},
	{"write unknown database over v1", request{path: "/write?db=nowhere", body: "m v=1 1"}},
	{"write no database over v1", request{path: "/write", body: "m v=1 1"}},
	{"write bad consistency", request{path: "/write?db=kvarts&consistency=most", body: "m v=1 1"}},
	{"write unparsable", w("nonsense")},
	{"write good, unparsable, good", w("pw v=1 1700000000000000000\npw v= 1700000000000000001\npw v=3 1700000000000000002\n")},
	{"write two unparsable", w("pw v=4 1700000000000000003\npw =\npw v=\"\n")},
	{"write other type", w("cz_puller,site=a,unit=p1 heater_kw=5i 1700000180000000000\ncz_puller,site=a,unit=p1 heater_kw=83.5 1700000180000000000\n")},
	{"write only other type", w("cz_puller,site=a,unit=p1 on=1 1700000180000000000")},
	{"write time out of range", w("m v=1 9223372036854775808")},
	{"write time at the end of time", w("m v=1 9223372036854775807")},
	{"write bad number", w("m v=1.2.3 1")},
	{"write integer overflow", w("m v=9223372036854775808i 1")},
	{"write NaN", w("m v=NaN 1")},
	{"write unsigned", w("m v=1u 1")},
	{"write duplicate tags", w("m,a=1,a=2 v=1 1")},
	{"write empty tag value", w("m,a= v=1 1")},
	{"write missing fields", w("m,a=1 1700000000000000000")},
	{"write missing measurement", w(",a=1 v=1 1700000000000000000")},
	{"write field named time", w("m4 time=1 1700000000000000000")},
	{"write tag named time", w("m4,time=x v=1 1700000000000000000")},
	{"write key too long", w("m," + strings.Repeat("k", 70_000) + "=1 v=1 1700000000000000000")},

	{"no query", request{path: "/query?db=kvarts"}},
	{"parse error", q("SELEC 1")},
	{"missing from", q("SELECT v")},
	{"select all", q("SELECT * FROM cz_puller")},
	{"select ns", q("SELECT heater_kw FROM cz_puller WHERE unit='p1'", "epoch", "ns")},
	{"select ms", q("SELECT heater_kw FROM cz_puller WHERE unit='p1'", "epoch", "ms")},
	{"select s pretty", q("SELECT heater_kw FROM cz_puller GROUP BY *", "epoch", "s", "pretty", "true")},
	{"select large integers", q("SELECT * FROM big", "epoch", "ns")},
	{"select floats", q("SELECT * FROM flt")},
	{"select strings", q(`SELECT * FROM "odd name,x"`)},
	{"select unicode", q(`SELECT * FROM "måling"`)},
	{"select newline", q("SELECT * FROM m2")},
	{"select CRLF", q("SELECT * FROM m3")},
	{"select gzip members", q("SELECT * FROM gz", "epoch", "ns")},
	{"what survived", q("SELECT * FROM pw", "epoch", "ns")},
	{"mean by time", q("SELECT mean(heater_kw) FROM cz_puller WHERE time >= 1700000000s AND time < 1700000240s GROUP BY time(1m), unit fill(null)", "epoch", "ms")},
	{"mean with offset and zone", q("SELECT mean(heater_kw) FROM cz_puller WHERE time >= 1700000000s AND time < 1700000240s GROUP BY time(1h, 10m) TZ('Europe/Oslo')")},
	{"fill linear", q("SELECT mean(speed) FROM wire_saw WHERE time >= 1700000000s AND time < 1700000010s GROUP BY time(500ms) fill(linear)", "epoch", "ms")},
	{"last before", q("SELECT last(heater_kw) FROM cz_puller WHERE time < 1700000100s")},
	{"order desc limit", q("SELECT heater_kw FROM cz_puller ORDER BY time DESC LIMIT 1")},
	{"percentile", q("SELECT percentile(heater_kw, 90), spread(heater_kw), stddev(heater_kw) FROM cz_puller")},
	{"subquery", q("SELECT max(m) FROM (SELECT mean(heater_kw) AS m FROM cz_puller GROUP BY unit)")},
	{"regex", q("SELECT heater_kw FROM /cz_.*/ WHERE unit =~ /p[12]/")},
	{"math", q("SELECT heater_kw * 2 + 1 FROM cz_puller WHERE heater_kw > 10 AND \"on\" = true")},
	{"derivative", q("SELECT non_negative_derivative(speed, 1s) FROM wire_saw")},
	{"unknown function", q("SELECT frobnicate(v) FROM m")},
	{"unknown measurement", q("SELECT * FROM nothing")},
	{"unknown database", request{path: "/query?db=nowhere&q=" + url.QueryEscape("SELECT * FROM m")}},
	{"no database", request{path: "/query?q=" + url.QueryEscape("SELECT * FROM m")}},
	{"two statements", q("SELECT count(speed) FROM wire_saw; SELECT count(heater_kw) FROM cz_puller")},
	{"second statement fails", q("SELECT count(speed) FROM wire_saw; SELECT x FROM nodb.autogen.m; SHOW DATABASES")},
	{"bound parameters", q("SELECT heater_kw FROM cz_puller WHERE unit = $unit AND heater_kw > $min", "params", `{"unit":"p1","min":81.75}`)},
	{"bound integer", q("SELECT heater_kw FROM cz_puller WHERE time = $t", "params", `{"t":1700000000000000000}`)},
	{"missing parameter", q("SELECT heater_kw FROM cz_puller WHERE unit = $unit", "params", `{}`)},
	{"broken parameters", q("SELECT heater_kw FROM cz_puller WHERE unit = $unit", "params", `{"unit"`)},
	{"hostile parameter", q("SELECT heater_kw FROM cz_puller WHERE unit = $unit", "params", `{"unit":"p1' OR '1'='1"}`)},
	{"CSV", q("SELECT * FROM cz_puller", "epoch", "ns").with("Accept", "application/csv")},
	{"CSV by text/csv", q("SELECT speed FROM wire_saw").with("Accept", "text/csv")},
	{"CSV of an error", q("SELECT frobnicate(v) FROM m").with("Accept", "application/csv")},
	{"message pack", q("SELECT speed FROM wire_saw").with("Accept", "application/x-msgpack")},
	{"chunked", q("SELECT speed FROM wire_saw", "chunked", "true", "chunk_size", "2")},
	{"chunked CSV", q("SELECT speed FROM wire_saw", "chunked", "true", "chunk_size", "2").with("Accept", "application/csv")},
	{"gzip answer", q("SELECT speed FROM wire_saw").with("Accept-Encoding", "gzip")},
	{"POST form", request{path: "/query", form: url.Values{"db": {"kvarts"}, "q": {"SELECT speed FROM wire_saw"}, "epoch": {"ms"}}}},
	{"POST with query in address", request{method: "POST", path: q("SELECT speed FROM wire_saw").path}},
	{"query by DELETE", request{method: "DELETE", path: "/query?q=x"}},
	{"multipart file", request{path: "/query?db=kvarts", body: "--b\r\nContent-Disposition: form-data; name=\"q\"; filename=\"q\"\r\n\r\nSELECT speed FROM wire_saw\r\n--b--\r\n",
		header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"}}},

	{"show databases", q("SHOW DATABASES")},
	{"show retention policies", q("SHOW RETENTION POLICIES")},
	{"show retention policies on", request{path: "/query?q=" + url.QueryEscape("SHOW RETENTION POLICIES ON \"kvarts\"")}},
	{"show measurements", q("SHOW MEASUREMENTS")},
	{"show measurements with", q("SHOW MEASUREMENTS WITH MEASUREMENT =~ /(?i)cz/ LIMIT 100")},
	{"show tag keys", q("SHOW TAG KEYS FROM cz_puller")},
	{"show tag values", q("SHOW TAG VALUES FROM cz_puller WITH KEY = \"unit\"")},
	{"show tag values where", q("SHOW TAG VALUES FROM cz_puller WITH KEY IN (\"unit\", \"site\") WHERE site = 'a'")},
	{"show field keys", q("SHOW FIELD KEYS FROM cz_puller")},
	{"show series", q("SHOW SERIES")},
	{"show series cardinality", q("SHOW SERIES EXACT CARDINALITY")},
	{"show shards", q("SHOW SHARDS")},
	{"explain", q("EXPLAIN SELECT mean(speed) FROM wire_saw")},
	{"explain many points", q("SELECT speed FROM wire_saw LIMIT 2 OFFSET 1 SLIMIT 1")},
	{"create database by GET warns", q("CREATE DATABASE other")},
	{"create policy", request{path: "/query", form: url.Values{"q": {"CREATE RETENTION POLICY week ON other DURATION 7d REPLICATION 1"}}}},
	{"write old point into policy", request{path: "/api/v2/write?bucket=other/week", body: "m v=1 1700000000000000000"}},
	{"select into", request{path: "/query", form: url.Values{"db": {"kvarts"}, "q": {"SELECT mean(speed) AS speed INTO other.autogen.saw_mean FROM wire_saw WHERE time >= 1700000000s AND time < 1700000010s GROUP BY time(5s), *"}}}},
	{"select what went into", q("SELECT * FROM other.autogen.saw_mean")},
	{"delete", request{path: "/query", form: url.Values{"db": {"kvarts"}, "q": {"DELETE FROM wire_saw WHERE time < 1700000002s"}}}},
	{"select after delete", q("SELECT * FROM wire_saw")},
	{"drop series", request{path: "/query", form: url.Values{"db": {"kvarts"}, "q": {"DROP SERIES FROM cz_puller WHERE unit='p3'"}}}},
	{"drop measurement", request{path: "/query", form: url.Values{"db": {"kvarts"}, "q": {"DROP MEASUREMENT big"}}}},
	{"series after drops", q("SHOW SERIES")},
	{"drop database", request{path: "/query", form: url.Values{"q": {"DROP DATABASE other"}}}},
	{"databases after drop", q("SHOW DATABASES")},
	{"kill unknown query", request{path: "/query", form: url.Values{"q": {"KILL QUERY 99999999"}}}},
}

// The only parts of an answer that may differ: what the build says of itself, dates and random identities.
var (
	anyVersion = regexp.MustCompile(`"version":"[^"]*"`)
	anyTime    = regexp.MustCompile(`execution_time: [^"\\]*`)
)

// comparable keeps of an answer what a client may rely on.
func comparable(a answer) answer {
	h := http.Header{}
	for _, k := range []string{"Content-Type", "Content-Encoding", "Allow", "X-Influxdb-Error", "X-Influxdb-Build"} {
		if v := a.Header.Values(k); v != nil {
			h[k] = v
		}
		if k == "Allow" && h[k] != nil { // the router lists methods in the order of a map
			methods := strings.Split(h.Get(k), ", ")
			slices.Sort(methods)
			h[k] = methods
		}
	}
	body := anyVersion.ReplaceAllString(a.Body, `"version":""`)
	return answer{a.Status, h, anyTime.ReplaceAllString(body, "")}
}

func TestSameAnswersAsInfluxd(t *testing.T) {
	real := peers.Influxd18(t)
	ours := open(t, store.Options{})
	for _, c := range sameAnswers {
		want := comparable(c.send(t, real.URL))
		got := comparable(c.send(t, ours.URL()))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: influxd (-) and this store (+) differ:\n%s", c.name, d)
		}
	}
	t.Logf("%d requests", len(sameAnswers))
}

// TestUnknownPrecision: influxd refuses the unit and stores the lines all the same; this store says the same and stores nothing.
func TestUnknownPrecision(t *testing.T) {
	real := peers.Influxd18(t)
	ours := open(t, store.Options{})
	for _, r := range []request{
		{path: "/api/v2/write?bucket=kvarts&precision=days", body: "m v=1i 1700000000000000000"},
		{path: "/write?db=kvarts&precision=us", body: "m v=1i 1700000000000000001"},
	} {
		want, got := comparable(r.send(t, real.URL)), comparable(r.send(t, ours.URL()))
		first, _, _ := strings.Cut(want.Body, "\n")
		if got.Status != want.Status || got.Body != first+"\n" {
			t.Errorf("%s: %+v, influxd %+v", r.path, got, want)
		}
	}
	if n := count(t, ours.URL()); n != 0 {
		t.Errorf("%d points stored", n)
	}
}
