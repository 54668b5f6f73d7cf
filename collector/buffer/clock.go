package buffer

import (
	"sync"
	"time"

	"kvarts/historian/telemetry"
)

// clock tells how old segments are, on gateways whose wall clock boots in 1970, is stepped by NTP, or is set by hand.
// Order never depends on it: only MaxAge and Retain do.
//
//   - stamp, written into segments, is the largest wall-clock time seen so far, moved on by the monotonic clock: it
//     never goes back, and when in doubt a segment seems younger than it is.
//   - now, against which ages are measured, is where the log stood when it was last written, moved on by the
//     monotonic clock. A step of the wall clock does not move it. Only the time for which the collector was off has to be
//     taken from the wall clock: once, after the wall clock has run without a step for settleTime (so that NTP
//     had its chance).
//
// So a wrong clock makes the log keep a segment longer, and never drops one that is younger than MaxAge; the one exception
// is a clock that is wrong at start, runs ahead, and stays wrong for settleTime.
type clock struct {
	wall func() telemetry.Instant
	mono func() time.Duration

	mu       sync.Mutex
	started  time.Duration     // mono at the start
	base     telemetry.Instant // now at started
	last     telemetry.Instant // stamp at lastMono
	lastMono time.Duration
	offset   telemetry.Instant // wall - mono when last looked at
	since    time.Duration     // mono since when offset has been steady
	settled  bool              // the time off has been taken over
}

const (
	settleTime = 10 * time.Minute
	// clockStep is more than NTP slews between two looks (at most 500 ppm, looks every second).
	clockStep = telemetry.Instant(2 * time.Second)
	// saneClock is 2020-01-01: a gateway that shows an earlier time has not been told the time yet.
	saneClock = telemetry.Instant(1_577_836_800 * int64(time.Second))
)

// newClock starts at the newest stamp that the log holds; 0: it holds none.
func newClock(wall func() telemetry.Instant, mono func() time.Duration, newest telemetry.Instant) *clock {
	m, w := mono(), wall()
	c := &clock{wall: wall, mono: mono, started: m, base: newest, last: max(newest, w), lastMono: m, offset: w - telemetry.Instant(m), since: m}
	if newest == 0 {
		c.base, c.settled = w, w >= saneClock
	}
	return c
}

// stamp returns the time to write into a segment.
func (c *clock) stamp() telemetry.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.mono()
	c.last = max(c.wall(), c.last+telemetry.Instant(m-c.lastMono))
	c.lastMono = m
	return c.last
}

// age says how long ago stamp was. It is to be called now and then, or steps of the wall clock go unnoticed.
func (c *clock) age(stamp telemetry.Instant) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.mono()
	c.look(m)
	if stamp < saneClock && c.base >= saneClock {
		return m - c.started // written before the gateway was told the time: at least as old as this process
	}
	return (c.base + telemetry.Instant(m-c.started)).Sub(stamp)
}

// look takes the time off over when the wall clock has been steady for long enough.
func (c *clock) look(m time.Duration) {
	if c.settled {
		return
	}
	w := c.wall()
	offset := w - telemetry.Instant(m)
	if d := offset - c.offset; d > clockStep || d < -clockStep || w < saneClock {
		c.offset, c.since = offset, m
		return
	}
	if m-c.since >= settleTime {
		c.base = max(c.base, w-telemetry.Instant(m-c.started))
		c.settled = true
	}
}
