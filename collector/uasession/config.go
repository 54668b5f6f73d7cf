package uasession

import (
	"crypto/rsa"
	"time"

	"kvarts/collector/uavalue"
	"kvarts/historian/telemetry"
)

// Policy is a security policy by its short name (Part 7 §6.6); Auto takes the best that the server offers.
type Policy string

// The policies that may be configured. Basic128Rsa15 and Basic256 are broken and not spoken.
const (
	PolicyAuto                Policy = "auto"
	PolicyNone                Policy = "None"
	PolicyBasic256Sha256      Policy = "Basic256Sha256"
	PolicyAes128Sha256RsaOaep Policy = "Aes128Sha256RsaOaep"
	PolicyAes256Sha256RsaPss  Policy = "Aes256Sha256RsaPss"
)

// Mode is a message security mode (Part 4 §7.20); ModeAuto takes the best that the server offers.
type Mode string

// The modes that may be configured.
const (
	ModeAuto           Mode = "auto"
	ModeNone           Mode = "None"
	ModeSign           Mode = "Sign"
	ModeSignAndEncrypt Mode = "SignAndEncrypt"
)

// Certificates is our own identity and our trust in others (collector/pki implements it). It is asked anew at every
// connect, so that renewed files are used without a restart. Methods may be called at once from several sessions.
type Certificates interface {
	// Own returns our application instance certificate (DER, leaf only), its key, and the ApplicationURI that stands
	// in it.
	Own() (certificate []byte, key *rsa.PrivateKey, applicationURI string, err error)
	// CheckServerCertificate says whether the server may be spoken to. certificate is DER as the server sent it: the
	// leaf, perhaps followed by its chain. host is the one that is dialled, applicationURI what the server's endpoint
	// claims. It is called before any secret is sent. The error is shown to the operator and should say what to do.
	CheckServerCertificate(certificate []byte, host, applicationURI string) error
}

// ServerConfig says how to reach one server and what to collect. Zero durations and counts take the defaults written
// beside them.
type ServerConfig struct {
	Name     string // identity of the server in gaps, states and logs
	Endpoint string // opc.tcp://host[:port][/path]; this host and port are dialled whatever the server's list names

	Policy Policy // "" is auto
	Mode   Mode   // "" is auto
	// Certificates may be nil when the channel and the password need none.
	Certificates Certificates
	User         string // "" is anonymous
	Password     string
	// AllowPlaintextPassword permits a password over a channel that does not encrypt when the server offers no
	// encryption of the password either. Without it such a session is refused.
	AllowPlaintextPassword bool

	Time telemetry.TimeRule

	// Groups is what to collect at first; Session.Apply changes it.
	Groups []Group
	// Resume holds, per group name, up to when (server's publish time) everything was durable when the collector last
	// stopped. What lies between and the first new message is ledgered as CauseSession. Groups not in it are new.
	Resume map[string]telemetry.Instant

	// Estate is the last one that the process before gave to Sink.Estate; nil when there was none. Its session is taken
	// over when the server still has it and this configuration reaches it as the same user; else nothing of it counts.
	Estate *Estate
	// Next holds, per group name, the first message that is not on disk: Stream of the newest message that is, and its
	// Seq + 1 (0, what an overflow makes of the highest number, stands for 1). Messages with Seq 0 do not count. It is used with
	// Estate only; a group that is not in it, or is in it with another Stream, is asked for from its first message on.
	Next map[string]Mark

	// Pin is asked for the field when the type of an output without Type becomes known, from the server's DataType
	// attribute or from the first good value. It may return a field of another type when other units pinned the same
	// signal before; values are then coerced. nil: telemetry.NewField with the type seen. It is called from the
	// session's goroutine and must not block on it.
	Pin func(series *telemetry.Series, name string, seen telemetry.Type) (*telemetry.Field, error)

	Timing Timing
	Limits Limits
}

// Timing holds the session's intervals.
type Timing struct {
	Dial        time.Duration // TCP, channel and each service call of the handshake; 10 s
	Request     time.Duration // one service call; 10 s
	Session     time.Duration // session timeout asked for; 10 min
	Lifetime    time.Duration // subscription lifetime asked for: how long an outage the server bridges; 10 min
	KeepAlive   time.Duration // longest silence of a subscription asked for; 10 s
	Grace       time.Duration // waited beyond the keep-alive before the line counts as dead; 5 s
	Reorder     time.Duration // how long a missing message may be late before it is asked for again; 100 ms
	BackoffMin  time.Duration // first wait after a failed connect; 1 s
	BackoffMax  time.Duration // longest wait; 60 s
	RetryItem   time.Duration // first wait before a refused item is tried again, doubled up to RetryItemMax; 10 s
	RetryMax    time.Duration // 10 min
	StateEvery  time.Duration // at least this often Sink.State is called; 5 s
	ChannelLife time.Duration // security token lifetime asked for; 1 h
	Drain       time.Duration // at the end: wait for what was received to be on disk; 5 s
}

// Limits holds the session's counts.
type Limits struct {
	Publish          int    // Publish requests in flight; 3
	Undelivered      int    // messages received but not yet taken by Sink.Deliver, at most; 16
	Batch            int    // operations in one request, before the server's own limits; 500
	NotificationsPer uint32 // notifications in one message; 5000. A message must fit MaxMessage.
	MaxMessage       uint32 // bytes of one received message; 64 MiB
	BadItems         int    // items listed with their reason in ServerState; 20
}

// Group is one subscription.
type Group struct {
	Name       string        // identity across Apply
	Publishing time.Duration // publishing interval asked for; 1 s
	Priority   uint8
	Tags       []Tag
}

// Tag is one monitored item.
type Tag struct {
	Name string // identity across Apply, unique within the server; shown to people
	// Node is the node id: "i=2258", "nsu=URI;s=…" (also i=, g=, b=) or "ns=2;s=…". With Path it is where the path
	// starts, empty for the Objects folder.
	Node string
	Path []QName // browse path of hierarchical references

	Sampling      time.Duration // asked for; 0: as fast as the server can, negative: the publishing interval
	Queue         uint32        // values the server keeps between two publishes; 0 asks for enough for the intervals, plus one
	DiscardNewest bool          // when the queue is full the newest goes instead of the oldest
	Deadband      Deadband
	// OnTimestamp reports a value also when only its source time changed.
	OnTimestamp bool

	Outputs []Output
}

// QName is a browse name with its namespace by URI. The empty URI is OPC UA's own namespace 0.
type QName struct{ URI, Name string }

// DeadbandKind is the kind of a Deadband.
type DeadbandKind uint8

// The kinds (Part 4 §7.22.2, Part 8 §6.2).
const (
	NoDeadband DeadbandKind = iota
	AbsoluteDeadband
	PercentDeadband // of the node's EURange
)

// Deadband is the change below which the server reports nothing.
type Deadband struct {
	Kind  DeadbandKind
	Value float64
}

// Output is one field of a tag.
type Output struct {
	Series *telemetry.Series
	Name   string         // field name
	Type   telemetry.Type // NoType: pinned when the machine tells it, see ServerConfig.Pin
	Path   uavalue.Path   // element or member, empty for the value itself
	// stored = raw × Scale / Divisor + Offset; 0 means 1 for the first two.
	Scale, Divisor, Offset float64
	Base64                 bool
}
