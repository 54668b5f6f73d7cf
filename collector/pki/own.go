package pki

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // not for security: RFC 5280 §4.2.1.2 key identifiers
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Errors about the own certificate.
var (
	ErrNoOwn  = errors.New("there is no own certificate yet; make one with `collector pki init`")
	ErrExists = errors.New("there is an own certificate already; servers trust exactly this one, so it is only replaced on request")
	// ErrForeign: the certificate was issued by an authority, so that a self-signed one in its place would not be trusted.
	ErrForeign = errors.New("the own certificate was issued by an authority; get the next one there and put it into own/certs/collector.der")
)

// Options of the own certificate. Zero values take the defaults.
type Options struct {
	Name           string        // of the collector; becomes part of subject and ApplicationURI
	ApplicationURI string        // default: that of the certificate before, else urn:HOST:kvarts:collector:NAME
	Hostname       string        // default: os.Hostname
	Hostnames      []string      // further DNS names and IP addresses
	KeyBits        int           // 2048, 3072 (default) or 4096
	Validity       time.Duration // default 5 years
	NewKey         bool          // renewal: make a new key instead of keeping the old one
}

// Defaults and limits of the own certificate.
const (
	DefaultKeyBits  = 3072
	DefaultValidity = 5 * 365 * 24 * time.Hour
	// DefaultRenewBefore leaves time to have the new certificate trusted by all servers.
	DefaultRenewBefore = 60 * 24 * time.Hour

	minKeyBits = 2048 // least of all security policies in use (OPC UA Part 7)
	maxKeyBits = 4096 // most of Basic256Sha256 and the Aes policies
	// backdating makes the certificate valid for servers whose clock is behind ours.
	backdating = time.Hour
)

func (s *Store) ownCert() string { return filepath.Join(s.dir, "own", "certs", "collector.der") }
func (s *Store) ownKey() string  { return filepath.Join(s.dir, "own", "private", "collector.pem") }

// Init makes key and certificate. It fails with ErrExists when there are some.
func (s *Store) Init(o Options) (Info, error) {
	for _, name := range []string{s.ownKey(), s.ownCert()} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return Info{}, fmt.Errorf("make own certificate: %w", errors.Join(ErrExists, err))
		}
	}
	key, err := newKey(o.KeyBits)
	if err != nil {
		return Info{}, err
	}
	return s.issue(key, o)
}

// Renew makes a new certificate for the same key (or a new one: Options.NewKey), with the names of the old one and
// those of o. It fails with ErrForeign when the old one is not self-signed.
func (s *Store) Renew(o Options) (Info, error) {
	old, key, err := s.own()
	if err != nil {
		return Info{}, err
	}
	if !describe(old).SelfSigned {
		return Info{}, fmt.Errorf("renew own certificate: %w", ErrForeign)
	}
	if o.ApplicationURI == "" && len(old.URIs) > 0 {
		o.ApplicationURI = old.URIs[0].String()
	}
	o.Hostnames = append(slices.Clone(o.Hostnames), describe(old).Hosts...)
	if o.NewKey {
		if key, err = newKey(o.KeyBits); err != nil {
			return Info{}, err
		}
	}
	return s.issue(key, o)
}

// Ensure makes the own certificate when there is none, and renews it when less than before is left of it. changed tells
// whether it did. A certificate of an authority is never replaced: look at Info.NotAfter.
func (s *Store) Ensure(o Options, before time.Duration) (info Info, changed bool, err error) {
	info, err = s.OwnInfo()
	switch {
	case errors.Is(err, ErrNoOwn):
		info, err = s.Init(o)
		return info, err == nil, err
	case err != nil:
		return Info{}, false, err
	case !s.due(info, before) || !info.SelfSigned:
		return info, false, nil
	}
	info, err = s.Renew(o)
	return info, err == nil, err
}

// NeedsRenewal reports whether less than before is left of the own certificate.
func (s *Store) NeedsRenewal(before time.Duration) (bool, error) {
	info, err := s.OwnInfo()
	if err != nil {
		return false, err
	}
	return s.due(info, before), nil
}

func (s *Store) due(info Info, before time.Duration) bool { return info.NotAfter.Sub(s.now()) < before }

// OwnInfo describes the own certificate.
func (s *Store) OwnInfo() (Info, error) {
	c, _, err := s.own()
	if err != nil {
		return Info{}, err
	}
	return describe(c), nil
}

// Own returns the own certificate (DER, leaf only), its key and the ApplicationURI that stands in it. It reads the files
// anew, so that a renewed certificate is used from the next connect on. ErrNoOwn when there is none.
func (s *Store) Own() (certificate []byte, key *rsa.PrivateKey, applicationURI string, err error) {
	c, key, err := s.own()
	switch {
	case err != nil:
		return nil, nil, "", err
	case len(c.URIs) == 0:
		return nil, nil, "", fmt.Errorf("own certificate %s: it holds no ApplicationURI, so no server will accept it; make another with `collector pki init`", s.ownCert())
	}
	return c.Raw, key, c.URIs[0].String(), nil
}

