package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	lockName  = "demo.lock"
	storeLock = "store.lock" // of the store's process: one that was left alone still closes for a moment
	storeWait = 10 * time.Second
)

// errLocked says that another process has the lock.
var errLocked = errors.New("another process has it")

// takeFolder makes the plant's folder, when it is not there, and takes it for this demo alone, until the file is closed or
// the process ends. A folder with other things in it is refused: what was kept is deleted at times.
func takeFolder(dir string) (*os.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open the plant's folder: %w", err)
	}
	ours := func(e os.DirEntry) bool { return e.Name() == lockName || e.Name() == keptName }
	if len(entries) > 0 && !slices.ContainsFunc(entries, ours) {
		return nil, fmt.Errorf("folder %s has other things in it: name an empty one, or a new one, with --dir", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the plant's folder: %w", err)
	}
	f, err := lock(context.Background(), filepath.Join(dir, lockName), 0)
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("another demo runs in %s: end it, or name another folder with --dir", dir)
	}
	return f, err
}

// lock takes the lock of a file, which it makes, and waits for it so long. Closing the file, or the end of the process, gives
// it back.
func lock(ctx context.Context, name string, wait time.Duration) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	until := time.Now().Add(wait)
	for {
		err := lockFile(f)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, errLocked) || time.Now().After(until) || !rest(ctx, 20*time.Millisecond) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), f.Close())
		}
	}
}

// forget deletes what is kept in the plant's folder, the lock aside.
func forget(dir string) error {
	l, err := lock(context.Background(), filepath.Join(dir, storeLock), storeWait)
	if err != nil {
		return fmt.Errorf("forget the plant: %w", err)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, keptName)), os.RemoveAll(filepath.Join(dir, storeDir)), l.Close()); err != nil {
		return fmt.Errorf("forget the plant: %w", err)
	}
	return nil
}
