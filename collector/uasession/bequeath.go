package uasession

import (
	"slices"

	"github.com/gopcua/opcua/ua"

	"kvarts/historian/telemetry"
)

// altered notes that the server's subscriptions or items are not what was told last.
func (s *Session) altered() { s.board.changed, s.unsaid = true, true }

// began notes the number that a subscription begins with.
func (s *Session) began(sub *subscription) {
	if sub.first == 0 && sub.seq.first != 0 {
		sub.first, s.unsaid = sub.seq.first, true
	}
}

// tell gives the sink the estate when it has changed.
func (s *Session) tell() {
	if s.unsaid {
		s.unsaid = false
		s.sink.Estate(s.bequest())
	}
}

// bequest is what the next process needs. It may be made at any time, also while the server does not know yet what the
// configuration wants.
func (s *Session) bequest() Estate {
	old := s.old
	if old == nil {
		return Estate{}
	}
	e := Estate{
		Endpoint: s.cfg.Endpoint, User: s.cfg.User, Policy: old.sec.policy, Mode: uint32(old.sec.mode),
		Session: old.id, Token: encodeNode(old.token), Nonce: old.nonce, Timeout: old.timeout,
		Namespaces: s.namespace, Handle: s.handles.given, Attempts: s.attempts, Doubts: slices.Clone(s.doubts), Groups: make(map[string]GroupEstate, len(s.groups)),
	}
	e.Orphans = append(e.Orphans, s.orphans...)
	for _, g := range s.groups {
		if g.sub == nil {
			continue
		}
		if g.sub.dead != "" {
			e.Orphans = append(e.Orphans, g.sub.id)
			continue
		}
		e.Groups[g.cfg.Name] = g.bequest()
	}
	return e
}

func (g *group) bequest() GroupEstate {
	sub := g.sub
	e := GroupEstate{
		Subscription: sub.id, Stream: sub.stream, First: sub.first, Since: sub.since,
		Publishing: publishingOf(&g.cfg), Priority: g.cfg.Priority, KeepAliveCount: sub.terms.keepAlive, LifetimeCount: sub.terms.lifetime,
		Modified: g.modified, Interval: sub.interval, KeepAlive: sub.keepAlive, Lifetime: sub.lifetime,
		Items: make([]ItemEstate, 0, len(g.items)),
	}
	if d := sub.debt; d != nil {
		e.Debt = &Debt{From: d.from, Cause: d.cause, Detail: d.detail}
	}
	for _, it := range g.items {
		if it.state != itemNew {
			e.Items = append(e.Items, it.bequest())
		}
	}
	for _, it := range g.doomed {
		e.Doomed = append(e.Doomed, it.id)
	}
	return e
}

func (it *item) bequest() ItemEstate {
	t := &it.tag
	e := ItemEstate{
		Tag: t.Name, Node: t.Node, Path: t.Path, Sampling: t.Sampling, Queue: t.Queue, DiscardNewest: t.DiscardNewest,
		Deadband: t.Deadband, OnTimestamp: t.OnTimestamp, Stale: it.stale, Plain: it.plain, NodeID: encodeNode(it.node),
	}
	if it.state == itemLive {
		e.Handle, e.ID, e.Interval, e.Length = it.handle, it.id, it.sampling, it.queue
	} else {
		e.Code, e.Reason, e.Since, e.LostAt, e.LostTo = uint32(it.code), it.reason, it.since, it.lostAt, it.lostTo
	}
	return e
}

// tag is the tag that was asked for, without its outputs, which the server does not know of.
func (e *ItemEstate) tag() Tag {
	return Tag{
		Name: e.Tag, Node: e.Node, Path: e.Path, Sampling: e.Sampling, Queue: e.Queue, DiscardNewest: e.DiscardNewest,
		Deadband: e.Deadband, OnTimestamp: e.OnTimestamp,
	}
}

// encodeNode is a node id in binary; nil when there is none.
func encodeNode(n *ua.NodeID) []byte {
	if n == nil {
		return nil
	}
	b, err := n.Encode()
	if err != nil {
		return nil // it came from the wire or was checked: it has an encoding
	}
	return b
}

// open is the loss as it was when the subscription was made.
func (d *Debt) open() *openGap {
	if d == nil {
		return nil
	}
	return &openGap{from: d.From, cause: d.Cause, detail: d.Detail}
}

// known is up to when a subscription that is taken over has nothing missing, when nothing of it is on disk.
func (e *GroupEstate) known(resume telemetry.Instant, durable bool) telemetry.Instant {
	if durable && resume != 0 {
		return resume
	}
	return e.Since
}
