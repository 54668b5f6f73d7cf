package ledger

// findingNames are the names of the findings by their bit, as answers and stored slices give them.
var findingNames = [...]string{
	"unmapped_state", "ran_unscheduled", "ran_in_planned_stop", "counter_missing", "counter_reset_assumed",
	"counter_drop_ignored", "rollover_ambiguous", "made_while_stopped", "register_lower_bound",
}

// Names are the findings in s, in the order of the constants.
func (s Findings) Names() []string {
	var names []string
	for i, name := range findingNames {
		if s.Has(1 << i) {
			names = append(names, name)
		}
	}
	return names
}
