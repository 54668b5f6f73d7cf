package evidence

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/influx"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// RecordFilter says which records are meant. The zero filter is all.
type RecordFilter struct {
	Window calendar.Interval // those that meet it; the zero Interval is all of time
	Kind   record.Kind
	// Those of the unit, or of the line or area, as far as they are set: much faster than all places.
	Unit, Line, Area string
}

// ReadRecords reads what people had entered by asof and not withdrawn, and that meets the window: intervals of which a part is in
// it, and moments in it. A stored point that is no record is an error: what it was to say would be missing without a word.
func ReadRecords(ctx context.Context, client *influx.Client, window calendar.Interval, asof telemetry.Instant) ([]record.Record, error) {
	return ReadEffective(ctx, client, asof, RecordFilter{Window: window})
}

// ReadEffective is ReadRecords of those that the filter means.
func ReadEffective(ctx context.Context, client *influx.Client, asof telemetry.Instant, f RecordFilter) ([]record.Record, error) {
	conditions, params := f.where()
	all, err := readRevisions(ctx, client, params, conditions...)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(record.Effective(all, asof), func(r record.Record) bool { return !meets(&r, f.Window) }), nil
}

// meets says that r is in w as far as readers of w care.
func meets(r *record.Record, w calendar.Interval) bool {
	if w == (calendar.Interval{}) {
		return true
	}
	v := calendar.Interval{From: r.From, To: r.To}
	return w.Holds(r.From) || !v.Meet(w).Empty()
}

// where is the conditions, one for each statement, under which all revisions of a record are found, or none. Revisions that no
// longer meet the window are found by record.Record.Reach, those that stand elsewhere now by record.Record.Moved.
func (f *RecordFilter) where() (statements []string, params map[string]any) {
	var all []string
	params = map[string]any{}
	if f.Kind != "" {
		all = append(all, "kind = $kind")
		params["kind"] = string(f.Kind)
	}
	var places []string
	for _, p := range []struct{ tag, value string }{{"unit", f.Unit}, {"line", f.Line}, {"area", f.Area}} {
		if p.value != "" {
			places = append(places, p.tag+" = $"+p.tag)
			params[p.tag] = p.value
		}
	}
	if len(places) > 0 {
		all = append(all, "("+strings.Join(places, " OR ")+")")
	}
	if f.Window == (calendar.Interval{}) {
		return []string{strings.Join(all, " AND ")}, params
	}
	const second = telemetry.Instant(time.Second)
	from, to := max(f.Window.From, beginning+record.MaxLength+second), min(f.Window.To, ending-second)
	params["short"], params["long"], params["to"], params["reach"] = from-record.ShortLength-second, from-record.MaxLength-second, to+second, int64(from/second)-1
	all = append(all, "time < $to AND reach_s >= $reach")
	both := strings.Join(all, " AND ")
	return []string{both + " AND " + record.LongTag + " = '' AND time >= $short", both + " AND " + record.LongTag + " = '1' AND time >= $long"}, params
}

// idsPerQuery bounds the length of one condition.
const idsPerQuery = 100

