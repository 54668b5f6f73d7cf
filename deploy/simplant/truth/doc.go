// Package truth is what the simulated plant really did, beside what a product says of it.
//
//	world ──Sample──► Recorder ──Vector──► contract.Vector ──contract.Evaluator──► the answers of CONFORMANCE.md
//	      ──Record──►                                                             │              │
//	      ──Segments──────────────► Continuous: A, P, Q, OEE, kWh by integration ─┴─► Distance   ├─► Compare, Within
//	                                                               the product's answers ────────┘
//
// A Recorder that is fed what an observer saw (world.Observer.Sample) says what follows from exactly that: the product must
// say the same, to the rounding that Compare states. One that is fed what was there to be seen (world.Observer.True) says what
// an undisturbed observer would have known: the product's bounds must hold it, which Within checks. Continuous is neither: it
// is what happened between the samples, and Distance is what looking at it now and then costs.
//
// Nothing here uses the product's engine or what gathers data for it: the plant model, its calendars and what people record
// are read with the packages that define their formats, all else is code of its own.
package truth
