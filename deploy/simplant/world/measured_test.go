package world_test

import (
	"testing"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

// What is measured fits into a Float, as machines send it, whether it follows a curve or is set.
func TestMeasuredFitsFloat(t *testing.T) {
	m, err := plant.Parse("test.yaml", []byte(model))
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Options{Model: m, Start: start, Process: func(*world.Unit) world.Process {
		return script(func(u *world.Unit) {
			u.State(plant.Run, "")
			u.Follow("power_kw", world.Line(0.1, 0.1))
			for i := 0; ; i++ {
				u.Set("position_mm", 0.1+float64(i)/3)
				u.Wait(time.Second)
			}
		})
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	n := 0
	w.Observe(world.Observer{Sample: func(s *world.Sample) {
		if s.Signal.Kind != plant.Analog {
			return
		}
		if n++; float64(float32(s.Value.Float())) != s.Value.Float() {
			t.Errorf("%s is %v", s.Signal.Name, s.Value)
		}
	}}, world.AsTheModelSays)
	advance(t, w, start.Add(time.Minute))
	if n < 200 {
		t.Errorf("only %d samples", n)
	}
}
