package uasession

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gopcua/opcua/ua"
)

const (
	// maxAttempts is how many processes in a row may die while they take one session over. It is more than one, as a
	// process dies for the sins of one server and has many.
	maxAttempts = 6
	// maxDeaths is how many processes may die of one message.
	maxDeaths = 2
	// maxMute is how often in a row a server may leave a take-over without an answer before its session is given up:
	// some close the connection instead of saying that they do not have the session.
	maxMute = 3
)

// inherit prepares to take over what the process before has left: as if this one had made it and then lost the line.
// What of it is not wanted any more is found by regroup, as at a reload.
func (s *Session) inherit() {
	e := s.cfg.Estate
	s.cfg.Estate = nil
	if e.Empty() {
		return
	}
	if err := s.accept(e); err != nil {
		s.groups, s.orphans, s.old, s.handles = nil, nil, nil, handles{}
		s.log.Warn().Err(err).Msg("the session of the process before is not taken over")
		s.board.find("", "the session of the process before is not taken over: "+err.Error())
	}
}

// accept makes e's session and groups ours.
func (s *Session) accept(e *Estate) error {
	if err := s.usable(e); err != nil {
		return err
	}
	token, err := decodeNode(e.Token)
	if err != nil {
		return fmt.Errorf("read its token: %w", err)
	}
	var live []*item
	for _, name := range slices.Sorted(maps.Keys(e.Groups)) {
		ge := e.Groups[name]
		g, err := s.inheritGroup(name, &ge)
		if err != nil {
			return fmt.Errorf("read group %s: %w", name, err)
		}
		s.groups = append(s.groups, g)
		for _, it := range g.items {
			if it.state == itemLive {
				live = append(live, it)
			}
		}
	}
	for name := range e.Groups {
		delete(s.resume, name)
	}
	s.handles.inherit(e.Handle, live)
	s.old = &session{
		id: e.Session, token: token, nonce: e.Nonce, timeout: e.Timeout,
		sec: security{policy: e.Policy, mode: ua.MessageSecurityMode(e.Mode)},
	}
	s.namespace, s.orphans = e.Namespaces, slices.Clone(e.Orphans)
	s.estate, s.heir, s.attempts, s.doubts = e, true, e.Attempts, slices.Clone(e.Doubts)
	return nil
}

// usable says why e's session cannot be taken over with this configuration.
func (s *Session) usable(e *Estate) error {
	cfg := &s.cfg
	switch {
	case e.Endpoint != cfg.Endpoint:
		return errors.New("it is another endpoint's")
	case e.User != cfg.User:
		return errors.New("it is another user's")
	case cfg.Policy != PolicyAuto && e.Policy != ua.SecurityPolicyURIs[string(cfg.Policy)],
		cfg.Mode != ModeAuto && modeName(ua.MessageSecurityMode(e.Mode)) != string(cfg.Mode):
		return errors.New("it has another security")
	case e.Attempts >= maxAttempts:
		return fmt.Errorf("%d processes have died of it", e.Attempts)
	case e.Handle > maxInherited:
		return errors.New("its handles are used up")
	}
	return nil
}

// inheritGroup makes a group as the process before had it, but for what only the configuration knows.
func (s *Session) inheritGroup(name string, e *GroupEstate) (*group, error) {
	now := time.Now()
	g := &group{cfg: Group{Name: name, Publishing: e.Publishing, Priority: e.Priority}, modified: e.Modified}
	g.sub = &subscription{
		id: e.Subscription, stream: e.Stream, first: e.First, since: e.Since, debt: e.Debt.open(),
		interval: e.Interval, keepAlive: e.KeepAlive, lifetime: e.Lifetime,
		terms: subscriptionTimes{keepAlive: e.KeepAliveCount, lifetime: e.LifetimeCount},
		seq:   newSequencer[notification](), made: now, seen: now,
	}
	want := s.timesOf(&g.cfg)
	g.sub.terms.interval = want.interval
	g.modified = g.modified || want != g.sub.terms
	next, durable := s.cfg.Next[name]
	durable = durable && next.Stream == e.Stream
	g.known = e.known(s.resume[name], durable)
	switch {
	case durable:
		g.sub.debt = nil // on disk, with the messages behind it
		g.sub.durable = max(next.Seq, 1)
		g.sub.seq.resume(g.sub.durable)
	case e.First != 0:
		g.sub.seq.resume(e.First)
	default:
		g.sub.foreign = true
	}
	if !durable {
		g.sub.initial = true
		// What the subscription before had given last is not on disk either.
		if g.open = e.Debt.open(); g.open != nil && s.resume[name] != 0 {
			g.open.from = min(g.open.from, s.resume[name])
		}
	}
	for i := range e.Items {
		it, err := s.inheritItem(g, &e.Items[i])
		if err != nil {
			return nil, fmt.Errorf("item %s: %w", e.Items[i].Tag, err)
		}
		g.items = append(g.items, it)
		g.cfg.Tags = append(g.cfg.Tags, it.tag)
	}
	for _, id := range e.Doomed {
		g.doomed = append(g.doomed, &item{group: g, state: itemLive, id: id})
	}
	return g, nil
}

