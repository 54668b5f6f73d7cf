// Package evidence is everything that the explanation reads from and writes to an InfluxDB: the plant models that were
// applied, what machines and people recorded of a unit, turned into a ledger.Input, and the slices that the ledger made of it.
//
//	plant_model ──ReadModels──► plant.History ─┐
//	classes, alive, gap, record ───────────────┴─Gather──► ledger.Input ──(ledger)──► Slice ──WriteSlices──► ledger
//	ledger ──ReadSlices──► Slice                Fingerprint: which hours were touched           Watermark: was anything written
//
// FORMAT.md is the layout of what the package writes; a test compares it with the code.
//
// Assumptions. A point replaces the one of the same identity, so that every write may be repeated. A signal's value without a
// status in its point is plain Good: the collector writes the status of all others with the value (telemetry.AppendSample). A
// proof of life is written on a grid of ten seconds and covers the interval that ends with it. Nothing here keeps a state of
// its own: everything may be used by any number of goroutines at once.
package evidence
