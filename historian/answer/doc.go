// Package answer is the only way to a number: panel, alert, report and command line ask an Engine here, so the same question
// has the same answer wherever it is asked.
//
//	Question ─► plan ────────► collect ─────────────────────► sum ─────────► Answer
//	            model in       for each unit and line:         additive       rows, totals, findings,
//	            force, parts   day slices, hour slices,        facts, never   definitions, sources
//	            of the window  raw edges and living tail       ratios
//
// What is stored only makes it faster: the facts of a slice are those that the raw data give, so that with no slices at all
// the numbers are the same (Question.Raw). What is not known is said and never made up: a time without a model, a unit whose
// data cannot be read, a part of the window that has not happened yet each leave a finding, and the sums say that they are
// not complete. One unit's trouble is its own: the others have their numbers.
package answer
