package uasession

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uacp"
	"github.com/gopcua/opcua/uapolicy"
	"github.com/gopcua/opcua/uasc"
)

const (
	defaultPort = "4840"  // Part 6 §7.1: opc.tcp
	bufferSize  = 0xFFFF  // one chunk in either direction, what every stack speaks
	minBuffer   = 8192    // Part 6 §7.1.2.3: no smaller one may be agreed
	minMessage  = 1 << 16 // a server that takes less in one message gets small batches, not none
	tcpAlive    = 15 * time.Second
)

// channel is one TCP connection with one secure channel on it. It is opened by openChannel and closed by close; in
// between, call may be used from several goroutines.
//
// It is built on the library's uacp and uasc rather than on its Client, because the Client takes the server's
// acknowledged *receive* limits for its own, hides why a session could not be made, keeps the authentication token to
// itself, and races between Dial and Close.
type channel struct {
	tcp *net.TCPConn
	sc  *uasc.SecureChannel

	token *ua.NodeID // authentication token of the session; set before the channel is shared

	maxRequest uint32 // bytes the server takes in one message, 0: no limit

	gone     chan struct{} // closed when the transport has ended
	closing  chan struct{}
	closed   sync.Once
	watching sync.WaitGroup
}

// target is where a server is dialled.
type target struct {
	address string // host:port
	host    string
	url     string // as sent in Hello and CreateSession
}

func parseTarget(endpoint string) (target, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return target{}, fmt.Errorf("endpoint %q: %w", endpoint, err)
	}
	if u.Scheme != "opc.tcp" || u.Hostname() == "" {
		return target{}, fmt.Errorf("endpoint %q: want opc.tcp://host:port", endpoint)
	}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	u.Host = net.JoinHostPort(u.Hostname(), port)
	return target{address: u.Host, host: u.Hostname(), url: u.String()}, nil
}

// withPath takes the path of the server's own URL where the configured one has none: several servers may share one
// port and tell themselves apart by it.
func (t target) withPath(serverURL string) target {
	own, err := url.Parse(t.url)
	if err != nil || (own.Path != "" && own.Path != "/") {
		return t
	}
	if u, err := url.Parse(serverURL); err == nil && u.Scheme == "opc.tcp" {
		own.Path = u.Path
		t.url = own.String()
	}
	return t
}

// security is how a channel is protected.
type security struct {
	policy string // URI
	mode   ua.MessageSecurityMode
	own    []byte // our certificate, DER; nil under policy None
	key    *rsa.PrivateKey
	remote []byte // the server's certificate, DER, leaf
}

func noSecurity() security {
	return security{policy: ua.SecurityPolicyURINone, mode: ua.MessageSecurityModeNone}
}

func (s security) none() bool { return s.mode == ua.MessageSecurityModeNone }

// openChannel dials t and opens a secure channel. ctx bounds all of it.
func openChannel(ctx context.Context, t target, sec security, timing Timing, limits Limits) (*channel, error) {
	ctx, cancel := context.WithTimeout(ctx, timing.Dial)
	defer cancel()
	d := net.Dialer{KeepAlive: tcpAlive}
	conn, err := d.DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", t.address, err)
	}
	c := &channel{tcp: conn.(*net.TCPConn), gone: make(chan struct{}), closing: make(chan struct{})}
	ack, err := c.hello(ctx, t, limits)
	if err != nil {
		c.tcp.Close()
		return nil, err
	}
	if err := c.open(ctx, t, sec, timing, ack); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// hello exchanges HEL and ACK (Part 6 §7.1.2) and returns the limits of this connection from our side: the library
// reads "receive" as what we receive.
func (c *channel) hello(ctx context.Context, t target, limits Limits) (*uacp.Acknowledge, error) {
	stop := context.AfterFunc(ctx, func() { c.tcp.Close() })
	defer stop()
	ours := &uacp.Acknowledge{ReceiveBufSize: bufferSize, SendBufSize: bufferSize, MaxMessageSize: limits.MaxMessage}
	conn, err := uacp.NewConn(c.tcp, ours)
	if err != nil {
		return nil, fmt.Errorf("greet %s: %w", t.url, err)
	}
	err = conn.Send("HELF", &uacp.Hello{
		ReceiveBufSize: bufferSize, SendBufSize: bufferSize, MaxMessageSize: limits.MaxMessage, EndpointURL: t.url,
	})
	if err != nil {
		return nil, fmt.Errorf("greet %s: %w", t.url, err)
	}
	frame, err := conn.Receive()
	var refused *uacp.Error
	switch {
	case errors.As(err, &refused):
		return nil, fmt.Errorf("greet %s: server answers %s %q", t.url, statusText(ua.StatusCode(refused.ErrorCode)), refused.Reason)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("greet %s: no answer in time: is it an OPC UA port?", t.url)
	case err != nil:
		return nil, fmt.Errorf("greet %s: %w: is it an OPC UA port?", t.url, err)
	case len(frame) < 8 || string(frame[:4]) != "ACKF":
		return nil, fmt.Errorf("greet %s: the answer is not OPC UA", t.url)
	}
	var ack uacp.Acknowledge
	if _, err := ack.Decode(frame[8:]); err != nil {
		return nil, fmt.Errorf("greet %s: decode its acknowledge: %w", t.url, err)
	}
	c.maxRequest = ack.MaxMessageSize
	send := min(bufferSize, ack.ReceiveBufSize)
	return &uacp.Acknowledge{
		ReceiveBufSize: bufferSize,
		SendBufSize:    max(send, minBuffer),
		MaxMessageSize: limits.MaxMessage,
		MaxChunkCount:  limits.MaxMessage/minBuffer + 1,
	}, nil
}

