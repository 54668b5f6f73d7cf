package answer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"kvarts/historian/kpi"
	"kvarts/historian/lots"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// LotQuestion is what Engine.Lot answers: where a lot came from or went to, and the energy that went into it.
type LotQuestion struct {
	ID string
	// Energy asks for the energy that went into the lot, by Policy; else its trace is asked for, in Direction and so many steps far (0:
	// to the end).
	Energy    bool
	Policy    kpi.ScrapPolicy
	Direction lots.Direction
	Depth     int
	// Asof asks what was known then, of lots as of energy; 0 is now. One in the future is now.
	Asof telemetry.Instant
	// Raw computes energy from raw data only. The numbers are the same.
	Raw bool
	// Progress, when set, hears of how many units the energy is known, from one goroutine at a time.
	Progress func(done, total int)
}

// LotAnswer is what is known of a lot. Nothing in it is rounded.
type LotAnswer struct {
	Question LotQuestion
	// Now is the moment of asking, Horizon the earlier of it and LotQuestion.Asof: nothing known after it was looked at.
	Now, Horizon telemetry.Instant
	Zone         string         // in which times are best shown
	Lot          *lots.Lot      // nil: steps name it, and nobody described it
	Trace        *lots.Trace    // without LotQuestion.Energy
	Energy       *lots.Embodied // with it
	// Nominal and Realised are the energy for each watt of the lot, kWh/W: as planned, and as the cells were tested. Nil where the
	// lot does not say its watts.
	Nominal, Realised *PerWatt
	Findings          []lots.Finding // the gravest first
	Sources           Sources        // of the steps' energy
}

// PerWatt is an energy over watts with its bounds, kWh/W; High is null where there is none.
type PerWatt struct{ KWh, Low, High kpi.Value }

// Lot answers q. The error has ErrQuestion in its chain when asking otherwise would avoid it; it is a *lots.CycleError when the book
// contradicts itself; else the store could not be asked. Energy that cannot be known is in the answer, as bounds and findings.
func (e *Engine) Lot(ctx context.Context, q LotQuestion) (*LotAnswer, error) {
	if q.Energy && q.Direction != lots.Backward {
		return nil, fmt.Errorf("lot %s: %w", q.ID, asking("the energy of a lot is that of what it was made of: ask backward"))
	}
	a := &LotAnswer{Question: q, Now: e.now(), Zone: "UTC"}
	a.Horizon = a.Now
	if q.Asof != 0 {
		a.Horizon = min(a.Now, q.Asof)
	}
	history, err := e.history(ctx)
	if err != nil {
		return nil, err
	}
	if v, ok := history.At(a.Horizon, a.Now); ok {
		a.Zone = v.Model.Zone
	}
	book, err := lots.ReadClosure(ctx, e.client, q.ID, q.Direction, a.Horizon)
	if err != nil {
		return nil, err
	}
	g, err := lots.NewGraph(book)
	if err != nil {
		return nil, fmt.Errorf("lot %s: %w", q.ID, err)
	}
	if q.Energy {
		if err := e.embody(ctx, a, g, history); err != nil {
			return nil, notInBook(err)
		}
		return a, nil
	}
	if a.Trace, err = g.Trace(q.ID, q.Direction, q.Depth); err != nil {
		return nil, notInBook(err)
	}
	a.Lot, a.Findings = a.Trace.Lot.Lot, a.Trace.Findings
	return a, nil
}

// notInBook makes a question of naming a lot that is not there.
func notInBook(err error) error {
	if errors.Is(err, lots.ErrNoLot) {
		return asking("%w: see historian lots list, or import the lot book with historian lots import", err)
	}
	return err
}

// embody completes a with the energy of its lot.
func (e *Engine) embody(ctx context.Context, a *LotAnswer, g *lots.Graph, history plant.History) error {
	m := metering{engine: e, answer: a, history: history, own: make(map[string]metered)}
	if err := m.run(ctx, g.Needed(a.Question.ID)); err != nil {
		return fmt.Errorf("energy of lot %s: %w", a.Question.ID, err)
	}
	var err error
	if a.Energy, err = g.Embody(a.Question.ID, a.Question.Policy, m.of); err != nil {
		return err
	}
	a.Lot, a.Findings = a.Energy.Lot, slices.Concat(a.Energy.Findings, m.findings)
	if l := a.Lot; l != nil && l.WpNominal != nil {
		a.Nominal = new(PerWatt)
		a.Nominal.KWh, a.Nominal.Low, a.Nominal.High = a.Energy.Total.Over(*l.WpNominal)
	}
	if l := a.Lot; l != nil && l.WpRealised != nil {
		a.Realised = new(PerWatt)
		a.Realised.KWh, a.Realised.Low, a.Realised.High = a.Energy.Total.Over(*l.WpRealised)
	}
	return nil
}
