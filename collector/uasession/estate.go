package uasession

import (
	"time"

	"kvarts/historian/telemetry"
)

// Estate is what the next process needs to go on with a server's session: with it the session, its subscriptions and
// what they hold are taken over instead of made anew. It is plain data for encoding/json.
//
// It holds the session's authentication token, which lets its owner act as our user at the server: it belongs in
// memory and on a private pipe, never on a disk or in a log.
type Estate struct {
	// What must be the same in the configuration of the process that takes over.
	Endpoint string // ServerConfig.Endpoint
	User     string
	Policy   string // of the channel, URI
	Mode     uint32

	Session    string        // SessionId, for people
	Token      []byte        // authentication token, a NodeId in binary; empty: there is no session to take over
	Nonce      []byte        // the server's newest
	Timeout    time.Duration // of the session, revised
	Namespaces []string
	Handle     uint32 // highest client handle given
	// Attempts counts take-overs that did not live to the end of their Republish: a message that kills its reader is
	// not asked for for ever.
	Attempts int
	// Doubts are the messages that may have killed their readers.
	Doubts []Doubt `json:",omitempty"`

	Orphans []uint32               `json:",omitempty"` // subscriptions to delete
	Groups  map[string]GroupEstate // by Group.Name
}

// Empty says that there is nothing to take over.
func (e *Estate) Empty() bool { return e == nil || len(e.Token) == 0 }

// GroupEstate is one subscription at the server.
type GroupEstate struct {
	Subscription uint32
	Stream       uint64            // see Mark
	First        uint32            // number of its first message; 0: none has come yet
	Since        telemetry.Instant // when it was made, server's clock

	// Debt is the loss that was not ledgered yet when the subscription was made; nil when there was none.
	Debt *Debt `json:",omitempty"`

	// What was asked for.
	Publishing     time.Duration
	Priority       uint8
	KeepAliveCount uint32
	LifetimeCount  uint32
	Modified       bool `json:",omitempty"` // asked for anew, the server does not know yet

	Interval  time.Duration // as revised
	KeepAlive time.Duration
	Lifetime  time.Duration

	Items  []ItemEstate
	Doomed []uint32 `json:",omitempty"` // monitored items to delete
}

// Doubt is a message that a process asked for and did not live to see, perhaps because of it.
type Doubt struct {
	Group  string
	Mark   Mark
	Deaths int // processes that asked for it, this one included
}

// Debt is a loss whose end is not known.
type Debt struct {
	From   telemetry.Instant // publish time
	Cause  telemetry.Cause
	Detail string
}

// ItemEstate is one monitored item, or one that the server refuses.
type ItemEstate struct {
	Tag string // Tag.Name

	// What was asked for.
	Node          string
	Path          []QName       `json:",omitempty"`
	Sampling      time.Duration `json:",omitempty"`
	Queue         uint32        `json:",omitempty"`
	DiscardNewest bool          `json:",omitempty"`
	Deadband      Deadband
	OnTimestamp   bool `json:",omitempty"`
	Stale         bool `json:",omitempty"` // asked for anew, the server does not know yet
	Plain         bool `json:",omitempty"` // without its filter, which was refused

	// What the server made of it.
	Handle   uint32        `json:",omitempty"` // 0: it is refused
	ID       uint32        `json:",omitempty"`
	NodeID   []byte        `json:",omitempty"` // resolved, binary
	Interval time.Duration `json:",omitempty"` // revised sampling
	Length   uint32        `json:",omitempty"` // revised queue

	// Of a refused one.
	Code   uint32            `json:",omitempty"`
	Reason string            `json:",omitempty"`
	Since  time.Time         `json:",omitzero"`
	LostAt telemetry.Instant `json:",omitempty"` // its newest entry in the ledger, clock of the samples
	LostTo telemetry.Instant `json:",omitempty"`
}

// Mark is a place among the messages of a group.
type Mark struct {
	// Stream is Message.Stream. Numbers of different streams have nothing to do with each other: a group whose
	// subscription was made again counts from 1 again.
	Stream uint64
	Seq    uint32
}
