package uasession

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gopcua/opcua/ua"
)

const (
	applicationName = "Kvarts collector"
	productURI      = "urn:kvarts:collector"
	nonceBytes      = 32 // Part 4 §5.7.2: at least
)

// session is what survives a lost channel: with it another channel may take the server's session over.
type session struct {
	id          string
	token       *ua.NodeID
	nonce       []byte // the server's newest
	certificate []byte // the server's, leaf; signs and encrypts nothing when nil
	timeout     time.Duration
	user        userToken
	endpoint    *ua.EndpointDescription
	sec         security
	target      target
}

// errMute says that a server did not answer the attempt to take its session over.
var errMute = errors.New("take the session over")

// establish opens a channel with a session on it. When old is not nil, the server's session is taken over if it is
// still there; reactivated says so. With trusted the endpoint of old is used without asking the server for its list:
// one connect instead of two while the line comes and goes.
func establish(ctx context.Context, cfg *ServerConfig, old *session, trusted bool) (c *channel, s *session, reactivated bool, err error) {
	next, err := prepare(ctx, cfg, old, trusted)
	if err != nil {
		return nil, nil, false, err
	}
	c, err = openChannel(ctx, next.target, next.sec, cfg.Timing, cfg.Limits)
	if err != nil {
		return nil, nil, false, err
	}
	if old != nil {
		next.id, next.token, next.nonce, next.timeout = old.id, old.token, old.nonce, old.timeout
		c.token = next.token
		err := activate(ctx, c, cfg, next)
		if err == nil {
			return c, next, true, nil
		}
		if codeOf(err) == 0 { // not the server's no: the channel is of no use
			c.close()
			return nil, nil, false, fmt.Errorf("%w: %w", errMute, err)
		}
		c.token = nil
	}
	if err := createSession(ctx, c, cfg, next); err != nil {
		c.close()
		return nil, nil, false, err
	}
	c.token = next.token
	if err := activate(ctx, c, cfg, next); err != nil {
		closeSession(ctx, c, cfg.Timing)
		c.close()
		return nil, nil, false, err
	}
	return c, next, false, nil
}

