package uasession

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gopcua/opcua/ua"

	"kvarts/historian/telemetry"
)

const (
	maxStrikes   = 5               // Publish requests refused in a row before the connection is made anew
	strikePause  = 2 * time.Second // after a refusal, so that a server in trouble is not hammered
	publishFloor = 1               // Publish requests in flight that a server must take
)

// pump keeps as many Publish requests at the server as it takes and as the sink has room for.
func (s *Session) pump(l *link) {
	if !s.subscribed() || time.Now().Before(l.pausing) {
		return
	}
	if l.inflight == 0 { // silence counts from here: before, nobody asked
		now := time.Now()
		for _, g := range s.groups {
			if g.sub != nil {
				g.sub.seen = now
			}
		}
	}
	for l.inflight < l.limit && s.out.length() < s.cfg.Limits.Undelivered {
		acks, dropped := s.acks.take(s.stillListed)
		s.board.n.AckSkipped += uint64(dropped)
		l.publish(s.loop, acks)
	}
}

func (s *Session) subscribed() bool {
	for _, g := range s.groups {
		if g.sub != nil {
			return true
		}
	}
	return false
}

// stillListed says that an acknowledgement means something to the server. Some close the connection over one that
// does not.
func (s *Session) stillListed(a ack) bool {
	g := s.groupOf(a.sub)
	return g != nil && g.sub.listed(a.seq)
}

func (s *Session) groupOf(sub uint32) *group {
	for _, g := range s.groups {
		if g.sub != nil && g.sub.id == sub {
			return g
		}
	}
	return nil
}

// published takes the end of one Publish request. Only what ends the connection is an error.
func (s *Session) published(l *link, p published) error {
	l.inflight--
	l.asked = time.Now()
	if p.err != nil {
		s.acks.put(p.loop, p.acks)
		return s.publishFailed(l, p.err, p.sent)
	}
	l.strikes = 0
	s.acknowledged(p)
	if p.resp.NotificationMessage == nil {
		return nil
	}
	g := s.groupOf(p.resp.SubscriptionID)
	if g == nil { // a subscription that was deleted meanwhile
		if s.heir && !slices.Contains(s.orphans, p.resp.SubscriptionID) { // or that the process before could not tell of
			s.orphans = append(s.orphans, p.resp.SubscriptionID)
		}
		return nil
	}
	msg := p.resp.NotificationMessage
	g.sub.keepList(msg.SequenceNumber, p.resp.AvailableSequenceNumbers)
	if msg.SequenceNumber != 0 {
		s.settleInherited(g.sub, msg.SequenceNumber)
	}
	s.arrived(g, notification{msg, p.received})
	return nil
}

// acknowledged counts what the server says to the acknowledgements.
func (s *Session) acknowledged(p published) {
	for i := range p.acks {
		if i < len(p.resp.Results) && isBad(p.resp.Results[i]) {
			s.board.n.AckRefused++
		} else {
			s.board.n.Acked++
		}
	}
}

// publishFailed decides what a refused Publish means that was sent at that time.
func (s *Session) publishFailed(l *link, err error, sent time.Time) error {
	switch code := codeOf(err); {
	case sessionGone(err), channelGone(err), errors.Is(err, context.Canceled):
		return err
	case code == ua.StatusBadNoSubscription:
		// The server has forgotten all of them that there were; each is made again.
		for _, g := range s.groups {
			if g.sub != nil && g.sub.made.Before(sent) {
				g.sub.dead = "the server has no subscription any more"
			}
		}
		return nil
	case code == ua.StatusBadTooManyPublishRequests:
		l.limit = max(publishFloor, min(l.limit, l.inflight))
		l.pausing = time.Now().Add(s.cfg.Timing.Reorder)
		return nil
	case isTimeout(err) || code == ua.StatusBadTimeout:
		return nil
	case isUndecodable(err):
		// Which message it was shows when the next one comes: it is asked for again then.
		s.board.failed(err)
		return nil
	}
	if l.strikes++; l.strikes >= maxStrikes {
		return fmt.Errorf("%w: %w", errPublish, err)
	}
	l.pausing = time.Now().Add(min(strikePause, s.cfg.Timing.BackoffMin))
	s.board.failed(err)
	return nil
}

// arrived takes one message or keep-alive of g, in whatever order it comes.
func (s *Session) arrived(g *group, n notification) {
	sub := g.sub
	sub.seen, sub.asked = time.Now(), false
	number := n.msg.SequenceNumber
	if len(n.msg.NotificationData) == 0 {
		s.keepAlive(g, n)
		return
	}
	if number == 0 { // no server may use it; what it carries is data all the same, and cannot be acknowledged
		s.deliver(g, n)
		return
	}
	verdict := sub.seq.accept(number, n)
	s.began(sub)
	switch verdict {
	case inOrder:
		s.deliver(g, n)
		s.drain(g)
	case ahead:
	case early:
		s.deliver(g, n)
	case duplicate:
		s.board.n.Duplicates++
		return
	}
	s.noteMissing(g)
}

// keepAlive takes a message without data: its number is the one of the next message to come.
func (s *Session) keepAlive(g *group, n notification) {
	s.board.n.KeepAlives++
	at := publishTime(n)
	if n.msg.SequenceNumber != 0 {
		g.sub.seq.announce(n.msg.SequenceNumber)
		s.began(g.sub)
	}
	g.sub.alive = at
	s.noteMissing(g)
	if !g.sub.seq.missing() {
		s.upTo(g, at)
	}
}

// upTo notes that everything of g up to the publish time at has come, or is known to be lost.
func (s *Session) upTo(g *group, at telemetry.Instant) {
	s.closeGap(g, at)
	g.known = at
	s.board.lastPublish = max(s.board.lastPublish, at)
}

// drain delivers the held messages whose turn has come.
func (s *Session) drain(g *group) {
	for {
		_, n, ok := g.sub.seq.drain()
		if !ok {
			return
		}
		s.deliver(g, n)
	}
}

// noteMissing starts or stops the wait for a missing message.
func (s *Session) noteMissing(g *group) {
	switch sub := g.sub; {
	case !sub.seq.missing():
		sub.missing, sub.tries = time.Time{}, 0
	case sub.missing.IsZero():
		sub.missing = time.Now()
	}
}
