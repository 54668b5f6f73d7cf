package truth_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/simplant/truth"
	"kvarts/deploy/simplant/truth/contract"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/conform"
	"kvarts/historian/exact"
	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// TestWriteVector: what is written of a unit is a vector, on which another engine agrees.
func TestWriteVector(t *testing.T) {
	x := newTrial(t, 5)
	mustAdvance(t, x, 8*time.Hour)
	for _, u := range x.Units() {
		var b bytes.Buffer
		if err := x.seen.WriteVector(&b, u.ID, x.Now(), x.windows()[0], x.windows()[2]); err != nil {
			t.Fatal(err)
		}
		v, err := conform.Parse(u.ID, b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		runner := conform.NewRunner(v)
		for i := range v.Queries {
			o, err := runner.Run(i)
			if err != nil {
				t.Fatal(err)
			}
			if len(v.Queries[i].Expect) == 0 || !o.Pass() {
				t.Errorf("%s: %d expectations, %s", o.Query, len(v.Queries[i].Expect), o.Mismatches)
			}
		}
	}
	if err := x.seen.WriteVector(&bytes.Buffer{}, "nobody", x.Now()); err == nil {
		t.Error("a vector of a unit that is not there")
	}
}

// scene is samples that a test makes up.
type scene struct {
	*truth.Recorder
	t     *testing.T
	w     *world.World
	begin telemetry.Instant
}

func newScene(t *testing.T) *scene {
	t.Helper()
	m := mustModel(t)
	w := mustWorld(t, m, 1, scripts)
	return &scene{truth.NewRecorder(truth.Options{Model: m, Begin: w.Now()}), t, w, w.Now()}
}

func (s *scene) at(seconds float64) telemetry.Instant {
	return s.begin.Add(time.Duration(seconds * float64(time.Second)))
}

// shows is a sample: an int, a float64, a string, or nil for a Bad one.
func (s *scene) shows(unit, signal string, seconds float64, value any) {
	s.t.Helper()
	u, _ := s.w.Unit(unit)
	x := world.Sample{Unit: u, At: s.at(seconds)}
	for i := range u.Class.Signals {
		if u.Class.Signals[i].Name == signal {
			x.Signal, x.Index = &u.Class.Signals[i], i
		}
	}
	switch v := value.(type) {
	case int:
		x.Value = telemetry.IntValue(int64(v))
	case float64:
		x.Value = telemetry.FloatValue(v)
	case string:
		x.Value = telemetry.StringValue(v)
	default:
		x.Status = 0x808C0000
	}
	s.Sample(&x)
}

// unit is the record of a unit after so many seconds.
func (s *scene) unit(id string, seconds float64) *contract.Unit {
	s.t.Helper()
	u, ok := mustAnswers(s.t, s.Recorder, s.at(seconds)).Unit(id)
	if !ok {
		s.t.Fatalf("no unit %s", id)
	}
	return u
}

// readings are a counter's as text: seconds=value.
func (s *scene) readings(c *contract.Counter) string {
	var out []string
	for _, r := range c.Readings {
		out = append(out, r.At.Sub(s.begin).String()+"="+r.Value.String())
	}
	return strings.Join(out, " ")
}

// TestSilence: a counter that reports every change stands until the last interval of the grid before the next in which the unit was seen; not while it is bad.
func TestSilence(t *testing.T) {
	s := newScene(t)
	s.shows("saw1", "total", 3, 5)
	s.shows("saw1", "total", 45, 6)
	s.shows("saw1", "total", 51, nil)
	s.shows("saw1", "total", 98.5, 9)
	s.shows("saw1", "total", 104, 10)
	if got, want := s.readings(s.unit("saw1", 127).Total), "3s=5 40s=5 45s=6 50s=6 1m38.5s=9 1m40s=9 1m44s=10 1m50s=10"; got != want {
		t.Errorf("readings %s, want %s", got, want)
	}
	s.shows("sorter1", "good", 3, 5)
	s.shows("sorter1", "good", 45, 6)
	if got, want := s.readings(s.unit("sorter1", 127).Good), "3s=5 45s=6"; got != want {
		t.Errorf("of a periodic counter: readings %s, want %s", got, want)
	}
}

// TestSwap: a meter that was replaced ends with what it showed, and what follows is that of the new one.
func TestSwap(t *testing.T) {
	s := newScene(t)
	s.shows("saw1", "total", 3, 5)
	final, initial := exact.Int(5), exact.Int(100)
	s.Record(&record.Record{
		Kind: record.CounterSwap, ID: "swap", Unit: "saw1", Signal: "total", From: s.at(25), To: s.at(25), Final: &final, Initial: &initial, Revision: 1,
		Audit: record.Audit{KnownAt: s.at(26)},
	})
	s.shows("saw1", "total", 47, 101)
	c := s.unit("saw1", 60).Total
	if got, want := s.readings(c), "3s=5 20s=5 40s=100 47s=101 50s=101"; got != want {
		t.Errorf("readings %s, want %s", got, want)
	}
	if len(c.Swaps) != 1 || c.Swaps[0] != (contract.Swap{At: s.at(25), Final: final, Initial: initial}) {
		t.Errorf("swaps %+v", c.Swaps)
	}
	if c := s.unit("saw1", 25.5).Total; len(c.Swaps) != 0 {
		t.Errorf("before it was known: swaps %+v", c.Swaps)
	}
}

// TestBatches: progress is a counter of pieces that begins again with each batch and does not fall within one.
func TestBatches(t *testing.T) {
	s := newScene(t)
	s.shows("rx1", "batch_id", 0, "A")
	s.shows("rx1", "done_percent", 10, 25.0)
	s.shows("rx1", "done_percent", 20, 24.9)
	s.shows("rx1", "done_percent", 30, 101.0)
	s.shows("rx1", "batch_id", 35, "A")
	s.shows("rx1", "batch_id", 40, "B")
	s.shows("rx1", "done_percent", 50, nil)
	s.shows("rx1", "done_percent", 60, 0.5)
	c := s.unit("rx1", 100).Total
	if got, want := s.readings(c), "10s=1600 20s=1600 30s=6400 1m0s=32"; got != want {
		t.Errorf("readings %s, want %s", got, want)
	}
	if len(c.Swaps) != 1 || c.Swaps[0].At != s.at(40) || !c.Swaps[0].Final.Equal(exact.Int(6400)) || !c.Swaps[0].Initial.IsZero() {
		t.Errorf("swaps %+v", c.Swaps)
	}
}

// TestUnseenChanges: what was not seen of a change of the batch makes what was made over it a lower bound: a swap for a meter that
// shows more than the next reading, which then is a restart.
func TestUnseenChanges(t *testing.T) {
	for _, c := range []struct {
		name   string
		points func(*scene)
		swaps  string // at: from final to initial
	}{
		{"progress bad before the change", func(s *scene) {
			s.shows("rx1", "batch_id", 0, "A")
			s.shows("rx1", "done_percent", 10, 25.0)
			s.shows("rx1", "done_percent", 20, nil)
			s.shows("rx1", "batch_id", 40, "B")
			s.shows("rx1", "done_percent", 60, 50.0)
		}, "10s: 1600 to 3200000000001/1000000000"},
		{"a batch of which nothing was seen", func(s *scene) {
			s.shows("rx1", "batch_id", 0, "A")
			s.shows("rx1", "done_percent", 10, 25.0)
			s.shows("rx1", "batch_id", 40, "B")
			s.shows("rx1", "batch_id", 50, "C")
			s.shows("rx1", "done_percent", 60, 50.0)
		}, "10s: 1600 to 3200000000001/1000000000"},
		{"a batch that nobody named", func(s *scene) {
			s.shows("rx1", "batch_id", 0, "A")
			s.shows("rx1", "done_percent", 10, 25.0)
			s.shows("rx1", "batch_id", 20, nil)
			s.shows("rx1", "done_percent", 30, 24.0)
			s.shows("rx1", "done_percent", 40, 1.0)
			s.shows("rx1", "batch_id", 50, "B")
			s.shows("rx1", "done_percent", 60, 2.0)
		}, "30s: 1600 to 64000000001/1000000000"},
		{"unnamed, and the progress bad", func(s *scene) {
			s.shows("rx1", "batch_id", 0, "A")
			s.shows("rx1", "done_percent", 10, 25.0)
			s.shows("rx1", "batch_id", 20, nil)
			s.shows("rx1", "done_percent", 30, nil)
			s.shows("rx1", "done_percent", 40, 26.0)
		}, "10s: 1600 to 64000000001/1000000000, 40s: 64 to 1664"},
	} {
		s := newScene(t)
		c.points(s)
		var got []string
		for _, x := range s.unit("rx1", 100).Total.Swaps {
			got = append(got, x.At.Sub(s.begin).String()+": "+x.Final.String()+" to "+x.Initial.String())
		}
		if got := strings.Join(got, ", "); got != c.swaps {
			t.Errorf("%s: swaps %s, want %s", c.name, got, c.swaps)
		}
	}
}

// TestProducts: the signal says what is made; a product that the model does not know is worth nothing that is known.
func TestProducts(t *testing.T) {
	s := newScene(t)
	s.shows("saw1", "recipe", 10, "narrow")
	s.shows("saw1", "recipe", 20, "silver")
	s.shows("saw1", "recipe", 30, nil)
	var got []string
	for _, d := range s.unit("saw1", 100).Ideals {
		got = append(got, d.Product+" "+d.Seconds.String())
	}
	if got, want := strings.Join(got, ", "), "wide 8/5, narrow 64/125, silver 0, wide 8/5"; got != want {
		t.Errorf("ideals %s, want %s", got, want)
	}
	if err := s.WriteVector(&bytes.Buffer{}, "saw1", s.at(100)); err == nil || !strings.Contains(err.Error(), "no ideal of silver") {
		t.Errorf("%v, want that a vector cannot say that there is no ideal", err)
	}
}

// TestStates: what people say about standing time counts; a code that the model lacks is unmapped.
func TestStates(t *testing.T) {
	s := newScene(t)
	for i, code := range []int{1, 3, 99, 0} {
		s.shows("saw1", "state", float64(100*i), code)
	}
	s.Record(&record.Record{
		Kind: record.DowntimeReason, ID: "why", Unit: "saw1", From: s.at(50), To: s.at(150), Reason: "trial", Category: "engineering", Revision: 1,
		Audit: record.Audit{KnownAt: s.at(200)},
	})
	u := s.unit("saw1", 400)
	var got []string
	for _, x := range u.States {
		c, mapped := u.StateMap[x.Code]
		if !mapped {
			c = contract.Unknown
		}
		got = append(got, x.At.Sub(s.begin).String()+"="+map[contract.Category]string{
			contract.Run: "run", contract.Stop: "stop", contract.Engineering: "engineering", contract.Unknown: "unknown", contract.Idle: "idle",
		}[c])
	}
	if got, want := strings.Join(got, " "), "0s=run 50s=run 1m40s=engineering 2m30s=stop 3m20s=unknown 5m0s=idle"; got != want {
		t.Errorf("states %s, want %s", got, want)
	}
}

// TestCompare: every number, reason and finding that is another is told; what rounding explains is not.
func TestCompare(t *testing.T) {
	x := newTrial(t, 7)
	mustAdvance(t, x, 9*time.Hour)
	q := truth.UnitQuery("saw1", x.windows()[2])
	want, cuts := mustAnswer(t, mustAnswers(t, x.seen, x.Now()), q)
	if d := truth.Compare(&want, &want, cuts); len(d) > 0 {
		t.Errorf("an answer is not itself: %s", d)
	}
	for _, key := range contract.Keys() {
		n, ok := want.Numbers[key]
		for _, other := range []struct {
			by    exact.Num
			tells bool
		}{{exact.Frac(1, 1000), true}, {exact.Frac(1, 1_000_000_000_000_000), !rounds(key)}} {
			got := contract.Answer{Numbers: map[string]exact.Num{}, Reason: want.Reason, Findings: want.Findings}
			for k, v := range want.Numbers {
				got.Numbers[k] = v
			}
			got.Numbers[key] = n.Add(other.by)
			if d := truth.Compare(&got, &want, cuts); (len(d) == 1) != (other.tells || !ok) {
				t.Errorf("%s, %s more: %q", key, other.by, d)
			}
		}
	}
	got := contract.Answer{Numbers: want.Numbers, Reason: "no_parts", Findings: []string{"ran_unscheduled", "low_coverage"}}
	if d := truth.Compare(&got, &want, cuts); len(d) != 2 || strings.Contains(strings.Join(d, " "), "low_coverage") {
		t.Errorf("reason and findings: %q", d)
	}
}

// rounds says that an engine of quanta may differ in a key.
func rounds(key string) bool {
	switch key {
	case "PQ", "GQ", "ideal_total_s", "ideal_good_s", "E_kwh", "E_low_kwh", "E_high_kwh", "P", "Q", "OEE", "OEE_low", "OEE_high", "A_low", "NEE", "TEEP":
		return true
	default:
		return false
	}
}

// TestWithin: bounds that exclude the truth are told.
func TestWithin(t *testing.T) {
	answer := func(of ...string) *contract.Answer {
		a := &contract.Answer{Numbers: map[string]exact.Num{}}
		for i := 0; i < len(of); i += 2 {
			n, err := exact.Parse(of[i+1])
			if err != nil {
				t.Fatal(err)
			}
			a.Numbers[of[i]] = n
		}
		return a
	}
	all := answer("A", "0.9", "OEE", "0.8", "E_kwh", "100")
	for _, c := range []struct {
		product *contract.Answer
		want    int
	}{
		{answer("A_low", "0.9", "A_high", "0.9", "OEE_low", "0.1", "OEE_high", "1", "E_low_kwh", "90", "E_high_kwh", "100"), 0},
		{answer("A_low", "0.9", "A_high", "0.9", "OEE_low", "0.1", "OEE_high", "1", "E_low_kwh", "90"), 0},
		{answer("A_low", "0.91", "A_high", "0.99", "OEE_low", "0.1", "OEE_high", "0.7", "E_low_kwh", "101", "E_high_kwh", "99"), 4},
		{answer("OEE_low", "0.1", "OEE_high", "1", "E_low_kwh", "90"), 2},
	} {
		if d := truth.Within(c.product, all, contract.Cuts{}); len(d) != c.want {
			t.Errorf("%d reported, want %d: %q", len(d), c.want, d)
		}
	}
}

// TestIntegrate: the truth of a day that is made up, by hand.
func TestIntegrate(t *testing.T) {
	at := func(h float64) telemetry.Instant { return telemetry.Instant(h * 3600e9) }
	span := func(from, to float64) calendar.Interval { return calendar.Interval{From: at(from), To: at(to)} }
	u := &contract.Unit{
		ID: "M", Shifts: []calendar.Interval{span(0, 8)}, PlannedStops: []calendar.Interval{span(3, 4)}, MinorStop: exact.Int(600),
		Ideals:       []contract.Ideal{{Product: "B", From: at(2), Seconds: exact.Int(2)}, {Product: "A", From: contract.Always, Seconds: exact.Int(1)}},
		ScrapReports: []contract.ScrapReport{{Made: span(0, 2), Quantity: exact.Int(900), ReportedAt: at(5)}},
	}
	segments := []world.Segment{
		{Interval: span(0, 2), Category: plant.Run, Total: 0.5, Scrap: 0.1, KW: 10, Slope: 1.0 / 3600},
		{Interval: span(2, 2.1), Category: plant.Stop, KW: 1},
		{Interval: span(2.1, 3), Category: plant.Run, Total: 0.25, KW: 10},
		{Interval: span(3, 4), Category: plant.Idle, KW: 1},
		{Interval: span(4, 6), Category: plant.Stop, KW: 1},
		{Interval: span(6, 9), Category: plant.Run, Total: 0.25, KW: 10},
	}
	c := truth.Integrate(u, segments, span(0, 10), []world.Segment{{Interval: span(5, 12), KW: 2}})
	want := truth.Continuous{
		Planned: 7 * 3600, Run: 5 * 3600, // the stop of 6 minutes is minor
		Pieces: 3600 + 810 + 1800, Good: 3600 - 720 - 900 + 810 + 1800,
		IdealTotal: 3600 + 2*2610, IdealGood: 1980 + 2*2610,
		KWh: 22 + 0.1 + 9 + 1 + 2 + 30 + 10,
	}
	near := func(what string, got, want float64) {
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: %g, want %g", what, got, want)
		}
	}
	near("planned", c.Planned, want.Planned)
	near("run", c.Run, want.Run)
	near("pieces", c.Pieces, want.Pieces)
	near("good", c.Good, want.Good)
	near("ideal time", c.IdealTotal, want.IdealTotal)
	near("good ideal time", c.IdealGood, want.IdealGood)
	near("kWh", c.KWh, want.KWh)
	near("A", *c.A, 5.0/7)
	near("A·P·Q", *c.A**c.P**c.Q, *c.OEE)
	if c := truth.Integrate(u, segments, span(9, 10)); c.OEE != nil || c.A != nil {
		t.Errorf("out of shift: %+v", c)
	}
	u.Ideals = u.Ideals[:1]
	if c := truth.Integrate(u, segments, span(0, 10)); c.OEE != nil || c.A == nil {
		t.Errorf("without an ideal: %+v", c)
	}
}

