package buffer

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// The mark is how far the log was durable: written after each fsync of records, in turn into two sectors of a small
// file, and not fsynced itself. After kill -9 it is exact. After a power cut it may be older than the truth, never newer.
// It tells a torn tail (never durable, nobody counts on it) from a damaged end (was durable: a loss), and it keeps
// numbers from being used twice when the end is lost.
//
//	0        4        6        8        12       16       24       32       40
//	│ "KVMK" │version │   0    │  CRC   │   0    │ log id │  next  │nextcum │
const (
	markName    = "durable"
	markVersion = 1
	markSize    = 40
	markSector  = 512
)

var markMagic = [4]byte{'K', 'V', 'M', 'K'}

type markFile struct {
	f    File
	name string
	turn int64
}

// openMark opens or creates the mark file and returns the newest mark of the given log, zero when there is none.
func openMark(fsys FS, dir string) (*markFile, error) {
	name := filepath.Join(dir, markName)
	f, err := fsys.Open(name, true)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = fsys.Create(name)
		if err == nil {
			// Both sectors are allocated now, so that a full disk does not stop the mark.
			_, err = f.WriteAt(make([]byte, 2*markSector), 0)
			if err != nil {
				err = errors.Join(err, f.Close(), fsys.Remove(name))
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open durable mark %s: %w", name, typed(err))
	}
	return &markFile{f: f, name: name}, nil
}

// read returns the newest mark of the given log, zero when there is none.
func (m *markFile) read(log uint64) (position, error) {
	var newest position
	for i := range int64(2) {
		var b [markSize]byte
		if readFull(m.f, b[:], i*markSector) != nil {
			continue
		}
		id, p, err := decodeMark(b[:])
		var v *VersionError
		if errors.As(err, &v) {
			v.File = m.name
			return position{}, v
		}
		if err == nil && id == log && p.Seq > newest.Seq {
			newest = p
			m.turn = i + 1
		}
	}
	return newest, nil
}

func (m *markFile) write(log uint64, p position) error {
	if _, err := m.f.WriteAt(encodeMark(log, p), m.turn%2*markSector); err != nil {
		return fmt.Errorf("write durable mark %s: %w", m.name, typed(err))
	}
	m.turn++
	return nil
}

func encodeMark(log uint64, p position) []byte {
	b := make([]byte, 0, markSize)
	b = append(b, markMagic[:]...)
	b = le.AppendUint16(b, markVersion)
	b = append(b, make([]byte, 10)...)
	for _, v := range [...]uint64{log, p.Seq, p.Cum} {
		b = le.AppendUint64(b, v)
	}
	le.PutUint32(b[8:], markSum(b))
	return b
}

// markSum is the checksum of a mark: all but the field itself.
func markSum(b []byte) uint32 {
	c := [markSize]byte(b)
	le.PutUint32(c[8:], 0)
	return seededSum(0, c[:])
}

func decodeMark(b []byte) (log uint64, p position, err error) {
	d := dec{b: b}
	d.magic(markMagic)
	version := d.u16()
	d.take(2)
	sum := d.u32()
	d.take(4)
	log = d.u64()
	p = position{d.u64(), d.u64()}
	if err := d.end(); err != nil {
		return 0, position{}, err
	}
	if sum != markSum(b) {
		return 0, position{}, errChecksum
	}
	if version != markVersion {
		return 0, position{}, &VersionError{Have: int(version), Max: markVersion}
	}
	return log, p, nil
}
