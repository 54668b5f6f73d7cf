// Package buffer is the durable log of a gateway: blocks of samples wait here, on disk, until every destination has
// them.
//
// A Log is a directory of segments. Appenders write to the newest segment; one committer makes what they wrote durable,
// many appends per fsync; readers follow, each destination with a Cursor of its own; what every destination has
// acknowledged is deleted, whole segments at a time. FORMAT.md says what is on disk, what survives kill -9 and a power
// cut, and what is assumed of the disk.
//
//	               Append                fsync               Ack by every destination
//	(caller) ───────────────▶ page cache ──────▶ durable ───────────────────────────────▶ deleted
//	                             │                 │  Read, WaitDurable, Changed
//	                             │ power cut       │ limit (MaxBytes, MaxAge), damage
//	                             ▼                 ▼
//	                   never acknowledged        Loss ──▶ OnLoss
//	                   to the OPC UA server
//
// Nothing is lost unseen: whatever was durable and is given up by a limit or found damaged is reported by OnLoss, with
// the exact number of samples, and reported again after a restart until the report itself is durable.
package buffer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kvarts/historian/telemetry"
)

// Kind says what the lines of a record are.
type Kind uint8

const (
	Data Kind = iota // samples of machines
	Meta             // gaps, heartbeats, proof of life: no samples of machines
	// dropped stands in a compacted segment for records that the policy DropClass gave up. Callers never see it.
	dropped
)

// String gives the name that the command line shows.
func (k Kind) String() string { return nameOf(kindNames, uint8(k)) }

var kindNames = []string{"data", "meta", "dropped"}

// Class is what the policy DropClass looks at.
type Class uint8

const (
	Normal Class = iota // given up first
	Keep                // given up only when nothing Normal is left
)

// String gives the name that the command line shows.
func (c Class) String() string { return nameOf(classNames, uint8(c)) }

var classNames = []string{"normal", "keep"}

// MarshalText makes JSON show the name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// MarshalText makes JSON show the name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (c *Class) UnmarshalText(b []byte) error { return parseName((*uint8)(c), "class", classNames, b) }

// UnmarshalText is the inverse of MarshalText.
func (k *Kind) UnmarshalText(b []byte) error { return parseName((*uint8)(k), "kind", kindNames, b) }

// Policy says what gives way when MaxBytes is reached.
type Policy uint8

const (
	// DropOldest deletes the oldest segments, delivered or not.
	DropOldest Policy = iota
	// DropNewest refuses new Data with ErrFull; Meta still goes in, up to one segment more, so that what was refused
	// can be ledgered.
	DropNewest
	// DropClass takes the Normal records out of the oldest segments and keeps the rest; when nothing Normal is left
	// it deletes the oldest segments.
	DropClass
)

// String gives the name that configuration files use.
func (p Policy) String() string { return nameOf(policyNames, uint8(p)) }

var policyNames = []string{"oldest", "newest", "class"}

// ParsePolicy is the inverse of Policy.String.
func ParsePolicy(s string) (Policy, error) {
	var p uint8
	err := parseName(&p, "drop policy", policyNames, []byte(s))
	return Policy(p), err
}

func parseName(to *uint8, what string, names []string, b []byte) error {
	i := slices.Index(names, string(b))
	if i < 0 {
		return fmt.Errorf("%s %q: want one of %s", what, b, strings.Join(names, ", "))
	}
	*to = uint8(i)
	return nil
}

