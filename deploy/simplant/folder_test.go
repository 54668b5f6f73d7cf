package main

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kvarts/configs/plants"
	"kvarts/deploy/simplant/areas"
	"kvarts/deploy/simplant/truth/contract"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/conform"
	"kvarts/historian/exact"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// said is a line of answers.json, as somebody else reads it.
type said struct {
	Target struct {
		Unit, Line string
		Plant      bool
	}
	Part, Name  string
	Window      [2]string
	Cut         bool
	Undisturbed map[string]any
	Seen        map[string]any
}

// number is that of a key; a key without one is an error.
func number(t *testing.T, x map[string]any, key string) exact.Num {
	t.Helper()
	text, _ := x[key].(string)
	n, err := exact.Parse(text)
	if err != nil {
		t.Fatalf("%s is %v: %s", key, x[key], err)
	}
	return n
}

func readAnswers(t *testing.T, dir string) []said {
	t.Helper()
	var out []said
	for dec := json.NewDecoder(open(t, filepath.Join(dir, answersFile))); ; {
		var x said
		if err := dec.Decode(&x); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out = append(out, x)
	}
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// lived is a folder of a plant that was looked at for some hours, with a shift's end among them, after days in which lots were
// made and the laboratory was busy.
type lived struct {
	dir    string
	world  *world.World
	window calendar.Interval
	shown  uint64             // samples
	kWh    map[string]float64 // by unit, in window
	far    *distances
}

const lookedAt = 100 * time.Minute

func newLived(t *testing.T, faults ...world.Fault) *lived {
	t.Helper()
	m, err := plant.Parse("demo.yaml", plants.Demo)
	if err != nil {
		t.Fatal(err)
	}
	begin := shiftEnd(t).Add(-70 * time.Minute)
	l := &lived{dir: t.TempDir(), window: calendar.Interval{From: begin, To: begin.Add(lookedAt)}, kWh: map[string]float64{}}
	l.world, err = world.New(world.Options{Model: m, Seed: 7, Start: begin.Add(-100 * time.Hour), Process: areas.Processes, KeepSegments: true, Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.world.Close)
	d, err := openFolder(l.dir, l.world, begin, len(faults) > 0)
	if err != nil {
		t.Fatal(err)
	}
	o := d.observer()
	entered := o
	entered.Sample, entered.True = nil, nil
	l.advance(t, entered, begin)
	for _, u := range l.world.Units() {
		l.kWh[u.ID] = -u.EnergyNow()
	}
	sample := o.Sample
	o.Sample = func(s *world.Sample) { l.shown++; sample(s) }
	l.advance(t, o, begin.Add(20*time.Minute))
	d.serve(l.world.Now())
	l.advance(t, o, l.window.To)
	for _, u := range l.world.Units() {
		l.kWh[u.ID] += u.EnergyNow()
	}
	if l.far, err = d.finish(); err != nil {
		t.Fatal(err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	return l
}

// shiftEnd is one of the demo's plant, at which a plant day begins.
func shiftEnd(t *testing.T) telemetry.Instant {
	t.Helper()
	at, err := calendar.ParseTime("2026-11-03T08:00:00+05:00", nil)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func (l *lived) advance(t *testing.T, o world.Observer, to telemetry.Instant) {
	t.Helper()
	l.world.Observe(o, world.AsTheModelSays)
	if err := l.world.Advance(to); err != nil {
		t.Fatal(err)
	}
}

func TestFolder(t *testing.T) {
	fault := func(k world.FaultKind, unit, signal string, from, to time.Duration) world.Fault {
		begin := shiftEnd(t).Add(-70 * time.Minute)
		return world.Fault{Kind: k, Unit: unit, Signal: signal, Interval: calendar.Interval{From: begin.Add(from), To: begin.Add(to)}}
	}
	l := newLived(t,
		fault(world.Silent, "CZ-2", "", 30*time.Minute, 47*time.Minute),
		fault(world.Failed, "SAW-1", "state", 10*time.Minute, 35*time.Minute),
		fault(world.Unsure, "WS-1", "wafers_good", 50*time.Minute, 60*time.Minute),
	)
	answers := readAnswers(t, l.dir)
	t.Run("answers", func(t *testing.T) { l.answersAddUp(t, answers) })
	t.Run("faults", func(t *testing.T) { l.faultsAreSeen(t, answers) })
	t.Run("vectors", func(t *testing.T) { l.vectorsPass(t, answers) })
	t.Run("distance", l.distanceIsSmall)
	t.Run("imports", l.imports)
	t.Run("samples", func(t *testing.T) {
		if n := lines(t, filepath.Join(l.dir, "samples.jsonl")); n != l.shown || n < 300_000 {
			t.Errorf("%d samples, of %d that were shown", n, l.shown)
		}
	})
}

// answersAddUp: every target is asked of every part of the run, and what is a sum is the sum of the parts, and of the units.
func (l *lived) answersAddUp(t *testing.T, all []said) {
	m := l.world.Model()
	parts := map[string]map[string]said{} // by target, by part and name
	for _, x := range all {
		id := x.Target.Unit + x.Target.Line
		if parts[id] == nil {
			parts[id] = map[string]said{}
		}
		parts[id][strings.TrimSpace(x.Part+" "+x.Name)] = x
	}
	if want := len(m.Units) + len(m.Lines) + 1; len(parts) != want || len(all) != 6*want {
		t.Fatalf("%d targets, %d answers, want %d targets with 6", len(parts), len(all), want)
	}
	sums := []string{"PBT_s", "UNKNOWN_s", "PQ", "GQ", "E_kwh"}
	for id, x := range parts {
		for _, key := range sums {
			if x["run"].Undisturbed[key] == nil {
				continue
			}
			whole := number(t, x["run"].Undisturbed, key)
			shifts := number(t, x["shift 2026-11-02 night"].Undisturbed, key).Add(number(t, x["shift 2026-11-03 day"].Undisturbed, key))
			days := number(t, x["day 2026-11-02"].Undisturbed, key).Add(number(t, x["day 2026-11-03"].Undisturbed, key))
			if !whole.Equal(shifts) || !whole.Equal(days) {
				t.Errorf("%s: %s of the run is %s, of its shifts %s, of its days %s", id, key, whole, shifts, days)
			}
		}
		if served := x["served"]; served.Window != [2]string{l.window.From.Add(20 * time.Minute).String(), l.window.To.String()} || served.Cut || !x["day 2026-11-03"].Cut {
			t.Errorf("%s: served in %s", id, served.Window)
		}
	}
	for _, key := range []string{"E_kwh", "PBT_s"} {
		var sum exact.Num
		for _, u := range m.Units {
			if v := parts[u.ID]["run"].Undisturbed[key]; u.Meter == "" && v != nil {
				sum = sum.Add(number(t, parts[u.ID]["run"].Undisturbed, key))
			}
		}
		if got := number(t, parts[""]["run"].Undisturbed, key); !got.Equal(sum) || sum.IsZero() {
			t.Errorf("%s of the plant is %s, of its units %s", key, got, sum)
		}
	}
}

// faultsAreSeen: what was seen of disturbed units is less, of all others it is the same.
func (l *lived) faultsAreSeen(t *testing.T, all []said) {
	less := map[string]string{"CZ-2": "coverage", "SAW-1": "coverage"}
	for _, x := range all {
		if x.Part != "run" || x.Target.Unit == "" || x.Target.Unit == "WS-1" {
			continue
		}
		if key := less[x.Target.Unit]; key != "" {
			if number(t, x.Seen, key).Cmp(number(t, x.Undisturbed, key)) >= 0 {
				t.Errorf("%s: seen %s is %s, undisturbed %s", x.Target.Unit, key, x.Seen[key], x.Undisturbed[key])
			}
			continue
		}
		if !maps.EqualFunc(x.Seen, x.Undisturbed, func(a, b any) bool { return jsonOf(t, a) == jsonOf(t, b) }) {
			t.Errorf("%s: seen %v, undisturbed %v", x.Target.Unit, x.Seen, x.Undisturbed)
		}
	}
}

func jsonOf(t *testing.T, x any) string {
	t.Helper()
	b, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// vectorsPass: the product's engine passes every vector, and says in fractions what stands in answers.json.
func (l *lived) vectorsPass(t *testing.T, all []said) {
	of := map[string][]said{} // in the order of the queries
	for _, x := range all {
		of[x.Target.Unit] = append(of[x.Target.Unit], x)
	}
	passed := 0
	for _, u := range l.world.Model().Units {
		for _, s := range []sight{undisturbed, seen} {
			data, err := os.ReadFile(filepath.Join(l.dir, vectorFile(s, u.ID)))
			if err != nil {
				t.Fatal(err)
			}
			v, err := conform.Parse(u.ID, data)
			if err != nil {
				t.Fatal(err)
			}
			runner := conform.NewRunner(v)
			for i := range v.Queries {
				o, err := runner.Run(i)
				if err != nil {
					t.Fatal(err)
				}
				if !o.Pass() || len(v.Queries[i].Expect) < len(conform.ExpectKeys()) {
					t.Errorf("%s, %s: %d expectations, %s", o.Vector, o.Query, len(v.Queries[i].Expect), o.Mismatches)
				}
				want := of[u.ID][i].Undisturbed
				if s == seen {
					want = of[u.ID][i].Seen
				}
				for _, key := range contract.Keys() {
					if got, stands := o.Answer.Numbers[key], want[key]; (stands == nil) != got.Null || stands != nil && got.Num.String() != stands {
						t.Errorf("%s, %s: %s is %v, in %s %v", o.Vector, o.Query, key, got, answersFile, stands)
					}
				}
				passed++
			}
		}
	}
	if passed != 2*6*len(l.world.Model().Units) {
		t.Errorf("%d queries", passed)
	}
}

// distanceIsSmall: what the file says is true is what the world used, and the contract is near it.
func (l *lived) distanceIsSmall(t *testing.T) {
	var file distances
	if err := json.NewDecoder(open(t, filepath.Join(l.dir, distanceFile))).Decode(&file); err != nil {
		t.Fatal(err)
	}
	if file.Window != windowOf(l.window) || len(file.Undisturbed) != len(l.world.Units()) || len(file.Seen) != len(file.Undisturbed) {
		t.Fatalf("%d and %d units in %s", len(file.Undisturbed), len(file.Seen), file.Window)
	}
	for _, d := range file.Undisturbed {
		u, _ := l.world.Unit(d.Unit)
		if d.KWh.Truth == nil != (u.Class.Energy == nil && u.Class.Power == nil) || u.Class.State == nil && d.OEE.Truth != nil {
			t.Errorf("%s: %s", d.Unit, jsonOf(t, d))
		}
		if d.KWh.Truth == nil {
			continue
		}
		if used := l.kWh[d.Unit]; math.Abs(*d.KWh.Truth-used) > 1e-9*used+1e-9 {
			t.Errorf("%s: %v kWh are true, %v were used", d.Unit, *d.KWh.Truth, used)
		}
		if delta, ok := d.KWh.Delta(); !ok || math.Abs(delta) > 0.005**d.KWh.Truth {
			t.Errorf("%s: the contract says %v kWh more than %v", d.Unit, delta, *d.KWh.Truth)
		}
	}
	counted := func(id string) bool {
		return id == "TCS-1" || strings.HasPrefix(id, "RX-") || strings.HasPrefix(id, "SAW-")
	} // piece by piece or finer
	for _, d := range file.Undisturbed {
		if delta, ok := d.OEE.Delta(); counted(d.Unit) && (!ok || math.Abs(delta) > 0.02) {
			t.Errorf("%s: OEE is %s", d.Unit, jsonOf(t, d.OEE))
		}
	}
	var b strings.Builder
	if err := l.far.table(&b); err != nil || strings.Count(b.String(), "CZ-2") != 2 {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// TestNoFolder: without a path nobody looks, and nothing is kept or written.
func TestNoFolder(t *testing.T) {
	d, err := openFolder("", nil, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	o := d.observer()
	if o.Sample != nil || o.True != nil || o.Record != nil || o.Lot != nil || o.Step != nil || o.Lab != nil {
		t.Error("a folder without a path observes")
	}
	d.serve(1)
	if far, err := d.finish(); far != nil || err != nil || d.reckoning != nil {
		t.Errorf("%v, %v", far, err)
	}
	if err := d.close(); err != nil {
		t.Error(err)
	}
}

// TestStaleReckoning: what an earlier run reckoned does not outlive the begin of the next; what is not its own does.
func TestStaleReckoning(t *testing.T) {
	dir := t.TempDir()
	m, err := plant.Parse("demo.yaml", plants.Demo)
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Options{Model: m, Start: shiftEnd(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	own := []string{answersFile, distanceFile, vectorFile(undisturbed, "CZ-1"), vectorFile(seen, "CZ-1")}
	notes := filepath.Join("vectors", "notes.txt")
	for _, name := range append(slices.Clone(own), notes) {
		if err := writeFile(filepath.Join(dir, name), func(to io.Writer) error { _, err := io.WriteString(to, "old"); return err }); err != nil {
			t.Fatal(err)
		}
	}
	d, err := openFolder(dir, w, w.Now(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for _, name := range own {
		if _, err := os.Stat(filepath.Join(dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, notes)); err != nil {
		t.Error(err)
	}
}

// TestFlush: what was shown is in the file a minute later, whatever becomes of the process.
func TestFlush(t *testing.T) {
	m, err := plant.Parse("demo.yaml", plants.Demo)
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Options{Model: m, Start: shiftEnd(t), Process: areas.Processes})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	d, err := openFolder(t.TempDir(), w, w.Now(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	w.Observe(d.observer(), world.AsTheModelSays)
	if err := w.Advance(w.Now().Add(3 * flushEvery)); err != nil {
		t.Fatal(err)
	}
	sc := bufio.NewScanner(open(t, filepath.Join(d.path, "samples.jsonl")))
	newest := ""
	for sc.Scan() {
		var x struct{ At string }
		if json.Unmarshal(sc.Bytes(), &x) == nil { // the last line may be torn
			newest = max(newest, x.At)
		}
	}
	at, err := time.Parse(time.RFC3339Nano, newest)
	if err != nil || w.Now().Time().Sub(at) > flushEvery+time.Second {
		t.Errorf("at %s the newest sample in the file is of %s (%v)", w.Now(), newest, err)
	}
}

func TestDividing(t *testing.T) {
	m, err := plant.Parse("demo.yaml", plants.Demo)
	if err != nil {
		t.Fatal(err)
	}
	rules := func(name string) *calendar.Rules {
		c, ok := m.Calendar(name)
		if !ok {
			t.Fatal(name)
		}
		return c.Rules
	}
	if got := dividing(m, []string{"SAW-1", "SAW-2"}); got != rules("wafering") {
		t.Error("saws are not divided by their own calendar")
	}
	if got := dividing(m, []string{"SAW-1", "PE-1"}); got != m.Calendars[0].Rules {
		t.Error("units of several calendars are not divided by the first one")
	}
	run := calendar.Interval{From: shiftEnd(t), To: shiftEnd(t).Add(12 * time.Hour)}
	got := parts(run, run.From, rules("continuous"))
	want := []part{{Kind: "run", Interval: run}, {Kind: "shift", Name: "2026-11-03 day", Interval: run}, {Kind: "day", Name: "2026-11-03", Interval: run, Cut: true}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
