package wafering

import (
	"math"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
	"kvarts/historian/record"
)

// The phases of a cut, by the numbers that a saw shows.
//
//	Load ─► Warmup ─► Cutting ─► Dwell ─► Retract ─► Unload ─┬─► Load …
//	                  │     ▲                                └─► WireChange ─► Load …
//	                  └► Break
const (
	load = iota
	warmup
	cutting
	dwell
	retract
	unload
	wireChange
	wireBreak
)

const (
	pitchUM     = 182.0 // of the guide rollers: wafer and kerf
	brickMM     = 800.0 // of a whole brick
	mostBricks  = 4
	spoolKM     = 45.0
	leastKM     = 6.0 // of wire that a cut is begun with
	rollerCuts  = 160 // that the grooves of the guide rollers last
	sawSeconds  = 2.048
	kwhPerWafer = 0.054 // while the wire is in the brick
	idleKW      = 21.0  // coolant, hydraulics, drives on
)

// Of a whole batch's ideal time, what each phase takes: a real saw needs a little more.
const (
	loadPart    = 0.04
	warmupPart  = 0.02
	cuttingPart = 1.08 // no wafer takes less than its ideal, and entry and exit are slow
	dwellPart   = 0.01
	retractPart = 0.03
	unloadPart  = 0.04
)

// saw is a diamond wire saw. What it counts is how deep the table has come, times the model's wafers of a whole batch; how many
// wafers a cut has follows from the length of its bricks and the pitch, a few more or less.
type saw struct {
	u *world.Unit
	w *world.World

	quantity, full float64 // wafers of a whole batch, table position at its end
	bricks         int     // of a batch
	seconds        float64 // ideal time of a batch

	number  int     // of the cut
	spool   int     // cuts since the wire was changed
	km      float64 // of wire left
	used    float64 // m of wire in this cut
	rollers int     // cuts since the guide rollers were changed
	breaks  int
	running bool // the wire runs
	cut     cut
}

// cut is the one that the saw is at.
type cut struct {
	from   world.Instant
	inputs []world.Portion
	wafers int
	lost   int // of them, to a break
	note   cutNote
}

// Run is the script.
func (s *saw) Run(u *world.Unit) {
	s.u, s.w = u, u.World()
	s.read()
	n, index := u.Fleet(u.Class.Name)
	if index == 0 {
		s.stocks(n)
	}
	u.Continuous() // a cut that was begun is finished; the calendar is heeded between two
	u.OnPause = func(*world.Hazard) { s.turn(false) }
	u.OnResume = func() { s.turn(s.running) }
	u.Hazards(
		world.Hazard{Category: plant.Stop, Reason: "fault", Every: 22 * time.Hour, Lasts: 40 * time.Minute, Least: 3 * time.Minute, Done: s.explain},
		world.Hazard{Category: plant.Stop, Reason: "fault", Every: 5 * time.Hour, Lasts: 70 * time.Second, Least: 15 * time.Second},
	)
	u.Standby(idleKW)
	u.Load(idleKW, 0)
	s.number, s.rollers, s.spool = 20_000+1_000*index+u.Rand().IntN(500), u.Rand().IntN(rollerCuts), u.Rand().IntN(9)
	s.km = max(leastKM, spoolKM-4.4*float64(s.spool))
	u.SetText("wire_id", s.w.Serial("WIRE"))
	s.instruments()
	s.begun()
	for {
		s.change()
		u.State(plant.Idle, "")
		u.Ready()
		s.load()
		s.warm()
		s.saw(0)
		s.finish()
	}
}

// read takes from the model what a batch is.
func (s *saw) read() {
	u, now := s.u, s.u.Now()
	s.quantity, s.full = brickMM*1000/pitchUM, 192
	if q, ok := u.BatchQuantity(u.Makes()).At(now); ok {
		s.quantity = q.Float()
	}
	if f, ok := u.Class.ProgressFull.At(now); ok {
		s.full = f.Float()
	}
	s.bricks = min(mostBricks, max(1, int(math.Round(s.quantity*pitchUM/1000/brickMM))))
	s.seconds = u.IdealSeconds(sawSeconds) * s.quantity
}

