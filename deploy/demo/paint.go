package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"kvarts/collector/status"
	"kvarts/historian/kpi"
	"kvarts/historian/plant"
)

// paint is how a screen is drawn: with colours or without.
type paint struct {
	colour bool
}

// Colours of ANSI terminals (ECMA-48 SGR), chosen to be read on dark and light ground.
const (
	plain   = ""
	bold    = "1"
	dim     = "2"
	red     = "31"
	green   = "32"
	yellow  = "33"
	magenta = "35"
	cyan    = "36"
)

func (p *paint) in(colour, text string) string {
	if !p.colour || colour == plain {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// marks of the parts of planned time, and their colours.
var marks = [parts]struct {
	mark   string
	colour string
	name   string
}{
	good:    {"▇", green, "good"},
	defects: {"x", magenta, "defects"},
	slow:    {"▅", yellow, "slow"},
	down:    {"▂", red, "down"},
	unknown: {"?", dim, "unknown"},
}

// bar divides width cells as shares say.
func (p *paint) bar(shares [parts]float64, width int) string {
	var b strings.Builder
	sum, at := 0.0, 0
	for i, s := range shares {
		sum += s
		to := min(width, max(at, int(math.Round(sum*float64(width)))))
		b.WriteString(p.in(marks[i].colour, strings.Repeat(marks[i].mark, to-at)))
		at = to
	}
	b.WriteString(strings.Repeat(" ", width-at))
	return b.String()
}

// legend explains the bar.
func (p *paint) legend() string {
	var b strings.Builder
	for _, m := range marks {
		fmt.Fprintf(&b, "%s %s  ", p.in(m.colour, m.mark), m.name)
	}
	return strings.TrimSpace(b.String())
}

// screen is the whole picture, lines ended by \n. Where it is higher than height, machines are shown by turns.
func (p *paint) screen(now time.Time, pic *picture, v, before *status.View, chaos string, height int) string {
	var below strings.Builder
	p.collector(&below, v, before)
	if chaos != "" {
		fmt.Fprintln(&below, p.in(yellow, "chaos      ")+chaos)
	}
	all := p.record(now, pic, 0, math.MaxInt) + below.String()
	over := strings.Count(all, "\n") - height
	if pic == nil || over <= 0 {
		return all
	}
	room := max(1, len(pic.units)-over)
	turns := (len(pic.units) + room - 1) / room
	turn := int(now.Unix()/int64(turnEvery.Seconds())) % turns
	from := min(turn*room, len(pic.units)-room) // the last turn is as full as the others
	return p.record(now, pic, max(0, from), room) + below.String()
}

// turnEvery is how long some machines are shown before it is the turn of the next.
const turnEvery = 5 * time.Second

// record is what the record says, of machines room from one on.
func (p *paint) record(now time.Time, pic *picture, from, room int) string {
	title := "Kvarts demo · " + now.Format("Mon 2 Jan 15:04:05 MST")
	if pic == nil {
		return p.in(bold, title) + "\n\nasking the store …\n\n"
	}
	if !pic.oee.Null {
		title += " · OEE of the plant " + percent(pic.oee)
	}
	if !pic.chain.Null {
		title += fmt.Sprintf(" · %s kWh/W", number(pic.chain, 4))
	}
	var b strings.Builder
	fmt.Fprintln(&b, p.in(bold, title))
	p.units(&b, pic, from, room)
	p.energy(&b, pic)
	p.alarms(&b, pic)
	return b.String()
}

func (p *paint) units(b *strings.Builder, pic *picture, from, room int) {
	fmt.Fprintf(b, "\n%s\n", p.in(dim, fmt.Sprintf("%-9s %-20s %8s %8s  %-30s %8s %8s %8s", "MACHINE", "NOW", "OEE 24 H", "7 DAYS", "PLANNED TIME OF 7 DAYS", "A", "P", "Q")))
	to := from + min(room, len(pic.units)-from)
	for i := from; i < to; i++ {
		u := &pic.units[i]
		note := u.why
		if spread := bounds(u); spread != "" {
			note = spread
		}
		fmt.Fprintf(b, "%-9s %s %8s %8s  %s %8s %8s %8s %s\n", u.id, p.doing(u), percent(u.day), percent(u.oee), p.bar(u.share, 30), percent(u.a), percent(u.p), percent(u.q), p.in(dim, note))
	}
	part := ""
	if to-from < len(pic.units) {
		part = fmt.Sprintf("machines %d to %d of %d, by turns", from+1, to, len(pic.units))
	}
	fmt.Fprintf(b, "%-49s%s\n", part, p.legend())
}

// bounds says between what the OEE lies, where that is worth a word.
func bounds(u *unitLine) string {
	low, ok1 := u.low.Float()
	high, ok2 := u.high.Float()
	if !ok1 || !ok2 || high-low < 0.005 {
		return ""
	}
	return fmt.Sprintf("%.0f to %.0f %%", low*100, high*100)
}

// doing is what a machine does now, in 20 columns.
func (p *paint) doing(u *unitLine) string {
	colour := plain
	switch u.category {
	case plant.Run:
		colour = green
	case plant.Stop:
		colour = red
	case plant.Setup, plant.Engineering:
		colour = cyan
	case plant.Idle, plant.Unknown:
		colour = yellow
	}
	text := string(u.category)
	if u.category == plant.Stop && u.reason != "" {
		text += ": " + u.reason
	}
	return p.in(colour, fmt.Sprintf("%-20.20s", text))
}

func (p *paint) energy(b *strings.Builder, pic *picture) {
	if len(pic.stages) == 0 {
		return
	}
	most := 0.0
	for _, s := range pic.stages {
		if f, ok := s.perWatt.Float(); ok {
			most = max(most, f)
		}
	}
	fmt.Fprintf(b, "\n%s\n", p.in(dim, fmt.Sprintf("%-14s %9s  %-30s %12s %16s", "STAGE", "kWh/W", "OF 7 DAYS", "kWh a piece", "good")))
	for _, s := range pic.stages {
		cells := 0
		if f, ok := s.perWatt.Float(); ok && most > 0 {
			cells = max(0, int(math.Round(f/most*30)))
		}
		made := number(s.good, 0)
		if f, ok := s.good.Float(); ok {
			made = grouped(int64(f)) + " " + s.unit
		}
		fmt.Fprintf(b, "%-14s %9s  %s%s %12s %16s\n", s.name, number(s.perWatt, 4), p.in(cyan, strings.Repeat("▇", cells)), strings.Repeat(" ", 30-cells), number(s.perGood, 3), made)
	}
}

func (p *paint) alarms(b *strings.Builder, pic *picture) {
	fmt.Fprintln(b)
	const most = 4
	for i, a := range pic.alarms {
		if i == most {
			fmt.Fprintf(b, "           and %d more\n", len(pic.alarms)-most)
			break
		}
		fmt.Fprintln(b, p.in(red, "alarm      ")+a)
	}
	if len(pic.alarms) == 0 {
		fmt.Fprintln(b, p.in(green, "alarms     ")+"none")
	}
	if pic.err != nil {
		fmt.Fprintln(b, p.in(yellow, "store      ")+"no answer: the picture is an older one")
	}
}

func (p *paint) collector(b *strings.Builder, v, before *status.View) {
	connected, values, was, worst := 0, uint64(0), uint64(0), time.Duration(0)
	for _, s := range v.Servers {
		if s.Connected {
			connected++
		}
		values += s.Counters.Values
		if s.LastValue != 0 {
			worst = max(worst, v.Now.Sub(s.LastValue.Time()))
		}
	}
	for _, s := range before.Servers {
		was += s.Counters.Values
	}
	colour := green
	if connected < len(v.Servers) {
		colour = yellow
	}
	fmt.Fprintf(b, "%s%d of %d servers connected, %s values taken, %.0f a second, oldest %s\n", p.in(colour, "collector  "), connected, len(v.Servers),
		grouped(values), perSecond(values, was, v, before), max(0, worst).Round(100*time.Millisecond))
	for _, d := range v.Destinations {
		fmt.Fprintf(b, "%s%s lines delivered, %s records wait on disk, %s in quarantine, %d gaps in the ledger\n", p.in(colour, "buffer     "), grouped(d.Totals.Lines),
			grouped(int64(d.Records)), grouped(int64(v.Quarantine.Entries)), v.GapsTotal)
	}
}

// line is the picture in one line, for who has no terminal.
func (p *paint) line(now time.Time, pic *picture, v, before *status.View) string {
	var values, was uint64
	for _, s := range v.Servers {
		values += s.Counters.Values
	}
	for _, s := range before.Servers {
		was += s.Counters.Values
	}
	text := fmt.Sprintf("%s  %d values, %.0f/s", now.Format(time.TimeOnly), values, perSecond(values, was, v, before))
	for _, d := range v.Destinations {
		text += fmt.Sprintf(", delivered %d, waiting %d", d.Totals.Lines, d.Records)
	}
	text += fmt.Sprintf(", gaps %d", v.GapsTotal)
	if pic != nil && pic.err == nil {
		text += fmt.Sprintf(", OEE %s, %s kWh/W, alarms %d", percent(pic.oee), number(pic.chain, 4), len(pic.alarms))
	}
	return text
}

func perSecond(now, was uint64, v, before *status.View) float64 {
	if dt := v.Now.Sub(before.Now).Seconds(); dt > 0 && now >= was {
		return float64(now-was) / dt
	}
	return 0
}

func percent(v kpi.Value) string {
	f, ok := v.Float()
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", f*100)
}

func number(v kpi.Value, decimals int) string {
	f, ok := v.Float()
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.*f", decimals, f)
}
