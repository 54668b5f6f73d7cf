package truth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"kvarts/configs/plants"
	"kvarts/deploy/e2e/factory"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/lots"
	"kvarts/historian/plant"
	"kvarts/historian/purity"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// beat is the grid of the proofs of life: one at its end for each interval in which the unit was seen.
const beat = 10 * time.Second

// writing is what collectors have to write, in line protocol.
type writing struct {
	series, alive map[string]*telemetry.Series // by unit
	fields        map[*plant.Signal]*telemetry.Field
	lines         []byte
	n             int
	proven        telemetry.Instant // up to where proofs of life were written
}

// name names the series and fields of a plant as the collector does.
func (w *writing) name(t testing.TB, x *world.World) {
	t.Helper()
	w.series, w.alive, w.fields = map[string]*telemetry.Series{}, map[string]*telemetry.Series{}, map[*plant.Signal]*telemetry.Field{}
	for _, u := range x.Units() {
		var err error
		tags := x.Model().Tags(u.Unit)
		if w.series[u.ID], err = telemetry.NewSeries(u.Class.Name, tags); err != nil {
			t.Fatal(err)
		}
		if w.alive[u.ID], err = telemetry.NewSeries("alive", tags); err != nil {
			t.Fatal(err)
		}
		for i := range u.Class.Signals {
			s := &u.Class.Signals[i]
			typ, ok := telemetry.ParseType(string(s.Type))
			if !ok {
				t.Fatalf("signal %s is of type %q", s.Name, s.Type)
			}
			if w.fields[s], err = telemetry.NewField(s.Name, typ); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (w *writing) sample(s *world.Sample) {
	w.lines = telemetry.AppendSample(w.lines, &telemetry.Sample{
		Series: w.series[s.Unit.ID], Field: w.fields[s.Signal], Value: s.Value, Source: s.At, Status: telemetry.Status(s.Status),
	}, false)
	w.n++
}

// prove adds the proofs of life of all units in v.
func (l *life) prove(v calendar.Interval) {
	grid := telemetry.Instant(beat)
	for _, u := range l.Units() {
		seen := u.Seen(l.window)
		for at := v.From - v.From%grid + grid; at <= v.To; at += grid {
			whole := calendar.Interval{From: at - grid, To: at}
			if seen.Clip(whole).Duration() == beat {
				l.out.lines = telemetry.NewLine(l.out.lines, l.out.alive[u.ID]).Bool("alive", true).End(at)
				l.out.n++
			}
		}
	}
}

// flush writes what collectors have collected up to now.
func (l *life) flush(t testing.TB, c *influx.Client) {
	t.Helper()
	from := max(l.out.proven, l.window.From)
	l.prove(calendar.Interval{From: from, To: l.Now()})
	l.out.proven = l.Now() - l.Now()%telemetry.Instant(beat)
	const most = 4 << 20 // bytes of a request
	for lines := l.out.lines; len(lines) > 0; {
		part := lines
		if len(part) > most {
			part = part[:bytes.LastIndexByte(part[:most], '\n')+1]
		}
		factory.Write(t, c, part, bytes.Count(part, []byte("\n")))
		lines = lines[len(part):]
	}
	l.out.lines, l.out.n = l.out.lines[:0], 0
}

// apply stores the model.
func (l *life) apply(t testing.TB, c *influx.Client) {
	t.Helper()
	known := l.window.From.Add(-100 * time.Hour)
	if err := evidence.ApplyModel(context.Background(), c, plants.Demo, 0, known-known%1000, "test", "the plant of the seed"); err != nil {
		t.Fatal(err)
	}
}

// enterRecords stores what people have entered, up to now, from the n-th on.
func (l *life) enterRecords(t testing.TB, c *influx.Client, n int) {
	t.Helper()
	if len(l.records) == n {
		return
	}
	entries, err := evidence.PlanRecords(context.Background(), c, l.records[n:])
	if err != nil {
		t.Fatal(err)
	}
	var write []record.Record
	for _, e := range entries {
		if e.Err != nil {
			t.Fatal(e.Err)
		}
		write = append(write, e.Write...)
	}
	if err := evidence.WriteRecords(context.Background(), c, write); err != nil {
		t.Fatal(err)
	}
}

// jsonLines is things in the formats that are imported.
func jsonLines[T any](t testing.TB, all ...T) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	for _, x := range all {
		if err := to.Encode(x); err != nil {
			t.Fatal(err)
		}
	}
	return &b
}

// enterBook imports all lots and steps, as the MES hands them over.
func (l *life) enterBook(t testing.TB, c *influx.Client) {
	t.Helper()
	text := jsonLines(t, l.lots...)
	text.Write(jsonLines(t, l.steps...).Bytes())
	rows, problems := lots.Read(text, lots.ReadOptions{Format: lots.JSON, Name: "mes.jsonl"})
	if len(problems) > 0 {
		t.Fatalf("%d problems in the book, the first: %s", len(problems), problems[0])
	}
	at := l.Now() - l.Now()%1000
	p, err := lots.PlanImport(context.Background(), c, rows, at)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Problems) > 0 {
		t.Fatalf("%d problems with the book, the first: %s", len(p.Problems), p.Problems[0])
	}
	if err := p.Write(context.Background(), c); err != nil {
		t.Fatal(err)
	}
}

// enterResults imports the results of the laboratory, each batch of them when it was told.
func (l *life) enterResults(t testing.TB, c *influx.Client) {
	t.Helper()
	for i := 0; i < len(l.results); {
		at := l.results[i].at
		var batch []world.LabResult
		for ; i < len(l.results) && l.results[i].at == at; i++ {
			batch = append(batch, l.results[i].it)
		}
		rows, problems := purity.Read(jsonLines(t, batch...), purity.ReadOptions{Format: purity.JSON, Name: "lab.jsonl", KnownAt: at - at%1000})
		if len(problems) > 0 {
			t.Fatal(problems[0])
		}
		entries, err := purity.PlanResults(context.Background(), c, rows)
		if err != nil {
			t.Fatal(err)
		}
		var write []purity.Result
		for _, e := range entries {
			if e.Err != nil {
				t.Fatal(e.Err)
			}
			write = append(write, e.Row)
		}
		if err := purity.WriteResults(context.Background(), c, write); err != nil {
			t.Fatal(err)
		}
	}
}
