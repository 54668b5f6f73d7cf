package uasession

import (
	"math/rand/v2"
	"time"
)

// backoff spaces the connects: doubled from min to max, each shortened by a random part of up to a quarter, so that
// many sessions do not knock in step after an outage.
type backoff struct {
	min, max time.Duration
	last     time.Duration // 0: the line was good
}

// next is how long to wait now.
func (b *backoff) next() time.Duration {
	if b.last == 0 {
		b.last = b.min
	} else {
		b.last = min(2*b.last, b.max)
	}
	return b.last - time.Duration(rand.Int64N(int64(b.last)/4+1))
}

// lived tells how long a connection held. Only one that outlived the longest wait counts as good: a server that lets
// us in and drops us at once would otherwise be stormed.
func (b *backoff) lived(d time.Duration) {
	if d > b.max {
		b.last = 0
	}
}

// retryDelay is the wait before try number n (from 1) of an item.
func retryDelay(n int, first, longest time.Duration) time.Duration {
	d := first
	for i := 1; i < n && d < longest; i++ {
		d *= 2
	}
	d = min(d, longest)
	return d - time.Duration(rand.Int64N(int64(d)/4+1))
}
