package main

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// openLog creates the sample log, which several servers write to. Without a path there
// is none: the writer is nil.
func openLog(path string) (io.Writer, func() error, error) {
	if path == "" {
		return nil, func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, nil, fmt.Errorf("create sample log: %w", err)
	}
	return &sharedWriter{w: f}, f.Close, nil
}

// sharedWriter makes whole writes of several goroutines exclusive. The servers write
// complete lines, see uaserver.Options.Log.
type sharedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sharedWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}
