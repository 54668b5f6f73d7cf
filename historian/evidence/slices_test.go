package evidence_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/exact"
	"kvarts/historian/influx"
	"kvarts/historian/ledger"
)

// sliceOf is an hour slice of a unit with a fact or two.
func sliceOf(t testing.TB, unit, from string, revision int, computed string, run int64) evidence.Slice {
	s := evidence.Slice{
		Subject: evidence.Subject{Kind: evidence.Unit, ID: unit}, Grain: evidence.Hour, Place: evidence.Place{Site: "here", Area: "wafer"},
		Interval: calendar.Interval{From: at(t, from), To: at(t, from).Add(time.Hour)}, Revision: revision, ComputedAt: at(t, computed),
		Model: "abc", Inputs: "i1", Carry: evidence.Carry{At: at(t, from), Code: "1"},
	}
	s.Facts.Sum[ledger.Span] = exact.Int(3600e9)
	s.Facts.Sum[ledger.RunTime] = exact.Int(run)
	return s
}

func mustRead(t testing.TB, c *influx.Client, a evidence.Ask) []evidence.Slice {
	t.Helper()
	found, damaged, err := evidence.ReadSlices(within(t, 20*time.Second), c, a)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range damaged {
		t.Error(d)
	}
	return found
}

func TestSlicesComeBack(t *testing.T) {
	eachStore(t, func(t *testing.T, c *influx.Client) {
		ctx := within(t, 30*time.Second)
		before, err := evidence.ReadWatermark(ctx, c)
		if err != nil || before != (evidence.Watermark{}) {
			t.Fatalf("watermark of an empty store %+v, %v", before, err)
		}
		full := sliceOf(t, "ws02", "08:00", 0, "09:00", 1)
		full.Facts.Findings, full.Facts.HasPieces, full.Facts.HasEnergy = 0x1ff, true, true
		for k := range ledger.NumFields {
			full.Facts.Sum[k] = exact.Int((1<<53 - int64(k)) * (1 - 2*int64(k%2)))
		}
		full.Facts.Reasons = map[ledger.Reason]ledger.ReasonSum{
			{Category: ledger.Stop, Reason: "wire \"break\"\n\\ Бруск 🙂"}: {Time: exact.Int(5), Count: exact.Int(1)},
			{Category: ledger.Stop, Reason: "jam"}:                        {Time: exact.Int(3), Count: exact.Int(1)},
			{Category: ledger.Stop, Reason: "jam", Minor: true}:           {Time: exact.Int(4), Count: exact.Int(2)},
			{Category: ledger.Planned}:                                    {Time: exact.Int(7), Count: exact.Int(2)},
		}
		full.Carry = evidence.Carry{}
		written := []evidence.Slice{sliceOf(t, "ws01", "08:00", 0, "09:00", 10), sliceOf(t, "ws01", "09:00", 0, "10:00", 20), full, sliceOf(t, "ws01", "08:00", 1, "11:00", 30)}
		if err := evidence.WriteSlices(ctx, c, written); err != nil {
			t.Fatal(err)
		}
		if err := evidence.WriteSlices(ctx, c, written[:1]); err != nil { // again: harmless
			t.Fatal(err)
		}
		ask := evidence.Ask{Kind: evidence.Unit, Grain: evidence.Hour, Window: between(t, "08:00", "10:00"), Reasons: true, Origin: true}
		for _, k := range []struct {
			name   string
			change func(*evidence.Ask)
			want   []int // indices of written
		}{
			{"the newest of all", func(*evidence.Ask) {}, []int{3, 1, 2}},
			{"as known then", func(a *evidence.Ask) { a.Asof = at(t, "10:30") }, []int{0, 1, 2}},
			{"known before anything", func(a *evidence.Ask) { a.Asof = at(t, "08:30") }, nil},
			{"one subject", func(a *evidence.Ask) { a.IDs = []string{"ws02"} }, []int{2}},
			{"no subject", func(a *evidence.Ask) { a.IDs = []string{} }, nil},
			{"begins in the window only", func(a *evidence.Ask) { a.Window.From = at(t, "08:00:01") }, []int{1}},
			{"the end is not in the window", func(a *evidence.Ask) { a.Window.To = at(t, "09:00") }, []int{3, 2}},
			{"other grain", func(a *evidence.Ask) { a.Grain = evidence.Day }, nil},
			{"other kind", func(a *evidence.Ask) { a.Kind = evidence.Line }, nil},
		} {
			a := ask
			k.change(&a)
			var want []evidence.Slice
			for _, i := range k.want {
				w := written[i]
				w.Place = evidence.Place{}
				want = append(want, w)
			}
			if d := cmp.Diff(want, mustRead(t, c, a)); d != "" {
				t.Errorf("%s: %s", k.name, d)
			}
		}
		after, err := evidence.ReadWatermark(ctx, c)
		if err != nil || after.Marks != 2 || after.Newest == 0 {
			t.Errorf("watermark %+v, %v", after, err)
		}
		marks, err := evidence.WrittenSince(ctx, c, after.Newest)
		if err != nil || len(marks) != 1 || marks[0].Slices != 1 || marks[0].Window != between(t, "08:00", "09:00") {
			t.Errorf("marks %+v, %v", marks, err)
		}
	})
}

