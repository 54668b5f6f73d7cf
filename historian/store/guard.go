package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// guard stands between the network and InfluxDB's handler: it lets known paths through, spells tokens as the handler
// reads them, and holds every request to its limits. Its refusals look like influxd's errors.
type guard struct {
	next    http.Handler
	tokens  *tokens
	limits  Limits
	writes  slots
	queries slots
	log     *zap.Logger

	running sync.WaitGroup // requests inside ServeHTTP; http.Server.Close does not wait for them
}

func newGuard(next http.Handler, t *tokens, l Limits, lg *zap.Logger) *guard {
	return &guard{next: next, tokens: t, limits: l, log: lg, writes: newSlots(l.ConcurrentWrites), queries: newSlots(l.ConcurrentQueries)}
}

// ServeHTTP implements http.Handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.running.Add(1)
	defer g.running.Done()
	w = answerWriter{w}
	defer g.recover(w, r)

	if err := g.sameOrigin(r); err != nil {
		refuse(w, http.StatusForbidden, err.Error())
		return
	}
	g.spellToken(r)
	switch r.URL.Path {
	case "/write", "/api/v2/write":
		g.write(w, r)
	case "/query":
		g.query(w, r)
	case "/health":
		if r.Method == http.MethodHead { // the handler knows GET only; the server leaves the body out
			r.Method = http.MethodGet
			defer func() { r.Method = http.MethodHead }()
		}
		g.next.ServeHTTP(w, r)
	case "/ping", "/status", "/api/v2/query":
		g.next.ServeHTTP(w, r)
	default: // also what influxd has and a plant does not need: /debug, /metrics, Prometheus remote read and write
		version(w)
		http.NotFound(w, r)
	}
}

func (g *guard) recover(w http.ResponseWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v) // the server's own way to end a connection; it does not end the process
	}
	recovered(g.log, r.Method+" "+r.URL.Path, v, debug.Stack())
	refuse(w, http.StatusInternalServerError, "internal error")
}

// sameOrigin keeps web pages of other sites, which a person on this machine may visit, from using the store through
// their browser: without tokens nothing else would stop them, and influxd runs DROP DATABASE even on a GET.
func (g *guard) sameOrigin(r *http.Request) error {
	if g.tokens.required() {
		return nil // a foreign page does not know the token, and browsers do not send it by themselves
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return errors.New("request from a web page of another site: this store has no tokens and serves programs on its own machine only")
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
			return fmt.Errorf("request from a web page of %q: this store has no tokens and serves programs on its own machine only", origin)
		}
	}
	if !loopbackHost(r.Host) { // a foreign name that resolves to this machine (DNS rebinding)
		return fmt.Errorf("request for host %q: this store has no tokens and answers to localhost only", r.Host)
	}
	return nil
}

func loopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "" || strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// tokenUser is the user name under which a token is handed on: the secret alone decides.
const tokenUser = "token"

// spellToken turns `Token SECRET`, `Bearer SECRET`, `Token user:SECRET` and the parameters u and p into basic
// authentication, which the handler checks against accounts.
func (g *guard) spellToken(r *http.Request) {
	secret := ""
	if q := r.URL.Query(); q.Get("p") != "" {
		secret = q.Get("p")
		q.Del("u")
		q.Del("p")
		r.URL.RawQuery = q.Encode()
	}
	if scheme, value, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && secret == "" {
		switch strings.ToLower(scheme) {
		case "token", "bearer":
			secret = strings.TrimSpace(value)
			if _, password, ok := strings.Cut(secret, ":"); ok {
				secret = password
			}
		case "basic":
			_, secret, _ = r.BasicAuth()
		}
	}
	if secret != "" {
		r.SetBasicAuth(tokenUser, secret)
	}
}

// admitted says that the handler will accept the request's token. Bodies of others are not read.
func (g *guard) admitted(r *http.Request) bool {
	if !g.tokens.required() {
		return true
	}
	_, secret, _ := r.BasicAuth()
	return g.tokens.set.Load().find(secret) != nil
}

// write takes the body in before it takes a slot, so that a slow sender holds a connection but keeps nobody waiting.
func (g *guard) write(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !g.admitted(r) {
		g.next.ServeHTTP(w, r)
		return
	}
	if err := checkPrecision(r); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	body, err := readBody(w, r, g.limits.BodyBytes)
	if err != nil {
		refuseBody(w, err)
		return
	}
	if !g.enter(w, r, g.writes) {
		return
	}
	defer g.writes.leave()
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if r.Header.Get("Content-Encoding") == "gzip" {
		// The handler limits a body before it is unpacked only; unpacked here its limit holds for both.
		r.Body, r.ContentLength = &gunzip{src: bytes.NewReader(body)}, -1
		r.Header.Del("Content-Encoding")
	}
	g.next.ServeHTTP(w, r)
}

func (g *guard) query(w http.ResponseWriter, r *http.Request) {
	if !g.admitted(r) {
		g.next.ServeHTTP(w, r)
		return
	}
	if err := readQuery(w, r, g.limits.QueryBytes); err != nil {
		refuseBody(w, err)
		return
	}
	if err := checkQuery(r.Form.Get("q")); err != nil {
		refuse(w, http.StatusBadRequest, "error parsing query: "+err.Error())
		return
	}
	if r.Form.Get("async") == "true" {
		refuse(w, http.StatusBadRequest, "async queries are not supported by this store: leave async out")
		return
	}
	if !g.enter(w, r, g.queries) {
		return
	}
	defer g.queries.leave()
	g.next.ServeHTTP(w, r)
}

// enter waits for a slot; it has answered when it returns false.
func (g *guard) enter(w http.ResponseWriter, r *http.Request, s slots) bool {
	err := s.enter(r.Context(), g.limits.QueueTimeout)
	if err == nil {
		return true
	}
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusServiceUnavailable, err.Error())
	return false
}

// slots is a counting semaphore; nil lets everybody in.
type slots chan struct{}

func newSlots(n int) slots {
	if n < 0 {
		return nil
	}
	return make(slots, n)
}

var errBusy = errors.New("too many requests at once: try again")

func (s slots) enter(ctx context.Context, wait time.Duration) error {
	if s == nil {
		return nil
	}
	select {
	case s <- struct{}{}:
		return nil
	default:
	}
	if wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, wait, errBusy)
		defer cancel()
	}
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s slots) leave() {
	if s != nil {
		<-s
	}
}
