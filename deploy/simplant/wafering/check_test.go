package wafering_test

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
	"kvarts/historian/record"
)

func checkLots(t *testing.T, w *world.World, x *watcher) {
	made, taken, last := map[string]bool{}, map[string]world.Quantity{}, map[string]time.Time{}
	for _, s := range x.steps {
		var in, out world.Quantity
		for _, p := range s.Inputs {
			l, ok := x.lots[p.Lot]
			if !ok || p.Quantity <= 0 || !made[p.Lot] && l.Embodied == nil && l.Why == "" {
				t.Fatalf("%s takes %s %s, which is not there (yet)", s.ID, p.Quantity, p.Lot)
			}
			if taken[p.Lot] += p.Quantity; taken[p.Lot] != l.Quantity {
				t.Errorf("%s: %s were taken of %s, which had %s", s.ID, taken[p.Lot], p.Lot, l.Quantity)
			}
			in += p.Quantity
		}
		for _, p := range s.Outputs {
			if l, ok := x.lots[p.Lot]; !ok || l.Quantity != p.Quantity || p.Quantity <= 0 || made[p.Lot] {
				t.Errorf("%s makes %s of %s, a lot of %s", s.ID, p.Quantity, p.Lot, x.lots[p.Lot].Quantity)
			}
			made[p.Lot] = true
			out += p.Quantity
		}
		if !strings.HasPrefix(s.ID, "SAWING") && in != out {
			t.Errorf("%s takes %s and makes %s", s.ID, in, out)
		}
		if mm := in.Float() / 0.0769; strings.HasPrefix(s.ID, "SAWING") && math.Abs(out.Float()-mm*1000/182) > 4 {
			t.Errorf("%s makes %s wafers of %.1f mm", s.ID, out, mm)
		}
		if s.To.Before(s.From) || s.From.Before(last[s.Unit]) {
			t.Errorf("%s: from %s to %s, after one that ends at %s", s.ID, s.From, s.To, last[s.Unit])
		}
		last[s.Unit] = s.To
	}
	var wafers world.Quantity
	for id := range made {
		if l := x.lots[id]; l.Kind == "wafer" && l.Product != "broken wafers" {
			wafers += l.Quantity
			if l.WpNominal == nil || math.Abs(l.WpNominal.Float()/l.Quantity.Float()-8.25) > 1e-6 {
				t.Errorf("%s has %v watts", id, l.WpNominal)
			}
		}
	}
	if have := w.Stock("wafer").Have(); have != wafers || wafers == 0 {
		t.Errorf("%s wafers in the book, %s on stock", wafers, have)
	}
}

func checkScrap(t *testing.T, w *world.World, x *watcher) {
	cuts := map[string]world.Step{}
	for _, s := range x.steps {
		if strings.HasPrefix(s.ID, "SAWING-") {
			cuts[strings.TrimPrefix(s.ID, "SAWING-")] = s
		}
	}
	kinds := map[string]int{}
	for _, r := range x.records {
		if err := r.Check(); err != nil {
			t.Errorf("record %s: %v", r.ID, err)
		}
		cut := strings.TrimPrefix(r.Why, "wafers of cut ")
		s, ok := cuts[cut]
		if !ok || s.Unit != r.Unit || r.From.Time().Before(s.From) || r.To.Time().After(s.To) {
			t.Errorf("record %s is of %s, %s to %s: no cut", r.ID, r.Unit, r.From, r.To)
		}
		if late := r.ReportedAt.Sub(r.To); late < 30*time.Minute || late > 48*time.Hour || r.KnownAt > r.ReportedAt || r.KnownAt < r.ReportedAt-1000 {
			t.Errorf("record %s is reported %s after the cut, and known at %s", r.ID, late, r.KnownAt)
		}
		kinds[r.Reason]++
	}
	t.Log(kinds)
	if kinds["saw marks"] < 50 || kinds["thickness"] < 50 || kinds["wire break"] == 0 && len(cuts) > 300 {
		t.Errorf("records by reason: %v", kinds)
	}
}

