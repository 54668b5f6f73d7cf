package store_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"kvarts/historian/store"
)

func TestRoundTripOverRestarts(t *testing.T) {
	dir := t.TempDir()
	for round := range int64(3) {
		s := open(t, store.Options{Dir: dir})
		write(t, s.URL(), lines(100, 1_700_000_000_000_000_000+100*round))
		if n := count(t, s.URL()); n != int(100*(round+1)) {
			t.Fatalf("round %d: %d points", round, n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
		if _, err := (request{path: "/ping"}).try(s.URL()); err == nil {
			t.Error("answers after Close")
		}
	}
}

func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := open(t, store.Options{})
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx) }()
	write(t, s.URL(), "m v=1 1")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	select {
	case <-s.Failed():
	default:
		t.Error("Failed is open after Serve")
	}
}

// TestConcurrentWrites: several writers of the same and of their own series, queries in between; the sum is exact.
func TestConcurrentWrites(t *testing.T) {
	s := open(t, store.Options{Limits: store.Limits{ConcurrentWrites: 3}})
	var all sync.WaitGroup
	const writers, batches, size = 8, 10, 100
	for i := range int64(writers) {
		all.Go(func() {
			for j := range int64(batches) {
				from := 1_700_000_000_000_000_000 + (i*batches+j)*size
				for range 2 { // the second changes nothing
					if a, err := w(lines(size, from)).try(s.URL()); err != nil || a.Status != http.StatusNoContent {
						t.Errorf("write: %v %v", a, err)
						return
					}
				}
				if a, err := q("SELECT mean(v) FROM m GROUP BY unit").try(s.URL()); err != nil || a.Status != http.StatusOK {
					t.Errorf("query: %v %v", a, err)
				}
			}
		})
	}
	all.Wait()
	if n := count(t, s.URL()); n != writers*batches*size {
		t.Errorf("%d points, want %d", n, writers*batches*size)
	}
}

// TestCloseEndsQueries closes a store while a long query is running and while a client does not read.
func TestCloseEndsQueries(t *testing.T) {
	s := open(t, store.Options{Limits: store.Limits{Buckets: -1}})
	write(t, s.URL(), "m v=1 1\nm v=2 1700000000000000000")
	endless := "SELECT count(v) FROM m WHERE time >= 0 AND time < 1700000000s GROUP BY time(1u)"
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = q(endless, "chunked", "true").try(s.URL()) // cut off: an error or half an answer
	}()
	eventually(t, "the query runs", func() bool {
		return len(values(t, s.URL(), "SHOW QUERIES")) > 1 // itself and the endless one
	})
	start := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > 15*time.Second {
		t.Errorf("Close took %v", d)
	}
	<-ended
}

// TestOpenFiles opens and closes a store again and again: the process ends with the files it had.
func TestOpenFiles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts files in /proc")
	}
	files := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	dir := t.TempDir()
	var before int
	for round := range int64(4) {
		s := open(t, store.Options{Dir: dir})
		write(t, s.URL(), lines(100, 1_600_000_000_000_000_000+round*int64(30*24*time.Hour)))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		http.DefaultClient.CloseIdleConnections()
		if round == 0 {
			before = files()
		}
	}
	eventually(t, "as many files as before", func() bool { return files() <= before })
}

