package uasession

import (
	"fmt"
	"slices"
)

// regroup takes the wanted groups over: what is new, changed or gone is noted for reconcile, which tells the server.
func (s *Session) regroup() {
	wanted := s.wantedGroups()
	old := make(map[string]*group, len(s.groups))
	for _, g := range s.groups {
		old[g.cfg.Name] = g
	}
	s.groups = make([]*group, 0, len(wanted))
	for _, w := range wanted {
		g := old[w.Name]
		if g == nil {
			g = &group{cfg: Group{Name: w.Name}}
			s.resumed(g)
		} else {
			g.modified = g.modified || publishingOf(&g.cfg) != publishingOf(&w) || g.cfg.Priority != w.Priority
			delete(old, w.Name)
		}
		s.retag(g, w)
		s.groups = append(s.groups, g)
	}
	for _, g := range old {
		s.drop(g)
	}
	s.altered()
}

// drop forgets a group that is not wanted any more.
func (s *Session) drop(g *group) {
	s.closeGap(g, s.serverNow())
	if g.sub != nil {
		s.orphans = append(s.orphans, g.sub.id)
	}
	for _, it := range g.items {
		s.handles.drop(it.handle)
		s.itemEnds(it)
	}
}

// retag takes over the tags of w.
func (s *Session) retag(g *group, w Group) {
	old := make(map[string]*item, len(g.items))
	for _, it := range g.items {
		old[it.tag.Name] = it
	}
	g.cfg = w
	g.items = make([]*item, 0, len(w.Tags))
	for _, t := range w.Tags {
		it := old[t.Name]
		switch {
		case it == nil:
			it = newItem(g, t, s.cfg.Time)
		case !sameNode(&it.tag, &t):
			s.doom(g, it)
			it = newItem(g, t, s.cfg.Time)
		default:
			it.stale = it.stale || (it.state == itemLive && !sameParameters(&it.tag, &t))
			it.plain = it.plain && it.tag.Deadband == t.Deadband && it.tag.OnTimestamp == t.OnTimestamp
			if it.state == itemBad && len(it.tag.Outputs) > 0 && !slices.EqualFunc(it.tag.Outputs, t.Outputs, sameField) {
				// Its other fields need a marker and an entry of their own. An inherited item does not know its fields yet.
				s.itemEnds(it)
				it.state = itemNew
			}
			it.adopt(t, s.cfg.Time)
		}
		delete(old, t.Name)
		g.items = append(g.items, it)
	}
	for _, it := range old {
		s.doom(g, it)
	}
}

// doom marks an item for deletion at the server. Its values are not taken from now on.
func (s *Session) doom(g *group, it *item) {
	s.handles.drop(it.handle)
	s.itemEnds(it)
	if it.state == itemLive {
		g.doomed = append(g.doomed, it)
	}
}

func sameNode(a, b *Tag) bool {
	if a.Node != b.Node || len(a.Path) != len(b.Path) {
		return false
	}
	for i := range a.Path {
		if a.Path[i] != b.Path[i] {
			return false
		}
	}
	return true
}

func sameParameters(a, b *Tag) bool {
	return a.Sampling == b.Sampling && a.Queue == b.Queue && a.DiscardNewest == b.DiscardNewest &&
		a.Deadband == b.Deadband && a.OnTimestamp == b.OnTimestamp
}

// reconcile tells the server what regroup found. It is the same whether the server knows nothing yet or nearly all.
// A group that fails is tried again later; only what ends the connection is an error.
func (s *Session) reconcile(l *link) error {
	for _, g := range s.groups {
		if err := s.groupFailed(g, s.reconcileGroup(l, g)); err != nil {
			return fmt.Errorf("set up group %s: %w", g.cfg.Name, err)
		}
	}
	s.board.nextItem = s.nextItem()
	return s.reap(l)
}

// reap deletes the subscriptions at the server that are not wanted any more. They go after the new ones have come, so
// that Publish requests always find a subscription.
func (s *Session) reap(l *link) error {
	for len(s.orphans) > 0 {
		err := s.deleteSubscription(l, s.orphans[0])
		if err != nil && (codeOf(err) == 0 || sessionGone(err) || channelGone(err)) {
			return err
		}
		s.orphans = s.orphans[1:]
	}
	return nil
}

func (s *Session) reconcileGroup(l *link, g *group) error {
	if g.sub != nil && g.sub.dead != "" {
		s.abandon(g)
		s.board.n.Recreated++
	}
	if g.sub == nil {
		return s.createSubscription(l, g)
	}
	if g.modified {
		if err := s.modifySubscription(l, g); err != nil {
			return err
		}
		g.modified = false
	}
	if len(g.doomed) > 0 {
		if err := s.deleteItems(l, g.sub, g.doomed); err != nil {
			return err
		}
		g.doomed = nil
	}
	var stale, fresh []*item
	for _, it := range g.items {
		switch {
		case it.stale:
			stale = append(stale, it)
		case it.state == itemNew:
			fresh = append(fresh, it)
		}
	}
	if len(stale) > 0 {
		if err := s.modifyItems(l, g, stale); err != nil {
			return err
		}
		for _, it := range stale {
			it.stale = false
		}
	}
	return s.createItems(l, g, fresh)
}
