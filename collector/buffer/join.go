package buffer

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"

	"kvarts/historian/telemetry"
)

// foundSegment is a segment file as openSegments finds it.
type foundSegment struct {
	*segment
	entries []entry
	holes   []hole
	scan    *scanned // nil: the footer was good, and nothing was scanned
}

// openSegments indexes all segments into r.found: from the footer, else by a scan.
func (r *recovering) openSegments(ctx context.Context) error {
	for _, f := range slices.Clone(r.files) {
		name, ok := segmentNumber(f.Name)
		if !ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(r.o.Dir, f.Name)
		s, why, err := r.openSegment(path, name, f.Size)
		if err != nil {
			return err
		}
		if s == nil {
			if err := r.setAside(path, f.Size, why); err != nil {
				return err
			}
			continue
		}
		r.found = append(r.found, s)
	}
	return nil
}

// openSegment returns nil and the reason when nothing of the file can be used.
func (r *recovering) openSegment(path string, name uint64, size int64) (s *foundSegment, why string, err error) {
	f, err := r.fs.Open(path, false)
	if errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EUCLEAN) {
		return nil, fmt.Sprintf("cannot be opened: %v", err), nil
	}
	if err != nil { // a wrong owner, too many open files: nothing that the segment is to blame for
		return nil, "", fmt.Errorf("open segment %s: %w", path, err)
	}
	s, why = r.examine(f, path, name, size)
	if err := f.Close(); err != nil {
		return nil, "", fmt.Errorf("close segment %s: %w", path, err)
	}
	return s, why, nil
}

func (r *recovering) examine(f File, path string, name uint64, size int64) (*foundSegment, string) {
	h, err := readHeader(f)
	switch {
	case err != nil:
		rescued, ok := rescueHeader(f, size, r.id, name)
		if !ok {
			return nil, fmt.Sprintf("header: %v; and no record passes its checksum", err)
		}
		r.find("%s: header: %v; its records are used", filepath.Base(path), err)
		r.recovery.BadBytes += int64(rescued.length)
		h = rescued
	case h.log != r.id:
		return nil, fmt.Sprintf("is of log %s, this is log %s", idText(h.log), idText(r.id))
	case h.base.Seq != name:
		return nil, fmt.Sprintf("is a copy of %s", filepath.Base(segmentPath(r.o.Dir, h.base.Seq)))
	}
	s := &foundSegment{segment: &segment{path: path, name: name, header: h, size: size, newest: h.created, until: h.until}}
	if ft, at, err := readFooter(f, size, r.id, name); err == nil {
		s.entries, s.end, s.dataEnd = ft.entries, ft.next, at
		s.newest, s.until = ft.newest, ft.until
		if s.header.created == 0 { // rescued
			s.header.base = ft.base(name)
		}
		return s, ""
	}
	out := scan(f, size, int64(h.length), r.id, h.base, h.until)
	s.scan, s.entries, s.holes = &out, out.entries, out.holes
	s.end, s.dataEnd, s.until = out.end, out.dataEnd, out.until
	if s.newest = r.st.Stamp; s.newest < h.created {
		s.newest = h.created
	}
	return s, ""
}

// join puts the segments into a row, decides about the end of each, and finds what is missing between them.
//
//	floor                                                        mark
//	  │   [ segment ]   [ segment ]   (missing)   [ segment ▒▒]    │
//	  ├───────────────┬─────────────┬───────────┬─────────────┬────┤
//	  at ──▶          │             │   hole    │             │hole│  or torn tail, when the mark is not behind it
func (r *recovering) join() error {
	slices.SortFunc(r.found, func(a, b *foundSegment) int {
		if a.header.base.Seq < b.header.base.Seq {
			return -1
		}
		return 1
	})
	at := r.st.Floor
	if r.fresh {
		at = position{Seq: 1}
		if len(r.found) > 0 {
			at = r.found[0].header.base
		}
		r.st.Floor = at
	}
	for i, s := range r.found {
		if s.end.Seq > s.header.base.Seq && r.st.removed(s.header.base.Seq, s.end.Seq) {
			if err := r.fs.Remove(s.path); err != nil {
				return fmt.Errorf("remove segment %s: %w", s.path, err)
			}
			continue
		}
		last := i == len(r.found)-1
		limit := r.end
		if !last {
			limit = r.found[i+1].header.base
		}
		if s.end.Seq <= at.Seq && s.end.Seq > s.header.base.Seq {
			if err := r.setAside(s.path, s.size, "its records are in other segments too"); err != nil {
				return err
			}
			continue
		}
		at = r.st.skip(at)
		r.missingBefore(s, at)
		if err := r.finish(s, i, limit, last); err != nil {
			return err
		}
		if err := r.adopt(s, at); err != nil {
			return err
		}
		if s.end.Seq > at.Seq {
			at = s.end
		}
	}
	at = r.st.skip(at)
	if r.end.Seq > at.Seq {
		r.hole("(end of the log)", hole{from: at, to: r.end, first: r.until, last: r.endTime(), why: "was durable and is missing"})
		at = r.end
	}
	r.next = at
	return r.syncDir()
}

