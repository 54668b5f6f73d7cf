package evidence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// ErrNoUnit says that no model known at the time asked for has the unit.
var ErrNoUnit = errors.New("unknown unit")

// Provenance says what an Input was made of.
type Provenance struct {
	Unit   string
	Models []string          // hashes of the models in force in the window, in order
	Read   calendar.Interval // of which states were read: the window, and what its borders hang on
	Points map[string]int    // by signal: how many of its points were used; `alive` and `gap` too
	Gaps   []telemetry.Gap   // that made something unknown
	Notes  []string          // what was stored and could not be used, in words
	Carry  Carry             // the state at the end of the window
	Stored bool              // the state at the begin is that of a stored slice, as the raw data is gone
}

// Gather reads what was recorded of a unit and makes the Input that the facts of window follow from. Nothing dated after
// horizon is read; models and records are those known at asof. The Input may be asked for slices within window only: it holds
// what lies outside only as far as the window needs it:
//
//	window             ┌──────────────────────┐
//	counter      ·─────┼──·────·────·────·────┼───·        the readings on both sides complete the pairs at the borders,
//	states    stop─────┼──run──┬─stop─┬──run──┼────        for their whole time,
//	before  run─┴─stop─┘       └──────┘       └─< limit    and a stop is known from its begin and to the limit of a minor one
//
// So windows that touch have facts that add up. What was booked for an interval that meets the window, and what was made in
// the interval of a report of scrap, is there in whole too.
//
// A gap in the loss ledger makes the state unknown while it lasts. Afterwards the last state holds again if whoever wrote the
// gap made a new subscription, as the first values of that are the present ones (session_lost, item_unavailable); otherwise
// the state is unknown until the next one, because the change may be what was lost. A counter is not read as unchanged across
// a gap. A gap that was closed is none.
func Gather(ctx context.Context, client *influx.Client, history plant.History, unit string, window calendar.Interval,
	horizon, asof telemetry.Instant,
) (*ledger.Input, *Provenance, error) {
	eras, err := erasOf(history, unit, min(horizon, asof), asof)
	if err != nil {
		return nil, nil, fmt.Errorf("gather %s: %w", unit, err)
	}
	g := newGathering(client, eras, unit, window, min(horizon, asof))
	if err := g.run(ctx, asof); err != nil {
		return nil, nil, fmt.Errorf("gather %s %s: %w", unit, window, err)
	}
	in := g.input()
	return in, g.provenance(in), nil
}

// gathering is the work of one Gather.
type gathering struct {
	client  *influx.Client
	unit    string
	eras    []era
	window  calendar.Interval // cut at the horizon
	horizon telemetry.Instant
	pad     time.Duration // longest limit of a minor stop

	core   calendar.Interval // the window and what was booked or scrapped across its ends
	states calendar.Interval // of which the states must be known
	power  calendar.Interval // of which the power must be known
	batch  calendar.Interval // of which the progress and the batches must be known
	tracks [numRoles]*track  // nil: the unit never had such a signal
	alive  lifeline
	gaps   []telemetry.Gap // that meet warned
	warned calendar.Interval
	said   told
	stored *Carry
	notes  []string
}

func newGathering(client *influx.Client, eras []era, unit string, window calendar.Interval, horizon telemetry.Instant) *gathering {
	g := &gathering{client: client, unit: unit, eras: eras, window: window, horizon: horizon}
	if horizon < window.To {
		g.window.To = horizon
	}
	for r := range numRoles {
		if c := channels(eras, r); len(c) > 0 {
			g.tracks[r] = &track{channels: c}
		}
	}
	for _, l := range over(eras, func(u *plant.Unit) plant.Dated[time.Duration] { return u.MinorStop }) {
		g.pad = max(g.pad, l.value)
	}
	return g
}

// run reads until the Input is whole.
func (g *gathering) run(ctx context.Context, asof telemetry.Instant) error {
	if g.window.Empty() {
		return nil
	}
	told := calendar.Interval{From: g.window.From - toldAround, To: min(g.window.To+toldAround, g.horizon+1)}
	for {
		if err := g.readTold(ctx, told, asof); err != nil {
			return err
		}
		g.core = g.said.core(g.window)
		g.states, g.power, g.batch = g.core, g.core, g.core
		if err := g.complete(ctx); err != nil {
			return err
		}
		// Records and gaps of the time that the window hangs on may make that time longer.
		need := hull(hull(g.padded(g.states), g.power), g.batch)
		if hull(told, need) == told && hull(g.warned, need) == g.warned {
			return nil
		}
		told, g.warned = hull(told, need), hull(g.warned, need)
	}
}

// complete reads what the core needs.
func (g *gathering) complete(ctx context.Context) error {
	if err := g.readCore(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{g.completeBatches, g.completeCounters, g.completeStates, g.completePower, g.readStored} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// around is how far around the core every signal is read with the first request: nearly always far enough to hold the
// readings next to the core, so that one request does.
const around = 5 * time.Minute

// How many points are asked for at first when there is none in the time read.
const (
	beforeState = 4 // a stop has few codes
	before      = 2 // one that is not Good, and one
)

// padded is the time of which states must be read to know those of v.
func (g *gathering) padded(v calendar.Interval) calendar.Interval {
	return calendar.Interval{From: v.From.Add(-g.pad), To: v.To.Add(g.pad)}
}

// readCore reads every signal in the core and around it, in two requests at once.
func (g *gathering) readCore(ctx context.Context) error {
	asks := []*ask{newAsk(g.unit), newAsk(g.unit)}
	wide := hull(g.padded(g.core), calendar.Interval{From: g.core.From.Add(-around), To: g.core.To.Add(around)})
	for r, t := range g.tracks {
		if t == nil {
			continue
		}
		if err := t.reach(asks[r%2], wide); err != nil {
			return err
		}
	}
	g.alive.reach(asks[0], g.provenIn(wide))
	g.warned = hull(g.warned, wide)
	g.askGaps(asks[1], g.warned)
	if err := runAll(ctx, g.client, asks...); err != nil {
		return fmt.Errorf("read signals: %w", err)
	}
	return nil
}

// provenIn is the times of proofs that prove anything of v, up to the horizon.
func (g *gathering) provenIn(v calendar.Interval) calendar.Interval {
	return calendar.Interval{From: v.From, To: min(v.To.Add(beat), g.horizon+1)}
}

// latest reads on until each track has a point at or before the time at, or nothing more.
func (g *gathering) latest(ctx context.Context, at telemetry.Instant, tracks ...*track) error {
	return g.grow(ctx, func(a *ask) error {
		for _, t := range tracks {
			if t == nil || t.index(at+1) > 0 {
				continue
			}
			if err := t.back(a, 1); err != nil {
				return err
			}
		}
		return nil
	})
}

// grow runs one request made of what the functions ask for.
func (g *gathering) grow(ctx context.Context, asks ...func(*ask) error) error {
	a := newAsk(g.unit)
	for _, f := range asks {
		if err := f(a); err != nil {
			return err
		}
	}
	if err := a.run(ctx, g.client); err != nil {
		return fmt.Errorf("read signals: %w", err)
	}
	return nil
}

// note keeps what could not be used, each thing once.
func (g *gathering) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, n := range g.notes {
		if n == text {
			return
		}
	}
	g.notes = append(g.notes, text)
}

// doublings are the numbers of points asked for one request after the other, until enough came.
func doubled(n int) int { return min(2*n, 100_000) }
