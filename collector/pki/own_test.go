package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func testOptions() Options {
	return Options{Name: "gw-1", Hostname: "gw.plant", Hostnames: []string{"192.0.2.5", "gw"}, KeyBits: 2048}
}

func mustInit(t testing.TB, s *Store, o Options) Info {
	t.Helper()
	info, err := s.Init(o)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// The certificate is what OPC UA Part 6 §6.2.2 demands.
func TestInit(t *testing.T) {
	s := newStore(t)
	mustInit(t, s, testOptions())
	der, key, uri, err := s.Own()
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		t.Error(err)
	}
	const usage = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment | x509.KeyUsageCertSign
	for what, ok := range map[string]bool{
		"version 3":        c.Version == 3,
		"ApplicationURI":   uri == "urn:gw.plant:kvarts:collector:gw-1" && len(c.URIs) == 1 && c.URIs[0].String() == uri,
		"DNS names":        slices.Equal(c.DNSNames, []string{"gw.plant", "gw"}),
		"addresses":        len(c.IPAddresses) == 1 && c.IPAddresses[0].String() == "192.0.2.5",
		"key usage":        c.KeyUsage == usage,
		"client":           slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth),
		"server":           slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth),
		"no authority":     c.BasicConstraintsValid && !c.IsCA,
		"key identifiers":  len(c.SubjectKeyId) == 20 && bytes.Equal(c.SubjectKeyId, c.AuthorityKeyId),
		"SHA-256":          c.SignatureAlgorithm == x509.SHA256WithRSA,
		"key":              key.PublicKey.Equal(c.PublicKey) && key.N.BitLen() == 2048,
		"valid since":      c.NotBefore.Equal(now.Add(-backdating)),
		"valid until":      c.NotAfter.Equal(now.Add(DefaultValidity)),
		"serial":           c.SerialNumber.Sign() > 0 && c.SerialNumber.BitLen() <= 159,
		"self-signed":      bytes.Equal(c.RawIssuer, c.RawSubject),
		"name of gateway":  strings.Contains(c.Subject.CommonName, "gw-1"),
		"handed out alike": bytes.Equal(mustRead(t, s.ownCert()), der),
	} {
		if !ok {
			t.Errorf("%s: %+v", what, describe(c))
		}
	}
}

