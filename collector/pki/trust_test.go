package pki

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTrustAndReject(t *testing.T) {
	a := makeCert(t, spec{name: "a"})
	info := describe(a.cert)
	colons := strings.ToLower(info.SHA1[:2] + ":" + info.SHA1[2:4] + " " + info.SHA1[4:8])
	for _, thumb := range []string{info.SHA1, strings.ToLower(info.SHA1), info.SHA256, "sha256:" + info.SHA256, "sha1:" + info.SHA1, info.SHA1[:4], info.SHA256[:10], colons, " " + info.SHA1 + " "} {
		s := newStore(t)
		if err := s.Check(a.cert.Raw, Expect{}); !errors.Is(err, ErrNotTrusted) {
			t.Fatal(err)
		}
		entry, err := s.Trust(thumb)
		if err != nil || entry.Where != Trusted || entry.Info.SHA1 != info.SHA1 {
			t.Fatalf("%q: %v %v", thumb, entry, err)
		}
		if err := s.Check(a.cert.Raw, Expect{}); err != nil {
			t.Errorf("%q: not trusted after Trust: %v", thumb, err)
		}
		if again, err := s.Trust(thumb); err != nil || again.Where != Trusted {
			t.Errorf("%q: trusting twice: %v %v", thumb, again, err)
		}
		if entry, err = s.Reject(thumb); err != nil || entry.Where != Rejected {
			t.Fatalf("%q: %v %v", thumb, entry, err)
		}
		if err := s.Check(a.cert.Raw, Expect{}); !errors.Is(err, ErrNotTrusted) {
			t.Errorf("%q: trusted after Reject: %v", thumb, err)
		}
		if list, err := s.List(); err != nil || len(list) != 1 {
			t.Errorf("%q: more than one file: %v %v", thumb, list, err)
		}
	}
}

// Rejecting takes away every file of the trust list that holds the certificate, whatever its name.
func TestRejectAllCopies(t *testing.T) {
	s, a := newStore(t), makeCert(t, spec{})
	place(t, s, "trusted/certs/a.der", a.cert.Raw)
	place(t, s, "trusted/certs/b.crt", asPEM("CERTIFICATE", a.cert.Raw))
	if _, err := s.Reject(describe(a.cert).SHA1); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(a.cert.Raw, Expect{}); !errors.Is(err, ErrNotTrusted) {
		t.Errorf("still trusted: %v", err)
	}
}

func TestThumbprintErrors(t *testing.T) {
	s := newStore(t)
	for _, bad := range []string{"", "abc", "xyz1", "../../etc/passwd", strings.Repeat("a", 65), "sha256:"} {
		if _, err := s.Trust(bad); err == nil || errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := s.Trust("abcd"); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown: %v", err)
	}
	// Two certificates whose thumbprints begin alike.
	seen := map[string]made{}
	for i := int64(1); i < 2000; i++ {
		c := makeCert(t, spec{serial: i})
		short := strings.ToLower(describe(c.cert).SHA1[:4])
		if other, twice := seen[short]; twice {
			place(t, s, "rejected/certs/1.der", c.cert.Raw)
			place(t, s, "rejected/certs/2.der", other.cert.Raw)
			if _, err := s.Trust(short); !errors.Is(err, ErrAmbiguous) {
				t.Errorf("ambiguous %s: %v", short, err)
			}
			if _, err := s.Trust(describe(c.cert).SHA1); err != nil {
				t.Errorf("whole thumbprint: %v", err)
			}
			return
		}
		seen[short] = c
	}
	t.Fatal("no two certificates begin alike")
}

func TestImportAndList(t *testing.T) {
	s := newStore(t)
	mustInit(t, s, testOptions())
	ca := makeCert(t, spec{name: "plant CA", ca: true, key: keys.ca()})
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, asPEM("CERTIFICATE", ca.cert.Raw), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Import(file, Issuers); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Import(file, Trusted); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []Where{Own, Rejected, "x"} {
		if _, err := s.Import(file, bad); err == nil {
			t.Errorf("imported into %s", bad)
		}
	}
	if _, err := s.Import(file+".none", Trusted); err == nil {
		t.Error("imported nothing")
	}
	place(t, s, "trusted/certs/garbage.der", []byte("garbage"))
	place(t, s, "trusted/certs/README.txt", []byte("not a certificate"))
	list, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	count := map[Where]int{}
	problems := 0
	for _, e := range list {
		count[e.Where]++
		if e.Problem != "" {
			problems++
		}
	}
	if count[Own] != 1 || count[Trusted] != 2 || count[Issuers] != 1 || problems != 1 {
		t.Errorf("%v, %d problems", count, problems)
	}
	if err := s.Check(makeCert(t, spec{issuer: &ca}).cert.Raw, Expect{}); err != nil {
		t.Errorf("a server of the imported authority: %v", err)
	}
}

// The subject of a stranger's certificate is no path.
func TestFileNames(t *testing.T) {
	for _, name := range []string{"../../../own/private/collector", "a/b", `a\b`, "\x00", "", ".", "печь", strings.Repeat("x", 300), " a "} {
		c := makeCert(t, spec{name: "x"})
		c.cert.Subject.CommonName = name
		got := fileName(c.cert)
		if filepath.Base(got) != got || len(got) > 120 || got[0] == '.' || strings.ContainsAny(got, "\\\x00:") || !strings.HasSuffix(got, "["+describe(c.cert).SHA1+"].der") {
			t.Errorf("%q gives %q", name, got)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := Open(""); err == nil {
		t.Error("no folder")
	}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil {
		t.Error("a file")
	}
	s := newStore(t)
	if err := os.RemoveAll(s.certs(Trusted)); err != nil {
		t.Fatal(err)
	}
	var refused *CheckError
	if err := s.Check(makeCert(t, spec{}).cert.Raw, Expect{}); err == nil || errors.As(err, &refused) {
		t.Errorf("a store that cannot be read is a fault of ours: %v", err)
	}
}

// A certificate that cannot be kept is refused all the same, and the fault is told.
func TestRejectedFolderMissing(t *testing.T) {
	s := newStore(t)
	if err := os.RemoveAll(s.certs(Rejected)); err != nil {
		t.Fatal(err)
	}
	err := s.Check(makeCert(t, spec{}).cert.Raw, Expect{})
	if !errors.Is(err, ErrNotTrusted) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
