package plant

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kvarts/historian/markup"
)

// Limits of a class.
const (
	maxSignals  = 5000
	maxSampling = 24 * time.Hour
)

// statusSuffix ends the name of the field that holds a signal's status, so no signal may be called that.
const statusSuffix = "_status"

// reservedFields are tags of every unit, and names that InfluxDB keeps for itself: a field of this name hides them.
var reservedFields = []string{"site", "area", "line", "unit", "time"}

// signals reads the list of a class's signals.
func (d *decoder) signals(b *block, c *Class, node string, sampling time.Duration) {
	b.require("signals", "list what is stored of such a machine")
	seen := make(map[string]markup.Place)
	b.list("signals", levelSignal, func(s *block) {
		proto := d.signal(s, node, sampling)
		for _, each := range s.eaches() {
			sig := proto
			sig.Name = strings.ReplaceAll(sig.Name, "{each}", strings.ToLower(each))
			sig.Description = strings.ReplaceAll(sig.Description, "{each}", each)
			sig.Node = strings.ReplaceAll(sig.Node, "{each}", each)
			if len(c.Signals) == maxSignals || !s.fieldName(sig.Name) || !s.Unique(seen, "name", sig.Name) {
				return // once is enough: the others of the line have the same mistake
			}
			c.Signals = append(c.Signals, sig)
		}
	})
	if len(c.Signals) == maxSignals {
		b.FailHidden(fmt.Sprintf("the class has more than %d signals", maxSignals), "split it into two classes")
	}
	if v := b.get("signals"); v != nil && v.Empty() {
		v.FailHidden("the list is empty", "list what is stored of such a machine")
	}
}

// eaches reads what {each} stands for; one "" when there is nothing to repeat.
func (b *block) eaches() []string {
	v := b.get("each")
	if v == nil {
		return []string{""}
	}
	var name string
	if n := b.get("name"); n != nil {
		name = n.Raw()
	}
	if !strings.Contains(name, "{each}") {
		v.FailHidden("the signal's name has no {each} in it", "write for example name: zone_{each}_temp_c")
		return nil
	}
	if v.Empty() {
		v.FailHidden("the list is empty, so that there would be no signal", "list what {each} stands for")
	}
	var out []string
	for _, item := range v.texts() {
		var s string
		if item.name(&s) {
			out = append(out, item.numbers(s)...)
		}
	}
	return out
}

// numbers expands a range: "1..12" is the numbers 1 to 12, "01..12" has them with leading zeros. All else stands for itself.
func (v *value) numbers(s string) []string {
	low, high, isRange := strings.Cut(s, "..")
	if !isRange {
		return []string{s}
	}
	first, err := strconv.ParseUint(low, 10, 16)
	last, err2 := strconv.ParseUint(high, 10, 16)
	if err != nil || err2 != nil || last < first || last-first >= maxSignals {
		v.Fail(fmt.Sprintf("a range has two whole numbers, the smaller first, and at most %d in it", maxSignals), "write for example 1..12")
		return nil
	}
	width := 0
	if strings.HasPrefix(low, "0") {
		width = len(low)
	}
	var out []string
	for n := first; n <= last; n++ {
		out = append(out, fmt.Sprintf("%0*d", width, n))
	}
	return out
}

// fieldName reports a name that no field can have.
func (b *block) fieldName(name string) bool {
	at := b.get("name")
	switch {
	case at == nil || name == "":
	case len(name) > maxNameBytes || !fieldName.MatchString(name):
		at.Fail("a signal's name has only small letters, digits and _, and begins with a letter", "write snake_case with the unit as suffix, for example heater_power_kw")
	case strings.HasSuffix(name, statusSuffix):
		at.Fail(fmt.Sprintf("a signal must not end in %s, that name holds the status of another", statusSuffix), "for example _state")
	case slices.Contains(reservedFields, name):
		at.Fail("this is the name of a tag: "+strings.Join(reservedFields, ", ")+" are taken", "choose another")
	default:
		return true
	}
	return false
}

// signal reads one member of signals.
func (d *decoder) signal(b *block, node string, sampling time.Duration) Signal {
	s := Signal{Kind: Analog, Reporting: OnChange, Node: node, Sampling: sampling, Deadband: "none"}
	b.require("name", "write snake_case with the unit as suffix, for example heater_power_kw")
	b.text("name", &s.Name)
	b.text("description", &s.Description)
	markup.Choice(b.Get("kind"), &s.Kind, Analog, State, Counter, Register, Text)
	s.Type = map[Kind]SignalType{Analog: Float, Register: Float, Counter: Int, State: Int, Text: String}[s.Kind]
	markup.Choice(b.Get("type"), &s.Type, Float, Int, String)
	s.checkType(b)
	b.text("unit", &s.Unit)
	b.text("source_unit", &s.SourceUnit)
	s.checkUnits(b)
	s.ranges(b)
	s.counting(b)
	if v := b.get("node"); v != nil {
		v.node(&s.Node)
	}
	if v := b.get("sampling"); v != nil {
		v.sampling(&s.Sampling)
	}
	b.deadband(&s)
	return s
}

// checkType holds type and kind against each other.
func (s *Signal) checkType(b *block) {
	allowed := map[Kind][]SignalType{Analog: {Float, Int}, Register: {Float, Int}, Counter: {Int, Float}, State: {Int, String}, Text: {String}}[s.Kind]
	if v := b.get("type"); v != nil && slices.Contains([]SignalType{Float, Int, String}, SignalType(v.Raw())) && !slices.Contains(allowed, s.Type) {
		v.Fail(fmt.Sprintf("a signal of kind %s must be %s", s.Kind, or(allowed)), "correct the type or the kind")
	}
}

