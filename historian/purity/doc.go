// Package purity is what the laboratory found in silicon, and what grade that shows: results with their limit of detection (LOD)
// and uncertainty, N = −log10(Σ xᵢ) as an interval, and certificates.
//
// What was not detected is not zero. A result "<" adds [0, LOD] to Σ, a measured one [v−U, v+U] cut at 0 (U for k = 2; [v, v]
// where none is stated). All upper ends together make the upper end of Σ and so the lower end of N; uncertainties are added,
// not combined in squares, because nobody knows how they hang together. A grade nN is granted only when that upper end is
// at most 10⁻ⁿ, which is compared in fractions: only N itself, for people, is a floating-point number.
//
// Results are never overwritten: to measure a retained sample again is a new revision. A certificate is stored as it was issued,
// with the hashes of the results it rests on, and never computed again.
//
// FORMAT.md says how all of it is stored and imported; a test compares it with the code.
package purity
