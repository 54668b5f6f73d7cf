package main

import (
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/rs/zerolog"

	"kvarts/collector/config"
	"kvarts/collector/pki"
)

// certificate is the collector's own, as the running collector shows it.
type certificate struct{ store *pki.Store }

// until says how long the own certificate is valid, zero when it cannot be read.
func (c certificate) until() time.Time {
	info, err := c.store.OwnInfo()
	if err != nil {
		return time.Time{}
	}
	return info.NotAfter
}

// ownCertificate makes or renews the own certificate when that is due.
func ownCertificate(cfg *config.Config, log zerolog.Logger) (certificate, error) {
	store, err := pki.Open(cfg.PKI.Dir)
	if err != nil {
		return certificate{}, err
	}
	info, changed, err := store.Ensure(pkiOptions(cfg), cfg.PKI.RenewBefore)
	if err != nil {
		return certificate{}, err
	}
	if changed {
		log.Warn().Str("sha1", info.SHA1).Time("until", info.NotAfter).Str("folder", store.Dir()).
			Msg("a new own certificate was made: servers that check must be told to trust it")
	}
	return certificate{store}, nil
}

func pkiOptions(cfg *config.Config) pki.Options {
	return pki.Options{Name: cfg.Collector, ApplicationURI: cfg.PKI.ApplicationURI, Hostnames: cfg.PKI.Hostnames, KeyBits: cfg.PKI.KeyBits, Validity: cfg.PKI.Validity}
}

type pkiCmd struct {
	Init   pkiInitCmd   `cmd:"" help:"Make the own certificate; --renew replaces it."`
	List   pkiListCmd   `cmd:"" help:"List own, trusted and rejected certificates."`
	Trust  pkiTrustCmd  `cmd:"" help:"Trust a certificate that a server showed, or one in a file."`
	Reject pkiRejectCmd `cmd:"" help:"Take trust away."`
}

type pkiInitCmd struct {
	configFlag
	Renew  bool `help:"Make a new certificate in place of the present one, for the same key."`
	NewKey bool `help:"With --renew: make a new key too."`
	JSON   bool `help:"Print the certificate's data as JSON."`
}

func (c *pkiInitCmd) Run() error {
	cfg, _, err := c.load()
	if err != nil {
		return err
	}
	store, err := pki.Open(cfg.PKI.Dir)
	if err != nil {
		return err
	}
	o := pkiOptions(cfg)
	o.NewKey = c.NewKey
	var info pki.Info
	if c.Renew {
		info, err = store.Renew(o)
	} else {
		info, err = store.Init(o)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(info)
	}
	fmt.Printf("own certificate  %s\n  SHA-1          %s\n  application    %v\n  valid until    %s\n\nServers that check certificates must be told to trust it:\nimport own/certs/collector.der from %s there, or accept it at the first connection.\n",
		info.Subject, info.SHA1, info.ApplicationURIs, info.NotAfter.Format(time.DateOnly), store.Dir())
	return nil
}

type pkiListCmd struct {
	configFlag
	JSON bool `help:"Print as JSON."`
}

func (c *pkiListCmd) Run() error {
	store, err := c.open()
	if err != nil {
		return err
	}
	all, err := store.List()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(all)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHERE\tSHA-1\tSUBJECT\tUNTIL\tHOSTS")
	for _, e := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%v\n", e.Where, e.Info.SHA1, e.Info.Subject, e.Info.NotAfter.Format(time.DateOnly), e.Info.Hosts)
	}
	return w.Flush()
}

// open opens the certificate store that the configuration names.
func (f configFlag) open() (*pki.Store, error) {
	cfg, _, err := f.load()
	if err != nil {
		return nil, err
	}
	return pki.Open(cfg.PKI.Dir)
}

type pkiTrustCmd struct {
	configFlag
	What string `arg:"" help:"Thumbprint (SHA-1 or SHA-256, or how it begins) of a rejected certificate, or a certificate file."`
}

func (c *pkiTrustCmd) Run() error {
	store, err := c.open()
	if err != nil {
		return err
	}
	var e pki.Entry
	if _, serr := os.Stat(c.What); serr == nil {
		e, err = store.Import(c.What, pki.Trusted)
	} else {
		e, err = store.Trust(c.What)
	}
	if err != nil {
		return err
	}
	fmt.Printf("trusted: %s, SHA-1 %s\n", e.Info.Subject, e.Info.SHA1)
	return nil
}

type pkiRejectCmd struct {
	configFlag
	Thumbprint string `arg:"" help:"SHA-1 or SHA-256 of a trusted certificate, or how it begins."`
}

func (c *pkiRejectCmd) Run() error {
	store, err := c.open()
	if err != nil {
		return err
	}
	e, err := store.Reject(c.Thumbprint)
	if err != nil {
		return err
	}
	fmt.Printf("no longer trusted: %s, SHA-1 %s\n", e.Info.Subject, e.Info.SHA1)
	return nil
}
