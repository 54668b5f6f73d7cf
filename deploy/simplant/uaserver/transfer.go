package uaserver

import (
	"time"

	"github.com/gopcua/opcua/ua"
)

// transferSubscriptions moves subscriptions to the caller's session (OPC 10000-4
// §5.14.7). What was not acknowledged can be asked for there by Republish.
func (s *Server) transferSubscriptions(c *call, sess *session, r *ua.TransferSubscriptionsRequest) {
	if len(r.SubscriptionIDs) == 0 {
		s.fault(c, ua.StatusBadNothingToDo)
		return
	}
	now := s.now()
	results := make([]*ua.TransferResult, len(r.SubscriptionIDs))
	for i, id := range r.SubscriptionIDs {
		sub := s.subs[id]
		results[i] = &ua.TransferResult{StatusCode: s.mayTransfer(sub, sess), AvailableSequenceNumbers: []uint32{}}
		if results[i].StatusCode != ua.StatusOK {
			continue
		}
		s.transfer(sub, sess, now)
		if r.SendInitialValues {
			sub.repeatValues()
		}
		for _, m := range sub.unacked {
			results[i].AvailableSequenceNumbers = append(results[i].AvailableSequenceNumbers, m.seq)
		}
	}
	s.respond(c, &ua.TransferSubscriptionsResponse{Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}})
	s.serveWaiting(sess)
}

// mayTransfer checks whether sess may take over sub, which is nil when it does not exist.
func (s *Server) mayTransfer(sub *subscription, sess *session) ua.StatusCode {
	switch {
	case sub == nil:
		return ua.StatusBadSubscriptionIDInvalid
	case s.faults.transfer != ua.StatusOK:
		return s.faults.transfer
	case sub.sess == sess:
		return ua.StatusBadNothingToDo
	case sub.user != sess.user, sub.user == "" && !s.opts.AnonymousTransfer:
		return ua.StatusBadUserAccessDenied
	case len(sess.subs) >= s.limits.MaxSubscriptions:
		return ua.StatusBadTooManySubscriptions
	default:
		return ua.StatusOK
	}
}

// transfer gives sub to sess and tells its former session. That message carries the number
// of the next message with data and does not use it up.
func (s *Server) transfer(sub *subscription, sess *session, now time.Time) {
	s.stats.Transfers++
	former := sub.sess
	sub.sess, sub.lifeLeft = sess, sub.lifetime
	sess.subs[sub.id] = sub
	if sub.state == late {
		sub.lateSince = now
	}
	if former == nil {
		return
	}
	delete(former.subs, sub.id)
	former.farewells = append(former.farewells, statusMessage{
		subID: sub.id, bytes: appendStatusChange(nil, sub.seq, s.wall(), ua.StatusGoodSubscriptionTransferred),
	})
	s.serveWaiting(former)
}

// repeatValues queues once more the last value of every reporting item that has nothing
// queued.
func (sub *subscription) repeatValues() {
	for _, id := range sortedKeys(sub.items) {
		it := sub.items[id]
		if it.mode == ua.MonitoringModeReporting && it.hasLast && it.queue.size() == 0 {
			it.enqueue(&it.last)
		}
	}
}

// RefuseTransfer answers every subscription of TransferSubscriptions with status, such as
// BadUserAccessDenied; StatusOK ends that. To refuse the whole service, as servers do that
// lack it, use FaultOn("TransferSubscriptions", BadServiceUnsupported, -1).
func (s *Server) RefuseTransfer(status ua.StatusCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.transfer = status
}