func TestRetention(t *testing.T) {
	dir := t.TempDir()
	old, fresh := time.Now().Add(-5*time.Hour).UnixNano(), time.Now().UnixNano()
	shards := func() int {
		names, err := filepath.Glob(filepath.Join(dir, "data", "kvarts", "autogen", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	policy := func(s *store.Store) string { return fmt.Sprint(values(t, s.URL(), "SHOW RETENTION POLICIES")) }

	s := open(t, store.Options{Dir: dir, ShardDuration: time.Hour})
	write(t, s.URL(), fmt.Sprintf("m v=1 %d\nm v=2 %d\n", old, fresh))
	if shards() != 2 || policy(s) != "[[autogen 0s 1h0m0s 1 true]]" {
		t.Fatalf("%d shards, policy %s", shards(), policy(s))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, store.Options{Dir: dir, ShardDuration: time.Hour, Retention: 2 * time.Hour, RetentionCheck: 50 * time.Millisecond})
	if policy(s) != "[[autogen 2h0m0s 1h0m0s 1 true]]" {
		t.Errorf("policy %s", policy(s))
	}
	eventually(t, "the old shard is deleted", func() bool { return shards() == 1 })
	if rows := values(t, s.URL(), "SELECT v FROM m"); len(rows) != 1 || number(t, rows[0][0]) != fresh {
		t.Errorf("left: %v", rows)
	}
	a := w(fmt.Sprintf("m v=3 %d\nm v=4 %d\n", old, fresh+1)).send(t, s.URL())
	if a.Status != http.StatusBadRequest || !strings.Contains(a.Body, "points beyond retention policy dropped=1") {
		t.Errorf("a point beyond retention: %d %s", a.Status, a.Body)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, store.Options{Dir: dir})
	if policy(s) != "[[autogen 0s 168h0m0s 1 true]]" || count(t, s.URL()) != 2 {
		t.Errorf("kept for ever again: %s, %d points", policy(s), count(t, s.URL()))
	}
}

// TestExistingPolicy: a directory whose default policy has another name, as a real server may have left it, keeps it.
func TestExistingPolicy(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Options{Dir: dir})
	for _, text := range []string{"CREATE RETENTION POLICY plant ON kvarts DURATION 100w REPLICATION 1 DEFAULT", "DROP RETENTION POLICY autogen ON kvarts", "CREATE DATABASE second"} {
		if a := (request{path: "/query", form: url.Values{"q": {text}}}).send(t, s.URL()); strings.Contains(a.Body, "error") {
			t.Fatal(a.Body)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, store.Options{Dir: dir, Retention: 50 * 7 * 24 * time.Hour, Database: "kvarts"})
	if got := fmt.Sprint(values(t, s.URL(), "SHOW RETENTION POLICIES")); got != "[[plant 8400h0m0s 168h0m0s 1 true]]" {
		t.Errorf("policies %s", got)
	}
	if got := fmt.Sprint(values(t, s.URL(), "SHOW DATABASES")); got != "[[kvarts] [second]]" {
		t.Errorf("databases %s", got)
	}
}

// keyPair writes a certificate for 127.0.0.1 with that serial number.
func keyPair(t *testing.T, dir string, serial int64) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "store"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		later := time.Now().Add(time.Duration(serial) * time.Second) // coarse clocks of file systems must not hide a renewal
		if err := os.Chtimes(path, later, later); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return certFile, keyFile, pool
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, pool := keyPair(t, dir, 1)
	s := open(t, store.Options{CertFile: certFile, KeyFile: keyFile, Addr: "127.0.0.1:0"})
	if !strings.HasPrefix(s.URL(), "https://127.0.0.1:") {
		t.Fatal(s.URL())
	}
	serial := func(pool *x509.CertPool, maxVersion uint16) (int64, error) {
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MaxVersion: maxVersion}}}
		defer c.CloseIdleConnections()
		res, err := c.Get(s.URL() + "/health")
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		return res.TLS.PeerCertificates[0].SerialNumber.Int64(), nil
	}
	if n, err := serial(pool, 0); n != 1 || err != nil {
		t.Errorf("serial %d, %v", n, err)
	}
	if _, err := serial(pool, tls.VersionTLS11); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
	_, _, renewed := keyPair(t, dir, 2)
	if n, err := serial(renewed, 0); n != 2 || err != nil {
		t.Errorf("renewed: serial %d, %v", n, err)
	}
	if err := os.WriteFile(certFile, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := serial(renewed, 0); n != 2 || err != nil {
		t.Errorf("with a broken file: serial %d, %v", n, err)
	}
}
