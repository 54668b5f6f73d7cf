package answer

import (
	"context"
	"errors"
	"slices"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// cacheSlices bounds what a cache holds: a slice takes some 400 bytes, so this is 120 MB: the hours of 200 units for two
// months, or their days for four years.
const cacheSlices = 300_000

// markSlack is how far the clocks of those who write slices may lie apart: marks that were written that much before the newest
// one are looked at again.
const markSlack = 5 * time.Minute

// cache keeps stored slices in memory, the newest revision of each. What was written since is dropped before each use (see
// evidence.Watermark), so it never answers with a slice that was superseded before the question was asked.
type cache struct {
	turn  chan struct{} // holds one token: who has it may use the fields below
	known int           // versions of the model: another one makes other slices doubtful
	mark  evidence.Watermark
	held  map[heldKey]*held
	count int
}

type heldKey struct {
	ref
	grain   evidence.Grain
	reasons bool
}

// held is what is in memory of one subject.
type held struct {
	loaded calendar.Set // slices that begin here have been read, if there are any
	slices shelf        // never changed: replaced
}

func newCache() *cache {
	c := &cache{turn: make(chan struct{}, 1), held: make(map[heldKey]*held)}
	c.turn <- struct{}{}
	return c
}

// use runs f with the cache for itself, after it dropped what is no longer true; known is how many versions of the model there are.
func (c *cache) use(ctx context.Context, client *influx.Client, known int, f func() error) error {
	select {
	case <-c.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { c.turn <- struct{}{} }()
	if known != c.known {
		c.held, c.count, c.known = make(map[heldKey]*held), 0, known
	}
	mark, err := evidence.ReadWatermark(ctx, client)
	if err != nil {
		return err
	}
	if mark != c.mark && len(c.held) > 0 {
		written, err := evidence.WrittenSince(ctx, client, c.mark.Newest.Add(-markSlack))
		if err != nil {
			return err
		}
		for _, w := range written {
			c.drop(w.Window)
		}
	}
	c.mark = mark // read before the slices: what is written meanwhile is dropped next time
	return f()
}

// drop forgets the slices that meet v.
func (c *cache) drop(v calendar.Interval) {
	for k, h := range c.held {
		gone := calendar.Set{v}
		var keep shelf
		for _, s := range h.slices {
			if s.Meet(v).Empty() {
				keep = append(keep, s)
				continue
			}
			gone = gone.Union(calendar.Set{{From: s.From, To: s.From + 1}})
		}
		c.count -= len(h.slices) - len(keep)
		c.held[k] = &held{loaded: h.loaded.Minus(gone), slices: keep}
	}
}

// missing is what of v was not read yet.
func (c *cache) missing(k heldKey, v calendar.Interval) (calendar.Interval, bool) {
	h := c.held[k]
	if h == nil {
		return v, true
	}
	rest := calendar.NewSet(v).Minus(h.loaded)
	if len(rest) == 0 {
		return v, false
	}
	return calendar.Interval{From: rest[0].From, To: rest[len(rest)-1].To}, true
}

// put adds what was read of v; of slices that were held already the newly read ones count.
func (c *cache) put(k heldKey, v calendar.Interval, read []stored) {
	h := c.held[k]
	if h == nil {
		h = &held{}
	}
	all := make([]stored, 0, len(h.slices)+len(read))
	for _, s := range h.slices {
		if !v.Holds(s.From) {
			all = append(all, s)
		}
	}
	all = append(all, read...)
	c.count += len(all) - len(h.slices)
	c.held[k] = &held{loaded: h.loaded.Union(calendar.NewSet(v)), slices: newShelf(all)}
}

// shelf is what is held of k.
func (c *cache) shelf(k heldKey) shelf {
	if h := c.held[k]; h != nil {
		return h.slices
	}
	return nil
}

// forget empties the cache when it holds more than it may.
func (c *cache) forget() {
	if c.count > cacheSlices {
		c.held, c.count = make(map[heldKey]*held), 0
	}
}

// shelves are the stored slices that the plan can use, of each ref: days, and hours where days leave something.
func (e *Engine) shelves(ctx context.Context, p *plan) (map[ref]shelves, error) {
	out := make(map[ref]shelves, len(p.refs))
	read := func() error {
		days, err := e.load(ctx, p, evidence.Day, p.everything())
		if err != nil {
			return err
		}
		hours, err := e.load(ctx, p, evidence.Hour, p.leftBy(days))
		if err != nil {
			return err
		}
		for _, r := range p.refs {
			out[r] = shelves{days: p.current(days[r]), hours: p.current(hours[r])}
		}
		return nil
	}
	if p.horizon < p.now {
		return out, read()
	}
	return out, e.cache.use(ctx, e.client, len(p.history), read)
}

// everything is the whole window for each ref.
func (p *plan) everything() map[ref]calendar.Interval {
	need := make(map[ref]calendar.Interval, len(p.refs))
	for _, r := range p.refs {
		need[r] = p.window
	}
	return need
}

// leftBy is what day slices leave, for each ref from the first hole to the end of the last.
func (p *plan) leftBy(days map[ref]shelf) map[ref]calendar.Interval {
	need := make(map[ref]calendar.Interval)
	for _, r := range p.refs {
		usable := p.current(days[r])
		for _, atom := range p.atoms {
			_, rest := usable.within(atom)
			for _, v := range rest {
				if was, ok := need[r]; ok {
					v.From = was.From
				}
				need[r] = v
			}
		}
	}
	return need
}

// load gives the slices of a grain in what is needed of each ref: from the cache, and what is missing there from the store.
func (e *Engine) load(ctx context.Context, p *plan, grain evidence.Grain, need map[ref]calendar.Interval) (map[ref]shelf, error) {
	c := e.cache
	if p.horizon < p.now {
		c = newCache() // of what was known then nothing is kept
	}
	c.forget()
	type group struct {
		level Level
		calendar.Interval
	}
	missing := make(map[group][]ref)
	for _, r := range p.refs {
		v, ok := need[r]
		if !ok {
			continue
		}
		if v, ok = c.missing(p.key(r, grain), v); ok {
			g := group{r.level, v}
			missing[g] = append(missing[g], r)
		}
	}
	for g, refs := range missing {
		if err := e.fetch(ctx, c, p, grain, g.Interval, refs); err != nil {
			return nil, err
		}
	}
	out := make(map[ref]shelf, len(p.refs))
	for _, r := range p.refs {
		out[r] = c.shelf(p.key(r, grain))
	}
	return out, nil
}

func (p *plan) key(r ref, grain evidence.Grain) heldKey {
	return heldKey{ref: r, grain: grain, reasons: p.reasons()}
}

// fetch reads the slices of refs, which are of one level, that begin in v.
func (e *Engine) fetch(ctx context.Context, c *cache, p *plan, grain evidence.Grain, v calendar.Interval, refs []ref) error {
	ask := evidence.Ask{Kind: refs[0].kind(), Grain: grain, Window: v, Reasons: p.key(refs[0], grain).reasons}
	if p.horizon < p.now {
		ask.Asof = p.horizon
	}
	for _, r := range refs {
		ask.IDs = append(ask.IDs, r.id)
	}
	read, err := e.read(ctx, p, ask)
	if errors.Is(err, errDoubtful) {
		ask.Origin = true // takes twice the time
		read, err = e.read(ctx, p, ask)
	}
	if err != nil {
		return err
	}
	for _, r := range refs {
		c.put(p.key(r, grain), v, read[r.id])
	}
	return nil
}

// errDoubtful says that the models of slices must be read too.
var errDoubtful = errors.New("computed before a model was known")

// read gives the slices of each subject. One that is damaged is left out: its time is computed from raw data.
func (e *Engine) read(ctx context.Context, p *plan, ask evidence.Ask) (map[string][]stored, error) {
	read := make(map[string][]stored, len(ask.IDs))
	models := make(map[string]string) // each text once: a slice has its own
	_, err := evidence.EachSlice(ctx, e.client, ask, func(s *evidence.Slice) error {
		if !ask.Origin && ask.Asof == 0 && p.doubtful(s.Interval, s.ComputedAt) {
			return errDoubtful
		}
		facts, ok := pack(&s.Facts)
		if !ok {
			return nil
		}
		model, seen := models[s.Model]
		if !seen {
			model, models[s.Model] = s.Model, s.Model
		}
		read[s.Subject.ID] = append(read[s.Subject.ID], stored{Interval: s.Interval, day: ask.Grain == evidence.Day, revision: s.Revision,
			computed: s.ComputedAt, model: model, facts: facts})
		return nil
	})
	return read, err
}

func (r ref) kind() evidence.Kind {
	if r.level == Line {
		return evidence.Line
	}
	return evidence.Unit
}

// current are the slices that were computed by the models now in force. A model applied since with a date in the past
// makes what is stored of later times a thing of the past at once, not only when the ledger has been through it. What was
// known at an earlier moment is what was stored then, whatever models came later.
func (p *plan) current(s shelf) shelf {
	fresh := func(c stored) bool { return !p.doubtful(c.Interval, c.computed) || c.model == p.models(c.Interval) }
	if p.horizon < p.now || !slices.ContainsFunc(s, func(c stored) bool { return !fresh(c) }) {
		return s
	}
	var out shelf
	for _, c := range s {
		if fresh(c) {
			out = append(out, c)
		}
	}
	return out
}

// doubtful says that a model for the slice's time became known after it was computed, so that it matters by which it was. A
// slice whose facts the new model left as they were keeps the time at which they were computed first.
func (p *plan) doubtful(v calendar.Interval, computed telemetry.Instant) bool {
	for i := range p.history {
		if m := &p.history[i]; m.Known >= computed && m.Known <= p.now && m.Effective < v.To {
			return true
		}
	}
	return false
}
