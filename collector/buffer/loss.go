package buffer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kvarts/historian/telemetry"
)

// refusalWindow is how long refusals of one group (ErrFull) are added up before they are reported: a full buffer
// refuses many blocks a second for hours, and each report is a record itself.
const refusalWindow = 10 * time.Second

// maxWaitingLosses is how many losses may wait for OnLoss before they are added up.
const maxWaitingLosses = 100

// openLoss is a loss on its way into the ledger.
//
//	found ──▶ in the state file ──▶ OnLoss called ──▶ all that was appended until then durable ──▶ forgotten
type openLoss struct {
	Loss
	due      time.Duration // monotonic time before which it is not reported: refusals are added up until then
	reported bool
	settle   uint64 // forgotten when this is durable; valid when reported
}

func (a *Loss) same(b *Loss) bool {
	return a.Cause == b.Cause && a.Kind == b.Kind && a.Server == b.Server && a.Group == b.Group && a.FromSeq == b.FromSeq && a.ToSeq == b.ToSeq && a.First == b.First
}

// refusalOf says that o adds up refusals of r's group and has not been reported.
func (o *openLoss) refusalOf(r *Record) bool {
	return o.due > 0 && !o.reported && o.Kind == r.Kind && o.Server == r.Server && o.Group == r.Group
}

// merge widens a by b.
func (a *Loss) merge(b *Loss) {
	if a.Server != b.Server || a.Group != b.Group {
		a.Server, a.Group, a.Known = "", "", false
	}
	a.FromSeq, a.ToSeq = min(a.FromSeq, b.FromSeq), max(a.ToSeq, b.ToSeq)
	a.Records += b.Records
	a.Samples += b.Samples
	a.First, a.Last = min(a.First, b.First), max(a.Last, b.Last)
	for _, d := range b.Destinations {
		if !slices.Contains(a.Destinations, d) {
			a.Destinations = append(slices.Clip(a.Destinations), d)
		}
	}
}

// mergeLosses brings list down to about limit by merging the oldest: first those of one group, then any of one cause
// and kind. Counts stay exact, what is told apart becomes less.
func mergeLosses(list []Loss, limit int) []Loss {
	for _, alike := range []func(a, b *Loss) bool{
		func(a, b *Loss) bool {
			return a.Cause == b.Cause && a.Kind == b.Kind && a.Server == b.Server && a.Group == b.Group
		},
		func(a, b *Loss) bool { return a.Cause == b.Cause && a.Kind == b.Kind },
	} {
		for i := 0; i < len(list) && len(list) > limit; i++ {
			for j := len(list) - 1; j > i && len(list) > limit; j-- {
				if alike(&list[i], &list[j]) {
					list[i].merge(&list[j])
					list = slices.Delete(list, j, j+1)
				}
			}
		}
	}
	return list
}

// destinationsWithout returns the active destinations that have not acknowledged all of from…to. lost is false when the
// range would be no loss: every destination has it, or its loss has been found before. Log.mu is held.
func (l *Log) destinationsWithout(from, to uint64) (names []string, lost bool) {
	if l.absent.has(from, to) {
		return nil, false
	}
	for _, d := range l.o.Destinations {
		if !l.cursors[d].set.has(from, to) {
			names = append(names, d)
		}
	}
	return names, len(names) > 0 || len(l.o.Destinations) == 0
}

// lossesOf adds up what the entries hold that not every destination has: one Loss for each group and set of destinations.
// Log.mu is held.
func (l *Log) lossesOf(entries []entry, cause telemetry.Cause, detail string) []Loss {
	type key struct {
		groupKey
		names string
	}
	var out []Loss
	index := map[key]int{}
	for i := range entries {
		e := &entries[i]
		names, lost := l.destinationsWithout(e.seq, e.seq+uint64(e.span)-1)
		if e.key.kind == dropped || !lost {
			continue
		}
		one := Loss{
			Cause: cause, Kind: e.key.kind, Server: e.key.server, Group: e.key.group, Known: true, Destinations: names,
			FromSeq: e.seq, ToSeq: e.seq, Records: 1, Samples: uint64(e.samples), First: e.first, Last: e.last, Detail: detail,
		}
		k := key{e.key, strings.Join(names, "\x00")}
		if at, ok := index[k]; ok {
			out[at].merge(&one)
			continue
		}
		index[k] = len(out)
		out = append(out, one)
	}
	return out
}

