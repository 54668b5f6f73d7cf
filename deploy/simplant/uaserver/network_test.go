package uaserver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uacp"
	"github.com/gopcua/opcua/uasc"
)

// channel opens a bare gopcua client without session, monitor and reconnect.
func channel(t *testing.T, s *Server, opts ...opcua.Option) *opcua.Client {
	t.Helper()
	opts = append([]opcua.Option{opcua.SecurityMode(ua.MessageSecurityModeNone), opcua.RequestTimeout(10 * time.Second)}, opts...)
	c, err := opcua.NewClient(s.Endpoint(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = c.Close(ctx) // what it talks to may be gone
	})
	return c
}

// session opens and activates a session on a bare client.
func openSession(t *testing.T, c *opcua.Client) *opcua.Session {
	t.Helper()
	sess, err := c.CreateSession(t.Context(), sessionConfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ActivateSession(t.Context(), sess); err != nil {
		t.Fatal(err)
	}
	return sess
}

func sessionConfig() *uasc.SessionConfig {
	return &uasc.SessionConfig{
		ClientDescription:  &ua.ApplicationDescription{ApplicationURI: "urn:test", ApplicationName: ua.NewLocalizedText("test")},
		UserIdentityToken:  &ua.AnonymousIdentityToken{PolicyID: "anonymous"},
		UserTokenSignature: &ua.SignatureData{},
		SessionTimeout:     time.Minute,
	}
}

// ask sends a request and returns the response.
func ask[T ua.Response](t *testing.T, c *opcua.Client, req ua.Request) (T, error) {
	t.Helper()
	var resp T
	err := c.Send(t.Context(), req, func(r ua.Response) error {
		var ok bool
		if resp, ok = r.(T); !ok {
			return fmt.Errorf("response is a %T", r)
		}
		return nil
	})
	return resp, err
}

func TestManyItemsOverChunks(t *testing.T) {
	s := startServer(t, Options{})
	var reads []*ua.ReadValueID
	text := strings.Repeat("silicon ", 64) // 512 bytes: the response needs several chunks
	for i := range 1000 {
		v := mustVariable(t, s, NodeSpec{Path: fmt.Sprintf("V%d", i), Initial: fmt.Sprint(i, text)})
		reads = append(reads, &ua.ReadValueID{NodeID: v.NodeID(), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}})
	}
	c := channel(t, s)
	openSession(t, c)
	resp, err := ask[*ua.ReadResponse](t, c, &ua.ReadRequest{NodesToRead: reads})
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range resp.Results {
		if got.Value.Value() != fmt.Sprint(i, text) {
			t.Fatalf("value %d: %.40q", i, got.Value.Value())
		}
	}
}

