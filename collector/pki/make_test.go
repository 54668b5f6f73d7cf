package pki

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// now is the clock of the tests.
var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// keys are made once: RSA keys are slow.
var keys = struct{ server, ca, other, short func() *rsa.PrivateKey }{
	server: sync.OnceValue(func() *rsa.PrivateKey { return mustKey(2048) }),
	ca:     sync.OnceValue(func() *rsa.PrivateKey { return mustKey(2048) }),
	other:  sync.OnceValue(func() *rsa.PrivateKey { return mustKey(2048) }),
	short:  sync.OnceValue(func() *rsa.PrivateKey { return mustKey(1024) }),
}

func mustKey(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

// made is a certificate with its key.
type made struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

// spec says how a test certificate differs from a good server's.
type spec struct {
	name      string
	uri       string
	hosts     []string
	from, to  time.Time
	key       *rsa.PrivateKey
	issuer    *made
	ca        bool
	serial    int64
	algorithm x509.SignatureAlgorithm
}

const serverURI = "urn:server:app"

func makeCert(t testing.TB, s spec) made {
	t.Helper()
	if s.name == "" {
		s.name = "server"
	}
	if s.uri == "" {
		s.uri = serverURI
	}
	if s.from.IsZero() {
		s.from = now.Add(-24 * time.Hour)
	}
	if s.to.IsZero() {
		s.to = now.Add(365 * 24 * time.Hour)
	}
	if s.key == nil {
		s.key = keys.server()
	}
	if s.serial == 0 {
		s.serial = 7
	}
	uri, err := url.Parse(s.uri)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(s.serial), Subject: pkix.Name{CommonName: s.name}, NotBefore: s.from, NotAfter: s.to,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, BasicConstraintsValid: true, IsCA: s.ca,
		URIs: []*url.URL{uri}, SignatureAlgorithm: s.algorithm,
	}
	if s.ca {
		template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		template.URIs = nil
	}
	for _, h := range s.hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	parent, signer := template, s.key
	if s.issuer != nil {
		parent, signer = s.issuer.cert, s.issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &s.key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made{c, s.key}
}

func makeCRL(t testing.TB, ca made, serials ...int64) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
	for _, n := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(n), RevocationTime: now})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca.cert, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// newStore opens a store in a new folder, with the tests' clock.
func newStore(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "pki"))
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return now }
	return s
}

// place writes a file into the store, below its folder.
func place(t testing.TB, s *Store, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func asPEM(blockType string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der})
}
