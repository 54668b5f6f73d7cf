package world_test

import (
	"testing"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// TestCounterOnChange: a counter whose silence means that nothing changed tells what was made before the unit stands, whatever
// the cadence; else it would seem to count while the unit stands.
func TestCounterOnChange(t *testing.T) {
	m, err := plant.Parse("test.yaml", []byte(model))
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Options{Model: m, Seed: 1, Start: start, Process: func(u *world.Unit) world.Process {
		if u.Number != 1 {
			return nil
		}
		return script(func(u *world.Unit) {
			u.Continuous()
			u.State(plant.Run, "")
			u.Making(1, 0)
			u.Work(100 * time.Second)
			u.Pause(&world.Hazard{Category: plant.Stop, Reason: "jam"}, time.Minute)
			u.Work(time.Hour)
		})
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	stops := start.Add(100 * time.Second)
	last := map[string]telemetry.Value{}
	var later []world.Instant
	w.Observe(world.Observer{Sample: func(s *world.Sample) {
		switch {
		case s.Unit.Number != 1 || s.Signal.Name != "total":
		case s.At <= stops:
			last[s.Signal.Name] = s.Value
		case s.At <= stops.Add(time.Minute):
			later = append(later, s.At)
		}
	}}, func(*world.Unit, *plant.Signal) time.Duration { return time.Hour })
	advance(t, w, start.Add(10*time.Minute))
	if got := last["total"]; got != telemetry.IntValue(100) {
		t.Errorf("as it stops, the counter says %s, want 100", got)
	}
	if len(later) > 0 {
		t.Errorf("it counts while it stands: %v", later)
	}
}

// TestNewFails leaves nothing behind when the model does not fit (TestMain looks for what runs on).
func TestNewFails(t *testing.T) {
	m, err := plant.Parse("test.yaml", []byte(model))
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range m.Units {
		u.States = nil
	}
	w, err := world.New(world.Options{Model: m, Start: start})
	if err == nil || w != nil {
		t.Errorf("a model without state codes: %v", err)
	}
}
