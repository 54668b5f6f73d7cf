package quarantine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"kvarts/historian/telemetry"
)

// Limits of a store.
const (
	// DefaultMaxBytes holds some 200,000 refused lines: a week of one tag per second with the wrong type.
	DefaultMaxBytes int64 = 64 << 20
	minMaxBytes     int64 = 64 << 10
	// segmentsPerLimit is how finely the oldest part is given up.
	segmentsPerLimit = 8
	maxSegmentBytes  = 8 << 20
)

// Options of a Store. Only Dir is required.
type Options struct {
	Dir      string // created when missing
	MaxBytes int64  // of all segments; 0 = DefaultMaxBytes; the newest segment may stand above it
	// OnLoss is told what the limit gave up or damage made unreadable, before it goes: one gap for each server and
	// group. It runs under the store's lock and must not call the store. What it was told may come again after a crash.
	OnLoss func(telemetry.Gap)
	Now    func() telemetry.Instant // nil: telemetry.Now
}

// Store is one quarantine directory. Its methods may be called from any goroutine and from several processes; they
// block while another one writes. Close it once.
type Store struct {
	opts Options
	disk disk

	mu       sync.Mutex // guards all below, and is held around the lock file's
	lock     *fileLock
	segments []*segment // oldest first; the last one is appended to unless it is sealed
	ids      map[string]int
	torn     map[string]int64 // segments whose fsync failed, and up to where they are known to be durable
	dropped  Lost
	closed   bool
}

// segment is what is remembered of one file.
type segment struct {
	mark
	sealed  bool // not to be appended to: torn, or of another version
	foreign bool // of another version: left alone
	damaged int  // lines that cannot be read
	ids     []string
	tallies map[source]*tally
	counts  map[string]Count // by destination
}

type source struct{ server, group string }

// tally is what a loss of the segment would mean for one source.
type tally struct {
	samples     int64
	first, last telemetry.Instant
}

// Count of entries.
type Count struct {
	Entries int   `json:"entries"`
	Samples int64 `json:"samples"`
}

// Lost is what the limit gave up, or damage took, since Open.
type Lost struct {
	Segments int   `json:"segments"`
	Samples  int64 `json:"samples"`
	Damaged  int   `json:"damaged"` // lines
}

// ErrClosed: Close was called.
var ErrClosed = errors.New("quarantine is closed")

// ErrNotFound: no entry has that ID.
var ErrNotFound = errors.New("no such entry in quarantine")

// Open opens the directory, truncates a torn tail and reads what is there. Damaged lines are reported to OnLoss and
// stay where they are.
func Open(o Options) (*Store, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxBytes < minMaxBytes {
		return nil, fmt.Errorf("quarantine %s: limit of %d bytes is below %d", o.Dir, o.MaxBytes, minMaxBytes)
	}
	if o.Now == nil {
		o.Now = telemetry.Now
	}
	if o.OnLoss == nil {
		o.OnLoss = func(telemetry.Gap) {}
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create quarantine %s: %w", o.Dir, err)
	}
	lock, err := openLock(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open lock of quarantine %s: %w", o.Dir, err)
	}
	s := &Store{opts: o, disk: realDisk(), lock: lock, torn: make(map[string]int64), ids: make(map[string]int)}
	err = s.locked(func() error {
		for _, seg := range s.segments {
			s.reportDamage(seg)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, lock.f.Close())
	}
	return s, nil
}

// Close releases the directory. Nothing waits to be written.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.lock.f.Close()
}

// locked runs do with both locks held and the memory in step with the directory.
func (s *Store) locked(do func() error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.lock.lock(); err != nil {
		return fmt.Errorf("lock quarantine %s: %w", s.opts.Dir, err)
	}
	defer func() {
		if e := s.lock.unlock(); e != nil {
			err = errors.Join(err, fmt.Errorf("unlock quarantine %s: %w", s.opts.Dir, e))
		}
	}()
	if err := s.refresh(); err != nil {
		return fmt.Errorf("read quarantine %s: %w", s.opts.Dir, err)
	}
	return do()
}

// refresh reads the segments that changed since the last look.
func (s *Store) refresh() error {
	now, err := marks(s.opts.Dir)
	if err != nil {
		return err
	}
	known := make(map[mark]*segment, len(s.segments))
	for _, seg := range s.segments {
		known[seg.mark] = seg
	}
	same := len(now) == len(s.segments)
	segments := make([]*segment, 0, len(now))
	for i, m := range now {
		seg := known[m]
		same = same && seg != nil && s.segments[i] == seg
		if seg == nil {
			if seg, err = s.load(m, i == len(now)-1); err != nil {
				return err
			}
		}
		segments = append(segments, seg)
	}
	if same {
		return nil
	}
	s.segments = segments
	s.reindex()
	return nil
}

func (s *Store) reindex() {
	s.ids = make(map[string]int)
	for _, seg := range s.segments {
		for _, id := range seg.ids {
			s.ids[id]++
		}
	}
}

// load reads one segment. The newest one's torn tail is cut off: its entry was never acknowledged to anybody.
func (s *Store) load(m mark, newest bool) (*segment, error) {
	path := filepath.Join(s.opts.Dir, m.name)
	seg := &segment{mark: m}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if known, ok := s.torn[m.name]; ok {
		b, newest, seg.sealed = b[:min(known, int64(len(b)))], false, true
	}
	lines, good, err := decodeSegment(b)
	switch {
	case errors.Is(err, ErrVersion):
		seg.foreign, seg.sealed = true, true
		return seg, nil
	case err != nil:
		return nil, err
	}
	if good < len(b) {
		seg.sealed = true
		if newest && os.Truncate(path, int64(good)) == nil {
			seg.sealed = false
			if err := seg.remark(s.opts.Dir); err != nil {
				return nil, err
			}
		}
	}
	for i := range lines {
		seg.count(&lines[i].entry, lines[i].intact)
	}
	return seg, nil
}

// remark looks up how the file stands now, after this process changed it.
func (seg *segment) remark(dir string) error {
	all, err := marks(dir)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.name == seg.name {
			seg.mark = m
			return nil
		}
	}
	return fmt.Errorf("segment %s has gone", seg.name)
}

func (seg *segment) count(e *Entry, intact bool) {
	if !intact {
		seg.damaged++
		return
	}
	if seg.tallies == nil {
		seg.tallies, seg.counts = make(map[source]*tally), make(map[string]Count)
	}
	seg.ids = append(seg.ids, e.ID)
	c := seg.counts[e.Destination]
	c.Entries++
	c.Samples += int64(e.Samples)
	seg.counts[e.Destination] = c
	if e.Samples == 0 {
		return
	}
	t := seg.tallies[source{e.Server, e.Group}]
	if t == nil {
		t = &tally{first: e.First, last: e.Last}
		seg.tallies[source{e.Server, e.Group}] = t
	}
	t.samples += int64(e.Samples)
	t.first, t.last = min(t.first, e.First), max(t.last, e.Last)
}
