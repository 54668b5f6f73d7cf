package buffer

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"kvarts/historian/telemetry"
)

const (
	cursorPrefix  = "cursor-"
	cursorSuffix  = ".cur"
	cursorVersion = 1
	// maxSavedRanges bounds a cursor file. A delivery that keeps its order has one range beyond the low-water mark; what
	// is not saved is delivered again after a restart, which changes nothing in the store.
	maxSavedRanges = 4096
)

// Cursor is the position of one destination: which records it has acknowledged. All methods may be called at the same
// time. What it holds is on disk at most a second later, and after Close; what a crash takes from it is delivered
// again.
type Cursor struct {
	log  *Log
	name string

	// Guarded by Log.mu.
	set   rangeSet
	dirty bool // set differs from the file
}

// cursorFile is what a cursor file holds. A record's number in the log with the same id is acknowledged up to Low, and
// in the Beyond ranges.
type cursorFile struct {
	Log         string  `json:"log"`
	Destination string  `json:"destination"`
	Low         uint64  `json:"low"`
	Beyond      []Range `json:"beyond,omitempty"`
}

// Cursor returns the cursor of an active destination, always the same one; ErrDestination for any other.
// A destination that the log has not seen before, or whose cursor file is lost, starts at the oldest record.
func (l *Log) Cursor(dest string) (*Cursor, error) {
	l.begin()
	c, ok := l.cursors[dest]
	if !ok {
		return nil, fmt.Errorf("cursor of destination %q: %w: the buffer was opened with %q", dest, ErrDestination, l.o.Destinations)
	}
	return c, nil
}

// Name is the destination.
func (c *Cursor) Name() string { return c.name }

// Acked returns what needs no more delivery: every record up to low, and those in the ranges beyond it, which are sorted
// and belong to the caller. Records that were dropped or are damaged count as acknowledged.
func (c *Cursor) Acked() (low uint64, beyond []Range) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	s := c.set.clone()
	return s.low, s.beyond
}

// Ack marks the records from…to, both included, as delivered. Ranges may come in any order and may overlap. Only
// durable records can be acknowledged: others are an error, and so is from = 0.
func (c *Cursor) Ack(from, to uint64) error {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if from == 0 || to < from || to > l.durable {
		return fmt.Errorf("acknowledge records %d to %d of destination %q: only 1 to %d are durable", from, to, c.name, l.durable)
	}
	if c.set.add(from, to) {
		c.dirty = true
	}
	return nil
}

// Pending says how much is not acknowledged: records, their bytes on disk, and when the oldest was received (0: none is
// pending). It looks only at memory.
func (c *Cursor) Pending() (records, bytes uint64, oldest telemetry.Instant) {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.segs {
		c.set.missing(s.name, s.end.Seq-1, func(from, to uint64) {
			i, j := s.find(from), s.find(to+1)
			if i == j {
				return
			}
			if records == 0 {
				oldest = s.recs[i].received
			}
			records += uint64(j - i)
			bytes += uint64(s.offsetOf(j) - s.offsetOf(i))
		})
	}
	return records, bytes, oldest
}

// cursorName is the file name of a destination's cursor: letters, digits, '-' and '_' stand for themselves, so that two
// destinations never share a file, whatever the file system does with case or other bytes.
func cursorName(dest string) string {
	var b strings.Builder
	for i := 0; i < len(dest) && b.Len() < 150; i++ {
		c := dest[i]
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	if b.Len() >= 150 {
		fmt.Fprintf(&b, "-%08x", seededSum(0, []byte(dest)))
	}
	return cursorPrefix + b.String() + cursorSuffix
}

// decodeCursor decodes the contents of a cursor file.
func decodeCursor(b []byte) (cursorFile, error) {
	var c cursorFile
	rest, err := decodeDocument(b, "cursor", cursorVersion, &c)
	if err != nil {
		return c, err
	}
	if len(rest) > 0 {
		return c, errTrailing
	}
	last := c.Low
	for _, r := range c.Beyond {
		if r.To < r.From || r.From <= last || r.To == ^uint64(0) {
			return c, errLength
		}
		last = r.To
	}
	if c.Low == ^uint64(0) {
		return c, errLength
	}
	return c, nil
}

// readCursor loads the cursor of dest for the log with the given id. A finding says why the cursor starts anew.
func readCursor(fsys FS, dir, dest, log string) (set rangeSet, finding string, err error) {
	name := filepath.Join(dir, cursorName(dest))
	b, err := readAll(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return set, "", nil
	}
	var c cursorFile
	if err == nil {
		c, err = decodeCursor(b)
	}
	var v *VersionError
	if errors.As(err, &v) {
		v.File = name
		return set, "", v
	}
	if err == nil && c.Destination != dest {
		err = fmt.Errorf("is of destination %q", c.Destination)
	}
	if err == nil && c.Log != log {
		err = fmt.Errorf("is of log %s, this is log %s", c.Log, log)
	}
	if err != nil {
		return set, fmt.Sprintf("cursor of destination %q starts at the oldest record, which delivers again what it had: %s: %v", dest, name, err), nil
	}
	set.low = c.Low
	for _, r := range c.Beyond {
		set.add(r.From, r.To)
	}
	return set, "", nil
}

// saveCursors writes the cursors that have changed. It goes on to the next one when one fails.
func (l *Log) saveCursors() error {
	l.cursorMu.Lock()
	defer l.cursorMu.Unlock()
	var errs []error
	for _, d := range l.o.Destinations {
		c := l.cursors[d]
		l.mu.Lock()
		set, dirty := c.set.clone(), c.dirty
		c.dirty = false
		l.mu.Unlock()
		if !dirty {
			continue
		}
		if err := l.saveCursor(c.name, &set); err != nil {
			l.mu.Lock()
			c.dirty = true
			l.mu.Unlock()
			errs = append(errs, fmt.Errorf("save cursor of destination %q: %w", c.name, typed(err)))
		}
	}
	return errors.Join(errs...)
}

func (l *Log) saveCursor(dest string, set *rangeSet) error {
	c := cursorFile{Log: idText(l.id), Destination: dest, Low: set.low, Beyond: set.beyond[:min(len(set.beyond), maxSavedRanges)]}
	b, err := encodeDocument("cursor", cursorVersion, c)
	if err != nil {
		return err
	}
	return replaceFile(l.fs, l.o.Dir, cursorName(dest), b)
}

// replaceFile puts b into the file name of dir, so that after a crash the file holds the old or the new bytes. When it
// returns nil, the new ones are durable.
func replaceFile(fsys FS, dir, name string, b []byte) error {
	path := filepath.Join(dir, name)
	tmp := path + tmpSuffix
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := fsys.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, fsys.Remove(tmp))
	}
	return fsys.SyncDir(dir)
}

// listCursors names the destinations that have a readable cursor file in dir.
func listCursors(fsys FS, dir string, files []FileInfo) (list []cursorFile, bad []string) {
	for _, f := range files {
		if !strings.HasPrefix(f.Name, cursorPrefix) || !strings.HasSuffix(f.Name, cursorSuffix) {
			continue
		}
		b, err := readAll(fsys, filepath.Join(dir, f.Name))
		var c cursorFile
		if err == nil {
			c, err = decodeCursor(b)
		}
		if err != nil {
			bad = append(bad, fmt.Sprintf("%s: %v", f.Name, err))
			continue
		}
		list = append(list, c)
	}
	return list, bad
}
