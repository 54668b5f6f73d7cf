package main

import (
	"fmt"
	"os"
	"time"

	"kvarts/collector/config"
	"kvarts/collector/pki"
	"kvarts/collector/uasession"
)

// serverFlags say how browse and probe reach a server: by its endpoint, or as the configuration does.
type serverFlags struct {
	Server       string        `arg:"" help:"Endpoint (opc.tcp://host:port), or the name of a server in --config."`
	Config       string        `help:"Configuration that names the server." short:"c" type:"existingfile"`
	Policy       string        `help:"Security policy: ${enum}." enum:"auto,None,Basic256Sha256,Aes128Sha256RsaOaep,Aes256Sha256RsaPss" default:"auto"`
	Mode         string        `help:"Message security mode: ${enum}." enum:"auto,None,Sign,SignAndEncrypt" default:"auto"`
	User         string        `help:"User name; anonymous without."`
	PasswordFile string        `help:"File with the password." type:"existingfile"`
	PasswordEnv  string        `help:"Environment variable with the password." default:"KVARTS_PASSWORD"`
	Pin          string        `help:"The only certificate that is accepted: sha256:…, sha1:… or a file."`
	PKI          string        `help:"Folder of own and trusted certificates." name:"pki" default:"pki" type:"path"`
	Timeout      time.Duration `help:"Longest wait for one answer." default:"10s"`
}

// session is the connection's configuration.
func (f *serverFlags) session() (uasession.ServerConfig, error) {
	if f.Config != "" {
		return f.fromConfig()
	}
	store, err := pki.Open(f.PKI)
	if err != nil {
		return uasession.ServerConfig{}, err
	}
	info, made, err := store.Ensure(pki.Options{Name: "command-line"}, pki.DefaultRenewBefore)
	if err != nil {
		return uasession.ServerConfig{}, err
	}
	if made {
		fmt.Fprintf(os.Stderr, "made an own certificate in %s (SHA-1 %s)\n", f.PKI, info.SHA1)
	}
	auth := config.Auth{User: f.User}
	if f.User != "" {
		if auth.PasswordFile = f.PasswordFile; auth.PasswordFile == "" {
			auth.PasswordEnv = f.PasswordEnv
		}
	}
	password, err := auth.Secret()
	if err != nil {
		return uasession.ServerConfig{}, err
	}
	return uasession.ServerConfig{Name: f.Server, Endpoint: f.Server, Policy: uasession.Policy(f.Policy), Mode: uasession.Mode(f.Mode),
		Certificates: store.Peer(f.Pin), User: f.User, Password: password, Timing: uasession.Timing{Request: f.Timeout, Dial: f.Timeout}}, nil
}

func (f *serverFlags) fromConfig() (uasession.ServerConfig, error) {
	cfg, err := config.Load(f.Config)
	if err != nil {
		return uasession.ServerConfig{}, err
	}
	for _, s := range cfg.Servers {
		if s.Name != f.Server && s.Endpoint != f.Server {
			continue
		}
		store, err := pki.Open(cfg.PKI.Dir)
		if err != nil {
			return uasession.ServerConfig{}, err
		}
		if _, _, err := store.Ensure(pkiOptions(cfg), cfg.PKI.RenewBefore); err != nil {
			return uasession.ServerConfig{}, err
		}
		password, err := s.Auth.Secret()
		if err != nil {
			return uasession.ServerConfig{}, err
		}
		return uasession.ServerConfig{Name: s.Name, Endpoint: s.Endpoint, Policy: uasession.Policy(s.Security.Policy), Mode: uasession.Mode(s.Security.Mode),
			Certificates: store.Peer(s.ServerCertificate), User: s.Auth.User, Password: password, AllowPlaintextPassword: s.Auth.AllowPlaintextPassword,
			Timing: uasession.Timing{Request: s.RequestTimeout, Dial: s.RequestTimeout}}, nil
	}
	return uasession.ServerConfig{}, fmt.Errorf("%s has no server %q", f.Config, f.Server)
}
