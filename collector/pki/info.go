package pki

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1" // not for security: OPC UA names certificates by it
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Info is what people want to know of a certificate. Plain data, also as JSON.
type Info struct {
	Subject         string    `json:"subject"`
	Issuer          string    `json:"issuer"`
	SHA1            string    `json:"sha1"`   // 40 capital hexadecimal digits, as OPC UA tools show it
	SHA256          string    `json:"sha256"` // 64 small hexadecimal digits
	ApplicationURIs []string  `json:"application_uris,omitempty"`
	Hosts           []string  `json:"hosts,omitempty"` // DNS names and IP addresses
	NotBefore       time.Time `json:"not_before"`
	NotAfter        time.Time `json:"not_after"`
	KeyBits         int       `json:"key_bits"` // 0 when the key is not RSA
	Signature       string    `json:"signature"`
	SelfSigned      bool      `json:"self_signed"`
	CA              bool      `json:"ca"`
}

// Describe reads the fields of a certificate, DER, perhaps followed by its chain.
func Describe(der []byte) (Info, error) {
	chain, err := parseChain(der)
	if err != nil {
		return Info{}, err
	}
	return describe(chain[0]), nil
}

func describe(c *x509.Certificate) Info {
	sum1, sum256 := sha1.Sum(c.Raw), sha256.Sum256(c.Raw)
	info := Info{
		Subject: c.Subject.String(), Issuer: c.Issuer.String(),
		SHA1: strings.ToUpper(hex.EncodeToString(sum1[:])), SHA256: hex.EncodeToString(sum256[:]),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, Signature: c.SignatureAlgorithm.String(),
		SelfSigned: bytes.Equal(c.RawIssuer, c.RawSubject), CA: c.IsCA,
	}
	for _, u := range c.URIs {
		info.ApplicationURIs = append(info.ApplicationURIs, u.String())
	}
	info.Hosts = append(info.Hosts, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		info.Hosts = append(info.Hosts, ip.String())
	}
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok {
		info.KeyBits = key.N.BitLen()
	}
	return info
}

// maxChain and maxChainBytes bound what a server may send before it is trusted.
const (
	maxChain      = 10
	maxChainBytes = 64 << 10
)

// parseChain reads a leaf certificate and, as far as it can be read, the chain behind it. Only the leaf has to be
// good: some servers append what is not a certificate.
func parseChain(der []byte) ([]*x509.Certificate, error) {
	if len(der) == 0 {
		return nil, errors.New("there is no certificate")
	}
	if len(der) > maxChainBytes {
		return nil, fmt.Errorf("it has %d bytes, more than %d KiB", len(der), maxChainBytes>>10)
	}
	var chain []*x509.Certificate
	for len(der) > 0 && len(chain) < maxChain {
		var raw asn1.RawValue
		rest, err := asn1.Unmarshal(der, &raw)
		var c *x509.Certificate
		if err == nil {
			c, err = x509.ParseCertificate(raw.FullBytes)
		}
		if err != nil && len(chain) == 0 {
			return nil, err
		}
		if err != nil {
			break
		}
		chain, der = append(chain, c), rest
	}
	return chain, nil
}

// matches reports whether digits (from cleanThumbprint) begin one of the thumbprints.
func (i Info) matches(digits string) bool {
	return strings.HasPrefix(strings.ToLower(i.SHA1), digits) || strings.HasPrefix(i.SHA256, digits)
}

// minThumbprint is the shortest prefix that may name a certificate.
const minThumbprint = 4

// cleanThumbprint removes what tools put around the digits: "sha256:", colons, spaces.
func cleanThumbprint(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	s = strings.TrimPrefix(strings.TrimPrefix(s, "sha256:"), "sha1:")
	s = strings.NewReplacer(":", "", " ", "").Replace(s)
	if strings.Trim(s, "0123456789abcdef") != "" || len(s) < minThumbprint || len(s) > 64 {
		return "", fmt.Errorf("%q is not a thumbprint: at least the first %d hexadecimal digits of it are needed", s, minThumbprint)
	}
	return s, nil
}
