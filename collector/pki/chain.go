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
)

// authority finds a way from the leaf to a trusted authority: leaf, issuers, trusted authority. nil when there is none.
// Certificates of the issuers folder and those that the server sent may stand between; they are not trusted themselves.
//
// Own code and not x509.Verify, because that refuses what OPC UA allows: a trusted intermediate as the end of the way is
// fine there, but an authority whose date has passed gives one error without the others.
func (s *Store) authority(chain []*x509.Certificate, trusted []stored) ([]*x509.Certificate, error) {
	issuers, err := s.load(Issuers)
	if err != nil {
		return nil, err
	}
	var roots, between []*x509.Certificate
	for _, t := range trusted {
		if t.cert != nil && t.cert.IsCA {
			roots = append(roots, t.cert)
		}
	}
	for _, t := range issuers {
		if t.cert != nil && t.cert.IsCA {
			between = append(between, t.cert)
		}
	}
	for _, c := range chain[1:] {
		if c.IsCA {
			between = append(between, c)
		}
	}
	path := []*x509.Certificate{chain[0]}
	for len(path) <= maxChain {
		last := path[len(path)-1]
		issued := func(c *x509.Certificate) bool { return signed(c, last, len(path)-1) }
		if i := slices.IndexFunc(roots, issued); i >= 0 {
			return append(path, roots[i]), nil
		}
		// A key that signed has one certificate in all practice; cross-signing ends at the first found.
		i := slices.IndexFunc(between, func(c *x509.Certificate) bool {
			return !slices.ContainsFunc(path, c.Equal) && issued(c)
		})
		if i < 0 {
			return nil, nil
		}
		path = append(path, between[i])
	}
	return nil, nil
}

// signed reports whether issuer signed c and may: it is an authority, and the authorities between it and the leaf are
// not more than it allows.
func signed(issuer, c *x509.Certificate, below int) bool {
	if !bytes.Equal(issuer.RawSubject, c.RawIssuer) {
		return false
	}
	if (issuer.MaxPathLen > 0 || issuer.MaxPathLenZero) && below > issuer.MaxPathLen {
		return false
	}
	return c.CheckSignatureFrom(issuer) == nil
}

// revoked reports whether a revocation list in the store, signed by the issuer, names a certificate of the path. For a
// path of only the leaf the issuer is looked for in the store. A missing or old list does not refuse: most plants have
// none, and a list that was not renewed must not stop the collection.
func (s *Store) revoked(path []*x509.Certificate) (bool, error) {
	lists, err := s.lists()
	if err != nil || len(lists) == 0 {
		return false, err
	}
	authorities := slices.Clone(path[1:])
	for _, w := range []Where{Trusted, Issuers} {
		known, err := s.load(w)
		if err != nil {
			return false, err
		}
		for _, k := range known {
			if k.cert != nil && k.cert.IsCA {
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