// prepare decides where to connect and how to protect it. No secret has left us when it returns.
func prepare(ctx context.Context, cfg *ServerConfig, old *session, trusted bool) (*session, error) {
	t, err := parseTarget(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	s := &session{}
	if old != nil && trusted {
		s.endpoint = old.endpoint
	} else if s.endpoint, err = findEndpoint(ctx, cfg, t); err != nil {
		return nil, err
	}
	s.target = t.withPath(s.endpoint.EndpointURL)
	if s.user, err = selectToken(cfg, s.endpoint); err != nil {
		return nil, err
	}
	if s.sec, err = secure(cfg, s.target, s.endpoint, s.user.encryption != ""); err != nil {
		return nil, err
	}
	s.certificate = s.sec.remote
	return s, nil
}

func findEndpoint(ctx context.Context, cfg *ServerConfig, t target) (*ua.EndpointDescription, error) {
	list, err := discover(ctx, t, cfg.Timing, cfg.Limits)
	if err != nil {
		return nil, err
	}
	return selectEndpoint(list, cfg.Policy, cfg.Mode, cfg.Certificates != nil)
}

// createSession is Part 4 §5.7.2, with the checks that the client has to make.
func createSession(ctx context.Context, c *channel, cfg *ServerConfig, s *session) error {
	nonce := make([]byte, nonceBytes)
	if _, err := rand.Read(nonce); err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	uri := productURI
	if cfg.Certificates != nil {
		if _, _, own, err := cfg.Certificates.Own(); err == nil && own != "" {
			uri = own
		}
	}
	resp, err := call[*ua.CreateSessionResponse](ctx, c, &ua.CreateSessionRequest{
		ClientDescription: &ua.ApplicationDescription{
			ApplicationURI: uri, ProductURI: productURI,
			ApplicationName: ua.NewLocalizedText(applicationName), ApplicationType: ua.ApplicationTypeClient,
		},
		EndpointURL:             s.target.url,
		SessionName:             fmt.Sprintf("%s %s", applicationName, cfg.Name),
		ClientNonce:             nonce,
		ClientCertificate:       s.sec.own,
		RequestedSessionTimeout: float64(cfg.Timing.Session / time.Millisecond),
		MaxResponseMessageSize:  cfg.Limits.MaxMessage,
	}, cfg.Timing.Dial)
	if err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	if !s.sec.none() {
		if !bytes.Equal(leaf(resp.ServerCertificate), s.sec.remote) {
			return fmt.Errorf("create session: the session's certificate %s is not the channel's, %s", thumbprint(resp.ServerCertificate), thumbprint(s.sec.remote))
		}
		if resp.ServerSignature == nil {
			return errors.New("create session: the server did not sign")
		}
		if err := c.sc.VerifySessionSignature(s.sec.remote, nonce, resp.ServerSignature.Signature); err != nil {
			return fmt.Errorf("create session: the server's signature is wrong: %w", err)
		}
		if len(resp.ServerNonce) < nonceBytes {
			return fmt.Errorf("create session: the server's nonce has %d bytes, want %d", len(resp.ServerNonce), nonceBytes)
		}
	}
	if err := verifyEndpoints(cfg, s.endpoint, resp.ServerEndpoints, cfg.Certificates != nil); err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	s.id, s.token = resp.SessionID.String(), resp.AuthenticationToken
	s.nonce = slices.Clip(resp.ServerNonce)
	s.timeout = milliseconds(resp.RevisedSessionTimeout)
	if s.timeout <= 0 {
		s.timeout = cfg.Timing.Session
	}
	return nil
}

// activate is Part 4 §5.7.3: it gives the session to channel c, also when it was another channel's.
func activate(ctx context.Context, c *channel, cfg *ServerConfig, s *session) error {
	signature, algorithm, err := c.sc.NewSessionSignature(s.certificate, s.nonce)
	if err != nil {
		return fmt.Errorf("activate session: sign: %w", err)
	}
	token, err := identity(c, cfg, s.user, s.certificate, s.nonce)
	if err != nil {
		return fmt.Errorf("activate session: %w", err)
	}
	resp, err := call[*ua.ActivateSessionResponse](ctx, c, &ua.ActivateSessionRequest{
		ClientSignature:    &ua.SignatureData{Algorithm: algorithm, Signature: signature},
		UserIdentityToken:  token,
		UserTokenSignature: &ua.SignatureData{}, // nil would be encoded to nothing
	}, cfg.Timing.Dial)
	if err != nil {
		return fmt.Errorf("activate session: %w", hintLogin(err, cfg.User))
	}
	s.nonce = slices.Clip(resp.ServerNonce)
	return nil
}

// hintLogin says what to do about a refused login.
func hintLogin(err error, user string) error {
	switch codeOf(err) {
	case ua.StatusBadIdentityTokenRejected, ua.StatusBadUserAccessDenied, ua.StatusBadIdentityTokenInvalid:
		if user == "" {
			return fmt.Errorf("%w: it may not take anonymous users: configure user and password", err)
		}
		return fmt.Errorf("%w: check the password of user %q", err, user)
	case ua.StatusBadCertificateUntrusted, ua.StatusBadSecurityChecksFailed:
		return fmt.Errorf("%w: trust our certificate on the server", err)
	}
	return err
}

// closeSession ends the session and its subscriptions. Errors do not matter: the server's timeout does the same.
func closeSession(ctx context.Context, c *channel, timing Timing) {
	_, _ = call[*ua.CloseSessionResponse](ctx, c, &ua.CloseSessionRequest{DeleteSubscriptions: true}, timing.Request)
}

// certificateUntil is the end of a certificate's validity, zero when there is none.
func certificateUntil(der []byte) time.Time {
	cert, err := x509.ParseCertificate(leaf(der))
	if err != nil {
		return time.Time{}
	}
	return cert.NotAfter
}

// milliseconds converts the standard's Duration. What is not a sane number is 0.
func milliseconds(ms float64) time.Duration {
	if !(ms > 0) || ms > 1e12 {
		return 0
	}
	return time.Duration(ms * float64(time.Millisecond))
}