// own reads the pair. own/certs/collector.der counts when it belongs to the key, so that an authority's certificate can be
// put there; else the one behind the key in collector.pem, which was written together with it.
func (s *Store) own() (*x509.Certificate, *rsa.PrivateKey, error) {
	data, key, err := s.readKey()
	if err != nil {
		return nil, nil, err
	}
	outside, errOutside := readCertificate(s.ownCert())
	if errOutside == nil && key.PublicKey.Equal(outside.PublicKey) {
		return outside, key, nil
	}
	inside, errInside := parseChain(pemBlock(data, "CERTIFICATE"))
	if errInside == nil && key.PublicKey.Equal(inside[0].PublicKey) {
		return inside[0], key, nil
	}
	if errOutside == nil {
		errOutside = fmt.Errorf("the key %s does not belong to it", s.ownKey())
	}
	return nil, nil, fmt.Errorf("read own certificate %s: %w", s.ownCert(), errOutside)
}

func (s *Store) readKey() ([]byte, *rsa.PrivateKey, error) {
	info, err := os.Stat(s.ownKey())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("read own key %s: %w", s.ownKey(), ErrNoOwn)
	case err != nil:
		return nil, nil, fmt.Errorf("read own key: %w", err)
	case openToOthers(info.Mode()):
		return nil, nil, fmt.Errorf("read own key: others may read %s (mode %04o); run: chmod 600 %s", s.ownKey(), info.Mode().Perm(), s.ownKey())
	}
	data, err := readFile(s.ownKey())
	if err != nil {
		return nil, nil, fmt.Errorf("read own key: %w", err)
	}
	key, err := parseKey(data)
	if err != nil {
		return nil, nil, fmt.Errorf("read own key %s: %w", s.ownKey(), err)
	}
	return data, key, nil
}

// issue signs a certificate for key with itself and stores both. The file with the key is replaced first and holds both:
// a crash between the two files leaves a pair that belongs together.
func (s *Store) issue(key *rsa.PrivateKey, o Options) (Info, error) {
	template, err := s.template(&key.PublicKey, o)
	if err != nil {
		return Info{}, fmt.Errorf("make own certificate: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return Info{}, fmt.Errorf("make own certificate: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Info{}, fmt.Errorf("make own certificate: %w", err)
	}
	var both bytes.Buffer
	for _, b := range []*pem.Block{{Type: "PRIVATE KEY", Bytes: pkcs8}, {Type: "CERTIFICATE", Bytes: der}} {
		if err := pem.Encode(&both, b); err != nil {
			return Info{}, fmt.Errorf("make own certificate: %w", err)
		}
	}
	if err := writeFile(s.ownKey(), both.Bytes()); err != nil {
		return Info{}, err
	}
	if err := writeFile(s.ownCert(), der); err != nil {
		return Info{}, err
	}
	return Describe(der)
}

// template is an application instance certificate as OPC UA Part 6 §6.2.2 wants it. A self-signed one is its own issuer,
// hence keyCertSign, although it is no authority.
func (s *Store) template(pub *rsa.PublicKey, o Options) (*x509.Certificate, error) {
	host := o.Hostname
	if host == "" {
		var err error
		if host, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("find host name: %w", err)
		}
	}
	if o.ApplicationURI == "" {
		o.ApplicationURI = "urn:" + uriWord(host) + ":kvarts:collector:" + uriWord(o.Name)
	}
	uri, err := url.Parse(o.ApplicationURI)
	if err != nil || uri.Scheme == "" {
		return nil, fmt.Errorf("ApplicationURI %q is not a URI", o.ApplicationURI)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	if o.Validity == 0 {
		o.Validity = DefaultValidity
	}
	id := sha1.Sum(x509.MarshalPKCS1PublicKey(pub))
	now := s.now().UTC().Truncate(time.Second)
	t := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject:      pkix.Name{CommonName: commonName(o.Name), Organization: []string{"Kvarts"}, OrganizationalUnit: []string{host}},
		NotBefore:    now.Add(-backdating), NotAfter: now.Add(o.Validity),
		SignatureAlgorithm: x509.SHA256WithRSA,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageKeyEncipherment |
			x509.KeyUsageDataEncipherment | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		SubjectKeyId:          id[:], AuthorityKeyId: id[:],
		URIs: []*url.URL{uri},
	}
	for _, name := range append([]string{host}, o.Hostnames...) {
		if ip := net.ParseIP(name); ip != nil {
			if !slices.ContainsFunc(t.IPAddresses, ip.Equal) {
				t.IPAddresses = append(t.IPAddresses, ip)
			}
		} else if name != "" && !slices.Contains(t.DNSNames, name) {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	return t, nil
}

// commonName bounds the subject to X.520's 64 characters.
func commonName(collector string) string {
	name := []rune(strings.TrimSpace("Kvarts collector " + collector))
	return string(name[:min(len(name), 64)])
}

// uriWord makes s a part of a URN: anything but letters, digits, '.', '-' and '_' becomes '-'.
func uriWord(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", r) {
			return r
		}
		return '-'
	}, s)
}
