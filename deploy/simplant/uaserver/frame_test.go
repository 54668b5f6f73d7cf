package uaserver

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"pgregory.net/rapid"
)

// TestChunksRoundTrip frames bodies of any size and puts them together again.
func TestChunksRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(minBufferSize, bufferSize).Draw(t, "chunk size")
		first := rapid.Uint32().Draw(t, "sequence")
		a := assembler{maxBytes: 1 << 30, maxChunks: 1 << 20}
		seq := first
		var wire []byte
		var bodies [][]byte
		for i := range rapid.IntRange(1, 3).Draw(t, "messages") {
			body := bytes.Repeat([]byte{byte(i + 1)}, rapid.IntRange(0, 3*size).Draw(t, "length"))
			bodies = append(bodies, body)
			wire = appendChunks(wire, body, size, 7, 9, uint32(i), &seq)
		}
		r, next := bytes.NewReader(wire), first
		for len(bodies) > 0 {
			kind, frame, err := readFrame(r, nil, uint32(size))
			if err != nil || kind != typeMsg {
				t.Fatalf("%q, %v", kind, err)
			}
			if got := uint32(frame[16]) | uint32(frame[17])<<8 | uint32(frame[18])<<16 | uint32(frame[19])<<24; got != next {
				t.Fatalf("sequence %d, want %d", got, next)
			}
			next = nextChunkSequence(next)
			c, err := parseChunk(frame)
			if err != nil || c.channel != 7 || c.token != 9 {
				t.Fatalf("%+v, %v", c, err)
			}
			got, err := a.add(c)
			if err != nil {
				t.Fatal(err)
			}
			if got == nil {
				continue
			}
			if !bytes.Equal(got, bodies[0]) {
				t.Fatalf("body of %d bytes became %d bytes", len(bodies[0]), len(got))
			}
			bodies = bodies[1:]
		}
		if r.Len() != 0 || next != seq {
			t.Fatalf("%d bytes left", r.Len())
		}
	})
}

func TestChunkSequenceWraps(t *testing.T) {
	for n, want := range map[uint32]uint32{1: 2, 4294966270: 4294966271, 4294966271: 1, 1<<32 - 1: 1} {
		if got := nextChunkSequence(n); got != want {
			t.Errorf("after %d comes %d, want %d", n, got, want)
		}
	}
}

