package record

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

const (
	t0   = telemetry.Instant(1793588400e9) // 2026-11-02T03:00:00Z
	hour = telemetry.Instant(time.Hour)
)

func num(n, d int64) *exact.Num {
	x := exact.Frac(n, d)
	return &x
}

// samples are a good record of each kind.
func samples() []Record {
	audit := Audit{By: "Aigerim", Why: "shift book, page 12", KnownAt: t0 + 24*hour, Source: "book.csv:7"}
	list := []Record{
		{Kind: DowntimeReason, Unit: "saw-01", From: t0, To: t0 + hour, Reason: "wire break", Category: "stop"},
		{Kind: Order, Line: "L1", From: t0, To: t0 + 12*hour, Order: "4711", Product: "M10"},
		{Kind: Changeover, Unit: "saw-01", From: t0, To: t0 + hour/2, Product: "G12"},
		{Kind: Booked, Unit: "press 3", From: t0, To: t0 + 12*hour, Total: num(2501, 2), Good: num(1200, 1), Product: "M10", ReportedAt: t0 + 13*hour},
		{Kind: Scrap, Unit: "saw-01", From: t0, To: t0 + 2*hour, Quantity: num(225, 1), ReportedAt: t0 + 26*hour, Reason: "\"chips\", edge = 3"},
		{Kind: CounterSwap, Unit: "saw-01", From: t0 + 5, To: t0 + 5, Signal: "energy_kwh", Final: num(90431, 2), Initial: num(12, 1)},
		{Kind: CounterReset, Unit: "saw-01", From: t0, To: t0, Signal: "total", Final: num(65200, 1), Initial: num(0, 1)},
		{Kind: PlannedStop, Area: "wafer", From: t0, To: t0 + 48*hour, Reason: "плановый ремонт"},
		{Kind: Rework, Unit: "saw-01", From: t0, To: t0 + hour, Quantity: num(40, 1), Good: num(30, 1)},
	}
	for i := range list {
		r := &list[i]
		r.Revision, r.Audit, r.Reach = 1, audit, r.To+second-1-(r.To-1)%second
		r.ID = r.DefaultID()
	}
	return list
}