func mustRead(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestDefaultKeyBits(t *testing.T) {
	key, err := newKey(0)
	if err != nil || key.N.BitLen() != DefaultKeyBits {
		t.Errorf("%v", err)
	}
	for _, bits := range []int{1024, 2047, 4097, 1 << 20} {
		if _, err := newKey(bits); err == nil {
			t.Errorf("%d bits are accepted", bits)
		}
	}
}

func TestModes(t *testing.T) {
	s := newStore(t)
	mustInit(t, s, testOptions())
	if err := s.Check(makeCert(t, spec{}).cert.Raw, Expect{}); err == nil {
		t.Fatal("accepted a stranger")
	}
	files := 0
	err := filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		} else {
			files++
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %04o, want %04o", path, info.Mode().Perm(), want)
		}
		if strings.HasPrefix(e.Name(), ".tmp") {
			t.Errorf("%s is left behind", path)
		}
		return nil
	})
	if err != nil || files != 3 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestOpenKeyIsRefused(t *testing.T) {
	s := newStore(t)
	mustInit(t, s, testOptions())
	if err := os.Chmod(s.ownKey(), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := s.Own(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v", err)
	}
}

func TestInitKeepsWhatIsThere(t *testing.T) {
	for _, keep := range []string{"both", "key", "certificate"} {
		s := newStore(t)
		first := mustInit(t, s, testOptions())
		switch keep {
		case "key":
			mustRemove(t, s.ownCert())
		case "certificate":
			mustRemove(t, s.ownKey())
		}
		if _, err := s.Init(testOptions()); !errors.Is(err, ErrExists) {
			t.Errorf("%s: %v", keep, err)
		}
		if keep == "certificate" {
			continue
		}
		// The pair in collector.pem survives the loss of the copy.
		if info, err := s.OwnInfo(); err != nil || info.SHA256 != first.SHA256 {
			t.Errorf("%s: %v %v", keep, info, err)
		}
	}
}

func mustRemove(t testing.TB, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

func TestRenew(t *testing.T) {
	s := newStore(t)
	old := mustInit(t, s, testOptions())
	_, oldKey, _, err := s.Own()
	if err != nil {
		t.Fatal(err)
	}
	due := func(at time.Time) bool {
		t.Helper()
		s.now = func() time.Time { return at }
		yes, err := s.NeedsRenewal(DefaultRenewBefore)
		if err != nil {
			t.Fatal(err)
		}
		return yes
	}
	edge := old.NotAfter.Add(-DefaultRenewBefore)
	if due(edge) || !due(edge.Add(time.Second)) {
		t.Error("renewal is due at another time than 60 days before the end")
	}
	for _, newKey := range []bool{false, true} {
		// What is not said again is kept: servers compare the ApplicationURI.
		renewed, err := s.Renew(Options{Name: "other", Hostname: "gw2", KeyBits: 2048, NewKey: newKey})
		if err != nil {
			t.Fatal(err)
		}
		_, key, uri, err := s.Own()
		if err != nil || uri != old.ApplicationURIs[0] {
			t.Errorf("ApplicationURI %q, was %q: %v", uri, old.ApplicationURIs, err)
		}
		if key.Equal(oldKey) == newKey {
			t.Errorf("new key asked %v, same key %v", newKey, key.Equal(oldKey))
		}
		if renewed.SHA256 == old.SHA256 || !renewed.NotAfter.After(old.NotAfter) {
			t.Errorf("not renewed: %+v", renewed)
		}
		for _, h := range append(old.Hosts, "gw2") {
			if !slices.Contains(renewed.Hosts, h) {
				t.Errorf("%s is lost: %v", h, renewed.Hosts)
			}
		}
	}
}

// A crash between the two files of a renewal leaves a pair that belongs together.
func TestCrashDuringRenewal(t *testing.T) {
	s := newStore(t)
	mustInit(t, s, testOptions())
	before := mustRead(t, s.ownCert())
	o := testOptions()
	o.NewKey = true
	renewed, err := s.Renew(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.ownCert(), before, 0o600); err != nil {
		t.Fatal(err)
	}
	der, key, _, err := s.Own()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := Describe(der); err != nil || info.SHA256 != renewed.SHA256 {
		t.Errorf("not the new certificate: %v", err)
	}
	if c, err := x509.ParseCertificate(der); err != nil || !key.PublicKey.Equal(c.PublicKey) {
		t.Errorf("key and certificate do not match: %v", err)
	}
}

func TestEnsure(t *testing.T) {
	s := newStore(t)
	step := func(at time.Time, wantChange bool) Info {
		t.Helper()
		s.now = func() time.Time { return at }
		info, changed, err := s.Ensure(testOptions(), DefaultRenewBefore)
		if err != nil || changed != wantChange {
			t.Fatalf("changed %v, want %v: %v", changed, wantChange, err)
		}
		return info
	}
	first := step(now, true)
	if again := step(now.Add(time.Hour), false); again.SHA256 != first.SHA256 {
		t.Error("another certificate without a change")
	}
	if last := step(first.NotAfter.Add(-time.Hour), true); last.SHA256 == first.SHA256 {
		t.Error("not renewed")
	}
}

// A certificate that an authority issued for our key is used, and not replaced by a self-signed one.
func TestForeignCertificate(t *testing.T) {
	s := newStore(t)
	mustInit(t, s, testOptions())
	_, key, _, err := s.Own()
	if err != nil {
		t.Fatal(err)
	}
	ca := makeCert(t, spec{name: "CA", ca: true, key: keys.ca()})
	mine := makeCert(t, spec{name: "gw", uri: "urn:gw:x", key: key, issuer: &ca, to: now.Add(time.Hour)})
	place(t, s, "own/certs/collector.der", asPEM("CERTIFICATE", mine.cert.Raw))
	if der, _, uri, err := s.Own(); err != nil || !bytes.Equal(der, mine.cert.Raw) || uri != "urn:gw:x" {
		t.Errorf("not used: %v", err)
	}
	if _, err := s.Renew(testOptions()); !errors.Is(err, ErrForeign) {
		t.Errorf("renew: %v", err)
	}
	if info, changed, err := s.Ensure(testOptions(), DefaultRenewBefore); err != nil || changed || info.SelfSigned {
		t.Errorf("ensure: %v %v %v", info, changed, err)
	}
}

func TestOwnFiles(t *testing.T) {
	rsaKey := keys.server()
	cert := makeCert(t, spec{uri: "urn:gw:x"})
	pkcs8, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	encrypted := asPEM("ENCRYPTED PRIVATE KEY", []byte{1})
	for _, tt := range []struct {
		name      string
		key, cert []byte
		want      string // part of the error, empty: good
	}{
		{"PKCS#8", asPEM("PRIVATE KEY", pkcs8), cert.cert.Raw, ""},
		{"PKCS#1", asPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), asPEM("CERTIFICATE", cert.cert.Raw), ""},
		{"certificate before the key", append(asPEM("CERTIFICATE", cert.cert.Raw), asPEM("PRIVATE KEY", pkcs8)...), nil, ""},
		{"encrypted", encrypted, cert.cert.Raw, "encrypted"},
		{"elliptic", asPEM("PRIVATE KEY", ecDER), cert.cert.Raw, "RSA"},
		{"short", asPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(keys.short())), cert.cert.Raw, "2048"},
		{"DER", pkcs8, cert.cert.Raw, "PEM"},
		{"damaged", asPEM("PRIVATE KEY", pkcs8[:100]), cert.cert.Raw, "asn1"},
		{"no certificate", asPEM("PRIVATE KEY", pkcs8), nil, "no such file"},
		{"certificate of another key", asPEM("PRIVATE KEY", pkcs8), makeCert(t, spec{key: keys.other()}).cert.Raw, "does not belong"},
		{"no ApplicationURI", asPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(keys.ca())), makeCert(t, spec{ca: true, key: keys.ca()}).cert.Raw, "ApplicationURI"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t)
			place(t, s, "own/private/collector.pem", tt.key)
			if tt.cert != nil {
				place(t, s, "own/certs/collector.der", tt.cert)
			}
			der, key, uri, err := s.Own()
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), s.dir) {
					t.Errorf("got %v, want %q and the file's name", err, tt.want)
				}
				return
			}
			if err != nil || !bytes.Equal(der, cert.cert.Raw) || !key.Equal(rsaKey) || uri != "urn:gw:x" {
				t.Errorf("%q %v", uri, err)
			}
		})
	}
	if _, _, _, err := newStore(t).Own(); !errors.Is(err, ErrNoOwn) {
		t.Errorf("empty store: %v", err)
	}
}

func TestBadOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"bits":    {KeyBits: 512},
		"no URI":  {KeyBits: 2048, Hostname: "h", ApplicationURI: "no uri"},
		"bad URI": {KeyBits: 2048, Hostname: "h", ApplicationURI: "urn:\x01"},
	} {
		s := newStore(t)
		if _, err := s.Init(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := s.OwnInfo(); !errors.Is(err, ErrNoOwn) {
			t.Errorf("%s: something was written: %v", name, err)
		}
	}
}

// Any name of host and collector gives a certificate that can be read back.
func TestAnyName(t *testing.T) {
	s := newStore(t)
	rapid.Check(t, func(t *rapid.T) {
		o := Options{Name: rapid.StringN(0, 80, 200).Draw(t, "name"), Hostname: rapid.StringMatching(`[a-zA-Z0-9.-]{1,60}`).Draw(t, "host")}
		template, err := s.template(&keys.server().PublicKey, o)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &keys.server().PublicKey, keys.server())
		if err != nil {
			t.Fatal(err)
		}
		info, err := Describe(der)
		if err != nil || len(info.ApplicationURIs) != 1 {
			t.Fatalf("%v %v", info, err)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add(asPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(keys.server())))
	f.Add(asPEM("PRIVATE KEY", []byte{0x30}))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: x\n\n-----END RSA PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := parseKey(data)
		if (key == nil) == (err == nil) {
			t.Errorf("%v %v", key, err)
		}
		if key != nil && key.N.BitLen() < minKeyBits {
			t.Error("short key")
		}
	})
}
