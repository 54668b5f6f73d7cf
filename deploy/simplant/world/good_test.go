package world_test

import (
	"strings"
	"testing"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

// A counter of good pieces that falls by one, when a bad one is counted between two, would be a restart from zero.
func TestGoodPiecesNeverFall(t *testing.T) {
	m, err := plant.Parse("test.yaml", []byte(strings.Replace(model, "roles: {state: state, total: total, good: good, scrap: scrap,", "roles: {state: state, total: total, good: good,", 1)))
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Options{Model: m, Seed: 1, Start: start.Add(2 * time.Hour), Process: func(*world.Unit) world.Process {
		return script(func(u *world.Unit) {
			u.State(plant.Run, "")
			for {
				u.Make(1000, 0.2, 37)
			}
		})
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	last, n := map[string]int64{}, 0
	w.Observe(world.Observer{Sample: func(s *world.Sample) {
		if s.Signal != s.Unit.Class.Good {
			return
		}
		if v := s.Value.Int(); v < last[s.Unit.ID] {
			t.Errorf("%s falls from %d to %d", s.Unit.ID, last[s.Unit.ID], v)
		}
		last[s.Unit.ID] = s.Value.Int()
		n++
	}}, world.AsTheModelSays)
	advance(t, w, start.Add(10*time.Hour))
	if n < 1000 {
		t.Errorf("only %d values", n)
	}
	if err := w.Advance(start.Add(2*time.Hour + 5000*time.Second)); err != nil || last["m1"] < 963 {
		t.Errorf("%d good ones, %v", last["m1"], err)
	}
}
