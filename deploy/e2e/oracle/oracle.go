// Package oracle settles the books of a run: every sample that a machine says it made must be in the store, in
// quarantine, or covered by an entry of the loss ledger; nothing else may be there, and nothing may stand at the time of
// another sample. The machines keep their own log; the store is read back through its query API.
package oracle

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kvarts/collector/forward/quarantine"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// Sample is one sample as its machine made it.
type Sample struct {
	Server string
	Series *telemetry.Series
	Field  string
	Tick   telemetry.Tick // source time
	Value  telemetry.Value
	Status telemetry.Status
	// AnyGood accepts every good status: the server sets the overflow bit by itself, after the machine made the sample.
	AnyGood bool
}

// Account is the result. The books balance when Missing, Extra and Changed are 0; then
// Generated = Stored + Quarantined + Ledgered.
type Account struct {
	Generated   uint64   `json:"generated"`
	Stored      uint64   `json:"stored"`
	Quarantined uint64   `json:"quarantined"`
	Ledgered    uint64   `json:"ledgered"` // neither stored nor in quarantine, but covered by a gap
	Missing     uint64   `json:"missing"`  // unaccounted for: must be 0
	Extra       uint64   `json:"extra"`    // stored points that no machine made: must be 0
	Gaps        int      `json:"gaps"`     // entries of the ledger
	Examples    []string `json:"examples,omitempty"`
}

// Balanced says that every sample is accounted for and nothing was invented.
func (a *Account) Balanced() bool { return a.Missing == 0 && a.Extra == 0 }

const maxExamples = 10

func (a *Account) example(format string, args ...any) {
	if len(a.Examples) < maxExamples {
		a.Examples = append(a.Examples, fmt.Sprintf(format, args...))
	}
}

// point is what the store holds of one field at one time.
type point struct {
	value   influx.Value // null when only a status is stored
	status  telemetry.Status
	claimed bool // by a generated sample
}

// track is one field of one series, as stored.
type track map[telemetry.Instant]*point

// Store is what the oracle reads: *influx.Client.
type Store interface {
	Query(ctx context.Context, q influx.Query, each func(influx.Row) error) error
}

// Settle compares what was made with what is kept. Only series of which samples are given are looked at.
func Settle(ctx context.Context, made []Sample, store Store, aside []quarantine.Entry) (*Account, error) {
	return SettleSince(ctx, 0, made, store, aside)
}

// SettleSince is Settle of what was made since a moment: points before it are none of this run's business.
func SettleSince(ctx context.Context, since telemetry.Instant, made []Sample, store Store, aside []quarantine.Entry) (*Account, error) {
	stored, err := readStore(ctx, since, made, store)
	if err != nil {
		return nil, err
	}
	gaps, err := ReadGaps(ctx, store)
	if err != nil {
		return nil, err
	}
	gaps = slices.DeleteFunc(gaps, func(g telemetry.Gap) bool { return g.To < since })
	a := &Account{Generated: uint64(len(made)), Gaps: len(gaps)}
	quarantined := quarantineIndex(aside)
	for i := range made {
		s := &made[i]
		key := string(s.Series.Key())
		switch {
		case stored[key+" "+s.Field].claim(s):
			a.Stored++
		case quarantined[fmt.Sprintf("%s %s@%d", key, s.Field, s.Tick)] > 0:
			a.Quarantined++
		case slices.ContainsFunc(gaps, func(g telemetry.Gap) bool { return covers(&g, s, key) }):
			a.Ledgered++
		default:
			a.Missing++
			a.example("missing: %s %s at %s = %s (%s)", key, s.Field, s.Tick.Instant(), s.Value, s.Status)
		}
	}
	for key, t := range stored {
		for at, p := range t {
			if !p.claimed {
				a.Extra++
				a.example("extra: %s at %s = %s (%s)", key, at, p.value, p.status)
			}
		}
	}
	return a, nil
}

// covers: a gap says what may be missing to the tick; the store's numbering within a tick does not matter.
func covers(g *telemetry.Gap, s *Sample, key string) bool {
	return g.Covers(s.Server, key, s.Field, s.Tick.Instant()) || g.Covers(s.Server, key, s.Field, s.Tick.Instant()+telemetry.SubTicks-1)
}

// claim finds the point that is s. Two equal samples in one tick are one point.
func (t track) claim(s *Sample) bool {
	want := s.Value
	if s.Status.IsBad() {
		want = telemetry.Value{}
	}
	for at := s.Tick.Instant(); at < s.Tick.Instant()+telemetry.SubTicks; at++ {
		if p := t[at]; p != nil && same(want, p.value) && (p.status == s.Status || s.AnyGood && p.status.IsGood()) {
			p.claimed = true
			return true
		}
	}
	return false
}

