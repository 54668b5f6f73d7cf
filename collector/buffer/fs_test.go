package buffer

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
)

// faultFS is a file system in memory that fails, tears and forgets. It keeps two states: what programs see (the page cache)
// and what a power cut leaves.
//
//   - fail(op, n, err) lets the nth call of that kind from now on fail; ops are the method names in lower case.
//   - capacity makes writes beyond it fail with ENOSPC after a part.
//   - powerCut returns a new file system with what is durable, plus a random choice of what is not.
type faultFS struct {
	mu       sync.Mutex
	files    map[string]*memFile // by full path
	durable  map[string]*memFile // directory entries that SyncDir made durable
	dirs     map[string]bool
	locks    map[string]bool
	calls    map[string]int
	faults   []*fault
	holds    map[string]chan struct{}
	capacity int64
	trace    func(op, name string) // called without the lock, before the operation
}

type fault struct {
	op    string
	match string // part of the file name; "" any
	n     int    // counts down; fails at 0
	err   error
	tear  bool // a write that fails has written a half
	stay  bool // fails from then on
}

// memFile is the content of a file.
type memFile struct {
	data   []byte
	synced []byte
	// writes since the last sync, as ranges: each may or may not survive a power cut, page by page.
	dirty bool
}

func newFaultFS() *faultFS {
	return &faultFS{
		files: map[string]*memFile{}, durable: map[string]*memFile{}, dirs: map[string]bool{}, locks: map[string]bool{},
		calls: map[string]int{}, holds: map[string]chan struct{}{},
	}
}

// fail lets the nth call (1: the next) of op on a file whose name has match in it fail.
func (m *faultFS) fail(op, match string, n int, err error) *fault {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := &fault{op: op, match: match, n: n, err: err}
	m.faults = append(m.faults, f)
	return f
}

func (m *faultFS) heal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = nil
}

// hold lets calls of op wait until release is called.
func (m *faultFS) hold(op string) (release func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(chan struct{})
	m.holds[op] = c
	return sync.OnceFunc(func() {
		m.mu.Lock()
		delete(m.holds, op)
		m.mu.Unlock()
		close(c)
	})
}

// enter counts a call and returns with the lock held.
func (m *faultFS) enter(op, name string) *fault {
	m.mu.Lock()
	for c, trace := m.holds[op], m.trace; c != nil || trace != nil; c, trace = m.holds[op], nil {
		m.mu.Unlock()
		if trace != nil {
			trace(op, name)
		}
		if c != nil {
			<-c
		}
		m.mu.Lock()
	}
	m.calls[op]++
	for _, f := range m.faults {
		if f.op != op || !strings.Contains(name, f.match) || f.n < 0 && !f.stay {
			continue
		}
		if f.n--; f.n == 0 || f.stay && f.n < 0 {
			return f
		}
	}
	return nil
}

func (m *faultFS) simple(op, name string) error {
	if f := m.enter(op, name); f != nil {
		return &fs.PathError{Op: op, Path: name, Err: f.err}
	}
	return nil
}

func (m *faultFS) MkdirAll(dir string) error {
	defer m.mu.Unlock()
	if err := m.simple("mkdirall", dir); err != nil {
		return err
	}
	m.dirs[dir] = true
	return nil
}

func (m *faultFS) Open(name string, write bool) (File, error) {
	defer m.mu.Unlock()
	if err := m.simple("open", name); err != nil {
		return nil, err
	}
	f, ok := m.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &faultFile{m, f, name}, nil
}