// lossesOfHole says what a hole means. Log.mu is held.
func (l *Log) lossesOfHole(h *hole, segment string) []Loss {
	detail := fmt.Sprintf("%s: %s", segment, h.why)
	if h.known != nil {
		return l.lossesOf([]entry{*h.known}, telemetry.CauseBufferDamage, detail)
	}
	names, lost := l.destinationsWithout(h.from.Seq, h.to.Seq-1)
	if !lost {
		return nil
	}
	one := Loss{
		Cause: telemetry.CauseBufferDamage, Destinations: names, FromSeq: h.from.Seq, ToSeq: h.to.Seq - 1,
		Records: h.to.Seq - h.from.Seq, Samples: h.to.Cum - h.from.Cum, First: h.first, Last: h.last, Detail: detail,
	}
	if len(h.groups) == 0 {
		return []Loss{one}
	}
	var out []Loss
	for _, g := range h.groups {
		one.Kind, one.Server, one.Group, one.Known = g.kind, g.server, g.group, g.known
		one.Records, one.Samples, one.First, one.Last = g.records, g.samples, g.first, g.last
		out = append(out, one)
	}
	return out
}

// queueLosses puts losses that are in the state file on the way to OnLoss. Those that wait are added up when OnLoss does
// not keep up. mu is held.
func (l *Log) queueLosses(list []Loss) {
	waiting := 0
	for _, o := range l.losses {
		if !o.reported {
			waiting++
		}
	}
	for i := range list {
		n := &list[i]
		if slices.ContainsFunc(l.losses, func(o *openLoss) bool { return o.same(n) }) {
			continue
		}
		if o := l.alike(n, waiting); o != nil {
			o.merge(n)
			continue
		}
		l.losses = append(l.losses, &openLoss{Loss: *n})
		waiting++
	}
	kick(l.lossKick)
}

// alike returns a waiting loss that n can be added to when too many are waiting: of the same group, or when far too many
// are, of any. mu is held.
func (l *Log) alike(n *Loss, waiting int) *openLoss {
	if waiting < maxWaitingLosses {
		return nil
	}
	for _, o := range l.losses {
		group := o.Server == n.Server && o.Group == n.Group || waiting > 10*maxWaitingLosses
		if !o.reported && o.due == 0 && o.Cause == n.Cause && o.Kind == n.Kind && group {
			return o
		}
	}
	return nil
}

// openLosses returns what has to be in the state file: all that is not forgotten. Log.mu is held.
func (l *Log) openLosses() []Loss {
	out := make([]Loss, 0, len(l.losses))
	for _, o := range l.losses {
		out = append(out, o.Loss)
	}
	return out
}

// refuse adds r, which DropNewest turned away, to what is reported of its group. Log.mu is not held.
func (l *Log) refuse(r *Record) {
	one := Loss{
		Cause: telemetry.CauseBufferLimit, Kind: r.Kind, Server: r.Server, Group: r.Group, Known: true,
		Destinations: slices.Clone(l.o.Destinations), Records: 1, Samples: uint64(r.Samples), First: r.First, Last: r.Last,
		Detail: fmt.Sprintf("limit of %d bytes reached, policy %s", l.o.MaxBytes, l.o.Policy),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stateDirty = true
	for _, o := range l.losses {
		if o.refusalOf(r) {
			o.merge(&one)
			return
		}
	}
	l.losses = append(l.losses, &openLoss{Loss: one, due: l.mono() + refusalWindow})
	kick(l.lossKick)
}

// report is the goroutine that calls OnLoss.
func (l *Log) report() {
	defer l.reporter.Done()
	select {
	case <-l.begun:
	case <-l.stopReport:
		return
	}
	for {
		o, wait := l.nextLoss()
		if o != nil {
			l.deliver(o)
			continue
		}
		if wait == 0 {
			wait = time.Hour // until kicked
		}
		later := time.NewTimer(wait)
		select {
		case <-l.lossKick:
		case <-later.C:
		case <-l.stopReport:
			later.Stop()
			return
		}
		later.Stop()
	}
}

// nextLoss returns the oldest loss that is due, marked as reported; or how long it is until one will be.
func (l *Log) nextLoss() (next *openLoss, wait time.Duration) {
	select {
	case <-l.stopReport:
		return nil, 0
	default:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.mono()
	for _, o := range l.losses {
		switch {
		case o.reported:
		case o.due <= now:
			o.reported, o.settle = true, ^uint64(0)
			return o, 0
		case wait == 0 || o.due-now < wait:
			wait = o.due - now
		}
	}
	return nil, wait
}

// deliver calls OnLoss. Refusals are made durable first, so that after a crash the same figures are reported again.
func (l *Log) deliver(o *openLoss) {
	if o.due > 0 {
		if err := l.saveState(nil, nil); err != nil {
			l.trouble(err)
		}
	}
	if l.o.OnLoss != nil {
		l.o.OnLoss(o.Loss)
	}
	l.mu.Lock()
	o.settle = l.next.Seq - 1
	l.stateDirty = true
	l.mu.Unlock()
}

// settleLosses forgets the losses whose report is durable. It reports whether there were any. Log.mu is held.
func (l *Log) settleLosses() bool {
	n := len(l.losses)
	l.losses = slices.DeleteFunc(l.losses, func(o *openLoss) bool { return o.reported && o.settle <= l.durable })
	return len(l.losses) < n
}

// kick wakes the one goroutine that waits on c, a channel with room for one.
func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