func TestSlicesThatCannotBeStored(t *testing.T) {
	c := mustClient(t, embedded(t))
	for _, k := range []struct {
		name, want string
		change     func(*evidence.Slice)
	}{
		{"fraction", "not an integer of 53 bits", func(s *evidence.Slice) { s.Facts.Sum[ledger.RunTime] = exact.Frac(1, 3) }},
		{"large", "not an integer of 53 bits", func(s *evidence.Slice) { s.Facts.Sum[ledger.RunTime] = exact.Int(1<<53 + 1) }},
		{"revision", "revision 1000000000", func(s *evidence.Slice) { s.Revision = 1e9 }},
		{"odd begin", "whole second", func(s *evidence.Slice) { s.From++ }},
		{"empty", "empty", func(s *evidence.Slice) { s.To = s.From }},
		{"long", "longer than", func(s *evidence.Slice) { s.To = s.From.Add(50 * time.Hour) }},
		{"subject", "subject", func(s *evidence.Slice) { s.Subject.Kind = "plant" }},
		{"name", "control character", func(s *evidence.Slice) { s.Subject.ID = "a\nb" }},
		{"reasons", "reasons need", func(s *evidence.Slice) {
			s.Facts.Reasons = map[ledger.Reason]ledger.ReasonSum{{Reason: strings.Repeat("x", 70000)}: {}}
		}},
	} {
		t.Run(k.name, func(t *testing.T) {
			bad := sliceOf(t, "bad", "08:00", 0, "09:00", 1)
			k.change(&bad)
			good := sliceOf(t, "good", "08:00", 0, "09:00", 1)
			err := evidence.WriteSlices(within(t, 10*time.Second), c, []evidence.Slice{bad, good})
			var e *evidence.SliceError
			if !errors.As(err, &e) || !strings.Contains(err.Error(), k.want) {
				t.Errorf("error %v, want one of %q", err, k.want)
			}
			got := mustRead(t, c, evidence.Ask{Kind: evidence.Unit, Grain: evidence.Hour, Window: between(t, "00:00", "23:00")})
			if len(got) != 1 || got[0].Subject.ID != "good" {
				t.Errorf("stored %v", got)
			}
		})
	}
}

func TestDamagedSlicesAreNamed(t *testing.T) {
	c := mustClient(t, embedded(t))
	series := "ledger,kind=unit,id=ws01,grain=hour"
	mustWrite(t, c, series+` facts="AQ" `+ns(at(t, "08:00")), series+` facts="not base64!" `+ns(at(t, "09:00")), series+` other=1i `+ns(at(t, "10:00")))
	found, damaged, err := evidence.ReadSlices(within(t, 10*time.Second), c, evidence.Ask{Kind: evidence.Unit, Grain: evidence.Hour, Window: between(t, "00:00", "23:00")})
	if err != nil || len(found) != 0 || len(damaged) != 2 || !strings.Contains(damaged[0].Error(), "ws01") {
		t.Errorf("%v %v %v", found, damaged, err)
	}
}

