package ledger

import (
	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// stretch is time in one effective state: what was reported, unless nobody could know.
type stretch struct {
	from, to telemetry.Instant
	state    int32 // index into Input.States; −1 before the first
	category Category
	minor    bool
	unmapped bool // the category is Unknown because the state map lacks the code
}

// stretches is the time from dawn to the horizon, without holes.
func stretches(in *Input, horizon telemetry.Instant) []stretch {
	out := make([]stretch, 0, len(in.States)+2*len(in.Alive)+1)
	alive := setCursor{set: in.Alive}
	at, state := dawn, int32(-1)
	for at < horizon {
		until := horizon
		for int(state+1) < len(in.States) && in.States[state+1].At <= at {
			state++
		}
		if int(state+1) < len(in.States) {
			until = min(until, in.States[state+1].At)
		}
		seen := in.AlwaysAlive
		if !seen {
			var change telemetry.Instant
			seen, change = alive.at(at)
			until = min(until, change)
		}
		s := stretch{from: at, to: until, state: state}
		if seen && state >= 0 && !in.States[state].Bad {
			s.category, s.unmapped = in.States[state].Category, in.States[state].Unmapped
		}
		out = append(out, s)
		at = until
	}
	markMinor(out, in.Limits)
	return out
}

// markMinor finds the minor stops: unbroken Stop, shorter than the limit at its begin, directly between two runs.
func markMinor(all []stretch, limits []Limits) {
	forStops(all, func(stop []stretch, first int) {
		end := first + len(stop)
		if first == 0 || end == len(all) || all[first-1].category != Run || all[end].category != Run {
			return
		}
		if stop[len(stop)-1].to.Sub(stop[0].from) >= limitAt(limits, stop[0].from).MinorStop {
			return
		}
		for i := range stop {
			stop[i].minor = true
		}
	})
}

// forStops calls f with each unbroken time in category Stop and the index it begins at.
func forStops(all []stretch, f func(stop []stretch, first int)) {
	for i := 0; i < len(all); i++ {
		j := i
		for j < len(all) && all[j].category == Stop {
			j++
		}
		if j > i {
			f(all[i:j], i)
			i = j
		}
	}
}

func limitAt(limits []Limits, t telemetry.Instant) Limits {
	var l Limits
	for i := range limits {
		if limits[i].From > t {
			break
		}
		l = limits[i]
	}
	return l
}

// setCursor says for moments that do not go back whether they are in a set.
type setCursor struct {
	set calendar.Set
	i   int
}

// at says whether t is in the set, and until when that holds.
func (c *setCursor) at(t telemetry.Instant) (inside bool, until telemetry.Instant) {
	for c.i < len(c.set) && c.set[c.i].To <= t {
		c.i++
	}
	switch {
	case c.i == len(c.set):
		return false, dusk
	case c.set[c.i].From <= t:
		return true, c.set[c.i].To
	default:
		return false, c.set[c.i].From
	}
}
