package influx

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// certificate makes a self-signed one for the names and the time given.
func certificate(t *testing.T, from, to time.Time, names ...string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "store"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			x.IPAddresses = append(x.IPAddresses, ip)
		} else {
			x.DNSNames = append(x.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, x, x, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func TestTLS(t *testing.T) {
	now := time.Now()
	good, goodCA := certificate(t, now.Add(-time.Hour), now.Add(time.Hour), "127.0.0.1")
	old, oldCA := certificate(t, now.Add(-2*time.Hour), now.Add(-time.Hour), "127.0.0.1")
	other, otherCA := certificate(t, now.Add(-time.Hour), now.Add(time.Hour), "elsewhere")
	serve := func(config *tls.Config) string {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		}))
		srv.Config.ErrorLog = log.New(io.Discard, "", 0)
		if config == nil {
			srv.Start()
		} else {
			srv.TLS = config
			srv.StartTLS()
		}
		t.Cleanup(srv.Close)
		return srv.URL
	}
	with := func(c tls.Certificate) string { return serve(&tls.Config{Certificates: []tls.Certificate{c}}) }
	clear := serve(nil)
	goodURL := with(good)
	for _, k := range []struct {
		name  string
		o     Options
		class Class
		hint  string
	}{
		{"private CA", Options{URL: goodURL, CAFile: goodCA}, OK, ""},
		{"not checked", Options{URL: goodURL, InsecureSkipVerify: true}, OK, ""},
		{"unknown authority", Options{URL: goodURL}, Hold, "CA file"},
		{"expired", Options{URL: with(old), CAFile: oldCA}, Hold, "expired"},
		{"another name", Options{URL: with(other), CAFile: otherCA}, Hold, "name"},
		{"wants a client certificate", Options{URL: serve(&tls.Config{
			Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12,
		}), CAFile: goodCA}, Hold, "TLS"},
		{"https to http", Options{URL: strings.Replace(clear, "http:", "https:", 1)}, Hold, "http://"},
		{"http to https", Options{URL: strings.Replace(goodURL, "https:", "http:", 1)}, Hold, "https://"},
	} {
		t.Run(k.name, func(t *testing.T) {
			k.o.Bucket = "b"
			r := mustNew(t, k.o).WriteGzip(t.Context(), [][]byte{mustGzip(t, "m f=1 1\n")}, 1)
			if r.Class != k.class || !strings.Contains(r.Remedy, k.hint) {
				t.Errorf("%s %q (%v)", r.Class, r.Remedy, r.Err)
			}
		})
	}
}

func TestMembersReader(t *testing.T) {
	parts := [][]byte{[]byte("ab"), {}, []byte("c"), nil, []byte("defg")}
	if err := iotest.TestReader(newMembers(parts), []byte("abcdefg")); err != nil {
		t.Error(err)
	}
	if n := totalBytes(parts); n != 7 {
		t.Errorf("%d bytes", n)
	}
	if string(parts[0]) != "ab" || len(parts) != 5 {
		t.Error("the caller's members were changed")
	}
}

// What arrives at the server is exactly the concatenation, announced with its length.
func TestRequestOfWrite(t *testing.T) {
	type seen struct {
		path, query, encoding, media, agent, auth string
		length                                    int64
		text                                      []byte
	}
	var got seen
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		zr, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		text, err := io.ReadAll(zr)
		if err != nil {
			t.Error(err)
		}
		got = seen{r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Encoding"), r.Header.Get("Content-Type"), r.UserAgent(), r.Header.Get("Authorization"), r.ContentLength, text}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(srv.Close)
	c := mustNew(t, Options{URL: srv.URL + "/prefix", Token: "tok", Org: "Ö rg", Bucket: "a&b=c/d", UserAgent: "kvarts-test/1"})
	batch := [][]byte{mustGzip(t, "m f=1 1\n"), mustGzip(t, "m f=2 2\n")}
	r := c.WriteGzip(t.Context(), batch, 2)
	if r.Class != OK || r.Bytes != totalBytes(batch) || r.Took <= 0 {
		t.Errorf("%+v", r)
	}
	want := seen{
		"/prefix/api/v2/write", "bucket=a%26b%3Dc%2Fd&org=%C3%96+rg&precision=ns", "gzip", "text/plain; charset=utf-8",
		"kvarts-test/1", "Token tok", int64(totalBytes(batch)), []byte("m f=1 1\nm f=2 2\n"),
	}
	if got.path != want.path || got.query != want.query || got.encoding != want.encoding || got.media != want.media ||
		got.agent != want.agent || got.auth != want.auth || got.length != want.length || !bytes.Equal(got.text, want.text) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if r := c.WriteGzip(t.Context(), nil, 0); r.Class != OK {
		t.Errorf("nothing to send: %+v", r)
	}
}

// A redirect is not followed: the token would go with it.
func TestRedirectIsNotFollowed(t *testing.T) {
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed") }))
	t.Cleanup(thief.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		srv := httptest.NewServer(http.RedirectHandler(thief.URL, status))
		c := mustNew(t, Options{URL: srv.URL, Token: "t", Database: "d"})
		if r := c.WriteGzip(t.Context(), [][]byte{mustGzip(t, "m f=1 1\n")}, 1); r.Class != Hold || !strings.Contains(r.Remedy, thief.URL) {
			t.Errorf("%d: %s %q", status, r.Class, r.Remedy)
		}
		var e *Error
		if err := c.Query(t.Context(), Query{Text: "x"}, func(Row) error { return nil }); !errors.As(err, &e) || e.Kind != KindProtocol {
			t.Errorf("%d: query: %v", status, err)
		}
		srv.Close()
	}
}

func TestProxy(t *testing.T) {
	asked := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.String()
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(proxy.Close)
	c := mustNew(t, Options{URL: "http://store.plant:8086", Bucket: "b", ProxyURL: proxy.URL})
	if r := c.WriteGzip(t.Context(), [][]byte{mustGzip(t, "m f=1 1\n")}, 1); r.Class != OK {
		t.Fatal(r.Err)
	}
	if u := <-asked; u != "http://store.plant:8086/api/v2/write?bucket=b&precision=ns" {
		t.Errorf("proxy was asked for %s", u)
	}
}
