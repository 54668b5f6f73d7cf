package kpi

import (
	"errors"
	"fmt"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Batch is one batch and the energy that it used, cut where months or other borders are.
type Batch struct {
	Name   string
	Done   telemetry.Instant // when it completed; meaningful only with IsDone
	IsDone bool
	Good   exact.Num // accepted output of a completed batch
	Energy []BatchEnergy
}

// BatchEnergy is what a batch used in an interval.
type BatchEnergy struct {
	calendar.Interval
	KWh exact.Num
}

// CompletionAligned books each batch's energy, all of it, where the batch completes: Begin + Metered = Energy + Carried.
type CompletionAligned struct {
	Begin   exact.Num // kWh used before the interval by batches that had not completed then
	Metered exact.Num // kWh used in the interval
	Energy  exact.Num // kWh, from their first hour on, of the batches that completed in the interval
	Good    exact.Num // what those batches made
	Carried exact.Num // kWh in work in progress at the end
	PerGood Value     // kWh per unit of good output; null when no batch completed
}

// ErrBatch is in the chain of every error of batches whose energy cannot be booked.
var ErrBatch = errors.New("energy of a batch does not fit")

// AlignToCompletion books the batches in an interval. Energy must be cut at the interval's borders, and none may be dated
// after its batch completed.
func AlignToCompletion(batches []Batch, v calendar.Interval) (CompletionAligned, error) {
	var out CompletionAligned
	for i := range batches {
		if err := out.book(&batches[i], v); err != nil {
			return CompletionAligned{}, fmt.Errorf("batch %s: %w", batches[i].Name, err)
		}
	}
	out.Carried = out.Begin.Add(out.Metered).Sub(out.Energy)
	out.PerGood = ratio(out.Energy, out.Good)
	return out, nil
}

func (out *CompletionAligned) book(b *Batch, v calendar.Interval) error {
	if b.IsDone && b.Done <= v.From {
		return nil // it completed in an interval before
	}
	var before, within exact.Num
	for _, e := range b.Energy {
		switch {
		case b.IsDone && e.To > b.Done:
			return fmt.Errorf("energy of %s is dated after it completed at %s: %w", e.Interval, b.Done, ErrBatch)
		case e.To <= v.From:
			before = before.Add(e.KWh)
		case v.From <= e.From && e.To <= v.To:
			within = within.Add(e.KWh)
		case e.From < v.To:
			return fmt.Errorf("energy of %s is not cut at the border of %s: %w", e.Interval, v, ErrBatch)
		}
	}
	out.Begin, out.Metered = out.Begin.Add(before), out.Metered.Add(within)
	if b.IsDone && b.Done <= v.To {
		out.Energy = out.Energy.Add(before).Add(within)
		out.Good = out.Good.Add(b.Good)
	}
	return nil
}
