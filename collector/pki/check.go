package pki

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Why a server's certificate is refused. A CheckError holds one or more of them.
var (
	ErrMalformed   = errors.New("it cannot be read as an X.509 certificate")
	ErrNotTrusted  = errors.New("it is not trusted")
	ErrWrongPin    = errors.New("it is not the one that server_certificate names")
	ErrExpired     = errors.New("it has expired")
	ErrNotYetValid = errors.New("it is not valid yet")
	ErrWrongURI    = errors.New("it belongs to another application")
	ErrWrongHost   = errors.New("it belongs to another host")
	ErrKeyTooShort = errors.New("its key is too short")
	ErrKeyType     = errors.New("its key is not RSA")
	ErrRevoked     = errors.New("its authority has revoked it")
)

// Expect is what the server should be.
type Expect struct {
	// ApplicationURI is what the server's endpoint description claims; empty: not compared.
	ApplicationURI string
	// Host is what is dialled, name or address. It is compared only when trust comes from an authority: whoever trusts one
	// certificate has decided that it is the right one, and plant servers are reached by many names. Empty: not compared.
	Host string
	// Pin is "sha256:<digits>", "sha1:<digits>" or a certificate file: only this certificate will do, and the trust list is
	// not asked. Its dates are not looked at either: a pin says which key it must be, for as long as it stands.
	Pin string
}

// CheckError says everything that is wrong with a server's certificate, and what to do. errors.Is finds the reasons.
type CheckError struct {
	Info    Info // zero when the certificate is malformed
	Reasons []error
	Saved   bool // in rejected/certs, so that `collector pki trust` can find it
}

// Error gives one line for the operator.
func (e *CheckError) Error() string {
	texts := make([]string, len(e.Reasons))
	for i, r := range e.Reasons {
		texts[i] = r.Error()
	}
	all := strings.Join(texts, "; ")
	if e.Info.SHA1 == "" {
		return "server certificate: " + all
	}
	return fmt.Sprintf("server certificate %s (SHA-1 %s, SHA-256 %s): %s", e.Info.Subject, e.Info.SHA1, e.Info.SHA256, all)
}

// Unwrap gives the reasons.
func (e *CheckError) Unwrap() []error { return e.Reasons }

// Check decides whether the server that showed this certificate may be spoken to (OPC UA Part 4 §6.1.3). serverCert is DER
// as the server sent it: the leaf, perhaps followed by its chain. The error is a *CheckError with all reasons at once, or
// one of reading the store. A refused certificate that is not in the trust list is kept in rejected/certs, from where it
// can be trusted.
func (s *Store) Check(serverCert []byte, e Expect) error {
	chain, err := parseChain(serverCert)
	if err != nil {
		return &CheckError{Reasons: []error{fmt.Errorf("%w: %w", ErrMalformed, err)}}
	}
	leaf := chain[0]
	out := CheckError{Info: describe(leaf)}
	add := func(reason error) {
		if reason != nil {
			out.Reasons = append(out.Reasons, reason)
		}
	}
	add(checkKey(leaf))
	add(checkURI(leaf, e.ApplicationURI))
	var known bool // by pin or trust list
	if e.Pin != "" {
		reason, err := checkPin(leaf, out.Info, e.Pin)
		if err != nil {
			return err
		}
		add(reason)
		known = reason == nil
	} else {
		add(checkDates(leaf, s.now()))
		listed, reasons, err := s.checkTrust(chain, e.Host)
		if err != nil {
			return err
		}
		out.Reasons = append(out.Reasons, reasons...)
		known = listed
	}
	if len(out.Reasons) == 0 {
		return nil
	}
	if !known {
		if err := s.saveRejected(leaf); err != nil {
			return errors.Join(&out, err)
		}
		out.Saved = true
	}
	return &out
}

