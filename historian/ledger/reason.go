package ledger

// plannedStopReason is the reason of planned downtime that comes from the calendar, whatever the state.
const plannedStopReason = "planned_stop"

// markReasons gives each atom of a stop, minor stop, set-up, idle or planned time its reason, and marks where time with one
// reason begins: at its first moment in planned time, however shifts and planned stops interrupt it afterwards.
func markReasons(atoms []atom, all []stretch, states []State) []Reason {
	var reasons []Reason
	index := map[Reason]int32{}
	begun := int32(-1) // the reason of the state at hand that has begun already
	for i := range atoms {
		a := &atoms[i]
		if i > 0 && !sameReason(&all[atoms[i-1].stretch], &all[a.stretch], states) {
			begun = -1
		}
		r, byCalendar, ok := reasonOf(a, &all[a.stretch], states)
		if !ok {
			continue
		}
		k, seen := index[r]
		if !seen {
			k = int32(len(reasons))
			index[r] = k
			reasons = append(reasons, r)
		}
		a.reason = k
		if byCalendar {
			a.flag(reasonBegins, i == 0 || atoms[i-1].reason != k)
			continue
		}
		a.flag(reasonBegins, begun != k)
		begun = k
	}
	return reasons
}

// sameReason says that a state goes on in the next stretch as far as reasons go.
func sameReason(s, t *stretch, states []State) bool {
	return s == t || s.category == t.category && s.minor == t.minor && stateReason(s, states) == stateReason(t, states)
}

func stateReason(s *stretch, states []State) string {
	if s.state < 0 {
		return ""
	}
	if r := states[s.state].Reason; r != "" {
		return r
	}
	return states[s.state].Code
}

// reasonOf is the reason of an atom's time; ok is false when time of its kind needs none.
func reasonOf(a *atom, s *stretch, states []State) (r Reason, byCalendar, ok bool) {
	r = Reason{Category: a.category, Reason: stateReason(s, states), Minor: a.iso == minorTime}
	switch a.iso {
	case plannedTime:
		byCalendar = a.category != Planned && a.category != Engineering
		if byCalendar {
			r.Reason = plannedStopReason
		}
		r.Category = Planned
	case stopTime, minorTime, setupTime, idleTime:
	default:
		return Reason{}, false, false
	}
	return r, byCalendar, true
}