func mustLine(t testing.TB, r *Record) []byte {
	t.Helper()
	b, err := r.AppendLine(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLinesRoundTrip(t *testing.T) {
	kinds := make(map[Kind]bool)
	for _, r := range samples() {
		kinds[r.Kind] = true
		for _, change := range []func(*Record){func(*Record) {}, func(r *Record) { r.Revision, r.Deleted = 2, true }, func(r *Record) { r.Revision, r.Moved = 3, true }} {
			change(&r)
			line := mustLine(t, &r)
			back, err := Parse(line)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if d := cmp.Diff(r, back); d != "" {
				t.Errorf("%s changed on the way (-before +after):\n%s", r.Kind, d)
			}
			if again := mustLine(t, &back); !bytes.Equal(again, line) {
				t.Errorf("the same record makes another point:\n%s%s", line, again)
			}
		}
	}
	for _, s := range Specs() {
		if !kinds[s.Kind] {
			t.Errorf("no sample of the kind %s", s.Kind)
		}
	}
}

func TestLine(t *testing.T) {
	r := samples()[0]
	line := string(mustLine(t, &r))
	head := `record,kind=downtime_reason,unit=saw-01 id="` + r.ID + `",revision=1i,from="2026-11-02T03:00:00Z",to="2026-11-02T04:00:00Z",reach_s=1793592000i,` +
		`reason="wire break",category="stop",by="Aigerim",why="shift book, page 12",known_us=1793674800000000i,source="book.csv:7" 1793588400`
	if !strings.HasPrefix(line, head) {
		t.Errorf("line\n%s, want\n%s…", line, head)
	}
}

// TestPointsStandBesideEachOther: what differs in anything is a point of its own, within the second of its begin.
func TestPointsStandBesideEachOther(t *testing.T) {
	seen := make(map[string]string)
	add := func(what string, r Record) {
		line := mustLine(t, &r)
		p, err := telemetry.ParseLine(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			t.Fatal(err)
		}
		if p.Time < r.From-r.From%second || p.Time >= r.From-r.From%second+second {
			t.Errorf("%s stands at %s, its begin is %s", what, p.Time, r.From)
		}
		id := fmt.Sprint(p.Key, p.Time)
		if before, ok := seen[id]; ok {
			t.Errorf("%s takes the place of %s", what, before)
		}
		seen[id] = what
	}
	for _, r := range samples() {
		add(string(r.Kind), r)
		for n := 2; n < 200; n++ {
			r.Revision = n
			add(fmt.Sprint(r.Kind, " revision ", n), r)
		}
		r.ID = "another"
		add(string(r.Kind)+" of another id", r)
		r.KnownAt += 1000
		add(string(r.Kind)+" written later", r)
		r.By = "Daulet"
		add(string(r.Kind)+" by another", r)
	}
}

func TestCheck(t *testing.T) {
	by := func(k Kind) Record {
		return samples()[slices.IndexFunc(samples(), func(r Record) bool { return r.Kind == k })]
	}
	for _, c := range []struct {
		kind   Kind
		change func(*Record)
		want   string
	}{
		{Order, func(r *Record) { r.Kind = "odrer" }, `kind "odrer": not one of downtime_reason, order,`},
		{DowntimeReason, func(r *Record) { r.Unit = "" }, "unit: exactly one is needed, 0 are given"},
		{Order, func(r *Record) { r.Unit = "saw-01" }, "unit, line: exactly one is needed, 2 are given"},
		{DowntimeReason, func(r *Record) { r.Unit, r.Line = "", "L1" }, "line: downtime_reason is not of a whole line; name its unit"},
		{DowntimeReason, func(r *Record) { r.Unit = "saw\n01" }, "control character"},
		{DowntimeReason, func(r *Record) { r.Unit = `saw\01` }, "a backslash"},
		{DowntimeReason, func(r *Record) { r.Unit = "saw-01 " }, "begins or ends with a space"},
		{DowntimeReason, func(r *Record) { r.To = r.From }, "to 2026-11-02T03:00:00Z: not after from"},
		{DowntimeReason, func(r *Record) { r.To = r.From + MaxLength + 1; r.Reach = r.To }, "more than 100 days after from"},
		{DowntimeReason, func(r *Record) { r.From = 5 }, "from 1970-01-01T00:00:00.000000005Z: not in the years 1990 to 2199"},
		{DowntimeReason, func(r *Record) { r.Reason = "" }, "reason: missing; downtime_reason needs it"},
		{DowntimeReason, func(r *Record) { r.Reason = "two\nlines" }, "holds a line break"},
		{DowntimeReason, func(r *Record) { r.Reason = strings.Repeat("x", 1001) }, "longer than 1000 bytes"},
		{DowntimeReason, func(r *Record) { r.Reason = "\xff" }, "invalid UTF-8"},
		{DowntimeReason, func(r *Record) { r.Category = "broken" }, `category "broken": not one of setup, stop,`},
		{DowntimeReason, func(r *Record) { r.Quantity = num(1, 1) }, "quantity: does not belong to downtime_reason, which has unit, from, to, reason, category"},
		{Order, func(r *Record) { r.Product = "" }, "product: missing; order needs it"},
		{Booked, func(r *Record) { r.Good = num(1251, 1) }, "good 1251: more than the total 1250.5"},
		{Booked, func(r *Record) { r.Total = num(-1, 1); r.Good = nil }, "total -1: below zero"},
		{Booked, func(r *Record) { r.Total = num(1_000_000_000_000_001, 1) }, "more than 10^15"},
		{Booked, func(r *Record) { r.Good = num(1, 3) }, "good 1/3: more than nine decimals"},
		{Booked, func(r *Record) { r.ReportedAt = r.To - 1 }, "before to"},
		{Scrap, func(r *Record) { r.Quantity = num(0, 1) }, "quantity 0: says nothing"},
		{Scrap, func(r *Record) { r.ReportedAt = 0 }, "reported_at: missing; scrap needs it"},
		{Scrap, func(r *Record) { r.ReportedAt = r.To - 1 }, "before made_to"},
		{CounterSwap, func(r *Record) { r.To++; r.Reach = r.To }, "at: counter_swap is a moment, it has no end"},
		{CounterSwap, func(r *Record) { r.Initial = nil }, "initial: missing"},
		{Rework, func(r *Record) { r.Good = num(41, 1) }, "good 41: more than the quantity 40"},
		{Order, func(r *Record) { r.ID = "" }, "id: missing"},
		{Order, func(r *Record) { r.Revision = 0 }, "revision 0: revisions count from 1"},
		{Order, func(r *Record) { r.By = "" }, "by: missing; say who"},
		{Order, func(r *Record) { r.Revision, r.Why = 2, "" }, "why: missing; a correction"},
		{Order, func(r *Record) { r.Deleted, r.Why = true, "" }, "why: missing; a correction and a withdrawal"},
		{Order, func(r *Record) { r.KnownAt++ }, "not a whole microsecond"},
		{Order, func(r *Record) { r.Reach = r.To - 1 }, "reach"},
	} {
		r := by(c.kind)
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
		c.change(&r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q in it", err, c.want)
		}
		if line, err := r.AppendLine([]byte("x")); err == nil || string(line) != "x" {
			t.Errorf("%s: written although wrong: %s", c.want, line)
		}
	}
	r := by(Order)
	r.By, r.Product = "", ""
	if err := r.Check(); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("want both errors at once: %v", err)
	}
}

func TestStoredNonsense(t *testing.T) {
	r := samples()[3]
	good := string(mustLine(t, &r))
	for _, c := range []struct{ old, new string }{
		{"record,", "recorder,"}, {"kind=booked", "kind=cooked"}, {`to="2026-11-02T15:00:00Z"`, `to="soon"`}, {`to="2026-11-02T15:00:00Z",`, ""},
		{`total="1250.5"`, `total="many"`}, {"revision=1i,", ""}, {`by="Aigerim",`, ""}, {",unit=press\\ 3", ""}, {"revision=1i", `revision="1"`},
	} {
		line := strings.Replace(good, c.old, c.new, 1)
		if line == good {
			t.Fatalf("%q is not in %s", c.old, good)
		}
		if r, err := Parse([]byte(line)); err == nil {
			t.Errorf("%s is taken for %+v", line, r)
		}
	}
}

func TestDefaultID(t *testing.T) {
	list := samples()
	for i, r := range list {
		for k, o := range list {
			if (r.ID == o.ID) != (i == k) {
				t.Errorf("%s and %s: ids %s and %s", r.Kind, o.Kind, r.ID, o.ID)
			}
		}
		same := r
		same.Category, same.Good, same.Total, same.Quantity, same.Audit, same.Revision = "idle", nil, num(1, 1), num(2, 1), Audit{}, 9
		if same.DefaultID() != r.ID {
			t.Errorf("%s: what is corrected makes another id", r.Kind)
		}
		other := r
		other.From++
		if other.DefaultID() == r.ID {
			t.Errorf("%s: another begin has the same id", r.Kind)
		}
	}
}

func TestRevisions(t *testing.T) {
	first := samples()[0]
	known := func(n telemetry.Instant, why string) Audit {
		return Audit{By: "Daulet", Why: why, KnownAt: first.KnownAt + n*hour, Source: "cli"}
	}
	next := first
	next.Reason, next.Audit = "wire wear", known(1, "looked again")
	second, err := first.Correct(next)
	if err != nil || len(second) != 1 || second[0].Revision != 2 || second[0].ID != first.ID {
		t.Fatalf("%+v, %v", second, err)
	}
	next = second[0]
	next.Unit, next.From, next.To, next.Audit = "saw-02", t0+10*hour, t0+11*hour, known(2, "it was the other saw")
	third, err := second[0].Correct(next)
	if err != nil || len(third) != 2 || !third[1].Moved || third[1].Unit != "saw-01" || third[1].From != t0 || third[1].Revision != 3 || third[0].Reach != t0+11*hour {
		t.Fatalf("%+v, %v", third, err)
	}
	gone, err := third[0].Withdraw(known(3, "it was a test"))
	if err != nil || gone.Revision != 4 || !gone.Deleted {
		t.Fatalf("%+v, %v", gone, err)
	}
	all := slices.Concat([]Record{gone, first}, third, second)
	for n, want := range []string{"", "wire break", "wire wear", "saw-02 wire wear", ""} {
		var got []string
		for _, r := range Effective(all, first.KnownAt+telemetry.Instant(n-1)*hour) {
			got = append(got, strings.TrimPrefix(r.Unit+" "+r.Reason, "saw-01 "))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("known %d h after the first: %v, want %q", n-1, got, want)
		}
	}
	here := []Record{first, second[0], third[1]} // what stands at saw-01 and its time
	if got := Effective(here, gone.KnownAt); len(got) != 0 {
		t.Errorf("at its old place it still counts: %v", got)
	}
	if l := Latest(all); l.Revision != 4 {
		t.Errorf("the newest is %+v", l)
	}
	if _, err := gone.Withdraw(known(4, "again")); err == nil {
		t.Error("withdrawn twice")
	}
	if _, err := first.Withdraw(known(4, "")); err == nil {
		t.Error("withdrawn without a reason")
	}
	next = first
	next.Kind = PlannedStop
	if _, err := first.Correct(next); err == nil {
		t.Error("a correction changed the kind")
	}
	next = first
	next.To, next.Audit = t0+hour/2, known(1, "shorter")
	if short, err := first.Correct(next); err != nil || short[0].Reach != first.Reach {
		t.Errorf("a shorter revision is not found where the longer was: %+v, %v", short, err)
	}
	revived := first
	revived.Audit = known(5, "it was so after all")
	if back, err := gone.Correct(revived); err != nil || len(Effective(append(all, back...), revived.KnownAt)) != 1 {
		t.Errorf("a withdrawn record cannot be entered again: %v", err)
	}
}

func TestMerge(t *testing.T) {
	row := samples()[0]
	write, outcome, err := Merge(nil, row)
	if err != nil || outcome != New || len(write) != 1 {
		t.Fatalf("%v %s %v", write, outcome, err)
	}
	again := row
	again.KnownAt, again.Source, again.By, again.Why = row.KnownAt+hour, "copy.csv:1", "Daulet", "imported again"
	changed := again
	changed.Reason = "wire wear"
	stored := []Record{row}
	if write, outcome, err = Merge(stored, again); err != nil || outcome != Known || len(write) != 0 {
		t.Errorf("the same again: %v %s %v", write, outcome, err)
	}
	write, outcome, err = Merge(stored, changed)
	if err != nil || outcome != Corrected || len(write) != 1 || write[0].Revision != 2 {
		t.Fatalf("changed: %v %s %v", write, outcome, err)
	}
	stored = append(stored, write...)
	if _, outcome, _ = Merge(stored, again); outcome != Known {
		t.Errorf("the old file undoes a correction: %s", outcome)
	}
	gone, err := write[0].Withdraw(again.Audit)
	if err != nil {
		t.Fatal(err)
	}
	if _, outcome, _ = Merge(append(stored, gone), again); outcome != Known {
		t.Errorf("the old file undoes a withdrawal: %s", outcome)
	}
	changed.Why, changed.Reason = "", "wire pulled"
	if _, _, err = Merge(stored, changed); err == nil || !strings.Contains(err.Error(), "why: missing") {
		t.Errorf("a correction without a reason: %v", err)
	}
	moved := row
	moved.Revision, moved.Moved = 5, true
	if _, _, err = Merge(append(stored, moved), changed); err == nil {
		t.Error("a revision that stands elsewhere is corrected unseen")
	}
}

// TestEffectiveDoesNotDependOnOrder: nor on what is read twice, and never shows what was not known yet.
func TestEffectiveDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []Record
		for _, first := range samples()[:rapid.IntRange(1, 4).Draw(t, "records")] {
			r := first
			all = append(all, r)
			for n := range rapid.IntRange(0, 4).Draw(t, "revisions") {
				a := Audit{By: "x", Why: "y", KnownAt: r.KnownAt + telemetry.Instant(rapid.IntRange(0, 2).Draw(t, "h"))*hour}
				if !r.Deleted && rapid.Bool().Draw(t, "withdraw") {
					gone, err := r.Withdraw(a)
					if err != nil {
						t.Fatal(err)
					}
					r = gone
					all = append(all, r)
					continue
				}
				next := r
				next.Audit, next.From, next.To = a, r.From+telemetry.Instant(n), r.To+telemetry.Instant(n)
				next.ReportedAt = 0
				if r.Kind == Scrap {
					next.ReportedAt = next.To
				}
				write, err := r.Correct(next)
				if err != nil {
					t.Fatal(err)
				}
				r = write[0]
				all = append(all, write...)
			}
		}
		asof := t0 + 24*hour + telemetry.Instant(rapid.IntRange(-1, 8).Draw(t, "asof"))*hour
		want := Effective(all, asof)
		shuffled := rapid.Permutation(slices.Concat(all, all[:len(all)/2])).Draw(t, "order")
		if d := cmp.Diff(want, Effective(shuffled, asof)); d != "" {
			t.Fatalf("another order or reading twice makes a difference:\n%s", d)
		}
		past := slices.DeleteFunc(slices.Clone(all), func(r Record) bool { return r.KnownAt > asof })
		if d := cmp.Diff(want, Effective(past, asof)); d != "" {
			t.Fatalf("it sees the future:\n%s", d)
		}
		ids := make(map[string]bool)
		for _, r := range want {
			if ids[r.ID] || r.Deleted || r.Moved {
				t.Fatalf("%+v counts", r)
			}
			ids[r.ID] = true
		}
	})
}
