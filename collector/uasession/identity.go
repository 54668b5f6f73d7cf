package uasession

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gopcua/opcua/ua"
)

// defaultAnonymous is the policy id for servers whose endpoint lists no token at all.
const defaultAnonymous = "anonymous"

// userToken is how the user is told to the server: policy id, and the policy that encrypts the password ("" for none).
type userToken struct {
	policyID   string
	encryption string // policy URI; "" when the password goes as it is, or there is none
	anonymous  bool
}

// selectToken chooses among the tokens of an endpoint. A password goes unencrypted only over a channel that encrypts,
// or when the configuration says so.
func selectToken(cfg *ServerConfig, e *ua.EndpointDescription) (userToken, error) {
	if cfg.User == "" {
		return selectAnonymous(e)
	}
	var (
		best  *userToken
		plain *userToken
	)
	for _, p := range e.UserIdentityTokens {
		if p.TokenType != ua.UserTokenTypeUserName {
			continue
		}
		uri := p.SecurityPolicyURI
		if uri == "" {
			uri = e.SecurityPolicyURI // Part 4 §7.42
		}
		t := &userToken{policyID: p.PolicyID, encryption: uri}
		switch {
		case uri == ua.SecurityPolicyURINone:
			t.encryption = ""
			plain = t
		case strength[uri] > 0 && len(e.ServerCertificate) > 0:
			if best == nil || strength[uri] > strength[best.encryption] {
				best = t
			}
		}
	}
	switch {
	case best != nil:
		return *best, nil
	case plain == nil:
		return userToken{}, fmt.Errorf("log in as %q: the server takes no user and password here, it takes %s", cfg.User, tokenNames(e))
	case e.SecurityMode == ua.MessageSecurityModeSignAndEncrypt || cfg.AllowPlaintextPassword:
		return *plain, nil
	}
	return userToken{}, fmt.Errorf("log in as %q: the password would go over the line unencrypted: "+
		"use a security policy with SignAndEncrypt, or allow it with allow_plaintext_password", cfg.User)
}

func selectAnonymous(e *ua.EndpointDescription) (userToken, error) {
	if len(e.UserIdentityTokens) == 0 {
		return userToken{policyID: defaultAnonymous, anonymous: true}, nil
	}
	for _, p := range e.UserIdentityTokens {
		if p.TokenType == ua.UserTokenTypeAnonymous {
			return userToken{policyID: p.PolicyID, anonymous: true}, nil
		}
	}
	return userToken{}, fmt.Errorf("log in anonymously: the server takes only %s: configure user and password", tokenNames(e))
}

func tokenNames(e *ua.EndpointDescription) string {
	var names []string
	for _, p := range e.UserIdentityTokens {
		name := strings.TrimPrefix(p.TokenType.String(), "UserTokenType")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if names == nil {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// identity builds the token for ActivateSession; the nonce is the server's newest.
func identity(c *channel, cfg *ServerConfig, t userToken, certificate, nonce []byte) (*ua.ExtensionObject, error) {
	if t.anonymous {
		return ua.NewExtensionObject(&ua.AnonymousIdentityToken{PolicyID: t.policyID}), nil
	}
	token := &ua.UserNameIdentityToken{PolicyID: t.policyID, UserName: cfg.User, Password: []byte(cfg.Password)}
	if t.encryption != "" {
		secret, algorithm, err := c.sc.EncryptUserPassword(t.encryption, cfg.Password, certificate, nonce)
		if err != nil {
			return nil, fmt.Errorf("encrypt password: %w", err)
		}
		token.Password, token.EncryptionAlgorithm = secret, algorithm
	}
	return ua.NewExtensionObject(token), nil
}
