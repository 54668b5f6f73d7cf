package uasession

import (
	"fmt"
	"slices"
	"time"

	"kvarts/historian/telemetry"
)

// maxFindings bounds ServerState.Findings.
const maxFindings = 50

// board gathers what ServerState shows. It belongs to the session's goroutine.
type board struct {
	state       ConnState
	since       time.Time
	text        string
	live        bool
	policy      string
	mode        string
	user        string
	cert        string
	certUntil   time.Time
	lastValue   telemetry.Instant
	lastPublish telemetry.Instant
	clockOffset time.Duration
	clockRTT    time.Duration
	findings    []Finding
	lastError   string
	lastErrorAt time.Time

	n Counters

	changed  bool      // groups or items are not what the last snapshot says
	nextShow time.Time // the next snapshot, at the latest
	nextItem time.Time // the next retry of a refused item; zero: none

	every time.Duration
	items snapshot
}

// snapshot is the part of ServerState that costs a walk over all items.
type snapshot struct {
	ok, bad    int
	badItems   []BadItem
	deviations []Deviation
}

func (b *board) init(cfg ServerConfig) {
	b.every = cfg.Timing.StateEvery
	b.state, b.since, b.changed = StateConnecting, time.Now(), true
}

func (b *board) set(state ConnState, text string) {
	if b.state != state {
		b.state, b.since = state, time.Now()
	}
	b.text = text
}

func (b *board) connected(cfg *ServerConfig, ses *session) {
	b.live = true
	b.policy, b.mode, b.user = shortPolicy(ses.sec.policy), modeName(ses.sec.mode), cfg.User
	b.cert, b.certUntil = thumbprint(ses.sec.remote), certificateUntil(ses.sec.remote)
	b.lastError, b.lastErrorAt = "", time.Time{}
}

func (b *board) disconnected() { b.live = false }

func (b *board) failed(err error) {
	b.lastError, b.lastErrorAt = err.Error(), time.Now()
}

// clock takes a measurement: the one with the shorter way counts more.
func (b *board) clock(p pulse) {
	if b.clockRTT == 0 || p.rtt <= 2*b.clockRTT {
		b.clockOffset = p.offset
	}
	b.clockRTT = p.rtt
}

// find notes something odd. The same again only moves its time.
func (b *board) find(tag, text string) {
	now := time.Now()
	for i := range b.findings {
		if b.findings[i].Tag == tag && b.findings[i].Text == text {
			b.findings[i].At = now
			return
		}
	}
	if len(b.findings) == maxFindings {
		b.findings = slices.Delete(b.findings, 0, 1)
	}
	b.findings = append(b.findings, Finding{Tag: tag, Text: text, At: now})
}

// show gives the sink a ServerState.
func (s *Session) show() {
	b := &s.board
	b.nextShow = time.Now().Add(b.every)
	if b.changed {
		b.changed = false
		b.items = s.walkItems()
	}
	s.sink.State(ServerState{
		Server: s.cfg.Name, State: b.state, Connected: b.live, Since: b.since, Text: b.text,
		LastValue: b.lastValue, LastPublish: b.lastPublish,
		Policy: b.policy, Mode: b.mode, User: b.user, ServerCert: b.cert, ServerCertUntil: b.certUntil,
		Namespaces: s.namespace, ClockOffset: b.clockOffset, ClockRTT: b.clockRTT,
		Groups: s.groupStates(), ItemsOK: b.items.ok, ItemsBad: b.items.bad,
		BadItems: b.items.badItems, Deviations: b.items.deviations, Findings: slices.Clone(b.findings),
		Counters: b.n, LastError: b.lastError, LastErrorTime: b.lastErrorAt,
	})
}

func (s *Session) groupStates() []GroupState {
	states := make([]GroupState, 0, len(s.groups))
	for _, g := range s.groups {
		st := GroupState{Name: g.cfg.Name, Publishing: publishingOf(&g.cfg), Items: len(g.items)}
		if sub := g.sub; sub != nil {
			st.ID, st.Publishing, st.KeepAlive, st.Lifetime = sub.id, sub.interval, sub.keepAlive, sub.lifetime
			st.LastSeq = previousSeq(sub.seq.next)
			st.LastSeen, _ = telemetry.FromTime(sub.seen)
		}
		states = append(states, st)
	}
	return states
}

func (s *Session) walkItems() snapshot {
	var snap snapshot
	for _, g := range s.groups {
		d := deviations{group: g.cfg.Name}
		d.subscription(g, s.timesOf(&g.cfg))
		for _, it := range g.items {
			switch it.state {
			case itemLive:
				snap.ok++
				d.item(it)
			case itemNew: // on its way to the server
			case itemBad:
				snap.bad++
				if len(snap.badItems) < s.cfg.Limits.BadItems {
					snap.badItems = append(snap.badItems, BadItem{
						Tag: it.tag.Name, Group: g.cfg.Name, Node: it.nodeLabel(), Reason: it.reason, Since: it.since, Next: it.next,
					})
				}
			}
		}
		snap.deviations = append(snap.deviations, d.list...)
	}
	return snap
}

// deviations gathers what the server revised in one group: one entry for each kind of change, not for each item.
type deviations struct {
	group string
	list  []Deviation
}

func (d *deviations) add(tag, what, asked, got string) {
	if asked == got {
		return
	}
	for i := range d.list {
		if x := &d.list[i]; x.What == what && x.Asked == asked && x.Got == got {
			x.Count++
			return
		}
	}
	d.list = append(d.list, Deviation{Group: d.group, Tag: tag, What: what, Asked: asked, Got: got, Count: 1})
}

func (d *deviations) subscription(g *group, want subscriptionTimes) {
	sub := g.sub
	if sub == nil {
		if g.trouble != "" {
			d.add("", "subscription", "one", g.trouble)
		}
		return
	}
	interval := milliseconds(want.interval)
	d.add("", "publishing", interval.String(), sub.interval.String())
	d.add("", "keep-alive", multiply(interval, want.keepAlive).String(), sub.keepAlive.String())
	d.add("", "lifetime", multiply(interval, want.lifetime).String(), sub.lifetime.String())
}

func (d *deviations) item(it *item) {
	name := it.tag.Name
	if it.tag.Sampling > 0 {
		d.add(name, "sampling", it.tag.Sampling.String(), it.sampling.String())
	}
	queue := queueOf(&it.tag, publishingOf(&it.group.cfg))
	if it.queue < queue {
		d.add(name, "queue", fmt.Sprint(queue), fmt.Sprint(it.queue))
	}
	if it.plain {
		d.add(name, "filter", "as configured", "none")
	}
}
