// Package kpi turns the ledger's additive facts into what people ask for: OEE and its factors with bounds and coverage,
// losses, downtime, energy per good piece and per watt. It is pure: no clock, no I/O, no plant model.
//
// Each KPI is a ratio of sums, computed when it is asked for and exact; nothing here adds or averages ratios, so the
// KPI of several units or of a month follows from the sum of their Facts and from nothing else. What does not exist (a zero
// denominator, nothing that counts) is null with a reason, never 0 or 1.
//
// DEFINITIONS.md says of every KPI what it is and which golden number or vector proves it.
package kpi
