package world_test

import (
	"testing"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

const packed = `
plant: packed
site: test
zone: Asia/Almaty
areas: [{id: a}]
calendars: [{name: always}]
classes:
  - name: sorter
    namespace: urn:x
    roles: {state: state}
    state_maps: [{namespace: "urn:x", include: packml}]
    signals: [{name: state, kind: state}]
units:
  - {id: s1, class: sorter, area: a, calendar: always}
`

// script is a function as a process.
type script func(u *world.Unit)

func (s script) Run(u *world.Unit) { s(u) }

// Where no code says the reason, or all codes say another one, the choice must not be that of chance.
func TestStateCodes(t *testing.T) {
	m, err := plant.Parse("packed.yaml", []byte(packed))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		var got []int64
		w, err := world.New(world.Options{Model: m, Start: start, Process: func(*world.Unit) world.Process {
			return script(func(u *world.Unit) {
				u.State(plant.Run, "")
				u.Wait(time.Second)
				u.State(plant.Idle, "starved")
				u.Wait(time.Second)
				u.State(plant.Idle, "starved or blocked")
				u.Wait(time.Second)
				u.State(plant.Stop, "belt jam")
				u.Wait(time.Second)
				u.State(plant.Stop, "stopped")
			})
		}})
		if err != nil {
			t.Fatal(err)
		}
		w.Observe(world.Observer{Sample: func(s *world.Sample) { got = append(got, s.Value.Int()) }}, world.AsTheModelSays)
		advance(t, w, start.Add(time.Minute))
		w.Close()
		want := []int64{6, 4, 5, 1, 2}
		if len(got) != len(want) {
			t.Fatalf("states %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("states %v, want %v", got, want)
			}
		}
	}
}
