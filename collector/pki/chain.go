package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// authority finds the ways from the leaf to a trusted authority: leaf, issuers, trusted authority. The reason tells why
// there is none. Certificates of the issuers folder and those that the server sent may stand between; they are not
// trusted themselves. A trusted authority need not be a root.
func (s *Store) authority(chain []*x509.Certificate, trusted []stored) (paths [][]*x509.Certificate, reason, err error) {
	issuers, err := s.load(Issuers)
	if err != nil {
		return nil, nil, err
	}
	leaf := chain[0]
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for _, t := range trusted {
		if t.cert != nil && t.cert.IsCA {
			o.Roots.AddCert(t.cert)
		}
	}
	for _, t := range issuers {
		if t.cert != nil {
			o.Intermediates.AddCert(t.cert)
		}
	}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	// The leaf's own dates are reported apart from this; here only those of the authorities count.
	o.CurrentTime = s.now()
	if o.CurrentTime.Before(leaf.NotBefore) {
		o.CurrentTime = leaf.NotBefore
	} else if o.CurrentTime.After(leaf.NotAfter) {
		o.CurrentTime = leaf.NotAfter
	}
	paths, err = leaf.Verify(o)
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return paths, nil, nil
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return nil, fmt.Errorf("%w: the authority %s was valid from %s to %s: install its new certificate, or trust the server's own with: collector pki trust %s", ErrExpired,
			invalid.Cert.Subject, invalid.Cert.NotBefore.UTC().Format(time.DateOnly), invalid.Cert.NotAfter.UTC().Format(time.DateOnly), describe(leaf).SHA1), nil
	}
	return nil, fmt.Errorf("%w: compare the thumbprint with the one that the server shows, then run: collector pki trust %s", ErrNotTrusted, describe(leaf).SHA1), nil
}

// revoked reports whether a revocation list in the store, signed by the certificate's issuer, names one of the path. A
// missing or old list does not refuse: most plants have none, and a list that was not renewed must not stop the
// collection.
func (s *Store) revoked(path []*x509.Certificate) (bool, error) {
	lists, err := s.lists()
	if err != nil || len(lists) == 0 {
		return false, err
	}
	authorities := slices.Clone(path)
	for _, w := range []Where{Trusted, Issuers} {
		known, err := s.load(w)
		if err != nil {
			return false, err
		}
		for _, k := range known {
			if k.cert != nil {
				authorities = append(authorities, k.cert)
			}
		}
	}
	for _, c := range path {
		for _, list := range lists {
			if bytes.Equal(list.RawIssuer, c.RawIssuer) && names(list, c) &&
				slices.ContainsFunc(authorities, func(a *x509.Certificate) bool { return list.CheckSignatureFrom(a) == nil }) {
				return true, nil
			}
		}
	}
	return false, nil
}

func names(list *x509.RevocationList, c *x509.Certificate) bool {
	return slices.ContainsFunc(list.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool {
		return e.SerialNumber.Cmp(c.SerialNumber) == 0
	})
}

// lists reads all revocation lists. One that cannot be read is an error: a revoked server must not become acceptable by
// damage to a file.
func (s *Store) lists() ([]*x509.RevocationList, error) {
	var out []*x509.RevocationList
	for _, w := range []Where{Trusted, Issuers} {
		dir := filepath.Join(s.dir, string(w), "crl")
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("list revocation lists: %w", err)
		}
		for _, e := range entries {
			if !strings.EqualFold(filepath.Ext(e.Name()), ".crl") || strings.HasPrefix(e.Name(), ".") {
				continue
			}
			name := filepath.Join(dir, e.Name())
			data, err := readFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("read revocation list: %w", err)
			}
			list, err := x509.ParseRevocationList(unwrapPEM(data, "X509 CRL"))
			if err != nil {
				return nil, fmt.Errorf("read revocation list %s: %w", name, err)
			}
			out = append(out, list)
		}
	}
	return out, nil
}
