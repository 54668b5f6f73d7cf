package peers

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// echo is a server that sends back what it gets and remembers how its connections ended.
type echo struct {
	addr string
	wg   sync.WaitGroup
	ends chan error // one for each connection that ended: nil for FIN
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{addr: l.Addr().String(), ends: make(chan error, 100)}
	e.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.wg.Go(func() {
				defer c.Close()
				_, err := io.Copy(c, c)
				e.ends <- err
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		e.wg.Wait()
	})
	return e
}

func dialTCP(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp4", addr)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

// send writes text and returns what comes back for it.
func send(t *testing.T, c net.Conn, text string) string {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatalf("send: %v", err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatalf("receive: %v", err)
	}
	return string(got)
}

// await polls until ok says so.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond) // the pace of a poll, not a synchronisation
	}
}

func TestProxyPassesBothWays(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("one", func(t *testing.T) {
		e := newEcho(t)
		p := Proxy(t, "tcp://"+e.addr+"/path")
		if !strings.HasPrefix(p.Endpoint, "tcp://127.0.0.1:") || !strings.HasSuffix(p.Endpoint, "/path") || strings.Contains(p.Endpoint, e.addr) {
			t.Errorf("endpoint %s for target %s", p.Endpoint, e.addr)
		}
		c := dialTCP(t, hostPort(p))
		long := strings.Repeat("0123456789", 100_000)
		go func() { _, _ = io.WriteString(c, long) }() // the reader below sees what got through
		got := make([]byte, len(long))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != long {
			t.Fatalf("1 MB came back changed: %v", err)
		}
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(c); err != nil || len(rest) != 0 {
			t.Errorf("after FIN: %q %v", rest, err)
		}
		await(t, "link ends", func() bool { return p.Stats().Open == 0 })
		n := int64(len(long))
		if s := p.Stats(); s != (ProxyStats{Accepted: 1, ToTarget: n, FromTarget: n, ToClient: n}) {
			t.Errorf("stats %+v", s)
		}
	})
}

func hostPort(p *TCPProxy) string {
	s := p.Endpoint[strings.Index(p.Endpoint, "://")+3:]
	return s[:strings.IndexByte(s, '/')]
}

// disturbed starts an echo, a proxy and a client that has spoken once.
func disturbed(t *testing.T) (*echo, *TCPProxy, net.Conn) {
	t.Helper()
	e := newEcho(t)
	p := Proxy(t, "tcp://"+e.addr+"/")
	c := dialTCP(t, hostPort(p))
	if got := send(t, c, "hello"); got != "hello" {
		t.Fatalf("got %q", got)
	}
	return e, p, c
}

func TestProxyCutResetsBothSides(t *testing.T) {
	e, p, c := disturbed(t)
	p.Cut()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("client sees %v", err)
	}
	if err := <-e.ends; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("target sees %v", err)
	}
	if got := send(t, dialTCP(t, hostPort(p)), "again"); got != "again" {
		t.Errorf("a new connection after a cut: %q", got)
	}
}

func TestProxyFinEndsBothSidesInOrder(t *testing.T) {
	e, p, c := disturbed(t)
	p.Fin()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("client sees %v", err)
	}
	if err := <-e.ends; err != nil {
		t.Errorf("target sees %v", err)
	}
}

func TestProxyFreezeKeepsSocketsAndData(t *testing.T) {
	_, p, c := disturbed(t)
	p.Freeze()
	if _, err := io.WriteString(c, "held"); err != nil {
		t.Fatalf("write into a frozen connection: %v", err)
	}
	mustNotArrive(t, c)
	if s := p.Stats(); s.Open != 1 {
		t.Errorf("stats %+v", s)
	}
	late := dialTCP(t, hostPort(p)) // the kernel takes it
	p.Thaw()
	got := make([]byte, 4)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "held" {
		t.Errorf("after thaw: %q %v", got, err)
	}
	if got := send(t, late, "late"); got != "late" {
		t.Errorf("connection made while frozen: %q", got)
	}
}

func mustNotArrive(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("%d bytes came through", n)
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
}

func TestProxyFreezeAnswers(t *testing.T) {
	_, p, c := disturbed(t)
	p.FreezeAnswers()
	if _, err := io.WriteString(c, "asked"); err != nil {
		t.Fatal(err)
	}
	await(t, "the target answers", func() bool { return p.Stats().FromTarget == int64(len("hello")+len("asked")) })
	mustNotArrive(t, c)
	if s := p.Stats(); s.ToClient != int64(len("hello")) {
		t.Errorf("stats %+v", s)
	}
	p.Cut()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("client sees %v", err)
	}
}

func TestProxyRefuse(t *testing.T) {
	_, p, c := disturbed(t)
	p.Refuse(true)
	if c2, err := net.Dial("tcp4", hostPort(p)); !errors.Is(err, syscall.ECONNREFUSED) {
		if err == nil {
			c2.Close()
		}
		t.Errorf("dial: %v", err)
	}
	if got := send(t, c, "still open"); got != "still open" {
		t.Errorf("the open connection: %q", got)
	}
	p.Refuse(false)
	if got := send(t, dialTCP(t, hostPort(p)), "again"); got != "again" {
		t.Errorf("got %q", got)
	}
}

func TestProxyDelayHoldsEachWay(t *testing.T) {
	_, p, c := disturbed(t)
	const d = 100 * time.Millisecond
	p.Delay(d)
	began := time.Now()
	send(t, c, "slow")
	if took := time.Since(began); took < 2*d {
		t.Errorf("there and back in %v with %v each way", took, d)
	}
	// Many blocks on their way at once take no longer than one.
	p.Delay(d)
	began = time.Now()
	for range 50 {
		if _, err := io.WriteString(c, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.ReadFull(c, make([]byte, 50)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 50*d {
		t.Errorf("50 blocks took %v: the delay limits the flow", took)
	}
}

func TestProxyCorruptNext(t *testing.T) {
	_, p, c := disturbed(t)
	p.CorruptNext(3)
	got := send(t, c, "abcdef")
	want := append([]byte{'a' ^ 0xff, 'b' ^ 0xff, 'c' ^ 0xff}, "def"...)
	if !bytes.Equal([]byte(got), want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := send(t, c, "clean"); got != "clean" {
		t.Errorf("later data: %q", got)
	}
}

func TestProxyTargetGone(t *testing.T) {
	port := reservePort(t)
	p := Proxy(t, "tcp://"+loopback(port)+"/")
	c, err := net.Dial("tcp4", hostPort(p))
	if err != nil {
		return // reset before the dial returned
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection to nothing: %v", err)
	}
}
