package quarantine

import (
	"errors"
	"fmt"
	"path/filepath"

	"kvarts/historian/telemetry"
)

// Add makes entries durable and returns how many of them were new: one whose ID is already here is skipped. ID and At
// are set where they are empty. After an error none, some or all of them may be here; adding them again is harmless.
func (s *Store) Add(entries ...Entry) (added int, err error) {
	err = s.locked(func() error {
		var fresh []Entry
		batch := make(map[string]bool, len(entries))
		for _, e := range entries {
			if e.ID == "" {
				e.Identify()
			}
			if e.At == 0 {
				e.At = s.opts.Now()
			}
			if s.ids[e.ID] == 0 && !batch[e.ID] {
				batch[e.ID] = true
				fresh = append(fresh, e)
			}
		}
		added, err = s.append(fresh)
		return errors.Join(err, s.trim())
	})
	if err != nil {
		return added, fmt.Errorf("add to quarantine %s: %w", s.opts.Dir, err)
	}
	return added, nil
}

// Has says whether the entry is here.
func (s *Store) Has(id string) (bool, error) {
	var has bool
	err := s.locked(func() error { has = s.ids[id] > 0; return nil })
	return has, err
}

func (s *Store) append(entries []Entry) (done int, err error) {
	for done < len(entries) {
		n, err := s.appendSome(entries[done:])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// appendSome writes as many entries as the newest segment takes, at least one, with one fsync.
func (s *Store) appendSome(entries []Entry) (int, error) {
	seg, isNew := s.newest()
	var buf []byte
	var err error
	if isNew {
		if buf, err = sealedHeader(); err != nil {
			return 0, err
		}
	}
	n := 0
	for n < len(entries) && (n == 0 || seg.size+int64(len(buf)) < s.segmentBytes()) {
		if buf, err = appendSealed(buf, &entries[n]); err != nil {
			return 0, err
		}
		n++
	}
	err = s.disk.appendTo(filepath.Join(s.opts.Dir, seg.name), seg.size, buf)
	if err == nil && isNew {
		err = s.disk.syncDir(s.opts.Dir)
	}
	if err != nil {
		if isNew || errors.Is(err, errTorn) {
			s.torn[seg.name] = seg.size
		}
		seg.mod = 0 // read it again
		return 0, err
	}
	if isNew {
		delete(s.torn, seg.name) // an earlier try left no file of that name, else this one would have another number
		s.segments = append(s.segments, seg)
	}
	for i := range entries[:n] {
		seg.count(&entries[i], true)
		s.ids[entries[i].ID]++
	}
	return n, seg.remark(s.opts.Dir)
}

// newest is the segment to append to; a new one is not yet among s.segments.
func (s *Store) newest() (seg *segment, isNew bool) {
	next := int64(1)
	if n := len(s.segments); n > 0 {
		last := s.segments[n-1]
		if !last.sealed && last.size < s.segmentBytes() {
			return last, false
		}
		number, _ := segmentNumber(last.name)
		next = number + 1
	}
	return &segment{mark: mark{name: segmentName(next)}}, true
}

func (s *Store) segmentBytes() int64 {
	return min(s.opts.MaxBytes/segmentsPerLimit, maxSegmentBytes)
}

// trim gives up the oldest segments until the limit holds. The newest stays: what was just added is not given up.
func (s *Store) trim() error {
	for s.size() > s.opts.MaxBytes {
		i := s.oldest()
		if i < 0 {
			return nil
		}
		seg := s.segments[i]
		for src, t := range seg.tallies {
			s.dropped.Samples += t.samples
			s.opts.OnLoss(telemetry.Gap{
				Server: src.server, Group: src.group, From: t.first, To: t.last, Cause: telemetry.CauseStore, Count: t.samples,
				Detail: fmt.Sprintf("quarantine is full (%d bytes): its oldest part was given up", s.opts.MaxBytes),
			})
		}
		if err := s.disk.remove(filepath.Join(s.opts.Dir, seg.name)); err != nil {
			return fmt.Errorf("give up oldest segment: %w", err)
		}
		s.dropped.Segments++
		s.segments = append(s.segments[:i:i], s.segments[i+1:]...)
		for _, id := range seg.ids {
			if s.ids[id]--; s.ids[id] <= 0 {
				delete(s.ids, id)
			}
		}
	}
	return nil
}

func (s *Store) size() (n int64) {
	for _, seg := range s.segments {
		if !seg.foreign {
			n += seg.size
		}
	}
	return n
}

// oldest is the index of the first segment that may go, -1 when none may.
func (s *Store) oldest() int {
	for i, seg := range s.segments[:max(len(s.segments)-1, 0)] {
		if !seg.foreign {
			return i
		}
	}
	return -1
}

// reportDamage ledgers the lines of seg that cannot be read: whose they were is only known from their neighbours.
func (s *Store) reportDamage(seg *segment) {
	if seg.damaged == 0 {
		return
	}
	s.dropped.Damaged += seg.damaged
	detail := fmt.Sprintf("%d damaged lines in quarantine segment %s; sources known from the lines around them", seg.damaged, seg.name)
	for src, t := range seg.tallies {
		s.opts.OnLoss(telemetry.Gap{Server: src.server, Group: src.group, From: t.first, To: t.last,
			Cause: telemetry.CauseStore, Count: -1, Detail: detail})
	}
	if len(seg.tallies) == 0 {
		s.opts.OnLoss(telemetry.Gap{Server: "unknown", From: 0, To: s.opts.Now(), Cause: telemetry.CauseStore, Count: -1, Detail: detail})
	}
}
