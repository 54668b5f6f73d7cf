package influx

import (
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kvarts/historian/telemetry"
)

func TestDetect(t *testing.T) {
	h := func(kv ...string) http.Header {
		out := http.Header{}
		for i := 0; i < len(kv); i += 2 {
			out.Set(kv[i], kv[i+1])
		}
		return out
	}
	for _, k := range []struct {
		name         string
		header       http.Header
		health       string
		healthStatus int
		kind         Kind
		version      string
		habits       string
	}{
		{"1.8.10", h(headerVersion, "1.8.10", headerBuild, "OSS"), "", 404, V1, "1.8.10", "InfluxDB 1.8"},
		{"1.8 built by go install", h(headerVersion, "unknown", headerBuild, "OSS"), `{"name":"influxdb","status":"pass","checks":[],"version":"unknown"}`, 200, V1, "", "InfluxDB 1.8"},
		{"1.7 is not measured", h(headerVersion, "1.7.9", headerBuild, "OSS"), "", 404, V1, "1.7.9", ""},
		{"1.12", h(headerVersion, "v1.12.2", headerBuild, "OSS"), "", 404, V1, "1.12.2", "InfluxDB 1.8"},
		{"1.x Enterprise is not measured", h(headerVersion, "1.11.3-c1.11.3", headerBuild, "ENT"), "", 404, V1Enterprise, "1.11.3-c1.11.3", ""},
		{"says 1.8.0 to please clients", h(headerVersion, "1.8.0"), "", 404, KindUnknown, "1.8.0", ""},
		{"2.9.1", h(headerVersion, "v2.9.1", headerBuild, "OSS"), "", 404, V2, "2.9.1", "InfluxDB 2.9"},
		{"2.0", h(headerVersion, "2.0.9", headerBuild, "OSS"), "", 404, V2, "2.0.9", "InfluxDB 2.0 to 2.4"},
		{"2.x without a stamp", h(headerVersion, "dev", headerBuild, "OSS"), `{"name":"influxdb","status":"pass","version":"dev","commit":"none"}`, 200, V2, "", "InfluxDB 2.9"},
		{"2.x behind a proxy that takes headers away", h(), `{"name":"influxdb","status":"pass","version":"v2.7.1","commit":"x"}`, 200, V2, "2.7.1", "InfluxDB 2.9"},
		{"3 Core", h(headerVersion, "3.2.1", headerBuild, "Core"), "OK", 200, V3, "3.2.1", "InfluxDB 3"},
		{"openGemini", h(headerGemini, "1.4.1"), "", 404, OpenGemini, "1.4.1", "openGemini"},
		{"nobody knows", h(), "", 404, KindUnknown, "", ""},
		{"nonsense", h(headerVersion, "99999999999999999999.1", headerBuild, "OSS"), "{", 200, KindUnknown, "99999999999999999999.1", ""},
	} {
		t.Run(k.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/health" {
					w.WriteHeader(k.healthStatus)
					_, _ = io.WriteString(w, k.health)
					return
				}
				for name, v := range k.header {
					w.Header()[name] = v
				}
				w.WriteHeader(http.StatusNoContent)
			}))
			t.Cleanup(srv.Close)
			c := mustNew(t, Options{URL: srv.URL, Database: "d"})
			s, err := c.Detect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if s.Kind != k.kind || s.Version != k.version || s.Habits.Name != k.habits {
				t.Errorf("%s version %q habits %q", s.Kind, s.Version, s.Habits.Name)
			}
			if k.kind != KindUnknown && c.Habits().Name != k.habits {
				t.Errorf("the client remembers %q", c.Habits().Name)
			}
			if s.Habits.Name == "" && s.Habits != (Habits{}) {
				t.Errorf("something is assumed of an unknown server: %+v", s.Habits)
			}
		})
	}
}

