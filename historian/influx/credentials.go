package influx

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
)

// hidden keeps a secret where fmt, which prints unexported fields without asking their methods, cannot reach it.
type hidden func() string

func hide(s string) hidden { return func() string { return s } }

// show is the secret, "" for none.
func (h hidden) show() string {
	if h == nil {
		return ""
	}
	return h()
}

// credentials make the Authorization header and know what must never be shown. Safe for concurrent use.
type credentials struct {
	read func() (string, error) // gives the token; nil for a fixed header

	mu      sync.Mutex
	header  hidden   // Authorization header, nil = none or not read yet
	loaded  bool     // header is valid
	tokens  []hidden // the last ones used, youngest last; redact removes them
	secrets []hidden // what else redact removes: passwords
}

const (
	keptTokens     = 8 // old tokens are still removed from messages: a rotation overlaps at most a few requests
	shortestSecret = 4
)

func newCredentials(o *Options) *credentials {
	c := &credentials{}
	switch {
	case o.TokenFunc != nil:
		c.read = o.TokenFunc
	case o.TokenFile != "":
		path := o.TokenFile
		c.read = func() (string, error) { return readToken(path) }
	case o.Token != "":
		token := hide(o.Token)
		c.read = func() (string, error) { return token.show(), nil }
	case o.Username != "":
		basic := base64.StdEncoding.EncodeToString([]byte(o.Username + ":" + o.Password))
		c.header, c.loaded = hide("Basic "+basic), true
		c.forget(basic)
		c.forget(o.Password)
	default:
		c.loaded = true
	}
	return c
}

func readToken(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	return string(b), nil
}

// anonymous says that requests carry no credentials.
func (c *credentials) anonymous() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read == nil && c.header == nil
}

// authorization returns the header to send, "" for none.
func (c *credentials) authorization() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loaded {
		return c.header.show(), nil
	}
	return c.load()
}

// renew is called after the server refused the header used: it reads the token again and says whether there is another
// one to try.
func (c *credentials) renew(used string) (header string, changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.header.show(); c.loaded && h != used {
		return h, true, nil // another call was faster
	}
	if c.read == nil {
		return used, false, nil
	}
	header, err = c.load()
	return header, err == nil && header != used, err
}

func (c *credentials) load() (string, error) {
	token, err := c.read()
	if err != nil {
		return "", err
	}
	token = strings.TrimSpace(token)
	if token == "" {
		return "", errors.New("the token is empty")
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] >= 0x7f {
			return "", errors.New("the token holds a character that no token has (space, control or not ASCII)")
		}
	}
	c.header, c.loaded = hide("Token "+token), true
	if n := len(c.tokens); n == 0 || c.tokens[n-1].show() != token {
		c.tokens = append(c.tokens, hide(token))
	}
	if len(c.tokens) > keptTokens {
		c.tokens = c.tokens[1:]
	}
	return c.header.show(), nil
}

// forget makes redact remove a secret.
func (c *credentials) forget(secret string) {
	c.secrets = append(c.secrets, hide(secret))
}

// redact removes every secret from a text that came from outside: servers and proxies like to repeat headers. Secrets
// shorter than any real one stay: they would take letters out of plain words.
func (c *credentials) redact(s string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, list := range [][]hidden{c.tokens, c.secrets} {
		for _, secret := range list {
			if text := secret.show(); len(text) >= shortestSecret {
				s = strings.ReplaceAll(s, text, "***")
			}
		}
	}
	return s
}
