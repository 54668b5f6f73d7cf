// Package contract answers OEE and energy questions from a unit's whole record, by the words of CONFORMANCE.md and with
// no code of the product's engine: it is the second opinion that the product is held against.
//
// A record is a Vector, in memory or as the JSON of that text; Evaluator answers its queries exactly, in fractions.
//
//	          once per unit and horizon                                  per window
//	readings ──▶ deltas, cumulated ─┐
//	                                ├▶ picture: spans of constant ──┬──▶ time per bucket ────┐
//	states, alive, calendar, ideals ┘  meaning, eligible time       ├──▶ pieces per bucket ──┼──▶ sums ──▶ Answer
//	power ──▶ dark time, kWh, cumulated                             └──▶ energy ─────────────┘
//
// A bucket is what spans of the same meaning have in common. Deltas that lie within one span need no division and come out
// of a difference of two cumulated sums; only those that a border of a span or of the window cuts are spread, by
// differences of cumulated eligible time. So a picture costs O(n log n) in readings, states and intervals, and a window
// after it what its spans and scrap reports cost, whatever the number of readings in them.
package contract