// stocks fills the stock of bricks.
func (s *saw) stocks(saws int) {
	for range saws * s.bricks * 8 {
		open(s.w, brickStock, world.Lot{ID: s.w.Serial("BRK"), Kind: "brick", Product: "brick", Quantity: world.Amount(61.52), UnitOf: "kg"}, inBrick(),
			world.BrickNote{LengthMM: brickMM})
	}
}

// begun is where the record finds the saw: somewhere in a cut.
func (s *saw) begun() {
	s.take()
	s.running = true
	s.turn(true)
	s.u.Set("cut_phase", cutting)
	s.saw(0.05 + 0.85*s.u.Rand().Float64())
	s.finish()
}

// take takes bricks, and begins a batch.
func (s *saw) take() {
	u := s.u
	s.cut = cut{}
	mm := 0.0
	for i := range mostBricks {
		name := "brick_id_" + string(rune('1'+i))
		if i >= s.bricks {
			u.SetText(name, "-")
			continue
		}
		h := s.w.Stock(brickStock).TakeLot(u)
		note, _ := h.Note.(world.BrickNote)
		s.cut.inputs = append(s.cut.inputs, world.Portion{Lot: h.Lot, Quantity: h.Quantity})
		s.cut.wafers += int(note.LengthMM * 1000 / pitchUM)
		mm += note.LengthMM / float64(s.bricks)
		u.SetText(name, h.Lot)
	}
	s.cut.from = u.Now()
	s.number++
	s.used = 0
	u.Set("cut_no", float64(s.number))
	u.Follow("table_pos_mm", world.Level(0))
	u.Set("brick_length_mm", mm)
	u.Set("wafers_expected", float64(s.cut.wafers))
}

// phase shows one and works through a part of the ideal time at a power.
func (s *saw) phase(n int, c plant.Category, part, kw float64) {
	s.u.Set("cut_phase", float64(n))
	s.u.State(c, "")
	s.u.Load(kw, 0)
	d := s.u.Spread(time.Duration(part*s.seconds*1e9), 0.06)
	s.feedWire()
	s.u.Work(d)
	s.fed(d.Seconds())
}

func (s *saw) load() {
	s.take()
	s.phase(load, plant.Setup, loadPart, idleKW+1)
}

func (s *saw) warm() {
	s.running = true
	s.turn(true)
	s.phase(warmup, plant.Run, warmupPart, 44)
}

// finish takes the wafers out, and enters the cut.
func (s *saw) finish() {
	u := s.u
	s.phase(dwell, plant.Run, dwellPart, 52)
	s.running = false
	s.turn(false)
	s.phase(retract, plant.Run, retractPart, idleKW+6)
	s.phase(unload, plant.Setup, unloadPart, idleKW+1)
	u.Load(idleKW, 0)
	s.spool++
	s.rollers++
	u.Set("guide_roller_groove_life", float64(s.rollers))
	u.SetFlag("spool_change_due", s.km < leastKM)

	c := &s.cut
	u.Set("cut_time_s", min(20_000, c.note.made.Duration().Seconds()))
	id := s.w.Serial("CUT")
	c.note.cut, c.note.saw = id, u
	good := world.Whole(c.wafers - c.lost)
	done(u, "SAWING-"+id, c.from, c.inputs, world.Lot{ID: id, Kind: "cut", Product: u.Makes(), Quantity: good, UnitOf: "wafer"}, world.Whole(c.lost))
	if note, lost := c.note, world.Whole(c.lost); lost > 0 {
		s.w.At(u.Now().Add(u.Spread(time.Hour, 0.2)), func() { found(note, "SCRAP-"+id+"-break", lost, "wire break", "saw operator") })
	}
	s.w.Stock(cutStock).Put(world.Held{Lot: id, Quantity: good, Note: c.note})
}

// change puts on new wire, or new guide rollers with it, when it is time.
func (s *saw) change() {
	u := s.u
	if s.km >= leastKM {
		return
	}
	u.Set("cut_phase", wireChange)
	lasts := 42 * time.Minute
	if s.rollers >= rollerCuts {
		s.rollers, lasts = 0, 3*time.Hour
		u.Set("guide_roller_groove_life", 0)
	}
	setup(u, "", lasts)
	s.spool, s.km = 0, spoolKM
	u.SetText("wire_id", s.w.Serial("WIRE"))
	u.SetFlag("spool_change_due", false)
	u.Follow("wire_remaining_km", world.Level(s.km))
}

