package buffer

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"
)

// mix returns record i of a log of several groups and kinds.
func mix(i int) *Record {
	switch i % 5 {
	case 4:
		return meta(i)
	case 3:
		return keep(block("saw", "slow", i))
	case 2:
		return block("saw", "fast", i)
	default:
		return block("puller", "fast", i)
	}
}

// written is what was appended, by number.
type written map[uint64]*Record

// fill appends n records of mix and makes them durable.
func fill(t testing.TB, l *Log, n int) written {
	t.Helper()
	w := written{}
	for i := range n {
		r := mix(i)
		w[mustAppend(t, l, r)] = r
	}
	mustSync(t, l)
	return w
}

// account checks law 3: each record that was appended is read back as it was, or covered by a loss: its number, its
// server and group if the loss knows them, its times. Nothing is both, nothing is invented, and the counts are exact.
func (w written) account(t testing.TB, got []Entry, losses []Loss) {
	t.Helper()
	if err := w.balance(got, losses); err != nil {
		t.Fatal(err)
	}
}

func (w written) balance(got []Entry, losses []Loss) error {
	read := map[uint64]bool{}
	last := uint64(0)
	for i := range got {
		e := &got[i]
		r := w[e.Seq]
		if r == nil || !equalRecord(r, &e.Record) {
			return fmt.Errorf("record %d was never appended like this: %v", e.Seq, e.Record)
		}
		if e.Seq <= last {
			return fmt.Errorf("record %d after %d", e.Seq, last)
		}
		last, read[e.Seq] = e.Seq, true
	}
	lost, told := map[string]counts{}, map[string]counts{}
	unknown := slices.ContainsFunc(losses, func(x Loss) bool { return !x.Known })
	add := func(to map[string]counts, key string, c counts) {
		if unknown {
			key = "?"
		}
		to[key] = counts{to[key].records + c.records, to[key].samples + c.samples}
	}
	for seq, r := range w {
		at := slices.IndexFunc(losses, func(x Loss) bool { return explains(&x, seq, r) })
		switch {
		case read[seq] && at >= 0 && losses[at].Known && losses[at].FromSeq == losses[at].ToSeq:
			return fmt.Errorf("record %d is read and reported lost: %+v", seq, losses[at])
		case read[seq]:
		case at < 0:
			return fmt.Errorf("record %d (%s/%s) is neither read nor in a loss: %+v", seq, r.Server, r.Group, losses)
		default:
			add(lost, fmt.Sprint(r.Kind, r.Server, r.Group), counts{1, uint64(r.Samples)})
		}
	}
	for i := range losses {
		x := &losses[i]
		add(told, fmt.Sprint(x.Kind, x.Server, x.Group), counts{x.Records, x.Samples})
	}
	if !maps.Equal(lost, told) {
		return fmt.Errorf("losses count %v, lost are %v: %+v", told, lost, losses)
	}
	return nil
}

type counts struct{ records, samples uint64 }

func explains(x *Loss, seq uint64, r *Record) bool {
	if seq < x.FromSeq || seq > x.ToSeq || x.Known && (x.Server != r.Server || x.Group != r.Group || x.Kind != r.Kind) {
		return false
	}
	return r.Kind == Meta || x.First <= r.First && r.Last <= x.Last
}

func equalRecord(a, b *Record) bool {
	x, y := *a, *b
	x.Payload, y.Payload = nil, nil
	return fmt.Sprint(x) == fmt.Sprint(y) && bytes.Equal(a.Payload, b.Payload)
}
