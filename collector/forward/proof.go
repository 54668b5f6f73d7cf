package forward

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"kvarts/collector/buffer"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// Before a line goes to quarantine there must be proof that the store takes others: a store that refuses everything
// (a wrong path behind a proxy, a server gone read-only) would else fill the quarantine with good lines. The proof is
// an accepted write: another part of the same batch, a count of refused lines by the server, or a line that it accepted
// before, written again, or another line of the batch. That is harmless: it is the same point.

const (
	controlAge    = 10 * time.Second // a younger control line is not replaced
	controlPrefix = 8 << 10          // of a record, compressed, is enough for its first line
	proofLines    = 3                // lines of other streams, and of the batch, that are tried when there is no control line
	proofRecords  = 64               // newest records among which they are looked for
)

// control is a line that the store accepted not long ago.
type control struct {
	mu   sync.Mutex
	text []byte
	at   time.Time
}

// remember takes a line of s, which was accepted.
func (c *control) remember(s *set) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < controlAge {
		return
	}
	var text []byte
	switch {
	case len(s.loose) > 0:
		text = s.loose[0].text
	case len(s.whole) > 0:
		text = firstLine(slices.MinFunc(s.whole, func(a, b *buffer.Entry) int { return len(a.Payload) - len(b.Payload) }).Payload)
	}
	if text != nil {
		c.text, c.at = bytes.Clone(text), time.Now()
	}
}

func (c *control) line() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text
}

// firstLine of a gzip member; nil when there is none that can be read.
func firstLine(member []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(member))
	if err != nil {
		return nil
	}
	buf := make([]byte, controlPrefix)
	n := 0
	for n < len(buf) {
		m, err := z.Read(buf[n:])
		n += m
		if err != nil {
			break
		}
	}
	text, _ := telemetry.NextLine(buf[:n])
	if _, err := telemetry.ParseLine(text); err != nil || len(text) == n {
		return nil
	}
	return text
}

// proof returns nil when the store accepts a line that it has not refused just now, errRefusesAll when it refuses all
// that were tried, or the error of ctx. While the store is not there, it waits.
func (d *delivery) proof(ctx context.Context) error {
	for {
		t, err := d.f.gate.enter(ctx, &d.w)
		if err != nil {
			return err
		}
		res := d.tryProof()
		if d.sendCtx.Err() != nil && res.Class != influx.OK {
			d.f.gate.giveBack(t)
			return d.sendCtx.Err()
		}
		refused := res.Class == influx.Split || res.Class == influx.TooLarge
		if refused {
			d.f.refusing.Store(true)
			d.f.sizer.forget() // what was refused was not refused for its size
			res = holdAll(res)
		}
		d.f.state.answered(size{}, &res)
		d.f.gate.leave(t, &res)
		switch {
		case res.Class == influx.OK:
			d.provenAt = time.Now()
			return nil
		case refused:
			return errRefusesAll
		}
		d.w.tries++
		if err := d.pause(ctx); err != nil {
			return err
		}
	}
}

// tryProof sends single lines, one after the other, until one is accepted or the store does not answer.
func (d *delivery) tryProof() influx.Result {
	res := influx.Result{Class: influx.Split, Message: "there is no line to compare with", Dropped: -1}
	for _, text := range d.proofLines() {
		gz, err := compress([]line{{text: text}})
		if err != nil {
			return influx.Result{Class: influx.Retry, Message: err.Error(), Err: err, Dropped: -1}
		}
		res = (*d.f.store.Load()).WriteGzip(d.sendCtx, [][]byte{gz}, 1)
		if res.Class != influx.Split && res.Class != influx.TooLarge {
			return res
		}
	}
	return res
}

// proofLines are lines that may prove something: the last accepted one, first lines of the newest records of several
// streams, what the collector says of itself first, and lines of the batch, others each time. None was refused just now.
func (d *delivery) proofLines() [][]byte {
	refused := make(map[string]bool, len(d.unproven))
	for _, r := range d.unproven {
		refused[string(r.line.text)] = true
	}
	var out [][]byte
	add := func(text []byte) bool {
		if text == nil || refused[string(text)] {
			return false
		}
		refused[string(text)] = true // once is enough
		out = append(out, text)
		return true
	}
	add(d.f.control.line())
	seen := make(map[stream]bool)
	for _, e := range d.f.newest() {
		if s := streamOf(&e); !seen[s] && len(seen) < proofLines {
			seen[s] = add(firstLine(e.Payload))
		}
	}
	for range proofLines {
		add(d.anyLine())
	}
	return out
}

// newest records of the log, what the collector says of itself first.
func (f *Forwarder) newest() []buffer.Entry {
	head := f.opts.Log.Durable()
	entries, err := f.opts.Log.Read(max(head, proofRecords)-proofRecords+1, proofRecords, 4<<20, nil)
	if err != nil {
		return nil // the other lines may do
	}
	slices.Reverse(entries)
	slices.SortStableFunc(entries, func(a, b buffer.Entry) int { return int(b.Kind) - int(a.Kind) })
	return entries
}

// anyLine is a line of the batch, picked at random; nil when it picked badly.
func (d *delivery) anyLine() []byte {
	if len(d.all.whole) == 0 {
		return nil
	}
	lines, err := takeApart(d.all.whole[rand.IntN(len(d.all.whole))])
	if err != nil || len(lines) == 0 {
		return nil
	}
	return lines[rand.IntN(len(lines))].text
}
