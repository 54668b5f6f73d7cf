package influx

import (
	"fmt"
	"time"
)

// Class says what the sender of a batch does next. It is decided in one place, classify.
//
//	         ┌── OK        forget the batch
//	answer ──┼── Retry     keep it, send it again after RetryAfter or a backoff; nobody needs to act
//	         ├── Hold      keep it, try again slowly; a person must act, Remedy says how
//	         ├── Split     some line is bad: send halves; a single line that gets Split goes to quarantine
//	         └── TooLarge  send halves; a single line that is too large goes to quarantine
type Class uint8

// The classes. The zero Class is Retry, so that a Result nobody filled in loses nothing.
const (
	Retry Class = iota
	OK
	Hold
	Split
	TooLarge
)

func (c Class) String() string {
	switch c {
	case OK:
		return "ok"
	case Hold:
		return "hold"
	case Split:
		return "split"
	case TooLarge:
		return "too large"
	default:
		return "retry"
	}
}

// Fate is what became of the lines of one batch.
type Fate uint8

// The fates. Only All and None are certain; a Fate never replaces sending again, which is harmless.
const (
	FateUnknown Fate = iota // no answer, or one that says nothing about it
	FateAll                 // all lines are stored
	FateGood                // the good lines are stored, the bad ones are not
	FateNone                // nothing is stored
)

func (f Fate) String() string {
	switch f {
	case FateAll:
		return "all stored"
	case FateGood:
		return "good lines stored"
	case FateNone:
		return "nothing stored"
	default:
		return "unknown"
	}
}

// Result is the outcome of one WriteGzip.
type Result struct {
	Class      Class
	Status     int           // HTTP status, 0 when no answer was read
	Message    string        // what the server (or the network) said, cleaned and cut; empty for OK
	Remedy     string        // what a person can do about it; empty when nothing needs to be done
	RetryAfter time.Duration // what the server asked for, at most MaxRetryAfter; 0 when it asked for nothing
	Dropped    int           // lines the server says it refused, -1 when it gave no number
	Fate       Fate
	// Suspect, only with Retry: the answer may be the batch's own fault (a 500 without a reason, a connection that
	// broke or timed out while the batch was on its way). After several in a row the sender does well to send halves.
	Suspect bool
	Err     error         // nil only for OK; an *Error
	Bytes   int           // compressed bytes of the request's body
	Took    time.Duration // from the call to the end of the answer
}

// MaxRetryAfter is the longest wait that a server may ask for: a proxy that says "one year" must not stop delivery.
const MaxRetryAfter = 5 * time.Minute

// Error is a failed exchange with a server. It never holds the token or the password.
type Error struct {
	Op     string // what was tried: "write", "query", "detect", "create database", …
	Server string // scheme, host and path prefix
	Status int    // HTTP status, 0 when there was no answer
	Kind   ErrorKind
	Text   string // what the server or the network said
	Hint   string // what a person can do, may be empty
	Err    error  // cause, may be nil
}

// ErrorKind sorts errors by what the caller can do about them.
type ErrorKind uint8

// The kinds of errors.
const (
	KindOther       ErrorKind = iota
	KindNetwork               // no connection, or it broke
	KindTimeout               // no answer in time
	KindTLS                   // certificate not trusted, expired, wrong name
	KindAuth                  // token missing, wrong or without the right
	KindNotFound              // no such database, bucket, organization
	KindMapping               // 2.x: no DBRP mapping for the database
	KindSyntax                // the query does not parse
	KindUnavailable           // the server says: not now
	KindRefused               // the server refuses what was sent
	KindProtocol              // the answer is not one of an InfluxDB
	KindIncomplete            // the answer ended early, or says that it is partial
	KindTooLarge              // the request is too large for the server, or the answer for MaxResponse
)

func (e *Error) Error() string {
	s := e.Op
	if e.Server != "" {
		s += " " + e.Server
	}
	if e.Status != 0 {
		s += fmt.Sprintf(": status %d", e.Status)
	}
	if e.Text != "" {
		s += ": " + e.Text
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }
