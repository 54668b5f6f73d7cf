package upstream_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/simplant/upstream"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

const hour = time.Hour

// between complains when x is not in [low, high].
func between(t *testing.T, what string, x, low, high float64) {
	t.Helper()
	if math.IsNaN(x) || x < low || x > high {
		t.Errorf("%s is %.4g, not within %g and %g", what, x, low, high)
	}
}

// energy and time of each unit are believable.
func energy(t *testing.T, w *world.World, _ *book, _ *tally) {
	for _, u := range driven(w) {
		l := live(u)
		product, _ := u.Product.At(w.Now())
		ideal, ok := u.Ideal(product).At(w.Now())
		switch u.Class.Name {
		case "arc_furnace":
			between(t, u.ID+" kWh/kg", l.kwh/l.pieces, 11.2, 12.8)
			between(t, u.ID+" availability", l.run/l.all, 0.8, 0.999)
			between(t, u.ID+" OEE", l.pieces*ideal.Float()/l.all, 0.75, 0.97)
		case "siemens_reactor":
			between(t, u.ID+" kWh/kg", l.kwh/l.pieces, 50, 66)
			between(t, u.ID+" availability", l.run/l.all, 0.75, 0.97)
			between(t, u.ID+" OEE", l.pieces*ideal.Float()/l.all, 0.55, 1.05) // two weeks are a little more than two batches
		case "tcs_unit":
			between(t, u.ID+" availability", l.run/l.all, 0.75, 0.999)
			if ok {
				between(t, u.ID+" OEE", l.pieces*ideal.Float()/l.all, 0.7, 0.97)
			}
		}
	}
}

// batches need about 60 kWh per kilogram, and six days.
func batches(t *testing.T, w *world.World, b *book, all *tally) {
	for i := range b.steps {
		s := &b.steps[i]
		u, _ := w.Unit(s.Unit)
		if u.Class.Name != "siemens_reactor" || s.From.Equal(s.To) || s.From.Equal(begin(t).Time()) {
			continue
		}
		kwh := 0.0
		for _, x := range u.Segments() {
			if !x.From.Time().Before(s.From) && !x.To.Time().After(s.To) {
				sec := x.Duration().Seconds()
				kwh += (x.KW*sec + x.Slope*sec*sec/2) / 3600
			}
		}
		kg := s.Outputs[0].Quantity.Float()
		if kg < 5000 {
			continue // ended early
		}
		all.whole++
		between(t, s.ID+" kWh/kg", kwh/kg, 52, 63)
		between(t, s.ID+" hours", s.To.Sub(s.From).Hours(), 125, 190)
	}
}

// reasons of stops are those of the model.
func reasons(t *testing.T, w *world.World, _ *book, all *tally) {
	for _, u := range driven(w) {
		codes, _ := u.States.At(w.Now())
		for _, s := range u.Segments() {
			if s.Category != plant.Stop {
				continue
			}
			all.stops[u.Class.Name+" "+s.Reason] = true
			known := false
			for _, m := range codes {
				known = known || m.Category == plant.Stop && m.Reason == s.Reason
			}
			if !known {
				t.Errorf("%s stops for %q", u.ID, s.Reason)
			}
		}
	}
}

// slow looks at the counters, the progress and some of all else each ten minutes: so that days pass quickly.
func slow(u *world.Unit, s *plant.Signal) time.Duration {
	c := u.Class
	switch {
	case s.Kind == plant.State || s.Kind == plant.Text:
		return 0
	case upstream.Process(u) != nil && (s == c.Total || s == c.Energy || s == c.Progress || s == c.Power):
		return 10 * time.Minute
	default:
		return 6 * time.Hour
	}
}

func TestProgressAndCounters(t *testing.T) {
	for seed := range uint64(3) {
		w := newWorld(t, models()["demo"], seed)
		var b book
		o := b.observer()
		batch, last, shown := map[string]string{}, map[string]float64{}, map[string]float64{}
		batches := 0
		o.Sample = func(s *world.Sample) {
			c, id := s.Unit.Class, s.Unit.ID
			if upstream.Process(s.Unit) == nil {
				return
			}
			if s.Status != 0 {
				t.Errorf("%s.%s: status %X", id, s.Signal.Name, s.Status)
			}
			switch s.Signal {
			case c.Batch:
				if text := s.Value.String(); c.Progress != nil && text != batch[id] {
					batch[id], last[id] = text, 0
					batches++
				}
			case c.Progress:
				if v := s.Value.Float(); v < last[id] {
					t.Errorf("%s: progress of %s falls from %v to %v", id, batch[id], last[id], v)
				} else {
					last[id] = v
				}
			case c.Total, c.Energy:
				key := id + s.Signal.Name
				if v := s.Value.Float(); v < shown[key] {
					t.Errorf("%s falls from %v to %v", key, shown[key], v)
				} else {
					shown[key] = v
				}
			}
		}
		w.Observe(o, slow)
		advance(t, w, 14*day)
		if batches < 4 {
			t.Errorf("%d batches", batches)
		}
		metal := 0.0
		for _, l := range b.lots {
			if l.Kind == "mg" && len(l.Embodied) == 0 {
				metal += l.Quantity.Float()
			}
		}
		if got := shown["SAF-1tapped_total_kg"]; math.Abs(got-metal) > 0.01 {
			t.Errorf("the counter of the furnace shows %v kg, the lots are %v kg", got, metal)
		}
	}
}

// What instruments show lies within their ranges by itself while a machine runs as usual, not only because they end there.
func TestLevels(t *testing.T) {
	cold := func(name string) bool { return strings.HasPrefix(name, "rod_surface_temp_") || name == "mol_ratio" }
	w := newWorld(t, models()["1gw"], 5)
	highest := map[string]float64{}
	for at := time.Duration(0); at < 8*day; at += 37 * time.Minute {
		advance(t, w, at)
		for _, u := range driven(w) {
			if u.Category() != plant.Run {
				continue
			}
			for i := range u.Class.Signals {
				s := &u.Class.Signals[i]
				v := u.Truth(s.Name)
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("%s.%s is %v", u.ID, s.Name, v)
				}
				highest[s.Name] = max(highest[s.Name], v)
				if s.Range != nil && v != 0 && !cold(s.Name) && (v < s.Range.Low.Float() || v > s.Range.High.Float()) {
					t.Errorf("%s.%s is %v, not within %v and %v", u.ID, s.Name, v, s.Range.Low, s.Range.High)
				}
			}
		}
	}
	for name, safe := range map[string]float64{"cooling_water_delta_t_shell_k": 10, "co_ppm": 150, "ground_fault_ma": 100, "h2_leak_ppm": 200} {
		between(t, "highest "+name, highest[name], 0.1, safe)
	}
	between(t, "highest rod_current_1_a", highest["rod_current_1_a"], 2500, 3500)
	between(t, "highest est_rod_diameter_mm", highest["est_rod_diameter_mm"], 150, 180)
}

// Power, current and resistance of the furnace belong together.
func TestOhm(t *testing.T) {
	w := newWorld(t, models()["1gw"], 6)
	u, _ := w.Unit("SAF-1")
	for at := hour; at < 2*day; at += 5 * hour {
		advance(t, w, at)
		if u.Category() != plant.Run {
			continue
		}
		kw := 0.0
		for _, e := range []string{"a", "b", "c"} {
			ka, r := u.Truth("current_"+e+"_ka"), u.Truth("operating_resistance_"+e+"_mohm")
			kw += ka * ka * r
		}
		if math.Abs(kw/u.LoadNow()-1) > 0.03 {
			t.Errorf("%.0f kW by I²R, the meter says %.0f", kw, u.LoadNow())
		}
	}
}

func TestStepsChangeNothing(t *testing.T) {
	type entry struct {
		at     world.Instant
		signal string
		value  telemetry.Value
	}
	diary := func(seed uint64, step time.Duration) []entry {
		w := newWorld(t, models()["demo"], seed)
		var out []entry
		w.Observe(world.Observer{Sample: func(s *world.Sample) {
			if s.Unit.Class.Energy != nil && s.Unit.Class.State != nil {
				out = append(out, entry{s.At, s.Unit.ID + "." + s.Signal.Name, s.Value})
			}
		}}, slow)
		for at := time.Duration(0); at < 3*day; {
			at = min(3*day, at+step)
			advance(t, w, at)
		}
		return out
	}
	whole := diary(1, 3*day)
	if len(whole) < 5_000 {
		t.Fatalf("only %d entries", len(whole))
	}
	if !slices.Equal(whole, diary(1, 97*time.Second)) {
		t.Error("small steps give another plant")
	}
	if slices.Equal(whole, diary(2, 3*day)) {
		t.Error("another seed gives the same plant")
	}
}
