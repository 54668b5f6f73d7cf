package uasession

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// ProbeOptions bounds what a probe asks of a server that may be in production. The zero value is gentle.
type ProbeOptions struct {
	Items int // most monitored items created in one request; 0: 1000
	Queue int // longest queue asked for; 0: 100000
}

// ProbeResult is what a server really does, measured, beside what it says.
type ProbeResult struct {
	Endpoints  []Endpoint
	Policy     string // of the session that measured
	Mode       string
	Namespaces []string

	// Limits the server states; 0 is no limit or not stated.
	MaxNodesPerRead, MaxNodesPerBrowse, MaxNodesPerTranslate, MaxItemsPerCall uint32
	MaxSubscriptions, MaxItemsPerSubscription, MaxQueue                       uint32

	SessionTimeout time.Duration // revised from 10 min
	MinPublishing  time.Duration // revised from 1 ms
	MinSampling    time.Duration // revised from 0, of the server's clock node
	QueueGranted   uint32        // revised from ProbeOptions.Queue
	ItemsPerCall   int           // as many items were created in one request, up to ProbeOptions.Items
	ItemsRefused   string        // what the server said to more

	FirstSequence uint32 // number of the first message: 1 by the standard
	ListsMessages bool   // AvailableSequenceNumbers holds what it keeps
	Republish     bool   // gives a message again that was not acknowledged
	RepublishSays string // what it says when it does not

	KeepAliveAsked  time.Duration // as revised by the server
	KeepAliveTaken  time.Duration // silence until the keep-alive came; 0: none came
	ClockOffset     time.Duration // server's clock minus ours
	RTT             time.Duration
	SourceTimestamp bool // values carry a source time
	Findings        []string
}

// Endpoint is one offer of the server.
type Endpoint struct {
	URL         string
	Policy      string
	Mode        string
	Users       []string // Anonymous, UserName, …
	Certificate string   // SHA-1 thumbprint
	Until       time.Time
	Spoken      bool // this program speaks the policy
}

const (
	probeItems    = 1000
	probeQueue    = 100_000
	probeInterval = 100 * time.Millisecond
	probeAlive    = 10 // publishing intervals: one second
	probeClocks   = 5
)

// Probe measures a server's limits and habits. It makes one session with two short-lived subscriptions on the server's
// own clock node, and takes a few seconds.
func Probe(ctx context.Context, cfg ServerConfig, opts ProbeOptions) (*ProbeResult, error) {
	if opts.Items <= 0 {
		opts.Items = probeItems
	}
	if opts.Queue <= 0 {
		opts.Queue = probeQueue
	}
	var r ProbeResult
	full := cfg.withDefaults()
	t, err := parseTarget(cfg.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	list, err := discover(ctx, t, full.Timing, full.Limits)
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	r.endpoints(list)
	v, err := visit(ctx, cfg)
	if err != nil {
		return &r, fmt.Errorf("probe: %w", err)
	}
	defer v.leave(ctx)
	p := prober{visitor: v, opts: opts, r: &r}
	for _, step := range []func(context.Context) error{p.stated, p.clock, p.fastest, p.messages, p.items, p.silence} {
		if err := step(ctx); err != nil {
			return &r, fmt.Errorf("probe: %w", err)
		}
	}
	r.judge()
	return &r, nil
}

func (r *ProbeResult) endpoints(list []*ua.EndpointDescription) {
	for _, e := range list {
		out := Endpoint{
			URL: e.EndpointURL, Policy: shortPolicy(e.SecurityPolicyURI), Mode: modeName(e.SecurityMode),
			Certificate: thumbprint(e.ServerCertificate), Until: certificateUntil(e.ServerCertificate),
			Spoken: strength[e.SecurityPolicyURI] > 0,
		}
		if names := tokenNames(e); names != "nothing" {
			out.Users = strings.Split(names, ", ")
		}
		r.Endpoints = append(r.Endpoints, out)
	}
}

type prober struct {
	*visitor
	opts ProbeOptions
	r    *ProbeResult
}

// stated reads what the server says of itself.
func (p *prober) stated(ctx context.Context) error {
	p.r.Policy, p.r.Mode = shortPolicy(p.ses.sec.policy), modeName(p.ses.sec.mode)
	p.r.Namespaces, p.r.SessionTimeout = p.namespaces, p.ses.timeout
	for i, n := range []*uint32{&p.r.MaxNodesPerRead, &p.r.MaxNodesPerBrowse, &p.r.MaxNodesPerTranslate, &p.r.MaxItemsPerCall} {
		*n = p.said[i]
	}
	values, err := p.readAll(ctx, valueIDs([]uint32{
		id.Server_ServerCapabilities_MaxSubscriptionsPerSession, id.Server_ServerCapabilities_MaxMonitoredItemsPerSubscription,
		id.Server_ServerCapabilities_MaxMonitoredItemsQueueSize,
	}))
	if err != nil {
		return err
	}
	for i, n := range []*uint32{&p.r.MaxSubscriptions, &p.r.MaxItemsPerSubscription, &p.r.MaxQueue} {
		*n, _ = uintOf(values[i])
	}
	return nil
}

// clock takes the best of several measurements.
func (p *prober) clock(ctx context.Context) error {
	l := link{ctx: ctx, ch: p.ch, timing: p.cfg.Timing}
	for range probeClocks {
		m := l.measure()
		if m.err != nil {
			return m.err
		}
		if m.rtt > 0 && (p.r.RTT == 0 || m.rtt < p.r.RTT) {
			p.r.RTT, p.r.ClockOffset = m.rtt, m.offset
		}
	}
	return nil
}

func (p *prober) subscribe(ctx context.Context, interval time.Duration) (*ua.CreateSubscriptionResponse, error) {
	return call[*ua.CreateSubscriptionResponse](ctx, p.ch, &ua.CreateSubscriptionRequest{
		RequestedPublishingInterval: float64(interval) / float64(time.Millisecond), RequestedLifetimeCount: 100 * probeAlive,
		RequestedMaxKeepAliveCount: probeAlive, PublishingEnabled: true,
	}, p.cfg.Timing.Request)
}

func (p *prober) drop(ctx context.Context, sub uint32) error {
	_, err := call[*ua.DeleteSubscriptionsResponse](ctx, p.ch, &ua.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{sub}}, p.cfg.Timing.Request)
	return err
}

