package world_test

import (
	"slices"
	"testing"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

const tapped = `
plant: tapped
site: test
zone: Asia/Almaty
areas: [{id: a}]
calendars: [{name: always}]
classes:
  - name: ladle
    piece: kg
    namespace: urn:x
    roles: {state: state, total: total}
    state_maps: [{namespace: "urn:x", codes: {0: idle, 1: run}}]
    signals:
      - {name: state, kind: state}
      - {name: total, kind: counter, type: float, reporting: per_batch}
units:
  - {id: l1, class: ladle, area: a, calendar: always}
`

// A counter that is reported per batch stands still while the batch is made.
func TestCounterPerBatch(t *testing.T) {
	m, err := plant.Parse("tapped.yaml", []byte(tapped))
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Options{Model: m, Start: start, KeepSegments: true, Process: func(*world.Unit) world.Process {
		return script(func(u *world.Unit) {
			u.State(plant.Run, "")
			for range 3 {
				u.Making(0.5, 0)
				u.Work(time.Hour)
				u.Make(200.25, 0.5, 0)
			}
			u.State(plant.Idle, "")
		})
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	var shown []float64
	w.Observe(world.Observer{Sample: func(s *world.Sample) {
		if s.Signal.Name == "total" {
			shown = append(shown, s.Value.Float())
		}
	}}, world.AsTheModelSays)
	advance(t, w, start.Add(6*time.Hour))
	if want := []float64{0, 2000.25, 4000.5, 6000.75}; !slices.Equal(shown, want) {
		t.Errorf("shown %v, want %v", shown, want)
	}
	u, _ := w.Unit("l1")
	made := 0.0
	for _, s := range u.Segments() {
		made += s.Total * s.Duration().Seconds()
	}
	if made < 6000.7 || made > 6000.8 {
		t.Errorf("the segments make %v, want 6000.75", made)
	}
}
