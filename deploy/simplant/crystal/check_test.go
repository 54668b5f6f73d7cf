package crystal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
	"kvarts/historian/record"
)

// checkLots: what goes in comes out, to the gram; nothing is taken before it was made, or twice.
func checkLots(t *testing.T, w *world.World, b *book) {
	t.Helper()
	made, taken := map[string]bool{}, map[string]world.Quantity{}
	last := map[string]time.Time{}
	for _, s := range b.steps {
		var in, out world.Quantity
		for _, p := range s.Inputs {
			l, ok := b.lots[p.Lot]
			if !ok || p.Quantity <= 0 || !made[p.Lot] && l.Embodied == nil && l.Kind != "harvest" {
				t.Fatalf("%s takes %s %s, which is not there (yet)", s.ID, p.Quantity, p.Lot)
			}
			if taken[p.Lot] += p.Quantity; taken[p.Lot] > l.Quantity {
				t.Errorf("%s: %s were taken of %s, which had %s", s.ID, taken[p.Lot], p.Lot, l.Quantity)
			}
			in += p.Quantity
		}
		for _, p := range s.Outputs {
			if l, ok := b.lots[p.Lot]; !ok || l.Quantity != p.Quantity || p.Quantity <= 0 || made[p.Lot] {
				t.Errorf("%s makes %s of %s, a lot of %s", s.ID, p.Quantity, p.Lot, b.lots[p.Lot].Quantity)
			}
			made[p.Lot] = true
			out += p.Quantity
		}
		if in != out {
			t.Errorf("%s takes %s and makes %s", s.ID, in, out)
		}
		if s.To.Before(s.From) || s.From.Before(last[s.Unit]) {
			t.Errorf("%s: from %s to %s, after one that ends at %s", s.ID, s.From, s.To, last[s.Unit])
		}
		last[s.Unit] = s.To
	}
	stocked := w.Stock("brick").Have()
	if bricks := sum(b, "brick", made) - taken0(b, "brick", taken); bricks != stocked {
		t.Errorf("%s of bricks in the book, %s on stock", bricks, stocked)
	}
	if len(b.steps) < 20 {
		t.Errorf("only %d steps", len(b.steps))
	}
}

// sum is the quantity of all lots of a kind that a step made.
func sum(b *book, kind string, made map[string]bool) (q world.Quantity) {
	for id, l := range b.lots {
		if l.Kind == kind && made[id] {
			q += l.Quantity
		}
	}
	return q
}

func taken0(b *book, kind string, taken map[string]world.Quantity) (q world.Quantity) {
	for id, n := range taken {
		if b.lots[id].Kind == kind {
			q += n
		}
	}
	return q
}

// figures of a class's units over all segments.
type figures struct {
	pieces, kwh, hours, run, idle float64
}

func figuresOf(w *world.World, class string) (f figures, each []figures) {
	for _, u := range w.Units() {
		if u.Class.Name != class {
			continue
		}
		one := figures{kwh: u.EnergyNow()}
		for _, s := range u.Segments() {
			h := s.Duration().Hours()
			one.hours += h
			one.pieces += s.Total * h * 3600
			switch s.Category {
			case plant.Run:
				one.run += h
			case plant.Idle, plant.Planned:
				one.idle += h
			}
		}
		f.pieces, f.kwh, f.hours, f.run, f.idle = f.pieces+one.pieces, f.kwh+one.kwh, f.hours+one.hours, f.run+one.run, f.idle+one.idle
		each = append(each, one)
	}
	return f, each
}

// checkScrap: what is found later was made by the unit that it is said of.
func checkScrap(t *testing.T, w *world.World, b *book) {
	t.Helper()
	kinds := map[string]int{}
	ids := map[string]bool{}
	for _, r := range b.records {
		if err := r.Check(); err != nil || ids[r.ID] {
			t.Errorf("record %s, known before: %v: %v", r.ID, ids[r.ID], err)
		}
		ids[r.ID] = true
		u, ok := w.Unit(r.Unit)
		if !ok {
			t.Fatalf("record %s is of unit %q", r.ID, r.Unit)
		}
		if kg := madeIn(u, calendar.Interval{From: r.From, To: r.To}); kg+0.01 < r.Quantity.Float() {
			t.Errorf("record %s says %s kg, but %v were made in %s to %s", r.ID, r.Quantity, kg, r.From, r.To)
		}
		if late := r.ReportedAt.Sub(r.To); late < 20*time.Minute || late > 72*time.Hour {
			t.Errorf("record %s is reported %s later", r.ID, late)
		}
		kinds[r.Reason]++
	}
	t.Log(kinds)
	for _, reason := range []string{"crown", "tail"} {
		if kinds[reason] < 10 {
			t.Errorf("only %d records of a %s", kinds[reason], reason)
		}
	}
	if len(w.Units()) > 100 && (kinds["structure loss"] < 10 || kinds["resistivity out of specification"] < 10) {
		t.Errorf("records by reason: %v", kinds)
	}
}

