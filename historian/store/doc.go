// Package store is the plant's memory on one machine: the engine of InfluxDB 1.8.10 in this process, behind the
// InfluxDB HTTP API. It is the default store; anything else that speaks that API takes its place by URL.
//
// # What answers
//
//	client ── listener ── guard ── httpd.Handler ── query.Executor ── coordinator ── tsdb.Store ── meta/ data/ wal/
//	          TLS,         paths,   InfluxDB's       statements that   one shard       retention,
//	          connections  tokens,  own handler      this store        group after     shard pre-creation
//	                       limits                    does not run      the other
//
// The handler of github.com/influxdata/influxdb/services/httpd is the real server's own code, so that requests, error
// texts and formats are influxd's by construction; what this package adds stands in front of it (guard, tokens, limits)
// or behind one of its interfaces (statements, shardedWriter). README.md lists every deliberate difference.
//
// The price was measured with Go 1.26, CGO_ENABLED=0, stripped, linux/amd64: a program with the engine alone is
// 9.2 MB, with that handler 26.4 MB. The 17 MB are the Flux interpreter, which the handler's package links and which is
// never started: there is no configuration of this package that enables Flux, and /api/v2/query answers 403. A handler
// of our own would be smaller but would have to earn the same answers; it would be the larger risk.
//
// # What a 204 means
//
// The point is in the write-ahead log of its shard and the log was fsynced (the engine's wal-fsync-delay is 0: writers
// that arrive during an fsync share the next one). After kill -9 or loss of power the log is replayed. The in-memory
// index is used, not tsi1: it is rebuilt from TSM files and the log at every start, while tsi1 reads the series back
// from the series file, whose pages the engine never syncs; with tsi1 a power cut can hide points that were
// acknowledged (TestUnsyncedFilesLost is that cut). A plant has some thousand series (tags are site, area, line and unit, not the
// signal), so the memory that tsi1 would save is a few megabytes, and tsi1's eight partitions per shard would cost
// far more files and goroutines when data is kept for ever.
//
// # Assumptions
//
// fsync reaches the medium. A file that was fsynced is found under its name after loss of power, though its directory
// was not fsynced (true on ext4, xfs, btrfs and NTFS; the engine relies on it for new log segments). The
// directory is on a local disk: flock on network file systems is not to be trusted.
package store
