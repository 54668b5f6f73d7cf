package uasession

import (
	"fmt"
	"slices"
	"time"

	"kvarts/historian/telemetry"
)

// serve brings the subscriptions up on a fresh connection and runs them until it ends; the error says why.
func (s *Session) serve(l *link, reactivated bool) error {
	if err := s.settle(l, reactivated); err != nil {
		return err
	}
	s.tell()
	s.board.set(StateRunning, "collecting")
	s.log.Info().Bool("reactivated", reactivated).Str("policy", s.board.policy).Msg("collecting")
	s.show()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		s.pump(l)
		timer.Reset(time.Until(s.due(l)))
		var err error
		select {
		case <-l.ctx.Done():
			return l.ctx.Err()
		case <-l.ch.gone:
			return errLost
		case p := <-l.results:
			err = s.published(l, p)
			for err == nil && len(l.results) > 0 {
				err = s.published(l, <-l.results)
			}
		case p := <-l.pulses:
			err = s.pulsed(p)
		case <-s.changed:
			s.regroup()
			err = s.reconcile(l)
		case <-s.out.room:
		case <-timer.C:
		}
		if err == nil {
			err = s.tend(l, time.Now())
		}
		s.tell()
		if err != nil {
			return err
		}
	}
}

// settle does what a new connection needs: namespaces, limits, and each group's subscription, recovered or created.
func (s *Session) settle(l *link, reactivated bool) error {
	s.board.set(StateSetup, "setting up")
	s.show()
	namespaces, err := readNamespaces(l.ctx, l.ch, s.cfg.Timing)
	if err != nil {
		return err
	}
	// The server's clock is known before anything is compared with it.
	if err := s.pulsed(l.measure()); err != nil {
		return err
	}
	if reactivated && !slices.Equal(namespaces, s.namespace) {
		for _, g := range s.groups {
			if g.sub != nil {
				g.sub.dead = "the server's namespaces have changed"
			}
		}
	}
	s.namespace = namespaces
	if !reactivated || s.limits == (opLimits{}) {
		first := firstLimits(s.cfg.Limits.Batch, l.ch.maxRequest)
		if s.limits, _, err = readLimits(l.ctx, l.ch, s.cfg.Timing, first); err != nil {
			return err
		}
	}
	if err := s.learnInherited(l); err != nil {
		return err
	}
	for _, g := range s.groups {
		if g.sub != nil && g.sub.dead == "" {
			if err := s.refill(l, g, true); err != nil {
				return fmt.Errorf("recover group %s: %w", g.cfg.Name, err)
			}
		}
	}
	s.inherited()
	return s.reconcile(l)
}

// pulsed takes a proof of life.
func (s *Session) pulsed(p pulse) error {
	if p.err != nil {
		return p.err
	}
	if p.rtt > 0 {
		s.board.clock(p)
	}
	if p.state != 0 {
		s.board.find("", fmt.Sprintf("the server says that it is in state %d (Part 5 §12.6)", p.state))
	}
	return nil
}

