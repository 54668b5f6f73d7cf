package buffer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"kvarts/historian/telemetry"
)

const (
	stateName    = "state"
	stateVersion = 1
	// stateSlot is the room for one copy of the state. The file has two, written in turn and in place: a torn write
	// leaves the other one, and a full disk cannot stop the log from recording what it drops to make room. It holds 200
	// losses and more; beyond that they are added up.
	stateSlot = 128 << 10
)

// state is what the segments cannot say themselves: what is gone on purpose, and which losses are not yet ledgered. It
// is made durable before a segment is removed.
type state struct {
	Generation uint64 `json:"generation"`
	Log        string `json:"log"` // 16 hex digits, random: tells this log's files from those of another
	// Floor is the first position that the log still has to have.
	Floor position          `json:"floor"`
	Until telemetry.Instant `json:"until"` // largest time of all records below Floor
	// Gone are the ranges above Floor that were removed on purpose, in order: delivered, or given up and in Losses.
	Gone []goneRange `json:"gone,omitempty"`
	// Compact is the base of the segment whose compacted copy is complete and may take its place; 0: none.
	Compact uint64            `json:"compact,omitempty"`
	Stamp   telemetry.Instant `json:"stamp"` // log clock
	Losses  []Loss            `json:"losses,omitempty"`
}

// goneRange is a half-open range of positions.
type goneRange struct {
	From position `json:"from"`
	To   position `json:"to"`
}

// remove records that the segment from…to is gone: the floor rises, or a gone range grows.
func (s *state) remove(from, to position, until telemetry.Instant) {
	if from.Seq <= s.Floor.Seq {
		if to.Seq > s.Floor.Seq {
			s.Floor = to
		}
		s.Until = max(s.Until, until)
	} else {
		s.Gone = addGone(s.Gone, goneRange{from, to})
	}
	for len(s.Gone) > 0 && s.Gone[0].From.Seq <= s.Floor.Seq {
		if s.Gone[0].To.Seq > s.Floor.Seq {
			s.Floor = s.Gone[0].To
		}
		s.Gone = s.Gone[1:]
	}
}

func addGone(list []goneRange, g goneRange) []goneRange {
	out := make([]goneRange, 0, len(list)+1)
	done := false
	for _, o := range list {
		switch {
		case o.To.Seq == g.From.Seq:
			g.From = o.From
		case g.To.Seq == o.From.Seq:
			g.To = o.To
		case !done && g.To.Seq < o.From.Seq:
			out, done = append(out, g, o), true
		default:
			out = append(out, o)
		}
	}
	if !done {
		out = append(out, g)
	}
	return out
}

// skip returns where the log goes on when at is the beginning of a range that is gone on purpose.
func (s *state) skip(at position) position {
	for _, g := range s.Gone {
		if g.From.Seq <= at.Seq && at.Seq < g.To.Seq {
			at = g.To
		}
	}
	return at
}

// removed reports whether all of [from, to) is gone on purpose.
func (s *state) removed(from, to uint64) bool {
	if to <= s.Floor.Seq {
		return true
	}
	for _, g := range s.Gone {
		if g.From.Seq <= from && to <= g.To.Seq {
			return true
		}
	}
	return false
}

// stateFile is the open state file.
type stateFile struct {
	f    File
	name string
}

// openState opens or creates the state file and returns the newest state in it. damaged says that the file is there but
// no slot can be read.
func openState(fsys FS, dir string) (sf *stateFile, s state, damaged bool, err error) {
	name := filepath.Join(dir, stateName)
	f, err := fsys.Open(name, true)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = createState(fsys, dir, name)
	}
	if err != nil {
		return nil, s, false, fmt.Errorf("open buffer state %s: %w", name, typed(err))
	}
	s, damaged, err = readState(f, name)
	if err != nil {
		return nil, s, false, errors.Join(err, f.Close())
	}
	return &stateFile{f, name}, s, damaged, nil
}

// createState makes the file with room for both slots, under another name first, so that a state file always has its
// full size.
func createState(fsys FS, dir, name string) (File, error) {
	tmp := name + tmpSuffix
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := fsys.Create(tmp)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteAt(make([]byte, 2*stateSlot), 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = fsys.Rename(tmp, name)
	}
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func readState(f File, name string) (newest state, damaged bool, err error) {
	var slot [stateSlot]byte
	filled := false
	for i := range int64(2) {
		n, err := f.ReadAt(slot[:], i*stateSlot)
		if err != nil && !errors.Is(err, io.EOF) {
			filled = true // there may have been something
			continue
		}
		filled = filled || n > 0 && slot[0] != 0
		s, err := decodeState(slot[:n])
		var v *VersionError
		if errors.As(err, &v) {
			v.File = name
			return newest, false, v
		}
		if err == nil && s.Generation > newest.Generation {
			newest = s
		}
	}
	return newest, filled && newest.Generation == 0, nil
}

func decodeState(b []byte) (state, error) {
	var s state
	_, err := decodeDocument(b, "state", stateVersion, &s)
	if err == nil && s.Generation == 0 {
		err = errLength
	}
	return s, err
}

// save writes s, whose Generation it counts up, into the older slot and makes it durable. On error the newer slot is
// as it was.
func (sf *stateFile) save(s *state) error {
	s.Generation++
	b, err := encodeDocument("state", stateVersion, s)
	for err == nil && len(b) > stateSlot && len(s.Losses) > 1 {
		s.Losses = mergeLosses(s.Losses, len(s.Losses)/2)
		b, err = encodeDocument("state", stateVersion, s)
	}
	if err == nil && len(b) > stateSlot {
		err = errLength
	}
	if err == nil {
		_, err = sf.f.WriteAt(b, int64(s.Generation%2)*stateSlot)
	}
	if err == nil {
		err = sf.f.Sync()
		if err != nil {
			err = fmt.Errorf("%w: %w", errSync, err)
		}
	}
	if err != nil {
		s.Generation-- // the next try goes to the same slot, never to the good one
		return fmt.Errorf("save buffer state %s: %w", sf.name, typed(err))
	}
	return nil
}
