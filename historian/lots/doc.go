// Package lots is the genealogy of material and the energy that goes with it: which lots a step took, which it made, and what of
// that is in any lot, backward to the quartz and forward to the modules.
//
//	lot book (JSON lines, CSV) ─► Read ─► PlanImport ─► points of measurement `lot` ─► ReadClosure ─► Graph ─► Trace, Embody
//
// Nothing is overwritten: a correction is a new revision, and what was known earlier can be asked for. Nothing is mended in
// silence either: more taken of a lot than it had, a lot that nobody described, two steps that made the same one are findings.
// All quantities are exact: fractions of a lot sum to one, and no energy is lost or made on the way (see Graph).
//
// FORMAT.md says how the book is written and stored; a test compares it with the code.
package lots
