package peers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestFakeIsAMap: after any writes the store is a map from series, field and time to the value written last, and it has
// counted each write that changed an entry and each that did not.
func TestFakeIsAMap(t *testing.T) {
	type key struct {
		series, field string
		time          int64
	}
	rapid.Check(t, func(r *rapid.T) {
		f := &FakeStore{tb: t, points: newFakePoints(), always: func(Request) Answer { return Answer{} }}
		model := map[key]int64{}
		overwrites, repeats := 0, 0
		for range rapid.IntRange(1, 5).Draw(r, "requests") {
			var body strings.Builder
			for range rapid.IntRange(1, 20).Draw(r, "lines") {
				k := key{
					"m,unit=" + rapid.SampledFrom([]string{"a", "b"}).Draw(r, "unit"),
					rapid.SampledFrom([]string{"x", "y"}).Draw(r, "field"), rapid.Int64Range(1, 5).Draw(r, "time"),
				}
				v := rapid.Int64Range(0, 2).Draw(r, "value")
				fmt.Fprintf(&body, "%s %s=%di %d\n", k.series, k.field, v, k.time)
				switch old, ok := model[k]; {
				case ok && old == v:
					repeats++
				case ok:
					overwrites++
				}
				model[k] = v
			}
			rec := httptest.NewRecorder()
			f.serveWrite(rec, httptest.NewRequest(http.MethodPost, "/api/v2/write", strings.NewReader(body.String())))
			if rec.Code != http.StatusNoContent {
				r.Fatalf("%d %s", rec.Code, rec.Body)
			}
		}
		if f.Len() != len(model) || len(f.Overwrites()) != overwrites || f.Repeats() != repeats {
			r.Errorf("%d values, %d overwrites, %d repeats; want %d, %d, %d",
				f.Len(), len(f.Overwrites()), f.Repeats(), len(model), overwrites, repeats)
		}
		for k, v := range model {
			if !slices.Contains(f.Values(k.series, k.field), FakeValue{k.time, v}) {
				r.Errorf("%+v = %d is not in %v", k, v, f.Values(k.series, k.field))
			}
		}
	})
}

// FuzzFakeWrite: whatever the body, the answer is one that a real server gives, and 204 means that nothing was refused.
func FuzzFakeWrite(f *testing.F) {
	for _, s := range []string{"m x=1 1\n", "m x=1\nbad\n", "m x=\"a\nb\" 1", "m,a=\\, x=1i 9223372036854775807", "# note\n\n", "m x=1 1\nm x=\"s\" 2\n"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, body string, compressed bool) {
		for _, d := range []Dialect{V18, V2} {
			store := &FakeStore{tb: t, dialect: d, points: newFakePoints(), always: func(Request) Answer { return Answer{} }}
			rec := httptest.NewRecorder()
			req := httptest.NewRequest(http.MethodPost, "/api/v2/write", strings.NewReader(body))
			if compressed {
				req.Header.Set("Content-Encoding", "gzip")
			}
			store.serveWrite(rec, req)
			switch rec.Code {
			case http.StatusNoContent, http.StatusBadRequest, http.StatusUnprocessableEntity:
			default:
				t.Errorf("status %d", rec.Code)
			}
			if got := store.Requests(); len(got) != 1 || got[0].Status != rec.Code {
				t.Errorf("requests %+v", got)
			}
		}
	})
}