func (s *Session) inheritItem(g *group, e *ItemEstate) (*item, error) {
	it := newItem(g, e.tag(), s.cfg.Time)
	it.plain, it.stale = e.Plain, e.Stale
	if e.Handle == 0 {
		it.state, it.code, it.reason, it.since = itemBad, ua.StatusCode(e.Code), e.Reason, e.Since
		it.lostAt, it.lostTo = e.LostAt, e.LostTo
		it.next, it.stale = time.Now(), false
		return it, nil
	}
	node, err := decodeNode(e.NodeID)
	if err != nil {
		return nil, fmt.Errorf("read its node: %w", err)
	}
	it.state, it.node, it.handle, it.id, it.sampling, it.queue = itemLive, node, e.Handle, e.ID, e.Interval, e.Length
	return it, nil
}

// attempted counts that this process takes an estate over, and says so before anything of it is asked for.
func (s *Session) attempted() {
	if s.estate != nil {
		s.attempts = s.estate.Attempts + 1
	}
}

// inherited notes that everything the process before had not brought to disk has been asked for.
func (s *Session) inherited() {
	if s.estate != nil {
		s.estate, s.attempts, s.doubts, s.unsaid = nil, 0, nil, true
	}
}

// fatal says that message n of g has killed those who asked for it, and is not asked for again. When a process has died
// taking over, the next ones say what they ask for before they do.
func (s *Session) fatal(g *group, n uint32) bool {
	if s.estate == nil || s.attempts < 2 {
		return false
	}
	if s.asking { // we live: it was not that one
		s.doubts, s.asking = s.doubts[:len(s.doubts)-1], false
	}
	d := Doubt{Group: g.cfg.Name, Mark: Mark{Stream: g.sub.stream, Seq: n}}
	if i := slices.IndexFunc(s.doubts, func(o Doubt) bool { return o.Group == d.Group && o.Mark == d.Mark }); i >= 0 {
		d.Deaths = s.doubts[i].Deaths
		s.doubts = slices.Delete(s.doubts, i, i+1)
	}
	if d.Deaths >= maxDeaths {
		return true
	}
	d.Deaths++
	s.doubts, s.asking, s.unsaid = append(s.doubts, d), true, true
	s.tell()
	return false
}

// learnInherited pins the types of items that were taken over, before their values come.
func (s *Session) learnInherited(l *link) error {
	if s.estate == nil {
		return nil
	}
	for _, g := range s.groups {
		if g.sub == nil || g.sub.dead != "" {
			continue
		}
		var live []*item
		for _, it := range g.items {
			if it.state == itemLive {
				live = append(live, it)
			}
		}
		if err := s.learnTypes(l, live); err != nil {
			return fmt.Errorf("take group %s over: %w", g.cfg.Name, err)
		}
	}
	return nil
}

// settleInherited does, with the first answer about a subscription that was taken over, what its list of messages
// allows: what is on disk is acknowledged, as the acknowledgement may have been lost with the process before; and
// when not even the first message is known, the oldest one listed is it. number is the answer's own message.
func (s *Session) settleInherited(sub *subscription, number uint32) {
	if n := sub.durable; n != 0 {
		sub.durable = 0
		for _, a := range sub.avail {
			if a != n && seqAhead(a, n) {
				s.acks.done(s.loop, sub.id, a)()
			}
		}
	}
	if sub.foreign {
		sub.foreign = false
		first := number
		for _, a := range sub.avail {
			if seqAhead(a, first) {
				first = a
			}
		}
		sub.seq.begin(first)
		s.began(sub)
	}
}

// muted counts take-overs without an answer and gives the session up after some.
func (s *Session) muted(err error) {
	if !errors.Is(err, errMute) {
		s.mute = 0
		return
	}
	if s.mute++; s.mute >= maxMute {
		s.mute, s.old, s.unsaid = 0, nil, true
		s.tell()
	}
}

func decodeNode(b []byte) (*ua.NodeID, error) {
	if len(b) == 0 {
		return nil, errors.New("it is empty")
	}
	n := &ua.NodeID{}
	if _, err := n.Decode(b); err != nil {
		return nil, fmt.Errorf("decode node id: %w", err)
	}
	return n, nil
}
