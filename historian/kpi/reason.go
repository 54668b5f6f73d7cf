package kpi

// Reason says why a KPI is null; "" when nothing is missing.
type Reason string

// The reasons, the first that applies is given.
const (
	NoPlannedTime Reason = "no_planned_time" // the denominator of everything is 0
	NoKnownTime   Reason = "no_known_time"   // all of it is unknown
	NoCounters    Reason = "no_counters"     // there was run time, and nothing counted any of it
	NoIdeal       Reason = "no_ideal"        // pieces were made at a moment without an ideal
	NoRunTime     Reason = "no_run_time"     // nothing ran
	NoParts       Reason = "no_parts"        // nothing was made
)

// reason is the first that applies. A line has no time of its own that it ran in, so the last two are not asked of it.
func (b *basis) reason(m model) Reason {
	switch {
	case b.pbt.IsZero():
		return NoPlannedTime
	case b.pbt.Equal(b.u):
		return NoKnownTime
	case b.uncountable():
		return NoCounters
	case b.noIdeal:
		return NoIdeal
	case m == isoLine:
		return ""
	case b.apt.IsZero():
		return NoRunTime
	case b.total.IsZero():
		return NoParts
	default:
		return ""
	}
}