// figures of all units of a class.
type figures struct{ pieces, scrap, kwh, hours, run, planned float64 }

func figuresOf(w *world.World, class string) (f figures) {
	for _, u := range w.Units() {
		if u.Class.Name != class {
			continue
		}
		f.kwh += u.EnergyNow()
		for _, s := range u.Segments() {
			h := s.Duration().Hours()
			f.hours += h
			f.pieces += s.Total * h * 3600
			f.scrap += s.Scrap * h * 3600
			switch s.Category {
			case plant.Run:
				f.run += h
			case plant.Planned:
				f.planned += h
			}
		}
	}
	return f
}

func checkFigures(t *testing.T, w *world.World, x *watcher) {
	ideal := func(class string) float64 {
		for _, u := range w.Units() {
			if u.Class.Name == class {
				s, _ := u.Ideal("M10").At(start)
				return s.Float()
			}
		}
		return 0
	}
	f := figuresOf(w, "wire_saw")
	late := 0.0
	for _, r := range x.records {
		late += r.Quantity.Float()
	}
	between(t, "kWh per wafer", f.kwh/f.pieces, 0.055, 0.068)
	between(t, "OEE of the saws", (f.pieces-late)*ideal("wire_saw")/3600/(f.hours-f.planned), 0.5, 0.85)
	between(t, "availability of the saws", f.run/(f.hours-f.planned), 0.5, 0.92)
	between(t, "late scrap", late/f.pieces, 0.005, 0.04)
	f = figuresOf(w, "clean_line")
	between(t, "OEE of the cleaning lines", (f.pieces-f.scrap)*ideal("clean_line")/3600/f.hours, 0.3, 0.9)
	between(t, "breakage", f.scrap/f.pieces, 0.015, 0.025)
	f = figuresOf(w, "wafer_sorter")
	between(t, "OEE of the sorters", (f.pieces-f.scrap)*ideal("wafer_sorter")/3600/f.hours, 0.3, 0.85)
	between(t, "rejects", f.scrap/f.pieces, 0.01, 0.04)
	t.Logf("on stock %s kg of bricks, %s cut and %s cleaned wafers", w.Stock("brick").Have(), w.Stock("cutwafer").Have(), w.Stock("cleanwafer").Have())
}

func checkStates(t *testing.T, x *watcher) {
	t.Helper()
	if x.rolled != 2 {
		t.Errorf("%d counters rolled over, want 2", x.rolled)
	}
	for _, want := range []string{
		"wire_saw run ", "wire_saw setup ", "wire_saw planned ", "wire_saw stop fault", "wire_saw stop wire break",
		"clean_line run Execute", "clean_line idle Idle", "clean_line stop stopped", "wafer_sorter run Execute", "wafer_sorter idle Idle",
		"wafer_sorter code 0", "wafer_sorter code 11", "wafer_sorter code 12", "wafer_sorter code 14",
	} {
		if !x.reasons[want] {
			t.Errorf("nothing was %q: %v", want, slices.Sorted(maps.Keys(x.reasons)))
		}
	}
}

// checkReasons: what people say about a stop is of a stop.
func checkReasons(t *testing.T, w *world.World, x *watcher) {
	t.Helper()
	for _, r := range x.stops {
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
	if len(x.stops) == 0 {
		t.Error("nobody says why anything stood")
	}
}

// checkPace: nothing is made faster than the model's ideal says.
func checkPace(t *testing.T, w *world.World) {
	t.Helper()
	for _, u := range w.Units() {
		product, _ := u.Product.At(start)
		least, ok := u.Ideal(product).At(start)
		if !ok || !isOurs(u) {
			continue
		}
		for _, s := range u.Segments() {
			if s.Total*least.Float() > 1 {
				t.Fatalf("%s makes a piece in %v s at %s, the ideal is %v s", u.ID, 1/s.Total, s.From, least)
			}
		}
	}
}
