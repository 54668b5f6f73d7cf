package telemetry

import (
	"math"
	"time"
)

// Instant is a point in time in nanoseconds since the Unix epoch, UTC: the time stamp of a point in InfluxDB.
type Instant int64

// Tick is a point in time in OPC UA's own resolution of 100 ns, since the Unix epoch (Part 6 §5.2.2.5 counts from
// 1601; the origin differs, the grid is the same).
type Tick int64

// SubTicks is how many Instants one Tick holds. They number different values of one tag within one tick: a server
// that changes a value twice within 100 ns, or whose clock is coarse, reports equal source times, and InfluxDB would
// silently overwrite the first with the second.
const SubTicks = 100

// FromTime converts t. ok is false when t is the zero time or outside of what an Instant can hold (1677 to 2262).
func FromTime(t time.Time) (i Instant, ok bool) {
	sec := t.Unix()
	if t.IsZero() || sec < math.MinInt64/1_000_000_000+1 || sec > math.MaxInt64/1_000_000_000-1 {
		return 0, false
	}
	return Instant(t.UnixNano()), true
}

// Now is the time of the wall clock.
func Now() Instant { return Instant(time.Now().UnixNano()) }

// Time converts i to a time.Time in UTC.
func (i Instant) Time() time.Time { return time.Unix(0, int64(i)).UTC() }

// Tick is the tick that holds i (rounded towards the past, before 1970 too).
func (i Instant) Tick() Tick {
	t := i / SubTicks
	if i%SubTicks < 0 {
		t--
	}
	return Tick(t)
}

// SubTick is the number of i within its tick, 0 to 99.
func (i Instant) SubTick() uint8 { return uint8(i - i.Tick().Instant()) }

// Add returns i moved by d.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns the duration from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }

// String gives RFC 3339 with nanoseconds, UTC.
func (i Instant) String() string { return i.Time().Format(time.RFC3339Nano) }

// Instant is the first instant of the tick.
func (t Tick) Instant() Instant { return Instant(t) * SubTicks }