// A revision that cannot be read does not bring the one before it back.
func TestDamagedRevisionHidesTheOneBefore(t *testing.T) {
	c := mustClient(t, embedded(t))
	if err := evidence.WriteSlices(within(t, 10*time.Second), c, []evidence.Slice{sliceOf(t, "ws01", "08:00", 0, "09:00", 1), sliceOf(t, "ws01", "09:00", 0, "10:00", 2)}); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, c, `ledger,kind=unit,id=ws01,grain=hour,site=here,area=wafer facts="AQ" `+ns(at(t, "08:00")+7))
	found, damaged, err := evidence.ReadSlices(within(t, 10*time.Second), c, evidence.Ask{Kind: evidence.Unit, Grain: evidence.Hour, Window: between(t, "00:00", "23:00")})
	if err != nil || len(damaged) != 1 || len(found) != 1 || found[0].From != at(t, "09:00") {
		t.Errorf("%v %v %v", found, damaged, err)
	}
}

// Whatever the facts, they come back as they were.
func TestPackedFactsComeBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := sliceOf(t, "ws01", "08:00", rapid.IntRange(0, 1e9-1).Draw(rt, "revision"), "09:00", 1)
		for k := range ledger.NumFields {
			s.Facts.Sum[k] = exact.Int(rapid.Int64Range(-1<<53, 1<<53).Draw(rt, "v"))
		}
		s.Facts.Findings = ledger.Findings(rapid.Uint16().Draw(rt, "findings"))
		text, err := evidence.PackForTest(&s)
		if err != nil {
			rt.Fatal(err)
		}
		var f ledger.Facts
		if err := evidence.UnpackForTest(text, &f); err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(s.Facts, f); d != "" {
			rt.Fatal(d)
		}
	})
}

// BenchmarkReadSlices is what an answer reads: a month of days, and of hours, of the 200 units of a plant.
func BenchmarkReadSlices(b *testing.B) {
	c := mustClient(b, embedded(b))
	window := calendar.Interval{From: at(b, "01T00:00"), To: at(b, "30T00:00").Add(24 * time.Hour)}
	fill := func(grain evidence.Grain, step time.Duration) {
		var all []evidence.Slice
		for u := range 200 {
			for t := window.From; t < window.To; t = t.Add(step) {
				s := sliceOf(b, fmt.Sprintf("u%03d", u), "01T00:00", 0, "01T00:00", 1)
				s.Grain, s.Interval = grain, calendar.Interval{From: t, To: t.Add(step)}
				for k := ledger.Field(0); k < ledger.NumFields; k += 2 {
					s.Facts.Sum[k] = exact.Int(int64(step) - int64(u)*1e9 - int64(k))
				}
				if all = append(all, s); len(all) == 5000 {
					if err := evidence.WriteSlices(b.Context(), c, all); err != nil {
						b.Fatal(err)
					}
					all = all[:0]
				}
			}
		}
		if err := evidence.WriteSlices(b.Context(), c, all); err != nil {
			b.Fatal(err)
		}
	}
	fill(evidence.Day, 24*time.Hour)
	fill(evidence.Hour, time.Hour)
	for _, k := range []struct {
		name   string
		grain  evidence.Grain
		rows   int
		origin bool
	}{{"days", evidence.Day, 6000, false}, {"days with origin", evidence.Day, 6000, true}, {"hours", evidence.Hour, 144_000, false}} {
		b.Run(k.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var sum ledger.Facts
				n := 0
				_, err := evidence.EachSlice(b.Context(), c, evidence.Ask{Kind: evidence.Unit, Grain: k.grain, Window: window, Origin: k.origin}, func(s *evidence.Slice) error {
					sum.Add(&s.Facts)
					n++
					return nil
				})
				if err != nil || n != k.rows {
					b.Fatal(n, err)
				}
			}
		})
	}
	b.Run("watermark", func(b *testing.B) {
		for b.Loop() {
			if _, err := evidence.ReadWatermark(b.Context(), c); err != nil {
				b.Fatal(err)
			}
		}
	})
}