// explain is what the shift writes about a long stop: the saw says no more than that it stands.
func (s *saw) explain(lasted time.Duration) {
	u := s.u
	why := []string{"coolant filter", "guide roller bearing", "wire tension control", "loading robot", "door switch"}
	s.w.AddRecord(record.Record{
		Kind: record.DowntimeReason, ID: s.w.Serial("STOP-" + u.ID), Unit: u.ID, From: u.Now().Add(-lasted), To: u.Now(), Reach: u.Now(),
		Reason: why[u.Rand().IntN(len(why))],
	}, "shift", "")
}

// worn says how worn the wire web is: 0 to about 1.
func (s *saw) worn() float64 { return min(1, float64(s.spool)/9) }

// saw moves the table down, from a part of its way on.
func (s *saw) saw(part float64) {
	u, c := s.u, &s.cut
	u.Set("cut_phase", cutting)
	u.State(plant.Run, "")
	c.note.marks = u.Vary(0.25+0.35*s.worn(), 0.25)
	c.note.made.From = u.Now()
	pieces := s.strokes()
	breaks := -1
	if u.Rand().Float64() < 0.015+0.03*s.worn() {
		breaks = u.Rand().IntN(len(pieces))
	}
	at := 0.0
	for i, x := range pieces {
		from := max(at, part*s.full)
		at += x.mm
		if from >= at {
			continue
		}
		if i == breaks {
			s.snap()
		}
		s.down(from, at, x.mm/x.seconds, x.hard)
	}
	c.note.made.To = u.Now()
}

// stroke is a stretch of the table's way.
type stroke struct{ mm, seconds, hard float64 }

// strokes divide a cut: slow at entry and exit, where the web of wire has no hold.
func (s *saw) strokes() []stroke {
	const middle = 8
	entry, exit := s.full*0.04, s.full*0.06
	out := []stroke{{mm: entry, seconds: entry / 0.55, hard: 0.75}}
	for range middle {
		mm := (s.full - entry - exit) / middle
		out = append(out, stroke{mm: mm, seconds: mm / s.u.Vary(1, 0.02), hard: s.u.Vary(1+0.04*s.worn(), 0.015)})
	}
	out = append(out, stroke{mm: exit, seconds: exit / 0.7, hard: 0.85})
	sum, fastest := 0.0, 0.0 // fastest: mm/s
	for _, x := range out {
		sum += x.seconds
		fastest = max(fastest, x.mm/x.seconds)
	}
	whole := s.u.Vary(cuttingPart*s.seconds*(1+0.04*s.worn()), 0.01)
	longer := max(whole/sum, fastest*s.seconds/s.full/0.995)
	for i := range out {
		out[i].seconds *= longer
	}
	return out
}

// down moves the table from one position to another.
func (s *saw) down(from, to, mmPerSecond, hard float64) {
	u := s.u
	u.Follow("table_pos_mm", world.Line(from, mmPerSecond))
	s.cuts(mmPerSecond*60, hard)
	kw := kwhPerWafer * s.quantity / (cuttingPart * s.seconds / 3600) * hard
	if rated, ok := u.RatedKW.At(u.Now()); ok {
		kw = min(kw, 0.95*rated.Float())
	}
	u.Load(kw, 0)
	s.feedWire()
	u.Make((to-from)/s.full*s.quantity, mmPerSecond/s.full*s.quantity, 0)
	s.fed((to - from) / mmPerSecond)
	u.Follow("table_pos_mm", world.Level(to))
}

// snap is a break of the wire: find the end, thread it, go on. Some wafers are lost, the others get marks.
func (s *saw) snap() {
	u := s.u
	s.breaks++
	u.Set("wire_break_count", float64(s.breaks))
	u.Set("cut_phase", wireBreak)
	u.SetFlag("jump_wire_alarm", true)
	part := 0.02 + 0.06*u.Rand().Float64()
	if u.Rand().Float64() < 0.15 {
		part = 0.25 + 0.35*u.Rand().Float64()
	}
	s.cut.lost = int(part * float64(s.cut.wafers))
	s.cut.note.marks += 0.6
	u.Pause(&world.Hazard{Category: plant.Stop, Reason: "wire break"}, u.Spread(65*time.Minute, 0.2))
	u.SetFlag("jump_wire_alarm", false)
	u.Set("cut_phase", cutting)
}
