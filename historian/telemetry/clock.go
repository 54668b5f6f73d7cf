package telemetry

import (
	"fmt"
	"time"
)

// Clock names whose time stamp a server's samples carry.
type Clock uint8

// The clocks a server's configuration may choose (`time:`).
const (
	SourceClock  Clock = iota // the device's own time, the default
	ServerClock               // the OPC UA server's time
	ReceiveClock              // this gateway's time at the arrival of the message
)

// String gives the name that configuration files use.
func (c Clock) String() string {
	switch c {
	case ServerClock:
		return "server"
	case ReceiveClock:
		return "receive"
	default:
		return "source"
	}
}

// DefaultMaxSkew is how far in the future of this gateway's clock a source time may lie and still be believed.
const DefaultMaxSkew = time.Hour

// oldestSane is 1990-01-01 UTC: there are no machines with OPC UA samples from before, but many that say 1601 or 1970.
const oldestSane Instant = 631152000 * 1_000_000_000

// TimeRule decides the time stamp of a sample. The zero value takes source times and DefaultMaxSkew.
type TimeRule struct {
	Clock   Clock
	Offset  time.Duration // added to source and server times: PLCs that keep local time as if it were UTC
	MaxSkew time.Duration // 0: DefaultMaxSkew
}

// Pick returns the sample's time, aligned to its tick, from the three that are known; a time that the message does
// not carry is 0. Old times are kept (an unchanged set-point carries the time when it was set): only a time before
// 1990 or further in the future than MaxSkew is replaced, by the server's if that is sane, else by the receive time.
// finding is empty when the wanted clock was used and says otherwise what was wrong, with the value seen.
func (r TimeRule) Pick(source, server, receive Instant) (at Instant, finding string) {
	skew := r.MaxSkew
	if skew == 0 {
		skew = DefaultMaxSkew
	}
	latest := receive.Add(skew)
	type candidate struct {
		clock Clock
		at    Instant
	}
	all := [...]candidate{{SourceClock, source}, {ServerClock, server}}
	for _, c := range all[min(int(r.Clock), len(all)):] {
		at := c.at
		if at != 0 {
			at = at.Add(r.Offset)
		}
		switch {
		case c.at == 0:
			finding = join(finding, c.clock.String()+" time missing")
		case at < oldestSane:
			finding = join(finding, fmt.Sprintf("%s time %s is before 1990", c.clock, at))
		case at > latest:
			finding = join(finding, fmt.Sprintf("%s time %s is more than %s ahead of this gateway", c.clock, at, skew))
		default:
			return at.Tick().Instant(), finding
		}
	}
	return receive.Tick().Instant(), finding
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
