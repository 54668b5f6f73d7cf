package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
)

// String gives the whole configuration as indented JSON. It holds no secret; a user name or password that code put into
// a URL is replaced by "redacted" (Parse refuses it).
func (c *Config) String() string {
	out, err := json.MarshalIndent(c.redacted(), "", "  ")
	if err != nil {
		return fmt.Sprintf("configuration cannot be shown: %v", err)
	}
	return string(out)
}

// MarshalJSON gives the same as String, without indentation.
func (c *Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.redacted()) }

// Hash identifies what the configuration means: 64 hexadecimal digits. Comments, order of keys, position, file name and
// the contents of secret files do not enter.
func (c *Config) Hash() string {
	data, err := json.Marshal((*plainConfig)(c))
	if err != nil {
		// Only NaN or Inf could do this; Parse lets none through, so this is a Config made by code.
		data = fmt.Appendf(nil, "%#v", c)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// plainConfig is Config without its methods, so that encoding/json does not call them.
type plainConfig Config

func (c *Config) redacted() *plainConfig {
	out := plainConfig(*c)
	out.Servers = append([]Server(nil), c.Servers...)
	for i := range out.Servers {
		out.Servers[i].Endpoint = redactURL(out.Servers[i].Endpoint)
	}
	out.Destinations = append([]Destination(nil), c.Destinations...)
	for i := range out.Destinations {
		d := &out.Destinations[i]
		d.URL, d.Proxy = redactURL(d.URL), redactURL(d.Proxy)
	}
	return &out
}

func redactURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "redacted"
	case u.User == nil && u.RawQuery == "":
		return s
	}
	if u.User != nil {
		u.User = url.User("redacted")
	}
	if u.RawQuery != "" {
		u.RawQuery = "redacted"
	}
	return u.String()
}
