package store

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/influxdata/influxdb/services/httpd"
	"go.uber.org/zap"
)

// Times of Close.
const (
	finishGrace = 2 * time.Second // running requests may end by themselves
	abortGrace  = 8 * time.Second // then queries are interrupted, and after this connections are cut
)

// Store is a running store. It serves from Open until Close; everything goes through its URL. All methods may be
// called at once and more than once.
//
//	Open ── lock ── engine ── listen ── serving ──┬── Close: stop listening, finish requests, close engine, unlock
//	                                              └── the listener fails: Failed is closed, Close still has to be called
type Store struct {
	url    string
	engine *engine
	tokens *tokens
	guard  *guard
	server *http.Server
	lock   *os.File

	failed   chan struct{} // closed when serving ended
	serveErr error         // why; written before failed is closed

	closing  sync.Once
	closeErr error
}

// Open locks the directory, replays what the log holds, starts the services and the listener, and returns when
// requests are answered. ctx bounds Open only. Errors say what to do; ErrLocked is one of them.
func Open(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	t, err := loadTokens(o)
	if err != nil {
		return nil, err
	}
	lg := newEngineLogger(o.Logger)
	tlsConfig, err := loadTLS(o, lg)
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	ln, err := listen(ctx, o, t)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	e, err := openEngine(ctx, o, t, lg)
	if err != nil {
		return nil, errors.Join(err, ln.Close(), lock.Close())
	}
	s := &Store{url: address(ln, o), engine: e, tokens: t, lock: lock, failed: make(chan struct{})}
	s.guard = newGuard(e.handler, t, o.Limits, lg)
	s.server = newServer(s.guard, o, lg)
	s.server.TLSConfig = tlsConfig
	go s.serve(ln)
	return s, nil
}

// listen opens the port, before the engine: an address in use should not cost the replay of a log.
func listen(ctx context.Context, o Options, t *tokens) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", o.Addr, err)
	}
	at, ok := ln.Addr().(*net.TCPAddr)
	if !t.required() && (!ok || !at.IP.IsLoopback()) {
		err := fmt.Errorf("listen on %s: a store without tokens serves its own machine only: name a token file, or an address such as %s", o.Addr, DefaultAddr)
		return nil, errors.Join(err, ln.Close())
	}
	if o.Limits.Connections > 0 {
		ln = httpd.LimitListener(ln, o.Limits.Connections)
	}
	return ln, nil
}

// address is the URL that reaches a listener. One on all interfaces is named by the host of the options or loopback.
func address(ln net.Listener, o Options) string {
	scheme := "http"
	if o.CertFile != "" {
		scheme = "https"
	}
	host, port, _ := net.SplitHostPort(ln.Addr().String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// headerRoom is what a request's header may take besides a query in its address.
const headerRoom = 64 << 10

// answerGrace is how long an answer may still be read after the longest query.
const answerGrace = 30 * time.Second

// writeTimeout ends a request from its header on, so that a client which does not read its answer holds a connection and
// a place for queries for so long only.
func writeTimeout(l Limits) time.Duration {
	if l.QueryTimeout < 0 {
		return 0
	}
	return max(l.ReadTimeout, 0) + max(l.QueueTimeout, 0) + l.QueryTimeout + answerGrace
}

func newServer(h http.Handler, o Options, lg *zap.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: max(o.Limits.HeaderTimeout, 0),
		ReadTimeout:       max(o.Limits.ReadTimeout, 0),
		WriteTimeout:      writeTimeout(o.Limits),
		IdleTimeout:       max(o.Limits.IdleTimeout, 0),
		MaxHeaderBytes:    int(max(o.Limits.QueryBytes, 1<<20)) + headerRoom,
		ErrorLog:          log.New(logWriter{lg.Warn, "HTTP server"}, "", 0),
	}
}

func (s *Store) serve(ln net.Listener) {
	defer close(s.failed)
	var err error
	if s.server.TLSConfig != nil {
		err = s.server.ServeTLS(ln, "", "")
	} else {
		err = s.server.Serve(ln)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		s.serveErr = fmt.Errorf("serve on %s: %w", s.url, err)
	}
}

// URL is where the store is reached, for example http://127.0.0.1:8086.
func (s *Store) URL() string { return s.url }

// Failed is closed when the store stopped serving, by itself or by Close.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Serve waits until ctx is done or the listener fails, and closes the store.
func (s *Store) Serve(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-s.failed:
	}
	return s.Close()
}

// ReloadTokens reads the token file again; on an error the tokens in use stay. A store that was opened without tokens
// stays open: whether tokens are asked for is decided at Open.
func (s *Store) ReloadTokens() error { return s.tokens.reload() }

// Close stops listening, lets running requests finish for a short time, interrupts the rest, closes caches, logs and
// files, and releases the directory. The first call does the work; all return its error, which includes a failure of
// the listener.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Store) close() error {
	// The caller's context is no use here: whatever ended it, the engine must be closed after its last request.
	stopped := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), finishGrace+abortGrace)
	defer cancel()
	go func() { stopped <- s.server.Shutdown(ctx) }()

	var errs []error
	grace := time.NewTimer(finishGrace)
	defer grace.Stop()
	var shut error
	select {
	case shut = <-stopped:
		errs = append(errs, s.engine.interrupt())
	case <-grace.C:
		errs = append(errs, s.engine.interrupt())
		shut = <-stopped
	}
	if shut != nil { // some client neither sends nor reads
		errs = append(errs, s.server.Close())
	}
	<-s.failed
	s.guard.running.Wait()
	errs = append(errs, s.serveErr, s.engine.close(), s.lock.Close())
	return errors.Join(errs...)
}
