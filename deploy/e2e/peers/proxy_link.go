package peers

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	proxyBlock = 32 << 10 // bytes read at once
	proxyQueue = 1024     // blocks on their way in one direction; then the reader waits
)

// link is one connection through the proxy.
type link struct {
	p      *TCPProxy
	client *net.TCPConn
	ended  chan struct{} // closed when the link is to end

	mu     sync.Mutex
	target *net.TCPConn // nil before it is dialled
	over   bool
}

func newLink(p *TCPProxy, client *net.TCPConn) *link {
	return &link{p: p, client: client, ended: make(chan struct{})}
}

// run dials the target and passes data on until the link ends; then both sockets are closed.
func (l *link) run() {
	if !l.awaitThaw(func(s proxyState) bool { return s.frozen }) {
		return
	}
	conn, err := net.DialTimeout("tcp4", l.p.target, 10*time.Second)
	if err != nil {
		l.reset()
		return
	}
	target := conn.(*net.TCPConn)
	l.mu.Lock()
	l.target = target
	over := l.over
	l.mu.Unlock()
	if over {
		target.Close()
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { l.pass(l.client, target, false) })
	wg.Go(func() { l.pass(target, l.client, true) })
	wg.Wait()
	l.end(func(c *net.TCPConn) { c.Close() })
}

// reset ends the link with RST on both sides.
func (l *link) reset() {
	l.end(func(c *net.TCPConn) {
		_ = c.SetLinger(0) // on a socket that is gone already there is nothing left to reset
		c.Close()
	})
}

// finish ends the link with FIN on both sides. Closing a socket with unread data would send RST, so what still comes is
// read first.
func (l *link) finish() {
	l.end(func(c *net.TCPConn) {
		_ = c.CloseWrite() // gone already: closed by the other side
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
		discard := make([]byte, proxyBlock)
		for {
			if _, err := c.Read(discard); err != nil {
				break
			}
		}
		c.Close()
	})
}

// end closes both sockets in the way given, the first time it is called.
func (l *link) end(how func(*net.TCPConn)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	l.over = true
	close(l.ended)
	how(l.client)
	if l.target != nil {
		how(l.target)
	}
}

// block is what one read gave, to be written at due.
type block struct {
	data []byte
	read time.Time
}

// pass moves one direction: a reader and a writer with a queue between them, so that a delay does not slow the flow.
func (l *link) pass(from, to *net.TCPConn, answers bool) {
	queue := make(chan block, proxyQueue)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(queue)
		l.read(from, queue, answers)
	})
	wg.Go(func() {
		if l.write(to, queue, answers) {
			_ = to.CloseWrite() // pass the FIN on; a socket that is gone needs none
			return
		}
		l.end(func(c *net.TCPConn) { c.Close() })
		for range queue { // let the reader end
		}
	})
	wg.Wait()
}

// read fills the queue until the connection ends.
func (l *link) read(from *net.TCPConn, queue chan<- block, answers bool) {
	buf := make([]byte, proxyBlock)
	for l.awaitThaw(func(s proxyState) bool { return s.frozen }) {
		// A freeze must stop a read that waits already: it is short, and repeated.
		if err := from.SetReadDeadline(time.Now().Add(pollEvery)); err != nil {
			return
		}
		n, err := from.Read(buf)
		if n > 0 {
			if answers {
				l.p.count(func(s *ProxyStats) { s.FromTarget += int64(n) })
			}
			select {
			case queue <- block{data: bytes.Clone(buf[:n]), read: time.Now()}:
			case <-l.ended:
				return
			}
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			if !isEOF(err) {
				l.reset() // a reset is passed on as a reset
			}
			return
		}
	}
}

// write empties the queue and reports whether it came to its end, i.e. the other side sent FIN.
func (l *link) write(to *net.TCPConn, queue <-chan block, answers bool) bool {
	for b := range queue {
		if !l.awaitDue(b) {
			return false
		}
		held := func(s proxyState) bool { return s.frozen || answers && s.answersFrozen }
		if !l.awaitThaw(held) {
			return false
		}
		if answers {
			l.p.corrupt(b.data)
		}
		n, err := to.Write(b.data)
		l.p.count(func(s *ProxyStats) {
			if answers {
				s.ToClient += int64(n)
			} else {
				s.ToTarget += int64(n)
			}
		})
		if err != nil {
			return false
		}
	}
	return true
}

// awaitDue waits until the delay of a block is over; false when the link ends before.
func (l *link) awaitDue(b block) bool {
	for {
		state, changed := l.p.look()
		wait := time.Until(b.read.Add(state.delay))
		if wait <= 0 {
			return true
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-changed:
		case <-l.ended:
			t.Stop()
			return false
		}
		t.Stop()
	}
}

// awaitThaw waits while held says so; false when the link ends.
func (l *link) awaitThaw(held func(proxyState) bool) bool {
	for {
		state, changed := l.p.look()
		select {
		case <-l.ended:
			return false
		default:
		}
		if !held(state) {
			return true
		}
		select {
		case <-changed:
		case <-l.ended:
			return false
		}
	}
}

// corrupt inverts the bytes that CorruptNext still asks for.
func (p *TCPProxy) corrupt(data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(p.state.corrupt, len(data))
	for i := range n {
		data[i] ^= 0xff
	}
	p.state.corrupt -= n
}

// isEOF tells an orderly end from a reset.
func isEOF(err error) bool { return errors.Is(err, io.EOF) }
