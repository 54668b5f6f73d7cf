// Package world is the engine of the simulated plant: units that a plant model names, each driven by a script of its
// class, in simulated time that runs at any speed.
//
//	model ──New──► World ──Advance(to)──► Observer: samples as the product would see them, lots, steps,
//	script of each class ─┘                         laboratory results, what people enter
//
// A script (Process.Run) is a coroutine in the words of the shop floor: take bricks, set the state, work for so long, make
// so many wafers, put them on stock. The engine interrupts work with stops and with what the calendar plans, counts pieces,
// integrates the load into the register and keeps the truth (Segment). What the machine shows of itself is either set by the
// script (states, texts) or a Curve that the engine reads when the signal is due.
//
// Everything follows from the seed, the model and the begin. In what steps and with which cadence one looks changes nothing
// of what happens: a world that nobody looks at runs through days in milliseconds.
package world