func TestAssemblerRefuses(t *testing.T) {
	f := func(name string, want ua.StatusCode, chunks ...chunk) {
		t.Helper()
		a := assembler{maxBytes: 10, maxChunks: 3}
		var err error
		for _, c := range chunks {
			if _, err = a.add(c); err != nil {
				break
			}
		}
		var fe *frameError
		if want == ua.StatusOK && err != nil || want != ua.StatusOK && (!errors.As(err, &fe) || fe.Status != want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	part := func(kind byte, id uint32, n int) chunk {
		return chunk{kind: kind, requestID: id, body: make([]byte, n)}
	}
	f("fits", ua.StatusOK, part('C', 1, 5), part('F', 1, 5))
	f("too long", ua.StatusBadTCPMessageTooLarge, part('C', 1, 5), part('F', 1, 6))
	f("too long at once", ua.StatusBadTCPMessageTooLarge, part('F', 1, 11))
	f("too many", ua.StatusBadTCPMessageTooLarge, part('C', 1, 1), part('C', 1, 1), part('C', 1, 1), part('F', 1, 1))
	f("interleaved", ua.StatusBadDecodingError, part('C', 1, 1), part('F', 2, 1))
	f("aborted", ua.StatusOK, part('C', 1, 9), part('A', 1, 4), part('F', 2, 10))
	f("unknown kind", ua.StatusBadTCPMessageTypeInvalid, part('X', 1, 1))
}

func FuzzFrames(f *testing.F) {
	seq := uint32(1)
	f.Add(appendChunks(nil, []byte("body"), minBufferSize, 1, 2, 3, &seq))
	f.Add(basicFrame(typeHello, []byte("hello")))
	f.Add([]byte("MSGF\xff\xff\xff\xff"))
	f.Add([]byte("OPNF\x08\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		a := assembler{maxBytes: 1 << 16, maxChunks: 8}
		var buf []byte
		for {
			kind, frame, err := readFrame(r, buf, bufferSize)
			if err != nil {
				return
			}
			buf = frame
			if kind == typeOpen {
				if len(frame) >= 12 {
					_, _, _ = decodeOpen(frame)
				}
				continue
			}
			c, err := parseChunk(frame)
			if err != nil {
				return
			}
			if len(c.body)+chunkHeader != len(frame) {
				t.Fatalf("body of %d bytes in a chunk of %d", len(c.body), len(frame))
			}
			body, err := a.add(c)
			if err != nil {
				return
			}
			if len(body) > 1<<16 {
				t.Fatalf("assembled %d bytes", len(body))
			}
		}
	})
}

// FuzzDispatch feeds request bodies to a server with a session: no input may panic or
// hang it, and every request that decodes is answered at most once.
func FuzzDispatch(f *testing.F) {
	seed := func(req ua.Request) {
		req.SetHeader(&ua.RequestHeader{AuthenticationToken: ua.NewTwoByteNodeID(0), AdditionalHeader: ua.NewExtensionObject(nil)})
		body, err := ua.Encode(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(appendTypeID(nil, ua.ServiceTypeID(req)), body...))
	}
	seed(anything())
	seed(activation())
	seed(browseRequest(ua.NewNumericNodeID(0, id.ObjectsFolder), 1))
	seed(&ua.PublishRequest{SubscriptionAcknowledgements: []*ua.SubscriptionAcknowledgement{{SubscriptionID: 1, SequenceNumber: 1}}})
	seed(&ua.CreateSubscriptionRequest{RequestedPublishingInterval: 100})
	seed(&ua.WriteRequest{})
	seed(&ua.TransferSubscriptionsRequest{SubscriptionIDs: []uint32{1}, SendInitialValues: true})
	history := func(d *ua.ReadRawModifiedDetails, point string) *ua.HistoryReadRequest {
		return historyRequest(d, &ua.HistoryReadValueID{NodeID: ua.NewStringNodeID(2, "V"), ContinuationPoint: []byte(point)})
	}
	seed(history(&ua.ReadRawModifiedDetails{StartTime: rigStart.Add(-time.Hour), EndTime: rigStart.Add(time.Hour), ReturnBounds: true}, ""))
	seed(history(&ua.ReadRawModifiedDetails{EndTime: rigStart, NumValuesPerNode: 3}, ""))
	seed(history(&ua.ReadRawModifiedDetails{StartTime: rigStart, NumValuesPerNode: 3, ReturnBounds: true}, "hp-1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := New(Options{Namespaces: []string{testURI}, History: 4, Now: func() time.Time { return rigStart }})
		v, err := s.AddVariable(NodeSpec{Namespace: testURI, Path: "V", Initial: 1.0})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if err := v.Set(float64(i), ua.StatusOK, rigStart.Add(time.Duration(i)*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		p := newPeer()
		// Whatever token the bytes name, let it be that of an active session.
		if req, err := decodeRequest(b); err == nil && req.header.AuthenticationToken != nil {
			token := req.header.AuthenticationToken.String()
			s.sessions[token] = &session{
				id: ua.NewTwoByteNodeID(1), token: token, peer: p, activated: true, timeout: 1e9, seen: s.now(),
				subs: make(map[uint32]*subscription), points: make(map[string]*continuation),
				history: map[string]*historyRead{"hp-1": newHistoryRead(v, &rawDetails{Start: 1, End: DateTimeOf(rigStart)}, ua.TimestampsToReturnBoth, 2, false)},
			}
		}
		if err := s.dispatch(p, 1, b); err != nil {
			var fe *frameError
			if !errors.As(err, &fe) {
				t.Fatalf("error without a status for the client: %v", err)
			}
		}
		if len(p.order) > 1 {
			t.Fatalf("%d answers", len(p.order))
		}
	})
}
