package answer

import (
	"fmt"
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/telemetry"
)

// By says how an answer divides its window.
type By uint8

// The divisions. Days begin where the plant's day begins, shifts where the plant's shifts do, whatever the window's begin is;
// hours are those of UTC, which the ledger is cut at. Shifts may overlap: the sum of their rows is then more than the
// answer's total, which counts every moment once.
const (
	Whole By = iota
	ByHour
	ByShift
	ByDay
	ByMonth // plant days of one month of the calendar
)

var byNames = []string{Whole: "none", ByHour: "hour", ByShift: "shift", ByDay: "day", ByMonth: "month"}

func (b By) String() string { return nameOf(byNames, int(b)) }

// MarshalText gives String.
func (b By) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads what String gives.
func (b *By) UnmarshalText(text []byte) error { return readName(b, byNames, "division", string(text)) }

// nameOf is the name of a value, for people also of one that is none.
func nameOf(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("(%d)", i)
	}
	return names[i]
}

func readName[T ~uint8](to *T, names []string, what, text string) error {
	i := slices.Index(names, text)
	if i < 0 {
		return fmt.Errorf("%s %q: not one of %v", what, text, names)
	}
	*to = T(i)
	return nil
}

// Part is one division of a window.
type Part struct {
	Label    string            // "2026-11-02", "2026-11-02 day shift"; "" for the whole window
	Interval calendar.Interval // as cut at the window and at the horizon
	// Whole is the division itself, where it is more than Interval: a day that is not over, a shift that began before the window.
	Whole calendar.Interval
}

// Cut says that only a part of the division is in the answer.
func (p *Part) Cut() bool { return p.Interval != p.Whole }

// divide cuts w, which ends at the horizon at the latest, by the rules of the plant.
func divide(w calendar.Interval, by By, rules *calendar.Rules) []Part {
	var parts []Part
	add := func(label string, whole calendar.Interval) {
		if v := whole.Meet(w); !v.Empty() {
			parts = append(parts, Part{Label: label, Interval: v, Whole: whole})
		}
	}
	switch by {
	case ByHour:
		for _, v := range calendar.Hours(w) {
			add(v.From.Time().In(rules.Zone).Format("2006-01-02 15:04"), v)
		}
	case ByShift:
		for _, s := range rules.ShiftsIn(w) {
			add(s.Day.String()+" "+s.Name, s.Interval)
		}
	case ByDay:
		for _, d := range rules.Days(w) {
			add(d.Name, d.Interval)
		}
	case ByMonth:
		for _, m := range months(rules.Days(w)) {
			add(m.Name, m.Interval)
		}
	default:
		add("", w)
	}
	return parts
}

// months joins plant days of the same month.
func months(days []calendar.NamedInterval) []calendar.NamedInterval {
	var out []calendar.NamedInterval
	for _, d := range days {
		name := fmt.Sprintf("%04d-%02d", d.Day.Year, d.Day.Month)
		if n := len(out); n > 0 && out[n-1].Name == name {
			out[n-1].To = d.To
			continue
		}
		out = append(out, calendar.NamedInterval{Name: name, Day: d.Day, Interval: d.Interval})
	}
	return out
}

// atoms are the pieces that intervals cut each other into: each interval is a run of whole atoms. Moments in none of them
// are in no atom.
//
//	intervals [────────────)
//	                 [──────────)      [───)
//	atoms     [──────)[────)[───)      [───)
func atoms(intervals []calendar.Interval) []calendar.Interval {
	var borders []telemetry.Instant
	for _, v := range intervals {
		borders = append(borders, v.From, v.To)
	}
	slices.Sort(borders)
	borders = slices.Compact(borders)
	union := calendar.NewSet(intervals...)
	var out []calendar.Interval
	for i := 1; i < len(borders); i++ {
		if union.Holds(borders[i-1]) {
			out = append(out, calendar.Interval{From: borders[i-1], To: borders[i]})
		}
	}
	return out
}

// run is the range of indexes of the atoms that make up v.
func run(atoms []calendar.Interval, v calendar.Interval) (from, to int) {
	at := func(t telemetry.Instant) int {
		i, _ := slices.BinarySearchFunc(atoms, t, func(a calendar.Interval, t telemetry.Instant) int {
			return int(min(max(a.From.Sub(t), -time.Nanosecond), time.Nanosecond))
		})
		return i
	}
	return at(v.From), at(v.To)
}
