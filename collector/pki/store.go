// Package pki keeps the collector's own application instance certificate and decides which servers may be spoken to.
//
// Everything is in files, in the layout that OPC UA tools use, so that an engineer can look, copy and back up:
//
//	own/certs/collector.der       own certificate, to be handed to servers' administrators
//	own/private/collector.pem     own key (PKCS#8) and, after it, the certificate made for it; mode 0600
//	trusted/certs/                servers that are trusted, and authorities whose servers are
//	trusted/crl/                  revocation lists of these authorities
//	issuers/certs/, issuers/crl/  certificates and revocation lists that only help to build chains; not trusted by themselves
//	rejected/certs/               what servers showed and nobody trusted yet; the newest maxRejected
//
// Certificates are read as DER or PEM (.der .crt .cer .pem), revocation lists as .crl; they are written as DER. Folders
// have mode 0700. Files are replaced atomically (write, fsync, rename), so a running collector, which reads them at
// every connect, never sees half a file, and needs no restart after `collector pki trust`.
package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Where says in which part of the store a certificate is.
type Where string

// The parts.
const (
	Own      Where = "own"
	Trusted  Where = "trusted"
	Issuers  Where = "issuers"
	Rejected Where = "rejected"
)

// Store is a folder of certificates. It has no state but the folder: methods may be called at once, also by several
// processes.
type Store struct {
	dir string
	now func() time.Time
}

// folders of a store, below its own.
func folders() []string {
	return []string{"own/certs", "own/private", "trusted/certs", "trusted/crl", "issuers/certs", "issuers/crl", "rejected/certs"}
}

// Open opens the store in dir and makes the folders that are missing, with mode 0700. It makes no certificate: Init does.
func Open(dir string) (*Store, error) {
	if dir == "" {
		return nil, errors.New("open certificate store: no folder is given")
	}
	for _, f := range folders() {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(f)), 0o700); err != nil {
			return nil, fmt.Errorf("open certificate store: %w", err)
		}
	}
	return &Store{dir: dir, now: time.Now}, nil
}

// Dir is the store's folder.
func (s *Store) Dir() string { return s.dir }

func (s *Store) certs(w Where) string { return filepath.Join(s.dir, string(w), "certs") }

// maxFileBytes bounds what is read of one file: a certificate has 1 to 4 KiB, a plant's revocation list some 100 KiB.
const maxFileBytes = 4 << 20

func readFile(name string) (data []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("read %s: it has more than %d MiB", name, maxFileBytes>>20)
	}
	return data, nil
}

// writeFile replaces name by data with mode 0600, atomically and durably.
func writeFile(name string, data []byte) error {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, ".tmp-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, errors.Join(err, os.Remove(f.Name())))
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// syncDir makes renames and removals in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// stored is a certificate in the store.
type stored struct {
	file string
	cert *x509.Certificate // nil when err is set
	err  error
	mod  time.Time
}

// load reads all certificates of one part, by file name. A file that cannot be read is in the list with its error: it must
// not keep the others from being used.
func (s *Store) load(w Where) ([]stored, error) {
	dir := s.certs(w)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list certificates: %w", err)
	}
	var out []stored
	for _, e := range entries {
		if !isCertificateFile(e.Name()) {
			continue
		}
		item := stored{file: filepath.Join(dir, e.Name())}
		if info, err := e.Info(); err == nil {
			item.mod = info.ModTime()
		} else if errors.Is(err, fs.ErrNotExist) {
			continue // moved away by another process meanwhile
		}
		item.cert, item.err = readCertificate(item.file)
		if errors.Is(item.err, fs.ErrNotExist) {
			continue
		}
		out = append(out, item)
	}
	return out, nil
}

func isCertificateFile(name string) bool {
	return !strings.HasPrefix(name, ".") && slices.Contains([]string{".der", ".crt", ".cer", ".pem"}, strings.ToLower(filepath.Ext(name)))
}

// readCertificate reads the first certificate of a file, DER or PEM.
func readCertificate(name string) (*x509.Certificate, error) {
	data, err := readFile(name)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	chain, err := parseChain(unwrapPEM(data, "CERTIFICATE"))
	if err != nil {
		return nil, fmt.Errorf("read certificate %s: %w", name, err)
	}
	return chain[0], nil
}

// unwrapPEM returns the DER of the first block of that type, or data itself when there is none.
func unwrapPEM(data []byte, blockType string) []byte {
	if der := pemBlock(data, blockType); der != nil {
		return der
	}
	return data
}
