package uasession

import (
	"errors"
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"

	"kvarts/historian/telemetry"
)

const (
	// maxRepublish is how many missing messages in a row are asked for. No server keeps more; one that jumps further
	// ahead has a fault that asking does not heal.
	maxRepublish = 1000
	// maxDecodeTries is how often an undecodable message is asked for before it is given up: a fault of the line
	// heals, a value that cannot be decoded does not.
	maxDecodeTries = 3
)

// refill asks for the messages of g that are missing. With open it goes on behind what is known to be missing, until
// the server has no more: after a lost channel nobody knows what was sent into the dead line. Only what ends the
// connection is an error.
func (s *Session) refill(l *link, g *group, open bool) error {
	sub := g.sub
	for asked := 0; sub.dead == "" && (open || sub.seq.missing()); asked++ {
		if err := s.awaitRoom(l); err != nil {
			return err
		}
		if sub.seq.missing() && asked >= maxRepublish {
			s.giveUp(g, telemetry.CauseSequence, sub.seq.known())
			asked = 0
			continue
		}
		more, err := s.republish(l, g)
		if err != nil {
			return err
		}
		open = open && more
	}
	s.noteMissing(g)
	if !sub.seq.missing() && sub.alive > g.known {
		s.upTo(g, sub.alive) // a keep-alive said so, while something was missing
	}
	return nil
}

// republish asks for the next message and delivers it. more is false when the server does not have it and nothing is
// known behind it.
func (s *Session) republish(l *link, g *group) (more bool, err error) {
	sub := g.sub
	n := sub.seq.next
	if s.fatal(g, n) {
		s.dropMessage(g, n)
		s.acks.done(s.loop, sub.id, n)() // at once: nobody shall come across it again
		return true, nil
	}
	resp, err := call[*ua.RepublishResponse](l.ctx, l.ch, &ua.RepublishRequest{SubscriptionID: sub.id, RetransmitSequenceNumber: n}, s.cfg.Timing.Request)
	switch {
	case err == nil && resp.NotificationMessage != nil && resp.NotificationMessage.SequenceNumber == n && len(resp.NotificationMessage.NotificationData) > 0:
		s.board.n.Republished++
		sub.seen, sub.tries = time.Now(), 0
		sub.seq.accept(n, notification{})
		s.began(sub)
		s.deliver(g, notification{resp.NotificationMessage, telemetry.Now()})
		s.drain(g)
		return true, nil
	case sessionGone(err), channelGone(err), isTimeout(err):
		return false, err
	case codeOf(err) == ua.StatusBadSubscriptionIDInvalid, codeOf(err) == ua.StatusBadNoSubscription:
		sub.dead = "the server has forgotten the subscription"
		return false, nil
	case isUndecodable(err):
		s.undecodable(g, n, err)
		return true, nil
	case err != nil && codeOf(err) == 0: // ctx
		return false, err
	}
	sub.seen = time.Now()
	if !sub.seq.missing() {
		return false, nil
	}
	s.giveUp(g, telemetry.CauseSequence, nextSeq(n))
	return true, nil
}

// undecodable counts the tries of message n and gives it up in the end: ledgered, and acknowledged with the next one, so
// that the server lets go of it.
func (s *Session) undecodable(g *group, n uint32, err error) {
	s.board.failed(err)
	if g.sub.tries++; g.sub.tries < maxDecodeTries {
		return
	}
	s.dropMessage(g, n)
	g.sub.ride(n)
}

// dropMessage ledgers message n, the next of g, as undecodable.
func (s *Session) dropMessage(g *group, n uint32) {
	g.sub.tries = 0
	g.sub.seq.announce(nextSeq(n))
	s.board.n.Undecodable++
	s.giveUp(g, telemetry.CauseDecode, nextSeq(n))
}

// giveUp gives up the messages before number known, and delivers what is held behind them.
func (s *Session) giveUp(g *group, cause telemetry.Cause, known uint32) {
	first := g.sub.seq.next
	lost := g.sub.seq.skipTo(known)
	s.board.n.Lost += uint64(lost)
	detail := fmt.Sprintf("%d messages from number %d on cannot be had from the server", lost, first)
	if cause == telemetry.CauseDecode {
		detail = fmt.Sprintf("message %d cannot be decoded", first)
	}
	s.lose(g, cause, detail)
	s.drain(g)
	s.noteMissing(g)
}

// abandon ends g's subscription on our side: what is held behind a loss is delivered, then the rest is open.
func (s *Session) abandon(g *group) {
	sub := g.sub
	for len(sub.seq.held) > 0 {
		s.giveUp(g, telemetry.CauseSession, sub.seq.known())
	}
	s.lose(g, telemetry.CauseSession, sub.dead)
	s.orphans = append(s.orphans, sub.id) // in case that the server still has it
	for _, it := range g.items {
		s.handles.drop(it.handle)
	}
	g.forget()
	s.altered()
}

// awaitRoom waits until the sink has taken enough: recovered messages count like others.
func (s *Session) awaitRoom(l *link) error {
	for s.out.length() >= s.cfg.Limits.Undelivered {
		select {
		case <-s.out.room:
		case <-l.ctx.Done():
			return l.ctx.Err()
		case <-l.ch.gone:
			return errLost
		}
	}
	return nil
}

// leftovers takes the answers that came before the connection ended: a server without Republish would not send them
// again.
func (s *Session) leftovers(l *link) {
	for len(l.results) > 0 {
		p := <-l.results
		if p.err != nil {
			l.inflight--
			s.acks.put(p.loop, p.acks)
			continue
		}
		// The connection has ended already: what published says about it is not news.
		_ = s.published(l, p)
	}
}

// groupFailed notes that g has no subscription and when it is tried again. What ends the connection is returned.
func (s *Session) groupFailed(g *group, err error) error {
	if err == nil {
		g.tries, g.trouble = 0, ""
		return nil
	}
	if sessionGone(err) || channelGone(err) || isTimeout(err) || codeOf(err) == 0 {
		return err
	}
	g.tries++
	g.retry = time.Now().Add(retryDelay(g.tries, s.cfg.Timing.RetryItem, s.cfg.Timing.RetryMax))
	g.trouble = err.Error()
	if g.sub != nil && errors.Is(err, ua.StatusBadSubscriptionIDInvalid) {
		g.sub.dead = "the server has forgotten the subscription"
	}
	s.board.failed(err)
	s.board.find("", err.Error())
	return nil // it is noted, and the group is tried again
}
