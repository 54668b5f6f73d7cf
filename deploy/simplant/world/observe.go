package world

import (
	"time"

	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// Sample is what a machine showed of one signal at a moment.
type Sample struct {
	Unit   *Unit
	Signal *plant.Signal
	Index  int // of Signal in the class
	At     Instant
	Value  telemetry.Value // none with some Bad statuses
	Status uint32          // OPC UA StatusCode; 0 is Good
}

// Cadence says how often a signal is looked at; 0: when it is set, as states and texts are. A counter is looked at too, and
// shown when it changed.
type Cadence func(u *Unit, s *plant.Signal) time.Duration

// AsTheModelSays is the cadence of machines that push their values: what the model samples, as often as it does; what it does
// not, when it changes, of which counters and registers are looked at each second.
func AsTheModelSays(_ *Unit, s *plant.Signal) time.Duration {
	switch {
	case s.Kind == plant.State || s.Kind == plant.Text:
		return 0
	case s.Sampling > 0:
		return s.Sampling
	case s.Kind == plant.Analog:
		return wanderEvery
	default:
		return time.Second
	}
}

// wanderEvery is how long a state, text or set-point stays that no script speaks of: plant.md's 0.01 changes a second.
const wanderEvery = 100 * time.Second

// watch is signals of a unit that are looked at together.
type watch struct {
	every, offset time.Duration
	signals       []int
	event         *event
}

// Observe lets o look from now on, with a cadence, in place of who looked before; at first it is told what every signal shows
// now. The zero Observer looks at nothing.
func (w *World) Observe(o Observer, c Cadence) {
	w.obs = o
	w.cancel(w.begun)
	for _, u := range w.units {
		u.unwatch()
		for i := range u.signals {
			u.signals[i].ever = false
		}
	}
	if o.Sample == nil && o.True == nil {
		return
	}
	w.begun = w.schedule(w.now, observed, func() { // after the scripts that begin now
		for _, u := range w.units {
			for i := range u.signals {
				u.look(i, true)
			}
			u.watch(c)
		}
	})
}

func (u *Unit) unwatch() {
	for _, x := range u.watched {
		u.w.cancel(x.event)
	}
	u.watched = nil
}

// watch groups the unit's signals by cadence. Units look at different moments of a period, which a run at another speed or in
// other steps does not change.
func (u *Unit) watch(c Cadence) {
	groups := map[time.Duration]*watch{}
	for i := range u.signals {
		s := &u.signals[i]
		every := c(u, s.Signal)
		if every <= 0 && s.kind == nothing {
			every = wanderEvery
		}
		if every <= 0 {
			continue
		}
		g := groups[every]
		if g == nil {
			g = &watch{every: every, offset: time.Duration(mix(u.hash("watch"))%uint64(every)) / 100 * 100}
			groups[every] = g
			u.watched = append(u.watched, g)
		}
		g.signals = append(g.signals, i)
	}
	for _, g := range u.watched {
		u.again(g)
	}
}

// again plans the next look of a group.
func (u *Unit) again(g *watch) {
	n := (u.w.now.Sub(0) - g.offset) / g.every
	at := Instant(n*g.every + g.offset)
	for at <= u.w.now {
		at = at.Add(g.every)
	}
	g.event = u.w.schedule(at, observed, func() {
		for _, i := range g.signals {
			u.look(i, true)
		}
		u.again(g)
	})
}

// lookAtCounters shows what the counters count at the end of a batch, to the piece.
func (u *Unit) lookAtCounters() {
	for _, s := range []*plant.Signal{u.Class.Total, u.Class.Good, u.Class.Scrap} {
		if s != nil {
			i := u.byName[s.Name]
			u.signals[i].held = u.count(&u.signals[i])
			u.look(i, false)
		}
	}
}

// lookOnChange shows the counters that tell every change, before the unit does something else: what was made while it ran is told
// while it runs.
func (u *Unit) lookOnChange() {
	for _, s := range []*plant.Signal{u.Class.Total, u.Class.Good, u.Class.Scrap} {
		if s != nil && s.Reporting == plant.OnChange {
			u.look(u.byName[s.Name], false)
		}
	}
}

// look shows signal i to the observer: what is measured each time it is due, all else when it changed.
func (u *Unit) look(i int, due bool) {
	o, s := &u.w.obs, &u.signals[i]
	if o.Sample == nil && o.True == nil {
		return
	}
	v := u.reading(s)
	periodic := due && (s.Kind == plant.Analog || s.Kind == plant.Register) && s.Sampling > 0
	if s.ever && v == s.shown && !periodic {
		return
	}
	first := !s.ever
	s.shown, s.ever = v, true
	sample := Sample{Unit: u, Signal: s.Signal, Index: i, At: u.w.now, Value: v}
	if o.True != nil {
		o.True(&sample)
	}
	if o.Sample == nil {
		return
	}
	if u.disturb(&sample, s, first) {
		s.seen = sample.Value
		o.Sample(&sample)
	}
}
