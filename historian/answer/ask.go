package answer

import (
	"context"
	"fmt"
)

// Ask answers q. The error has ErrQuestion in its chain when asking otherwise would avoid it; else the store could not
// be asked. Trouble of single units is in the answer.
func (e *Engine) Ask(ctx context.Context, q Question) (*Answer, error) {
	now := e.now()
	history, err := e.history(ctx)
	if err != nil {
		return nil, err
	}
	p, err := newPlan(q, now, history)
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", q.Kind, q.Target, err)
	}
	pieces, err := e.collect(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", q.Kind, q.Target, err)
	}
	s := &summer{plan: p, pieces: pieces}
	a := &Answer{Question: q, Now: now, Horizon: p.horizon, Window: p.window, Calendar: p.calendar, Zone: p.rules.Zone.String(),
		Definitions: definitions(p.spans), Sources: s.sources()}
	s.sum(a)
	if q.Explain {
		if a.Evidence, err = e.explain(ctx, s); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// sum fills the rows and totals in, subjects side by side.
func (s *summer) sum(a *Answer) {
	n := len(s.plan.parts)
	a.Rows = make([]Row, n*len(s.plan.subjects))
	if s.plan.q.By != Whole {
		a.Totals = make([]Row, len(s.plan.subjects))
	}
	sideBySide(len(s.plan.subjects), func(i int) {
		s.rows(&s.plan.subjects[i], a.Rows[i*n:(i+1)*n])
		if a.Totals != nil {
			a.Totals[i] = s.total(&s.plan.subjects[i])
		}
	})
	if s.plan.q.Kind == Energy {
		s.energize(a)
	}
	s.findings(a)
}
