package answer

import (
	"kvarts/historian/calendar"
	"kvarts/historian/kpi"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// Answer is what is known. Nothing in it is rounded.
type Answer struct {
	Question Question
	// Now is the moment of asking, Horizon the earlier of it and Question.Asof: nothing after it was looked at.
	Now, Horizon telemetry.Instant
	Window       calendar.Interval // Question.Window as cut at Horizon
	Calendar     string            // whose shifts and days the window is divided by
	Zone         string            // in which times are best shown

	// Rows are the target's, part by part, then those of its own parts that Question.Each asks for.
	Rows []Row
	// Totals are for the whole window, one for each subject of Rows; empty when the window is not divided. Ratios of a total
	// are ratios of its sums: no ratio of a row goes into it.
	Totals []Row
	// Findings are what a person should know before believing a number, by time.
	Findings []Finding

	Definitions []Definition
	Sources     Sources
	Evidence    []Evidence // with Question.Explain
}

// Row is one subject in one part of the window.
type Row struct {
	Subject Subject
	Part    Part
	Facts   *ledger.Facts // Reasons only with the kinds Losses and States, and with Question.Explain
	Result  kpi.Result
	// Missing names units whose facts could not be had: Facts are without them and Result is of the others. The row of such a
	// unit itself has Err. Findings say why.
	Missing []string
	Err     error
	Energy  *EnergySplit  // with kind Energy
	Losses  kpi.Waterfall // with kind Losses
}

// Incomplete says that something that belongs to the row is not in it.
func (r *Row) Incomplete() bool { return r.Err != nil || len(r.Missing) > 0 }

// Definition is one version of the model that the numbers rest on.
type Definition struct {
	calendar.Interval // in which it was in force, within the window
	Model             string
	Hash              string
	Effective         telemetry.Instant
	Known             telemetry.Instant
	By, Why           string
}

// Sources say where the facts came from.
type Sources struct {
	DaySlices  int
	HourSlices int
	Revisions  map[int]int                    // how many of the slices have which revision
	Raw        map[string][]calendar.Interval // what was computed from raw data, by unit or line
}

// Finding is something that a person should know, with who and when.
type Finding struct {
	Code     string // a kpi.Code, or one of this package
	Severity kpi.Severity
	Subject  Subject
	When     calendar.Set   // never empty
	Text     string         // what was seen and what to do about it
	Evidence []kpi.Evidence // of a ratio: what was compared, in the first of When
}

// The codes of findings of this package.
const (
	UnitFailed   = "unit_failed"   // its facts could not be had; the sums are without it
	NoModel      = "no_model"      // no model was in force: the sums are without that time
	WindowCut    = "window_cut"    // the window goes beyond what is known yet
	EnergyFailed = "energy_failed" // energy could not be divided among the units
)