// TestDistance: on a plant that is looked at often the contract comes near the continuous truth, and the report says how near.
func TestDistance(t *testing.T) {
	x := newTrial(t, 11)
	mustAdvance(t, x, 26*time.Hour)
	a := mustAnswers(t, x.clear, x.Now())
	w := x.windows()[0]
	var all []truth.Distance
	for _, u := range x.Units() {
		answer, _ := mustAnswer(t, a, truth.UnitQuery(u.ID, w))
		of, _ := a.Unit(u.ID)
		c := truth.Integrate(of, u.Segments(), w)
		d := truth.NewDistance(u.ID, w, &answer, &c)
		all = append(all, d)
		oee, ok1 := d.OEE.Delta()
		kwh, ok2 := d.KWh.Delta()
		if !ok1 || !ok2 || math.Abs(oee) > 0.02**d.OEE.Truth || math.Abs(kwh) > 0.02**d.KWh.Truth {
			t.Errorf("%s: OEE %g apart, kWh %g", u.ID, oee, kwh)
		}
	}
	var table bytes.Buffer
	if err := truth.WriteDistances(&table, all); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", &table)
	if lines := strings.Count(table.String(), "\n"); lines != len(all)+1 {
		t.Errorf("%d lines of %d units", lines, len(all))
	}
	data, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	var read []map[string]any
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	if read[0]["unit"] != "saw1" || read[0]["oee"].(map[string]any)["delta"] == nil {
		t.Errorf("JSON %s", data)
	}
}
