package ledger

import (
	"sort"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// Unit is one unit's input made ready: any number of questions, from any number of goroutines.
type Unit struct {
	view
	in        Input // cut at the horizon
	stretches []stretch
	counters  *pieceCounters
	reasons   []Reason
	meter     *meter // nil: no register and no power meter
	hasPieces bool
}

// New checks what was recorded and works out what every moment was and where quantities belong. It keeps in's lists, that
// must not change afterwards. An error is an *InputError.
func New(in *Input) (*Unit, error) {
	if err := check(in); err != nil {
		return nil, err
	}
	u := &Unit{in: cutAtHorizon(in)}
	u.exact = in.Exact
	h := u.in.Horizon
	products := products(u.in.Booked)
	u.tariffs = newTariffs(&u.in, products)
	u.counters = newPieceCounters(&u.in, u.rounding, h)
	u.hasPieces = in.Total != nil || in.Good != nil || in.Scrap != nil || len(u.in.Booked) > 0
	u.stretches = stretches(&u.in, h)
	u.atoms = cutAtoms(u.stretches, covers{
		shifts: u.in.Shifts, stops: u.in.PlannedStops, always: u.in.Always,
		bridged: u.counters.inAll(true),
		counted: u.counters.inAll(false).Union(bookedTime(u.in.Booked)),
	}, u.tariffs[0])
	markFailures(u.atoms)
	u.reasons = markReasons(u.atoms, u.stretches, u.in.States)
	if len(u.atoms) > 0 {
		u.counters.each(func(_ string, deltas []delta) { u.findStopped(deltas) })
		u.streams = append(u.counters.streams(), u.book(u.in.Booked, products)...)
		if u.hasPieces { // a unit that counts and books nothing has no pieces: scrap of them neither
			u.streams = append(u.streams, u.scrapped(u.in.ScrapReports, u.streams)...)
		}
	}
	if in.Energy != nil || in.Power != nil {
		u.meter = newMeter(&u.in, u.rounding)
	}
	return u, nil
}

// cutAtHorizon leaves out what is dated after the horizon: it does not exist. What was booked or found for an interval
// cannot have been reported before its end.
func cutAtHorizon(in *Input) Input {
	out := *in
	out.Horizon = max(dawn, min(in.Horizon, dusk))
	h := out.Horizon
	out.States = in.States[:sort.Search(len(in.States), func(i int) bool { return in.States[i].At > h })]
	out.Booked, out.ScrapReports = nil, nil
	for _, b := range in.Booked {
		if b.To <= h {
			out.Booked = append(out.Booked, b)
		}
	}
	for _, s := range in.ScrapReports {
		if s.Made.To <= h {
			out.ScrapReports = append(out.ScrapReports, s)
		}
	}
	return out
}

func bookedTime(booked []Booking) calendar.Set {
	all := make([]calendar.Interval, len(booked))
	for i, b := range booked {
		all[i] = b.Interval
	}
	return calendar.NewSet(all...)
}

// Facts are those of a window, cut at the horizon. Of an empty window, or of one after the horizon, every sum is zero.
func (u *Unit) Facts(w calendar.Interval) Facts {
	return u.Slices([]telemetry.Instant{w.From, w.To})[0]
}

// Slices are the facts of [borders[0], borders[1]), [borders[1], borders[2]) … in one pass: the Facts of each. Borders are
// sorted; one below its predecessor is taken as equal to it. Fewer than two borders have no slices.
func (u *Unit) Slices(borders []telemetry.Instant) []Facts {
	if len(borders) < 2 {
		return nil
	}
	facts := make([]Facts, len(borders)-1)
	for i := range facts {
		facts[i].HasPieces, facts[i].HasEnergy = u.hasPieces, u.meter != nil
	}
	b := clip(borders, u.in.Horizon)
	if b[0] >= b[len(b)-1] {
		return facts
	}
	u.addTimes(b, facts)
	u.pour(b, facts)
	if u.meter != nil {
		u.meter.pour(u.atoms, b, facts)
	}
	return facts
}

// clip are the borders between dawn and the horizon, none below the one before.
func clip(borders []telemetry.Instant, horizon telemetry.Instant) []telemetry.Instant {
	out := make([]telemetry.Instant, len(borders))
	low := dawn
	for i, t := range borders {
		low = max(low, min(t, horizon))
		out[i] = low
	}
	return out
}
