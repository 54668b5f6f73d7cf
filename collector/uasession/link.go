package uasession

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"kvarts/historian/telemetry"
)

// publishTimeout is how long one Publish may wait at the server. It is long on purpose: the watchdog finds a dead line
// much earlier, and a server that times requests out would only be asked again.
const publishTimeout = time.Hour

// link is one connection while it serves the session. All fields belong to the session's goroutine, except that the
// goroutines of wg write to the channels.
type link struct {
	parent context.Context
	ctx    context.Context // done when the link is closed
	cancel context.CancelFunc
	ch     *channel
	ses    *session
	timing Timing
	born   time.Time

	wg       sync.WaitGroup
	results  chan published
	pulses   chan pulse
	inflight int
	limit    int       // Publish requests that the server takes at once
	asked    time.Time // last answer to a Publish, or when the first of those in flight was sent
	strikes  int       // Publish requests refused one after the other
	pausing  time.Time // no Publish before: the server was asked for too much
}

// published is the end of one Publish request.
type published struct {
	resp     *ua.PublishResponse
	err      error
	acks     []*ua.SubscriptionAcknowledgement
	loop     uint64
	sent     time.Time
	received telemetry.Instant
}

// pulse is one proof of life, with the server's clock.
type pulse struct {
	rtt    time.Duration
	offset time.Duration // server's clock minus ours
	state  uint32        // ServerState, 0 is running
	err    error
}

func newLink(ctx context.Context, s *Session, c *channel, ses *session) *link {
	l := &link{
		parent: ctx, ch: c, ses: ses, timing: s.cfg.Timing, born: time.Now(), limit: s.cfg.Limits.Publish,
		results: make(chan published, s.cfg.Limits.Publish), pulses: make(chan pulse, 1),
	}
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.wg.Go(l.beat)
	return l
}

// close ends the link; the session lives on at the server. Results that came in time stay in l.results.
func (l *link) close() {
	l.cancel()
	l.ch.close()
	l.wg.Wait()
}

// publish sends one Publish request.
func (l *link) publish(loop uint64, acks []*ua.SubscriptionAcknowledgement) {
	if l.inflight == 0 {
		l.asked = time.Now()
	}
	l.inflight++
	sent := time.Now()
	l.wg.Go(func() {
		resp, err := call[*ua.PublishResponse](l.ctx, l.ch, &ua.PublishRequest{SubscriptionAcknowledgements: acks}, publishTimeout)
		l.results <- published{resp: resp, err: err, acks: acks, loop: loop, sent: sent, received: telemetry.Now()}
	})
}

// beat reads the server's clock at intervals: it keeps the session alive when no Publish is on its way, notices a
// dead line when there is no subscription, and measures how the clocks differ.
func (l *link) beat() {
	every := pulseEvery(l.timing, l.ses.timeout)
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		p := l.measure()
		select {
		case l.pulses <- p:
		case <-l.ctx.Done():
			return
		}
		if p.err != nil {
			return
		}
		select {
		case <-t.C:
		case <-l.ctx.Done():
			return
		}
	}
}

func (l *link) measure() pulse {
	start := time.Now()
	values, err := readAttributes(l.ctx, l.ch, l.timing, valueIDs([]uint32{id.Server_ServerStatus_CurrentTime, id.Server_ServerStatus_State}))
	rtt := time.Since(start)
	if err != nil {
		if codeOf(err) != 0 && !sessionGone(err) && !channelGone(err) {
			return pulse{} // a server without these nodes is alive all the same
		}
		return pulse{err: fmt.Errorf("read the server's clock: %w", err)}
	}
	var p pulse
	if v := values[0]; v != nil && v.Value != nil {
		if at, ok := v.Value.Value().(time.Time); ok && !at.IsZero() {
			p.rtt, p.offset = rtt, at.Sub(start.Add(rtt/2))
		}
	}
	if v := values[1]; v != nil && !isBad(v.Status) && v.Value != nil {
		if n, ok := v.Value.Value().(int32); ok && n > 0 {
			p.state = uint32(n)
		}
	}
	return p
}

var (
	errSilence = errors.New("the server has gone silent")
	errPublish = errors.New("the server refuses Publish again and again")
)
