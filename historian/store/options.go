package store

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// Defaults of Options.
const (
	DefaultAddr     = "127.0.0.1:8086"
	DefaultDatabase = "kvarts"
)

// minRetention is the engine's shortest retention and shard duration.
const minRetention = time.Hour

// Options says where a store lives, who may use it and how much of the machine it may take. The zero value of each
// field but Dir is its default.
type Options struct {
	// Dir holds meta/, data/ and wal/ as the data directory of influxd 1.8 does, and kvarts.lock. It is created.
	Dir string
	// Addr is the host:port to listen on; port 0 takes a free one (see Store.URL).
	Addr string
	// Database is created at start if it is missing.
	Database string
	// Retention is how long points are kept, at least an hour; 0 keeps them for ever. At every start the default
	// retention policy of Database is altered to it.
	Retention time.Duration
	// ShardDuration is the span of time of one shard, the unit in which retention deletes; at least an hour, at most
	// Retention. 0 is influxd's rule: 1 h below 2 days of retention, 1 day below 6 months, else 7 days.
	ShardDuration time.Duration
	// RetentionCheck is how often expired shards are looked for. Default 30 min, as influxd.
	RetentionCheck time.Duration

	// Tokens and the tokens of TokenFile (see ParseTokens) may use the store. With none at all everybody may, which is
	// accepted on a loopback address only.
	Tokens    []Token
	TokenFile string
	// CertFile and KeyFile (PEM) turn TLS on; a renewed pair is picked up without a restart.
	CertFile, KeyFile string

	Limits Limits
	Engine Engine

	// Logger receives warnings and errors only: of the engine, of the HTTP server and of recovered panics.
	// The zero Logger discards.
	Logger zerolog.Logger
}

// Limits bound what clients can take. Zero means the default, a negative value no limit.
type Limits struct {
	// BodyBytes is the largest body of a write, as sent and after gunzip. Default 50,000,000.
	BodyBytes int64
	// QueryBytes is the largest text of a query request with all its parameters. Default 1 MiB.
	QueryBytes int64
	// ConcurrentWrites and ConcurrentQueries run at once, default 8 and 16; others wait for up to QueueTimeout
	// (default 30 s) and are then answered 503 with Retry-After.
	ConcurrentWrites, ConcurrentQueries int
	QueueTimeout                        time.Duration
	// QueryTimeout ends a query that runs longer. Default 5 min.
	QueryTimeout time.Duration
	// Rows is the largest number of rows in an answer that is not chunked; a larger one is cut and marked
	// "partial": true, as with influxd's max-row-limit. Default 1,000,000.
	Rows int
	// Buckets is the largest number of GROUP BY time() intervals of one SELECT. Default 1,000,000.
	Buckets int
	// ShardsPerWrite is how many shards one body may touch; points of further ones are dropped with a partial write
	// error. Default 512: enough for nine years of weeks, too few to exhaust the machine's files with invented times.
	ShardsPerWrite int
	// Connections is the largest number of open connections; further ones are closed at once. Default 256.
	Connections int
	// HeaderTimeout (default 10 s) and ReadTimeout (default 60 s) end requests whose header or whole body is not
	// there in time. IdleTimeout (default 2 min) closes idle connections.
	HeaderTimeout, ReadTimeout, IdleTimeout time.Duration
}

// Engine sizes the storage engine. Zero means the default.
type Engine struct {
	// CacheBytes is how much of one shard may wait in memory for its TSM file; writes beyond are answered 500 and can
	// be repeated. Default 256 MiB (influxd: 1 GiB, too much for a gateway).
	CacheBytes uint64
	// SnapshotBytes is the size at which the cache is written to a TSM file. Default 25 MiB, as influxd.
	SnapshotBytes uint64
	// CompactBytesPerSecond bounds what compaction writes. Default 48 MiB/s, as influxd.
	CompactBytesPerSecond uint64
	// Compactions run at once. Default: half the CPUs, as influxd.
	Compactions int
	// Series is the largest number of series of one database; lines that would make a new one beyond it are
	// answered 400 partial write. Default 1,000,000, as influxd.
	Series int
}

func orDefault[T int | int64 | uint64 | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// unlimitedAsZero turns "negative is no limit" into the engine's "0 is no limit".
func unlimitedAsZero[T int | time.Duration](v T) T { return max(v, 0) }

func (l Limits) withDefaults() Limits {
	orDefault(&l.BodyBytes, 50_000_000)
	orDefault(&l.QueryBytes, 1<<20)
	orDefault(&l.ConcurrentWrites, 8)
	orDefault(&l.ConcurrentQueries, 16)
	orDefault(&l.QueueTimeout, 30*time.Second)
	orDefault(&l.QueryTimeout, 5*time.Minute)
	orDefault(&l.Rows, 1_000_000)
	orDefault(&l.Buckets, 1_000_000)
	orDefault(&l.ShardsPerWrite, 512)
	orDefault(&l.Connections, 256)
	orDefault(&l.HeaderTimeout, 10*time.Second)
	orDefault(&l.ReadTimeout, time.Minute)
	orDefault(&l.IdleTimeout, 2*time.Minute)
	return l
}

func (o Options) withDefaults() Options {
	if o.Addr == "" {
		o.Addr = DefaultAddr
	}
	if o.Database == "" {
		o.Database = DefaultDatabase
	}
	orDefault(&o.RetentionCheck, 30*time.Minute)
	orDefault(&o.Engine.CacheBytes, 256<<20)
	orDefault(&o.Engine.SnapshotBytes, 25<<20)
	orDefault(&o.Engine.CompactBytesPerSecond, 48<<20)
	orDefault(&o.Engine.Series, 1_000_000)
	o.Limits = o.Limits.withDefaults()
	return o
}

// check refuses what cannot work, with what to do about it. It expects defaults to be set.
func (o Options) check() error {
	if o.Dir == "" {
		return errors.New("store directory is empty: name the folder that is to hold meta/, data/ and wal/")
	}
	if _, _, err := net.SplitHostPort(o.Addr); err != nil {
		return fmt.Errorf("store address %q: %w: write host:port, for example %s", o.Addr, err, DefaultAddr)
	}
	// The database names a folder; the engine refuses the same names when a statement creates one.
	if o.Database == "." || o.Database == ".." || strings.ContainsAny(o.Database, "/\\\x00") || filepath.Base(o.Database) != o.Database {
		return fmt.Errorf("store database %q: the name becomes a folder and cannot hold a path separator", o.Database)
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		return fmt.Errorf("store TLS: certificate %q and key %q: name both files or none", o.CertFile, o.KeyFile)
	}
	if o.RetentionCheck < 0 {
		return fmt.Errorf("store retention check every %v: must be positive", o.RetentionCheck)
	}
	return o.checkRetention()
}

func (o Options) checkRetention() error {
	if o.Retention != 0 && o.Retention < minRetention {
		return fmt.Errorf("store retention %v: must be at least %v, or 0 to keep points for ever", o.Retention, minRetention)
	}
	if o.ShardDuration != 0 && o.ShardDuration < minRetention {
		return fmt.Errorf("store shard duration %v: must be at least %v, or 0 for the default", o.ShardDuration, minRetention)
	}
	if o.Retention != 0 && o.ShardDuration > o.Retention {
		return fmt.Errorf("store shard duration %v is longer than the retention %v: choose a shorter one", o.ShardDuration, o.Retention)
	}
	return nil
}
