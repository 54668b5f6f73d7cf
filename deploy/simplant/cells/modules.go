package cells

import (
	"fmt"
	"strings"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

// pallet is how many modules go through a line together, and make one lot.
const pallet = 30

// moduleStep is a station of a module line. The first one strings cells, the last one tests.
type moduleStep struct{ route route }

// moduleKWh is the energy of a module in its line: 3.3 kWh/m² (definitions.md 2.4) of 2.58 m².
const moduleKWh = 8.5

// cellToModule is what of the cells' power is left in the module.
const cellToModule = 0.976

// Run builds pallet after pallet.
func (p moduleStep) Run(u *world.Unit) {
	const seconds = 150
	draws(u, moduleKWh/float64(p.route.steps), seconds, 0.4)
	open(u, &p.route, 1/u.IdealSeconds(seconds))
	trouble(u,
		world.Hazard{Reason: "held", Every: 45 * time.Minute, Lasts: 75 * time.Second, Least: 20 * time.Second},
		world.Hazard{Reason: "aborted", Every: 22 * time.Hour, Lasts: 35 * time.Minute, Least: 10 * time.Minute})
	u.Follow("stringer_temp_c", world.Wave(world.Level(212), 1.5, 300))
	u.Follow("laminator_temp_c", world.Wave(world.Level(147), 0.6, 800))
	u.Follow("frame_force_n", world.Wave(world.Level(9000), 400, 120))
	u.Follow("test_temp_c", world.Wave(world.Level(25), 0.4, 1800))
	u.State(plant.Idle, "")
	breaks := 0
	for {
		in, pieces := p.take(u, &breaks)
		u.Ready()
		p.pallet(u, in, pieces)
	}
}

// take takes what the next pallet is made of: cells with some more for those that break, or modules of the station before.
func (p moduleStep) take(u *world.Unit, breaks *int) (in took, pieces int) {
	stock := u.World().Stock(p.route.in)
	if !p.route.first() {
		in = tookOf([]world.Held{stock.TakeLot(u)})
		return in, in.pieces
	}
	cells := int(cellsPerModule(u)) * pallet
	broken := lost(u, cells, 0.0015)
	in = tookOf(stock.Take(u, world.Whole(cells+broken)))
	*breaks += broken
	u.Set("cell_break", float64(*breaks))
	u.SetText("cell_lot_ids", lotIDs(in.portions))
	in.watts *= cellsPerModule(u) * cellToModule // of a module
	return in, pallet
}

// pallet builds or tests the modules of a pallet, one after the other.
func (p moduleStep) pallet(u *world.Unit, in took, pieces int) {
	from := u.Now()
	u.State(plant.Run, "")
	watts, out := 0.0, note{watts: in.watts}
	for i := range pieces {
		scrap := 0.0
		if u.Rand().Float64() < 0.004 {
			scrap = 1
		}
		serial := p.serial(u, in.serials, i)
		u.SetText("serial", serial)
		rate := pace(u, 150)
		u.Make(1, rate, scrap)
		u.Set("cycle_time_s", float64(int(10/rate))/10)
		flash := in.watts * (1 + 0.003*u.Rand().NormFloat64())
		u.SetFlag("layup_ok", true)
		if p.route.last() {
			p.show(u, flash, scrap == 0)
		}
		if scrap == 0 {
			out.serials = append(out.serials, serial)
			watts += flash
		}
	}
	good := len(out.serials)
	p.deliver(u, entry{prefix: "LAM", kind: "module", from: from, in: in, good: good, bad: pieces - good, out: out}, watts)
}

// serial is that of the i-th module: what the first station gave it.
func (p moduleStep) serial(u *world.Unit, given []string, i int) string {
	if i < len(given) {
		return given[i]
	}
	return u.World().Serial("M" + p.route.line)
}

// deliver enters the pallet: with watts where they were tested.
func (p moduleStep) deliver(u *world.Unit, e entry, watts float64) {
	if p.route.last() {
		e.prefix = "MOD"
		nominal, realised := world.Amount(nominal(u, 580)*float64(e.good)), world.Amount(watts)
		e.lot.WpNominal, e.lot.WpRealised = &nominal, &realised
		if e.good > 0 {
			e.lot.Why = fmt.Sprintf("serials %s to %s", e.out.serials[0], e.out.serials[e.good-1])
		}
	}
	deliver(u, &p.route, e)
}

// show shows the test of a module.
func (p moduleStep) show(u *world.Unit, watts float64, pass bool) {
	u.Set("iv_pmax_w", float64(int(watts*10))/10)
	u.SetFlag("el_pass", pass)
	u.Set("hipot_ua", float64(20+u.Rand().IntN(30)))
	u.Set("insulation_mohm", float64(2000+u.Rand().IntN(500)))
}

// lotIDs are the names of lots, as a station shows them.
func lotIDs(portions []world.Portion) string {
	ids := make([]string, len(portions))
	for i, x := range portions {
		ids[i] = x.Lot
	}
	return strings.Join(ids, " ")
}