func TestSessionSurvivesLostConnections(t *testing.T) {
	s := startServer(t, Options{})
	v := mustVariable(t, s, NodeSpec{Path: "V", Initial: 1.0})
	first := channel(t, s)
	sess := openSession(t, first)
	sub, err := ask[*ua.CreateSubscriptionResponse](t, first, &ua.CreateSubscriptionRequest{
		RequestedPublishingInterval: 10, RequestedLifetimeCount: 1000, RequestedMaxKeepAliveCount: 5, PublishingEnabled: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask[*ua.CreateMonitoredItemsResponse](t, first, &ua.CreateMonitoredItemsRequest{
		SubscriptionID: sub.SubscriptionID, TimestampsToReturn: ua.TimestampsToReturnBoth,
		ItemsToCreate: []*ua.MonitoredItemCreateRequest{itemRequest(v, 1, 0, 100, true, nil)},
	}); err != nil {
		t.Fatal(err)
	}
	s.KillConnections()
	if err := v.Set(2.0, ua.StatusOK, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := ask[*ua.ReadResponse](t, first, anything()); err == nil {
		t.Fatal("a killed connection answered")
	}
	second := channel(t, s)
	if err := second.ActivateSession(t.Context(), sess); err != nil {
		t.Fatal(err)
	}
	p, err := ask[*ua.PublishResponse](t, second, &ua.PublishRequest{})
	if err != nil || dump(p) != "1: 1=1 1=2" {
		t.Errorf("%s, %v", dump(p), err)
	}
}

func TestRestartWithPermutedNamespaces(t *testing.T) {
	s := startServer(t, Options{Namespaces: []string{"urn:a", "urn:b"}})
	v := mustVariable(t, s, NodeSpec{Namespace: "urn:b", Path: "V", Initial: 5.0})
	c := channel(t, s)
	sess := openSession(t, c)
	endpoint := s.Endpoint()
	if err := s.Restart(t.Context(), func(s *Server) error { return s.SetNamespaces("urn:b", "urn:kvarts:sim", "urn:a") }); err != nil {
		t.Fatal(err)
	}
	if s.Endpoint() != endpoint {
		t.Errorf("moved from %s to %s", endpoint, s.Endpoint())
	}
	c = channel(t, s)
	if err := c.ActivateSession(t.Context(), sess); !errors.Is(err, ua.StatusBadSessionIDInvalid) {
		t.Errorf("old session: %v", err)
	}
	c = channel(t, s)
	openSession(t, c)
	resp, err := ask[*ua.ReadResponse](t, c, &ua.ReadRequest{NodesToRead: []*ua.ReadValueID{{
		NodeID: ua.NewStringNodeID(1, "V"), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{},
	}}})
	if err != nil || resp.Results[0].Value.Float() != 5 || v.NodeID().Namespace() != 1 {
		t.Errorf("%+v, %v, %v", resp.Results[0], err, v.NodeID())
	}
}

func TestTokenRenewal(t *testing.T) {
	s := startServer(t, Options{})
	c := channel(t, s)
	openSession(t, c)
	for range 200 {
		if err := c.SecureChannel().Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := ask[*ua.ReadResponse](t, c, anything()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFreezeAndThaw(t *testing.T) {
	s := startServer(t, Options{})
	c := channel(t, s, opcua.RequestTimeout(100*time.Millisecond))
	openSession(t, c)
	s.Freeze()
	if _, err := ask[*ua.ReadResponse](t, c, anything()); !errors.Is(err, ua.StatusBadTimeout) {
		t.Fatalf("frozen server: %v", err)
	}
	s.Thaw()
	if _, err := ask[*ua.ReadResponse](t, c, anything()); err != nil {
		t.Errorf("thawed server: %v", err)
	}
	s.Freeze() // Close must get through a frozen server, too
}

func TestGarbageEndsInAnErrorOfTheClient(t *testing.T) {
	s := startServer(t, Options{})
	c := channel(t, s)
	openSession(t, c)
	s.GarbageBody("Read", func(at DateTime, handle uint32) []byte {
		head := ResponseHead(id.ReadResponse_Encoding_DefaultBinary, at, handle)
		return binary.LittleEndian.AppendUint32(head, 1<<31-1) // results that are not there
	})
	if _, err := ask[*ua.ReadResponse](t, c, anything()); err == nil {
		t.Error("a hostile length was accepted")
	}
}

// hello is a HEL message with the given buffer size.
func hello(t *testing.T, size uint32) []byte {
	t.Helper()
	h := uacp.Hello{ReceiveBufSize: size, SendBufSize: size, EndpointURL: "opc.tcp://x"}
	body, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return basicFrame(typeHello, body)
}

// TestHostileBytes sends what is no OPC UA and wants an ERR message and the end.
func TestHostileBytes(t *testing.T) {
	s := startServer(t, Options{})
	good := hello(t, bufferSize)
	f := func(name string, status ua.StatusCode, parts ...[]byte) {
		t.Helper()
		nc, err := net.Dial("tcp", strings.TrimPrefix(s.Endpoint(), "opc.tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if err := nc.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write(slices.Concat(parts...)); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(nc)
		if err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: %v", name, err)
		}
		i := strings.Index(string(got), "ERRF")
		if i < 0 || len(got) < i+12 {
			t.Errorf("%s: answered with %q", name, got)
			return
		}
		if code := ua.StatusCode(binary.LittleEndian.Uint32(got[i+8:])); code != status {
			t.Errorf("%s: %v, want %v", name, code, status)
		}
	}
	le := binary.LittleEndian
	f("http", ua.StatusBadTCPMessageTooLarge, []byte("GET / HTTP/1.1\r\n\r\n"))
	f("no hello", ua.StatusBadTCPMessageTypeInvalid, basicFrame(typeMsg, make([]byte, 16)))
	f("tiny buffers", ua.StatusBadConnectionRejected, hello(t, 100))
	f("short hello", ua.StatusBadDecodingError, basicFrame(typeHello, []byte{1, 2}))
	f("two hellos", ua.StatusBadTCPMessageTypeInvalid, good, good)
	f("chunk larger than the buffer", ua.StatusBadTCPMessageTooLarge, good, le.AppendUint32([]byte("MSGF"), 1<<31))
	f("chunk smaller than its header", ua.StatusBadTCPMessageTypeInvalid, good, le.AppendUint32([]byte("MSGF"), 3))
	f("message before OPN", ua.StatusBadTCPSecureChannelUnknown, good, basicFrame(typeMsg, make([]byte, 16)))
	f("message without a body", ua.StatusBadDecodingError, good, basicFrame(typeMsg, make([]byte, 4)))
	f("OPN with another policy", ua.StatusBadSecurityPolicyRejected, good,
		basicFrame(typeOpen, append(appendString(make([]byte, 4), ua.SecurityPolicyURIBasic256Sha256), make([]byte, 16)...)))
	f("OPN of zeros", ua.StatusBadSecurityPolicyRejected, good, basicFrame(typeOpen, make([]byte, 64)))
	f("OPN with a hostile length", ua.StatusBadDecodingError, good, basicFrame(typeOpen, append(make([]byte, 4), 0xFE, 0xFF, 0xFF, 0xFF)))
}

func TestCloseWithBusyClients(t *testing.T) {
	s := New(Options{Namespaces: []string{testURI}})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	for range 5 { // clients that say hello and nothing more
		nc, err := net.Dial("tcp", strings.TrimPrefix(s.Endpoint(), "opc.tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write(hello(t, bufferSize)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, nc)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, nc := range conns {
		nc.Close()
	}
	if err := s.Start(t.Context()); err == nil {
		t.Error("a closed server was started again")
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// TestClockSleeps makes sure that the clock goroutine wakes for what is due only.
func TestClockSleeps(t *testing.T) {
	s := startServer(t, Options{})
	wakes := 0
	s.mu.Lock()
	now := s.now
	s.now = func() time.Time { wakes++; return now() } // every round of the clock asks for the time
	s.mu.Unlock()
	c := channel(t, s)
	openSession(t, c)
	if _, err := ask[*ua.CreateSubscriptionResponse](t, c, &ua.CreateSubscriptionRequest{
		RequestedPublishingInterval: 50, RequestedLifetimeCount: 1000, RequestedMaxKeepAliveCount: 1, PublishingEnabled: true,
	}); err != nil {
		t.Fatal(err)
	}
	const cycles = 6
	for range cycles {
		if _, err := ask[*ua.PublishResponse](t, c, &ua.PublishRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if wakes > 20*cycles {
		t.Errorf("the time was asked for %d times in %d publishing cycles", wakes, cycles)
	}
}

func TestContextEndsServer(t *testing.T) {
	s := New(Options{Namespaces: []string{testURI}})
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(ctx); err == nil {
		t.Error("a running server was started again")
	}
	c := channel(t, s)
	openSession(t, c)
	cancel()
	if err := s.Start(t.Context()); err != nil { // as soon as the end of ctx is noticed
		for deadline := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(deadline); {
			err = s.Start(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c = channel(t, s)
	openSession(t, c)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
