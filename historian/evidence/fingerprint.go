package evidence

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// Fingerprints tell, of units and hours of UTC, whether anything that their facts follow from was added or taken away: how
// many values and statuses of each signal with a role, proofs of life, the gaps and the newest revisions of records there are.
// A value that was replaced by another one at the same time is not seen: identity (a source time with its number within the
// tick) does not let that happen.
//
// An hour's facts hang on more than the hour: a state is carried into it, the readings around it complete its deltas. Whoever
// finds an hour touched computes its neighbours too, and following hours for as long as the state they end with differs.
type Fingerprints struct {
	Hours []calendar.Interval // whole hours that meet the window
	Units map[string][]uint64 // unit → one for each hour; 0: nothing is stored
}

// Of is the fingerprint of a unit for v: of all hours that v meets. ok is false when they do not cover v or the unit was not
// asked for.
func (f *Fingerprints) Of(unit string, v calendar.Interval) (sum uint64, ok bool) {
	prints, has := f.Units[unit]
	if !has || v.Empty() || len(f.Hours) == 0 || v.From < f.Hours[0].From || v.To > f.Hours[len(f.Hours)-1].To {
		return 0, false
	}
	h := offset
	for i, hour := range f.Hours {
		if !hour.Meet(v).Empty() {
			h = mix(h, prints[i])
		}
	}
	return h, true
}

// ReadFingerprints reads those of units in window, with one query for each class and a few more. It reads no values.
func ReadFingerprints(ctx context.Context, client *influx.Client, history plant.History, units []string, window calendar.Interval,
	asof telemetry.Instant,
) (*Fingerprints, error) {
	p := printer{client: client, hours: calendar.Hours(window), units: make(map[string]*printed, len(units))}
	out := &Fingerprints{Hours: p.hours, Units: make(map[string][]uint64, len(units))}
	if len(p.hours) == 0 {
		return out, nil
	}
	p.window = calendar.Interval{From: p.hours[0].From, To: p.hours[len(p.hours)-1].To}
	for _, id := range units {
		eras, err := erasOf(history, id, p.window.To, asof)
		if err != nil {
			return nil, fmt.Errorf("fingerprints: %w", err)
		}
		p.units[id] = &printed{gathering: gathering{unit: id, eras: eras}, sums: make([]uint64, len(p.hours))}
	}
	for _, step := range []func(context.Context) error{p.classes, p.life, p.gaps, func(ctx context.Context) error { return p.records(ctx, asof) }} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("fingerprints of %s: %w", p.window, err)
		}
	}
	for id, u := range p.units {
		out.Units[id] = u.sums
	}
	return out, nil
}

// printer is the work of one ReadFingerprints.
type printer struct {
	client *influx.Client
	hours  []calendar.Interval
	window calendar.Interval
	units  map[string]*printed
}

// printed is one unit.
type printed struct {
	gathering // only unit and eras
	sums      []uint64
}

// FNV-1a over words of 64 bits.
const (
	offset uint64 = 14695981039346656037
	prime  uint64 = 1099511628211
)

func mix(h, v uint64) uint64 {
	for range 8 {
		h = (h ^ v&0xff) * prime
		v >>= 8
	}
	return h
}

func mixText(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime
	}
	return mix(h, uint64(len(s)))
}

// add adds what is there in the hour that holds t. Additions commute, so that the order of an answer does not matter.
func (p *printer) add(u *printed, t telemetry.Instant, what string, n int64) {
	i := int((t - p.window.From) / telemetry.Instant(time.Hour))
	if t >= p.window.From && i < len(u.sums) && n != 0 {
		u.sums[i] += mix(mixText(offset, what), uint64(n))
	}
}

// addAll adds something to every hour that meets v.
func (p *printer) addAll(u *printed, v calendar.Interval, what string, n int64) {
	for _, h := range p.hours {
		if !h.Meet(v).Empty() {
			p.add(u, h.From, what, n)
		}
	}
}

