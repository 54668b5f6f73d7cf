package uaserver

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uacp"
)

// flushTimeout bounds how long a closing connection tries to write its last bytes.
const flushTimeout = 2 * time.Second

// conn is one TCP connection with its secure channel. Its reader goroutine owns every
// field above mu; responses come from any goroutine through send.
//
//	HEL → ACK → OPN (issue) → MSG … OPN (renew) … MSG → CLO
type conn struct {
	srv       *Server
	limits    Limits // as of the beginning of the connection
	nc        net.Conn
	r         *bufio.Reader
	frame     []byte
	asm       assembler
	prevToken uint32    // still accepted until the current one was used
	renewedAt time.Time // when the current token was issued
	lifetime  time.Duration

	mu      sync.Mutex
	cond    sync.Cond // out grew, out shrank, or the connection closes
	out     []byte    // framed bytes that wait for the writer
	closing bool      // write what is queued, then close
	dead    bool      // the socket is closed
	seq     uint32    // sequence number of the next chunk
	channel uint32    // secure channel id; 0 before OPN
	token   uint32    // newest security token
	active  uint32    // token of what is sent: the newest one that the peer has used
	maxSend int       // largest chunk the peer takes
	maxMsg  uint32    // largest response the peer takes; 0: no limit
	maxCnt  uint32    // most chunks in a response; 0: no limit
}

// newConn prepares a connection; Server.mu is held.
func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, limits: s.limits, nc: nc, r: bufio.NewReaderSize(nc, 32<<10), seq: 1, maxSend: minBufferSize}
	c.cond.L = &c.mu
	c.asm = assembler{maxBytes: c.limits.MaxRequestSize, maxChunks: c.limits.MaxChunkCount}
	return c
}

// run serves the connection until it ends; both of its goroutines have ended when it
// returns.
func (c *conn) run() {
	var writer sync.WaitGroup
	writer.Go(c.write)
	err := c.serve()
	c.srv.dropPeer(c)
	var fe *frameError
	if errors.As(err, &fe) {
		c.sendError(fe.Status, fe.Reason)
	}
	c.hangUp()
	writer.Wait()
}

// serve reads and dispatches until the peer closes or breaks the protocol.
func (c *conn) serve() error {
	if err := c.nc.SetReadDeadline(time.Now().Add(c.limits.HandshakeTimeout)); err != nil {
		return err
	}
	if err := c.hello(); err != nil {
		return err
	}
	for {
		kind, frame, err := readFrame(c.r, c.frame, bufferSize)
		c.frame = frame
		if err != nil {
			return err
		}
		switch kind {
		case typeOpen:
			err = c.open(frame)
		case typeMsg:
			err = c.message(frame)
		case typeClose:
			return nil
		default:
			err = badFrame(ua.StatusBadTCPMessageTypeInvalid, "message type %q", kind)
		}
		if err != nil {
			return err
		}
	}
}

// hello answers the peer's HEL with ACK and takes over its limits.
func (c *conn) hello() error {
	kind, frame, err := readFrame(c.r, c.frame, bufferSize)
	c.frame = frame
	if err != nil {
		return err
	}
	if kind != typeHello {
		return badFrame(ua.StatusBadTCPMessageTypeInvalid, "%q in place of HEL", kind)
	}
	var hel uacp.Hello
	if _, err := hel.Decode(frame[basicHeader:]); err != nil {
		return badFrame(ua.StatusBadDecodingError, "decode HEL: %v", err)
	}
	if hel.ReceiveBufSize < minBufferSize || hel.SendBufSize < minBufferSize {
		return badFrame(ua.StatusBadConnectionRejected, "buffers of %d and %d bytes", hel.ReceiveBufSize, hel.SendBufSize)
	}
	ack := uacp.Acknowledge{
		ReceiveBufSize: min(bufferSize, hel.SendBufSize),
		SendBufSize:    min(bufferSize, hel.ReceiveBufSize),
		MaxMessageSize: c.limits.MaxRequestSize,
		MaxChunkCount:  c.limits.MaxChunkCount,
	}
	body, err := ack.Encode()
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.maxSend, c.maxMsg, c.maxCnt = int(ack.SendBufSize), hel.MaxMessageSize, hel.MaxChunkCount
	c.mu.Unlock()
	c.sendRaw(basicFrame(typeAck, body))
	return nil
}

// basicFrame puts the basic header before body.
func basicFrame(kind string, body []byte) []byte {
	b := append([]byte(kind), 'F')
	b = binary.LittleEndian.AppendUint32(b, uint32(basicHeader+len(body)))
	return append(b, body...)
}

// message handles one MSG chunk.
func (c *conn) message(frame []byte) error {
	ch, err := parseChunk(frame)
	if err != nil {
		return err
	}
	if err := c.checkToken(ch); err != nil {
		return err
	}
	body, err := c.asm.add(ch)
	if err != nil || body == nil {
		return err
	}
	c.throttle()
	return c.srv.dispatch(c, ch.requestID, body)
}

