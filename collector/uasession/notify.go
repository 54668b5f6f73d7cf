package uasession

import (
	"slices"
	"time"

	"github.com/gopcua/opcua/ua"

	"kvarts/collector/uavalue"
	"kvarts/historian/telemetry"
)

const (
	// A publish time outside of these bounds is of a server whose clock was never set; the receive time stands for it.
	oldestPublish  telemetry.Instant = 631152000 * 1_000_000_000 // 1990-01-01
	farthestFuture                   = 24 * time.Hour
)

// publishTime is the server's publish time of n, or the receive time when that is insane.
func publishTime(n notification) telemetry.Instant {
	at, present, sane, _ := uavalue.Instant(n.msg.PublishTime)
	if !present || !sane || at < oldestPublish || at > n.received.Add(farthestFuture) {
		return n.received
	}
	return at
}

// deliver hands one message to the outbox, and before it the gap that it ends.
func (s *Session) deliver(g *group, n notification) {
	sub := g.sub
	m := &Message{Group: g.cfg.Name, Seq: n.msg.SequenceNumber, Published: publishTime(n), Received: n.received}
	if m.Seq != 0 {
		m.Stream = sub.stream
	}
	for _, x := range n.msg.NotificationData {
		if x == nil {
			continue
		}
		switch data := x.Value.(type) {
		case *ua.DataChangeNotification:
			s.decode(g, m, data)
		case *ua.StatusChangeNotification:
			s.statusChanged(g, data)
		}
	}
	s.measureSkew(g, m)
	s.upTo(g, m.Published)
	s.board.n.Messages++
	s.board.n.Values += uint64(len(m.Samples))
	s.board.n.Rejected += uint64(len(m.Rejected))
	if len(m.Samples) > 0 {
		s.board.lastValue = max(s.board.lastValue, m.Received)
		sub.initial = false
	}
	if len(m.Samples) == 0 { // nothing in it has to reach a disk
		sub.ride(m.Seq)
		return
	}
	s.out.put(event{m: m, done: s.acks.done(s.loop, sub.id, m.Seq, sub.riders...)})
	sub.riders = nil
}

// maxRiders bounds the messages that wait for one with something to store. No server keeps more.
const maxRiders = 1000

// ride leaves message n to be acknowledged with the next that has something to store: the next process asks for all
// behind the newest message on disk, and must not find that one of them is gone.
func (sub *subscription) ride(n uint32) {
	if n == 0 {
		return
	}
	if len(sub.riders) == maxRiders {
		sub.riders = slices.Delete(sub.riders, 0, 1)
	}
	sub.riders = append(sub.riders, n)
}

// decode turns the values of one notification into samples of m.
func (s *Session) decode(g *group, m *Message, data *ua.DataChangeNotification) {
	if m.Samples == nil {
		m.Samples = make([]telemetry.Sample, 0, len(data.MonitoredItems))
	}
	for _, n := range data.MonitoredItems {
		it := s.handles.get(n.ClientHandle)
		if it == nil || it.group != g {
			s.board.n.Strays++
			continue
		}
		if it.unpinned > 0 {
			s.pinByValue(it, n.Value)
		}
		first := len(m.Samples)
		var res uavalue.Result
		m.Samples, res = uavalue.Decode(m.Samples, &it.dec, n.Value, m.Received)
		fresh := m.Samples[first:]
		if it.unpinned > 0 {
			s.interimFields(it, fresh)
		}
		if res.Rejects != nil || res.Finding != "" {
			s.odd(it, m, &res)
		}
		if n.Value != nil && telemetry.Status(n.Value.Status).Overflow() {
			s.overflow(it, m, fresh)
		}
		it.last = max(it.last, fresh[0].Source)
	}
}

// pinByValue pins what the first good value tells.
func (s *Session) pinByValue(it *item, v *ua.DataValue) {
	for i := range it.dec.Outputs {
		if o := &it.dec.Outputs[i]; o.Field == nil {
			if t, known := uavalue.Seen(o, v); known {
				s.pin(it, i, t)
			}
		}
	}
}

// interimFields gives samples of unpinned outputs a field, which carries their status only: a value that could not be
// pinned has no type to be stored with.
func (s *Session) interimFields(it *item, samples []telemetry.Sample) {
	for i := range samples {
		if samples[i].Field != nil {
			continue
		}
		samples[i].Field = it.interim[i]
		if samples[i].Value.Type() != telemetry.NoType {
			samples[i].Value, samples[i].Status = telemetry.Value{}, telemetry.StatusBadTypeMismatch
		}
	}
}

// odd passes rejects on and reports the first finding about times of an item.
func (s *Session) odd(it *item, m *Message, res *uavalue.Result) {
	for _, r := range res.Rejects {
		m.Rejected = append(m.Rejected, Rejected{
			Tag: it.tag.Name, Series: it.dec.Outputs[r.Output].Series, Field: it.tag.Outputs[r.Output].Name, Reject: r,
		})
		s.board.find(it.tag.Name, "rejected: "+r.Reason)
	}
	if res.Finding != "" && !it.odd {
		it.odd = true
		s.board.find(it.tag.Name, res.Finding)
	}
}

// overflow ledgers what the server's queue dropped. Whichever end of the queue it drops (Part 4 §7.21: discardOldest),
// it flags the value next to the loss so that what is lost lies between the value before and the flagged one.
func (s *Session) overflow(it *item, m *Message, flagged []telemetry.Sample) {
	at := flagged[0].Source
	from := it.last
	if from == 0 {
		from = s.stamp(it.group.known)
	}
	from, to := min(from, at), max(from, at)
	s.board.n.Overflows++
	m.Overflows = append(m.Overflows, Overflow{Tag: it.tag.Name, From: from, Source: at})
	for i := range flagged {
		s.gap(telemetry.Gap{
			Group: it.group.cfg.Name, Series: string(flagged[i].Series.Key()), Signal: flagged[i].Field.Name,
			From: from, To: to, Cause: telemetry.CauseOverflow, Count: -1,
			Detail: "the server's queue overflowed: ask for a longer one (queue) or publish more often",
		})
	}
}

// statusChanged takes the server's word about the subscription itself (Part 4 §7.25.4).
func (s *Session) statusChanged(g *group, n *ua.StatusChangeNotification) {
	switch {
	case n.Status == ua.StatusGoodSubscriptionTransferred:
		g.sub.dead = "another client has taken the subscription over"
	case isBad(n.Status):
		g.sub.dead = "the server has ended the subscription: " + statusText(n.Status)
	default:
		s.board.find("", "subscription of group "+g.cfg.Name+": "+statusText(n.Status))
		return
	}
	s.board.find("", "group "+g.cfg.Name+": "+g.sub.dead)
}

// measureSkew learns how source times lie to publish times, from messages whose values are fresh.
func (s *Session) measureSkew(g *group, m *Message) {
	if len(m.Samples) == 0 || g.sub.initial {
		return
	}
	newest := m.Samples[0].Source
	for i := range m.Samples {
		newest = max(newest, m.Samples[i].Source)
	}
	ahead := newest.Sub(s.stamp(m.Published))
	// What was seen fades, so that one late message does not widen every gap after it.
	g.lead = max(ahead, g.lead-g.lead/16, 0)
	g.lag = max(-ahead, g.lag-g.lag/16, 0)
}