// same compares exactly; InfluxQL shows a float that is whole as an integer.
func same(want telemetry.Value, got influx.Value) bool {
	switch want.Type() {
	case telemetry.Int:
		n, ok := got.Int()
		return ok && n == want.Int()
	case telemetry.Float:
		f, ok := got.Float()
		return ok && f == want.Float()
	case telemetry.String:
		t, ok := got.Text()
		return ok && t == want.Text()
	default:
		return got.IsNull()
	}
}

func readStore(ctx context.Context, since telemetry.Instant, made []Sample, store Store) (map[string]track, error) {
	series := map[string]*telemetry.Series{} // by measurement and tags as a query shows them
	var measurements []string
	for i := range made {
		s := &made[i]
		key := shown(s.Series.Measurement, s.Series.Tags)
		if series[key] == nil {
			series[key] = s.Series
			if !slices.Contains(measurements, s.Series.Measurement) {
				measurements = append(measurements, s.Series.Measurement)
			}
		}
	}
	out := map[string]track{}
	for _, m := range measurements {
		name, err := influx.Ident(m)
		if err != nil {
			return nil, err
		}
		err = store.Query(ctx, influx.Query{Text: fmt.Sprintf("SELECT * FROM %s WHERE time >= %d GROUP BY *", name, int64(since))}, func(r influx.Row) error {
			s := series[shown(r.Series, r.Tags)]
			at, ok := r.Time()
			if s == nil || !ok {
				return nil
			}
			readRow(out, string(s.Key()), at, &r)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read %s back: %w", m, err)
		}
	}
	return out, nil
}

// shown names a series as a row of a query does: tags without a value are those of other series.
func shown(measurement string, tags []telemetry.Tag) string {
	var b strings.Builder
	b.WriteString(measurement)
	for _, t := range tags {
		if t.Value != "" {
			fmt.Fprintf(&b, ",%q=%q", t.Key, t.Value)
		}
	}
	return b.String()
}

func readRow(out map[string]track, key string, at telemetry.Instant, r *influx.Row) {
	get := func(field string) *point {
		t := out[key+" "+field]
		if t == nil {
			t = track{}
			out[key+" "+field] = t
		}
		if t[at] == nil {
			t[at] = &point{}
		}
		return t[at]
	}
	for i, col := range r.Columns {
		if i == 0 || r.Values[i].IsNull() {
			continue
		}
		if signal, ok := strings.CutSuffix(col, telemetry.StatusSuffix); ok {
			n, _ := r.Values[i].Int()
			get(signal).status = telemetry.Status(n)
			continue
		}
		get(col).value = r.Values[i]
	}
}

func quarantineIndex(aside []quarantine.Entry) map[string]int {
	index := map[string]int{}
	for _, e := range aside {
		if line, ok := e.RawLine(); ok {
			if p, err := telemetry.ParseLine(line); err == nil {
				for _, f := range p.Fields {
					name := strings.TrimSuffix(f.Name, telemetry.StatusSuffix)
					index[fmt.Sprintf("%s %s@%d", p.Key, name, p.Time.Tick())]++
				}
			}
			continue
		}
		if e.Tag != "" {
			index[fmt.Sprintf("%s@%d", e.Tag, e.First.Tick())]++
		}
	}
	return index
}

// ReadGaps reads the loss ledger.
func ReadGaps(ctx context.Context, store Store) ([]telemetry.Gap, error) {
	var gaps []telemetry.Gap
	err := store.Query(ctx, influx.Query{Text: "SELECT * FROM gap GROUP BY *"}, func(r influx.Row) error {
		p := telemetry.Point{Measurement: r.Series, Tags: r.Tags}
		p.Time, _ = r.Time()
		for i, col := range r.Columns[1:] {
			v := r.Values[i+1]
			if n, ok := v.Int(); ok {
				p.Fields = append(p.Fields, telemetry.PointField{Name: col, Value: telemetry.IntValue(n)})
			} else if s, ok := v.Text(); ok {
				p.Fields = append(p.Fields, telemetry.PointField{Name: col, Value: telemetry.StringValue(s)})
			}
		}
		g, err := telemetry.GapOf(&p)
		if err != nil {
			return err
		}
		gaps = append(gaps, g)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the loss ledger: %w", err)
	}
	return gaps, nil
}
