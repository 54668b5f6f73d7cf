package quarantine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"kvarts/historian/telemetry"
)

// Filter selects entries. Empty fields select all.
type Filter struct {
	Destination string
	Server      string
	Group       string
	Reason      Reason
	Contains    string            // in the line, the tag, the value or the message
	Since       telemetry.Instant // put here at or after, 0 = all
	Limit       int               // the newest so many, 0 = all
}

func (f *Filter) match(e *Entry) bool {
	return (f.Destination == "" || f.Destination == e.Destination) && (f.Server == "" || f.Server == e.Server) &&
		(f.Group == "" || f.Group == e.Group) && (f.Reason == "" || f.Reason == e.Reason) && e.At >= f.Since &&
		(f.Contains == "" || strings.Contains(e.Line, f.Contains) || strings.Contains(e.Tag, f.Contains) ||
			strings.Contains(e.Value, f.Contains) || strings.Contains(e.Message, f.Contains))
}

// Stat is what the status page shows.
type Stat struct {
	Count
	Bytes         int64            `json:"bytes"`
	MaxBytes      int64            `json:"max_bytes"`
	Segments      int              `json:"segments"`
	Foreign       int              `json:"foreign"` // segments of another version, left alone
	ByDestination map[string]Count `json:"by_destination"`
	Lost          Lost             `json:"lost"` // since Open
}

// Stat counts. It reads the directory, not the entries.
func (s *Store) Stat() (Stat, error) {
	st := Stat{MaxBytes: s.opts.MaxBytes, ByDestination: make(map[string]Count)}
	err := s.locked(func() error {
		st.Segments, st.Lost, st.Bytes = len(s.segments), s.dropped, s.size()
		for _, seg := range s.segments {
			if seg.foreign {
				st.Foreign++
			}
			for dest, c := range seg.counts {
				d := st.ByDestination[dest]
				d.Entries, d.Samples = d.Entries+c.Entries, d.Samples+c.Samples
				st.ByDestination[dest] = d
				st.Entries, st.Samples = st.Entries+c.Entries, st.Samples+c.Samples
			}
		}
		return nil
	})
	return st, err
}

// List returns the entries that f selects, oldest first.
func (s *Store) List(f Filter) ([]Entry, error) {
	var out []Entry
	err := s.locked(func() error {
		return s.each(func(e *Entry) error {
			if f.match(e) {
				out = append(out, *e)
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list quarantine %s: %w", s.opts.Dir, err)
	}
	if f.Limit > 0 && len(out) > f.Limit {
		out = out[len(out)-f.Limit:]
	}
	return out, nil
}

// Show returns the entry whose ID is id, or begins with it when only one does.
func (s *Store) Show(id string) (Entry, error) {
	var found []Entry
	err := s.locked(func() error {
		return s.each(func(e *Entry) error {
			if id != "" && strings.HasPrefix(e.ID, id) {
				found = append(found, *e)
			}
			return nil
		})
	})
	switch {
	case err != nil:
		return Entry{}, fmt.Errorf("show quarantine %s: %w", s.opts.Dir, err)
	case len(found) == 0:
		return Entry{}, fmt.Errorf("entry %q: %w", id, ErrNotFound)
	case len(found) > 1:
		return Entry{}, fmt.Errorf("entry %q: %d entries begin so, give more of the ID", id, len(found))
	}
	return found[0], nil
}

// Export writes the entries that f selects to w as JSON lines and returns how many.
func (s *Store) Export(w io.Writer, f Filter) (int, error) {
	entries, err := s.List(f)
	if err != nil {
		return 0, err
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for i := range entries {
		if err := enc.Encode(&entries[i]); err != nil {
			return i, fmt.Errorf("export entry %s: %w", entries[i].ID, err)
		}
	}
	return len(entries), nil
}

// Drop removes entries for good and returns how many there were. IDs that are not here are not an error.
func (s *Store) Drop(ids ...string) (int, error) {
	gone := make(map[string]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
	}
	return s.edit(func(e *Entry) verdict {
		if gone[e.ID] {
			return remove
		}
		return keep
	})
}

type verdict uint8

const (
	keep verdict = iota
	remove
	change // e was changed in place
)

// edit rewrites each segment that holds an entry to remove or to change, one after the other, each atomically. Lines
// that cannot be read stay as they are.
func (s *Store) edit(judge func(*Entry) verdict) (removed int, err error) {
	err = s.locked(func() error {
		for _, seg := range s.segments {
			if seg.foreign {
				continue
			}
			n, err := s.editSegment(seg, judge)
			removed += n
			if err != nil {
				return err
			}
		}
		return s.refresh()
	})
	if err != nil {
		return removed, fmt.Errorf("rewrite quarantine %s: %w", s.opts.Dir, err)
	}
	return removed, nil
}

func (s *Store) editSegment(seg *segment, judge func(*Entry) verdict) (removed int, err error) {
	lines, err := s.read(seg)
	if err != nil {
		return 0, err
	}
	out, err := sealedHeader()
	if err != nil {
		return 0, err
	}
	left, touched := 0, false
	for i := range lines {
		v := keep
		if lines[i].intact {
			v = judge(&lines[i].entry)
		}
		touched = touched || v != keep
		switch v {
		case remove:
			removed++
			continue
		case change:
			if out, err = appendSealed(out, &lines[i].entry); err != nil {
				return 0, err
			}
		case keep:
			out = append(out, lines[i].raw...)
		}
		left++
	}
	path := filepath.Join(s.opts.Dir, seg.name)
	switch {
	case !touched:
		return 0, nil
	case left == 0:
		if err := s.disk.remove(path); err != nil {
			return 0, err
		}
		return removed, s.disk.syncDir(s.opts.Dir)
	}
	if err := s.disk.replace(path, out); err != nil {
		return 0, err
	}
	return removed, nil
}

func (s *Store) read(seg *segment) ([]stored, error) {
	b, err := os.ReadFile(filepath.Join(s.opts.Dir, seg.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lines, _, err := decodeSegment(b)
	return lines, err
}

// each calls do with every entry that can be read, oldest first, each ID once.
func (s *Store) each(do func(*Entry) error) error {
	seen := make(map[string]bool)
	for _, seg := range s.segments {
		if seg.foreign {
			continue
		}
		lines, err := s.read(seg)
		if err != nil {
			return err
		}
		for i := range lines {
			if e := &lines[i].entry; lines[i].intact && !seen[e.ID] {
				seen[e.ID] = true
				if err := do(e); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
