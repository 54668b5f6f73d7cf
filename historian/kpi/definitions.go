package kpi

import (
	"slices"

	"kvarts/historian/ledger"
)

// Better says which way a KPI is good.
type Better uint8

// The directions.
const (
	Neither Better = iota // a quantity
	Higher
	Lower
)

// Definition is what a KPI is.
type Definition struct {
	Key    Key
	Name   string // as vectors and queries write it
	Title  string // as a person reads it
	Unit   string // "1" for ratios, "s", "pieces", "kWh", "W", "kWh/piece", "kWh/W"
	Better Better
	// Formula by ISO 22400-2, by SEMI E79 and of a line, in the terms of DEFINITIONS.md; "" where the model has no such KPI
	// and the answer is null.
	Formula [numModels]string
	Source  string // where the definition comes from

	of func(*Result) Value
}

// Definitions are all KPIs in the order of their keys, each with Key set.
func Definitions() []Definition {
	all := slices.Clone(definitions[:])
	for k := range all {
		all[k].Key = Key(k)
	}
	return all
}

// FormulaOf is the KPI's formula in a model; "" when it has none.
func (d *Definition) FormulaOf(s Standard, of Subject) string {
	m, ok := modelOf(s, of)
	if !ok {
		return ""
	}
	return d.Formula[m]
}

// same is a formula that holds in all models, units that of units by both standards, isoOnly that of units by ISO.
func same(f string) [numModels]string    { return [numModels]string{f, f, f} }
func units(f string) [numModels]string   { return [numModels]string{isoUnits: f, e79Units: f} }
func isoOnly(f string) [numModels]string { return [numModels]string{isoUnits: f} }

const (
	iso22400   = "ISO 22400-2"
	isoAndE79  = "ISO 22400-2; SEMI E79"
	contract   = "conformance contract"
	ownMeasure = "own: energy per good output"
)

