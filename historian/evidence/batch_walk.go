package evidence

import (
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// Units that make batches have no counter: what they made is how far the batch has come times what a batch is.
//
//	batch     ──A──┬──────B───────┬─C──
//	progress  ·  · │ ·  ·   ·   · │  ·
//	credit progress    a counter of pieces, replaced at each change of the batch (ledger.Swap)
//	credit completion  a booking [begin of B, end of B) at the end of B
//
// Between two values of one batch that is named, progress never goes back: a fall is the noise of an analog signal. All else
// depends on what was seen from the last value of a batch to its end:
//
//   - Everything: what the old batch came to is its last value, and the new one began from nothing at the change.
//   - Not everything (see dark): what the old batch still made, nobody knows. What the new one has made when it is first seen is the
//     least that was made since. The ledger takes it for a counter that restarted: a lower bound, which bridges nothing.
//   - Where it is not known which batch it is, only a fall by more than noise says that it was changed; and over what was dark it may
//     have been changed without a fall, so that a rise there is a lower bound too.
//
// A booking is of what is known exactly: from the change, or the first value where that was in the dark, to the change, or the last
// value, of what was made between the two. What a decision rests on lies between two values in a row, or in the batch of the
// first, so that it is the same for every window that the time between them meets.

// batchWalk goes through the progress.
type batchWalk struct {
	g       *gathering
	spans   []span
	all     []batch
	at      telemetry.Instant // of the last usable value
	in      int               // the span that it lies in
	counter ledger.Counter
	shown   exact.Num // what the counter shows now
}

// walk makes batches and a counter of the progress that was read.
func (g *gathering) walk() *batchWalk {
	w := &batchWalk{g: g, spans: g.spans(), counter: ledger.Counter{Rules: []ledger.Rule{{From: beginning}}}}
	points := g.tracks[roleProgress].points
	for i := range points {
		if x, ok := progressOf(&points[i]); ok {
			w.value(points[i].at, x)
		}
	}
	w.end()
	return w
}

// now is the batch that goes on.
func (w *batchWalk) now() *batch { return &w.all[len(w.all)-1] }

// begin begins a batch.
func (w *batchWalk) begin(b batch) {
	b.To = w.g.horizon + 1
	w.all = append(w.all, b)
}

// close ends the batch that goes on.
func (w *batchWalk) close(at telemetry.Instant) { w.now().To, w.now().over = at, true }

// value takes in that at at the batch had come to x.
func (w *batchWalk) value(at telemetry.Instant, x exact.Num) {
	in, begins, change := w.in, 0, 0
	for w.spans[in].To <= at {
		if in++; w.spans[in].begins {
			begins, change = begins+1, in
		}
	}
	switch {
	case len(w.all) == 0:
		w.first(at, x, change)
	case begins == 0:
		w.goesOn(at, x, w.spans[w.in].named && w.spans[in].named)
	default:
		w.another(at, x, in, change, begins)
	}
	w.at, w.in = at, in
}

// first takes in the first value of all. The span change is the last one before it that another batch begins with, 0 when there is none.
func (w *batchWalk) first(at telemetry.Instant, x exact.Num, change int) {
	if since := w.spans[change].From; w.namedBefore(change) {
		t := w.g.termsAt(since)
		w.begin(batch{Interval: calendar.Interval{From: since}, terms: t, high: t.made(x), whole: true})
	} else {
		b := seenFrom(at, x, w.g.termsAt(at))
		b.whole = false
		w.begin(b)
	}
	w.show(at, w.now().high)
}

// seenFrom is a batch, or the rest of one, from the first value on.
func seenFrom(at telemetry.Instant, x exact.Num, t terms) batch {
	v := t.made(x)
	return batch{Interval: calendar.Interval{From: at}, terms: t, base: v, high: v, whole: true}
}

// goesOn takes in a value with which no other batch is named; sure says that the batch is the same by its name.
func (w *batchWalk) goesOn(at telemetry.Instant, x exact.Num, sure bool) {
	b := w.now()
	v := b.made(x)
	risen := exact.Max(b.high, v)
	switch {
	case sure:
	case b.fall(v):
		w.restart(at, x, w.g.termsAt(at))
		return
	case w.g.dark(calendar.Interval{From: w.at, To: at}):
		gain, rest := risen.Sub(b.high), seenFrom(at, x, b.terms)
		rest.base, rest.high = risen, risen
		w.close(w.at)
		w.begin(rest)
		w.atLeast(at, gain, risen)
		return
	}
	b.high = risen
	w.show(at, risen)
}

// another takes in the first value after so many other batches were named, the last of them by the span change.
func (w *batchWalk) another(at telemetry.Instant, x exact.Num, in, change, begins int) {
	old, since := w.now(), w.spans[change].From
	t := w.g.termsAt(w.termsFrom(change))
	first := seenFrom(at, x, t)
	seen := !w.g.dark(calendar.Interval{From: w.at, To: since}) && (w.spans[in].named || !w.g.dark(calendar.Interval{From: since, To: at}))
	late := old.made(x)
	switch {
	case begins == 1 && !w.spans[w.in].named && !old.fall(late): // the batch may have had that name before
		risen := exact.Max(old.high, late)
		gain := risen.Sub(old.high)
		if w.g.dark(calendar.Interval{From: w.at, To: at}) {
			w.close(w.at)
			w.begin(first)
			w.atLeast(at, gain, first.high)
			return
		}
		w.close(at)
		w.show(at, risen)
		w.begin(first)
		w.replace(at, first.high)
	case begins == 1 && change == w.in+1 && w.spans[w.in].named && seen:
		w.close(since)
		w.replace(since, exact.Num{})
		first.From, first.base = since, exact.Num{}
		w.begin(first)
		w.show(at, first.high)
	default:
		w.restart(at, x, t)
	}
}

// namedBefore says that some batch was named before a span.
func (w *batchWalk) namedBefore(k int) bool {
	return slices.ContainsFunc(w.spans[:k], func(s span) bool { return s.named })
}

// termsFrom is when a batch that a span begins with began; of the first of all, when it was first seen.
func (w *batchWalk) termsFrom(change int) telemetry.Instant {
	s, p := w.spans[change], w.g.tracks[roleProgress]
	if i := p.index(s.From); !w.namedBefore(change) && i < len(p.points) {
		return p.points[i].at
	}
	return s.From
}

// restart takes in the first value of another batch, of which and of the one before it nobody saw all.
func (w *batchWalk) restart(at telemetry.Instant, x exact.Num, t terms) {
	w.close(w.at)
	w.begin(seenFrom(at, x, t))
	w.atLeast(at, w.now().high, w.now().high)
}

// end takes in that no value follows.
func (w *batchWalk) end() {
	for k := w.in + 1; k < len(w.spans) && len(w.all) > 0; k++ {
		if !w.spans[k].begins {
			continue
		}
		since := w.spans[k].From
		if k > w.in+1 || !w.spans[w.in].named || w.g.dark(calendar.Interval{From: w.at, To: since}) {
			w.close(w.at)
			return
		}
		w.close(since)
		w.replace(since, exact.Num{})
		return
	}
}

// show adds a reading.
func (w *batchWalk) show(at telemetry.Instant, v exact.Num) {
	if w.now().credited() {
		w.counter.Readings = append(w.counter.Readings, ledger.Reading{At: at, Value: v})
		w.shown = v
	}
}

// replace ends the counter at at, and begins one that shows v.
func (w *batchWalk) replace(at telemetry.Instant, v exact.Num) {
	c := &w.counter
	if len(c.Readings) == 0 {
		return
	}
	if n := len(c.Swaps); n > 0 && c.Swaps[n-1].At == at {
		c.Swaps[n-1].Initial = v
	} else if !w.shown.Equal(v) || c.Readings[len(c.Readings)-1].At != at {
		c.Swaps = append(c.Swaps, ledger.Swap{At: at, Final: w.shown, Initial: v})
	}
	w.shown = v
}

// atLeast adds a reading of v, since the last one before which at least gain was made: the counter is replaced there by one that
// shows more, so that gain is what it has counted since it began again from nothing.
//
//	last  at
//	  9    ·   the reading before
//	  4        begins with gain + 1
//	       3   gain: a fall, so a restart, a lower bound
//	       v   begins with v
func (w *batchWalk) atLeast(at telemetry.Instant, gain, v exact.Num) {
	if c := &w.counter; len(c.Readings) > 0 {
		w.replace(c.Readings[len(c.Readings)-1].At, gain.Add(exact.Int(1)))
		w.show(at, gain)
	}
	if !w.now().credited() {
		return
	}
	if len(w.counter.Readings) == 0 {
		w.show(at, v)
		return
	}
	w.replace(at, v)
}