// due is when tend has something to do, at the latest.
func (s *Session) due(l *link) time.Time {
	at, now := s.board.nextShow, time.Now()
	earlier := func(t time.Time) {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	earlier(l.pausing)
	for _, g := range s.groups {
		switch sub := g.sub; {
		case sub == nil:
			earlier(g.retry)
		case sub.dead != "":
			return now
		default:
			if !sub.missing.IsZero() {
				earlier(sub.missing.Add(s.cfg.Timing.Reorder))
			}
			if l.inflight > 0 {
				limit := sub.silence(s.cfg.Timing.Grace)
				if at := sub.seen.Add(limit); now.Before(at) {
					earlier(at)
				} else {
					earlier(l.asked.Add(limit))
				}
			}
		}
	}
	earlier(s.board.nextItem)
	return at
}

// tend does what has come due. Only what ends the connection is an error.
func (s *Session) tend(l *link, now time.Time) error {
	if !l.pausing.IsZero() && now.After(l.pausing) {
		l.pausing = time.Time{}
	}
	for _, g := range s.groups {
		if err := s.tendGroup(l, g, now); err != nil {
			return err
		}
	}
	if err := s.watch(l, now); err != nil {
		return err
	}
	if err := s.reap(l); err != nil {
		return err
	}
	if !s.board.nextItem.IsZero() && !now.Before(s.board.nextItem) {
		if err := s.retryItems(l, now); err != nil {
			return err
		}
	}
	if !now.Before(s.board.nextShow) || s.board.changed {
		s.show()
	}
	return nil
}

func (s *Session) tendGroup(l *link, g *group, now time.Time) error {
	sub := g.sub
	switch {
	case sub == nil:
		if now.Before(g.retry) {
			return nil
		}
		return s.groupFailed(g, s.createSubscription(l, g))
	case sub.dead != "":
		s.log.Warn().Str("group", g.cfg.Name).Str("why", sub.dead).Msg("subscription lost, creating it again")
		s.abandon(g)
		s.board.n.Recreated++
		return s.groupFailed(g, s.createSubscription(l, g))
	case !sub.missing.IsZero() && !now.Before(sub.missing.Add(s.cfg.Timing.Reorder)):
		return s.refill(l, g, false)
	}
	return nil
}

// watch finds silence. When nothing at all has come for as long as a subscription may be silent, the line is dead
// whatever TCP says; when only one subscription is silent, the server is asked whether it still has it.
func (s *Session) watch(l *link, now time.Time) error {
	if l.inflight == 0 {
		return nil
	}
	for _, g := range s.groups {
		if g.sub == nil || g.sub.dead != "" {
			continue
		}
		limit := g.sub.silence(s.cfg.Timing.Grace)
		if now.Sub(g.sub.seen) <= limit {
			continue
		}
		switch quiet := now.Sub(l.asked); {
		case quiet > limit:
			s.board.n.Silences++
			return fmt.Errorf("%w for %s", errSilence, quiet.Round(time.Millisecond))
		case quiet > limit/2: // the others may be silent too: it shows soon
			continue
		}
		if g.sub.asked { // it was there, and is still silent
			g.sub.dead = "the subscription is silent"
			continue
		}
		if err := s.refill(l, g, true); err != nil {
			return err
		}
		g.sub.asked, g.sub.seen = true, now
	}
	return nil
}

// retryItems tries refused items again whose time has come.
func (s *Session) retryItems(l *link, now time.Time) error {
	reread := false
	for _, g := range s.groups {
		if g.sub == nil || g.sub.dead != "" {
			continue
		}
		var due []*item
		for _, it := range g.items {
			if it.state == itemBad && !now.Before(it.next) {
				due = append(due, it)
			}
		}
		if len(due) == 0 {
			continue
		}
		if !reread { // a namespace may have come since
			namespaces, err := readNamespaces(l.ctx, l.ch, s.cfg.Timing)
			if err != nil {
				return s.groupFailed(g, err)
			}
			s.namespace, reread = namespaces, true
		}
		if err := s.groupFailed(g, s.createItems(l, g, due)); err != nil {
			return err
		}
	}
	s.board.nextItem = s.nextItem()
	return nil
}

// nextItem is when the first refused item is tried again; zero when there is none.
func (s *Session) nextItem() time.Time {
	var at time.Time
	for _, g := range s.groups {
		for _, it := range g.items {
			if it.state == itemBad && (at.IsZero() || it.next.Before(at)) {
				at = it.next
			}
		}
	}
	return at
}

// resumed is where the collection of a new group begins: where an earlier process stopped, if it did.
func (s *Session) resumed(g *group) {
	at, ok := s.resume[g.cfg.Name]
	if !ok {
		return
	}
	delete(s.resume, g.cfg.Name)
	g.known = at
	s.lose(g, telemetry.CauseSession, "the collector was not connected")
}
