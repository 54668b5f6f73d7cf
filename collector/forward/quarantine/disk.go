package quarantine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	segmentPrefix = "quarantine-"
	segmentSuffix = ".jsonl"
	lockName      = "lock"
)

// disk is every write that the store does to its directory, so that a test can make each of them fail.
type disk struct {
	write    func(f *os.File, b []byte) (int, error)
	sync     func(f *os.File) error
	truncate func(f *os.File, size int64) error
	rename   func(from, to string) error
	remove   func(path string) error
	syncDir  func(dir string) error
}

func realDisk() disk {
	return disk{
		write:    func(f *os.File, b []byte) (int, error) { return f.Write(b) },
		sync:     func(f *os.File) error { return f.Sync() },
		truncate: func(f *os.File, size int64) error { return f.Truncate(size) },
		rename:   os.Rename,
		remove:   os.Remove,
		syncDir:  syncDir,
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// fileLock is the lock between processes. The lock file stays: removing it would let two processes lock two files.
type fileLock struct{ f *os.File }

func openLock(dir string) (*fileLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &fileLock{f}, nil
}

// lock waits until no other process holds it. Operations are short: an append, or a rewrite of one directory.
func (l *fileLock) lock() error {
	for {
		err := unix.Flock(int(l.f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (l *fileLock) unlock() error { return unix.Flock(int(l.f.Fd()), unix.LOCK_UN) }

// mark is what tells one state of the directory from another.
type mark struct {
	name string
	size int64
	mod  int64 // ns
	ino  uint64
}

// marks lists the segments, oldest first.
func marks(dir string) ([]mark, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []mark
	for _, e := range entries {
		if _, ok := segmentNumber(e.Name()); !ok {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		m := mark{name: e.Name(), size: info.Size(), mod: info.ModTime().UnixNano()}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			m.ino = st.Ino
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b mark) int {
		x, _ := segmentNumber(a.name)
		y, _ := segmentNumber(b.name)
		return int(min(max(x-y, -1), 1))
	})
	return out, nil
}

func segmentName(n int64) string { return fmt.Sprintf("%s%08d%s", segmentPrefix, n, segmentSuffix) }

func segmentNumber(name string) (int64, bool) {
	s, ok := strings.CutPrefix(name, segmentPrefix)
	if !ok {
		return 0, false
	}
	if s, ok = strings.CutSuffix(s, segmentSuffix); !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n > 0
}

// appendTo appends b to the segment at path and makes it durable. After an error the segment is cut back to size where
// that is possible, and errTorn says that nothing may be appended to it again, nor read from it beyond size.
func (d *disk) appendTo(path string, size int64, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = d.write(f, b)
	torn := false
	if err == nil {
		// What the disk holds after a failed fsync is not known; the page cache says nothing about it.
		err = d.sync(f)
		torn = err != nil
	}
	if err != nil {
		undo := d.truncate(f, size)
		if err = errors.Join(err, undo); torn || undo != nil {
			err = errors.Join(err, errTorn)
		}
	}
	return errors.Join(err, f.Close())
}

var errTorn = errors.New("segment may end in a torn entry")

// replace writes b as the segment at path, atomically.
func (d *disk) replace(path string, b []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = d.write(f, b)
	if err == nil {
		err = d.sync(f)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return d.syncDir(filepath.Dir(path))
}
