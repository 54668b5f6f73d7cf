package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCheck(t *testing.T) {
	good := makeCert(t, spec{})
	expired := makeCert(t, spec{from: now.Add(-48 * time.Hour), to: now.Add(-time.Second)})
	early := makeCert(t, spec{from: now.Add(time.Second)})
	short := makeCert(t, spec{key: keys.short()})
	ca := makeCert(t, spec{name: "plant CA", ca: true, key: keys.ca()})
	oldCA := makeCert(t, spec{name: "plant CA", ca: true, key: keys.ca(), from: now.Add(-48 * time.Hour), to: now.Add(-time.Hour)})
	sub := makeCert(t, spec{name: "line CA", ca: true, key: keys.other(), issuer: &ca})
	issued := makeCert(t, spec{name: "issued", issuer: &ca, hosts: []string{"saw.plant", "192.0.2.7"}})
	deep := makeCert(t, spec{name: "deep", issuer: &sub, serial: 9})
	info := describe(good.cert)
	raw := func(m ...made) []byte {
		var out []byte
		for _, c := range m {
			out = append(out, c.cert.Raw...)
		}
		return out
	}
	type files map[string][]byte
	listed := files{"trusted/certs/a.der": good.cert.Raw}
	for _, tt := range []struct {
		name  string
		files files
		sent  []byte
		e     Expect
		want  []error // nil: accepted
		saved bool
	}{
		{"listed", listed, raw(good), Expect{ApplicationURI: serverURI, Host: "any"}, nil, false},
		{"listed as PEM", files{"trusted/certs/a.crt": asPEM("CERTIFICATE", good.cert.Raw)}, raw(good), Expect{}, nil, false},
		{"listed beside garbage", files{"trusted/certs/a.der": good.cert.Raw, "trusted/certs/0.der": []byte("garbage"), "trusted/certs/1.der": nil}, raw(good), Expect{}, nil, false},
		{"listed, sent with its chain", listed, append(raw(good), ca.cert.Raw...), Expect{}, nil, false},
		{"listed, sent with garbage behind", listed, append(raw(good), "garbage"...), Expect{}, nil, false},
		{"unknown", nil, raw(good), Expect{}, []error{ErrNotTrusted}, true},
		{"rejected before", files{"rejected/certs/a.der": good.cert.Raw}, raw(good), Expect{}, []error{ErrNotTrusted}, true},
		{"an issuer is not trusted", files{"issuers/certs/ca.der": ca.cert.Raw}, raw(issued), Expect{}, []error{ErrNotTrusted}, true},
		{"other certificate of the same key", listed, raw(makeCert(t, spec{serial: 8})), Expect{}, []error{ErrNotTrusted}, true},
		{"wrong URI", listed, raw(good), Expect{ApplicationURI: "urn:other"}, []error{ErrWrongURI}, false},
		{"expired", files{"trusted/certs/a.der": expired.cert.Raw}, raw(expired), Expect{}, []error{ErrExpired}, false},
		{"not yet valid", files{"trusted/certs/a.der": early.cert.Raw}, raw(early), Expect{}, []error{ErrNotYetValid}, false},
		{"short key", files{"trusted/certs/a.der": short.cert.Raw}, raw(short), Expect{}, []error{ErrKeyTooShort}, false},
		{"everything at once", nil, raw(makeCert(t, spec{key: keys.short(), to: now.Add(-time.Hour)})), Expect{ApplicationURI: "urn:other"},
			[]error{ErrKeyTooShort, ErrWrongURI, ErrExpired, ErrNotTrusted}, true},
		{"garbage", nil, []byte("garbage"), Expect{}, []error{ErrMalformed}, false},
		{"nothing", nil, nil, Expect{}, []error{ErrMalformed}, false},
		{"cut", listed, good.cert.Raw[:len(good.cert.Raw)-1], Expect{}, []error{ErrMalformed}, false},
		{"too long", listed, append(raw(good), make([]byte, maxChainBytes)...), Expect{}, []error{ErrMalformed}, false},
		{"not RSA", nil, ellipticCert(t), Expect{}, []error{ErrKeyType, ErrNotTrusted}, true},

		{"pin sha256", nil, raw(good), Expect{Pin: "sha256:" + info.SHA256}, nil, false},
		{"pin sha1", nil, raw(good), Expect{Pin: "sha1:" + info.SHA1}, nil, false},
		{"pin of an expired one", nil, raw(expired), Expect{Pin: "sha256:" + describe(expired.cert).SHA256}, nil, false},
		{"pin, wrong URI", nil, raw(good), Expect{ApplicationURI: "urn:x", Pin: "sha256:" + info.SHA256}, []error{ErrWrongURI}, false},
		{"pin, short key", nil, raw(short), Expect{Pin: "sha256:" + describe(short.cert).SHA256}, []error{ErrKeyTooShort}, false},
		{"other pin, although listed", listed, raw(good), Expect{Pin: "sha256:" + describe(ca.cert).SHA256}, []error{ErrWrongPin}, true},
		{"prefix of a pin", nil, raw(good), Expect{Pin: "sha256:" + info.SHA256[:40]}, []error{ErrWrongPin}, true},

		{"authority", files{"trusted/certs/ca.der": ca.cert.Raw}, raw(issued), Expect{Host: "SAW.plant"}, nil, false},
		{"authority, by address", files{"trusted/certs/ca.der": ca.cert.Raw}, raw(issued), Expect{Host: "192.0.2.7"}, nil, false},
		{"authority, other host", files{"trusted/certs/ca.der": ca.cert.Raw}, raw(issued), Expect{Host: "192.0.2.8"}, []error{ErrWrongHost}, true},
		{"authority, chain sent", files{"trusted/certs/ca.der": ca.cert.Raw}, raw(deep, sub), Expect{}, nil, false},
		{"authority, chain stored", files{"trusted/certs/ca.der": ca.cert.Raw, "issuers/certs/sub.pem": asPEM("CERTIFICATE", sub.cert.Raw)}, raw(deep), Expect{}, nil, false},
		{"authority, chain missing", files{"trusted/certs/ca.der": ca.cert.Raw}, raw(deep), Expect{}, []error{ErrNotTrusted}, true},
		{"intermediate trusted", files{"trusted/certs/sub.der": sub.cert.Raw}, raw(deep), Expect{}, nil, false},
		{"chain sent, root unknown", nil, raw(deep, sub, ca), Expect{}, []error{ErrNotTrusted}, true},
		{"authority of the same name", files{"trusted/certs/ca.der": makeCert(t, spec{name: "plant CA", ca: true, key: keys.other()}).cert.Raw}, raw(issued), Expect{}, []error{ErrNotTrusted}, true},
		{"a trusted server is no authority", files{"trusted/certs/s.der": good.cert.Raw}, raw(makeCert(t, spec{name: "child", issuer: &good, key: keys.other()})), Expect{}, []error{ErrNotTrusted}, true},
		{"authority expired", files{"trusted/certs/ca.der": oldCA.cert.Raw}, raw(issued), Expect{}, []error{ErrExpired}, true},
		{"expired under an authority", files{"trusted/certs/ca.der": ca.cert.Raw}, raw(makeCert(t, spec{issuer: &ca, from: now.Add(-20 * time.Hour), to: now.Add(-time.Hour)})), Expect{}, []error{ErrExpired}, true},
		{"revoked", files{"trusted/certs/ca.der": ca.cert.Raw, "trusted/crl/ca.crl": makeCRL(t, ca, 7)}, raw(issued), Expect{}, []error{ErrRevoked}, true},
		{"another one revoked", files{"trusted/certs/ca.der": ca.cert.Raw, "trusted/crl/ca.crl": makeCRL(t, ca, 8)}, raw(issued), Expect{}, nil, false},
		{"revoked, list as PEM among the issuers", files{"trusted/certs/ca.der": ca.cert.Raw, "issuers/crl/ca.crl": asPEM("X509 CRL", makeCRL(t, ca, 7))}, raw(issued), Expect{}, []error{ErrRevoked}, true},
		{"authority revoked", files{"trusted/certs/ca.der": ca.cert.Raw, "trusted/crl/ca.crl": makeCRL(t, ca, 7)}, raw(deep, sub), Expect{}, []error{ErrRevoked}, true},
		{"revocation by a stranger", files{"trusted/certs/ca.der": ca.cert.Raw, "trusted/crl/ca.crl": makeCRL(t, makeCert(t, spec{name: "plant CA", ca: true, key: keys.other()}), 7)}, raw(issued), Expect{}, nil, false},
		{"listed but revoked", files{"trusted/certs/i.der": issued.cert.Raw, "issuers/certs/ca.der": ca.cert.Raw, "issuers/crl/ca.crl": makeCRL(t, ca, 7)}, raw(issued), Expect{}, []error{ErrRevoked}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t)
			for name, data := range tt.files {
				place(t, s, name, data)
			}
			err := s.Check(tt.sent, tt.e)
			var refused *CheckError
			if len(tt.want) == 0 {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if !errors.As(err, &refused) {
				t.Fatalf("got %v (%T), want a CheckError with %v", err, err, tt.want)
			}
			if len(refused.Reasons) != len(tt.want) {
				t.Errorf("got %d reasons, want %d: %v", len(refused.Reasons), len(tt.want), err)
			}
			for _, w := range tt.want {
				if !errors.Is(err, w) {
					t.Errorf("%v is not among: %v", w, err)
				}
			}
			if refused.Saved != tt.saved {
				t.Errorf("saved %v, want %v", refused.Saved, tt.saved)
			}
			if tt.saved {
				if found, err := s.find(strings.ToLower(refused.Info.SHA1), Rejected); err != nil || len(found) == 0 {
					t.Errorf("not in rejected/certs: %v", err)
				}
			}
		})
	}
}

