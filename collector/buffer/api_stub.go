package buffer

import (
	"context"
	"errors"
	"io"

	"kvarts/historian/telemetry"
)

var errStub = errors.New("buffer: being built")

// FS stub.
type FS interface{}

// Log of records on disk.
type Log struct{}

// Cursor is the position of one destination.
type Cursor struct{}

// Recovery says what Open found and did.
type Recovery struct {
	Segments  int      `json:"segments"`
	Records   uint64   `json:"records"`
	TornBytes int64    `json:"torn_bytes"`
	Findings  []string `json:"findings"`
	Losses    []Loss   `json:"losses"`
}

// Stat is what the status page shows.
type Stat struct {
	Segments     int               `json:"segments"`
	Bytes        int64             `json:"bytes"`
	MaxBytes     int64             `json:"max_bytes"`
	Records      uint64            `json:"records"`
	FirstSeq     uint64            `json:"first_seq"`
	NextSeq      uint64            `json:"next_seq"`
	DurableSeq   uint64            `json:"durable_seq"`
	Oldest       telemetry.Instant `json:"oldest"`
	DamagedBytes int64             `json:"damaged_bytes"`
	FreeBytes    int64             `json:"free_bytes"`
}

// Report of Verify.
type Report struct {
	OK bool `json:"ok"`
}

// DumpOptions of Dump.
type DumpOptions struct {
	From, To uint64
	Lines    bool
}

func Open(ctx context.Context, o Options) (*Log, error)                          { return nil, errStub }
func (l *Log) Recovery() Recovery                                                { return Recovery{} }
func (l *Log) ID() string                                                        { return "" }
func (l *Log) Append(r *Record) (seq uint64, err error)                          { return 0, errStub }
func (l *Log) Sync(ctx context.Context) error                                    { return errStub }
func (l *Log) Durable() uint64                                                   { return 0 }
func (l *Log) WaitDurable(ctx context.Context, seq uint64) error                 { return errStub }
func (l *Log) Changed() <-chan struct{}                                          { return nil }
func (l *Log) Cursor(dest string) (*Cursor, error)                               { return nil, errStub }
func (l *Log) Read(from uint64, max, maxBytes int, dst []Entry) ([]Entry, error) { return dst, errStub }
func (l *Log) Pin(name string, seq uint64)                                       {}
func (l *Log) Unpin(name string)                                                 {}
func (l *Log) Stat() Stat                                                        { return Stat{} }
func (l *Log) Close() error                                                      { return errStub }

// Acked returns the low-water mark (everything up to it is done) and the ranges beyond it.
func (c *Cursor) Acked() (low uint64, beyond []Range)                        { return 0, nil }
func (c *Cursor) Ack(from, to uint64) error                                  { return errStub }
func (c *Cursor) Pending() (records, bytes uint64, oldest telemetry.Instant) { return 0, 0, 0 }
func Verify(dir string) (Report, error)                                      { return Report{}, errStub }
func Dump(dir string, w io.Writer, o DumpOptions) error                      { return errStub }
