package uaserver

import (
	"io"
	"time"
)

// Options configures a Server. The zero value is usable: a server on a free loopback
// port with the limits of DefaultLimits.
type Options struct {
	// Addr is the TCP address to listen on; empty means 127.0.0.1:0.
	Addr string
	// AnnouncedURL replaces the server's own URL in its endpoint list, as behind a
	// NAT or with a host name that only the plant network knows. Empty: the true URL.
	AnnouncedURL string
	// ApplicationURI identifies the server; it is namespace 1. Empty: urn:kvarts:sim.
	ApplicationURI string
	// ProductName is shown in BuildInfo and as application name.
	ProductName string
	// Namespaces are the URIs of namespaces 2, 3, … in this order.
	Namespaces []string
	// Users maps user names to passwords. When empty, anonymous sessions are accepted
	// and nothing else; otherwise user names only, with plain passwords (policy None).
	Users map[string]string
	// Limits that the server imposes; zero fields take the value of DefaultLimits.
	Limits Limits
	// Now is the wall clock of server timestamps, publish times and CurrentTime;
	// nil means time.Now. Publishing cycles and timeouts always run in real time.
	Now func() time.Time
	// History is how many values of each variable are kept for HistoryRead; 0: none.
	// NodeSpec.History and NodeSpec.Past override it.
	History int
	// AnonymousTransfer lets anonymous sessions take over each other's subscriptions, as
	// many servers do. OPC 10000-4 §5.14.7 refuses that on channels without security.
	AnonymousTransfer bool
	// ByException reports every change of a variable, whatever sampling interval a client
	// asks for: it is revised to 0, as by servers whose machines push their values. Without
	// it a client that samples with the period of a signal loses a value now and then.
	ByException bool
	// FirstSequence is the sequence number of a subscription's first notification;
	// 0 means 1. Near 4294967295 it makes the rollover to 1 testable.
	FirstSequence uint32
	// Record keeps every generated sample in memory for Server.Generated.
	Record bool
	// Sink, when not nil, gets the generated samples of each SetAll in one call, in the order
	// in which they were set: an account of what was generated that needs no memory here. It
	// must not keep the slice nor call the server, which is locked meanwhile.
	Sink func([]Generated)
	// Log, when not nil, receives one JSON line per generated sample and per sample
	// that the server itself filtered away (type LogEntry). Each Write gets whole lines,
	// so servers may share a writer that is safe for concurrent use; it should not block
	// for long. Errors surface at Close.
	Log io.Writer
}

// Limits is what the server allows. Counts of zero in the operation limits mean "no
// limit" to the client; here zero always means "take the default".
type Limits struct {
	MaxSessions              int           // sessions at once, created or active
	MinSessionTimeout        time.Duration // lower bound of the revised session timeout
	MaxSessionTimeout        time.Duration // upper bound
	MaxChannelLifetime       time.Duration // upper bound of a security token's lifetime
	MaxSubscriptions         int           // subscriptions per session
	MinPublishingInterval    time.Duration
	MaxPublishingInterval    time.Duration
	MaxKeepAliveCount        uint32
	MaxLifetimeCount         uint32
	MaxNotifications         int // monitored item notifications per message, upper bound
	MaxMonitoredItems        int // per subscription
	MaxQueueSize             uint32
	MinSamplingInterval      time.Duration // 0 is allowed and means: every change
	RetransmissionQueue      int           // unacknowledged messages kept per subscription
	MaxPublishRequests       int           // waiting Publish requests per session
	MaxNodesPerRead          uint32
	MaxNodesPerBrowse        uint32
	MaxNodesPerTranslate     uint32
	MaxNodesPerRegister      uint32
	MaxMonitoredItemsPerCall uint32
	MaxContinuationPoints    int // of Browse, per session
	MaxReferencesPerNode     int // references in one Browse answer, upper bound

	MaxNodesPerHistoryRead       uint32
	MaxHistoryValues             int // values of a node in one HistoryRead answer
	MaxHistoryContinuationPoints int // per session

	MaxRequestSize          uint32
	MaxChunkCount           uint32
	MaxPendingResponseBytes int // unread responses of one connection before its requests wait
	HandshakeTimeout        time.Duration
}

