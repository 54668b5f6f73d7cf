package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// bookTime is how much of the live part the books settle at least; at most it is twice that. A day of the machines' logs would
// take more than a gigabyte, and as much memory to settle.
const bookTime = time.Hour

// logs are the files in which the plant's servers write down what they make.
type logs struct {
	dir   string
	files map[string]*recent
	err   error
}

// of makes the log of a server; nil, and err, when it cannot.
func (l *logs) of(server string) io.Writer {
	r := &recent{name: filepath.Join(l.dir, server+".samples.jsonl"), span: bookTime}
	if err := r.begin(time.Now()); err != nil {
		l.err = errors.Join(l.err, fmt.Errorf("make the log of %s: %w", server, err))
		return nil
	}
	l.files[server] = r
	return r
}

func (l *logs) close() error {
	var errs []error
	for _, f := range l.files {
		errs = append(errs, f.file.Close())
	}
	return errors.Join(errs...)
}

// recent is a log that forgets: it keeps what was written in the last span, and at most twice as much. Each Write is whole lines.
type recent struct {
	name  string // of what is written; what was written before stands in name + olderSuffix
	span  time.Duration
	file  *os.File
	begun time.Time // file
	older bool      // there is something before file
	lost  bool      // something was forgotten
}

const olderSuffix = ".older"

func (r *recent) begin(now time.Time) (err error) {
	r.file, err = os.Create(r.name)
	r.begun = now
	return err
}

func (r *recent) Write(lines []byte) (int, error) { return r.write(time.Now(), lines) }

func (r *recent) write(now time.Time, lines []byte) (int, error) {
	if now.Sub(r.begun) >= r.span {
		if err := r.turn(now); err != nil {
			return 0, err
		}
	}
	return r.file.Write(lines)
}

// turn begins a new file.
func (r *recent) turn(now time.Time) error {
	if err := errors.Join(r.file.Close(), os.Rename(r.name, r.name+olderSuffix)); err != nil {
		return fmt.Errorf("turn over the log %s: %w", r.name, err)
	}
	r.lost, r.older = r.lost || r.older, true
	return r.begin(now)
}

// read gives what is kept to with.
func (r *recent) read(with func(io.Reader) error) (err error) {
	var parts []io.Reader
	for _, name := range []string{r.name + olderSuffix, r.name} {
		f, failed := os.Open(name)
		if errors.Is(failed, fs.ErrNotExist) && name != r.name {
			continue
		}
		if failed != nil {
			return fmt.Errorf("read the log: %w", failed)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		parts = append(parts, f)
	}
	return with(io.MultiReader(parts...))
}
