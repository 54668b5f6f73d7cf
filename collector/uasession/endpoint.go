package uasession

import (
	"context"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gopcua/opcua/ua"
)

// strength ranks the policies that are spoken; 0 is not spoken. The order is the OPC Foundation's (Part 7 §6.6).
var strength = map[string]int{
	ua.SecurityPolicyURINone:                1,
	ua.SecurityPolicyURIBasic256Sha256:      2,
	ua.SecurityPolicyURIAes128Sha256RsaOaep: 3,
	ua.SecurityPolicyURIAes256Sha256RsaPss:  4,
}

func shortPolicy(uri string) string {
	for name, u := range ua.SecurityPolicyURIs {
		if u == uri {
			return name
		}
	}
	return strings.TrimPrefix(uri, ua.SecurityPolicyURIPrefix)
}

func modeName(m ua.MessageSecurityMode) string {
	switch m {
	case ua.MessageSecurityModeNone:
		return string(ModeNone)
	case ua.MessageSecurityModeSign:
		return string(ModeSign)
	case ua.MessageSecurityModeSignAndEncrypt:
		return string(ModeSignAndEncrypt)
	default:
		return fmt.Sprintf("mode %d", m)
	}
}

// thumbprint is the SHA-1 of the leaf of a certificate, as every OPC UA tool shows it.
func thumbprint(der []byte) string {
	if len(der) == 0 {
		return ""
	}
	sum := sha1.Sum(leaf(der))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// leaf cuts the chain off a certificate (Part 6 §6.2.6: leaf first). What does not parse is returned as it is.
func leaf(der []byte) []byte {
	certs, err := x509.ParseCertificates(der)
	if err != nil || len(certs) == 0 {
		return der
	}
	return slices.Clip(certs[0].Raw)
}

// offers lists endpoints for an error message: "None, Basic256Sha256/Sign".
func offers(endpoints []*ua.EndpointDescription) string {
	var all []string
	for _, e := range endpoints {
		text := shortPolicy(e.SecurityPolicyURI)
		if e.SecurityMode != ua.MessageSecurityModeNone {
			text += "/" + modeName(e.SecurityMode)
		}
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if all == nil {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

// discover asks the server for its endpoints over an unprotected channel, as the standard has it (Part 4 §5.5.4).
// Nothing secret is sent, and what it says is checked again once the channel is protected.
func discover(ctx context.Context, t target, timing Timing, limits Limits) ([]*ua.EndpointDescription, error) {
	c, err := openChannel(ctx, t, noSecurity(), timing, limits)
	if err != nil {
		return nil, fmt.Errorf("discover: %w", err)
	}
	defer c.farewell(timing.Request)
	resp, err := call[*ua.GetEndpointsResponse](ctx, c, &ua.GetEndpointsRequest{EndpointURL: t.url}, timing.Dial)
	if err != nil {
		return nil, fmt.Errorf("discover %s: %w", t.address, err)
	}
	var binary []*ua.EndpointDescription
	for _, e := range resp.Endpoints {
		if strings.HasPrefix(e.EndpointURL, "opc.tcp:") || e.EndpointURL == "" {
			binary = append(binary, e)
		}
	}
	return binary, nil
}

// selectEndpoint takes the strongest endpoint that the configuration allows. A configured policy or mode is never
// weakened: not offered is an error.
func selectEndpoint(endpoints []*ua.EndpointDescription, policy Policy, mode Mode, haveKey bool) (*ua.EndpointDescription, error) {
	if (policy == PolicyNone && mode != ModeAuto && mode != ModeNone) || (mode == ModeNone && policy != PolicyAuto && policy != PolicyNone) {
		return nil, fmt.Errorf("select endpoint: policy %s does not go with mode %s", policy, mode)
	}
	var best *ua.EndpointDescription
	for _, e := range endpoints {
		if !acceptable(e, policy, mode, haveKey) || (e.SecurityMode != ua.MessageSecurityModeNone && len(e.ServerCertificate) == 0) {
			continue
		}
		if best == nil || rank(e) > rank(best) {
			best = e
		}
	}
	if best == nil {
		hint := ""
		if !haveKey {
			hint = "; without an own certificate only None can be used"
		}
		return nil, fmt.Errorf("select endpoint: the server offers %s, configured is policy %s, mode %s%s", offers(endpoints), policy, mode, hint)
	}
	return best, nil
}

func acceptable(e *ua.EndpointDescription, policy Policy, mode Mode, haveKey bool) bool {
	none := e.SecurityPolicyURI == ua.SecurityPolicyURINone
	switch {
	case strength[e.SecurityPolicyURI] == 0,
		none != (e.SecurityMode == ua.MessageSecurityModeNone),
		e.SecurityMode == ua.MessageSecurityModeInvalid || e.SecurityMode > ua.MessageSecurityModeSignAndEncrypt,
		!none && !haveKey,
		policy != PolicyAuto && ua.SecurityPolicyURIs[string(policy)] != e.SecurityPolicyURI,
		mode != ModeAuto && string(mode) != modeName(e.SecurityMode):
		return false
	}
	return true
}

// rank orders endpoints: encrypting before signing, then the stronger policy.
func rank(e *ua.EndpointDescription) int {
	return int(e.SecurityMode)*10 + strength[e.SecurityPolicyURI]
}

var errNoCertificates = errors.New("no own certificate is configured")

// secure makes the security of a channel to e. It is here that the server's certificate is judged: before any secret
// goes to the server. The certificate is checked under policy None too when a password will be encrypted with it.
func secure(cfg *ServerConfig, t target, e *ua.EndpointDescription, encryptsPassword bool) (security, error) {
	s := security{policy: e.SecurityPolicyURI, mode: e.SecurityMode, remote: leaf(e.ServerCertificate)}
	if s.none() && !encryptsPassword {
		s.remote = nil
		return s, nil
	}
	if cfg.Certificates == nil {
		return s, fmt.Errorf("connect to %s with %s: %w", t.address, shortPolicy(s.policy), errNoCertificates)
	}
	cert, err := x509.ParseCertificate(s.remote)
	if err != nil {
		return s, fmt.Errorf("read certificate of %s: %w", t.address, err)
	}
	if _, ok := cert.PublicKey.(*rsa.PublicKey); !ok {
		return s, fmt.Errorf("certificate of %s (%s) has a %s key, want RSA", t.address, thumbprint(s.remote), cert.PublicKeyAlgorithm)
	}
	uri := ""
	if e.Server != nil {
		uri = e.Server.ApplicationURI
	}
	if err := cfg.Certificates.CheckServerCertificate(e.ServerCertificate, t.host, uri); err != nil {
		return s, fmt.Errorf("certificate of %s: %w", t.address, err)
	}
	if s.none() {
		return s, nil
	}
	own, key, _, err := cfg.Certificates.Own()
	if err != nil {
		return s, fmt.Errorf("load own certificate: %w", err)
	}
	s.own, s.key = slices.Clip(own), key
	return s, nil
}

// verifyEndpoints compares the list of the protected session with the unprotected one that chosen comes from: somebody
// on the line could have taken the better offers out (Part 4 §5.7.2.1). The session's list need not hold certificates.
func verifyEndpoints(cfg *ServerConfig, chosen *ua.EndpointDescription, session []*ua.EndpointDescription, haveKey bool) error {
	if chosen.SecurityMode == ua.MessageSecurityModeNone {
		return nil // an unprotected list proves nothing
	}
	for _, e := range session {
		if acceptable(e, cfg.Policy, cfg.Mode, haveKey) && rank(e) > rank(chosen) {
			return fmt.Errorf("verify endpoints: discovery offered at best %s/%s, the session says %s/%s: somebody on the line weakens the connection",
				shortPolicy(chosen.SecurityPolicyURI), modeName(chosen.SecurityMode), shortPolicy(e.SecurityPolicyURI), modeName(e.SecurityMode))
		}
	}
	return nil
}
