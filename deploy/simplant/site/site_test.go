package site_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"kvarts/configs/plants"
	"kvarts/deploy/simplant/site"
	"kvarts/deploy/simplant/upstream"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
	"kvarts/historian/record"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	hour = time.Hour
	day  = 24 * hour
)

// scripts are those of the furnace and reactors, and of the site for all else.
func scripts(u *world.Unit) world.Process {
	if p := upstream.Process(u); p != nil {
		return p
	}
	return site.Process(u)
}

func begin(t *testing.T) world.Instant {
	t.Helper()
	at, err := calendar.ParseTime("2026-11-02T07:00:00+05:00", nil)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func newWorld(t *testing.T, text []byte, seed uint64) *world.World {
	t.Helper()
	m, err := plant.Parse("model.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Options{Model: m, Seed: seed, Start: begin(t), KeepSegments: true, Process: scripts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func advance(t *testing.T, w *world.World, d time.Duration) {
	t.Helper()
	if err := w.Advance(begin(t).Add(d)); err != nil {
		t.Fatal(err)
	}
}

func meters(w *world.World) []*world.Unit {
	var out []*world.Unit
	for _, u := range w.Units() {
		if u.Meter != "" {
			out = append(out, u)
		}
	}
	return out
}

// own is the energy in kWh of the unit alone, without what it measures.
func own(u *world.Unit) float64 {
	kwh := 0.0
	for _, s := range u.Segments() {
		sec := s.Duration().Seconds()
		kwh += (s.KW*sec + s.Slope*sec*sec/2) / 3600
	}
	return kwh
}

// Every kilowatt hour goes through the incomer once, and through a meter no less than through those below it.
func TestTheIncomerMeasuresAll(t *testing.T) {
	for name, text := range map[string][]byte{"demo": plants.Demo, "1gw": plants.OneGW, "2gw": plants.TwoGW} {
		w := newWorld(t, text, 7)
		advance(t, w, 2*day)
		all, losses := 0.0, 0.0
		for _, u := range w.Units() {
			all += own(u)
		}
		top, ok := w.Unit("EM-SITE")
		if !ok {
			t.Fatalf("%s: no EM-SITE", name)
		}
		if got := top.EnergyNow(); math.Abs(got-all) > 1e-3 {
			t.Errorf("%s: the incomer counted %.3f kWh, all machines and meters used %.3f", name, got, all)
		}
		for _, u := range meters(w) {
			checkBelow(t, w, u)
			losses += own(u)
		}
		if part := losses / all; part < 0.01 || part > 0.2 {
			t.Errorf("%s: losses and utilities are %.1f %% of all", name, 100*part)
		}
	}
}

// checkBelow compares a meter with those below it and with the registers behind it.
func checkBelow(t *testing.T, w *world.World, u *world.Unit) {
	t.Helper()
	m, _ := w.Model().Meter(u.Meter)
	below := 0.0
	for _, c := range w.Model().Meters {
		if c.Parent == m.ID {
			o, _ := w.Unit(c.Source)
			below += o.EnergyNow()
		}
	}
	if m.Kind == plant.Direct {
		o, _ := w.Unit(m.Units[0])
		if u.EnergyNow() != o.EnergyNow() {
			t.Errorf("%s counted %v kWh of %s, which used %v", m.ID, u.EnergyNow(), o.ID, o.EnergyNow())
		}
		return
	}
	for _, id := range m.Behind {
		if o, _ := w.Unit(id); !slices.ContainsFunc(w.Model().Meters, func(c *plant.Meter) bool { return c.Parent == m.ID && slices.Contains(c.Behind, id) }) {
			below += o.EnergyNow()
		}
	}
	if u.EnergyNow() < below || below > 0 && u.EnergyNow() == below {
		t.Errorf("%s counted %.3f kWh, and %.3f kWh are below it", m.ID, u.EnergyNow(), below)
	}
}

// reading is what a meter's register showed.
type reading struct {
	at   world.Instant
	kwh  float64
	used float64 // in truth, since the begin
}

// registers reads all registers each ten minutes.
func registers(t *testing.T, w *world.World, d time.Duration) (map[string][]reading, []record.Record) {
	t.Helper()
	read := map[string][]reading{}
	var entered []record.Record
	w.Observe(world.Observer{
		Sample: func(s *world.Sample) {
			if s.Signal == s.Unit.Class.Energy {
				read[s.Unit.ID] = append(read[s.Unit.ID], reading{s.At, s.Value.Float(), s.Unit.EnergyNow()})
			}
		},
		Record: func(r *record.Record) { entered = append(entered, *r) },
	}, func(_ *world.Unit, s *plant.Signal) time.Duration {
		if s.Kind == plant.State || s.Kind == plant.Text {
			return 0
		}
		return 10 * time.Minute
	})
	advance(t, w, d)
	return read, entered
}

// A register falls only where it rolls over, and at the one meter that is replaced; with both taken into account it counted what
// was used.
func TestRegisters(t *testing.T) {
	for seed := range uint64(4) {
		w := newWorld(t, plants.Demo, seed)
		read, entered := registers(t, w, 7*day)
		entered = slices.DeleteFunc(entered, func(r record.Record) bool { return r.Kind != record.CounterSwap })
		if len(entered) != 1 {
			t.Fatalf("seed %d: %d meters were replaced", seed, len(entered))
		}
		swap := entered[0]
		if err := swap.Check(); err != nil {
			t.Error(err)
		}
		if late := swap.KnownAt - swap.From; late < 10*60e9 || late > 2*3600e9 || swap.From < begin(t).Add(day) || swap.From > begin(t).Add(6*day) {
			t.Errorf("replaced at %s, known at %s", swap.From, swap.KnownAt)
		}
		rolled := 0
		for id, all := range read {
			u, _ := w.Unit(id)
			rule, _ := u.Class.Energy.Rules.At(begin(t))
			sum := 0.0
			for i := 1; i < len(all); i++ {
				d := all[i].kwh - all[i-1].kwh
				switch {
				case id == swap.Unit && all[i-1].at < swap.From && all[i].at >= swap.From:
					d = swap.Final.Float() - all[i-1].kwh + all[i].kwh - swap.Initial.Float()
				case d < 0 && rule.Kind == plant.Rollover:
					d += rule.Modulus.Float()
					rolled++
				}
				if d < 0 || d > 12*600 {
					t.Errorf("seed %d: %s goes from %v to %v", seed, id, all[i-1], all[i])
				}
				sum += d
			}
			if used := all[len(all)-1].used - all[0].used; math.Abs(used-sum) > 0.03 { // a register shows hundredths, and four readings are cut
				t.Errorf("seed %d: %s counted %.3f kWh, %.3f were used", seed, id, sum, used)
			}
		}
		if rolled == 0 {
			t.Errorf("seed %d: no register rolled over", seed)
		}
	}
}

// P = √3·U·I·PF, as one who measures at the terminals would find it.
func TestElectricalValues(t *testing.T) {
	w := newWorld(t, plants.OneGW, 2)
	for at := hour; at < day; at += 7 * hour {
		advance(t, w, at)
		for _, u := range meters(w) {
			factor, watts := u.Truth("power_factor"), 0.0
			for _, l := range []string{"l1", "l2", "l3"} {
				watts += u.Truth("voltage_"+l+"_v") * u.Truth("current_"+l+"_a") * factor
			}
			kw, q, s := u.LoadNow(), u.Truth("reactive_power_kvar"), u.Truth("apparent_power_kva")
			if math.Abs(watts/1000-kw) > 1e-6*(1+kw) || math.Abs(math.Hypot(kw, q)-s) > 1e-6*(1+s) {
				t.Errorf("%s: %.3f kW, by voltage and current %.3f; %.3f kvar and %.3f kVA", u.ID, kw, watts/1000, q, s)
			}
			if f := u.Truth("frequency_hz"); f < 49.9 || f > 50.1 {
				t.Errorf("%s: %v Hz", u.ID, f)
			}
		}
	}
}

// Utilities draw more while more is made.
func TestUtilitiesFollowProduction(t *testing.T) {
	w := newWorld(t, plants.Demo, 3)
	u, _ := w.Unit("EM-UTIL")
	m, _ := w.Model().Meter(u.Meter)
	var x, y []float64
	for at := hour; at < 7*day; at += hour {
		advance(t, w, at)
		served := 0.0
		for _, id := range m.Units {
			o, _ := w.Unit(id)
			served += o.LoadNow()
		}
		x, y = append(x, served), append(y, u.LoadNow())
	}
	if r := correlation(x, y); r < 0.8 {
		t.Errorf("correlation of utilities with the load of what they serve is %.2f", r)
	}
}

func correlation(x, y []float64) float64 {
	var mx, my, xy, xx, yy float64
	for i := range x {
		mx, my = mx+x[i]/float64(len(x)), my+y[i]/float64(len(y))
	}
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		xy, xx, yy = xy+dx*dy, xx+dx*dx, yy+dy*dy
	}
	return xy / math.Sqrt(xx*yy)
}

// A station of utilities moves more while more of the plant runs, with more drives, and its power is that of its drives.
func TestStations(t *testing.T) {
	w := newWorld(t, plants.OneGW, 5)
	var stations []*world.Unit
	for _, u := range w.Units() {
		if u.Class.Name == "utility" {
			stations = append(stations, u)
		}
	}
	if len(stations) < 10 {
		t.Fatalf("%d stations", len(stations))
	}
	for at := hour; at < 3*day; at += 5 * hour {
		advance(t, w, at)
		for _, u := range stations {
			kw := 0.0
			for i := range 8 {
				kw += math.Sqrt(3) * 0.4 * 0.86 * u.Truth(fmt.Sprintf("drive_%d_current_a", i+1))
			}
			got, flow := u.Truth("power_kw"), u.Truth("flow_m3_per_h")
			if math.Abs(got-kw) > 1e-6*got || got <= 0 || got > 2000 || flow <= 0 || flow > 5000 {
				t.Errorf("%s: %.1f kW, by its drives %.1f, at %.0f m³/h", u.ID, got, kw, flow)
			}
		}
	}
}

// A machine that nobody wrote a script for works, stops for reasons that its model has, and makes some scrap.
func TestOtherMachines(t *testing.T) {
	w := newWorld(t, plants.Demo, 4)
	advance(t, w, 7*day)
	checked, bad := 0, 0.0
	for _, u := range w.Units() {
		if site.Process(u) == nil || u.Class.State == nil || u.Meter != "" || upstream.Process(u) != nil {
			continue
		}
		checked++
		run, all, total, scrap := 0.0, 0.0, 0.0, 0.0
		for _, s := range u.Segments() {
			sec := s.Duration().Seconds()
			all, total, scrap = all+sec, total+s.Total*sec, scrap+s.Scrap*sec
			if s.Category == plant.Run {
				run += sec
			}
		}
		bad += scrap
		if a := run / all; a < 0.7 || a > 0.999 || total <= 0 || scrap > 0.05*total {
			t.Errorf("%s: runs %.0f %% of the time, %.0f pieces, %.0f of them scrap", u.ID, 100*a, total, scrap)
		}
	}
	if checked < 5 || bad == 0 {
		t.Errorf("%d machines made %.0f pieces of scrap", checked, bad)
	}
}

func TestStepsChangeNothing(t *testing.T) {
	diary := func(step time.Duration) []string {
		w := newWorld(t, plants.Demo, 8)
		var out []string
		w.Observe(world.Observer{Sample: func(s *world.Sample) {
			if s.Unit.Meter != "" {
				out = append(out, s.Unit.ID+"."+s.Signal.Name+" "+s.At.String()+" "+s.Value.String())
			}
		}}, func(*world.Unit, *plant.Signal) time.Duration { return 5 * time.Minute })
		for at := time.Duration(0); at < 5*day; {
			at = min(5*day, at+step)
			advance(t, w, at)
		}
		return out
	}
	whole := diary(5 * day)
	if len(whole) < 10_000 {
		t.Fatalf("only %d entries", len(whole))
	}
	if !slices.Equal(whole, diary(137*time.Second)) {
		t.Error("small steps give other meters")
	}
}
