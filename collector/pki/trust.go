package pki

import (
	"crypto/rsa"
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

// Errors of Trust and Reject.
var (
	ErrUnknown   = errors.New("no certificate has this thumbprint; `collector pki list` shows all")
	ErrAmbiguous = errors.New("more than one certificate begins like this; write more digits")
)

// maxRejected bounds rejected/certs: whoever reaches the collector's servers can show it certificates without end.
const maxRejected = 50

// Entry is one certificate of the store. Plain data, also as JSON.
type Entry struct {
	Where   Where     `json:"where"`
	File    string    `json:"file"`
	Info    Info      `json:"info"`
	Seen    time.Time `json:"seen"`              // when the file was written; for rejected ones: when the server last showed it
	Problem string    `json:"problem,omitempty"` // why the file cannot be used; then Info is empty
}

// List shows the whole store: own, trusted, issuers, rejected (the newest first).
func (s *Store) List() ([]Entry, error) {
	var out []Entry
	if own, err := s.OwnInfo(); err == nil {
		out = append(out, Entry{Where: Own, File: s.ownCert(), Info: own, Seen: own.NotBefore})
	} else if !errors.Is(err, ErrNoOwn) {
		out = append(out, Entry{Where: Own, File: s.ownCert(), Problem: err.Error()})
	}
	for _, w := range []Where{Trusted, Issuers, Rejected} {
		part, err := s.load(w)
		if err != nil {
			return nil, err
		}
		if w == Rejected {
			slices.SortStableFunc(part, func(a, b stored) int { return b.mod.Compare(a.mod) })
		}
		for _, p := range part {
			out = append(out, entry(w, p))
		}
	}
	return out, nil
}

func entry(w Where, p stored) Entry {
	e := Entry{Where: w, File: p.file, Seen: p.mod}
	if p.err != nil {
		e.Problem = p.err.Error()
		return e
	}
	e.Info = describe(p.cert)
	return e
}

// Trust moves a rejected certificate into the trust list. thumbprint is SHA-1 or SHA-256, or the first digits of it. A
// certificate that is trusted already is no error.
func (s *Store) Trust(thumbprint string) (Entry, error) {
	return s.move("trust certificate", thumbprint, Rejected, Trusted)
}

// Reject takes a certificate off the trust list and keeps it among the rejected. A running collector refuses the server
// from the next connect on.
func (s *Store) Reject(thumbprint string) (Entry, error) {
	return s.move("reject certificate", thumbprint, Trusted, Rejected)
}

func (s *Store) move(verb, thumbprint string, from, to Where) (Entry, error) {
	digits, err := cleanThumbprint(thumbprint)
	if err != nil {
		return Entry{}, fmt.Errorf("%s: %w", verb, err)
	}
	source, err := s.find(digits, from)
	if err != nil {
		return Entry{}, fmt.Errorf("%s %s: %w", verb, thumbprint, err)
	}
	if len(source) == 0 {
		there, err := s.find(digits, to)
		switch {
		case err != nil:
			return Entry{}, fmt.Errorf("%s %s: %w", verb, thumbprint, err)
		case len(there) == 0:
			return Entry{}, fmt.Errorf("%s %s: %w", verb, thumbprint, ErrUnknown)
		}
		return entry(to, there[0]), nil
	}
	out, err := s.put(to, source[0].cert)
	if err != nil {
		return Entry{}, fmt.Errorf("%s %s: %w", verb, thumbprint, err)
	}
	for _, file := range source {
		if err := os.Remove(file.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Entry{}, fmt.Errorf("%s %s: %w", verb, thumbprint, err)
		}
	}
	if err := syncDir(s.certs(from)); err != nil {
		return Entry{}, fmt.Errorf("%s %s: %w", verb, thumbprint, err)
	}
	return out, nil
}

// find returns all files of one part that hold the certificate with this thumbprint.
func (s *Store) find(digits string, w Where) ([]stored, error) {
	part, err := s.load(w)
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(part, func(p stored) bool { return p.cert == nil || !describe(p.cert).matches(digits) })
	for _, f := range found {
		if !f.cert.Equal(found[0].cert) {
			return nil, ErrAmbiguous
		}
	}
	return found, nil
}

// Import puts the certificate of a file (DER or PEM) into the trust list, or among the issuers. The certificate of an
// authority in the trust list makes all its servers trusted.
func (s *Store) Import(file string, to Where) (Entry, error) {
	if to != Trusted && to != Issuers {
		return Entry{}, fmt.Errorf("import certificate %s: %q is neither %q nor %q", file, to, Trusted, Issuers)
	}
	c, err := readCertificate(file)
	if err != nil {
		return Entry{}, fmt.Errorf("import certificate: %w", err)
	}
	out, err := s.put(to, c)
	if err != nil {
		return Entry{}, fmt.Errorf("import certificate %s: %w", file, err)
	}
	return out, nil
}

// put writes a certificate under the name that OPC UA tools use: "subject [SHA-1].der".
func (s *Store) put(w Where, c *x509.Certificate) (Entry, error) {
	name := filepath.Join(s.certs(w), fileName(c))
	if err := writeFile(name, c.Raw); err != nil {
		return Entry{}, err
	}
	return Entry{Where: w, File: name, Info: describe(c), Seen: s.now()}, nil
}

// fileName keeps of the subject what every file system takes: it comes from a stranger.
func fileName(c *x509.Certificate) string {
	subject := strings.Trim(strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, c.Subject.CommonName), " ")
	return strings.TrimSpace(subject[:min(len(subject), 50)]+" ["+describe(c).SHA1+"]") + ".der"
}

// saveRejected keeps a certificate for Trust, and removes the oldest beyond maxRejected. One that is there already is
// only touched: a server that is refused tries every minute.
func (s *Store) saveRejected(c *x509.Certificate) error {
	name := filepath.Join(s.certs(Rejected), fileName(c))
	now := s.now()
	if err := os.Chtimes(name, now, now); err == nil {
		return nil
	}
	if err := writeFile(name, c.Raw); err != nil {
		return fmt.Errorf("keep rejected certificate: %w", err)
	}
	if err := os.Chtimes(name, now, now); err != nil {
		return fmt.Errorf("keep rejected certificate: %w", err)
	}
	return s.boundRejected()
}

func (s *Store) boundRejected() error {
	all, err := s.load(Rejected)
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b stored) int { return b.mod.Compare(a.mod) })
	for i := maxRejected; i < len(all); i++ {
		if err := os.Remove(all[i].file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keep rejected certificates: %w", err)
		}
	}
	return nil
}

// Peer is the store as one server's session sees it (uasession.Certificates).
type Peer struct {
	store *Store
	pin   string
}

// Peer returns the view of one server. pin is its server_certificate, empty for the trust list.
func (s *Store) Peer(pin string) *Peer { return &Peer{s, pin} }

// Own is Store.Own.
func (p *Peer) Own() (certificate []byte, key *rsa.PrivateKey, applicationURI string, err error) {
	return p.store.Own()
}

// CheckServerCertificate is Store.Check with the server's pin.
func (p *Peer) CheckServerCertificate(certificate []byte, host, applicationURI string) error {
	return p.store.Check(certificate, Expect{ApplicationURI: applicationURI, Host: host, Pin: p.pin})
}