func ellipticCert(t *testing.T) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestPinFile(t *testing.T) {
	s, a, b := newStore(t), makeCert(t, spec{}), makeCert(t, spec{serial: 8})
	file := filepath.Join(t.TempDir(), "pin.pem")
	if err := os.WriteFile(file, asPEM("CERTIFICATE", a.cert.Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Peer(file).CheckServerCertificate(a.cert.Raw, "h", serverURI); err != nil {
		t.Errorf("the pinned one: %v", err)
	}
	if err := s.Peer(file).CheckServerCertificate(b.cert.Raw, "h", serverURI); !errors.Is(err, ErrWrongPin) {
		t.Errorf("another one: %v", err)
	}
	var refused *CheckError
	if err := s.Peer(file+".none").CheckServerCertificate(a.cert.Raw, "h", serverURI); err == nil || errors.As(err, &refused) {
		t.Errorf("a pin that cannot be read is a fault of ours, not of the server: %v", err)
	}
}

// What the operator reads must be enough to act at night.
func TestMessages(t *testing.T) {
	s, c := newStore(t), makeCert(t, spec{name: "saw"})
	err := s.Check(c.cert.Raw, Expect{})
	info := describe(c.cert)
	for _, part := range []string{"CN=saw", info.SHA1, info.SHA256, "collector pki trust " + info.SHA1} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in: %v", part, err)
		}
	}
	if _, err := s.Trust(info.SHA1); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(c.cert.Raw, Expect{}); err != nil {
		t.Errorf("after the command of the message: %v", err)
	}
}

