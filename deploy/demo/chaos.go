package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"kvarts/deploy/simplant/areas"
)

// chaos breaks things while they run: one at a time, each made good again, in an order that the seed decides.
type chaos struct {
	servers []*areas.Server
	store   *storeProcess
	rng     *rand.Rand
	now     atomic.Pointer[string] // what is broken at present, in words
	count   int
}

func newChaos(servers []*areas.Server, store *storeProcess, seed uint64) *chaos {
	return &chaos{servers: servers, store: store, rng: rand.New(rand.NewPCG(seed, 0xC4A05))}
}

// word is what is broken at present.
func (c *chaos) word() string {
	if c == nil {
		return ""
	}
	if w := c.now.Load(); w != nil {
		return *w
	}
	return "soon"
}

func (c *chaos) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.now.Store(&text)
}

const (
	chaosRest  = 4 * time.Second // between two faults
	chaosLasts = 5 * time.Second
)

// run breaks things until ctx ends; what is broken then is made good before it returns.
func (c *chaos) run(ctx context.Context) error {
	for {
		if !rest(ctx, chaosRest) {
			return nil
		}
		c.count++
		var err error
		switch s := c.servers[c.rng.IntN(len(c.servers))]; c.count % 4 {
		case 1:
			c.say("all connections to %s are cut", s.Name)
			s.UA.KillConnections()
		case 2:
			c.say("the store is killed (kill -9), for %s", chaosLasts)
			if err = c.store.kill(); err == nil {
				rest(ctx, chaosLasts)
				c.say("the store is started again")
				err = c.store.again(context.WithoutCancel(ctx))
			}
		case 3:
			c.say("the line to %s is dead: nothing is answered, nothing closed, for %s", s.Name, chaosLasts)
			s.UA.Freeze()
			rest(ctx, chaosLasts)
			s.UA.Thaw()
			c.say("the line to %s is back", s.Name)
		default:
			c.say("the OPC UA server %s is restarted", s.Name)
			err = s.UA.Restart(context.WithoutCancel(ctx), nil)
		}
		if err != nil {
			return fmt.Errorf("chaos: %w", err)
		}
	}
}

// rest waits; false when ctx ended.
func rest(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