// numeric says that the signal is a measured or counted number.
func (s *Signal) numeric() bool { return s.Kind == Analog || s.Kind == Counter || s.Kind == Register }

// checkUnits refuses units of what has none.
func (s *Signal) checkUnits(b *block) {
	for _, key := range []string{"unit", "source_unit"} {
		if v := b.get(key); v != nil && !s.numeric() {
			v.Fail(fmt.Sprintf("a signal of kind %s has no unit", s.Kind), "remove it, or correct the kind")
		}
	}
	switch v := b.get("source_unit"); {
	case v == nil:
	case s.Unit == "":
		v.Fail("there is no unit to convert to", "write unit: what is to be stored")
	case s.Type == Int && s.Unit != s.SourceUnit:
		v.Fail("a converted value is not always a whole number, but the type is int", "write type: float")
	}
}

// ranges reads [low, high].
func (s *Signal) ranges(b *block) {
	v := b.get("range")
	if v == nil {
		return
	}
	items := v.items()
	switch {
	case v.Kind() != markup.Sequence:
	case !s.numeric():
		v.FailHidden(fmt.Sprintf("a signal of kind %s has no range", s.Kind), "remove it, or correct the kind")
	case len(items) != 2:
		v.FailHidden(fmt.Sprintf("a range has two numbers, this has %d", len(items)), "write for example range: [0, 180]")
	default:
		low, ok := items[0].num(anyNumber)
		high, ok2 := items[1].num(anyNumber)
		switch {
		case !ok || !ok2:
		case low.Cmp(high) >= 0:
			v.FailHidden(fmt.Sprintf("the low end %s is not below the high end %s", low, high), "write the smaller number first")
		default:
			s.Range = &Range{low, high}
		}
	}
}

// counting reads reporting and counter, which only counters and registers have.
func (s *Signal) counting(b *block) {
	cumulative := s.Kind == Counter || s.Kind == Register
	for _, key := range []string{"reporting", "counter"} {
		if v := b.get(key); v != nil && !cumulative {
			v.FailHidden(fmt.Sprintf("a signal of kind %s does not count", s.Kind), "remove "+key+", or write kind: counter")
		}
	}
	if !cumulative {
		s.Reporting = ""
		return
	}
	markup.Choice(b.Get("reporting"), &s.Reporting, OnChange, Periodic, PerBatch)
	s.Rules = Constant(Rule{Kind: Reset})
	if v := b.get("counter"); v != nil {
		s.Rules = dated(v, (*value).rule)
	}
}

// rule reads how a counter counts.
func (v *value) rule() (r Rule, ok bool) {
	if !v.Is(markup.Mapping) {
		return r, false
	}
	b := v.block(levelCounter)
	before := len(v.d.doc.Errors)
	r.Kind = Reset
	markup.Choice(b.Get("rule"), &r.Kind, Reset, Rollover)
	if m := b.get("modulus"); m != nil {
		r.Modulus, _ = m.num(aboveZero)
		if r.Kind != Rollover {
			m.Fail("only a counter that rolls over has a modulus", "write rule: rollover, or remove it")
		}
	} else if r.Kind == Rollover {
		b.Missing("modulus", "write the value at which it begins again from 0, for example modulus: 65536")
	}
	if e := b.get("epsilon"); e != nil {
		r.Epsilon, _ = e.num(notNegative)
	}
	if m := b.get("max_per_s"); m != nil {
		r.MaxPerSec, _ = m.num(aboveZero)
		if r.Kind != Rollover {
			m.Fail("only a counter that rolls over uses the highest rate", "write rule: rollover, or remove it")
		}
	}
	if r.Modulus.Sign() > 0 && r.Epsilon.Cmp(r.Modulus) >= 0 {
		b.get("epsilon").Fail("it is not below the modulus, so that every fall would be jitter", "write a small number")
	}
	return r, len(v.d.doc.Errors) == before
}

// nodeForm is the identifier part of a node id, or a whole one with its namespace.
var nodeForm = regexp.MustCompile(`^(nsu=[^;]+;)?[sigb]=.+$`)

// noNode is the word for a signal that the collector does not read.
const noNode = "none"

func (v *value) node(dst *string) {
	s, ok := v.Scalar()
	switch {
	case !ok:
	case s == noNode:
		*dst = noNode
	case !nodeForm.MatchString(s) || len(s) > 1024:
		v.Fail("this is not a node id", "write s=NAME (in the unit's namespace), nsu=URI;s=NAME, or none if the collector does not read it; {unit}, {n}, {signal} and {each} are replaced")
	default:
		*dst = s
	}
}

// sampling reads a duration, or fastest.
func (v *value) sampling(dst *time.Duration) {
	if v.Kind() == markup.Scalar && v.Raw() == "fastest" {
		*dst = 0
		return
	}
	if d, ok := v.duration(time.Millisecond, maxSampling); ok {
		*dst = d
	}
}

// deadband reads none, 0.5 or 1%.
func (b *block) deadband(s *Signal) {
	v := b.get("deadband")
	if v == nil {
		return
	}
	text, ok := v.Scalar()
	if !ok || text == "none" {
		return
	}
	digits, percent := strings.CutSuffix(text, "%")
	x, ok := v.parseNum(digits, aboveZero)
	switch {
	case !ok:
	case s.Kind != Analog:
		v.Fail("only an analog signal can have a deadband: small changes of others count", "remove it")
	case percent && x.Float() > 100:
		v.Fail("a deadband of more than 100% lets nothing through", "write for example 0.5%")
	default:
		s.Deadband = text
	}
}
