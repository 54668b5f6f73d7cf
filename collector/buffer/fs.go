package buffer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// FS is what the log asks of a file system. All methods may be called at the same time; names are full paths.
// The test double of this package fails, tears and forgets through the same door.
type FS interface {
	// MkdirAll creates dir and its parents, durably.
	MkdirAll(dir string) error
	// Open opens an existing file, for reading and, with write, for writing. A missing file is fs.ErrNotExist.
	Open(name string, write bool) (File, error)
	// Create makes a new, empty file for reading and writing. An existing one is an error.
	Create(name string) (File, error)
	// Rename replaces newname. It is durable after SyncDir.
	Rename(oldname, newname string) error
	// Remove deletes a file. It is durable after SyncDir.
	Remove(name string) error
	// ReadDir lists the plain files of dir, sorted by name.
	ReadDir(dir string) ([]FileInfo, error)
	// SyncDir returns when all creations, renames and removals in dir are durable.
	SyncDir(dir string) error
	// Lock takes the exclusive lock that the file name stands for, until Close or the end of the process, whichever
	// comes first. It does not wait: a lock held elsewhere is ErrLocked.
	Lock(name string) (io.Closer, error)
	// Free is how many bytes an unprivileged process can still write below dir; -1: not known.
	Free(dir string) int64
}

// FileInfo is one file of a directory.
type FileInfo struct {
	Name string // without the directory
	Size int64
}

// File is an open file. ReadAt may run at the same time as all others.
type File interface {
	io.ReaderAt
	io.WriterAt // into the page cache
	io.Closer
	Truncate(size int64) error
	// Sync returns when everything written before the call is durable. After an error nothing is known about it.
	Sync() error
	Size() (int64, error)
}

type diskFS struct{}

type diskFile struct{ *os.File }

func (f diskFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func (diskFS) MkdirAll(dir string) error {
	if st, err := os.Stat(dir); err == nil && st.IsDir() {
		return nil // its parent may not even be readable for us
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	return diskFS{}.SyncDir(filepath.Dir(filepath.Clean(dir)))
}

func (diskFS) Open(name string, write bool) (File, error) {
	flag := os.O_RDONLY
	if write {
		flag = os.O_RDWR
	}
	return openFile(name, flag)
}

func (diskFS) Create(name string) (File, error) {
	return openFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func openFile(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, 0o640)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (diskFS) Rename(oldname, newname string) error { return os.Rename(oldname, newname) }
func (diskFS) Remove(name string) error             { return os.Remove(name) }

func (diskFS) ReadDir(dir string) ([]FileInfo, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []FileInfo
	for _, e := range list {
		st, err := e.Info()
		if errors.Is(err, os.ErrNotExist) { // removed since
			continue
		}
		if err != nil {
			return nil, err
		}
		if st.Mode().IsRegular() {
			files = append(files, FileInfo{e.Name(), st.Size()})
		}
	}
	return files, nil
}

func (diskFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Lock uses flock: the kernel lets go of it when the process ends, however it ends, so a lock is never stale. The file
// holds the process id for people; it is never removed, because removing it would let two processes lock two files
// of one name.
func (diskFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%w by another process%s: stop it, or give this collector a directory of its own", ErrLocked, holder(f))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// The id is only for people: on a full disk the lock holds without it.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

func holder(f *os.File) string {
	var b [20]byte
	n, _ := f.ReadAt(b[:], 0)
	if pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n]))); err == nil {
		return fmt.Sprintf(" (pid %d)", pid)
	}
	return ""
}

func (diskFS) Free(dir string) int64 {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return -1
	}
	return int64(st.Bavail) * st.Bsize
}

// noSpace says that err means a full disk or quota, for which waiting helps.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// typed adds ErrNoSpace to an error of a full disk.
func typed(err error) error {
	if noSpace(err) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}