// open opens the secure channel and makes sure that it is the one asked for: the library takes policy and certificate
// from the answer.
func (c *channel) open(ctx context.Context, t target, sec security, timing Timing, ack *uacp.Acknowledge) error {
	conn, err := uacp.NewConn(c.tcp, ack)
	if err != nil {
		return fmt.Errorf("open channel to %s: %w", t.address, err)
	}
	cfg := &uasc.Config{
		SecurityPolicyURI: sec.policy,
		SecurityMode:      sec.mode,
		Lifetime:          uint32(min(timing.ChannelLife/time.Millisecond, math.MaxInt32)),
		RequestTimeout:    timing.Request,
	}
	if !sec.none() {
		cfg.Certificate, cfg.LocalKey = sec.own, sec.key
		cfg.RemoteCertificate, cfg.Thumbprint = sec.remote, uapolicy.Thumbprint(sec.remote)
	}
	failures := make(chan error, 16)
	sc, err := uasc.NewSecureChannel(t.url, conn, cfg, failures)
	if err != nil {
		return fmt.Errorf("open channel to %s: %w", t.address, err)
	}
	c.sc = sc
	c.watching.Go(func() { c.watch(failures) })
	err = sc.Open(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("open channel to %s: no answer in time", t.address)
	case !sec.none() && mistrusted(err):
		return fmt.Errorf("open channel to %s with %s: %w: the server may not trust our certificate (%s): "+
			"trust it on the server, then it connects by itself", t.address, shortPolicy(sec.policy), err, thumbprint(sec.own))
	case err != nil:
		return fmt.Errorf("open channel to %s with %s: %w", t.address, shortPolicy(sec.policy), err)
	case cfg.SecurityPolicyURI != sec.policy:
		return fmt.Errorf("open channel to %s: the server answers with policy %s instead of %s", t.address, shortPolicy(cfg.SecurityPolicyURI), shortPolicy(sec.policy))
	case !sec.none() && thumbprint(cfg.RemoteCertificate) != thumbprint(sec.remote):
		return fmt.Errorf("open channel to %s: the server's certificate %s is not the one of its endpoint, %s", t.address, thumbprint(cfg.RemoteCertificate), thumbprint(sec.remote))
	}
	return nil
}

// mistrusted says that err is how servers answer a certificate they do not trust: some say so, some say less, and most
// just close the connection.
func mistrusted(err error) bool {
	for _, code := range []error{
		io.EOF, ua.StatusBadSecurityChecksFailed, ua.StatusBadCertificateUntrusted, ua.StatusBadCertificateInvalid,
		ua.StatusBadCertificateChainIncomplete, ua.StatusBadCertificateRevoked,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// watch closes gone when the library's reader has ended. It reports other errors too, which belong to one answer each
// and are returned by call.
func (c *channel) watch(failures <-chan error) {
	for {
		select {
		case err := <-failures:
			if errors.Is(err, io.EOF) {
				close(c.gone)
				return
			}
		case <-c.closing:
			return
		}
	}
}

func (c *channel) isGone() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// close ends the transport without a word to the session, which lives on at the server until its timeout.
func (c *channel) close() {
	c.closed.Do(func() {
		close(c.closing)
		// First the socket: a write into a dead line must not hold up the rest, and a renewal that waits for its
		// answer would.
		c.tcp.Close()
		if c.sc != nil {
			c.sc.Close()
		}
		c.watching.Wait()
	})
}

// farewell closes the channel in the orderly way.
func (c *channel) farewell(timeout time.Duration) {
	_ = c.tcp.SetDeadline(time.Now().Add(timeout)) // fails only when it is closed already
	c.closed.Do(func() {
		close(c.closing)
		c.sc.Close()
		c.tcp.Close()
		c.watching.Wait()
	})
}

func isNetwork(err error) bool {
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, net.ErrClosed)
}
