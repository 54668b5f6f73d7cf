package peers

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/influxdata/influxdb/models"
	"go.uber.org/goleak"
)

// post writes to a fake InfluxDB on a connection of its own.
func post(t *testing.T, f *FakeStore, body string, change ...func(*http.Request)) (int, string, error) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, f.URL+"/api/v2/write?bucket=kvarts&precision=ns", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	for _, c := range change {
		c(req)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

func mustPost(t *testing.T, f *FakeStore, body string, want int, change ...func(*http.Request)) string {
	t.Helper()
	status, text, err := post(t, f, body, change...)
	if err != nil || status != want {
		t.Fatalf("write: %d %s %v, want %d", status, text, err, want)
	}
	return text
}

func zipped(members ...string) (string, func(*http.Request)) {
	var b bytes.Buffer
	for _, m := range members {
		w := gzip.NewWriter(&b)
		_, errWrite := io.WriteString(w, m)
		if err := errors.Join(errWrite, w.Close()); err != nil {
			panic(err) // a bytes.Buffer takes everything
		}
	}
	return b.String(), func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }
}

func TestFakeKeepsLastWriteAndCountsOverwrites(t *testing.T) {
	f := FakeInflux(t)
	mustPost(t, f, "m,b=2,a=1 x=1,y=\"old\" 10\nm,a=1,b=2 x=1 11\n", 204)
	mustPost(t, f, "m,a=1,b=2 x=1 10\n", 204)
	if f.Repeats() != 1 || len(f.Overwrites()) != 0 {
		t.Errorf("the same value again: %d repeats, %v", f.Repeats(), f.Overwrites())
	}
	mustPost(t, f, "m,a=1,b=2 y=\"new\" 10\n", 204)
	const series = "m,a=1,b=2"
	if got, want := f.Overwrites(), []Overwrite{{series, "y", 10, "old", "new"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("overwrites %v, want %v", got, want)
	}
	if got := f.Series(); !reflect.DeepEqual(got, []string{series}) {
		t.Errorf("series %v", got)
	}
	if got := f.Fields(series); !reflect.DeepEqual(got, []string{"x", "y"}) {
		t.Errorf("fields %v", got)
	}
	if got, want := f.Values(series, "x"), []FakeValue{{10, 1.0}, {11, 1.0}}; !reflect.DeepEqual(got, want) {
		t.Errorf("values %v, want %v", got, want)
	}
	sum := 0
	f.Each(func(s, field string, v FakeValue) {
		if s == series {
			sum += int(v.Time)
		}
	})
	if sum != 10+11+10 {
		t.Errorf("times of all values add up to %d", sum)
	}
	if got := f.Values(series, "y"); !reflect.DeepEqual(got, []FakeValue{{10, "new"}}) || f.Len() != 3 {
		t.Errorf("values %v, %d in all", got, f.Len())
	}
}

func TestFakeTellsZeroFromMinusZeroAndTypesApart(t *testing.T) {
	f := FakeInflux(t)
	mustPost(t, f, "m x=0,i=9007199254740993i,b=true 1\n", 204)
	mustPost(t, f, "m x=-0 1\n", 204)
	if len(f.Overwrites()) != 1 {
		t.Errorf("0 replaced by -0: %v", f.Overwrites())
	}
	if got := f.Values("m", "i")[0].Value; got != int64(9007199254740993) {
		t.Errorf("2^53+1 is %v", got)
	}
	if text := mustPost(t, f, "m b=1 2\n", 400); !strings.Contains(text, "field type conflict") || !strings.Contains(text, "dropped=1") {
		t.Error(text)
	}
}

func TestFakeTimes(t *testing.T) {
	f := FakeInflux(t)
	mustPost(t, f, "m x=1\n", 204)
	if f.Untimed() != 1 {
		t.Errorf("%d points without a time", f.Untimed())
	}
	for precision, want := range map[string]int64{"s": 5e9, "ms": 5e6, "us": 5e3, "ns": 5, "": 5} {
		f := FakeInflux(t)
		mustPost(t, f, "m x=1 5\n", 204, func(r *http.Request) { r.URL.RawQuery = "precision=" + precision })
		if got := f.Values("m", "x"); len(got) != 1 || got[0].Time != want {
			t.Errorf("precision %q: %v", precision, got)
		}
	}
}

// TestFakeAnswersAsRealServers sends the same bad writes to the fake and to the server that it stands for.
func TestFakeAnswersAsRealServers(t *testing.T) {
	for name, c := range map[string]struct {
		dialect Dialect
		real    func(*testing.T) *Influx
	}{
		"1.8": {V18, func(t *testing.T) *Influx { return Influxd18(t) }},
		"2":   {V2, func(t *testing.T) *Influx { return Influxd2(t) }},
	} {
		t.Run(name, func(t *testing.T) {
			db, f := c.real(t), FakeInflux(t, WithDialect(c.dialect))
			for _, body := range []string{
				"m,u=a t=1 1700000000000000001\n",
				"m,u=a t=2 1700000000000000002\nm,u=a t=\"x\" 1700000000000000003\nm,u=a t=3 1700000000000000004\n",
				"m,u=a t=4 1700000000000000005\nm,u=a t= 1700000000000000006\nbad\nm,u=a t=5 1700000000000000007",
				"only bad\n",
				"m,u=a t=1 99999999999999999999\n",
				"",
			} {
				wantStatus, wantText := db.Write(body)
				status, text, err := post(t, f, body)
				if err != nil || status != wantStatus || text != wantText {
					t.Errorf("%q:\nfake %d %s %v\nreal %d %s", body, status, text, err, wantStatus, wantText)
				}
			}
			kept := db.Query(`SELECT "t" FROM "m"`)
			for _, v := range f.Values("m,u=a", "t") {
				if want := fmt.Sprintf("[%d,%v]", v.Time, v.Value); !strings.Contains(kept, want) {
					t.Errorf("only the fake keeps %s", want)
				}
			}
			if n := len(f.Values("m,u=a", "t")); n != strings.Count(kept, "[17") {
				t.Errorf("the fake keeps %d values, the real one %s", n, kept)
			}
		})
	}
}

func TestFakeScript(t *testing.T) {
	const two = "m x=1 1\nm x=2 2\n"
	for name, c := range map[string]struct {
		answer Answer
		status int // 0: no answer
		kept   int
		header string
	}{
		"fail":          {Fail(500, "boom"), 500, 0, ""},
		"retry later":   {RetryLater(429, "7"), 429, 0, "7"},
		"commit, cut":   {CommitThenCut(), 0, 2, ""},
		"half, cut":     {CommitHalfThenCut(), 0, 1, ""},
		"lie":           {Lie(), 204, 0, ""},
		"slow":          {SlowLoris(time.Microsecond), 204, 2, ""},
		"late":          {Answer{After: time.Millisecond}, 204, 2, ""},
		"too large":     {TooLarge(len(two) - 1), 413, 0, ""},
		"not too large": {TooLarge(len(two)), 204, 2, ""},
		"no gzip":       {RefuseGzip(), 204, 2, ""},
		"half read":     {Answer{ReadHalf: true}, 204, 1, ""},
		"partial":       {Partial(func(p models.Point) bool { return p.UnixNano() == 1 }), 400, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := FakeInflux(t)
			f.Next(c.answer)
			req, err := http.NewRequest(http.MethodPost, f.URL+"/write?db=kvarts", strings.NewReader(two))
			if err != nil {
				t.Fatal(err)
			}
			req.Close = true
			res, err := http.DefaultClient.Do(req)
			switch {
			case c.status == 0:
				if !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("want a reset, got %v", err)
				}
			case err != nil:
				t.Fatal(err)
			default:
				res.Body.Close()
				if res.StatusCode != c.status || res.Header.Get("Retry-After") != c.header {
					t.Errorf("status %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
				}
			}
			if f.Len() != c.kept {
				t.Errorf("kept %d values, want %d", f.Len(), c.kept)
			}
			mustPost(t, f, "m x=3 3\n", 204) // the script is over
			rs := f.Requests()
			if len(rs) != 2 || !rs[0].Scripted || rs[1].Scripted || rs[0].Status != c.status || rs[0].WireBytes > len(two) {
				t.Errorf("requests %+v", rs)
			}
		})
	}
}

