package lots

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The engine of the embedded store starts these at import and never ends them.
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
	)
}

const (
	t0   = telemetry.Instant(1793588400e9) // 2026-11-02T03:00:00Z
	hour = telemetry.Instant(3600e9)
)

func num(t testing.TB, s string) exact.Num {
	t.Helper()
	n, err := exact.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func ptr(n exact.Num) *exact.Num { return &n }

// script reads a book from short lines, and describes each lot that nothing else describes:
//
//	lot MG-1 mg 100 [stage=kWh] [wp=W] [realised=W] [replaces=kWh]
//	step S1 stage kWh|? : MG-1=60 MG-2 -> T-1=100 SLAG=5!
//
// A ? is an energy that is not stated, an input without quantity takes what is left, ! marks scrap. Steps are an hour apart.
func script(t testing.TB, text string) Book {
	t.Helper()
	var b Book
	described := map[string]bool{}
	r := Revision{Number: 1, By: "test", KnownAt: t0}
	at := t0
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if f[0] == "lot" {
			l := Lot{ID: f[1], Kind: Kind(f[2]), Quantity: num(t, f[3]), UnitOf: "kg", MadeAt: t0, Revision: r}
			for _, opt := range f[4:] {
				k, v, _ := strings.Cut(opt, "=")
				switch n := num(t, v); k {
				case "wp":
					l.WpNominal = &n
				case "realised":
					l.WpRealised = &n
				case "replaces":
					l.ReplacedKWh = &n
				default:
					if l.Embodied == nil {
						l.Embodied = map[string]exact.Num{}
					}
					l.Embodied[k] = n
				}
			}
			described[l.ID] = true
			b.Lots = append(b.Lots, l)
			continue
		}
		at += hour
		s := Step{ID: f[1], Stage: f[2], Unit: "u-" + f[2], From: at, To: at + hour, Revision: r}
		if f[3] != "?" {
			s.EnergyKWh = ptr(num(t, f[3]))
		}
		outputs := false
		for _, part := range f[5:] {
			if part == "->" {
				outputs = true
				continue
			}
			id, q, stated := strings.Cut(part, "=")
			q, scrap := strings.CutSuffix(q, "!")
			switch {
			case outputs:
				s.Outputs = append(s.Outputs, Output{Lot: id, Quantity: num(t, q), Scrap: scrap})
				if !described[id] && !scrap {
					described[id] = true
					b.Lots = append(b.Lots, Lot{ID: id, Kind: Wafer, Quantity: num(t, q), UnitOf: "kg", MadeAt: s.To, Revision: r})
				}
			case stated:
				s.Inputs = append(s.Inputs, Input{Lot: id, Quantity: ptr(num(t, q))})
			default:
				s.Inputs = append(s.Inputs, Input{Lot: id})
			}
		}
		b.Steps = append(b.Steps, s)
	}
	for i := range b.Lots {
		if err := b.Lots[i].Check(); err != nil {
			t.Fatalf("lot %s: %v", b.Lots[i].ID, err)
		}
	}
	for i := range b.Steps {
		if err := b.Steps[i].Check(); err != nil {
			t.Fatalf("step %s: %v", b.Steps[i].ID, err)
		}
	}
	return b
}

func mustGraph(t testing.TB, text string) *Graph {
	t.Helper()
	g, err := NewGraph(script(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// codes are the findings, in short.
func codes(all []Finding) string {
	var out []string
	for _, f := range all {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Code, f.Lot, f.Step)))
	}
	return strings.Join(out, "; ")
}
