package evidence_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/exact"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// A shift as in the golden O12 and O21: the state before the window, a stop, counters, a register, all through the store.
func TestGatherOfAShift(t *testing.T) {
	eachStore(t, func(t *testing.T, c *influx.Client) {
		mustWrite(t, c, aliveLines("ws01", between(t, "05:00", "21:00"))...)
		mustWrite(t, c,
			line("ws01", "state=1i,state_status=0i", at(t, "05:30")),
			line("ws01", "state=3i", at(t, "14:00")),
			line("ws01", "state=1i", at(t, "14:36")),
			line("ws01", "total=0i,total_status=0i", at(t, "07:59:50")),
			line("ws01", "total=0i", at(t, "08:00")),
			line("ws01", "total=25000i", at(t, "20:00")),
			line("ws01", "energy_kwh=100.125,energy_kwh_status=0i", at(t, "08:00")),
			line("ws01", "energy_kwh=700.125", at(t, "20:00")),
		)
		w := between(t, "08:00", "20:00")
		in, p := mustGather(t, c, history(t), "ws01", w, at(t, "21:00"))
		f := mustFacts(t, in, w)
		for k, want := range map[ledger.Field]int64{
			ledger.RunTime: 41040e9, ledger.StopTime: 2160e9, ledger.UnknownTime: 0, ledger.Failures: 1,
			ledger.EnergyKnown: 600e9, ledger.Covered: 43200e9,
		} {
			if got := f.Get(k); !got.Equal(exact.Int(want)) {
				t.Errorf("%s is %s, want %d", k, got, want)
			}
		}
		if len(p.Notes) > 0 || len(p.Models) != 1 || p.Points["state"] != 3 || p.Carry.Code != "1" {
			t.Errorf("provenance %+v", p)
		}
	})
}

func stateCodes(in *ledger.Input) string {
	var b strings.Builder
	for _, s := range in.States {
		b.WriteString(s.At.Time().Format("15:04:05 "))
		switch {
		case s.Bad:
			b.WriteString("bad")
		case s.Unmapped:
			b.WriteString("unmapped " + s.Code)
		default:
			b.WriteString([]string{"unknown", "run", "setup", "stop", "idle", "planned", "engineering", "nonscheduled"}[s.Category])
			if s.Reason != "" {
				b.WriteString(" " + s.Reason)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestStates(t *testing.T) {
	type env struct {
		history plant.History
		lines   []string
	}
	for _, k := range []struct {
		name string
		env  func(t *testing.T) env
		want string
	}{
		{"a status without a value is unknown until the next value", func(t *testing.T) env {
			return env{history(t), []string{
				line("ws01", "state=1i,state_status=0i", at(t, "07:00")),
				line("ws01", "state_status=2157641728i", at(t, "09:00")),
				line("ws01", "state=1i,state_status=0i", at(t, "09:10")),
				line("ws01", "state=3i,state_status=1083179008i", at(t, "09:20")), // Uncertain
				line("ws01", "state=3i,state_status=1152i", at(t, "09:30")),       // Good with info bits
			}}
		}, "07:00:00 run\n09:00:00 bad\n09:10:00 run\n09:20:00 bad\n09:30:00 stop\n"},
		{"reasons come from the unit's own signal while it stands", func(t *testing.T) env {
			return env{history(t), []string{
				line("ws01", "state=1i", at(t, "07:00")),
				line("ws01", "reason_code=7i", at(t, "08:30")),
				line("ws01", "state=3i", at(t, "09:00")),
				line("ws01", "reason_code=9i", at(t, "09:10")),
				line("ws01", "state=1i", at(t, "09:30")),
			}}
		}, "07:00:00 run\n09:00:00 stop wire break\n09:10:00 stop 9\n09:30:00 run\n"},
		{"a code that is not mapped", func(t *testing.T) env {
			return env{history(t), []string{line("ws01", "state=1i", at(t, "07:00")), line("ws01", "state=42i", at(t, "09:00"))}}
		}, "07:00:00 run\n09:00:00 unmapped 42\n"},
		{"a held state is read by the new map when a new model comes into force", func(t *testing.T) env {
			h := history(t)
			m := mustParse(t, model(t, "codes", "{0: idle, 1: setup, 2: setup, 3: stop}"))
			h = plant.NewHistory(append(h, plant.Version{Model: m, Effective: at(t, "10:00"), Known: at(t, "10:00"), Hash: m.Hash})...)
			return env{h, []string{line("ws01", "state=1i", at(t, "07:00"))}}
		}, "07:00:00 run\n10:00:00 setup\n"},
		{"a gap after which nothing was renewed", func(t *testing.T) env {
			return env{history(t), []string{
				line("ws01", "state=1i", at(t, "07:00")),
				"gap,server=saws,cause=sequence_gap to=" + ns(at(t, "09:05")) + "i " + ns(at(t, "09:00")),
				line("ws01", "state=3i", at(t, "09:02")),
				line("ws01", "state=1i", at(t, "09:30")),
			}}
		}, "07:00:00 run\n09:00:00 bad\n09:02:00 bad\n09:30:00 run\n"},
		{"a gap after which the present values came anew", func(t *testing.T) env {
			return env{history(t), []string{
				line("ws01", "state=1i", at(t, "07:00")),
				"gap,server=saws,cause=session_lost to=" + ns(at(t, "09:05")) + "i " + ns(at(t, "09:00")),
				line("ws01", "state=3i", at(t, "09:02")),
			}}
		}, "07:00:00 run\n09:00:00 bad\n09:02:00 bad\n09:05:00 stop\n"},
		{"gaps of others, of other signals and closed ones are none", func(t *testing.T) env {
			return env{history(t), []string{
				line("ws01", "state=1i", at(t, "07:00")),
				"gap,server=saws2,cause=sequence_gap to=" + ns(at(t, "09:05")) + "i " + ns(at(t, "09:00")),
				"gap,server=saws,cause=queue_overflow,unit=ws02,signal=state to=" + ns(at(t, "09:05")) + "i " + ns(at(t, "09:00")),
				"gap,server=saws,cause=queue_overflow,unit=ws01,signal=total to=" + ns(at(t, "09:05")) + "i " + ns(at(t, "09:00")),
				"gap,server=saws,cause=session_lost to=" + ns(at(t, "09:15")) + "i,closed=\"history\" " + ns(at(t, "09:10")),
			}}
		}, "07:00:00 run\n"},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := mustClient(t, embedded(t))
			e := k.env(t)
			mustWrite(t, c, e.lines...)
			in, _ := mustGather(t, c, e.history, "ws01", between(t, "08:00", "12:00"), at(t, "12:00"))
			if d := cmp.Diff(k.want, stateCodes(in)); d != "" {
				t.Error(d)
			}
		})
	}
}

func ns(t telemetry.Instant) string { return exact.Int(int64(t)).String() }

func TestUnknownUnit(t *testing.T) {
	c := mustClient(t, embedded(t))
	_, _, err := evidence.Gather(within(t, 10*time.Second), c, history(t), "ws99", between(t, "08:00", "12:00"), at(t, "12:00"), at(t, "12:00"))
	if err == nil || !strings.Contains(err.Error(), "ws99") {
		t.Errorf("error %v", err)
	}
	_ = calendar.Interval{}
}