// DefaultLimits are those of a mid-size real server: generous enough for 5,000 items
// in a subscription, small enough that a client which ignores them is noticed.
func DefaultLimits() Limits {
	return Limits{
		MaxSessions:              100,
		MinSessionTimeout:        100 * time.Millisecond,
		MaxSessionTimeout:        time.Hour,
		MaxChannelLifetime:       time.Hour,
		MaxSubscriptions:         50,
		MinPublishingInterval:    10 * time.Millisecond,
		MaxPublishingInterval:    time.Minute,
		MaxKeepAliveCount:        100_000,
		MaxLifetimeCount:         1_000_000,
		MaxNotifications:         10_000,
		MaxMonitoredItems:        100_000,
		MaxQueueSize:             60_000, // node-opcua's default
		RetransmissionQueue:      100,
		MaxPublishRequests:       20,
		MaxNodesPerRead:          1000,
		MaxNodesPerBrowse:        1000,
		MaxNodesPerTranslate:     1000,
		MaxNodesPerRegister:      1000,
		MaxMonitoredItemsPerCall: 1000,
		MaxContinuationPoints:    10,
		MaxReferencesPerNode:     1000,

		MaxNodesPerHistoryRead:       100,
		MaxHistoryValues:             10_000,
		MaxHistoryContinuationPoints: 100, // a request with the most nodes may leave one for each

		MaxRequestSize:          1 << 20, // a thousand items need a tenth; bounds the nesting that gopcua's decoder follows
		MaxChunkCount:           1024,
		MaxPendingResponseBytes: 61 << 20,
		HandshakeTimeout:        10 * time.Second,
	}
}

// withDefaults fills the zero fields of l.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	setDefault(&l.MaxSessions, d.MaxSessions)
	setDefault(&l.MinSessionTimeout, d.MinSessionTimeout)
	setDefault(&l.MaxSessionTimeout, d.MaxSessionTimeout)
	setDefault(&l.MaxChannelLifetime, d.MaxChannelLifetime)
	setDefault(&l.MaxSubscriptions, d.MaxSubscriptions)
	setDefault(&l.MinPublishingInterval, d.MinPublishingInterval)
	setDefault(&l.MaxPublishingInterval, d.MaxPublishingInterval)
	setDefault(&l.MaxKeepAliveCount, d.MaxKeepAliveCount)
	setDefault(&l.MaxLifetimeCount, d.MaxLifetimeCount)
	setDefault(&l.MaxNotifications, d.MaxNotifications)
	setDefault(&l.MaxMonitoredItems, d.MaxMonitoredItems)
	setDefault(&l.MaxQueueSize, d.MaxQueueSize)
	setDefault(&l.RetransmissionQueue, d.RetransmissionQueue)
	setDefault(&l.MaxPublishRequests, d.MaxPublishRequests)
	setDefault(&l.MaxNodesPerRead, d.MaxNodesPerRead)
	setDefault(&l.MaxNodesPerBrowse, d.MaxNodesPerBrowse)
	setDefault(&l.MaxNodesPerTranslate, d.MaxNodesPerTranslate)
	setDefault(&l.MaxNodesPerRegister, d.MaxNodesPerRegister)
	setDefault(&l.MaxMonitoredItemsPerCall, d.MaxMonitoredItemsPerCall)
	setDefault(&l.MaxContinuationPoints, d.MaxContinuationPoints)
	setDefault(&l.MaxReferencesPerNode, d.MaxReferencesPerNode)
	setDefault(&l.MaxNodesPerHistoryRead, d.MaxNodesPerHistoryRead)
	setDefault(&l.MaxHistoryValues, d.MaxHistoryValues)
	setDefault(&l.MaxHistoryContinuationPoints, d.MaxHistoryContinuationPoints)
	setDefault(&l.MaxRequestSize, d.MaxRequestSize)
	setDefault(&l.MaxChunkCount, d.MaxChunkCount)
	setDefault(&l.MaxPendingResponseBytes, d.MaxPendingResponseBytes)
	setDefault(&l.HandshakeTimeout, d.HandshakeTimeout)
	return l
}

func setDefault[T comparable](p *T, d T) {
	var zero T
	if *p == zero {
		*p = d
	}
}
