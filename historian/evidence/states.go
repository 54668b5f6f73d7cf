package evidence

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// completeStates reads the states, their reasons and the proofs of life of all the time that they must be known in; and, when
// the unit stood at its begin, back to where it began to stand: only the first moment of a stop counts as a failure, and
// only a stop that began shortly before can be a minor one.
func (g *gathering) completeStates(ctx context.Context) error {
	t := g.tracks[roleState]
	if t == nil {
		return nil
	}
	if err := g.grow(ctx, func(a *ask) error { return t.reach(a, g.padded(g.states)) }); err != nil {
		return err
	}
	for n := beforeState; ; n = doubled(n) {
		began, known := g.standingSince(t, g.padded(g.states).From)
		if known || t.first {
			g.states.From = min(g.states.From, began.Add(g.pad))
			break
		}
		if err := g.grow(ctx, func(a *ask) error { return t.back(a, n) }); err != nil {
			return err
		}
	}
	v := g.padded(g.states)
	err := g.grow(ctx, func(a *ask) error {
		g.alive.reach(a, g.provenIn(v))
		if i := t.index(v.From+1) - 1; i >= 0 { // a change of the state that goes on may have been lost since it was told
			g.warn(a, calendar.Interval{From: t.points[i].at, To: v.To})
		}
		for _, r := range []role{roleReason, roleProduct} {
			if o := g.tracks[r]; o != nil {
				if err := o.reach(a, v); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return g.latest(ctx, v.From, g.tracks[roleReason], g.tracks[roleProduct])
}

// standingSince is when the stop began that the unit was in at at; at when it was in none. known is false when earlier states
// must be read to tell. A state that is a stop by one of the models that it was held under is taken for one: then more is read
// than is needed.
func (g *gathering) standingSince(t *track, at telemetry.Instant) (began telemetry.Instant, known bool) {
	began = at
	for i := t.index(at+1) - 1; i >= 0; i-- {
		p := &t.points[i]
		if g.meaning(p, p.at).Category != ledger.Stop && g.meaning(p, began).Category != ledger.Stop {
			return began, true
		}
		began = p.at
	}
	return began, false
}

// meaning is what the state p says at the time at, not before its own: by the model in force then, and by its codes then.
func (g *gathering) meaning(p *point, at telemetry.Instant) ledger.State {
	s := ledger.State{At: at, Bad: !p.good}
	code, ok := codeText(p.value)
	s.Code = code
	switch {
	case !p.good:
	case !ok:
		s.Bad = true
		g.note("%s at %s is %s: not a code of a state", g.name(roleState, p.at), p.at, p.value)
	default:
		g.translate(&s)
	}
	return s
}

// translate says what the code of s means at its time.
func (g *gathering) translate(s *ledger.State) {
	e := describing(g.eras, s.At)
	if e.unit == nil {
		s.Unmapped = true
		return
	}
	codes, _ := e.unit.States.At(max(s.At, e.From))
	m, mapped := codes[s.Code]
	s.Unmapped = !mapped
	s.Category, _ = categoryOf(m.Category)
	s.Reason = m.Reason
}

// codeText is the code of a state, or another value that stands for itself, as text. Numbers are as they are written in a
// state map: an integer without a point.
func codeText(v influx.Value) (string, bool) {
	if n, ok := v.Int(); ok {
		return strconv.FormatInt(n, 10), true
	}
	if b, ok := v.Bool(); ok {
		return strconv.Itoa(map[bool]int{true: 1}[b]), true
	}
	return v.Text()
}

// stateList makes the ledger's states: those reported, cut where a model comes into force, where the reason changes, and
// where a gap begins and ends.
func (g *gathering) stateList() []ledger.State {
	t := g.tracks[roleState]
	if t == nil {
		return nil
	}
	points := t.points
	if g.stored != nil && (len(points) == 0 || g.stored.At < points[0].at) {
		points = append([]point{{at: g.stored.At, good: true}}, points...)
	}
	lost := g.lostStates()
	cuts := g.stateCuts(lost)
	out := make([]ledger.State, 0, len(points)+len(cuts))
	held := -1
	for i, k := 0, 0; i < len(points) || k < len(cuts); {
		var at telemetry.Instant
		reported := false
		switch {
		case i < len(points) && (k == len(cuts) || points[i].at <= cuts[k]):
			at, held, reported = points[i].at, i, true
			i++
		default:
			at = cuts[k]
			k++
		}
		if held < 0 {
			continue
		}
		s := g.stateAt(&points[held], at)
		if lost.Holds(at) {
			s = ledger.State{At: at, Code: s.Code, Bad: true}
		}
		if n := len(out); n > 0 && !reported && same(&out[n-1], &s) {
			continue // a cut that changes nothing
		}
		if n := len(out); n > 0 && out[n-1].At == at {
			out[n-1] = s
			continue
		}
		out = append(out, s)
	}
	return out
}

// stateAt is what the held point says at the time at.
func (g *gathering) stateAt(p *point, at telemetry.Instant) ledger.State {
	s := ledger.State{At: at}
	if p.value.IsNull() && p.good { // the state of a stored slice
		s.Code = g.stored.Code
		g.translate(&s)
	} else {
		s = g.meaning(p, at)
	}
	if !s.Bad && s.Category != ledger.Run && s.Category != ledger.Unknown {
		said := g.said.reasonAt(at)
		s.Reason = cmp.Or(said.word, g.reasonAt(at), s.Reason)
		if c, ok := categoryOf(said.category); ok {
			s.Category = c
		}
	}
	return s
}

// same says that b tells nothing that a did not.
func same(a, b *ledger.State) bool {
	return a.Category == b.Category && a.Code == b.Code && a.Reason == b.Reason && a.Bad == b.Bad && a.Unmapped == b.Unmapped
}

// stateCuts are the moments at which a held state may come to mean something else, sorted, each once.
func (g *gathering) stateCuts(lost calendar.Set) []telemetry.Instant {
	var cuts []telemetry.Instant
	for _, s := range over(g.eras, func(u *plant.Unit) plant.Dated[plant.Codes] { return u.States }) {
		cuts = append(cuts, s.from)
	}
	for _, v := range lost {
		cuts = append(cuts, v.From, v.To)
	}
	if t := g.tracks[roleReason]; t != nil {
		for i := range t.points {
			cuts = append(cuts, t.points[i].at)
		}
	}
	cuts = append(cuts, borders(g.said.reasons)...)
	cuts = slices.DeleteFunc(cuts, func(t telemetry.Instant) bool { return t == beginning || t > g.horizon })
	slices.Sort(cuts)
	return slices.Compact(cuts)
}

// reasonAt is the reason that the unit itself gives at the time at, "" when it gives none.
func (g *gathering) reasonAt(at telemetry.Instant) string {
	t := g.tracks[roleReason]
	if t == nil {
		return ""
	}
	i := t.index(at+1) - 1
	if i < 0 || !t.points[i].good {
		return ""
	}
	code, _ := codeText(t.points[i].value)
	if e := describing(g.eras, at); e.unit != nil {
		if words, ok := e.unit.Class.Reasons[code]; ok {
			return words
		}
	}
	return strings.TrimSpace(code)
}

// lostStates is when the state is unknown because changes of it were lost: in the gaps that are about it, and after those
// that nothing renewed, until the next state.
func (g *gathering) lostStates() calendar.Set {
	t := g.tracks[roleState]
	var lost []calendar.Interval
	for i := range g.gaps {
		gap := &g.gaps[i]
		if !g.about(gap, roleState) {
			continue
		}
		v := calendar.Interval{From: gap.From, To: gap.To + 1}
		if !renews(gap.Cause) {
			v.To = g.horizon + 1
			// The state at the gap's very end is there, so that what follows it is whole.
			if k := t.index(gap.To); k < len(t.points) {
				v.To = max(t.points[k].at, gap.From+1)
			}
		}
		lost = append(lost, v)
	}
	return calendar.NewSet(lost...)
}
