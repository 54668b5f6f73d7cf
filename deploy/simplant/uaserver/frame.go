package uaserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gopcua/opcua/ua"
)

// Message types of the OPC UA connection protocol (OPC 10000-6 §7.1.2, §6.7.2).
const (
	typeHello = "HEL"
	typeAck   = "ACK"
	typeError = "ERR"
	typeOpen  = "OPN"
	typeMsg   = "MSG"
	typeClose = "CLO"
)

// Layout of a symmetric chunk without security:
//
//	0      3  4        8           12       16         20          24
//	┌──────┬──┬────────┬───────────┬────────┬──────────┬───────────┬──────
//	│ type │F │ size   │ channel   │ token  │ sequence │ request   │ body…
//	└──────┴──┴────────┴───────────┴────────┴──────────┴───────────┴──────
const (
	basicHeader = 8  // type, chunk kind, size
	chunkHeader = 24 // up to the body
)

// minBufferSize is the smallest buffer a peer may announce (OPC 10000-6 §7.1.2.3).
const minBufferSize = 8192

// bufferSize is the receive buffer that this server announces: the largest chunk it takes.
const bufferSize = 65535

// frameError is a violation of the connection protocol: the peer gets an ERR message
// with Status and the connection ends.
type frameError struct {
	Status ua.StatusCode
	Reason string
}

func (e *frameError) Error() string { return fmt.Sprintf("%s: %v", e.Reason, e.Status) }

func badFrame(status ua.StatusCode, format string, args ...any) error {
	return &frameError{Status: status, Reason: fmt.Sprintf(format, args...)}
}

// readFrame reads one message chunk into buf, growing it up to max bytes, and returns
// its type and all its bytes with headers.
func readFrame(r io.Reader, buf []byte, limit uint32) (kind string, frame []byte, err error) {
	var hdr [basicHeader]byte
	if _, err = io.ReadFull(r, hdr[:]); err != nil {
		return "", buf, err
	}
	size := binary.LittleEndian.Uint32(hdr[4:])
	if size < basicHeader {
		return "", buf, badFrame(ua.StatusBadTCPMessageTypeInvalid, "chunk of %d bytes is shorter than its header", size)
	}
	if size > limit {
		return "", buf, badFrame(ua.StatusBadTCPMessageTooLarge, "chunk of %d bytes is larger than %d", size, limit)
	}
	buf = append(buf[:0], hdr[:]...)
	if cap(buf) < int(size) {
		grown := make([]byte, basicHeader, size)
		copy(grown, buf)
		buf = grown
	}
	buf = buf[:size]
	if _, err = io.ReadFull(r, buf[basicHeader:]); err != nil {
		return "", buf, noEOF(err)
	}
	return string(hdr[:3]), buf, nil
}

// noEOF turns an end of stream inside a frame into an error of its own.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// chunk is a parsed symmetric chunk.
type chunk struct {
	kind      byte // 'F', 'C' or 'A'
	channel   uint32
	token     uint32
	requestID uint32
	body      []byte
}

func parseChunk(frame []byte) (chunk, error) {
	if len(frame) < chunkHeader {
		return chunk{}, badFrame(ua.StatusBadDecodingError, "MSG chunk of %d bytes has no sequence header", len(frame))
	}
	le := binary.LittleEndian
	return chunk{
		kind:      frame[3],
		channel:   le.Uint32(frame[8:]),
		token:     le.Uint32(frame[12:]),
		requestID: le.Uint32(frame[20:]),
		body:      frame[chunkHeader:],
	}, nil
}

// assembler joins the chunks of one request. Chunks of different requests are not
// interleaved on one channel (OPC 10000-6 §6.7.2.1), so one buffer is enough.
type assembler struct {
	maxBytes  uint32
	maxChunks uint32
	buf       []byte
	chunks    uint32
	requestID uint32
}

// add takes one chunk. It returns the complete body with the final chunk, valid until
// the next call, and nil before; an abort chunk discards what was collected.
func (a *assembler) add(c chunk) ([]byte, error) {
	if a.chunks > 0 && c.requestID != a.requestID {
		return nil, badFrame(ua.StatusBadDecodingError, "chunk of request %d inside request %d", c.requestID, a.requestID)
	}
	if c.kind == 'A' {
		a.reset()
		return nil, nil
	}
	if c.kind != 'F' && c.kind != 'C' {
		return nil, badFrame(ua.StatusBadTCPMessageTypeInvalid, "chunk kind %q", c.kind)
	}
	a.requestID = c.requestID
	a.chunks++
	if a.chunks > a.maxChunks || uint32(len(a.buf)+len(c.body)) > a.maxBytes {
		return nil, badFrame(ua.StatusBadTCPMessageTooLarge, "request %d exceeds %d bytes or %d chunks", c.requestID, a.maxBytes, a.maxChunks)
	}
	if c.kind == 'F' && a.chunks == 1 {
		a.chunks = 0
		return c.body, nil
	}
	a.buf = append(a.buf, c.body...)
	if c.kind == 'C' {
		return nil, nil
	}
	body := a.buf
	a.reset()
	return body, nil
}

func (a *assembler) reset() { a.buf, a.chunks = a.buf[:0], 0 }

// appendChunks frames body as one message of the given request, in chunks of at most
// chunkSize bytes with headers, numbering them from *seq.
func appendChunks(b, body []byte, chunkSize int, channel, token, requestID uint32, seq *uint32) []byte {
	le := binary.LittleEndian
	room := chunkSize - chunkHeader
	for {
		part, kind := body, byte('F')
		if len(body) > room {
			part, kind = body[:room], 'C'
		}
		b = append(b, 'M', 'S', 'G', kind)
		b = le.AppendUint32(b, uint32(chunkHeader+len(part)))
		b = le.AppendUint32(b, channel)
		b = le.AppendUint32(b, token)
		b = le.AppendUint32(b, *seq)
		b = le.AppendUint32(b, requestID)
		b = append(b, part...)
		*seq = nextChunkSequence(*seq)
		if kind == 'F' {
			return b
		}
		body = body[room:]
	}
}

// nextChunkSequence wraps below 4294966271, as OPC 10000-6 §6.7.2.4 asks.
func nextChunkSequence(n uint32) uint32 {
	if n >= 4294966271 {
		return 1
	}
	return n + 1
}