// A damaged revocation list must not make a revoked server acceptable.
func TestDamagedRevocationList(t *testing.T) {
	s, c := newStore(t), makeCert(t, spec{})
	place(t, s, "trusted/certs/a.der", c.cert.Raw)
	name := place(t, s, "trusted/crl/x.crl", []byte("garbage"))
	if err := s.Check(c.cert.Raw, Expect{}); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("got %v, want an error that names %s", err, name)
	}
}

// No change of a single byte of a certificate passes as that certificate.
func TestChangedCertificateIsRefused(t *testing.T) {
	s, c := newStore(t), makeCert(t, spec{})
	place(t, s, "trusted/certs/a.der", c.cert.Raw)
	pin := "sha256:" + describe(c.cert).SHA256
	rapid.Check(t, func(t *rapid.T) {
		der := bytes.Clone(c.cert.Raw)
		der[rapid.IntRange(0, len(der)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		if s.Check(der, Expect{}) == nil || s.Check(der, Expect{Pin: pin}) == nil {
			t.Fatal("accepted")
		}
	})
}

func TestRejectedIsBounded(t *testing.T) {
	s := newStore(t)
	at := now
	s.now = func() time.Time { return at }
	var last made
	for i := range maxRejected + 5 {
		last = makeCert(t, spec{name: fmt.Sprint("s", i), serial: int64(i + 1), from: now.Add(-time.Hour), to: now.Add(48 * time.Hour)})
		if err := s.Check(last.cert.Raw, Expect{}); !errors.Is(err, ErrNotTrusted) {
			t.Fatal(err)
		}
		at = at.Add(time.Second)
	}
	part, err := s.load(Rejected)
	if err != nil || len(part) != maxRejected {
		t.Fatalf("%d rejected, %v", len(part), err)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(part, func(p stored) bool { return p.cert.Subject.CommonName == name })
	}
	if has("s4") || !has("s5") || !has(last.cert.Subject.CommonName) {
		t.Error("not the oldest were removed")
	}
	list, err := s.List()
	if err != nil || list[0].Info.SHA1 != describe(last.cert).SHA1 {
		t.Errorf("the newest is not first: %v %v", list[0], err)
	}
}

// A server that is refused again and again is shown with its last time, in one file.
func TestRejectedAgain(t *testing.T) {
	s, c := newStore(t), makeCert(t, spec{})
	at := now
	s.now = func() time.Time { return at }
	for range 3 {
		at = at.Add(time.Minute)
		if err := s.Check(c.cert.Raw, Expect{}); !errors.Is(err, ErrNotTrusted) {
			t.Fatal(err)
		}
	}
	list, err := s.List()
	if err != nil || len(list) != 1 || !list[0].Seen.Equal(at) {
		t.Errorf("%v %v", list, err)
	}
}

func FuzzCheck(f *testing.F) {
	c := makeCert(f, spec{})
	f.Add(c.cert.Raw)
	f.Add(append(bytes.Clone(c.cert.Raw), c.cert.Raw...))
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	s := newStore(f)
	place(f, s, "trusted/certs/a.der", c.cert.Raw)
	f.Fuzz(func(t *testing.T, der []byte) {
		err := s.Check(der, Expect{ApplicationURI: serverURI})
		if err == nil && !bytes.HasPrefix(der, c.cert.Raw) {
			t.Error("accepted something else than the trusted certificate")
		}
		var refused *CheckError
		if err != nil && !errors.As(err, &refused) {
			t.Errorf("%T: %v", err, err)
		}
	})
}