// definitions is read only.
var definitions = [NumKeys]Definition{
	Availability: {Name: "A", Title: "Availability", Unit: "1", Better: Higher, Source: isoAndE79, of: availability,
		Formula: [numModels]string{isoUnits: "APT / (PBT − U)", e79Units: "UP / (T − U)"}},
	Performance: {Name: "P", Title: "Performance", Unit: "1", Better: Higher, Source: isoAndE79, of: performance,
		Formula: units("ideal_total / APT × R / (R − C)")},
	Quality: {Name: "Q", Title: "Quality ratio", Unit: "1", Better: Higher, Source: isoAndE79, of: quality,
		Formula: units("ideal_good / ideal_total")},
	OEE: {Name: "OEE", Title: "Overall equipment effectiveness", Unit: "1", Better: Higher, Source: isoAndE79, of: oee,
		Formula: [numModels]string{"(G + X) / (PBT − U + B)", "(G + X) / (T − U + B)", "(G + X) / (PBT − U + B)"}},
	NEE: {Name: "NEE", Title: "Net equipment effectiveness", Unit: "1", Better: Higher, Source: iso22400, of: nee,
		Formula: isoOnly("(APT + SETUP) / APT × (ideal_good + X) / (PBT − U)")},
	TEEP: {Name: "TEEP", Title: "Total effective equipment performance", Unit: "1", Better: Higher, Source: iso22400, of: teep,
		Formula: [numModels]string{isoUnits: "(ideal_good_s + X) / T", isoLine: "(ideal_good_s + X) / T"}},
	OperationalEfficiency: {Name: "OpE", Title: "Operational efficiency", Unit: "1", Better: Higher, Source: "SEMI E79", of: operationalEfficiency,
		Formula: [numModels]string{e79Units: "PRD / UP"}},
	AvailabilityLow: {Name: "A_low", Title: "Availability, at least", Unit: "1", Better: Higher, Source: contract, of: availabilityLow,
		Formula: [numModels]string{isoUnits: "(APT + min(U, ideal_bridged)) / PBT", e79Units: "(UP + min(U, ideal_bridged)) / T"}},
	AvailabilityHigh: {Name: "A_high", Title: "Availability, at most", Unit: "1", Better: Higher, Source: contract, of: availabilityHigh,
		Formula: [numModels]string{isoUnits: "(APT + U) / PBT", e79Units: "(UP + U) / T"}},
	OEELow: {Name: "OEE_low", Title: "OEE, at least", Unit: "1", Better: Higher, Source: contract, of: oeeLow,
		Formula: [numModels]string{"ideal_good_s / PBT", "ideal_good_s / T", "ideal_good_s / PBT"}},
	OEEHigh: {Name: "OEE_high", Title: "OEE, at most", Unit: "1", Better: Higher, Source: contract, of: oeeHigh,
		Formula: [numModels]string{"(G + max(U − B, ideal_good_s − G) + max(C, X)) / PBT", "(G + max(U − B, ideal_good_s − G) + max(C, X)) / T",
			"(G + max(U − B, ideal_good_s − G) + max(C, X)) / PBT"}},
	Coverage: {Name: "coverage", Title: "Share of planned time whose state is known", Unit: "1", Better: Higher, Source: contract, of: coverage,
		Formula: [numModels]string{"1 − U / PBT", "1 − U / T", "1 − U / PBT"}},
	CountCoverage: {Name: "count_coverage", Title: "Share of run time that is counted", Unit: "1", Better: Higher, Source: contract, of: countCoverage,
		Formula: same("1 − C / R")},

	PlannedBusyTime: {Name: "PBT_s", Title: "Planned busy time", Unit: "s", Source: iso22400,
		of:      func(r *Result) Value { return seconds(r.basis.pbt) },
		Formula: [numModels]string{"APT + SETUP + STOP + IDLE + U", "T", "union of the units' planned time"}},
	ProductionTime: {Name: "APT_s", Title: "Production time", Unit: "s", Better: Higher, Source: isoAndE79,
		of:      func(r *Result) Value { return seconds(r.basis.apt) },
		Formula: [numModels]string{isoUnits: "R + minor stops", e79Units: "PRD"}},
	SetupTime:       {Name: "SETUP_s", Title: "Set-up time", Unit: "s", Better: Lower, Source: iso22400, of: field(ledger.SetupTime), Formula: isoOnly("ASUT")},
	StopTime:        {Name: "STOP_s", Title: "Unplanned stops", Unit: "s", Better: Lower, Source: iso22400, of: field(ledger.StopTime), Formula: isoOnly("ADET without minor stops")},
	IdleTime:        {Name: "IDLE_s", Title: "Idle time", Unit: "s", Better: Lower, Source: iso22400, of: field(ledger.IdleTime), Formula: isoOnly("ADOT")},
	PlannedDowntime: {Name: "PLANNED_s", Title: "Planned downtime", Unit: "s", Source: iso22400, of: field(ledger.PlannedTime), Formula: isoOnly("POT − PBT")},
	UnknownTime: {Name: "UNKNOWN_s", Title: "Unknown time", Unit: "s", Better: Lower, Source: contract, Formula: same("U"),
		of: func(r *Result) Value { return seconds(r.basis.u) }},
	UncountedTime: {Name: "UNCOUNTED_s", Title: "Run time that nothing counts", Unit: "s", Better: Lower, Source: contract, Formula: same("C"),
		of: func(r *Result) Value { return seconds(r.basis.c) }},

	PiecesTotal: {Name: "PQ", Title: "Produced quantity", Unit: "pieces", Better: Higher, Source: iso22400, of: pieces(ledger.TotalPieces), Formula: same("PQ")},
	PiecesGood:  {Name: "GQ", Title: "Good quantity", Unit: "pieces", Better: Higher, Source: iso22400, of: pieces(ledger.GoodPieces), Formula: same("GQ")},
	IdealTotal: {Name: "ideal_total_s", Title: "Ideal time of what was made", Unit: "s", Better: Higher, Source: contract, of: idealTotal,
		Formula: [numModels]string{isoUnits: "Σ PRU · PQ in planned time that is not uncounted", e79Units: "Σ PRU · PQ in time that is not uncounted"}},
	IdealGood: {Name: "ideal_good_s", Title: "Ideal time of what was good", Unit: "s", Better: Higher, Source: contract, of: idealGood,
		Formula: [numModels]string{"Σ PRU · GQ in planned time that is not uncounted", "Σ PRU · GQ in time that is not uncounted",
			"bottleneck's PRU · GQ of the last unit in planned time that is not uncounted"}},

	Energy:         {Name: "E_kwh", Title: "Energy", Unit: "kWh", Better: Lower, Source: contract, of: energyKnown, Formula: same("E, as far as covered")},
	EnergyLow:      {Name: "E_low_kwh", Title: "Energy, at least", Unit: "kWh", Better: Lower, Source: contract, of: energyLow, Formula: same("E + least power × time not covered")},
	EnergyHigh:     {Name: "E_high_kwh", Title: "Energy, at most", Unit: "kWh", Better: Lower, Source: contract, of: energyHigh, Formula: same("E + rated power × time not covered")},
	EnergyCoverage: {Name: "E_coverage", Title: "Share of time whose energy is known", Unit: "1", Better: Higher, Source: contract, of: energyCoverage, Formula: same("covered time / T")},

	MTBF: {Name: "MTBF_s", Title: "Mean time between failures", Unit: "s", Better: Higher, Source: isoAndE79, of: mtbf,
		Formula: [numModels]string{isoUnits: "(APT + SETUP) / F", e79Units: "PRD / F"}},
	MTTR: {Name: "MTTR_s", Title: "Mean time to repair", Unit: "s", Better: Lower, Source: isoAndE79, of: mttr,
		Formula: [numModels]string{isoUnits: "STOP / F", e79Units: "UDT / F"}},

	AllocationEfficiency: {Name: "allocation_efficiency", Title: "Allocation efficiency", Unit: "1", Better: Higher, Source: iso22400, of: allocationEfficiency,
		Formula: isoOnly("AUBT / (PBT − U)")},
	UtilizationEfficiency: {Name: "utilization_efficiency", Title: "Utilization efficiency", Unit: "1", Better: Higher, Source: iso22400, of: utilizationEfficiency,
		Formula: isoOnly("APT / AUBT")},
	TechnicalEfficiency: {Name: "technical_efficiency", Title: "Technical efficiency", Unit: "1", Better: Higher, Source: iso22400, of: technicalEfficiency,
		Formula: isoOnly("APT / (APT + ADET)")},
	SetupRate:  {Name: "setup_rate", Title: "Set-up rate", Unit: "1", Better: Lower, Source: iso22400, of: setupRate, Formula: isoOnly("ASUT / AUPT")},
	ScrapRatio: {Name: "scrap_ratio", Title: "Scrap ratio", Unit: "1", Better: Lower, Source: iso22400, of: scrapRatio, Formula: same("(PQ − GQ) / PQ")},
	ComprehensiveEnergy: {Name: "comprehensive_energy", Title: "Energy per produced piece", Unit: "kWh/piece", Better: Lower, Source: iso22400,
		of: comprehensiveEnergy, Formula: same("E / PQ")},

	WattsGood:         {Name: "good_w", Title: "Nominal power of the good pieces", Unit: "W", Better: Higher, Source: ownMeasure, of: wattsGood, Formula: same("W = Σ watts · GQ")},
	EnergyPerGood:     {Name: "kwh_per_good", Title: "Energy per good piece", Unit: "kWh/piece", Better: Lower, Source: ownMeasure, of: perPiece.known, Formula: same("E / GQ")},
	EnergyPerGoodLow:  {Name: "kwh_per_good_low", Title: "Energy per good piece, at least", Unit: "kWh/piece", Better: Lower, Source: ownMeasure, of: perPiece.low, Formula: same("E_low / GQ_most")},
	EnergyPerGoodHigh: {Name: "kwh_per_good_high", Title: "Energy per good piece, at most", Unit: "kWh/piece", Better: Lower, Source: ownMeasure, of: perPiece.high, Formula: same("E_high / GQ_least")},
	EnergyPerWatt:     {Name: "kwh_per_w", Title: "Energy per good watt", Unit: "kWh/W", Better: Lower, Source: ownMeasure, of: perWatt.known, Formula: same("E / W")},
	EnergyPerWattLow:  {Name: "kwh_per_w_low", Title: "Energy per good watt, at least", Unit: "kWh/W", Better: Lower, Source: ownMeasure, of: perWatt.low, Formula: same("E_low / W_most")},
	EnergyPerWattHigh: {Name: "kwh_per_w_high", Title: "Energy per good watt, at most", Unit: "kWh/W", Better: Lower, Source: ownMeasure, of: perWatt.high, Formula: same("E_high / W_least")},
	IdleEnergy: {Name: "idle_kwh", Title: "Energy without production", Unit: "kWh", Better: Lower, Source: ownMeasure, of: idleEnergy,
		Formula: same("E while stopped, idle, planned down, engineering or out of schedule")},
	IdleEnergyShare: {Name: "idle_energy_share", Title: "Share of energy without production", Unit: "1", Better: Lower, Source: ownMeasure, of: idleEnergyShare,
		Formula: same("E_idle / (E − E_unknown)")},
}
