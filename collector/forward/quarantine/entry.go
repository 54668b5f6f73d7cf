// Package quarantine keeps what a store refused, or what could not be encoded for it, until a person decides.
//
// A directory holds numbered segments of JSON lines, each line behind its CRC32C:
//
//	quarantine-00000001.jsonl      1f3a09c2 {"kvarts":"quarantine","version":1}
//	                               9d20e1b7 {"id":"5b0c…","at":1795442400000000000,"reason":"refused",…}
//
// An entry is durable when Add returns. Its identity is a hash of where it was going and of what it is, so that the
// same line refused again after a crash or a restart is one entry. The directory is bounded: the oldest segment is
// given up, and what it held is reported as a telemetry.Gap before it goes.
//
// The collector and its command line use one directory at the same time: every operation holds a lock file, and looks
// first whether the other process changed something.
//
// Assumptions: a file system with atomic rename and a truthful fsync; both processes run on one machine (flock).
package quarantine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	"kvarts/historian/telemetry"
)

// Reason says why an entry is here.
type Reason string

// The reasons.
const (
	Refused    Reason = "refused"    // the store refused this line alone, while it accepted others
	TooLarge   Reason = "too_large"  // the store refuses even this one line as too large
	Unreadable Reason = "unreadable" // a block of the buffer that cannot be decompressed: kept whole
	Unencoded  Reason = "unencoded"  // the collector found no way to write this value as line protocol
)

// Entry is one refused line (or block, or value) with all that a person needs to judge it.
type Entry struct {
	ID          string            `json:"id"` // see Identify
	At          telemetry.Instant `json:"at"` // when it was put here, ns
	Reason      Reason            `json:"reason"`
	Destination string            `json:"destination,omitempty"` // empty: concerns all
	Server      string            `json:"server,omitempty"`
	Group       string            `json:"group,omitempty"`
	Status      int               `json:"status,omitempty"`  // HTTP status of the store's answer
	Message     string            `json:"message,omitempty"` // what the store, or the encoder, said

	// What it is: a line without its newline, or the bytes of a block or of a line that is not UTF-8, or a value.
	Line    string `json:"line,omitempty"`
	Payload []byte `json:"payload,omitempty"`
	Gzip    bool   `json:"gzip,omitempty"` // Payload is a gzip member of lines
	Tag     string `json:"tag,omitempty"`  // Unencoded: configured tag, or node id
	Value   string `json:"value,omitempty"`

	Samples int               `json:"samples"`         // machine samples in it, for the books: generated = stored + quarantined + ledgered
	First   telemetry.Instant `json:"first,omitempty"` // smallest source time in it, ns
	Last    telemetry.Instant `json:"last,omitempty"`  // largest source time in it, ns
	Retries int               `json:"retries,omitempty"`
}

// SetLine stores line, whatever its bytes are.
func (e *Entry) SetLine(line []byte) {
	e.Line, e.Payload, e.Gzip = "", nil, false
	if utf8.Valid(line) {
		e.Line = string(line)
		return
	}
	e.Payload = append([]byte(nil), line...)
}

// RawLine returns the line of SetLine; ok is false when the entry holds no line.
func (e *Entry) RawLine() (line []byte, ok bool) {
	switch {
	case e.Line != "":
		return []byte(e.Line), true
	case len(e.Payload) > 0 && !e.Gzip:
		return e.Payload, true
	}
	return nil, false
}

// Identify sets the ID from what the entry is: destination, server, and the line, block or value. Two entries with one
// ID are one entry. The time, the message and the group are not part of it.
func (e *Entry) Identify() {
	h := sha256.New()
	for _, s := range []string{e.Destination, e.Server, e.Line, string(e.Payload), e.Tag, e.Value} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	if e.Tag != "" {
		fmt.Fprintf(h, "@%d", e.First)
	}
	e.ID = hex.EncodeToString(h.Sum(nil)[:idBytes])
}

// idBytes of a SHA-256 make an ID: 96 bits, so that a million entries collide with a chance below 1e-17.
const idBytes = 12
