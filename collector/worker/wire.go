package worker

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"kvarts/collector/buffer"
	"kvarts/collector/uasession"
	"kvarts/historian/telemetry"
)

// Kind is the type of a frame on the pipe between parent and worker.
//
//	frame = length of body 4 (little endian) | kind 1 | body
//
// Parent to worker: Tracks*, Setup, then Ack and Setup (reload) as they come, at last Stop. The end of the stream
// without it means that the parent is gone.
// Worker to parent: Block, Gap, Reject, Tracks, Known, Estate and State as they come. Their order is kept, so a frame may rely on
// all that was sent before it: a gap that stands before a block is on disk when the block is acknowledged.
type Kind uint8

// The kinds of frames.
const (
	KindSetup  Kind = 'C' // Setup, JSON
	KindStop   Kind = 'Q' // empty: deliver what there is and end
	KindAck    Kind = 'A' // id 8: every block up to id is on disk
	KindBlock  Kind = 'B' // Block
	KindGap    Kind = 'G' // telemetry.Gap, JSON
	KindReject Kind = 'R' // []Reject, JSON
	KindTracks Kind = 'T' // Tracks: numbering of one server's tags, after all its blocks so far
	KindState  Kind = 'S' // []uasession.ServerState, JSON
	KindKnown  Kind = 'K' // Known, JSON: after all blocks that it speaks of
	KindEstate Kind = 'E' // Estate, JSON: before the blocks of the subscriptions that it speaks of
)

// maxFrame bounds a frame's body. The largest are blocks: a flush of flushBytes of lines, and the tracks of a server
// with some 100,000 tags.
const maxFrame = 64 << 20

// Frame is one message on the pipe. Body is valid until the next call of Reader.Next.
type Frame struct {
	Kind Kind
	Body []byte
}

// Writer writes whole frames; safe for concurrent use.
type Writer struct {
	mu sync.Mutex
	w  io.Writer
	b  []byte
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write sends one frame whose body is filled by fill, which appends to the slice that it is given.
func (w *Writer) Write(kind Kind, fill func([]byte) ([]byte, error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, err := fill(append(w.b[:0], 0, 0, 0, 0, byte(kind)))
	if err != nil {
		return fmt.Errorf("encode frame %c: %w", kind, err)
	}
	if len(b)-5 > maxFrame {
		return fmt.Errorf("frame %c of %d bytes is larger than %d", kind, len(b)-5, maxFrame)
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-5))
	w.b = b
	if _, err := w.w.Write(b); err != nil {
		return fmt.Errorf("write frame %c: %w", kind, err)
	}
	return nil
}

// JSON sends v as a frame of kind.
func (w *Writer) JSON(kind Kind, v any) error {
	return w.Write(kind, func(b []byte) ([]byte, error) {
		j, err := json.Marshal(v)
		return append(b, j...), err
	})
}

// Ack tells the worker that every block up to id is on disk.
func (w *Writer) Ack(id uint64) error {
	return w.Write(KindAck, func(b []byte) ([]byte, error) { return binary.LittleEndian.AppendUint64(b, id), nil })
}

// Stop asks the worker to deliver what there is and to end.
func (w *Writer) Stop() error {
	return w.Write(KindStop, func(b []byte) ([]byte, error) { return b, nil })
}

// Block sends b.
func (w *Writer) Block(b *Block) error {
	return w.Write(KindBlock, func(dst []byte) ([]byte, error) { return appendBlock(dst, b) })
}

// Tracks sends t.
func (w *Writer) Tracks(t *Tracks) error {
	return w.Write(KindTracks, func(b []byte) ([]byte, error) { return t.AppendBinary(b), nil })
}

// Reader reads frames.
type Reader struct {
	r   *bufio.Reader
	buf []byte
}

// NewReader returns a Reader from r.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, 1<<16)} }

// Next reads the next frame: io.EOF at the end of the stream, io.ErrUnexpectedEOF when it ends within a frame (the
// other side was killed while writing it).
func (r *Reader) Next() (Frame, error) {
	var head [5]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return Frame{}, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > maxFrame {
		return Frame{}, fmt.Errorf("frame %q of %d bytes is larger than %d", head[4], n, maxFrame)
	}
	if uint32(cap(r.buf)) < n {
		r.buf = make([]byte, n)
	}
	r.buf = r.buf[:n]
	if _, err := io.ReadFull(r.r, r.buf); err != nil {
		return Frame{}, io.ErrUnexpectedEOF
	}
	return Frame{Kind: Kind(head[4]), Body: r.buf}, nil
}

func decodeJSON(f Frame, v any) error {
	if err := json.Unmarshal(f.Body, v); err != nil {
		return fmt.Errorf("decode frame %c: %w", f.Kind, err)
	}
	return nil
}

// Decode reads the body of a JSON frame.
func Decode[T any](f Frame) (v T, err error) {
	err = decodeJSON(f, &v)
	return v, err
}

// AckID reads the body of an Ack frame.
func AckID(body []byte) (uint64, error) {
	if len(body) != 8 {
		return 0, errBody(KindAck, body)
	}
	return binary.LittleEndian.Uint64(body), nil
}

func errBody(k Kind, body []byte) error {
	return fmt.Errorf("frame %c: body of %d bytes is malformed", k, len(body))
}

// Block is one block on its way to the buffer. Ids count from 1 within the life of a worker.
type Block struct {
	ID uint64
	// Mark is the newest message that is complete with this block: its stream and number. Stream 0: there is none.
	Mark uasession.Mark
	buffer.Record
}

// appendBlock encodes b:
//
//	id 8 | stream 8 | message 4 | class 1 | samples 4 | lines 4 | first 8 | last 8 | published 8 | received 8 | len+server | len+group | payload
func appendBlock(dst []byte, b *Block) ([]byte, error) {
	if len(b.Server) > 255 || len(b.Group) > 255 {
		return nil, errors.New("name of server or group is longer than 255 bytes")
	}
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, b.ID)
	dst = le.AppendUint64(dst, b.Mark.Stream)
	dst = le.AppendUint32(dst, b.Mark.Seq)
	dst = append(dst, byte(b.Class))
	dst = le.AppendUint32(dst, b.Samples)
	dst = le.AppendUint32(dst, b.Lines)
	for _, t := range [...]telemetry.Instant{b.First, b.Last, b.Published, b.Received} {
		dst = le.AppendUint64(dst, uint64(t))
	}
	dst = append(append(dst, byte(len(b.Server))), b.Server...)
	dst = append(append(dst, byte(len(b.Group))), b.Group...)
	return append(dst, b.Payload...), nil
}

