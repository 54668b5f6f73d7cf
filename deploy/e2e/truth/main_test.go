// Package truth_test holds the whole product against the simulated plant: a plant lives, what was seen of it is written
// through the write API as collectors, people, the MES and the laboratory write it, and what the product then answers must be
// what the simulator knows.
//
//	world ──Sample──► line protocol ──► store ──► answer (raw) ────┐
//	  │                                   └─► keeper ─► answer ────┤
//	  ├────Sample──► truth.Recorder ──► the contract's answer ─────┴─► equal
//	  ├────True────► truth.Recorder ──► the same, undisturbed ───────► within the product's bounds
//	  ├────Lot, Step ──► sums of this package ───────────────────────► lots, embodied energy
//	  └────Lab ────────► sums of this package ───────────────────────► grades
//
// Each seed is another plant, another begin, another cadence and other windows, so that all borders cut something in some of
// them; TestComplete says what was seen.
package truth_test

import (
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // stores that live for seconds: half the time would go into collecting what is thrown away with them
	goleak.VerifyTestMain(m,
		// The engine of the embedded store starts these at import and never ends them.
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
	)
}

// seeds are the plants that are lived through.
func seeds() uint64 {
	if testing.Short() || raceEnabled {
		return 3
	}
	return 30
}

// someSeeds says that not all seeds are there, so that what occurs in some of them need not have occurred.
func someSeeds() bool { return seeds() < 30 }