// ReadRevisions reads all revisions of the records with these ids, wherever they stand, in order. It looks through all records.
func ReadRevisions(ctx context.Context, client *influx.Client, ids ...string) ([]record.Record, error) {
	var out []record.Record
	for some := range slices.Chunk(ids, idsPerQuery) {
		params := map[string]any{}
		var conditions []string
		for i, id := range some {
			name := fmt.Sprintf("id%d", i)
			conditions = append(conditions, "id = $"+name)
			params[name] = id
		}
		found, err := readRevisions(ctx, client, params, strings.Join(conditions, " OR "))
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	record.Sort(out)
	return out, nil
}

// readRevisions reads the points under each of the conditions.
func readRevisions(ctx context.Context, client *influx.Client, params map[string]any, conditions ...string) ([]record.Record, error) {
	var text []string
	for _, where := range conditions {
		s := `SELECT "` + strings.Join(record.Fields(), `", "`) + `" FROM ` + record.Measurement
		if where != "" {
			s += " WHERE " + where
		}
		text = append(text, s+" GROUP BY "+strings.Join(record.Tags(), ", "))
	}
	q := influx.Query{Text: strings.Join(text, "; "), Params: params}
	var out []record.Record
	err := client.Query(ctx, q, func(row influx.Row) error {
		r, err := record.FromRow(recordRow{&row})
		if err != nil {
			at, _ := row.Time()
			return fmt.Errorf("point %s of %v at %d ns: %w (enter it again, and remove the point with InfluxQL: DELETE FROM %s WHERE time = %d)",
				record.Measurement, row.Tags, at, err, record.Measurement, at)
		}
		out = append(out, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	return out, nil
}

// recordRow is a row of a query as a record.Row.
type recordRow struct{ *influx.Row }

func (r recordRow) value(field string) influx.Value {
	if i := slices.Index(r.Columns, field); i >= 0 {
		return r.Values[i]
	}
	return influx.Value{}
}

func (r recordRow) Text(field string) (string, bool) { return r.value(field).Text() }
func (r recordRow) Int(field string) (int64, bool)   { return r.value(field).Int() }

// WriteRecords writes revisions. Writing the same revision again changes nothing. All are checked before the first is written.
func WriteRecords(ctx context.Context, client *influx.Client, records []record.Record) error {
	lines := make([][]byte, len(records))
	for i := range records {
		var err error
		if lines[i], err = records[i].AppendLine(nil); err != nil {
			return fmt.Errorf("write records: %w", err)
		}
	}
	w := writer{client: client}
	for _, line := range lines {
		if err := w.add(ctx, line); err != nil {
			return fmt.Errorf("write records: %w", err)
		}
	}
	if err := w.flush(ctx); err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	return nil
}

// Entry is what entering one record comes to.
type Entry struct {
	Row     record.Record
	Outcome record.Outcome
	Write   []record.Record // for WriteRecords
	Err     error           // why it cannot be entered
}

// PlanRecords compares rows, of different ids, with what is stored: which are new, which known, which correct a record.
// It writes nothing.
func PlanRecords(ctx context.Context, client *influx.Client, rows []record.Record) ([]Entry, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	stored, err := storedBeside(ctx, client, rows)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(rows))
	for i, row := range rows {
		e := Entry{Row: row}
		e.Write, e.Outcome, e.Err = record.Merge(stored[row.ID], row)
		entries[i] = e
	}
	return entries, nil
}

// storedBeside is the revisions of the rows' ids. An id that record.Record.DefaultID made holds the record's begin, so that
// its first revision, or the note that it moved, is found there; all others are looked for everywhere.
func storedBeside(ctx context.Context, client *influx.Client, rows []record.Record) (map[string][]record.Record, error) {
	const second = telemetry.Instant(time.Second)
	first, last := rows[0].From, rows[0].From
	for _, r := range rows {
		first, last = min(first, r.From), max(last, r.From)
	}
	near, err := readRevisions(ctx, client, map[string]any{"from": first - second, "to": last + second}, "time >= $from AND time < $to")
	if err != nil {
		return nil, err
	}
	found := byID(near)
	var elsewhere []string
	for _, r := range rows {
		revisions := found[r.ID]
		if r.ID != r.DefaultID() || len(revisions) > 0 && record.Latest(revisions).Moved {
			elsewhere = append(elsewhere, r.ID)
			delete(found, r.ID)
		}
	}
	far, err := ReadRevisions(ctx, client, elsewhere...)
	if err != nil {
		return nil, err
	}
	for id, revisions := range byID(far) {
		found[id] = revisions
	}
	return found, nil
}

func byID(records []record.Record) map[string][]record.Record {
	m := make(map[string][]record.Record)
	for _, r := range records {
		m[r.ID] = append(m[r.ID], r)
	}
	return m
}
