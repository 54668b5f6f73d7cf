package world

import (
	"time"

	"kvarts/historian/record"
)

// The lot book in the words of historian/lots' import format: what a plant's MES would hand over.

// Lot is a quantity of something that has a name.
type Lot struct {
	ID         string            `json:"lot"`
	Kind       string            `json:"kind"`
	Product    string            `json:"product,omitempty"`
	Quantity   Quantity          `json:"quantity"`
	UnitOf     string            `json:"unit_of"` // kg, wafer, …
	MadeAt     time.Time         `json:"made_at"`
	WpNominal  *Quantity         `json:"wp_nominal,omitempty"`
	WpRealised *Quantity         `json:"wp_realised,omitempty"`
	Embodied   map[string]string `json:"embodied_kwh,omitempty"` // of an opening lot: kWh by stage
	By         string            `json:"by"`
	Revision   int               `json:"revision"`
	Why        string            `json:"why,omitempty"`
}

// Step is one making of lots out of others.
type Step struct {
	ID       string    `json:"step"`
	Stage    string    `json:"stage"`
	Unit     string    `json:"unit,omitempty"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Inputs   []Portion `json:"inputs"`
	Outputs  []Portion `json:"outputs"`
	By       string    `json:"by"`
	Revision int       `json:"revision"`
}

// Portion is a part of a lot.
type Portion struct {
	Lot      string   `json:"lot"`
	Quantity Quantity `json:"quantity"`
	Scrap    bool     `json:"scrap,omitempty"` // of an output
}

// LabResult is one analysis of one element, as historian/purity imports it.
type LabResult struct {
	Sample      string    `json:"sample"`
	Lot         string    `json:"lot"`
	SampledAt   time.Time `json:"sampled_at"`
	MeasuredAt  time.Time `json:"measured_at"`
	ApprovedAt  time.Time `json:"approved_at"`
	Method      string    `json:"method"`
	Element     string    `json:"element"`
	Value       string    `json:"value"`
	Unit        string    `json:"unit"`
	Censored    string    `json:"censored"` // "=" or "<"
	LOD         string    `json:"lod"`
	LOQ         string    `json:"loq"`
	U           string    `json:"u_k2"`
	Analyst     string    `json:"analyst"`
	Instrument  string    `json:"instrument"`
	Calibration string    `json:"calibration"`
	Revision    int       `json:"revision"`
	Reason      string    `json:"reason,omitempty"`
}

// AddLot enters a lot, made now unless it says when.
func (w *World) AddLot(l Lot) {
	if l.MadeAt.IsZero() {
		l.MadeAt = w.now.Time()
	}
	l.By, l.Revision = "mes", max(l.Revision, 1)
	if w.obs.Lot != nil {
		w.obs.Lot(&l)
	}
}

// AddStep enters a step. Its lots must have been entered.
func (w *World) AddStep(s Step) {
	s.By, s.Revision = "mes", max(s.Revision, 1)
	if w.obs.Step != nil {
		w.obs.Step(&s)
	}
}

// AddResult enters a result of the laboratory.
func (w *World) AddResult(r LabResult) {
	r.Revision = max(r.Revision, 1)
	if w.obs.Lab != nil {
		w.obs.Lab(&r)
	}
}

// AddRecord enters what a person knows, at this moment.
func (w *World) AddRecord(r record.Record, by, why string) {
	r.Audit = record.Audit{By: by, Why: why, KnownAt: w.now - w.now%1000, Source: "simulated"}
	r.Revision = max(r.Revision, 1)
	if w.obs.Record != nil {
		w.obs.Record(&r)
	}
}