// classes counts the values and statuses of signals that have a role.
func (p *printer) classes(ctx context.Context) error {
	fields := make(map[string][]string) // class → signals
	for _, u := range p.units {
		for _, e := range u.eras {
			if e.unit == nil || e.Meet(p.window).Empty() {
				continue
			}
			for r := range numRoles {
				if s := r.signal(e.unit.Class); s != nil && !slices.Contains(fields[e.unit.Class.Name], s.Name) {
					fields[e.unit.Class.Name] = append(fields[e.unit.Class.Name], s.Name)
				}
			}
		}
	}
	for _, class := range slices.Sorted(maps.Keys(fields)) {
		names := slices.Sorted(slices.Values(fields[class]))
		columns := make([]string, 0, 2*len(names))
		for _, name := range names {
			columns = append(columns, name, name+telemetry.StatusSuffix)
		}
		if err := p.count(ctx, class, columns, ""); err != nil {
			return err
		}
	}
	return nil
}

// life counts the proofs of life.
func (p *printer) life(ctx context.Context) error {
	return p.count(ctx, aliveMeasurement, []string{"alive"}, " AND alive = true")
}

// count counts fields of a measurement by unit and hour.
func (p *printer) count(ctx context.Context, measurement string, fields []string, condition string) error {
	from, err := influx.Ident(measurement)
	if err != nil {
		return err
	}
	counts := make([]string, len(fields))
	for i, f := range fields {
		name, err := influx.Ident(f)
		if err != nil {
			return err
		}
		counts[i] = "count(" + name + ")"
	}
	some, params := anyOf("unit", slices.Sorted(maps.Keys(p.units)))
	q := influx.Query{
		Text: "SELECT " + strings.Join(counts, ", ") + " FROM " + from + " WHERE " + some + condition + during(p.window) +
			` GROUP BY "unit", time(1h) fill(none)`,
		Params: params,
	}
	return p.client.Query(ctx, q, func(r influx.Row) error {
		u := p.units[r.Tag("unit")]
		t, ok := r.Time()
		if u == nil || !ok {
			return nil
		}
		for i, f := range fields {
			n, _ := r.Values[i+1].Int()
			p.add(u, t, measurement+" "+f, n)
		}
		return nil
	})
}

// gaps adds the gaps that concern a unit to every hour that they meet.
func (p *printer) gaps(ctx context.Context) error {
	v := calendar.Interval{From: p.window.From.Add(-longestGap), To: p.window.To}
	q := influx.Query{Text: "SELECT " + gapColumns + " FROM " + telemetry.GapMeasurement + " WHERE " + during(v)[len(" AND "):] + gapGroups}
	return p.client.Query(ctx, q, func(r influx.Row) error {
		gap, unit, ok := gapOf(&r)
		if !ok {
			return nil
		}
		what := fmt.Sprintf("gap %s %s %d", gap.Cause, gap.Signal, gap.From)
		for _, u := range p.units {
			if u.concerns(&gap, unit) {
				p.addAll(u, calendar.Interval{From: gap.From, To: gap.To + 1}, what, int64(gap.To))
			}
		}
		return nil
	})
}

// records adds the newest revisions of records about a unit to every hour that they meet.
func (p *printer) records(ctx context.Context, asof telemetry.Instant) error {
	all, err := ReadRecords(ctx, p.client, p.window, asof)
	if err != nil {
		return err
	}
	for i := range all {
		r := &all[i]
		for _, u := range p.units {
			if u.spokenOf(r) {
				p.addAll(u, recordInterval(r), fmt.Sprintf("record %s %d", r.ID, r.Revision), int64(r.KnownAt))
			}
		}
	}
	return nil
}

// recordInterval is the time that r is about; of a moment, the moment.
func recordInterval(r *record.Record) calendar.Interval {
	return calendar.Interval{From: r.From, To: max(r.To, r.From+1)}
}
