package uasession

import (
	"context"
	"time"

	"kvarts/collector/uavalue"
	"kvarts/historian/telemetry"
)

// Sink takes what a session collects. Deliver and Gap are called from one goroutine, in order; State from another.
type Sink interface {
	// Deliver takes one message. m belongs to the sink from then on. done must be called once, from any goroutine,
	// when all of m is on disk: only then is it acknowledged to the server. A message whose done never comes is
	// delivered again after a reconnect, by this process or the next, as long as the server has it.
	//
	// Deliver may block: then fewer Publish requests are sent and the server keeps queueing. It must return when ctx
	// is done. An error ends the session: Run returns it.
	Deliver(ctx context.Context, m *Message, done func()) error
	// Gap records a loss, ordered with the messages around it. The same gap may come again with an earlier To: it then
	// replaces the first (same server, group, series, signal, cause and From). To may lie ahead: nothing comes until
	// then, or the gap comes again before. It may block as Deliver may.
	Gap(ctx context.Context, g telemetry.Gap) error
	// State shows how the session is. It must not block. Slices in s are not changed later.
	State(s ServerState)
	// Estate hands over what the next process needs to go on with the server's session, whenever that has changed:
	// sessions, subscriptions and items that came, changed or went; never for a single message, unless one is suspected to have killed the process before. The newest replaces all
	// before it. It is called from the goroutine that calls State and must not block; it should be on its way to
	// the parent before the next message is. After a session that was closed it is empty. Nothing in e is changed later.
	Estate(e Estate)
}

// Message is one NotificationMessage, in sequence order within its group.
type Message struct {
	Group string
	// Seq is the message's sequence number, 0 for a message that the session made itself: status markers of items
	// that the server refuses.
	Seq uint32
	// Stream names the subscription that Seq counts in. It is drawn at random when the subscription is made, so that
	// no two have the same. 0 when Seq is 0.
	Stream    uint64
	Published telemetry.Instant // server's publish time; the receive time when that is insane
	Received  telemetry.Instant
	// Samples in the order of the message. Source is aligned to its tick, not yet numbered within it. The Field of a
	// signal may be replaced once, when its type becomes known: a signal is identified by Series and Field.Name.
	Samples []telemetry.Sample
	// Rejected holds the values that cannot be stored: quarantine them.
	Rejected []Rejected
	// Overflows lists samples that carry the overflow bit. The session has already called Gap for each.
	Overflows []Overflow
}

// Rejected is a value that has no rule or does not fit its field.
type Rejected struct {
	Tag    string // Tag.Name
	Series *telemetry.Series
	Field  string
	uavalue.Reject
}

// Overflow marks a sample before which the server's queue dropped values of the same item.
type Overflow struct {
	Tag    string // Tag.Name
	From   telemetry.Instant
	Source telemetry.Instant // of the flagged sample
}

// ConnState is where a session stands, see Session.
type ConnState string

// The states.
const (
	StateConnecting ConnState = "connecting" // TCP, channel, session
	StateSetup      ConnState = "setup"      // subscriptions are made or recovered
	StateRunning    ConnState = "running"
	StateWaiting    ConnState = "waiting" // backoff before the next connect
	StateStopped    ConnState = "stopped"
)

// ServerState is what the status page shows of one server.
type ServerState struct {
	Server    string
	State     ConnState
	Connected bool      // a session is active
	Since     time.Time // of State
	Text      string    // for people: what is being done or what is wrong

	LastValue   telemetry.Instant // newest receive time of a data message, 0 if none
	LastPublish telemetry.Instant // newest server's publish time, keep-alives included

	Policy          string
	Mode            string
	User            string // "" anonymous
	ServerCert      string // SHA-1 thumbprint of the server's certificate, hexadecimal; "" if none was used
	ServerCertUntil time.Time

	Namespaces  []string
	ClockOffset time.Duration // server's clock minus ours, error at most half of ClockRTT
	ClockRTT    time.Duration // 0: not measured yet

	Groups     []GroupState
	ItemsOK    int
	ItemsBad   int
	BadItems   []BadItem   // the first of them
	Deviations []Deviation // what the server revised
	Findings   []Finding   // what is odd about the data, newest last

	Counters Counters

	LastError     string
	LastErrorTime time.Time
}

// GroupState is one subscription.
type GroupState struct {
	Name       string
	ID         uint32 // server's subscription id, 0 when there is none
	Publishing time.Duration
	KeepAlive  time.Duration
	Lifetime   time.Duration
	Items      int
	LastSeq    uint32
	LastSeen   telemetry.Instant // receive time of the last message or keep-alive
}

// Counters only grow while the process lives.
type Counters struct {
	Connects     uint64 // channels opened
	ConnectFails uint64
	Reactivated  uint64 // sessions that survived a lost channel
	Sessions     uint64 // sessions created
	Recreated    uint64 // subscriptions created again
	Messages     uint64
	KeepAlives   uint64
	Values       uint64
	Republished  uint64 // messages recovered by Republish
	Lost         uint64 // messages that could not be recovered
	Duplicates   uint64 // messages seen again and dropped
	Gaps         uint64 // ledger entries
	Overflows    uint64
	Rejected     uint64
	Undecodable  uint64 // messages given up as undecodable
	Acked        uint64
	AckSkipped   uint64 // acknowledgements not sent because the server no longer listed the message
	AckRefused   uint64
	Silences     uint64 // channels closed by the watchdog
	Strays       uint64 // values of items that are no longer ours
}

// BadItem is an item that the server refuses.
type BadItem struct {
	Tag, Group, Node string
	Reason           string
	Since            time.Time
	Next             time.Time // next try
}

// Deviation is a parameter that the server changed.
type Deviation struct {
	Group, Tag string // Tag is "" for one of the subscription
	What       string // "sampling", "queue", "filter", "publishing", "keep-alive", "lifetime", "type"
	Asked, Got string
	Count      int // tags of the group with the same deviation; Tag is the first of them
}

// Finding is something odd about the data that is not a loss.
type Finding struct {
	Tag  string
	Text string
	At   time.Time
}