// The first answer of a server names it: the habits are there without a Detect, and follow an upgrade.
func TestHabitsFollowTheHeaders(t *testing.T) {
	version := "1.8.10"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(headerVersion, version)
		w.Header().Set(headerBuild, "OSS")
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(srv.Close)
	c := mustNew(t, Options{URL: srv.URL, Database: "d"})
	for _, v := range []struct{ version, habits string }{{"1.8.10", "InfluxDB 1.8"}, {"2.9.1", "InfluxDB 2.9"}, {"", "InfluxDB 2.9"}} {
		version = v.version
		if r := c.WriteGzip(t.Context(), [][]byte{mustGzip(t, "m f=1 1\n")}, 1); r.Class != OK || r.Fate != FateAll {
			t.Errorf("%s: %+v", v.version, r)
		}
		if got := c.Habits().Name; v.version != "" && got != v.habits {
			t.Errorf("%s: habits %q", v.version, got)
		}
	}
	mine := Habits{Name: "measured here"}
	c = mustNew(t, Options{URL: srv.URL, Database: "d", Habits: &mine})
	version = "2.9.1"
	if s, err := c.Detect(t.Context()); err != nil || s.Habits.Name != mine.Name || c.Habits().Name != mine.Name {
		t.Errorf("%+v %v", s, err)
	}
}

func TestHealth(t *testing.T) {
	answer := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	t.Cleanup(srv.Close)
	c := mustNew(t, Options{URL: srv.URL, Database: "d"})
	for text, want := range map[string]string{
		`{"name":"influxdb","status":"pass"}`: "",
		`OK`:                                  "",
		`{"name":"influxdb","status":"fail","message":"on fire"}`: "on fire",
		loginPage: "HTML",
	} {
		answer = text
		err := c.Health(t.Context())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestEncodeParams(t *testing.T) {
	got, err := encodeParams(map[string]any{
		"s": `a"b'\`, "b": true, "i": 7, "l": int64(math.MinInt64), "u": uint32(math.MaxUint32),
		"f": 3.0, "g": 1e21, "h": -2.5e-7, "t": telemetry.Instant(1_790_000_000_000_000_003), "z": time.Unix(1, 5).UTC(),
	})
	want := `{"b":true,"f":3.0,"g":1000000000000000000000.0,"h":-0.00000025,"i":7,"l":-9223372036854775808,"s":"a\"b'\\","t":1790000000000000003,"u":4294967295,"z":1000000005}`
	if err != nil || got != want {
		t.Errorf("%s %v\nwant %s", got, err, want)
	}
	for _, v := range []any{math.NaN(), math.Inf(1), uint64(1), []int{1}, nil, time.Time{}} {
		if got, err := encodeParams(map[string]any{"p": v}); err == nil {
			t.Errorf("%v bound as %s", v, got)
		}
	}
	c := mustNew(t, Options{URL: "http://127.0.0.1:1", Database: "d"})
	var e *Error
	if err := c.Query(t.Context(), Query{Text: "x", Params: map[string]any{"p": math.NaN()}}, nil); !errors.As(err, &e) || e.Kind != KindSyntax {
		t.Error(err)
	}
}

func TestQueryEnds(t *testing.T) {
	const document = `{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time"],"values":[[1],[2],[3]]}]}]}`
	mode := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.PostForm.Get("q") != "x" || r.PostForm.Get("epoch") != "ns" || r.PostForm.Get("chunked") != "true" ||
			r.PostForm.Get("db") != "d" || r.PostForm.Get("rp") != "r" || r.PostForm.Get("chunk_size") != "3" || r.URL.Query().Get("org") != "o" {
			t.Errorf("form %v, query %v", r.PostForm, r.URL.Query())
		}
		switch mode {
		case "html":
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, loginPage)
		case "cut":
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, document)
		case "204":
			w.WriteHeader(http.StatusNoContent)
		case "503":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			for range 1000 {
				_, _ = io.WriteString(w, document)
			}
		}
	}))
	t.Cleanup(srv.Close)
	c := mustNew(t, Options{URL: srv.URL, Org: "o", Database: "d", RetentionPolicy: "r", MaxResponse: 500})
	q := Query{Text: "x", ChunkRows: 3}
	for _, k := range []struct {
		mode string
		kind ErrorKind
	}{
		{"html", KindProtocol}, {"cut", KindIncomplete}, {"204", KindProtocol}, {"503", KindUnavailable}, {"", KindTooLarge},
	} {
		mode = k.mode
		var e *Error
		if err := c.Query(t.Context(), q, func(Row) error { return nil }); !errors.As(err, &e) || e.Kind != k.kind {
			t.Errorf("%s: %v", k.mode, err)
		}
	}
	enough := errors.New("enough")
	n := 0
	if err := c.Query(t.Context(), q, func(Row) error {
		if n++; n == 2 {
			return enough
		}
		return nil
	}); !errors.Is(err, enough) || n != 2 {
		t.Errorf("%d rows, %v", n, err)
	}
}
