package ledger

import (
	"sort"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// class is what a moment is by ISO 22400, with the calendar. The classes from runTime on are planned busy time.
type class uint8

const (
	outOfSchedule class = iota
	plannedTime
	runTime
	minorTime
	setupTime
	stopTime
	idleTime
	unknownTime
	numClasses
)

// bucket is where the ideal time of pieces made at a moment goes.
type bucket uint8

const (
	nowhere bucket = iota // not in planned time, or where one silent counter keeps the others from telling the good pieces
	known
	bridged
	dark // unknown time that the counters do not bridge
	numBuckets
)

// atom is time in which nothing changes that facts depend on. All of a quantity's share within an atom goes the same way:
//
//	states    │ run      │ stop  │ run            │ unknown │ run
//	shifts    ──────────────────────────┤  ├──────────────────────
//	counted   ├───────────────────────────────────────────────┤
//	ideal     │ 1.6 s            │ 2.0 s
//	atoms     │a         │b      │c │d   │e │f    │g        │h  │i
type atom struct {
	from, to telemetry.Instant
	spread   int64 // ns of spreadable time in all the atoms before
	stretch  int32
	tariff   int32
	reason   int32 // index into Unit.reasons; −1: none
	iso      class
	category Category
	isoPart  bucket
	e79Part  bucket
	flags    atomFlags
}

type atomFlags uint16

const (
	spreadable    atomFlags = 1 << iota // pieces may have been made: in state run, or unknown planned time
	minor                               // part of a minor stop
	bridging                            // within deltas of every piece counter, none a lower bound
	uncounted                           // in state run, and nothing counts what is made
	unscheduled                         // outside every shift
	inPlannedStop                       //
	unmapped                            // the state map lacks the state's code
	failureBegins                       // first moment of a stop's StopTime
	e79Failure                          // first moment of a stop
	reasonBegins                        // first moment of time with one reason
)

func (a *atom) has(f atomFlags) bool { return a.flags&f != 0 }

// planned says that the atom is planned busy time.
func (a *atom) planned() bool { return a.iso >= runTime }

// covers are the sets that atoms are cut by, besides the states.
type covers struct {
	shifts, stops calendar.Set
	always        bool         // every moment is scheduled
	bridged       calendar.Set // in deltas of every piece counter, none a lower bound
	counted       calendar.Set // in a booked interval, or in deltas of every piece counter
}

// cutAtoms is the time of the stretches, cut.
func cutAtoms(all []stretch, c covers, tariffs []tariff) []atom {
	shifts, stops := setCursor{set: c.shifts}, setCursor{set: c.stops}
	bridges, counted := setCursor{set: c.bridged}, setCursor{set: c.counted}
	out := make([]atom, 0, len(all)+2*(len(c.shifts)+len(c.stops)+len(c.bridged)+len(c.counted))+len(tariffs))
	price := 0
	for i := range all {
		s := &all[i]
		for at := s.from; at < s.to; {
			inShift, u1 := shifts.at(at)
			inStop, u2 := stops.at(at)
			isBridged, u3 := bridges.at(at)
			isCounted, u4 := counted.at(at)
			for price+1 < len(tariffs) && tariffs[price+1].from <= at {
				price++
			}
			until := min(s.to, u1, u2, u3, u4)
			if price+1 < len(tariffs) {
				until = min(until, tariffs[price+1].from)
			}
			a := atom{from: at, to: until, stretch: int32(i), tariff: int32(price), reason: -1, category: s.category}
			a.flag(unscheduled, !c.always && !inShift)
			a.flag(inPlannedStop, inStop)
			a.flag(bridging, isBridged)
			a.flag(uncounted, s.category == Run && !isCounted)
			a.flag(minor, s.minor)
			a.flag(unmapped, s.unmapped)
			a.classify()
			out = append(out, a)
			at = until
		}
	}
	sumSpread(out)
	return out
}

func (a *atom) flag(f atomFlags, on bool) {
	if on {
		a.flags |= f
	}
}

// classify derives from the state and the flags what the moment is.
func (a *atom) classify() {
	a.iso = a.isoClass()
	a.flag(spreadable, a.category == Run || a.iso == unknownTime)
	silent := a.category == Run && a.has(uncounted)
	switch {
	case !a.planned() || silent:
		a.isoPart = nowhere
	default:
		a.isoPart = a.unlessUnknown(a.iso == unknownTime)
	}
	if !silent {
		a.e79Part = a.unlessUnknown(a.category == Unknown)
	}
}

func (a *atom) unlessUnknown(unknown bool) bucket {
	switch {
	case !unknown:
		return known
	case a.has(bridging):
		return bridged
	default:
		return dark
	}
}

// isoClass is the first that applies of what a moment can be.
func (a *atom) isoClass() class {
	switch {
	case a.has(unscheduled) || a.category == Nonscheduled:
		return outOfSchedule
	case a.has(inPlannedStop) && a.category != Run, a.category == Planned, a.category == Engineering:
		return plannedTime
	case a.has(minor):
		return minorTime
	}
	switch a.category {
	case Run:
		return runTime
	case Setup:
		return setupTime
	case Stop:
		return stopTime
	case Idle:
		return idleTime
	default:
		return unknownTime
	}
}

// sumSpread fills in how much spreadable time lies before each atom.
func sumSpread(atoms []atom) {
	var sum int64
	for i := range atoms {
		atoms[i].spread = sum
		if atoms[i].has(spreadable) {
			sum += int64(atoms[i].to - atoms[i].from)
		}
	}
}

// atomAt is the index of the atom that holds t, which lies between dawn and the horizon.
func atomAt(atoms []atom, t telemetry.Instant) int {
	return sort.Search(len(atoms), func(i int) bool { return atoms[i].to > t })
}

// nearby is how many atoms are looked at one by one before searching: most deltas end in the atom they begin in or the next.
const nearby = 4

// spreadUntil is how much spreadable time there is from dawn to t, which lies in the atom near or in a later one.
func spreadUntil(atoms []atom, near int, t telemetry.Instant) int64 {
	i := near
	for i < near+nearby && i < len(atoms) && atoms[i].to < t {
		i++
	}
	if i == near+nearby {
		i += sort.Search(len(atoms)-i, func(k int) bool { return atoms[i+k].to >= t })
	}
	a := &atoms[i]
	if a.has(spreadable) {
		return a.spread + int64(t-a.from)
	}
	return a.spread
}

// markFailures marks where stops that are not minor begin, with and without the calendar.
func markFailures(atoms []atom) {
	counted := false // the stop at hand is a failure of planned time already
	for i := range atoms {
		a := &atoms[i]
		if a.category != Stop || a.has(minor) {
			counted = false
			continue
		}
		a.flag(e79Failure, i == 0 || atoms[i-1].category != Stop)
		if a.iso == stopTime && !counted {
			a.flag(failureBegins, true)
			counted = true
		}
	}
}