// ParseBlock reads the body of a Block frame. Payload aliases body.
func ParseBlock(body []byte) (Block, error) {
	const fixed = 8 + 8 + 4 + 1 + 4 + 4 + 4*8
	var b Block
	if len(body) < fixed {
		return b, errBody(KindBlock, body)
	}
	le := binary.LittleEndian
	b.ID, b.Mark = le.Uint64(body), uasession.Mark{Stream: le.Uint64(body[8:]), Seq: le.Uint32(body[16:])}
	b.Class = buffer.Class(body[20])
	b.Samples, b.Lines = le.Uint32(body[21:]), le.Uint32(body[25:])
	for i, t := range [...]*telemetry.Instant{&b.First, &b.Last, &b.Published, &b.Received} {
		*t = telemetry.Instant(le.Uint64(body[29+8*i:]))
	}
	rest := body[fixed:]
	for _, name := range [...]*string{&b.Server, &b.Group} {
		if len(rest) == 0 || len(rest) < 1+int(rest[0]) {
			return b, errBody(KindBlock, body)
		}
		*name, rest = string(rest[1:1+rest[0]]), rest[1+rest[0]:]
	}
	b.Kind, b.Payload = buffer.Data, rest
	return b, nil
}

// Known holds per server and group up to when (server's clock) nothing is missing, for groups in which nothing happens.
type Known map[string]map[string]telemetry.Instant

// Reject is a value that cannot be stored: it goes to quarantine with the reason.
type Reject struct {
	Server string            `json:"server"`
	Group  string            `json:"group"`
	Series string            `json:"series"`
	Field  string            `json:"field"`
	Value  string            `json:"value"`
	Status telemetry.Status  `json:"status"`
	Source telemetry.Instant `json:"source"`
	Reason string            `json:"reason"`
}
