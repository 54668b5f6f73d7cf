package influx

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
)

// credentials make the Authorization header and know what must never be shown. Safe for concurrent use.
type credentials struct {
	read func() (string, error) // gives the token; nil for a fixed header

	mu      sync.Mutex
	header  string   // Authorization header, "" = none or not read yet
	loaded  bool     // header is valid
	secrets []string // what redact removes: the current token and those before it, the password
}

// keptSecrets is how many old tokens are still removed from messages: a rotation overlaps at most a few requests.
const keptSecrets = 8

func newCredentials(o *Options) *credentials {
	c := &credentials{}
	switch {
	case o.TokenFunc != nil:
		c.read = o.TokenFunc
	case o.TokenFile != "":
		path := o.TokenFile
		c.read = func() (string, error) { return readToken(path) }
	case o.Token != "":
		token := o.Token
		c.read = func() (string, error) { return token, nil }
	case o.Username != "":
		basic := base64.StdEncoding.EncodeToString([]byte(o.Username + ":" + o.Password))
		c.header, c.loaded = "Basic "+basic, true
		c.secrets = []string{basic}
		if o.Password != "" {
			c.secrets = append(c.secrets, o.Password)
		}
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
	return c.read == nil && c.header == ""
}

// authorization returns the header to send, "" for none.
func (c *credentials) authorization() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loaded {
		return c.header, nil
	}
	return c.load()
}

// renew is called after the server refused the header used: it reads the token again and says whether there is another
// one to try.
func (c *credentials) renew(used string) (header string, changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loaded && c.header != used {
		return c.header, true, nil // another call was faster
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
	c.header, c.loaded = "Token "+token, true
	if n := len(c.secrets); n == 0 || c.secrets[n-1] != token {
		c.secrets = append(c.secrets, token)
	}
	if len(c.secrets) > keptSecrets {
		c.secrets = c.secrets[1:]
	}
	return c.header, nil
}

// hide adds a secret that redact removes.
func (c *credentials) hide(secret string) {
	if secret == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets = append([]string{secret}, c.secrets...)
}

// redact removes every secret from a text that came from outside: servers and proxies like to repeat headers.
func (c *credentials) redact(s string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, secret := range c.secrets {
		s = strings.ReplaceAll(s, secret, "***")
	}
	return s
}
