package pki

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
)

// newKey makes an RSA key; bits 0 is the default.
func newKey(bits int) (*rsa.PrivateKey, error) {
	if bits == 0 {
		bits = DefaultKeyBits
	}
	if bits < minKeyBits || bits > maxKeyBits {
		return nil, fmt.Errorf("make own key: %d bits; the security policies allow %d to %d", bits, minKeyBits, maxKeyBits)
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("make own key: %w", err)
	}
	return key, nil
}

// parseKey reads an RSA key from PEM: PKCS#8 ("PRIVATE KEY") or PKCS#1 ("RSA PRIVATE KEY").
func parseKey(data []byte) (*rsa.PrivateKey, error) {
	for rest := data; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return nil, errors.New("it holds no PEM block PRIVATE KEY or RSA PRIVATE KEY")
		}
		var key any
		var err error
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return nil, errors.New("it is encrypted; decrypt it with openssl and protect the file by its mode")
		case block.Type == "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case block.Type == "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		k, ok := key.(*rsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("it is a %T; OPC UA's RSA policies need an RSA key", key)
		}
		if k.N.BitLen() < minKeyBits {
			return nil, fmt.Errorf("it has %d bits; at least %d are needed", k.N.BitLen(), minKeyBits)
		}
		return k, nil
	}
}

// pemBlock returns the DER of the first block of that type, or nil.
func pemBlock(data []byte, blockType string) []byte {
	for rest := data; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		switch {
		case block == nil:
			return nil
		case block.Type == blockType:
			return block.Bytes
		}
	}
}

// openToOthers reports rights of group or others. Windows keeps rights elsewhere and shows 0666 for everything.
func openToOthers(mode fs.FileMode) bool { return runtime.GOOS != "windows" && mode&0o077 != 0 }