func TestFakeHangsUntilTheClientGoes(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("client", func(t *testing.T) {
		f := FakeInflux(t)
		f.Always(Hang())
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		_, _, err := post(t, f, "m x=1 1\n", func(r *http.Request) { *r = *r.WithContext(ctx) })
		if !errors.Is(err, context.DeadlineExceeded) || f.Len() != 0 {
			t.Errorf("%v, kept %d", err, f.Len())
		}
		await(t, "the request is recorded", func() bool { return len(f.Requests()) == 1 })
		if rs := f.Requests(); rs[0].Status != 0 {
			t.Errorf("requests %+v", rs)
		}
	})
	t.Run("end of test", func(t *testing.T) {
		done := make(chan error, 1)
		t.Cleanup(func() { // after the clean-up of the fake, which was started later
			if err := <-done; err == nil {
				t.Error("an answer came")
			}
		})
		f := FakeInflux(t)
		f.Always(SlowLoris(time.Hour))
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		go func() {
			res, err := client.Post(f.URL+"/write", "", strings.NewReader("m x=1 1\n"))
			if err == nil {
				res.Body.Close()
			}
			done <- err
		}()
		await(t, "the request comes", func() bool { return f.Len() == 1 })
	})
}

func TestFakeGzip(t *testing.T) {
	f := FakeInflux(t)
	body, header := zipped("m x=1 1\n", "m x=2 2\n")
	mustPost(t, f, body, 204, header)
	if f.Len() != 2 {
		t.Errorf("two members: kept %d", f.Len())
	}
	if r := f.Requests()[0]; r.WireBytes != len(body) || r.Bytes != 16 || r.Points != 2 {
		t.Errorf("request %+v", r)
	}
	f.Next(RefuseGzip())
	mustPost(t, f, body, 415, header)
	mustPost(t, f, body[:len(body)-5], 400, header)
	mustPost(t, f, "not gzip", 400, header)
	if f.Len() != 2 {
		t.Errorf("kept %d", f.Len())
	}
}