// fastest asks for the shortest publishing interval.
func (p *prober) fastest(ctx context.Context) error {
	resp, err := p.subscribe(ctx, time.Millisecond)
	if err != nil {
		return err
	}
	p.r.MinPublishing = milliseconds(resp.RevisedPublishingInterval)
	return p.drop(ctx, resp.SubscriptionID)
}

// clockItems are n monitored items on the server's clock node.
func (p *prober) clockItems(n int, sampling float64, queue uint32) []*ua.MonitoredItemCreateRequest {
	items := make([]*ua.MonitoredItemCreateRequest, n)
	for i := range items {
		items[i] = &ua.MonitoredItemCreateRequest{
			ItemToMonitor:  readID(numericNode(0, id.Server_ServerStatus_CurrentTime), ua.AttributeIDValue),
			MonitoringMode: ua.MonitoringModeReporting,
			RequestedParameters: &ua.MonitoringParameters{
				ClientHandle: uint32(i + 1), SamplingInterval: sampling, QueueSize: queue, DiscardOldest: true,
			},
		}
	}
	return items
}

func (p *prober) create(ctx context.Context, sub uint32, items []*ua.MonitoredItemCreateRequest) (*ua.CreateMonitoredItemsResponse, error) {
	return call[*ua.CreateMonitoredItemsResponse](ctx, p.ch, &ua.CreateMonitoredItemsRequest{
		SubscriptionID: sub, TimestampsToReturn: ua.TimestampsToReturnBoth, ItemsToCreate: items,
	}, p.cfg.Timing.Request)
}

// messages looks at the first messages of a subscription: numbers, lists, Republish.
func (p *prober) messages(ctx context.Context) error {
	sub, err := p.subscribe(ctx, probeInterval)
	if err != nil {
		return err
	}
	made, err := p.create(ctx, sub.SubscriptionID, p.clockItems(1, 0, uint32(p.opts.Queue)))
	if err != nil {
		return err
	}
	if len(made.Results) == 1 && !isBad(made.Results[0].StatusCode) {
		p.r.MinSampling, p.r.QueueGranted = milliseconds(made.Results[0].RevisedSamplingInterval), made.Results[0].RevisedQueueSize
	}
	var first *ua.NotificationMessage
	for range probeAlive {
		resp, err := call[*ua.PublishResponse](ctx, p.ch, &ua.PublishRequest{}, p.cfg.Timing.Request)
		if err != nil {
			return err
		}
		msg := resp.NotificationMessage
		if msg == nil || len(msg.NotificationData) == 0 {
			continue
		}
		if first == nil {
			first = msg
			p.r.FirstSequence = msg.SequenceNumber
			p.look(msg)
			continue
		}
		p.r.ListsMessages = slices.Contains(resp.AvailableSequenceNumbers, first.SequenceNumber)
		break
	}
	if first != nil {
		_, err := call[*ua.RepublishResponse](ctx, p.ch, &ua.RepublishRequest{SubscriptionID: sub.SubscriptionID, RetransmitSequenceNumber: first.SequenceNumber}, p.cfg.Timing.Request)
		if err != nil && codeOf(err) == 0 {
			return err
		}
		if p.r.Republish = err == nil; err != nil {
			p.r.RepublishSays = statusText(codeOf(err))
		}
	}
	return p.drop(ctx, sub.SubscriptionID)
}