// endTime is the latest that records at the end of the log can be of.
func (r *recovering) endTime() telemetry.Instant { return max(r.until, r.o.Now(), r.st.Stamp) }

func (r *recovering) hole(path string, h hole) {
	r.holes = append(r.holes, foundHole{h, path})
	r.find("%s: records %d to %d (%d samples): %s", filepath.Base(path), h.from.Seq, h.to.Seq-1, h.to.Cum-h.from.Cum, h.why)
}

// missingBefore makes holes of segments that should be before s and are not there. What the last of them held is in the
// header of s.
func (r *recovering) missingBefore(s *foundSegment, at position) {
	base := s.header.base
	if base.Seq <= at.Seq {
		return
	}
	h := hole{from: at, to: base, first: r.until, last: s.header.until, why: "segment is missing"}
	prev := s.header.previous
	if prev == at.Seq && covers(s.header.groups, at, base) {
		h.groups = s.header.groups
	}
	r.hole(s.path, h)
}

// covers says that the groups add up to all that is between two positions.
func covers(groups []groupSum, from, to position) bool {
	var records, samples uint64
	for _, g := range groups {
		records += g.records
		samples += g.samples
	}
	return len(groups) > 0 && records == to.Seq-from.Seq && samples == to.Cum-from.Cum
}

// finish decides about the end of s. limit is how far it has to reach: to the next segment, or for the last one to the mark.
func (r *recovering) finish(s *foundSegment, i int, limit position, last bool) error {
	if s.scan == nil {
		return nil
	}
	own, until := limit, r.until
	if !last {
		next := &r.found[i+1].header
		until = next.until
		if next.previous != s.name {
			own = position{} // another segment was between them: what is missing is a hole of its own
		}
	}
	noMark := last && r.end.Seq == 0
	if t := s.scan.torn; noMark && t != nil && s.scan.whole {
		own = tornHole(s.scan).to
	}
	s.scan.missing(own, until)
	s.holes, s.end = s.scan.holes, s.scan.end
	for i := range s.holes {
		h := &s.holes[i]
		if last && h.known == nil && h.to == own {
			h.last = max(h.last, r.endTime())
		}
		r.hole(s.path, *h)
	}
	r.recovery.BadBytes += s.scan.bad
	if s.scan.tail > 0 && last && s.end.Seq == lastEnd(s) {
		return r.repair(s, true)
	}
	if s.scan.tail > 0 {
		r.recovery.BadBytes += s.scan.tail
		r.find("%s: %d bytes behind the last record are none", filepath.Base(s.path), s.scan.tail)
	}
	if last {
		return r.repair(s, false)
	}
	return nil
}

// lastEnd is the position behind the last whole record of s.
func lastEnd(s *foundSegment) uint64 {
	if len(s.entries) == 0 {
		return s.header.base.Seq
	}
	e := &s.entries[len(s.entries)-1]
	return e.seq + uint64(e.span)
}

// repair makes the last segment of a process that was killed durable: its records may still be in the page cache only.
// With cut, its torn tail is taken off: bytes that were never durable. When nothing in it is damaged it gets its footer.
func (r *recovering) repair(s *foundSegment, cut bool) error {
	f, err := r.fs.Open(s.path, true)
	if err != nil {
		return fmt.Errorf("open segment %s: %w", s.path, err)
	}
	if cut {
		if err = f.Truncate(s.dataEnd); err == nil {
			r.recovery.TornBytes += s.scan.tail
			r.find("%s: %d bytes of an unfinished record cut off", filepath.Base(s.path), s.scan.tail)
			s.size, s.scan.tail = s.dataEnd, 0
		}
	}
	if err == nil && s.scan.tail == 0 && !s.scan.footer && len(s.holes) == 0 && len(s.entries) > 0 {
		err = r.addFooter(f, s)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("repair segment %s: %w", s.path, err)
	}
	return nil
}

// addFooter writes the footer of s. A full disk leaves it without.
func (r *recovering) addFooter(f File, s *foundSegment) error {
	ft := footer{next: s.end, newest: s.newest, until: s.until, entries: s.entries}
	b := encodeFooter(r.id, s.name, &ft)
	_, err := f.WriteAt(b, s.dataEnd)
	if noSpace(err) {
		return f.Truncate(s.dataEnd)
	}
	if err == nil {
		s.size = s.dataEnd + int64(len(b))
	}
	return err
}

// adopt puts s into the log, or removes it when it is empty.
func (r *recovering) adopt(s *foundSegment, at position) error {
	if s.end.Seq == s.header.base.Seq && (s.scan == nil || s.scan.tail == 0) {
		if err := r.fs.Remove(s.path); err != nil {
			return fmt.Errorf("remove empty segment %s: %w", s.path, err)
		}
		return nil
	}
	s.index(s.entries, at.Seq)
	r.until = max(r.until, s.until)
	r.segs = append(r.segs, s.segment)
	r.sums, r.lastSeg = sum(s.entries), s.name
	return nil
}
