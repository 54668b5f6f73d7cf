package buffer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"kvarts/historian/telemetry"
)

// Recovery says what Open found and did.
type Recovery struct {
	Segments  int      `json:"segments"`
	Records   uint64   `json:"records"`
	TornBytes int64    `json:"torn_bytes"` // cut off behind the last whole record: never durable, and so never acknowledged
	BadBytes  int64    `json:"bad_bytes"`  // damaged, in segments that are kept
	Findings  []string `json:"findings"`   // for people, one line each
	Losses    []Loss   `json:"losses"`     // also reported by OnLoss
	Inactive  []string `json:"inactive"`   // destinations with a cursor file that are not active: they hold nothing back
}

// Open locks the directory, repairs what a crash or a bad disk left, and starts the log. Damage never keeps it from
// starting: what cannot be read is left where it is or renamed to *.damaged, and reported. It fails when the directory is
// in use (ErrLocked), a file is from a newer version (ErrVersion; nothing is changed), or the disk refuses the
// work. ctx bounds the recovery only.
func Open(ctx context.Context, o Options) (*Log, error) {
	return open(ctx, o, monotonic())
}

// monotonic returns a clock that no setting of the wall clock moves.
func monotonic() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}

func open(ctx context.Context, o Options, mono func() time.Duration) (*Log, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	l := &Log{
		o: o, fs: o.FS, mono: mono, cursors: map[string]*Cursor{}, pins: map[string]uint64{}, changed: make(chan struct{}),
		begun: make(chan struct{}), kick: make(chan struct{}, 1), force: make(chan struct{}, 1), lossKick: make(chan struct{}, 1),
		stop: make(chan struct{}), stopReport: make(chan struct{}),
	}
	if err := l.fs.MkdirAll(o.Dir); err != nil {
		return nil, fmt.Errorf("create buffer directory %s: %w", o.Dir, err)
	}
	var err error
	if l.lock, err = l.fs.Lock(filepath.Join(o.Dir, lockName)); err != nil {
		return nil, fmt.Errorf("lock buffer directory %s: %w", o.Dir, err)
	}
	if err := l.recover(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open buffer %s: %w", o.Dir, err), l.closeFiles())
	}
	l.workers.Add(2)
	l.reporter.Add(1)
	go l.committer()
	go l.keeper()
	go l.report()
	return l, nil
}

const lockName = "lock"

// complete checks o and fills in defaults.
func (o *Options) complete() error {
	if o.Dir == "" {
		return errors.New("open buffer: no directory")
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = DefaultSegmentBytes
	}
	if o.MaxBytes > 0 {
		o.SegmentBytes = min(o.SegmentBytes, max(o.MaxBytes/4, 4096))
	}
	if o.SegmentBytes < 1024 || o.SegmentBytes > maxSegmentBytes {
		return fmt.Errorf("open buffer %s: segments of %d bytes: want 1 KiB to 1 GiB", o.Dir, o.SegmentBytes)
	}
	if o.MaxBytes < 0 || o.MaxBytes > 0 && o.MaxBytes < 16<<10 {
		return fmt.Errorf("open buffer %s: limit of %d bytes: want 0 (none) or at least 16 KiB", o.Dir, o.MaxBytes)
	}
	if o.MaxAge < 0 || o.Retain < 0 || o.SyncInterval < 0 || o.Policy > DropClass {
		return fmt.Errorf("open buffer %s: age limit %s, retain time %s, sync interval %s, policy %s: out of range", o.Dir, o.MaxAge, o.Retain, o.SyncInterval, o.Policy)
	}
	o.Destinations = slices.Clone(o.Destinations)
	slices.Sort(o.Destinations)
	o.Destinations = slices.Compact(o.Destinations)
	if o.FS == nil {
		o.FS = diskFS{}
	}
	if o.Now == nil {
		o.Now = telemetry.Now
	}
	return nil
}

// recovering is the work of Open on one directory.
type recovering struct {
	*Log
	files []FileInfo
	found []*foundSegment
	fresh bool     // no state: a new directory, or the state is lost
	end   position // how far the log was durable, by the mark; zero: there is no mark
	holes []foundHole
}

type foundHole struct {
	hole
	path string
}

