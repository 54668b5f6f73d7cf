package peers

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// TCPProxy passes TCP connections on to a target and disturbs them. Its methods may be called from any goroutine; they
// act on the connections that are open and, where they set a state, on later ones too.
//
//	client ── Endpoint ──[ reader → delay line → writer ]── target        one pair of each for each direction
type TCPProxy struct {
	Endpoint string // the target as given, with the proxy's host and port in place of its own

	tb     testing.TB
	target string // host:port
	port   int
	wg     sync.WaitGroup // accept loops and links

	mu       sync.Mutex
	state    proxyState
	changed  chan struct{} // closed and replaced at each change of state
	listener net.Listener  // nil while refusing
	links    map[*link]struct{}
	stats    ProxyStats
	closed   bool
}

// proxyState is what readers and writers wait for or apply.
type proxyState struct {
	frozen        bool // nothing is read or written
	answersFrozen bool // nothing is written to the client
	delay         time.Duration
	corrupt       int // bytes to the client that are still to be inverted
}

// ProxyStats counts what went through a proxy.
type ProxyStats struct {
	Accepted   int   // connections taken since the start
	Open       int   // connections open now
	ToTarget   int64 // bytes written to the target
	FromTarget int64 // bytes read from the target: more than ToClient while answers are held
	ToClient   int64 // bytes written to the client
}

// Proxy starts a proxy in front of a target: "host:port" or a URL with one, as opc.tcp://127.0.0.1:4840/path.
func Proxy(tb testing.TB, target string) *TCPProxy {
	tb.Helper()
	scheme, rest, path := "", target, ""
	if i := strings.Index(rest, "://"); i >= 0 {
		scheme, rest = rest[:i+3], rest[i+3:]
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		rest, path = rest[:i], rest[i:]
	}
	port := reservePort(tb)
	p := &TCPProxy{
		Endpoint: scheme + loopback(port) + path, tb: tb, target: rest, port: port,
		changed: make(chan struct{}), links: map[*link]struct{}{},
	}
	p.Refuse(false)
	tb.Cleanup(p.close)
	return p
}

// Cut resets every open connection (RST both ways), as a router that forgot them does.
func (p *TCPProxy) Cut() {
	for _, l := range p.open() {
		l.reset()
	}
}

// Fin ends every open connection in order (FIN both ways); what was on its way before is lost.
func (p *TCPProxy) Fin() {
	for _, l := range p.open() {
		l.finish()
	}
}

// Freeze makes all connections half-open: sockets stay, nothing passes, new connections are taken by the kernel and
// never answered. A block that is being written when it is called may still arrive.
func (p *TCPProxy) Freeze() { p.set(func(s *proxyState) { s.frozen = true }) }

// FreezeAnswers holds back only what goes to the client: the target gets a request whose answer never comes. Answers
// that are on their way are counted by Stats as FromTarget.
func (p *TCPProxy) FreezeAnswers() { p.set(func(s *proxyState) { s.answersFrozen = true }) }

// Thaw ends Freeze and FreezeAnswers: what was held passes.
func (p *TCPProxy) Thaw() { p.set(func(s *proxyState) { s.frozen, s.answersFrozen = false, false }) }

// Delay holds everything back by d in each direction, without limiting how much is on its way. 0 ends it.
func (p *TCPProxy) Delay(d time.Duration) { p.set(func(s *proxyState) { s.delay = d }) }

// CorruptNext inverts the next n bytes that go to a client.
func (p *TCPProxy) CorruptNext(n int) { p.set(func(s *proxyState) { s.corrupt = n }) }

// Refuse(true) makes new connections fail with "connection refused"; Refuse(false) takes them again on the same port.
func (p *TCPProxy) Refuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case refuse && p.listener != nil:
		p.listener.Close()
		p.listener = nil
	case !refuse && p.listener == nil && !p.closed:
		l, err := net.Listen("tcp4", loopback(p.port))
		if err != nil {
			p.tb.Errorf("proxy: listen again: %v", err)
			return
		}
		p.listener = l
		p.wg.Go(func() { p.accept(l) })
	}
}

// Stats returns the counters.
func (p *TCPProxy) Stats() ProxyStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Open = len(p.links)
	return s
}

func (p *TCPProxy) set(change func(*proxyState)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.state)
	close(p.changed)
	p.changed = make(chan struct{})
}

// look returns the state and a channel that is closed when it changes.
func (p *TCPProxy) look() (proxyState, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.changed
}

func (p *TCPProxy) count(add func(*ProxyStats)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	add(&p.stats)
}

func (p *TCPProxy) open() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*link, 0, len(p.links))
	for l := range p.links {
		list = append(list, l)
	}
	return list
}

// accept serves one life of the listener.
func (p *TCPProxy) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // closed
		}
		p.wg.Go(func() { p.serve(conn.(*net.TCPConn)) })
	}
}

// serve joins one client to the target until either side ends.
func (p *TCPProxy) serve(client *net.TCPConn) {
	l := newLink(p, client)
	p.mu.Lock()
	p.stats.Accepted++
	if p.closed {
		p.mu.Unlock()
		l.reset()
		return
	}
	p.links[l] = struct{}{}
	p.mu.Unlock()
	l.run()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

func (p *TCPProxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Refuse(true)
	p.Cut()
	p.wg.Wait()
}
