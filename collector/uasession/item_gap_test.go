package uasession

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/telemetry"
)

// unbroken checks that entries of item_unavailable cover a field from one time to another without a hole.
func (r *recorder) unbroken(t *testing.T, field string, from, to telemetry.Instant) {
	t.Helper()
	gaps := r.gapsOf(telemetry.CauseItem)
	slices.SortFunc(gaps, func(a, b telemetry.Gap) int { return cmp.Compare(a.From, b.From) })
	at := from
	for _, g := range gaps {
		if g.Signal == field && g.From <= at {
			at = max(at, g.To)
		}
	}
	if at < to {
		t.Errorf("%s: the ledger has a hole at %s, %s before %s: %+v", field, at, to.Sub(at), to, gaps)
	}
}

// lastTo is the latest end of the entries of a field.
func (r *recorder) lastTo(field string) (to telemetry.Instant) {
	for _, g := range r.gapsOf(telemetry.CauseItem) {
		if g.Signal == field {
			to = max(to, g.To)
		}
	}
	return to
}

// refusal is a session on a plant of which the server refuses v1, with times between the tries as they are in a plant:
// longer than the test.
type refusal struct {
	*plant
	*running
	r    *recorder
	g    Group
	told telemetry.Instant // when it was refused, at the latest
}

func newRefusal(t *testing.T) *refusal {
	t.Helper()
	p := newPlant(t, 3, uaserver.Options{})
	if err := p.srv.RejectItem(p.vars[1].ID(), ua.StatusBadUserAccessDenied); err != nil {
		t.Fatal(err)
	}
	f := &refusal{plant: p, r: newRecorder(t), g: p.group("g", 0, 3)}
	timing := quick()
	timing.RetryItem, timing.RetryMax = time.Hour, time.Hour
	f.running = start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{f.g}, Timing: timing}, f.r)
	eventually(t, "it is refused", func() bool {
		st := f.r.snapshot()
		return st.ItemsOK == 2 && st.ItemsBad == 1 && len(f.r.gapsOf(telemetry.CauseItem)) == 1
	})
	f.told = telemetry.Now()
	p.tick()
	p.arrived(f.r, "v0", "v2")
	return f
}

// However the process ends: what is on record reaches to the next try.
func TestRefusedItemIsLedgeredAhead(t *testing.T) {
	f := newRefusal(t)
	f.r.unbroken(t, "v1", f.told, telemetry.Now().Add(time.Minute))
}

func TestRefusedItemIsLedgeredToTheEnd(t *testing.T) {
	for name, end := range map[string]func(f *refusal){
		"the session is closed": func(f *refusal) {
			if err := f.stop(); err != nil {
				f.t.Fatal(err)
			}
		},
		"the tag is not wanted any more": func(f *refusal) {
			g := f.group("g", 0, 1)
			g.Tags = append(g.Tags, f.group("g", 2, 3).Tags...)
			f.apply(0, g)
		},
		"the group is not wanted any more": func(f *refusal) { f.apply(0, f.group("other", 0, 1)) },
		"the tag has another node": func(f *refusal) {
			g := f.group("g", 0, 3)
			g.Tags[1].Node = f.vars[0].ID()
			f.apply(0, g)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newRefusal(t)
			before := telemetry.Now()
			end(f)
			f.r.unbroken(t, "v1", f.told, before)
			eventually(t, "the entry ends", func() bool { return f.r.lastTo("v1") < telemetry.Now().Add(time.Second) })
		})
	}
}

// apply waits until bad items are left.
func (f *refusal) apply(bad int, groups ...Group) {
	f.t.Helper()
	if err := f.Apply(context.Background(), groups); err != nil {
		f.t.Fatal(err)
	}
	eventually(f.t, "it is applied", func() bool { return f.r.snapshot().ItemsBad == bad })
}

// Of a refused item with another field: that one gets its marker and its entry, and the field before ends.
func TestRefusedItemWithAnotherField(t *testing.T) {
	f := newRefusal(t)
	before := telemetry.Now()
	g := f.group("g", 0, 3)
	g.Tags[1].Outputs[0].Name = "renamed"
	f.apply(1, g)
	eventually(t, "it is ledgered", func() bool { return f.r.lastTo("renamed") != 0 })
	f.r.unbroken(t, "renamed", telemetry.Now(), telemetry.Now().Add(time.Minute))
	f.r.unbroken(t, "v1", f.told, before)
	if to := f.r.lastTo("v1"); to > telemetry.Now().Add(time.Second) {
		t.Errorf("the entry of the field before ends at %s", to)
	}
	eventually(t, "the marker comes", func() bool {
		v := f.r.values("renamed")
		return len(v) == 1 && v[0].Status == telemetry.Status(ua.StatusBadUserAccessDenied)
	})
}

// Entries follow each other without a hole through many tries, and end when the item is reported.
func TestRefusedItemIsLedgeredTryByTry(t *testing.T) {
	p := newPlant(t, 2, uaserver.Options{})
	if err := p.srv.RejectItem(p.vars[1].ID(), ua.StatusBadNodeIDUnknown); err != nil {
		t.Fatal(err)
	}
	r := newRecorder(t)
	g := p.group("g", 0, 2)
	s := start(t, ServerConfig{Endpoint: p.srv.Endpoint(), Groups: []Group{g}}, r)
	eventually(t, "it is refused", func() bool { return r.snapshot().ItemsBad == 1 })
	refused := telemetry.Now()
	stop := p.run(5 * time.Millisecond)
	eventually(t, "it is tried again", func() bool { return len(r.gapsOf(telemetry.CauseItem)) >= 4 })
	if err := p.srv.RejectItem(p.vars[1].ID(), ua.StatusOK); err != nil {
		t.Fatal(err)
	}
	before := telemetry.Now()
	eventually(t, "it is reported", func() bool { return r.snapshot().ItemsBad == 0 })
	stop()
	p.arrived(r, "v0", "v1")
	s.stop()
	r.unbroken(t, "v1", refused, before)
	p.settled(r, "server", seriesOf(g))
	if last := r.gapsOf(telemetry.CauseItem); last[len(last)-1].To > telemetry.Now().Add(time.Second) {
		t.Errorf("the last entry ends at %s", last[len(last)-1].To)
	}
}

// A server that refuses to change an item: it is made anew, and what its queue held is lost.
func TestItemMadeAnewIsLedgered(t *testing.T) {
	sc := newScenario(t, uaserver.Options{}, nil)
	g := sc.group("a", 0, 2)
	g.Tags[1].Deadband = Deadband{PercentDeadband, 5} // the node has no EURange
	if err := sc.Apply(t.Context(), []Group{g, sc.groups[1]}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is made anew", func() bool {
		return slices.ContainsFunc(sc.r.snapshot().Deviations, func(d Deviation) bool { return d.What == "filter" && d.Tag == "v1" })
	})
	sc.finish()
	if gaps := sc.r.gapsOf(telemetry.CauseItem); len(gaps) != 1 || gaps[0].Signal != "v1" || gaps[0].To > telemetry.Now().Add(time.Second) {
		t.Errorf("gaps %+v, want one of v1 that has ended", gaps)
	}
}
