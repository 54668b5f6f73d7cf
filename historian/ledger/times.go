package ledger

import (
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// The fields of time by what a moment is; NumFields where it is in none.
var (
	isoTime = [numClasses]Field{
		outOfSchedule: NumFields, plannedTime: PlannedTime, runTime: RunTime, minorTime: MinorTime, setupTime: SetupTime,
		stopTime: StopTime, idleTime: IdleTime, unknownTime: UnknownTime,
	}
	e79Time = [Nonscheduled + 1]Field{
		Unknown: E79Unknown, Run: E79Run, Setup: E79Scheduled, Stop: E79Stop, Idle: E79Idle, Planned: E79Scheduled,
		Engineering: E79Engineering, Nonscheduled: E79Nonscheduled,
	}
)

// clock adds up the whole numbers of one slice.
type clock struct {
	sum     [NumFields + 1]int64 // the last takes what goes nowhere
	time    []int64              // by reason
	count   []int64
	touched []int32
}

// addTimes adds times, failures, reasons and what findings say of states.
func (u *Unit) addTimes(borders []telemetry.Instant, facts []Facts) {
	c := cursor{atoms: u.atoms, borders: borders}
	from, to := borders[0], borders[len(borders)-1]
	c.jump(from)
	c.seat(from, to)
	k := clock{time: make([]int64, len(u.reasons)), count: make([]int64, len(u.reasons))}
	slice := c.slice
	for cell := range c.cells(from, to) {
		if cell.slice != slice {
			k.settle(u.reasons, &facts[slice])
			slice = cell.slice
		}
		a := &u.atoms[cell.atom]
		k.add(a, int64(cell.to-cell.from), cell.from == a.from)
		facts[slice].Findings |= a.findings()
	}
	k.settle(u.reasons, &facts[slice])
	if u.meter != nil {
		for i := range facts {
			facts[i].Sum[EnergySpan] = facts[i].Sum[Span]
		}
	}
}

// add counts ns nanoseconds of an atom, with begins its first ones.
func (k *clock) add(a *atom, ns int64, begins bool) {
	k.sum[Span] += ns
	k.sum[isoTime[a.iso]] += ns
	e79 := e79Time[a.category]
	if a.has(minor) {
		e79 = E79Minor
	}
	k.sum[e79] += ns
	if a.has(bridging) {
		k.addIf(BridgedTime, ns, a.iso == unknownTime)
		k.addIf(E79Bridged, ns, a.category == Unknown)
	}
	if a.has(uncounted) {
		k.addIf(UncountedTime, ns, a.iso == runTime)
		k.addIf(E79Uncounted, ns, true)
	}
	if begins {
		k.addIf(Failures, 1, a.has(failureBegins))
		k.addIf(E79Failures, 1, a.has(e79Failure))
	}
	if r := a.reason; r >= 0 {
		if k.time[r] == 0 {
			k.touched = append(k.touched, r)
		}
		k.time[r] += ns
		if begins && a.has(reasonBegins) {
			k.count[r]++
		}
	}
}

func (k *clock) addIf(f Field, n int64, yes bool) {
	if yes {
		k.sum[f] += n
	}
}

// settle moves what was added up to the facts of the slice.
func (k *clock) settle(reasons []Reason, f *Facts) {
	for i, n := range k.sum[:NumFields] {
		if n != 0 {
			f.Sum[i] = exact.Int(n)
		}
	}
	if len(k.touched) > 0 {
		f.Reasons = make(map[Reason]ReasonSum, len(k.touched))
	}
	for _, r := range k.touched {
		f.Reasons[reasons[r]] = ReasonSum{Time: exact.Int(k.time[r]), Count: exact.Int(k.count[r])}
		k.time[r], k.count[r] = 0, 0
	}
	k.sum, k.touched = [NumFields + 1]int64{}, k.touched[:0]
}

// findings are those of time in an atom.
func (a *atom) findings() Findings {
	var f Finding
	if a.has(unmapped) {
		f |= UnmappedState
	}
	if a.category == Run {
		switch {
		case a.has(unscheduled):
			f |= RanUnscheduled
		case a.has(inPlannedStop):
			f |= RanInPlannedStop
		}
		if a.has(uncounted) {
			f |= CounterMissing
		}
	}
	return Findings(f)
}
