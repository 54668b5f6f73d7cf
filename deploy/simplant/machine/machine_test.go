package machine

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/simplant/uaserver"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopcua/opcua/ua"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)

// kinds are the machines, each made with the given options.
var kinds = map[string]func(Options) Machine{
	"cz puller": func(o Options) Machine { return NewCZPuller(o) },
	"wire saw":  func(o Options) Machine { return NewWireSaw(o) },
}

// record runs m for d in steps of step.
func record(m Machine, d, step time.Duration) []Reading {
	var out []Reading
	for at := time.Duration(0); at <= d; at += step {
		out = m.Step(epoch.Add(at), out)
	}
	return out
}

func TestStepSizeDoesNotMatter(t *testing.T) {
	for name, mk := range kinds {
		t.Run(name, func(t *testing.T) {
			opts := Options{Seed: 7, Pace: 30}
			const d = 5 * time.Second
			want := record(mk(opts), d, d)
			rapid.Check(t, func(t *rapid.T) {
				m := mk(opts)
				got := m.Step(epoch, nil)
				for at := time.Duration(0); at < d; {
					at += time.Duration(rapid.Int64Range(1, int64(2*time.Second)).Draw(t, "step"))
					got = m.Step(epoch.Add(min(at, d)), got)
				}
				if d := cmp.Diff(want, got, cmpopts.EquateNaNs()); d != "" {
					t.Fatal(d)
				}
			})
		})
	}
}

func TestSeedsDiffer(t *testing.T) {
	for name, mk := range kinds {
		a, b := record(mk(Options{Seed: 1}), time.Minute, time.Second), record(mk(Options{Seed: 2}), time.Minute, time.Second)
		if cmp.Equal(a, b) {
			t.Errorf("%s: two seeds give the same samples", name)
		}
	}
}

// TestPlausible runs weeks of process time and checks every sample against its signal.
func TestPlausible(t *testing.T) {
	for name, mk := range kinds {
		t.Run(name, func(t *testing.T) {
			m := mk(Options{Seed: 3, Pace: 2400})
			signals := m.Signals()
			last := make([]Reading, len(signals))
			seen := make(map[string]map[int32]bool)
			for minute := range 10 { // 10 min of 2400-fold process time: 16 days
				for _, r := range m.Step(epoch.Add(time.Duration(minute)*time.Minute), nil) {
					s := signals[r.Signal]
					checkReading(t, s, last[r.Signal], r)
					last[r.Signal] = r
					if len(s.States) > 0 {
						if seen[s.Path] == nil {
							seen[s.Path] = make(map[int32]bool)
						}
						seen[s.Path][r.Value.(int32)] = true
					}
				}
			}
			for path, states := range seen {
				if strings.HasSuffix(path, "Phase") && len(states) < len(phasesOf(signals, path))-1 {
					t.Errorf("%s showed only the values %v", path, states)
				}
			}
		})
	}
}

func phasesOf(signals []Signal, path string) []string {
	for _, s := range signals {
		if s.Path == path {
			return s.States
		}
	}
	return nil
}

func checkReading(t *testing.T, s Signal, before, r Reading) {
	t.Helper()
	if !before.At.IsZero() && !r.At.After(before.At) {
		t.Fatalf("%s: %v after %v", s.Path, r.At, before.At)
	}
	if r.At.Nanosecond()%100 != 0 {
		t.Fatalf("%s: %v is no multiple of 100 ns", s.Path, r.At)
	}
	switch v := r.Value.(type) {
	case float64:
		if s.Range != nil && !(v >= s.Range.Low && v <= s.Range.High) {
			t.Fatalf("%s: %v is out of range", s.Path, v)
		}
		if s.Range == nil && before.Value != nil && v < before.Value.(float64) {
			t.Fatalf("counter %s went from %v to %v", s.Path, before.Value, v)
		}
	case int32:
		if v < 0 || int(v) >= len(s.States) {
			t.Fatalf("%s: state %d", s.Path, v)
		}
	case bool, uint32, string:
	default:
		t.Fatalf("%s: value of type %T", s.Path, v)
	}
	if s.Period > 0 && !before.At.IsZero() {
		if d := r.At.Sub(before.At) - s.Period; d.Abs() > time.Millisecond && before.At.After(epoch.Add(time.Second)) {
			t.Fatalf("%s: samples %v apart", s.Path, r.At.Sub(before.At))
		}
	}
}

func TestPullerConservesSilicon(t *testing.T) {
	m := NewCZPuller(Options{Seed: 11, Pace: 2400})
	run, heaviest := m.run, 0.0
	for i := range 8_000 { // 22 days
		m.Step(epoch.Add(time.Duration(i)*tick), nil)
		heaviest = max(heaviest, m.weight)
		if sum := m.weight + m.melt; math.Abs(sum-m.charge) > 1e-6 {
			t.Fatalf("tick %d, phase %s: crystal %.3f + melt %.3f, charge %.3f", i, czPhases[m.phase], m.weight, m.melt, m.charge)
		}
	}
	if heaviest < 200 || m.run == run {
		t.Errorf("heaviest crystal %.1f kg, still in run %d", heaviest, m.run)
	}
}

func TestSignalMix(t *testing.T) {
	for name, mk := range kinds {
		var fastOnes, slow, change int
		paths := make(map[string]bool)
		for _, s := range mk(Options{}).Signals() {
			switch s.Period {
			case fast:
				fastOnes++
			case second:
				slow++
			default:
				change++
			}
			if paths[s.Path] {
				t.Errorf("%s: %s twice", name, s.Path)
			}
			paths[s.Path] = true
		}
		if n := len(paths); n < 25 || n > 40 || fastOnes < 3 || slow < 10 || change < 5 {
			t.Errorf("%s: %d signals, %d fast, %d at 1 Hz, %d on change", name, n, fastOnes, slow, change)
		}
	}
}

func TestRunnerFeedsServer(t *testing.T) {
	m := NewWireSaw(Options{Seed: 5})
	srv := uaserver.New(uaserver.Options{Namespaces: []string{m.URI()}, Record: true})
	r, err := Attach(srv, m)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 350*time.Millisecond)
	defer cancel()
	if err := r.Run(ctx, Clock(epoch, 20)); err != nil {
		t.Fatal(err)
	}
	perNode := make(map[string]int)
	for g := range srv.Generated() {
		perNode[g.Node]++
		if g.Source.Time().Before(epoch) || g.Status != ua.StatusOK {
			t.Errorf("sample of %s at %v with %v", g.Node, g.Source.Time(), g.Status)
		}
	}
	if len(perNode) != len(m.Signals()) {
		t.Errorf("%d of %d signals have samples", len(perNode), len(m.Signals()))
	}
	speed := "nsu=" + m.URI() + ";s=Machine/Wire/WireSpeed"
	if perNode[speed] < 30 { // 350 ms at 20-fold speed are 70 ticks
		t.Errorf("fast signal has %d samples", perNode[speed])
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
}