func (m *faultFS) Create(name string) (File, error) {
	defer m.mu.Unlock()
	if err := m.simple("create", name); err != nil {
		return nil, err
	}
	if _, ok := m.files[name]; ok {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	f := &memFile{}
	m.files[name] = f
	return &faultFile{m, f, name}, nil
}

func (m *faultFS) Rename(oldname, newname string) error {
	defer m.mu.Unlock()
	if err := m.simple("rename", oldname); err != nil {
		return err
	}
	f, ok := m.files[oldname]
	if !ok {
		return &fs.PathError{Op: "rename", Path: oldname, Err: fs.ErrNotExist}
	}
	delete(m.files, oldname)
	m.files[newname] = f
	return nil
}

func (m *faultFS) Remove(name string) error {
	defer m.mu.Unlock()
	if err := m.simple("remove", name); err != nil {
		return err
	}
	if _, ok := m.files[name]; !ok {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(m.files, name)
	return nil
}

func (m *faultFS) ReadDir(dir string) ([]FileInfo, error) {
	defer m.mu.Unlock()
	if err := m.simple("readdir", dir); err != nil {
		return nil, err
	}
	var list []FileInfo
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		if path.Dir(name) == dir {
			list = append(list, FileInfo{path.Base(name), int64(len(m.files[name].data))})
		}
	}
	return list, nil
}

func (m *faultFS) SyncDir(dir string) error {
	defer m.mu.Unlock()
	if err := m.simple("syncdir", dir); err != nil {
		return err
	}
	m.durable = maps.Clone(m.files)
	return nil
}

func (m *faultFS) Lock(name string) (io.Closer, error) {
	defer m.mu.Unlock()
	if err := m.simple("lock", name); err != nil {
		return nil, err
	}
	if m.locks[name] {
		return nil, fmt.Errorf("%w by another process (pid 1)", ErrLocked)
	}
	m.locks[name] = true
	return faultLock{m, name}, nil
}

type faultLock struct {
	m    *faultFS
	name string
}

func (l faultLock) Close() error {
	defer l.m.mu.Unlock()
	if err := l.m.simple("unlock", l.name); err != nil {
		return err
	}
	delete(l.m.locks, l.name)
	return nil
}

func (m *faultFS) Free(string) int64 { return -1 }

// used is what all files hold. mu is held.
func (m *faultFS) used() (n int64) {
	for _, f := range m.files {
		n += int64(len(f.data))
	}
	return n
}

type faultFile struct {
	m    *faultFS
	f    *memFile
	name string
}

func (f *faultFile) ReadAt(b []byte, off int64) (int, error) {
	defer f.m.mu.Unlock()
	if err := f.m.simple("readat", f.name); err != nil {
		return 0, err
	}
	if off >= int64(len(f.f.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.f.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *faultFile) WriteAt(b []byte, off int64) (int, error) {
	defer f.m.mu.Unlock()
	bad := f.m.enter("writeat", f.name)
	if bad != nil && !bad.tear {
		return 0, &fs.PathError{Op: "write", Path: f.name, Err: bad.err}
	}
	n := len(b)
	if bad != nil {
		n /= 2
	}
	var err error
	if grow := off + int64(n) - int64(len(f.f.data)); f.m.capacity > 0 && grow > 0 && f.m.used()+grow > f.m.capacity {
		n = max(0, n-int(f.m.used()+grow-f.m.capacity))
		err = &fs.PathError{Op: "write", Path: f.name, Err: noSpaceErr}
	}
	if end := off + int64(n); end > int64(len(f.f.data)) {
		f.f.data = append(f.f.data, make([]byte, end-int64(len(f.f.data)))...)
	}
	copy(f.f.data[off:], b[:n])
	f.f.dirty = true
	if bad != nil {
		err = &fs.PathError{Op: "write", Path: f.name, Err: bad.err}
	}
	return n, err
}

func (f *faultFile) Truncate(size int64) error {
	defer f.m.mu.Unlock()
	if err := f.m.simple("truncate", f.name); err != nil {
		return err
	}
	if size < int64(len(f.f.data)) {
		f.f.data = f.f.data[:size:size]
	} else {
		f.f.data = append(f.f.data, make([]byte, size-int64(len(f.f.data)))...)
	}
	f.f.dirty = true
	return nil
}

// Sync fails like the page cache of Linux: what it could not write is clean afterwards, and lost.
func (f *faultFile) Sync() error {
	defer f.m.mu.Unlock()
	if err := f.m.simple("sync", f.name); err != nil {
		return err
	}
	f.f.synced, f.f.dirty = slices.Clone(f.f.data), false
	return nil
}

func (f *faultFile) Close() error {
	defer f.m.mu.Unlock()
	return f.m.simple("close", f.name)
}

func (f *faultFile) Size() (int64, error) {
	defer f.m.mu.Unlock()
	if err := f.m.simple("size", f.name); err != nil {
		return 0, err
	}
	return int64(len(f.f.data)), nil
}

// powerCut is what a disk may hold after the power went: of each directory entry the old or the new one, of each file the
// synced content with any pages of the newer one, and any size between the two.
func (m *faultFS) powerCut(rng *rand.Rand) *faultFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := newFaultFS()
	entries := maps.Clone(m.durable)
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		if f := m.files[name]; entries[name] != f && rng.IntN(2) == 0 {
			entries[name] = f
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.durable)) {
		if m.files[name] == nil && rng.IntN(2) == 0 {
			delete(entries, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		f := &memFile{data: entries[name].survive(rng)}
		f.synced = slices.Clone(f.data)
		n.files[name], n.durable[name] = f, f
	}
	return n
}

func (f *memFile) survive(rng *rand.Rand) []byte {
	if !f.dirty {
		return slices.Clone(f.synced)
	}
	const page = 64 // small, so that records of tests lie across pages
	lo, hi := min(len(f.synced), len(f.data)), max(len(f.synced), len(f.data))
	out := make([]byte, lo+rng.IntN(hi-lo+1))
	copy(out, f.synced)
	for at := 0; at < len(out) && at < len(f.data); at += page {
		if rng.IntN(2) == 0 {
			copy(out[at:min(at+page, len(out))], f.data[at:min(at+page, len(f.data))])
		}
	}
	return out
}

// kill is what the next process finds when this one is killed: all that was written, and no locks.
func (m *faultFS) kill() *faultFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := newFaultFS()
	for name, f := range m.files {
		c := &memFile{data: slices.Clone(f.data), synced: slices.Clone(f.synced), dirty: f.dirty}
		n.files[name] = c
		if m.durable[name] != nil {
			n.durable[name] = c
		}
	}
	return n
}
