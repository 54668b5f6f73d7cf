package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// lockName is the file whose lock says that a store has the directory open. It stays after Close; only the lock counts.
const lockName = "kvarts.lock"

// ErrLocked is returned by Open when another process, or another store of this one, has the directory open.
var ErrLocked = errors.New("data directory is in use by another process")

// lockDir takes the directory's lock; closing the file, or the end of the process, gives it back.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make store directory: %w", err)
	}
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("lock store directory %s: %w", dir, err)
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("lock store directory %s: %w", dir, err), f.Close())
	}
	return f, nil
}
