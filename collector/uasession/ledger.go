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

// An item that is not reported has a chain of entries, one for each failed try. Each reaches past the next try and its
// answer, so that nothing lies behind its end however the process ends; the next begins where it was made, at the latest
// where the one before ends. When the item comes back, is not wanted any more or the session is closed, the last entry
// gets its true end. An entry never grows: writes may reach the store in any order (collector/forward has two lanes),
// and an older version of it must not uncover what a newer one had covered.
//
//	refused     refused     refused     reported
//	   ├──────────────┤ first
//	               ├──────────────┤ second
//	                           ├───────────┼──┤ third: as written at first, then cut

// itemLost ledgers that nothing of it comes: since the publish time since, unless there is an entry already, and for d more.
func (s *Session) itemLost(it *item, since telemetry.Instant, d time.Duration) {
	g := it.group
	now := s.stamp(s.serverNow())
	from := min(it.lostTo, now)
	if it.lostTo == 0 { // widened as closeGap does
		from = s.stamp(since).Add(-publishingOf(&g.cfg) - it.sampling - g.lag)
	}
	it.lostAt, it.lostTo = from, now.Add(d+s.cfg.Timing.Request+g.lead)
	s.itemGap(it)
}

// itemEnds gives the newest entry of it, if there is one, its true end: now, as well as the server's clock is known.
func (s *Session) itemEnds(it *item) {
	if it.lostTo == 0 {
		return
	}
	now := s.stamp(s.serverNow()).Add(it.group.lead + s.board.clockRTT/2)
	if now > it.lostTo { // the try came late: another entry, as this one may not grow
		it.lostAt = it.lostTo
	}
	it.lostTo = max(now, it.lostAt)
	s.itemGap(it)
	it.lostAt, it.lostTo = 0, 0
}

func (s *Session) itemGap(it *item) {
	for i := range it.dec.Outputs {
		s.gap(telemetry.Gap{
			Group: it.group.cfg.Name, Series: string(it.dec.Outputs[i].Series.Key()), Signal: it.tag.Outputs[i].Name,
			From: it.lostAt, To: it.lostTo, Cause: telemetry.CauseItem, Count: -1, Detail: it.reason,
		})
	}
}
