package worker

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kvarts/collector/buffer"
	"kvarts/collector/uasession"
	"kvarts/historian/telemetry"
)

func TestBlockRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		instant := func(name string) telemetry.Instant { return telemetry.Instant(rapid.Int64().Draw(t, name)) }
		want := Block{ID: rapid.Uint64().Draw(t, "id"), Mark: uasession.Mark{Stream: rapid.Uint64().Draw(t, "stream"), Seq: rapid.Uint32().Draw(t, "seq")}, Record: buffer.Record{
			Class: buffer.Class(rapid.Byte().Draw(t, "class")), Server: rapid.StringN(0, 60, 255).Draw(t, "server"), Group: rapid.StringN(0, 60, 255).Draw(t, "group"),
			Samples: rapid.Uint32().Draw(t, "samples"), Lines: rapid.Uint32().Draw(t, "lines"), First: instant("first"), Last: instant("last"),
			Published: instant("published"), Received: instant("received"), Payload: rapid.SliceOf(rapid.Byte()).Draw(t, "payload")}}
		b, err := appendBlock(nil, &want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseBlock(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmp.Transformer("empty", func(b []byte) string { return string(b) })); d != "" {
			t.Fatal(d)
		}
	})
}

func TestReaderTellsACleanEndFromATornFrame(t *testing.T) {
	var pipe bytes.Buffer
	w := NewWriter(&pipe)
	for id := range uint64(3) {
		if err := w.Ack(id); err != nil {
			t.Fatal(err)
		}
	}
	whole := pipe.Bytes()
	frame := len(whole) / 3
	for cut := 0; cut <= len(whole); cut++ {
		r := NewReader(bytes.NewReader(whole[:cut]))
		n := 0
		var err error
		for ; err == nil; n++ {
			_, err = r.Next()
		}
		n--
		want := io.ErrUnexpectedEOF
		if cut%frame == 0 {
			want = io.EOF
		}
		if !errors.Is(err, want) || n != cut/frame {
			t.Errorf("cut at %d: %d frames, %v; want %d, %v", cut, n, err, cut/frame, want)
		}
	}
}

func TestWriterRefusesWhatAReaderWould(t *testing.T) {
	w := NewWriter(io.Discard)
	err := w.Write(KindBlock, func(b []byte) ([]byte, error) { return append(b, make([]byte, maxFrame+1)...), nil })
	if err == nil {
		t.Error("a frame above the limit was written")
	}
	if _, err := appendBlock(nil, &Block{Record: buffer.Record{Server: string(make([]byte, 256))}}); err == nil {
		t.Error("a name above 255 bytes was encoded")
	}
}

func FuzzFrames(f *testing.F) {
	var pipe bytes.Buffer
	w := NewWriter(&pipe)
	if err := w.Ack(7); err != nil {
		f.Fatal(err)
	}
	if err := w.Write(KindBlock, func(b []byte) ([]byte, error) {
		return appendBlock(b, &Block{ID: 1, Record: buffer.Record{Server: "s", Group: "g", Payload: []byte("x")}})
	}); err != nil {
		f.Fatal(err)
	}
	tracks := Tracks{Server: "s"}
	tracks.Tag("m,unit=a f").Type = telemetry.Float
	if err := w.Write(KindTracks, func(b []byte) ([]byte, error) { return tracks.AppendBinary(b), nil }); err != nil {
		f.Fatal(err)
	}
	f.Add(pipe.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		for r := NewReader(bytes.NewReader(b)); ; {
			fr, err := r.Next()
			if err != nil {
				return
			}
			switch fr.Kind {
			case KindBlock:
				if blk, err := ParseBlock(fr.Body); err == nil {
					if back, err := appendBlock(nil, &blk); err != nil || !bytes.Equal(back, fr.Body) {
						t.Fatalf("block %x reads and writes as %x (%v)", fr.Body, back, err)
					}
				}
			case KindTracks:
				if tr, err := ParseTracks(fr.Body); err == nil {
					if _, err := ParseTracks(tr.AppendBinary(nil)); err != nil {
						t.Fatal(err)
					}
				}
			case KindAck:
				_, _ = AckID(fr.Body)
			case KindSetup:
				_, _ = Decode[Setup](fr)
			case KindGap:
				_, _ = Decode[telemetry.Gap](fr)
			case KindReject:
				_, _ = Decode[[]Reject](fr)
			case KindEstate:
				_, _ = Decode[Estate](fr)
			default:
			}
		}
	})
}
