package plant

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"kvarts/historian/exact"
	"kvarts/historian/markup"
)

// categories maps what a file may write to a category: the names themselves and those of SEMI E10.
func categories() map[string]Category {
	return map[string]Category{
		"run": Run, "setup": Setup, "stop": Stop, "idle": Idle, "planned": Planned, "engineering": Engineering, "nonscheduled": Nonscheduled, "unknown": Unknown,
		"PRD": Run, "SBY": Idle, "UDT": Stop, "SDT": Planned, "NST": Nonscheduled, "ENG": Engineering,
	}
}

// category reads one.
func (v *value) category() (Category, bool) {
	known := categories()
	word, ok := choose(v, slices.Sorted(maps.Keys(known))...)
	return known[word], ok
}

// standardState is a state of a standard: its number there, -1 when the standard's machines give no number.
type standardState struct {
	number int
	name   string
	Meaning
}

// included are the maps that a file can include by name. What a state means for time follows definitions.md: what holds
// the machine up from outside (Suspended: starved or blocked) is idle time with a reason, what holds it up itself a stop.
func included() map[string][]standardState {
	return map[string][]standardState{
		// ISA-TR88.00.02, as in OPC 30050.
		"packml": packML(map[int]string{1: "Clearing", 2: "Stopped", 3: "Starting", 4: "Idle", 5: "Suspended", 6: "Execute", 7: "Stopping", 8: "Aborting",
			9: "Aborted", 10: "Holding", 11: "Held", 12: "Unholding", 13: "Suspending", 14: "Unsuspending", 15: "Resetting", 16: "Completing", 17: "Complete"}),
		// OPC 30060 §11.9: the same names, other numbers.
		"opc30060": packML(map[int]string{0: "Stopped", 1: "Resetting", 2: "Idle", 3: "Starting", 4: "Execute", 5: "Completing", 6: "Complete", 7: "Aborting",
			8: "Aborted", 9: "Stopping", 10: "Clearing", 11: "Suspending", 12: "Suspended", 13: "Unsuspending", 14: "Holding", 15: "Held", 16: "Unholding"}),
		// OPC 40001-1 MachineryItemState: a state is told by its name.
		"opc40001": {{-1, "NotAvailable", Meaning{Unknown, "not available"}}, {-1, "OutOfService", Meaning{Stop, "out of service"}},
			{-1, "NotExecuting", Meaning{Idle, ""}}, {-1, "Executing", Meaning{Run, ""}}},
		// SEMI E10, with the numbers of OPC 40100.
		"e10": {{1, "PRD", Meaning{Run, ""}}, {2, "SBY", Meaning{Idle, ""}}, {3, "ENG", Meaning{Engineering, ""}}, {4, "SDT", Meaning{Planned, ""}},
			{5, "UDT", Meaning{Stop, ""}}, {6, "NST", Meaning{Nonscheduled, ""}}},
	}
}

// packML gives the states of PackML their meaning, whatever their numbers.
func packML(numbers map[int]string) []standardState {
	meanings := map[string]Meaning{
		"Execute":  {Run, ""},
		"Starting": {Setup, "starting"}, "Completing": {Setup, "completing"}, "Resetting": {Setup, "resetting"}, "Unholding": {Setup, "unholding"},
		"Unsuspending": {Setup, "unsuspending"},
		"Idle":         {Idle, ""}, "Complete": {Idle, "complete"},
		"Suspending": {Idle, "starved or blocked"}, "Suspended": {Idle, "starved or blocked"},
		"Holding": {Stop, "held"}, "Held": {Stop, "held"}, "Stopping": {Stop, "stopped"}, "Stopped": {Stop, "stopped"},
		"Aborting": {Stop, "aborted"}, "Aborted": {Stop, "aborted"}, "Clearing": {Stop, "aborted"},
	}
	var out []standardState
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		out = append(out, standardState{n, numbers[n], meanings[numbers[n]]})
	}
	return out
}

// stateMaps reads a class's maps. Entries of one namespace follow each other by their dates.
func (d *decoder) stateMaps(b *block, c *Class) {
	last := make(map[string]*order)
	b.list("state_maps", levelStateMap, func(m *block) {
		namespace := ""
		if v := m.get("namespace"); v != nil {
			v.namespace(&namespace)
		}
		if last[namespace] == nil {
			last[namespace] = new(order)
			c.StateMaps = append(c.StateMaps, StateMap{Namespace: namespace})
		}
		i := slices.IndexFunc(c.StateMaps, func(s StateMap) bool { return s.Namespace == namespace })
		from, ok := m.since(len(c.StateMaps[i].Codes), last[namespace])
		codes := m.codes(c.State)
		if ok {
			c.StateMaps[i].Codes = append(c.StateMaps[i].Codes, Since[Codes]{from, codes})
		}
	})
}

