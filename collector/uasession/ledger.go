package uasession

import (
	"time"

	"kvarts/historian/telemetry"
)

// stamp converts a publish time into the clock of the samples' time stamps, so that a gap covers what it says.
func (s *Session) stamp(published telemetry.Instant) telemetry.Instant {
	switch s.cfg.Time.Clock {
	case telemetry.ReceiveClock:
		return published.Add(-s.board.clockOffset)
	default:
		return published.Add(s.cfg.Time.Offset)
	}
}

// serverNow is the server's clock as well as it is known.
func (s *Session) serverNow() telemetry.Instant { return telemetry.Now().Add(s.board.clockOffset) }

// gap writes one entry of the ledger, in order with the messages.
func (s *Session) gap(g telemetry.Gap) {
	g.Server = s.cfg.Name
	s.board.n.Gaps++
	s.out.put(event{gap: g})
}

// lose notes that values of g may be missing from the last known publish time on. The entry is written when its end
// is known. A group of which nothing was ever known has nothing to lose.
func (s *Session) lose(g *group, cause telemetry.Cause, detail string) {
	switch {
	case g.known == 0:
	case g.open == nil:
		g.open = &openGap{from: g.known, cause: cause, detail: detail}
	case cause == telemetry.CauseSession && g.open.cause != cause:
		g.open.cause, g.open.detail = cause, detail
	}
}

// closeGap ends the open gap of g at the publish time to, the first that is known again.
//
// The gap is widened to source times: by one publishing and one sampling interval to the past, because the server may
// hold older samples than its last publish, and by as much as the sources' clocks were seen to differ.
func (s *Session) closeGap(g *group, to telemetry.Instant) {
	if g.open == nil {
		return
	}
	o := g.open
	g.open = nil
	past := publishingOf(&g.cfg) + g.slowest() + g.lag
	// A server whose clock was set back meanwhile publishes before it lost.
	from := s.stamp(min(o.from, to)).Add(-past)
	end := s.stamp(max(o.from, to)).Add(g.lead)
	s.gap(telemetry.Gap{Group: g.cfg.Name, From: from, To: end, Cause: o.cause, Count: -1, Detail: o.detail})
}

// slowest is the longest sampling interval of the group.
func (g *group) slowest() time.Duration {
	var d time.Duration
	for _, it := range g.items {
		d = max(d, it.sampling)
	}
	return d
}

// itemGap ledgers that the server does not report one item, from when it was first refused until now. It is written
// at each failed try: an entry with the same beginning replaces the one before.
func (s *Session) itemGap(it *item, until telemetry.Instant) {
	from := s.stamp(it.lostAt).Add(-publishingOf(&it.group.cfg))
	to := max(s.stamp(until), from)
	for i := range it.dec.Outputs {
		s.gap(telemetry.Gap{
			Group: it.group.cfg.Name, Series: string(it.dec.Outputs[i].Series.Key()), Signal: it.tag.Outputs[i].Name,
			From: from, To: to, Cause: telemetry.CauseItem, Count: -1, Detail: it.reason,
		})
	}
}