func (l *Log) recover(ctx context.Context) error {
	r := &recovering{Log: l}
	if err := r.load(); err != nil {
		return err
	}
	if err := r.redo(); err != nil {
		return err
	}
	if err := r.openSegments(ctx); err != nil {
		return err
	}
	if err := r.join(); err != nil {
		return err
	}
	if err := r.loadCursors(); err != nil {
		return err
	}
	return r.start()
}

func (r *recovering) find(format string, args ...any) {
	r.recovery.Findings = append(r.recovery.Findings, fmt.Sprintf(format, args...))
}

// load reads directory and state, and looks at all versions before anything is changed.
func (r *recovering) load() (err error) {
	if r.files, err = r.fs.ReadDir(r.o.Dir); err != nil {
		return fmt.Errorf("list directory: %w", err)
	}
	headers, err := r.readHeaders()
	if err != nil {
		return err
	}
	for _, f := range r.files {
		if strings.HasSuffix(f.Name, damagedSuffix) {
			r.damaged += f.Size
		}
	}
	for _, d := range r.o.Destinations { // for their versions only
		if _, _, err := readCursor(r.fs, r.o.Dir, d, ""); err != nil {
			return err
		}
	}
	var bad bool
	if r.sf, r.st, bad, err = openState(r.fs, r.o.Dir); err != nil {
		return err
	}
	if bad {
		r.find("state file is damaged: what was dropped on purpose and not yet delivered to the ledger is found anew")
	}
	r.fresh = r.st.Generation == 0
	if r.mark, err = openMark(r.fs, r.o.Dir); err != nil {
		return err
	}
	r.id = r.logID(headers)
	r.end, err = r.mark.read(r.id)
	return err
}

// readHeaders reads the headers of all segments, those that can be read.
func (r *recovering) readHeaders() (list []segmentHeader, err error) {
	for _, f := range r.files {
		if _, ok := segmentNumber(f.Name); !ok {
			continue
		}
		path := filepath.Join(r.o.Dir, f.Name)
		file, err := r.fs.Open(path, false)
		if err != nil {
			continue // openSegments deals with it
		}
		h, err := readHeader(file)
		cerr := file.Close()
		var v *VersionError
		if errors.As(err, &v) {
			v.File = path
			return nil, v
		}
		if cerr != nil {
			return nil, fmt.Errorf("close segment %s: %w", path, cerr)
		}
		if err == nil {
			list = append(list, h)
		}
	}
	return list, nil
}

// logID returns the id that the state names, else the one that most other files name, else a new one.
func (r *recovering) logID(headers []segmentHeader) uint64 {
	if id, err := strconv.ParseUint(r.st.Log, 16, 64); err == nil && !r.fresh {
		return id
	}
	count := map[uint64]int{}
	for _, h := range headers {
		count[h.log]++
	}
	cursors, _ := listCursors(r.fs, r.o.Dir, r.files)
	for _, c := range cursors {
		if id, err := strconv.ParseUint(c.Log, 16, 64); err == nil {
			count[id]++
		}
	}
	var id uint64
	for other, n := range count {
		if n > count[id] || n == count[id] && other > id {
			id = other
		}
	}
	for id == 0 {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		id = le.Uint64(b[:])
	}
	return id
}

// redo ends what a crash interrupted: a compaction whose copy counts, removals that the state says; and it throws
// half-written files away.
func (r *recovering) redo() error {
	changed := false
	var left []FileInfo
	for _, f := range r.files {
		path := filepath.Join(r.o.Dir, f.Name)
		first, isSegment := segmentNumber(strings.TrimSuffix(f.Name, tmpSuffix))
		isTmp := strings.HasSuffix(f.Name, tmpSuffix)
		var err error
		switch {
		case isTmp && isSegment && r.st.Compact == first:
			err = r.fs.Rename(path, segmentPath(r.o.Dir, first))
			left = slices.DeleteFunc(left, func(o FileInfo) bool { return o.Name+tmpSuffix == f.Name })
			left = append(left, FileInfo{strings.TrimSuffix(f.Name, tmpSuffix), f.Size})
		case isTmp && (isSegment || strings.HasPrefix(f.Name, cursorPrefix) || f.Name == stateName+tmpSuffix):
			r.find("%s: removed, was being written when the process ended", f.Name)
			err = r.fs.Remove(path)
		default:
			left = append(left, f)
			continue
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clean up %s: %w", path, err)
		}
		changed = true
	}
	r.files = left
	slices.SortFunc(r.files, func(a, b FileInfo) int { return strings.Compare(a.Name, b.Name) })
	r.st.Compact = 0
	if changed {
		return r.syncDir()
	}
	return nil
}