func TestFakeTokenAndBucket(t *testing.T) {
	for _, d := range []Dialect{V18, V2} {
		f := FakeInflux(t, WithDialect(d))
		f.SetToken("right")
		mustPost(t, f, "m x=1 1\n", 401)
		auth := func(r *http.Request) { r.Header.Set("Authorization", "Token right") }
		mustPost(t, f, "m x=1 1\n", 204, auth)
		f.SetBucket("other")
		mustPost(t, f, "m x=2 2\n", 404, auth)
		if f.Len() != 1 {
			t.Errorf("kept %d", f.Len())
		}
	}
}

func TestFakeTLS(t *testing.T) {
	get := func(f *FakeStore) error {
		pool := x509.NewCertPool()
		text, err := os.ReadFile(f.CAFile)
		if err != nil || !pool.AppendCertsFromPEM(text) {
			t.Fatalf("read CA: %v", err)
		}
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}}}
		res, err := client.Get(f.URL + "/ping")
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	if err := get(FakeInflux(t, WithTLS(time.Now().Add(time.Hour)))); err != nil {
		t.Errorf("valid certificate: %v", err)
	}
	var invalid x509.CertificateInvalidError
	if err := get(FakeInflux(t, WithTLS(time.Now().Add(-time.Hour)))); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("expired certificate: %v", err)
	}
}