func (p *prober) look(msg *ua.NotificationMessage) {
	for _, x := range msg.NotificationData {
		if d, ok := x.Value.(*ua.DataChangeNotification); ok {
			for _, n := range d.MonitoredItems {
				p.r.SourceTimestamp = p.r.SourceTimestamp || (n.Value != nil && !n.Value.SourceTimestamp.IsZero())
			}
		}
	}
}

// items finds how many monitored items go into one request, doubling from 100.
func (p *prober) items(ctx context.Context) error {
	sub, err := p.subscribe(ctx, time.Second)
	if err != nil {
		return err
	}
	for n := min(100, p.opts.Items); ; n = min(2*n, p.opts.Items) {
		resp, err := p.create(ctx, sub.SubscriptionID, p.clockItems(n, 1000, 1))
		if err != nil && codeOf(err) == 0 {
			return err
		}
		if err != nil {
			p.r.ItemsRefused = fmt.Sprintf("%d items: %s", n, statusText(codeOf(err)))
			break
		}
		if bad := slices.IndexFunc(resp.Results, func(r *ua.MonitoredItemCreateResult) bool { return isBad(r.StatusCode) }); bad >= 0 {
			p.r.ItemsRefused = fmt.Sprintf("%d items: item %d: %s", n, bad, statusText(resp.Results[bad].StatusCode))
			break
		}
		p.r.ItemsPerCall = n
		if n == p.opts.Items {
			break
		}
	}
	return p.drop(ctx, sub.SubscriptionID)
}

// silence measures how long a subscription without items says nothing.
func (p *prober) silence(ctx context.Context) error {
	sub, err := p.subscribe(ctx, probeInterval)
	if err != nil {
		return err
	}
	p.r.KeepAliveAsked = multiply(milliseconds(sub.RevisedPublishingInterval), sub.RevisedMaxKeepAliveCount)
	// The first one comes at once (Part 4 §5.14.1.2), the second after the silence.
	var last time.Time
	for range 2 {
		limit, cancel := context.WithTimeout(ctx, 3*p.r.KeepAliveAsked+p.cfg.Timing.Grace)
		_, err = call[*ua.PublishResponse](limit, p.ch, &ua.PublishRequest{}, publishTimeout)
		cancel()
		if err != nil {
			break
		}
		if !last.IsZero() {
			p.r.KeepAliveTaken = time.Since(last)
		}
		last = time.Now()
	}
	if err != nil && (ctx.Err() != nil || channelGone(err)) {
		return err
	}
	return p.drop(ctx, sub.SubscriptionID) // one that stayed silent for too long is a result too
}

// judge says in words what an engineer should know.
func (r *ProbeResult) judge() {
	say := func(format string, args ...any) { r.Findings = append(r.Findings, fmt.Sprintf(format, args...)) }
	if off := r.ClockOffset.Abs(); off > time.Second && off > 2*r.RTT {
		say("the server's clock is %s off ours: set one of them, or time_offset", r.ClockOffset.Round(time.Millisecond))
	}
	if !r.Republish && r.FirstSequence != 0 {
		say("it does not give messages again (%s): what the line loses is lost, and ledgered", r.RepublishSays)
	}
	if r.FirstSequence > 1 {
		say("its messages begin at %d instead of 1", r.FirstSequence)
	}
	if r.FirstSequence == 0 {
		say("it reported no value of its own clock within a second")
	}
	if r.KeepAliveTaken == 0 {
		say("it sends no keep-alive: silence of the line and silence of the machine look the same")
	} else if r.KeepAliveTaken > 2*r.KeepAliveAsked {
		say("its keep-alive takes %s instead of %s", r.KeepAliveTaken.Round(time.Millisecond), r.KeepAliveAsked)
	}
	if r.QueueGranted <= 1 {
		say("it grants no queue: of several values between two publishes only the newest is seen")
	}
	if !slices.ContainsFunc(r.Endpoints, func(e Endpoint) bool { return e.Spoken && e.Mode != string(ModeNone) }) {
		say("it offers no security that is spoken: values and passwords go over the line unprotected")
	}
}
