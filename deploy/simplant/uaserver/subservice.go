package uaserver

import (
	"time"

	"github.com/gopcua/opcua/ua"
)

// subscriptionParams are the revised parameters of a subscription.
type subscriptionParams struct {
	interval  time.Duration
	lifetime  uint32
	keepAlive uint32
	maxNotes  int
}

// revise applies the limits and the rule that a lifetime is at least three keep-alives
// (OPC 10000-4 §5.14.2).
func (l *Limits) revise(interval float64, lifetime, keepAliveCount, maxNotes uint32) subscriptionParams {
	p := subscriptionParams{
		interval:  clamp(milliseconds(interval), l.MinPublishingInterval, l.MaxPublishingInterval),
		keepAlive: max(1, min(keepAliveCount, l.MaxKeepAliveCount)),
		maxNotes:  l.MaxNotifications,
	}
	if keepAliveCount == 0 {
		p.keepAlive = min(10, l.MaxKeepAliveCount)
	}
	p.lifetime = max(3*p.keepAlive, min(lifetime, l.MaxLifetimeCount))
	if maxNotes > 0 {
		p.maxNotes = min(p.maxNotes, int(min(maxNotes, 1<<30)))
	}
	return p
}

// apply sets the parameters and starts counting afresh.
func (sub *subscription) apply(p subscriptionParams) {
	sub.interval, sub.lifetime, sub.keepAlive, sub.maxNotes = p.interval, p.lifetime, p.keepAlive, p.maxNotes
	sub.lifeLeft, sub.aliveLeft = p.lifetime, p.keepAlive
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (s *Server) createSubscription(c *call, sess *session, r *ua.CreateSubscriptionRequest) {
	if len(sess.subs) >= s.limits.MaxSubscriptions {
		s.fault(c, ua.StatusBadTooManySubscriptions)
		return
	}
	sub := &subscription{
		id: s.newID(), sess: sess, user: sess.user, enabled: r.PublishingEnabled, priority: r.Priority,
		seq: s.opts.FirstSequence, items: make(map[uint32]*item),
	}
	sub.apply(s.limits.revise(r.RequestedPublishingInterval, r.RequestedLifetimeCount, r.RequestedMaxKeepAliveCount, r.MaxNotificationsPerPublish))
	sub.next = s.now().Add(sub.interval)
	s.schedule(sub.next)
	s.subs[sub.id], sess.subs[sub.id] = sub, sub
	s.stats.Subscriptions++
	s.respond(c, &ua.CreateSubscriptionResponse{
		SubscriptionID: sub.id, RevisedPublishingInterval: inMilliseconds(sub.interval),
		RevisedLifetimeCount: sub.lifetime, RevisedMaxKeepAliveCount: sub.keepAlive,
	})
}

func (s *Server) modifySubscription(c *call, sess *session, r *ua.ModifySubscriptionRequest) {
	sub := sess.subs[r.SubscriptionID]
	if sub == nil {
		s.fault(c, ua.StatusBadSubscriptionIDInvalid)
		return
	}
	before := sub.interval
	sub.apply(s.limits.revise(r.RequestedPublishingInterval, r.RequestedLifetimeCount, r.RequestedMaxKeepAliveCount, r.MaxNotificationsPerPublish))
	sub.priority = r.Priority
	if sub.interval != before {
		sub.next = s.now().Add(sub.interval)
		s.schedule(sub.next)
	}
	s.respond(c, &ua.ModifySubscriptionResponse{
		RevisedPublishingInterval: inMilliseconds(sub.interval),
		RevisedLifetimeCount:      sub.lifetime, RevisedMaxKeepAliveCount: sub.keepAlive,
	})
}

func (s *Server) setPublishingMode(c *call, sess *session, r *ua.SetPublishingModeRequest) {
	results, ok := perSubscription(s, c, r.SubscriptionIDs, func(id uint32) ua.StatusCode {
		sub := sess.subs[id]
		if sub == nil {
			return ua.StatusBadSubscriptionIDInvalid
		}
		sub.enabled, sub.more, sub.lifeLeft = r.PublishingEnabled, false, sub.lifetime
		return ua.StatusOK
	})
	if ok {
		s.respond(c, &ua.SetPublishingModeResponse{Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}})
	}
}

func (s *Server) deleteSubscriptions(c *call, sess *session, r *ua.DeleteSubscriptionsRequest) {
	results, ok := perSubscription(s, c, r.SubscriptionIDs, func(id uint32) ua.StatusCode {
		sub := sess.subs[id]
		if sub == nil {
			return ua.StatusBadSubscriptionIDInvalid
		}
		s.removeSubscription(sub)
		return ua.StatusOK
	})
	if !ok {
		return
	}
	s.respond(c, &ua.DeleteSubscriptionsResponse{Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}})
	s.serveWaiting(sess)
}

// perSubscription runs op for each id; an empty list is answered with BadNothingToDo.
func perSubscription(s *Server, c *call, ids []uint32, op func(uint32) ua.StatusCode) ([]ua.StatusCode, bool) {
	if len(ids) == 0 {
		s.fault(c, ua.StatusBadNothingToDo)
		return nil, false
	}
	results := make([]ua.StatusCode, len(ids))
	for i, id := range ids {
		results[i] = op(id)
	}
	return results, true
}