// madeIn is what the truth says that a unit made.
func madeIn(u *world.Unit, v calendar.Interval) (pieces float64) {
	for _, s := range u.Segments() {
		pieces += s.Total * s.Meet(v).Duration().Seconds()
	}
	return pieces
}

func checkFigures(t *testing.T, w *world.World, b *book) {
	t.Helper()
	cz, pullers := figuresOf(w, "cz_puller")
	scrap := 0.0
	for _, r := range b.records {
		scrap += r.Quantity.Float()
	}
	between(t, "kWh per kg of boule", cz.kwh/cz.pieces, 25, 34)
	between(t, "kg a day of a puller", cz.pieces/cz.hours*24, 150, 190)
	between(t, "OEE of the pullers", (cz.pieces-scrap)*432/3600/cz.hours, 0.68, 0.88)
	between(t, "availability of the pullers", cz.run/cz.hours, 0.9, 0.99)
	for i, one := range pullers {
		between(t, fmt.Sprintf("kWh per kg of puller %d", i), one.kwh/one.pieces, 23, 38)
	}
	bm, _ := figuresOf(w, "brick_machine")
	brick, ingot := world.Quantity(0), world.Quantity(0)
	for _, s := range b.steps {
		if !strings.HasPrefix(s.ID, "CROPPING") {
			continue
		}
		ingot += s.Inputs[0].Quantity
		for _, o := range s.Outputs {
			if b.lots[o.Lot].Kind == "brick" {
				brick += o.Quantity
			}
		}
	}
	between(t, "brick per ingot", brick.Float()/ingot.Float(), 0.54, 0.63)
	between(t, "kWh per kg of brick", bm.kwh/brick.Float(), 0.75, 1.15)
	t.Logf("brick machines run %.2f, idle %.2f; on stock off-cuts %s, ingots %s, poly %s", bm.run/bm.hours, bm.idle/bm.hours,
		w.Stock("offcut").Have(), w.Stock("ingot").Have(), w.Stock("poly").Have())
}

func checkSignals(t *testing.T, s *watcher) {
	t.Helper()
	if s.balance > 0.03 {
		t.Errorf("crystal and melt differ from the charge by %v kg", s.balance)
	}
	for _, want := range []string{"cz_puller run ", "cz_puller setup ", "cz_puller stop fault", "brick_machine stop tool", "brick_machine run "} {
		if !s.reasons[want] {
			t.Errorf("nothing was %q: %v", want, reasonsOf(s))
		}
	}
}

// checkReasons: what people say about a stop is of a stop.
func checkReasons(t *testing.T, w *world.World, b *book) {
	t.Helper()
	for _, r := range b.stops {
		u, _ := w.Unit(r.Unit)
		if err := r.Check(); err != nil || r.Kind != record.DowntimeReason || u == nil {
			t.Fatalf("record %s of %s: %v", r.ID, r.Unit, err)
		}
		stood := time.Duration(0)
		for _, s := range u.Segments() {
			if s.Category == plant.Stop {
				stood += s.Meet(calendar.Interval{From: r.From, To: r.To}).Duration()
			}
		}
		if stood != r.To.Sub(r.From) {
			t.Errorf("%s says %s from %s to %s, of which %s were a stop", r.ID, r.Reason, r.From, r.To, stood)
		}
	}
	if len(b.stops) == 0 {
		t.Error("nobody says why anything stood")
	}
}

// checkPace: nothing is made faster than the model's ideal says.
func checkPace(t *testing.T, w *world.World) {
	t.Helper()
	for _, u := range w.Units() {
		product, _ := u.Product.At(start)
		least, ok := u.Ideal(product).At(start)
		if !ok || !ours(u) {
			continue
		}
		for _, s := range u.Segments() {
			if s.Total*least.Float() > 1 {
				t.Fatalf("%s makes a piece in %v s at %s, the ideal is %v s", u.ID, 1/s.Total, s.From, least)
			}
		}
	}
}
