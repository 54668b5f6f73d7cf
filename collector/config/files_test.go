package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretFiles(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		want       string
		fault      string // part of the error
	}{
		{"plain", "hunter2", 0o600, "hunter2", ""},
		{"line feed", "hunter2\n", 0o600, "hunter2", ""},
		{"Windows", "hunter2\r\n", 0o600, "hunter2", ""},
		{"spaces belong to it", " hunter 2 ", 0o600, " hunter 2 ", ""},
		{"read by a group", "hunter2", 0o640, "hunter2", ""},
		{"read by all", "hunter2", 0o644, "", "chmod o="},
		{"written by all", "hunter2", 0o602, "", "chmod o="},
		{"empty", "\n\n", 0o600, "", "empty"},
		{"two lines", "hunter2\nhunter3", 0o600, "", "more than one line"},
		{"binary", "hunter2\x00", 0o600, "", "more than one line of text"},
		{"endless", strings.Repeat("hunter2", 20_000), 0o600, "", "longer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, tt.mode); err != nil {
				t.Fatal(err)
			}
			got, err := Auth{User: "u", PasswordFile: file}.Secret()
			token, errToken := Destination{SecretFile: file}.Secret()
			if got != tt.want || token != tt.want || (err == nil) != (tt.fault == "") || (errToken == nil) != (tt.fault == "") {
				t.Errorf("%q, %v, %q, %v", got, err, token, errToken)
			}
			if tt.fault != "" && (!strings.Contains(err.Error(), tt.fault) || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "hunter")) {
				t.Errorf("error: %v", err)
			}
		})
	}
	if _, err := (Auth{PasswordFile: t.TempDir()}).Secret(); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := (Auth{PasswordFile: filepath.Join(t.TempDir(), "none")}).Secret(); err == nil {
		t.Error("no file")
	}
}

func TestSecretEnvironment(t *testing.T) {
	t.Setenv("KVARTS_TEST_SECRET", "hunter2")
	t.Setenv("KVARTS_TEST_EMPTY", "")
	if s, err := (Auth{PasswordEnv: "KVARTS_TEST_SECRET"}).Secret(); s != "hunter2" || err != nil {
		t.Errorf("%q %v", s, err)
	}
	for _, name := range []string{"KVARTS_TEST_EMPTY", "KVARTS_TEST_NONE"} {
		_, err := Destination{User: "u", SecretEnv: name}.Secret()
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "password") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err = (Destination{SecretEnv: name}).Secret(); err == nil || !strings.Contains(err.Error(), "token") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, err := (Auth{}).Secret(); s != "" || err != nil {
		t.Errorf("anonymous: %q %v", s, err)
	}
	if s, err := (Destination{}).Secret(); s != "" || err != nil {
		t.Errorf("no login: %q %v", s, err)
	}
}

func testCertificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Check finds what a configuration names and cannot be used, at the server or destination that names it.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), data, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("good.der", testCertificate(t), 0o644)
	write("good.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: testCertificate(t)}), 0o644)
	write("bad.pem", []byte("garbage"), 0o644)
	write("empty.pem", nil, 0o644)
	write("good.secret", []byte("x"), 0o600)
	write("c.yaml", []byte(`collector: gw
servers:
- {name: a, endpoint: 'opc.tcp://a', server_certificate: good.der, auth: {user: u, password_file: good.secret}, groups: &g [{name: g, nodes: [{id: i=1, field: f, measurement: x}]}]}
- {name: b, endpoint: 'opc.tcp://b', server_certificate: bad.pem, auth: {user: u, password_file: none.secret}, tags: {unit: B}, groups: *g}
- {name: c, endpoint: 'opc.tcp://c', server_certificate: 'sha1:0000000000000000000000000000000000000000', tags: {unit: C}, groups: *g}
- {name: d, endpoint: 'opc.tcp://d', server_certificate: none.pem, tags: {unit: D}, groups: *g}
destinations:
- {name: s, url: 'https://s', database: d, ca_file: good.pem, token_env: KVARTS_TEST_NONE}
- {name: z, url: 'https://s', database: d, ca_file: empty.pem}
`), 0o644)
	r, c := Check(filepath.Join(dir, "c.yaml"))
	if c == nil || r.OK || r.Summary == nil || r.Summary.Nodes != 4 || len(r.Warnings) != 1 {
		t.Fatalf("%+v", r)
	}
	var got []string
	for _, p := range r.Errors {
		got = append(got, p.Key)
		if p.Line == 0 || p.Remedy == "" || p.Message == "" {
			t.Errorf("%+v", p)
		}
	}
	const want = "servers[1].auth servers[1].server_certificate servers[3].server_certificate destinations[0] destinations[1].ca_file"
	if strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s:\n%v", got, want, Errors(r.Errors))
	}
	if data, err := json.Marshal(r); err != nil || !strings.Contains(string(data), `"file":"`) {
		t.Errorf("%s %v", data, err)
	}
	r, c = Check("testdata/keys.bad.yaml")
	if c != nil || r.OK || len(r.Errors) < 5 || r.Summary != nil {
		t.Errorf("%+v", r)
	}
	r, c = Check("../../configs/collector.minimal.yaml")
	if c == nil || !r.OK || len(r.Errors) != 0 {
		t.Errorf("%+v", r)
	}
}
