package agent

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"kvarts/collector/buffer"
	"kvarts/historian/telemetry"
)

// ledger writes what is not a sample of a machine into the buffer: gaps, heartbeats, proof of life. It keeps the newest
// gaps for the page.
type ledger struct {
	log *buffer.Log
	now func() telemetry.Instant

	mu      sync.Mutex
	zw      *gzip.Writer
	recent  []telemetry.Gap // in the order in which they were first written
	count   uint64
	waiting []telemetry.Gap // for room on the disk
}

const (
	recentGaps   = 1000           // kept for the page
	recentWindow = 24 * time.Hour // as the page says
)

// gap puts g on record; it is on disk when the record whose number it returns is durable. A gap that cannot be encoded is
// widened to its server.
func (l *ledger) gap(g telemetry.Gap) (seq uint64, err error) {
	line, err := g.AppendLine(nil)
	if err != nil {
		g.Detail = fmt.Sprintf("%s (of %q %q: %v)", g.Detail, g.Series, g.Signal, err)
		g.Group, g.Series, g.Signal = "", "", ""
		if line, err = g.AppendLine(nil); err != nil {
			return 0, err
		}
	}
	seq, err = l.append(line, 1, g.From, g.To)
	if err == nil || errors.Is(err, buffer.ErrFull) {
		l.note(g)
	}
	if err != nil {
		return 0, fmt.Errorf("ledger %s of %s: %w", g.Cause, g.Server, err)
	}
	return seq, nil
}

// note keeps g for the page, in the place of an earlier version of itself. The entries of an item that is refused again
// and again follow each other; on the page they are one.
func (l *ledger) note(g telemetry.Gap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	same := func(o telemetry.Gap) bool {
		return o.Server == g.Server && o.Group == g.Group && o.Series == g.Series && o.Signal == g.Signal && o.Cause == g.Cause &&
			(o.From == g.From || g.Cause == telemetry.CauseItem && o.From < g.From && g.From <= o.To)
	}
	if i := slices.IndexFunc(l.recent, same); i >= 0 {
		g.From = l.recent[i].From
		l.recent[i] = g
		return
	}
	l.recent = append(l.recent, g)
	if len(l.recent) > recentGaps {
		l.recent = slices.Delete(l.recent, 0, len(l.recent)-recentGaps)
	}
}

// later keeps g until retry can write it.
func (l *ledger) later(g telemetry.Gap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, g)
}

// retry writes what waits.
func (l *ledger) retry() {
	l.mu.Lock()
	list := l.waiting
	l.waiting = nil
	l.mu.Unlock()
	for _, g := range list {
		if _, err := l.gap(g); noSpace(err) {
			l.later(g)
		}
	}
}

// gaps returns those of the last day, newest first, and how many were recorded since the process began.
func (l *ledger) gaps() ([]telemetry.Gap, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	since := l.now().Add(-recentWindow)
	out := make([]telemetry.Gap, 0, len(l.recent))
	for _, g := range slices.Backward(l.recent) {
		if g.To >= since {
			out = append(out, g)
		}
	}
	return out, l.count
}

// append stores lines as one Meta record.
func (l *ledger) append(lines []byte, n uint32, first, last telemetry.Instant) (seq uint64, err error) {
	payload, err := l.compress(lines)
	if err != nil {
		return 0, err
	}
	now := l.now()
	return l.log.Append(&buffer.Record{Kind: buffer.Meta, Class: buffer.Keep, Lines: n, First: first, Last: last, Published: now, Received: now, Payload: payload})
}

func (l *ledger) compress(lines []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var z bytes.Buffer
	if l.zw == nil {
		var err error
		if l.zw, err = gzip.NewWriterLevel(&z, gzip.BestSpeed); err != nil {
			return nil, fmt.Errorf("make compressor: %w", err)
		}
	}
	l.zw.Reset(&z)
	if _, err := l.zw.Write(lines); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := l.zw.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return z.Bytes(), nil
}

// gapsOf translates what the buffer lost. When it cannot say whose records they were, every server gets an entry.
func gapsOf(loss buffer.Loss, servers []string) []telemetry.Gap {
	g := telemetry.Gap{Server: loss.Server, Group: loss.Group, From: loss.First, To: max(loss.First, loss.Last), Cause: loss.Cause,
		Count: int64(loss.Samples), Detail: loss.Detail}
	if loss.Known && loss.Kind != buffer.Meta {
		return []telemetry.Gap{g}
	}
	g.Group = ""
	if loss.Kind == buffer.Meta {
		// Among lost ledger lines may be gaps: whatever they covered is covered again, without a count.
		g.Count, g.Detail = -1, "entries of the loss ledger were lost: "+loss.Detail
	} else if len(servers) > 1 {
		g.Count = -1
		g.Detail = fmt.Sprintf("%s; %d samples of any of %d servers", loss.Detail, loss.Samples, len(servers))
	}
	all := make([]telemetry.Gap, len(servers))
	for i, s := range servers {
		all[i] = g
		all[i].Server = s
	}
	return all
}