func nameOf(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

// Record is one block: one gzip member of line protocol, of one server and one group.
type Record struct {
	Kind      Kind
	Class     Class
	Server    string            // whose samples; at most MaxNameBytes; empty for Meta
	Group     string            // subscription; at most MaxNameBytes
	Samples   uint32            // machine samples in it; 0 for Meta
	Lines     uint32            // lines in Payload
	First     telemetry.Instant // smallest source time in it
	Last      telemetry.Instant // largest source time in it
	Published telemetry.Instant // server's publish time: all of the group was known up to here
	Received  telemetry.Instant // collector's wall clock; 0: Append sets it
	Payload   []byte            // one gzip member, at most MaxPayloadBytes
}

// Entry is a record as Read returns it. Its Payload belongs to the caller; the payloads of one Read share memory.
type Entry struct {
	Seq uint64
	Record
}

// Range is a range of sequence numbers, both ends included.
type Range struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// Loss says what the log gave up or could not read any more. Every lost record is in exactly one Loss; one that all
// active destinations had acknowledged is in none. A Loss is identified by (Cause, Server, Group, FromSeq, ToSeq): when
// it is reported again (after a crash before its report was durable) these and First and Last are the same.
type Loss struct {
	Cause        telemetry.Cause   `json:"cause"` // CauseBufferLimit or CauseBufferDamage
	Kind         Kind              `json:"kind"`  // Data (or unknown), or Meta
	Server       string            `json:"server,omitempty"`
	Group        string            `json:"group,omitempty"`
	Known        bool              `json:"known"`        // Server and Group are known; false: any server may be concerned
	Destinations []string          `json:"destinations"` // which active destinations had not acknowledged it
	FromSeq      uint64            `json:"from_seq"`     // 0 for what was refused (DropNewest): it never had a number
	ToSeq        uint64            `json:"to_seq"`
	Records      uint64            `json:"records"`
	Samples      uint64            `json:"samples"` // exact
	First        telemetry.Instant `json:"first"`   // source times; taken from the neighbours, and so widened, when not Known
	Last         telemetry.Instant `json:"last"`
	Detail       string            `json:"detail"` // for people
}

// Defaults and caps.
const (
	DefaultSegmentBytes = 16 << 20
	// MaxPayloadBytes caps one record. A block of 5,000 lines is about 100 KB; InfluxDB refuses bodies over 25 MB.
	MaxPayloadBytes = 32 << 20
	// MaxNameBytes caps Server and Group: one length byte each on disk.
	MaxNameBytes = 255
)

// Options of a Log. Only Dir is required.
type Options struct {
	Dir          string        // created when missing; one process at a time
	SegmentBytes int64         // a segment is closed when it would grow beyond; default 16 MiB, at most MaxBytes/4
	MaxBytes     int64         // limit of all segments together; 0: none
	MaxAge       time.Duration // segments older than this are dropped, delivered or not; 0: never
	Policy       Policy        // what gives way at MaxBytes
	Retain       time.Duration // how long segments stay that every destination has; limits go first
	// SyncInterval is the group commit window: how long the committer waits for more appends before it fsyncs.
	// 0: it fsyncs as soon as the previous fsync is done.
	SyncInterval time.Duration
	FS           FS                       // nil: the real disk
	Now          func() telemetry.Instant // wall clock; nil: telemetry.Now. Ages do not depend on its jumps: see clock
	// Destinations are the active ones: only these hold records back. With none, records stay until a limit.
	Destinations []string
	// OnLoss is called from one goroutine of the Log, one call at a time, no lock held; it may call every method but
	// Close, and should append the ledger's record before it returns: the Log forgets a loss when all that was appended
	// when OnLoss returned is durable, and reports it again after a restart otherwise. What Open finds is reported
	// after the first call of a method of the Log (so that the callback can use the Log).
	OnLoss func(Loss)
}

// Errors that a caller decides on with errors.Is.
var (
	// ErrFull: the limit is reached and the policy is DropNewest. The record is refused and reported by OnLoss (several
	// refusals of one group in one report): the caller need not report it, and must not append it again.
	ErrFull = errors.New("buffer is full")
	// ErrNoSpace: the disk is full. Nothing was stored and nothing is reported: the caller keeps the record, does not
	// acknowledge it to its source, and tries again.
	ErrNoSpace = errors.New("no space left on the buffer's disk")
	// ErrTooLarge: the record exceeds a cap and can never be stored.
	ErrTooLarge = errors.New("record is too large for the buffer")
	// ErrFailed: an earlier fsync failed. The Log stays failed: what is on disk is no longer known, so the process has
	// to open the directory again.
	ErrFailed = errors.New("buffer has failed")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("buffer is closed")
	// ErrLocked: another process has the directory.
	ErrLocked = errors.New("buffer directory is in use")
	// ErrVersion: a file was written by a newer version of Kvarts. Nothing was changed.
	ErrVersion = errors.New("buffer format is newer than this program")
	// ErrDestination: the name is not among Options.Destinations.
	ErrDestination = errors.New("destination is not active")
)
