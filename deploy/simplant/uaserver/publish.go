package uaserver

import (
	"encoding/binary"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// maxMessageBytes is where a NotificationMessage stops growing even below its maximum
// number of notifications, so that long strings stay within a client's message limit.
const maxMessageBytes = 1 << 20

// keepAliveBytes is the length of a NotificationMessage without data.
const keepAliveBytes = 4 + 8 + 4

// publishCall is a waiting Publish request with the results of its acknowledgements.
type publishCall struct {
	call     *call
	results  []ua.StatusCode
	deadline time.Time // of its TimeoutHint; zero: none
}

// publish handles a Publish request: acknowledgements at once, the response when there
// is something to say (OPC 10000-4 §5.14.5).
func (s *Server) publish(c *call, sess *session, r *ua.PublishRequest) {
	p := &publishCall{call: c, results: make([]ua.StatusCode, len(r.SubscriptionAcknowledgements))}
	stale := false
	for i, ack := range r.SubscriptionAcknowledgements {
		p.results[i] = s.acknowledge(sess, ack)
		stale = stale || p.results[i] == ua.StatusBadSequenceNumberUnknown
	}
	if stale && s.faults.closeOnStaleAck {
		s.stats.StaleAckCloses++
		c.peer.hangUp()
		return
	}
	if len(sess.subs) == 0 && len(sess.farewells) == 0 {
		s.fault(c, ua.StatusBadNoSubscription)
		return
	}
	if c.timeout > 0 {
		p.deadline = s.now().Add(c.timeout)
		s.schedule(p.deadline)
	}
	for _, sub := range sess.subs {
		sub.lifeLeft = sub.lifetime
	}
	if len(sess.publishes) >= s.limits.MaxPublishRequests {
		s.fault(sess.publishes[0].call, ua.StatusBadTooManyPublishRequests)
		sess.publishes = sess.publishes[1:]
	}
	sess.publishes = append(sess.publishes, p)
	s.serveWaiting(sess)
}

// acknowledge removes one message from its retransmission queue.
func (s *Server) acknowledge(sess *session, ack *ua.SubscriptionAcknowledgement) ua.StatusCode {
	s.stats.Acknowledgements++
	if status := s.faults.ackStatus; status != ua.StatusOK {
		return status
	}
	sub := sess.subs[ack.SubscriptionID]
	if sub == nil {
		return ua.StatusBadSubscriptionIDInvalid
	}
	for i, m := range sub.unacked {
		if m.seq == ack.SequenceNumber {
			sub.unacked = append(sub.unacked[:i], sub.unacked[i+1:]...)
			return ua.StatusOK
		}
	}
	s.stats.StaleAcks++
	return ua.StatusBadSequenceNumberUnknown
}

// serveWaiting answers waiting Publish requests as long as something is due: farewells
// first, then late subscriptions and unfinished ones by priority and age.
func (s *Server) serveWaiting(sess *session) {
	now := s.now()
	for len(sess.publishes) > 0 {
		if len(sess.farewells) > 0 {
			m := sess.farewells[0]
			sess.farewells = sess.farewells[1:]
			s.sendMessage(sess, m.subID, nil, false, m.bytes)
			continue
		}
		sub := sess.mostUrgent()
		if sub == nil {
			break
		}
		if sub.enabled && sub.available(now) { // rows 5, 10
			s.sendData(sub, now)
		} else { // row 11
			s.sendKeepAlive(sub)
			sub.state, sub.aliveLeft, sub.more = keepAlive, sub.keepAlive, false
		}
	}
	if len(sess.subs) == 0 && len(sess.farewells) == 0 {
		s.failPublishes(sess, ua.StatusBadNoSubscription)
	}
}

// mostUrgent returns the subscription that a Publish request should serve now, or nil.
func (sess *session) mostUrgent() *subscription {
	var best *subscription
	for _, id := range sortedKeys(sess.subs) {
		sub := sess.subs[id]
		if sub.state != late && (!sub.more || !sub.enabled) {
			continue
		}
		if best == nil || sub.priority > best.priority ||
			sub.priority == best.priority && sub.lateSince.Before(best.lateSince) {
			best = sub
		}
	}
	return best
}

// sendData sends everything that sub has, in as many messages as there are waiting
// Publish requests and as its maximum per message demands (ReturnNotifications). The
// caller has made sure that data is available and a request waits.
func (s *Server) sendData(sub *subscription, now time.Time) {
	for {
		seq := sub.seq
		bytes := s.collect(sub)
		sub.seq = nextSequence(sub.seq)
		sub.more = sub.available(now)
		sub.state, sub.sent = normal, true
		s.retain(sub, message{seq: seq, bytes: bytes})
		s.stats.Messages++
		if keep, dropped := s.faults.drop(seq); dropped {
			if !keep {
				sub.unacked = sub.unacked[:len(sub.unacked)-1]
			}
			s.stats.DroppedMessages++
		} else {
			s.sendMessage(sub.sess, sub.id, sub, sub.more, bytes)
		}
		if !sub.more || len(sub.sess.publishes) == 0 {
			if sub.more {
				sub.lateSince = now
			}
			return
		}
	}
}

// collect moves up to maxNotes queued samples into one NotificationMessage.
func (s *Server) collect(sub *subscription) []byte {
	w := beginMessage(s.scratch[:0], sub.seq, s.wall())
	for w.count < sub.maxNotes && len(w.b) < maxMessageBytes && len(sub.ready) > 0 {
		it := sub.ready[0]
		for it.reportable() && w.count < sub.maxNotes && len(w.b) < maxMessageBytes {
			w.add(&notification{handle: it.handle, ts: it.ts, sample: *it.queue.at(0)})
			it.queue.pop()
		}
		if !it.reportable() {
			it.readied = false
			sub.ready = sub.ready[1:]
		}
	}
	if len(sub.ready) == 0 {
		sub.ready = nil
	}
	b := w.end()
	s.scratch = b[:0]
	s.stats.Published += uint64(w.count)
	return append([]byte(nil), b...)
}

// retain keeps a message for Republish, forgetting the oldest beyond the limit.
func (s *Server) retain(sub *subscription, m message) {
	sub.unacked = append(sub.unacked, m)
	if over := len(sub.unacked) - s.limits.RetransmissionQueue; over > 0 {
		s.stats.Forgotten += uint64(over)
		sub.unacked = append(sub.unacked[:0], sub.unacked[over:]...)
	}
}

// sendKeepAlive answers the oldest Publish request with an empty message.
func (s *Server) sendKeepAlive(sub *subscription) {
	sub.sent = true
	s.stats.KeepAlives++
	s.sendMessage(sub.sess, sub.id, sub, false, appendKeepAlive(nil, sub.seq, s.wall()))
}

// sendMessage dequeues a Publish request and answers it. sub is nil for a farewell.
func (s *Server) sendMessage(sess *session, subID uint32, sub *subscription, more bool, msg []byte) {
	p := sess.publishes[0]
	sess.publishes = sess.publishes[1:]
	le := binary.LittleEndian
	b := s.begin(p.call, id.PublishResponse_Encoding_DefaultBinary)
	b = le.AppendUint32(b, subID)
	if sub == nil {
		b = le.AppendUint32(b, 0)
	} else {
		b = le.AppendUint32(b, uint32(len(sub.unacked)))
		for _, m := range sub.unacked {
			b = le.AppendUint32(b, m.seq)
		}
	}
	b = append(b, boolByte(more))
	b = append(b, msg...)
	b = appendStatusCodes(b, p.results)
	b = le.AppendUint32(b, nullLength) // DiagnosticInfos
	if len(msg) > keepAliveBytes && s.faults.reorder > 0 {
		s.reorder(p.call, b)
		return
	}
	s.reply(p.call, b)
}

// republish repeats an unacknowledged message (OPC 10000-4 §5.14.6).
func (s *Server) republish(c *call, sess *session, r *ua.RepublishRequest) {
	sub := sess.subs[r.SubscriptionID]
	if sub == nil {
		s.fault(c, ua.StatusBadSubscriptionIDInvalid)
		return
	}
	sub.lifeLeft = sub.lifetime
	for _, m := range sub.unacked {
		if m.seq == r.RetransmitSequenceNumber {
			s.stats.Republished++
			s.reply(c, append(s.begin(c, id.RepublishResponse_Encoding_DefaultBinary), m.bytes...))
			return
		}
	}
	s.fault(c, ua.StatusBadMessageNotAvailable)
}
