package evidence_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/exact"
	"kvarts/historian/influx"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

const forever = telemetry.Instant(math.MaxInt64)

func entered(t testing.TB, clock string) record.Audit {
	t.Helper()
	return record.Audit{By: "Aigerim", Why: "shift book", KnownAt: at(t, clock), Source: "book.csv:2"}
}

// reasonOf is a downtime reason.
func reasonOf(t testing.TB, unit, from, to, reason string) record.Record {
	t.Helper()
	r := record.Record{Kind: record.DowntimeReason, Unit: unit, From: at(t, from), To: at(t, to), Reason: reason, Revision: 1, Audit: entered(t, "03T08:00")}
	r.ID, r.Reach = r.DefaultID(), r.To
	return r
}

// enter plans and writes, and gives the outcomes.
func enter(t testing.TB, c *influx.Client, rows ...record.Record) string {
	t.Helper()
	entries, err := evidence.PlanRecords(within(t, 30*time.Second), c, rows)
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []string
	for _, e := range entries {
		if e.Err != nil {
			t.Fatal(e.Err)
		}
		outcomes = append(outcomes, string(e.Outcome))
		mustWriteRecords(t, c, e.Write...)
	}
	return strings.Join(outcomes, " ")
}

func mustWriteRecords(t testing.TB, c *influx.Client, records ...record.Record) {
	t.Helper()
	if err := evidence.WriteRecords(within(t, 30*time.Second), c, records); err != nil {
		t.Fatal(err)
	}
}

// listed is the downtime reasons of the window as known at asof, in short.
func listed(t testing.TB, c *influx.Client, w calendar.Interval, asof telemetry.Instant) string {
	t.Helper()
	records, err := evidence.ReadRecords(within(t, 30*time.Second), c, w, asof)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, r := range records {
		if r.Kind == record.DowntimeReason {
			s = append(s, fmt.Sprintf("%s %s %d", r.Unit, r.Reason, r.Revision))
		}
	}
	return strings.Join(s, ", ")
}