// codes reads what one map says: an included one, changed and completed by codes of its own.
func (b *block) codes(state *Signal) Codes {
	out := make(Codes)
	if v := b.get("include"); v != nil {
		standards := included()
		if name, ok := choose(v, sortedKeys(standards)...); ok {
			v.include(out, standards[name], state)
		}
	}
	if v := b.get("codes"); v != nil {
		for _, e := range v.entries() {
			if _, err := strconv.ParseInt(e.Key(), 10, 64); err != nil && state != nil && state.Type == Int {
				e.FailHidden(fmt.Sprintf("the code %q is no integer, but the signal %s is of type int", e.Key(), state.Name), "write the number that the machine sends, or type: string")
				continue
			}
			if m, ok := e.meaning(); ok {
				out[e.Key()] = m
			}
		}
	}
	if v := b.get("codes"); len(out) == 0 && b.get("include") == nil && (v == nil || v.Empty()) {
		b.FailHidden("the map has no codes", "write codes: {CODE: category}, or include: one of "+some(sortedKeys(included())))
	}
	return out
}

func (v *value) include(out Codes, states []standardState, state *Signal) {
	numbers := state != nil && state.Type == Int
	for _, s := range states {
		switch {
		case !numbers:
			out[s.name] = s.Meaning
		case s.number < 0:
			v.Fail(fmt.Sprintf("its states are told by name, but the signal %s is of type int", state.Name), "collect the state's name as type: string, or write the codes")
			return
		default:
			m := s.Meaning
			if m.Reason == "" {
				m.Reason = s.name
			}
			out[strconv.Itoa(s.number)] = m
		}
	}
}

// meaning reads a category, or {category, reason}.
func (v *value) meaning() (m Meaning, ok bool) {
	if v.Kind() != markup.Mapping {
		m.Category, ok = v.category()
		return m, ok
	}
	b := v.block(levelCode)
	c := b.require("category", "write for example category: stop")
	if c != nil {
		m.Category, ok = c.category()
	}
	b.text("reason", &m.Reason)
	return m, ok
}

// roles reads which signals are what, and checks that they can be.
func (d *decoder) roles(b *block, c *Class) {
	v := b.get("roles")
	if v == nil || !v.Is(markup.Mapping) {
		return
	}
	r := v.block(levelRoles)
	number, code := []SignalType{Int, Float}, []SignalType{Int, String}
	for _, role := range []struct {
		name  string
		dst   **Signal
		types []SignalType
		kinds []Kind
		unit  string // that it must have; "": any
	}{
		{"state", &c.State, code, []Kind{State}, ""},
		{"total", &c.Total, number, []Kind{Counter}, ""},
		{"good", &c.Good, number, []Kind{Counter}, ""},
		{"scrap", &c.Scrap, number, []Kind{Counter}, ""},
		{"energy", &c.Energy, number, []Kind{Register}, "kWh"},
		{"power", &c.Power, number, []Kind{Analog}, "kW"},
		{"progress", &c.Progress, number, []Kind{Analog}, ""},
		{"product", &c.Product, code, []Kind{Text, State}, ""},
		{"reason", &c.Reason, code, []Kind{Text, State}, ""},
		{"batch", &c.Batch, code, []Kind{Text, State, Counter}, ""},
	} {
		e := r.get(role.name)
		if e == nil {
			continue
		}
		name, ok := e.Scalar()
		if !ok {
			continue
		}
		s, ok := c.Signal(name)
		switch {
		case !ok:
			names := make([]string, len(c.Signals))
			for i := range c.Signals {
				names[i] = c.Signals[i].Name
			}
			e.refer("this class's signals", name, names)
		case !slices.Contains(role.kinds, s.Kind) || !slices.Contains(role.types, s.Type):
			e.Fail(fmt.Sprintf("the signal is of kind %s and type %s, but as %s it must be %s of type %s", s.Kind, s.Type, role.name, or(role.kinds), or(role.types)),
				"name another signal, or correct its kind and type")
		case role.unit != "" && s.Unit != role.unit:
			e.Fail(fmt.Sprintf("the signal is stored in %q, but as %s it must be in %s", s.Unit, role.name, role.unit),
				fmt.Sprintf("write unit: %s, and source_unit: what the machine sends", role.unit))
		default:
			*role.dst = s
		}
	}
}

func or[T ~string](words []T) string {
	out := ""
	for i, w := range words {
		if i > 0 {
			out += " or "
		}
		out += string(w)
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// dictionary reads {code: words}.
func (b *block) dictionary(key string, check func(*value, string) bool) map[string]string {
	v := b.get(key)
	if v == nil || !v.Is(markup.Mapping) {
		return nil
	}
	out := make(map[string]string)
	for _, e := range v.entries() {
		var s string
		if e.words(&s) && check(e, s) {
			out[e.Key()] = s
		}
	}
	return out
}

// fullRange is the end of an analog signal's range, as a batch's full progress; nil when it has none.
func fullRange(s *Signal) Dated[exact.Num] {
	if s == nil || s.Range == nil || s.Range.High.Sign() <= 0 {
		return nil
	}
	return Constant(s.Range.High)
}