// checkToken accepts the current token and, until that was used once, the one before;
// both only within their lifetime and a quarter (OPC 10000-4 §5.5.2.1).
func (c *conn) checkToken(ch chunk) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.channel == 0 || ch.channel != c.channel:
		return badFrame(ua.StatusBadTCPSecureChannelUnknown, "secure channel %d", ch.channel)
	case ch.token == c.token:
		c.prevToken, c.active = c.token, c.token
	case ch.token != c.prevToken:
		return badFrame(ua.StatusBadSecureChannelTokenUnknown, "security token %d", ch.token)
	}
	if time.Since(c.renewedAt) > c.lifetime+c.lifetime/4 {
		return badFrame(ua.StatusBadSecureChannelTokenUnknown, "security token %d expired", ch.token)
	}
	return nil
}

// open handles OPN: it issues the channel or renews its token.
func (c *conn) open(frame []byte) error {
	if len(frame) < 12 {
		return badFrame(ua.StatusBadDecodingError, "OPN of %d bytes", len(frame))
	}
	requestID, req, err := decodeOpen(frame)
	if err != nil {
		return err
	}
	renew := req.RequestType == ua.SecurityTokenRequestTypeRenew
	c.mu.Lock()
	known := c.channel != 0 && binary.LittleEndian.Uint32(frame[8:]) == c.channel
	if renew != known {
		c.mu.Unlock()
		return badFrame(ua.StatusBadTCPSecureChannelUnknown, "renewal %t of channel %d", renew, c.channel)
	}
	c.prevToken = c.token
	if !renew {
		c.channel = c.srv.nextID()
	}
	c.token = c.srv.nextID()
	if !renew {
		c.active = c.token
	}
	c.lifetime = clamp(time.Duration(req.RequestedLifetime)*time.Millisecond, time.Second, c.limits.MaxChannelLifetime)
	c.renewedAt = time.Now()
	channel, token, lifetime := c.channel, c.token, c.lifetime
	c.mu.Unlock()

	if err := c.nc.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	now := c.srv.wallNow()
	body := appendTypeID(nil, id.OpenSecureChannelResponse_Encoding_DefaultBinary)
	body = appendResponseHeader(body, now, req.RequestHeader.RequestHandle, ua.StatusOK)
	le := binary.LittleEndian
	body = le.AppendUint32(body, 0) // ServerProtocolVersion
	body = le.AppendUint32(body, channel)
	body = le.AppendUint32(body, token)
	body = le.AppendUint64(body, uint64(now))
	body = le.AppendUint32(body, uint32(lifetime/time.Millisecond))
	body = appendString(body, "\x00") // ServerNonce: one byte, unused without security
	c.sendOpen(channel, requestID, body)
	return nil
}

// decodeOpen parses an OPN message of policy None.
func decodeOpen(frame []byte) (requestID uint32, req *ua.OpenSecureChannelRequest, err error) {
	defer recoverDecode("OPN", &err)
	buf := ua.NewBuffer(frame[12:])
	policy := buf.ReadString()
	buf.ReadBytes() // sender certificate
	buf.ReadBytes() // receiver thumbprint
	buf.ReadUint32()
	requestID = buf.ReadUint32()
	if err := buf.Error(); err != nil {
		return 0, nil, badFrame(ua.StatusBadDecodingError, "decode OPN header: %v", err)
	}
	if policy != ua.SecurityPolicyURINone {
		return 0, nil, badFrame(ua.StatusBadSecurityPolicyRejected, "security policy %q", policy)
	}
	_, svc, err := ua.DecodeService(buf.Bytes())
	if err != nil {
		return 0, nil, badFrame(ua.StatusBadDecodingError, "decode OPN: %v", err)
	}
	req, ok := svc.(*ua.OpenSecureChannelRequest)
	if !ok {
		return 0, nil, badFrame(ua.StatusBadTCPMessageTypeInvalid, "%T in OPN", svc)
	}
	if req.SecurityMode != ua.MessageSecurityModeNone {
		return 0, nil, badFrame(ua.StatusBadSecurityModeRejected, "security mode %v", req.SecurityMode)
	}
	return requestID, req, nil
}

// sendOpen frames an OPN response; it carries the asymmetric header.
func (c *conn) sendOpen(channel, requestID uint32, body []byte) {
	le := binary.LittleEndian
	c.mu.Lock()
	defer c.mu.Unlock()
	rest := le.AppendUint32(nil, channel)
	rest = appendString(rest, ua.SecurityPolicyURINone)
	rest = le.AppendUint32(rest, nullLength)
	rest = le.AppendUint32(rest, nullLength)
	rest = le.AppendUint32(rest, c.seq)
	rest = le.AppendUint32(rest, requestID)
	c.seq = nextChunkSequence(c.seq)
	c.queue(basicFrame(typeOpen, append(rest, body...)))
}

// clamp limits d to [lo, hi].
func clamp(d, lo, hi time.Duration) time.Duration { return max(lo, min(d, hi)) }
