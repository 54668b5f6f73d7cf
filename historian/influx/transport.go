package influx

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"sync/atomic"
	"time"
)

// Limits of one connection.
const (
	dialTimeout    = 10 * time.Second
	idleConns      = 16        // kept open per store: destinations and queries of one process are few
	maxHeaderBytes = 64 << 10  // of an answer
	maxAnswer      = 64 << 10  // of an answer's body that is read where only a message is expected
	drainLimit     = 256 << 10 // of a body that is thrown away to keep the connection
)

// newHTTPClient makes the HTTP client of a store. It follows no redirect: a store that moved, or a proxy that wants a
// login, must be seen, not followed with the token.
func newHTTPClient(o *Options, base *url.URL, cred *credentials) (*http.Client, error) {
	t := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConnsPerHost:    idleConns,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     isLoopback(base.Hostname()), // there, compressing costs more than it saves
	}
	var err error
	if t.Proxy, err = proxyFunc(o.ProxyURL, cred); err != nil {
		return nil, err
	}
	if t.TLSClientConfig, err = tlsConfig(o); err != nil {
		return nil, err
	}
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func proxyFunc(raw string, cred *credentials) (func(*http.Request) (*url.URL, error), error) {
	switch raw {
	case "":
		return http.ProxyFromEnvironment, nil
	case "direct":
		return nil, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return nil, errors.New("the URL of the proxy is not valid: it should look like http://host:3128")
	}
	if pw, ok := u.User.Password(); ok {
		cred.forget(pw)
	}
	return http.ProxyURL(u), nil
}

func tlsConfig(o *Options) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.InsecureSkipVerify}
	if o.CAFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read CA file: %w", err)
	}
	if cfg.RootCAs, err = x509.SystemCertPool(); err != nil {
		cfg.RootCAs = x509.NewCertPool()
	}
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("CA file %s holds no certificate in PEM form", o.CAFile)
	}
	return cfg, nil
}

// answer is what came back from a server, kept whole for classify. influxdb-client-go gives its callers only what it
// could parse of an error: not Retry-After as a date, not 1.x's JSON, not the status of a success, and it reads bodies
// of any length. So doer, which the library calls for each request, takes this record before the library sees it.
type answer struct {
	status  int // 0: no answer
	header  http.Header
	body    []byte      // at most maxAnswer
	bodyErr error       // the body ended early
	err     error       // there is no answer: why
	wrote   atomic.Bool // the request was at least partly sent
	renewal error       // the token was refused and reading it again failed
}

type answerKey struct{}

// withAnswer makes ctx carry a record for doer to fill.
func withAnswer(ctx context.Context) (context.Context, *answer) {
	a := &answer{}
	ctx = context.WithValue(ctx, answerKey{}, a)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { a.wrote.Store(true) }}), a
}

// errCredentials marks a token that cannot be read.
var errCredentials = errors.New("no usable token")

// doer is the Doer that influxdb-client-go sends all its requests through: it adds the credentials, asks for them again
// after a 401, and keeps the answer of a request whose context carries a record.
type doer struct {
	http *http.Client
	cred *credentials
	ua   string
}

// Do sends req. The body of an answer of a recorded request is already read and at most maxAnswer long.
func (d *doer) Do(req *http.Request) (*http.Response, error) {
	a, _ := req.Context().Value(answerKey{}).(*answer)
	if a == nil {
		a = &answer{}
	}
	resp, err := d.send(req, a)
	if err != nil {
		a.err = stripURL(err)
		return nil, a.err
	}
	if req.Context().Value(answerKey{}) == nil {
		return resp, nil
	}
	a.status, a.header = resp.StatusCode, resp.Header
	a.body, a.bodyErr = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	closeBody(resp)
	resp.Body = io.NopCloser(bytes.NewReader(a.body))
	return resp, nil
}

func (d *doer) send(req *http.Request, a *answer) (*http.Response, error) {
	auth, err := d.cred.authorization()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCredentials, err)
	}
	req.Header.Set("User-Agent", d.ua)
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	resp, err := d.http.Do(req)
	if err != nil || !mayRepeat(resp, req) {
		return resp, err
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return resp, nil
		}
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		header, changed, err := d.cred.renew(auth)
		if !changed {
			a.renewal = err
			return resp, nil
		}
		again.Header.Set("Authorization", header)
	case http.StatusExpectationFailed: // RFC 9110 §15.5.18: repeat without the expectation
		again.Header.Del("Expect")
	}
	closeBody(resp)
	return d.http.Do(again)
}

// mayRepeat says that the answer is one that another attempt, changed as it demands, may turn.
func mayRepeat(resp *http.Response, req *http.Request) bool {
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return false
	}
	return resp.StatusCode == http.StatusUnauthorized ||
		resp.StatusCode == http.StatusExpectationFailed && req.Header.Get("Expect") != ""
}

// closeBody reads a little of what is left, so that the connection can be used again, and closes.
func closeBody(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, drainLimit)
	_ = resp.Body.Close()
}

// stripURL takes the request's URL out of an error: the caller says which server it is, and says it once.
func stripURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// members is a request's body: gzip members one after another, without a copy.
type members struct {
	rest [][]byte
}

func newMembers(m [][]byte) *members { return &members{rest: append([][]byte(nil), m...)} }

func totalBytes(m [][]byte) int {
	n := 0
	for _, b := range m {
		n += len(b)
	}
	return n
}

// Read implements io.Reader.
func (m *members) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && len(m.rest) > 0 {
		c := copy(p[n:], m.rest[0])
		n += c
		if m.rest[0] = m.rest[0][c:]; len(m.rest[0]) == 0 {
			m.rest = m.rest[1:]
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close implements io.Closer: there is nothing to release.
func (m *members) Close() error { return nil }
