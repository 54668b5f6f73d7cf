package answer

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"kvarts/deploy/e2e/factory"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
)

func mustVersion(t *testing.T, text []byte, effective calendar.Interval) plant.Version {
	t.Helper()
	m, err := plant.Parse("test", text)
	if err != nil {
		t.Fatal(err)
	}
	return plant.Version{Model: m, Effective: effective.From, Known: effective.From, Hash: m.Hash}
}

// A machine that is moved to the line on a date counts for the line from that date on, and the plant does not change.
func TestMembershipHasDates(t *testing.T) {
	before := mustVersion(t, factory.Model("1.5"), factory.Day(-5, 0))
	moved := mustVersion(t, bytes.Replace(factory.Model("1.5"), []byte("units: [ws01, ws02]"), []byte("units: [ws01, ws02, ws03]"), 1), factory.Day(1, 2))
	w := factory.Day(-6, 3)
	spans := plant.NewHistory(before, moved).Spans(w, w.To)
	line, err := resolve(Target{Level: Line, IDs: []string{factory.Line}}, OEE, spans)
	if err != nil {
		t.Fatal(err)
	}
	if len(line.spans) != 2 || slices.Contains(line.spans[0].units, "ws03") || !slices.Contains(line.spans[1].units, "ws03") || line.spans[1].From != moved.Effective {
		t.Errorf("line %+v", line.spans)
	}
	all, err := resolve(Target{Level: Plant}, OEE, spans)
	if err != nil {
		t.Fatal(err)
	}
	if len(all.spans) != 1 || all.spans[0].From != before.Effective || all.spans[0].To != w.To {
		t.Errorf("plant %+v", all.spans)
	}
}

// What a target is made of, by level and kind: a meter's energy is that of the machines below it.
func TestComposed(t *testing.T) {
	m := mustVersion(t, factory.Model("1.5"), factory.Day(0, 1)).Model
	for _, k := range []struct {
		target Target
		kind   Kind
		want   []string
	}{
		{Target{Level: Plant}, OEE, []string{"ws01", "ws02", "ws03", "wc01"}},
		{Target{Level: Plant}, Energy, []string{"ws01", "ws02", "ws03", "wc01"}},
		{Target{Level: Line, IDs: []string{"L1"}}, OEE, []string{"ws01", "ws02", "wc01"}},
		{Target{Level: Area, IDs: []string{"supply"}}, OEE, nil},
		{Target{Level: Stage, IDs: []string{"wafer"}}, OEE, []string{"ws01", "ws02", "ws03", "wc01"}},
		{Target{Level: Unit, IDs: []string{"co01"}}, Energy, []string{"co01"}},
	} {
		got, ok := composed(m, k.target, k.kind)
		if !ok || !slices.Equal(got, k.want) {
			t.Errorf("%s of %s: %q, %v, want %q", k.kind, k.target, got, ok, k.want)
		}
	}
	if _, ok := composed(m, Target{Level: Line, IDs: []string{"L9"}}, OEE); ok {
		t.Error("a line that is not there")
	}
}

// Time before the first model is in no sum, and the answer says so.
func TestTimeWithoutModel(t *testing.T) {
	w := newWorks(t, factory.Embedded(t))
	a := w.ask(Question{Target: Target{Level: Unit, IDs: []string{"ws01"}}, Window: calendar.Interval{From: factory.Begin().Add(-30*24*time.Hour - time.Hour), To: factory.Begin().Add(-30*24*time.Hour + time.Hour)}})
	if got := sumOf(a.Rows, "unit ws01").Sum[0]; got.String() != "3600000000000" {
		t.Errorf("span %s ns, want the hour in which there is a model", got)
	}
	if !slices.ContainsFunc(a.Findings, func(f Finding) bool { return f.Code == NoModel && f.When[0].Duration() == time.Hour }) {
		t.Errorf("findings %v", a.Findings)
	}
}
