package answer

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"kvarts/historian/calendar"
	"kvarts/historian/ledger"
)

// piece is what is known of one ref in one atom.
type piece struct {
	slices []stored
	raw    []calendar.Interval // without slices
	facts  *ledger.Facts       // of raw
	seen   []sighting          // in raw
	err    error               // why there are no facts of raw
}

// sighting is what the ledger saw in some time of at most an hour.
type sighting struct {
	calendar.Interval
	findings ledger.Findings
}

// addTo adds what is known to f.
func (p *piece) addTo(f *ledger.Facts) {
	for i := range p.slices {
		p.slices[i].facts.addTo(f)
	}
	if p.facts != nil {
		f.Add(p.facts)
	}
}

// collected are the pieces of each ref, one for each atom.
type collected map[ref][]piece

// collect gets the facts of everything that the plan needs: from slices what they hold, the rest from raw data. The error
// of one ref stays with its pieces.
func (e *Engine) collect(ctx context.Context, p *plan) (collected, error) {
	var shelves map[ref]shelves
	if !p.q.Raw {
		var err error
		if shelves, err = e.shelves(ctx, p); err != nil {
			return nil, err
		}
	}
	out := make(collected, len(p.refs))
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2 * runtime.GOMAXPROCS(0))
	for _, r := range p.refs {
		s := shelves[r]
		g.Go(func() error {
			pieces, err := e.pieces(ctx, p, r, s)
			if err != nil {
				return fmt.Errorf("collect facts of %s: %w", r, err)
			}
			mu.Lock()
			defer mu.Unlock()
			out[r] = pieces
			if p.q.Progress != nil {
				p.q.Progress(len(out), len(p.refs))
			}
			return nil
		})
	}
	return out, g.Wait()
}

// pieces are those of one ref. It returns an error only when nothing else can be answered either.
func (e *Engine) pieces(ctx context.Context, p *plan, r ref, s shelves) ([]piece, error) {
	pieces := make([]piece, len(p.atoms))
	var windows []calendar.Interval // of raw data, cut at hours so that findings say when
	var of []int                    // whose they are
	for i, atom := range p.atoms {
		c := s.cover(atom)
		pieces[i] = piece{slices: append(c.days, c.hours...), raw: c.raw}
		for _, v := range c.raw {
			for _, hour := range calendar.Hours(v) {
				windows, of = append(windows, hour.Meet(v)), append(of, i)
			}
		}
	}
	if len(windows) == 0 {
		return pieces, nil
	}
	err := e.raw(ctx, p, r, windows, func(i int, f *ledger.Facts) {
		piece := &pieces[of[i]]
		if !p.reasons() {
			f.Reasons = nil
		}
		if piece.facts == nil {
			piece.facts = new(ledger.Facts)
		}
		piece.facts.Add(f)
		if f.Findings != 0 {
			piece.seen = append(piece.seen, sighting{windows[i], f.Findings})
		}
	})
	if fatal(ctx, err) {
		return nil, err
	}
	if err != nil { // what was added of some days must not stand for all
		for i := range pieces {
			if len(pieces[i].raw) > 0 {
				pieces[i].err, pieces[i].facts, pieces[i].seen = err, nil, nil
			}
		}
	}
	return pieces, nil
}
