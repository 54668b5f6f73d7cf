package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
)

// Report is what `collector check` prints. Plain data, also as JSON.
type Report struct {
	File     string    `json:"file"`
	OK       bool      `json:"ok"` // no errors
	Errors   []Problem `json:"errors,omitempty"`
	Warnings []Problem `json:"warnings,omitempty"`
	Summary  *Summary  `json:"summary,omitempty"` // nil when there are errors in the file itself
}

// Summary counts what a configuration collects.
type Summary struct {
	Servers      int     `json:"servers"`
	Groups       int     `json:"groups"`
	Nodes        int     `json:"nodes"`
	Fields       int     `json:"fields"`
	Destinations int     `json:"destinations"`
	MaxRate      float64 `json:"max_values_per_second"` // if every value changed at every sampling; nodes sampled at `fastest` not counted
	Hash         string  `json:"hash"`
}

// Check loads the file and looks at the files that it names, without connecting to anything. The Config is nil when it
// cannot be used. A file that cannot be read is reported as an error of the Report.
func Check(path string) (Report, *Config) {
	r := Report{File: path}
	c, err := Load(path)
	var list Errors
	switch {
	case errors.As(err, &list):
		r.Errors = list
		return r, nil
	case err != nil:
		r.Errors = Errors{{File: path, Message: err.Error(), Remedy: "check the path and the rights of the file"}}
		return r, nil
	}
	r.Warnings, r.Errors = c.Warnings, CheckFiles(c)
	r.OK = len(r.Errors) == 0
	s := Summarize(c)
	r.Summary = &s
	return r, c
}

// Summarize counts.
func Summarize(c *Config) Summary {
	s := Summary{Servers: len(c.Servers), Destinations: len(c.Destinations), Hash: c.Hash()}
	for _, server := range c.Servers {
		s.Groups += len(server.Groups)
		for _, g := range server.Groups {
			s.Nodes += len(g.Nodes)
			for i := range g.Nodes {
				fields := len(g.Nodes[i].Fields())
				s.Fields += fields
				if every := g.Nodes[i].Sampling; every > 0 {
					s.MaxRate += float64(fields) / every.Seconds()
				}
			}
		}
	}
	return s
}

// CheckFiles reads the secrets and certificates that the configuration names, as the user who runs it, and reports what
// cannot be used. The problems have the position of the server or destination.
func CheckFiles(c *Config) Errors {
	var errs Errors
	report := func(at Position, key, value string, err error, remedy string) {
		if err != nil {
			errs = append(errs, Problem{File: c.File, Line: at.Line, Column: at.Column, Key: key, Value: value, Message: err.Error(), Remedy: remedy})
		}
	}
	for i, s := range c.Servers {
		key := fmt.Sprintf("servers[%d]", i)
		_, err := s.Auth.Secret()
		report(s.At, key+".auth", "", err, "run the check as the collector's user, or fix the file")
		if file, isFile := s.PinFile(); isFile {
			report(s.At, key+".server_certificate", file, checkCertificates(file), "write sha256:THUMBPRINT, or a certificate file (DER or PEM)")
		}
	}
	for i, d := range c.Destinations {
		key := fmt.Sprintf("destinations[%d]", i)
		_, err := d.Secret()
		report(d.At, key, "", err, "run the check as the collector's user, or fix the file")
		if d.CAFile != "" {
			report(d.At, key+".ca_file", d.CAFile, checkCertificates(d.CAFile), "write a file with PEM certificates")
		}
	}
	return errs.Arrange()
}

// PinFile tells whether ServerCertificate names a file, and which.
func (s *Server) PinFile() (string, bool) {
	for _, prefix := range []string{"sha256:", "sha1:"} {
		if len(s.ServerCertificate) >= len(prefix) && s.ServerCertificate[:len(prefix)] == prefix {
			return "", false
		}
	}
	return s.ServerCertificate, s.ServerCertificate != ""
}

// maxCertificateBytes bounds a file of certificates; a system's whole list has 250 KiB.
const maxCertificateBytes = 4 << 20

// checkCertificates reports a file that holds no certificate, in PEM or DER.
func checkCertificates(name string) (err error) {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err := io.ReadAll(io.LimitReader(f, maxCertificateBytes))
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	if block, _ := pem.Decode(data); block != nil {
		data = block.Bytes
	}
	if _, err := x509.ParseCertificates(data); err != nil || len(data) == 0 {
		return errors.New("the file holds no certificate")
	}
	return nil
}