func revisionsOf(t testing.TB, c *influx.Client, ids ...string) []record.Record {
	t.Helper()
	all, err := evidence.ReadRevisions(within(t, 30*time.Second), c, ids...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRecords(t *testing.T) {
	eachStore(t, func(t *testing.T, c *influx.Client) {
		day := between(t, "02T00:00", "03T00:00")
		if got := listed(t, c, day, forever); got != "" {
			t.Fatalf("an empty store has %s", got)
		}
		first := reasonOf(t, "ws01", "10:00", "11:00", `wire "break", \ 50 % = bad`)
		swap := record.Record{Kind: record.CounterSwap, Unit: "ws02", From: at(t, "10:00:00.000000007"), Signal: "energy_kwh", Revision: 1, Audit: entered(t, "03T08:00")}
		final, initial := exact.Frac(90431, 2), exact.Int(12)
		swap.To, swap.Final, swap.Initial, swap.Reach = swap.From, &final, &initial, at(t, "10:00:01")
		swap.ID = swap.DefaultID()
		if got := enter(t, c, first, swap); got != "new new" {
			t.Fatal(got)
		}
		back := revisionsOf(t, c, swap.ID)
		if d := cmp.Diff([]record.Record{swap}, back); d != "" {
			t.Errorf("changed on the way (-written +read):\n%s", d)
		}
		again := first
		again.Audit = entered(t, "03T09:00")
		if got := enter(t, c, again, swap); got != "known known" {
			t.Errorf("entered again: %s", got)
		}
		mustWriteRecords(t, c, first, swap, first)
		if n := len(revisionsOf(t, c, first.ID, swap.ID)); n != 2 {
			t.Errorf("written again: %d points, want 2", n)
		}

		again.Reason, again.To, again.KnownAt = "wire wear", at(t, "10:30"), at(t, "03T10:00")
		if got := enter(t, c, again); got != "corrected" {
			t.Errorf("a row that changed: %s", got)
		}
		latest := record.Latest(revisionsOf(t, c, first.ID))
		moved := latest
		moved.Unit, moved.From, moved.To, moved.Audit = "ws02", at(t, "05T10:00"), at(t, "05T11:00"), entered(t, "03T11:00")
		write, err := latest.Correct(moved)
		if err != nil {
			t.Fatal(err)
		}
		mustWriteRecords(t, c, write...)
		gone, err := write[0].Withdraw(entered(t, "03T12:00"))
		if err != nil {
			t.Fatal(err)
		}
		mustWriteRecords(t, c, gone)

		other := between(t, "05T00:00", "06T00:00")
		for _, k := range []struct{ asof, day, late, other string }{
			{"03T07:59", "", "", ""},
			{"03T08:00", "ws01 " + first.Reason + " 1", "ws01 " + first.Reason + " 1", ""},
			{"03T10:00", "ws01 wire wear 2", "", ""},
			{"03T11:00", "", "", "ws02 wire wear 3"},
			{"03T12:00", "", "", ""},
		} {
			for _, q := range []struct {
				what string
				w    calendar.Interval
				want string
			}{{"the day", day, k.day}, {"10:30 to 11:00", between(t, "10:30", "11:00"), k.late}, {"the day it moved to", other, k.other}} {
				if got := listed(t, c, q.w, at(t, k.asof)); got != q.want {
					t.Errorf("known at %s of %s: %q, want %q", k.asof, q.what, got, q.want)
				}
			}
		}
		if got := enter(t, c, first); got != "known" {
			t.Errorf("the old row after all that: %s", got)
		}
		fresh := again
		fresh.Reason, fresh.Audit = "wire pulled", entered(t, "03T13:00")
		if got := enter(t, c, fresh); got != "corrected" {
			t.Errorf("a changed row of a record that moved: %s", got)
		}
		if l := record.Latest(revisionsOf(t, c, first.ID)); l.Revision != 5 || l.Unit != "ws01" {
			t.Errorf("the newest is %+v", l)
		}
	})
}

// TestWindowsOfRecords: what is read of a window is what all records, had they been read, say of it.
func TestWindowsOfRecords(t *testing.T) {
	c := mustClient(t, embedded(t))
	rnd := rand.New(rand.NewPCG(3, 4)) // one store for many histories: the engine takes long to open
	begin := at(t, "01T00:00")
	hours := func(n int) telemetry.Instant { return telemetry.Instant(rnd.IntN(n)) * telemetry.Instant(time.Hour) }
	var all []record.Record
	for i := range 60 {
		r := record.Record{Kind: record.DowntimeReason, Unit: fmt.Sprint("u", rnd.IntN(3)), Reason: "r", ID: fmt.Sprint("id", i), Revision: 1, Audit: entered(t, "03T08:00")}
		r.From = begin + hours(240)
		r.To = r.From + hours(1200) + 1
		r.Reach = r.To
		all = append(all, r)
		for range rnd.IntN(4) {
			next := r
			next.Audit = entered(t, "03T08:00")
			next.KnownAt = r.KnownAt + hours(3)
			switch rnd.IntN(5) {
			case 0:
				next.From, next.To = begin+hours(240), begin+hours(1200)+10*24*telemetry.Instant(time.Hour)
			case 1:
				next.To = r.From + hours(100) + 1
			case 2:
				next.Unit = fmt.Sprint("u", rnd.IntN(3))
			case 3:
				next.Reason += "x"
			default:
				if !r.Deleted {
					gone, err := r.Withdraw(next.Audit)
					if err != nil {
						t.Fatal(err)
					}
					r = gone
					all = append(all, r)
					continue
				}
			}
			write, err := r.Correct(next)
			if err != nil {
				t.Fatal(err)
			}
			r = write[0]
			all = append(all, write...)
		}
	}
	mustWriteRecords(t, c, all...)
	for range 60 {
		w := calendar.Interval{From: begin + hours(1500)}
		w.To = w.From + hours(200) + 1
		asof := at(t, "03T08:00") + hours(10)
		want := slices.DeleteFunc(record.Effective(all, asof), func(r record.Record) bool {
			return calendar.Interval{From: r.From, To: r.To}.Meet(w).Empty()
		})
		got, err := evidence.ReadRecords(within(t, 30*time.Second), c, w, asof)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i].Reach = 0 // stored in whole seconds
		}
		for i := range want {
			want[i].Reach = 0
		}
		if d := cmp.Diff(want, got); len(want)+len(got) > 0 && d != "" {
			t.Fatalf("window %v known at %s (-all +window):\n%s", w, asof, d)
		}
	}
	one, err := evidence.ReadEffective(within(t, 30*time.Second), c, forever, evidence.RecordFilter{Unit: "u1", Kind: record.DowntimeReason})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range record.Effective(all, forever) {
		if r.Unit == "u1" {
			n++
		}
	}
	if len(one) != n || n == 0 {
		t.Errorf("%d records of u1, want %d", len(one), n)
	}
	either, err := evidence.ReadEffective(within(t, 30*time.Second), c, forever, evidence.RecordFilter{Unit: "u1", Line: "L1", Area: "a"})
	if err != nil || len(either) != n {
		t.Errorf("%d records of u1, its line or its area, want %d: %v", len(either), n, err)
	}
}

func TestStrangePointsInRecord(t *testing.T) {
	c := mustClient(t, embedded(t))
	mustWrite(t, c, `record,kind=downtime_reason,unit=ws01 id="x",revision=1i,reason="no times",reach_s=1793613600i `+ns(at(t, "10:00")))
	_, err := evidence.ReadRecords(within(t, 30*time.Second), c, between(t, "02T00:00", "03T00:00"), forever)
	if err == nil || !strings.Contains(err.Error(), "stored record x") || !strings.Contains(err.Error(), "DELETE FROM record WHERE time = "+ns(at(t, "10:00"))) {
		t.Errorf("a point that is no record: %v", err)
	}
	if err := evidence.WriteRecords(within(t, 30*time.Second), c, []record.Record{{Kind: "nonsense"}}); err == nil {
		t.Error("nonsense is written")
	}
}
