package uasession

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/gopcua/opcua/ua"
)

// subscriptionTimes are the three numbers of a subscription as they are asked for (Part 4 §5.14.2).
type subscriptionTimes struct {
	interval  float64 // ms
	keepAlive uint32  // publishing intervals
	lifetime  uint32  // publishing intervals, at least three times keepAlive
}

func (s *Session) timesOf(g *Group) subscriptionTimes {
	interval := publishingOf(g)
	count := func(d time.Duration) uint32 {
		return uint32(min(max(1, (d+interval-1)/interval), math.MaxInt32))
	}
	t := subscriptionTimes{interval: float64(interval) / float64(time.Millisecond), keepAlive: count(s.cfg.Timing.KeepAlive)}
	t.lifetime = max(count(s.cfg.Timing.Lifetime), 3*t.keepAlive)
	return t
}

func publishingOf(g *Group) time.Duration {
	if g.Publishing <= 0 {
		return time.Second
	}
	return g.Publishing
}

// createSubscription makes g's subscription and its items. Only what ends the connection is an error.
func (s *Session) createSubscription(l *link, g *group) error {
	want := s.timesOf(&g.cfg)
	resp, err := call[*ua.CreateSubscriptionResponse](l.ctx, l.ch, &ua.CreateSubscriptionRequest{
		RequestedPublishingInterval: want.interval,
		RequestedLifetimeCount:      want.lifetime,
		RequestedMaxKeepAliveCount:  want.keepAlive,
		MaxNotificationsPerPublish:  s.cfg.Limits.NotificationsPer,
		PublishingEnabled:           true,
		Priority:                    g.cfg.Priority,
	}, s.cfg.Timing.Request)
	if err != nil {
		return fmt.Errorf("create subscription of group %s: %w", g.cfg.Name, err)
	}
	now := time.Now()
	g.sub = &subscription{
		id: resp.SubscriptionID, stream: newStream(), since: s.serverNow(), seq: newSequencer[notification](), made: now, seen: now, initial: true,
	}
	if g.open != nil {
		debt := *g.open
		g.sub.debt = &debt
	}
	g.sub.revise(resp.RevisedPublishingInterval, resp.RevisedMaxKeepAliveCount, resp.RevisedLifetimeCount, want)
	if g.known == 0 {
		g.known = s.serverNow() // what is lost from here on is a loss
	}
	g.modified, g.doomed = false, nil
	s.altered()
	if err := s.createItems(l, g, g.items); err != nil {
		return err
	}
	g.sub.seen = time.Now()
	return nil
}

// revise takes the server's numbers. A server that says nothing gets what was asked for.
func (sub *subscription) revise(interval float64, keepAlive, lifetime uint32, want subscriptionTimes) {
	sub.interval = milliseconds(interval)
	if sub.interval <= 0 {
		sub.interval = milliseconds(want.interval)
	}
	if keepAlive == 0 {
		keepAlive = want.keepAlive
	}
	if lifetime == 0 {
		lifetime = want.lifetime
	}
	sub.terms = want
	sub.keepAlive = multiply(sub.interval, keepAlive)
	sub.lifetime = multiply(sub.interval, lifetime)
}

// newStream draws the name of a subscription's numbers.
func newStream() uint64 { return max(1, rand.Uint64()) }

func multiply(d time.Duration, n uint32) time.Duration {
	const longest = 100 * 24 * time.Hour
	if n == 0 || d > longest/time.Duration(n) {
		return longest
	}
	return d * time.Duration(n)
}

// modifySubscription sends new parameters of a group whose subscription stays.
func (s *Session) modifySubscription(l *link, g *group) error {
	want := s.timesOf(&g.cfg)
	resp, err := call[*ua.ModifySubscriptionResponse](l.ctx, l.ch, &ua.ModifySubscriptionRequest{
		SubscriptionID:              g.sub.id,
		RequestedPublishingInterval: want.interval,
		RequestedLifetimeCount:      want.lifetime,
		RequestedMaxKeepAliveCount:  want.keepAlive,
		MaxNotificationsPerPublish:  s.cfg.Limits.NotificationsPer,
		Priority:                    g.cfg.Priority,
	}, s.cfg.Timing.Request)
	if err != nil {
		return fmt.Errorf("modify subscription of group %s: %w", g.cfg.Name, err)
	}
	g.sub.revise(resp.RevisedPublishingInterval, resp.RevisedMaxKeepAliveCount, resp.RevisedLifetimeCount, want)
	s.altered()
	return nil
}

// deleteSubscription removes a subscription from the server. What it still holds is not wanted any more.
func (s *Session) deleteSubscription(l *link, id uint32) error {
	_, err := call[*ua.DeleteSubscriptionsResponse](l.ctx, l.ch, &ua.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{id}}, s.cfg.Timing.Request)
	if err != nil {
		return fmt.Errorf("delete subscription %d: %w", id, err)
	}
	return nil
}
