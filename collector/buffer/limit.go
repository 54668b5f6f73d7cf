package buffer

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"kvarts/historian/telemetry"
)

// makeRoom applies MaxBytes before a record of the given size. Disk use stays at or below MaxBytes, except for Meta under
// DropNewest, the footer and header of a segment, and a compaction under way: one segment at most. wmu is held.
func (l *Log) makeRoom(size int64, r *Record) error {
	if l.o.MaxBytes <= 0 {
		return nil
	}
	if size > l.o.MaxBytes/2 {
		return fmt.Errorf("%w: %d bytes, half of the limit of %d bytes is the most", ErrTooLarge, size, l.o.MaxBytes)
	}
	limit := l.o.MaxBytes
	if l.o.Policy == DropNewest && r.Kind == Meta {
		limit += l.o.SegmentBytes
	}
	if l.used()+size <= limit {
		return nil
	}
	if err := l.reclaim(); err != nil {
		return err
	}
	for l.used()+size > limit {
		if l.o.Policy == DropNewest {
			return fmt.Errorf("%w: %d of %d bytes used", ErrFull, l.used(), l.o.MaxBytes)
		}
		freed, err := l.giveUp(fmt.Sprintf("limit of %d bytes reached, policy %s", l.o.MaxBytes, l.o.Policy))
		if err != nil {
			return err
		}
		if !freed {
			return nil // nothing is left but what is being written
		}
	}
	return nil
}

func (l *Log) used() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.usage
}

// giveUp frees space by the policy, one segment at a time. It returns false when there is nothing to give up. wmu is held.
func (l *Log) giveUp(why string) (freed bool, err error) {
	if err := l.sealIfAlone(); err != nil {
		return false, err
	}
	l.mu.Lock()
	segs := slices.Clone(l.segs)
	l.mu.Unlock()
	if l.active != nil {
		segs = segs[:len(segs)-1]
	}
	if l.o.Policy == DropClass {
		for _, s := range segs {
			if s.normal > 0 {
				return true, l.compact(s, why)
			}
		}
		// Many small segments would come of it if the newest one were looked at after each record.
		if s := l.active; s != nil && s.normal > 0 && s.dataEnd > l.o.SegmentBytes/4 {
			if err := l.seal(); err != nil {
				return false, err
			}
			return true, l.compact(s, why)
		}
	}
	if len(segs) == 0 {
		return false, nil
	}
	return true, l.drop(why, segs[0])
}

// sealIfAlone closes the newest segment when it is the only one, so that it can be given up. wmu is held.
func (l *Log) sealIfAlone() error {
	l.mu.Lock()
	alone := len(l.segs) == 1
	l.mu.Unlock()
	if alone && l.active != nil && len(l.active.entries) > 0 {
		return l.seal()
	}
	return nil
}

// drop gives up segments, delivered or not. wmu is held.
func (l *Log) drop(why string, list ...*segment) error {
	var losses []Loss
	for _, s := range list {
		entries, holes, err := l.contents(s)
		if err != nil { // it cannot even be opened: how much was in it is known all the same
			holes = []hole{{from: s.header.base, to: s.end, first: s.header.until, last: s.until, why: err.Error()}}
		}
		l.mu.Lock()
		losses = append(losses, l.lossesOf(entries, telemetry.CauseBufferLimit, why)...)
		for i := range holes {
			losses = append(losses, l.lossesOfHole(&holes[i], s.base())...)
		}
		l.mu.Unlock()
	}
	return l.remove(list, losses)
}

// remove takes segments out of the log: first in the state, with what is lost by it, then in memory, then their files. A
// crash in between is made good by Open. wmu is held.
func (l *Log) remove(list []*segment, losses []Loss) error {
	err := l.commitState(func(st *state) {
		for _, s := range list {
			st.remove(s.header.base, s.end, s.until)
		}
	}, losses)
	if err != nil {
		return err
	}
	l.mu.Lock()
	for _, s := range list {
		s.gone = true
		l.ackAll(s.header.base.Seq, s.end.Seq-1)
	}
	l.segs = slices.DeleteFunc(l.segs, func(s *segment) bool { return s.gone })
	l.mu.Unlock()
	l.garbage = append(l.garbage, list...)
	return l.sweep()
}

// ackAll marks records that will never be delivered, and of which no loss is to be reported any more. mu is held.
func (l *Log) ackAll(from, to uint64) {
	l.absent.add(from, to)
	for _, c := range l.cursors {
		if c.set.add(from, to) {
			c.dirty = true
		}
	}
}

// sweep removes the files of segments that are gone. What fails stays in garbage, and counts as used. wmu is held.
func (l *Log) sweep() error {
	if len(l.garbage) == 0 {
		return nil
	}
	for len(l.garbage) > 0 {
		s := l.garbage[0]
		if err := l.fs.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove segment %s: %w", s.path, err)
		}
		l.mu.Lock()
		l.usage -= s.size
		l.mu.Unlock()
		l.garbage = l.garbage[1:]
	}
	return l.failSync(l.syncDir())
}

// reclaim removes the closed segments that every destination has and no pin or Retain holds. wmu is held.
func (l *Log) reclaim() error {
	if err := l.sweep(); err != nil {
		return err
	}
	if list := l.delivered(); len(list) > 0 {
		return l.remove(list, nil)
	}
	return nil
}

func (l *Log) delivered() (list []*segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.o.Destinations) == 0 {
		return nil
	}
	for _, s := range l.segs {
		if s == l.active || l.o.Retain > 0 && l.clock.age(s.newest) < l.o.Retain {
			continue
		}
		if names, _ := l.destinationsWithout(s.header.base.Seq, s.end.Seq-1); len(names) == 0 && !l.pinned(s.end.Seq-1) {
			list = append(list, s)
		}
	}
	return list
}

// pinned says that a pin holds a segment that ends with record last. mu is held.
func (l *Log) pinned(last uint64) bool {
	for _, p := range l.pins {
		if last >= p {
			return true
		}
	}
	return false
}

// expire drops the segments that are older than MaxAge, whatever the policy. wmu is held.
func (l *Log) expire() error {
	if l.o.MaxAge <= 0 {
		return nil
	}
	l.mu.Lock()
	n := 0
	for n < len(l.segs) && l.clock.age(l.segs[n].newest) > l.o.MaxAge && (l.segs[n] != l.active || len(l.active.entries) > 0) {
		n++
	}
	list := slices.Clone(l.segs[:n])
	l.mu.Unlock()
	if n == 0 {
		return nil
	}
	if list[n-1] == l.active {
		if err := l.seal(); err != nil {
			return err
		}
	}
	return l.drop(fmt.Sprintf("older than the limit of %s", l.o.MaxAge), list...)
}
