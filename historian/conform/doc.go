// Package conform reads OEE and energy conformance vectors and runs them through the KPI engine.
//
// A vector is one JSON file: what the machines and people recorded, what is asked, what the answer must be. The format is
// independent of this engine and of its plant model. Parse is strict: what the format does not name is an error with the
// JSON path and the reason, all of a file's at once. Run evaluates a vector's queries exactly, in fractions.
//
//	file ──Parse──▶ Vector ──input (cut at the horizon)──▶ ledger.Input ──ledger──▶ Facts ──kpi──▶ Outcome
//
// Absent, null and empty mean the same wherever a key may be left out ("", [] and {} are empty), except `alive`, where an
// empty list means that the unit was never seen. A counter or a power meter with any key is there, be it without readings.
package conform
