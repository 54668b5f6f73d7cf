package influx

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

const secret = "s3cr3t-t0ken-value"

// Whatever is printed, of whatever part, the token and the password are not in it: not even when the server or a proxy
// repeats them.
func TestSecretsAreNeverShown(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said := "you sent " + r.Header.Get("Authorization")
		w.Header().Set("X-Influxdb-Error", said)
		w.Header().Set("Location", "http://elsewhere/?token="+secret)
		status := http.StatusBadRequest
		switch r.URL.Query().Get("bucket") {
		case "401":
			status = http.StatusUnauthorized
		case "302":
			status = http.StatusFound
		case "500":
			status = http.StatusInternalServerError
		}
		if strings.HasSuffix(r.URL.Path, "/query") {
			status = http.StatusOK
			said = `{"results":[{"error":"` + said + `"}]}`
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, said)
	}))
	t.Cleanup(echo.Close)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"token":    {Token: secret},
		"file":     {TokenFile: file},
		"function": {TokenFunc: func() (string, error) { return secret, nil }},
		"password": {Username: "me", Password: secret},
		"proxy":    {Token: "other-" + secret, ProxyURL: "http://me:" + secret + "@" + strings.TrimPrefix(echo.URL, "http://")},
	} {
		t.Run(name, func(t *testing.T) {
			var shown []any
			o.URL = echo.URL
			o.Database = "d"
			shown = append(shown, o, &o)
			for _, bucket := range []string{"400", "401", "302", "500"} {
				o.Bucket = bucket
				c := mustNew(t, o)
				r := c.WriteGzip(t.Context(), [][]byte{mustGzip(t, "m f=1 1\n")}, 1)
				shown = append(shown, c, *c, struct{ c *Client }{c}, struct{ c Client }{*c}, c.cred.redact("x"), r, r.Err, errors.Unwrap(r.Err))
				shown = append(shown, c.Query(t.Context(), Query{Text: "x"}, func(Row) error { return nil }), c.Ping(t.Context()))
				_, err := Probe(t.Context(), c, ProbeOptions{})
				shown = append(shown, err)
			}
			for _, v := range shown {
				for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
					text := fmt.Sprintf(format, v)
					if strings.Contains(text, secret) {
						t.Errorf("%s of %T shows the secret: %.300s", format, v, text)
					}
				}
			}
		})
	}
}

func TestErrorsOfNewHoldNoSecrets(t *testing.T) {
	for _, o := range []Options{
		{URL: "http://me:" + secret + "@host:8086"},
		{URL: "http://host:8086/?token=" + secret},
		{URL: "http://host:8086/#" + secret},
		{URL: "http://me:" + secret + "@ho st\x00"},
		{URL: "ftp://me:" + secret + "@host"},
		{URL: "http://host", ProxyURL: "http://me:" + secret + "@ho st"},
		{URL: "http://host", Token: secret, Username: "me"},
		{URL: "http://host", Password: secret},
		{URL: "http://host", Token: secret, CAFile: "none.pem"},
	} {
		_, err := New(o)
		if err == nil {
			t.Errorf("%s accepted", o)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("error shows the secret: %v", err)
		}
	}
}

// A token that is replaced in its file is used after the first refusal, without a lost call.
func TestTokenRotation(t *testing.T) {
	var valid atomic.Value
	valid.Store("one")
	refused := atomic.Int32{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Header.Get("Authorization") != "Token "+valid.Load().(string):
			refused.Add(1)
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/query":
			_, _ = io.WriteString(w, `{"results":[{"statement_id":0}]}`)
		case len(body) == 0:
			t.Error("the body is gone")
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(srv.Close)
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token+"\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := mustNew(t, Options{URL: srv.URL, Database: "d", TokenFile: file})
	send := func() Result { return c.WriteGzip(t.Context(), [][]byte{mustGzip(t, "m f=1 1\n")}, 1) }

	if r := send(); r.Class != Hold || !strings.Contains(r.Remedy, "file") {
		t.Errorf("without a file: %s %v", r.Class, r.Err)
	}
	write("one")
	if r := send(); r.Class != OK {
		t.Errorf("file appeared: %v", r.Err)
	}
	valid.Store("two")
	if r := send(); r.Class != Hold || r.Status != http.StatusUnauthorized {
		t.Errorf("token no longer valid: %s %v", r.Class, r.Err)
	}
	write("two")
	if r := send(); r.Class != OK {
		t.Errorf("after the rotation: %v", r.Err)
	}
	valid.Store("three")
	write("three")
	if err := c.Query(t.Context(), Query{Text: "x"}, func(Row) error { return nil }); err != nil {
		t.Errorf("query after the rotation: %v", err)
	}
	if n := refused.Load(); n != 3 {
		t.Errorf("%d refusals, want 3", n)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	valid.Store("four")
	if r := send(); r.Class != Hold || !strings.Contains(r.Remedy, "reading it again failed") {
		t.Errorf("file gone: %s %q", r.Class, r.Remedy)
	}
	write("not\x00a token")
	if r := send(); r.Class != Hold || strings.Contains(fmt.Sprint(r), "not\x00a") {
		t.Errorf("%s %v", r.Class, r)
	}
}