// setAside renames a segment that cannot be used, so that somebody can look at it.
func (r *recovering) setAside(path string, size int64, why string) error {
	to := path + damagedSuffix
	for i := 2; slices.ContainsFunc(r.files, func(f FileInfo) bool { return f.Name == filepath.Base(to) }); i++ {
		to = fmt.Sprintf("%s.%d%s", path, i, damagedSuffix)
	}
	if err := r.fs.Rename(path, to); err != nil {
		return fmt.Errorf("set segment %s aside: %w", path, err)
	}
	r.files = append(r.files, FileInfo{filepath.Base(to), size})
	r.find("%s: renamed to %s: %s", filepath.Base(path), filepath.Base(to), why)
	r.damaged += size
	return r.syncDir()
}

// loadCursors makes the cursors of the active destinations.
func (r *recovering) loadCursors() error {
	for _, d := range r.o.Destinations {
		set, finding, err := readCursor(r.fs, r.o.Dir, d, idText(r.id))
		if err != nil {
			return err
		}
		if finding != "" {
			r.find("%s", finding)
		}
		r.cursors[d] = &Cursor{log: r.Log, name: d, set: set}
		r.next = maxPosition(r.next, set.low)
		for _, b := range set.beyond {
			r.next = maxPosition(r.next, b.To)
		}
	}
	list, _ := listCursors(r.fs, r.o.Dir, r.files)
	for _, c := range list {
		if _, ok := r.cursors[c.Destination]; !ok {
			r.recovery.Inactive = append(r.recovery.Inactive, c.Destination)
		}
	}
	return nil
}

// maxPosition moves p behind a record that somebody has seen, so that no number is used twice.
func maxPosition(p position, seen uint64) position {
	p.Seq = max(p.Seq, seen+1)
	return p
}

// start reports what was found and brings the log to its running state. What is in it is durable then.
func (r *recovering) start() error {
	r.absent.low = r.st.Floor.Seq - 1
	for _, c := range r.cursors {
		c.set.add(1, r.st.Floor.Seq-1)
	}
	var losses []Loss
	for i := range r.holes {
		losses = append(losses, r.lossesOfHole(&r.holes[i].hole, filepath.Base(r.holes[i].path))...)
	}
	r.recovery.Losses = losses
	for i := range r.st.Losses {
		r.losses = append(r.losses, &openLoss{Loss: r.st.Losses[i]})
	}
	r.clock = newClock(r.o.Now, r.mono, max(r.st.Stamp, newestStamp(r.segs)))
	r.durable = r.next.Seq - 1
	for _, s := range r.segs {
		r.usage += s.size
		r.recovery.Records += uint64(len(s.recs))
	}
	r.recovery.Segments = len(r.segs)
	err := r.commitState(r.settle, losses)
	if err != nil {
		return err
	}
	r.absentRanges()
	return r.mark.write(r.id, r.next)
}

// settle brings the state up to what the segments are. What is missing between them is in the losses now, or was delivered.
func (r *recovering) settle(st *state) {
	st.Log = idText(r.id)
	st.Gone, st.Floor = nil, r.next
	if len(r.segs) > 0 {
		st.Floor = r.segs[0].header.base
	}
	at := st.Floor
	for _, s := range r.segs {
		if s.header.base.Seq > at.Seq {
			st.Gone = append(st.Gone, goneRange{at, s.header.base})
		}
		at = s.end
	}
	if r.next.Seq > at.Seq {
		st.Gone = append(st.Gone, goneRange{at, r.next})
	}
}

// absentRanges lets the cursors pass over all numbers that no record has.
func (r *recovering) absentRanges() {
	at := uint64(1)
	for _, s := range r.segs {
		for _, rec := range s.recs {
			if seq := s.seq(rec); seq > at {
				r.ackAll(at, seq-1)
			}
			at = s.seq(rec) + 1
		}
	}
	if at < r.next.Seq {
		r.ackAll(at, r.next.Seq-1)
	}
}
