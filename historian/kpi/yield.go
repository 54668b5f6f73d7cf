package kpi

import "kvarts/historian/exact"

// Inspection is what became of the pieces made, each counted once however often it was worked on.
type Inspection struct {
	Made      exact.Num // PQ
	FirstPass exact.Num // good at once
	Reworked  exact.Num // sent to rework
	Recovered exact.Num // good after it
	Scrapped  exact.Num // at once or after rework
}

// Yields are the ratios of an inspection, null when nothing was made. Quality, the one in OEE, is by first pass: a piece made good by rework
// was lost time.
type Yields struct {
	Quality Value // first pass / made
	Final   Value // good in the end / made
	Rework  Value // reworked / made (ISO 22400-2)
	Scrap   Value // scrapped / made (ISO 22400-2)
}

// Yields of the inspection.
func (i Inspection) Yields() Yields {
	return Yields{Quality: ratio(i.FirstPass, i.Made), Final: ratio(i.FirstPass.Add(i.Recovered), i.Made),
		Rework: ratio(i.Reworked, i.Made), Scrap: ratio(i.Scrapped, i.Made)}
}
