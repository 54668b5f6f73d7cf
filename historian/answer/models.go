package answer

import (
	"context"
	"sync"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/plant"
)

// library keeps the plant's models, which are long texts, as long as no other was applied.
type library struct {
	mu      sync.Mutex
	mark    evidence.ModelsMark
	history plant.History
}

// history is all models that were applied until now. What counts of them at an earlier moment is asked of the history.
func (e *Engine) history(ctx context.Context) (plant.History, error) {
	now := e.now()
	mark, err := evidence.ReadModelsMark(ctx, e.client, now)
	if err != nil {
		return nil, err
	}
	l := &e.library
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.history != nil && mark == l.mark {
		return l.history, nil
	}
	history, err := evidence.ReadModels(ctx, e.client, now)
	if err != nil {
		return nil, err
	}
	l.mark, l.history = mark, history
	return history, nil
}

// Calendar is the calendar, by the model now in force, that divides the time of a target: what "today" and "this shift" mean
// there. name is that of Question.Calendar.
func (e *Engine) Calendar(ctx context.Context, t Target, name string) (*calendar.Rules, error) {
	history, err := e.history(ctx)
	if err != nil {
		return nil, err
	}
	now := e.now()
	v, ok := history.At(now, now)
	if !ok {
		return nil, errNoModel
	}
	units, ok := composed(v.Model, t, Energy)
	if !ok {
		missing := make(map[string]bool)
		for _, id := range t.IDs {
			missing[id] = true
		}
		return nil, asking("%s", unknownName(v.Model, t.Level, missing))
	}
	s := subject{spans: []membership{{Interval: calendar.Interval{From: now, To: now + 1}, units: units, model: v.Model}}}
	chosen, err := calendarOf(&s, name)
	if err != nil {
		return nil, err
	}
	c, _ := v.Model.Calendar(chosen)
	return c.Rules, nil
}

// models says by which models something of v is computed: as evidence.Slice.Model does.
func (p *plan) models(v calendar.Interval) string {
	if len(p.spans) == 1 && p.spans[0].Version != nil {
		return p.spans[0].Version.Hash
	}
	return evidence.ModelsOf(p.history, v, p.horizon)
}