func checkKey(c *x509.Certificate) error {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	switch {
	case !ok:
		return fmt.Errorf("%w (%s): give the server an RSA certificate", ErrKeyType, c.PublicKeyAlgorithm)
	case key.N.BitLen() < minKeyBits:
		return fmt.Errorf("%w (%d bits, at least %d are needed): make a new certificate on the server", ErrKeyTooShort, key.N.BitLen(), minKeyBits)
	}
	return nil
}

func checkURI(c *x509.Certificate, want string) error {
	if want == "" {
		return nil
	}
	var have []string
	for _, u := range c.URIs {
		if u.String() == want {
			return nil
		}
		have = append(have, u.String())
	}
	return fmt.Errorf("%w: the server calls itself %q, the certificate is for %q; make a new certificate on the server", ErrWrongURI, want, have)
}

// checkDates looks at the validity of a server's certificate.
func checkDates(c *x509.Certificate, now time.Time) error {
	switch {
	case now.After(c.NotAfter):
		return fmt.Errorf("%w on %s: renew the server's certificate, or pin this one for the time being (server_certificate: sha256:%s)",
			ErrExpired, c.NotAfter.UTC().Format(time.DateOnly), describe(c).SHA256)
	case now.Before(c.NotBefore):
		return fmt.Errorf("%w, only from %s, and this computer's clock says %s: check both clocks",
			ErrNotYetValid, c.NotBefore.UTC().Format(time.DateTime), now.UTC().Format(time.DateTime))
	}
	return nil
}

// checkPin compares the leaf with the pin. The second error is one of reading the pin.
func checkPin(leaf *x509.Certificate, info Info, pin string) (reason, err error) {
	wrong := fmt.Errorf("%w (%s): if the server has a new certificate, verify the thumbprint at the server and change the configuration", ErrWrongPin, pin)
	for prefix, have := range map[string]string{"sha256:": info.SHA256, "sha1:": strings.ToLower(info.SHA1)} {
		digits, ok := strings.CutPrefix(pin, prefix)
		switch {
		case ok && strings.ToLower(digits) == have:
			return nil, nil
		case ok:
			return wrong, nil
		}
	}
	pinned, err := readCertificate(pin)
	if err != nil {
		return nil, fmt.Errorf("read the pinned server certificate: %w", err)
	}
	if !pinned.Equal(leaf) {
		return wrong, nil
	}
	return nil, nil
}

// checkTrust looks for the leaf in the trust list, then for an authority in it. listed: the leaf itself is in the list.
func (s *Store) checkTrust(chain []*x509.Certificate, host string) (listed bool, reasons []error, err error) {
	trusted, err := s.load(Trusted)
	if err != nil {
		return false, nil, err
	}
	leaf := chain[0]
	paths := [][]*x509.Certificate{{leaf}}
	listed = slices.ContainsFunc(trusted, func(t stored) bool { return t.cert != nil && t.cert.Equal(leaf) })
	if !listed {
		var reason error
		if paths, reason, err = s.authority(chain, trusted); err != nil {
			return false, nil, err
		}
		if reason != nil {
			return false, []error{reason}, nil
		}
		if reason := checkHost(leaf, host); reason != nil {
			reasons = append(reasons, reason)
		}
	}
	for _, path := range paths {
		revoked, err := s.revoked(path)
		if err != nil {
			return listed, nil, err
		}
		if !revoked {
			return listed, reasons, nil
		}
	}
	return listed, append(reasons, fmt.Errorf("%w: give the server a new certificate", ErrRevoked)), nil
}

func checkHost(c *x509.Certificate, host string) error {
	if host == "" {
		return nil
	}
	if ip := net.ParseIP(host); ip != nil {
		if slices.ContainsFunc(c.IPAddresses, ip.Equal) {
			return nil
		}
	}
	if slices.ContainsFunc(c.DNSNames, func(name string) bool { return strings.EqualFold(name, host) }) {
		return nil
	}
	info := describe(c)
	return fmt.Errorf("%w: %q is dialled, the certificate is for %q; dial one of these, or trust this very certificate with: collector pki trust %s", ErrWrongHost, host, info.Hosts, info.SHA1)
}
