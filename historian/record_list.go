package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

type recordList struct {
	target
	Unit string `help:"Records that name the unit."`
	Kind string `help:"Kind of the records, like scrap."`
	From string `help:"Begin of the window: RFC 3339, the plant's wall clock or 'now-8h'."`
	To   string `help:"End of the window."`
	At   string `help:"What was known then."`
	Zone string `help:"IANA zone of times without an offset, and of the table; default: that of the plant model in the store, else UTC."`
	JSON bool   `help:"Print one JSON object a line." xor:"format"`
	CSV  bool   `help:"Print CSV that historian import reads." xor:"format"`
}

// Run lists what was known.
func (c *recordList) Run(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	says, err := readPlant(ctx, client, c.Zone)
	if err != nil {
		return err
	}
	filter, asof, err := c.filter(says.zone)
	if err != nil {
		return err
	}
	records, err := evidence.ReadEffective(ctx, client, asof, filter)
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		return writeRecordsJSON(os.Stdout, records)
	case c.CSV:
		return writeRecordsCSV(os.Stdout, records)
	default:
		return writeRecordsTable(os.Stdout, records, says.zone)
	}
}

func (c *recordList) filter(zone *time.Location) (f evidence.RecordFilter, asof telemetry.Instant, err error) {
	f = evidence.RecordFilter{Kind: record.Kind(c.Kind), Unit: c.Unit}
	if _, ok := record.SpecOf(f.Kind); !ok && f.Kind != "" {
		return f, 0, fmt.Errorf("--kind %q: no such kind; see historian record --help", c.Kind)
	}
	asof = telemetry.Instant(math.MaxInt64)
	from, to := telemetry.Instant(math.MinInt64), asof
	for _, t := range []struct {
		flag, text string
		at         *telemetry.Instant
	}{{"from", c.From, &from}, {"to", c.To, &to}, {"at", c.At, &asof}} {
		if t.text == "" {
			continue
		}
		if *t.at, err = spoken(t.text, zone); err != nil {
			return f, 0, fmt.Errorf("--%s: %w", t.flag, err)
		}
	}
	if c.From != "" || c.To != "" {
		f.Window = calendar.Interval{From: from, To: to}
	}
	return f, asof, nil
}

// spoken reads a time as people say it; without a zone it must tell its offset.
func spoken(text string, zone *time.Location) (telemetry.Instant, error) {
	if zone == nil && !strings.HasPrefix(text, "now") {
		return calendar.ParseTime(text, nil)
	}
	return (&when{now: telemetry.Now(), rules: &calendar.Rules{Zone: zone}}).parse(text)
}

type recordShow struct {
	target
	ID string `arg:"" help:"Id of the record: see historian record list."`
}

// Run shows all revisions of one record as JSON, the oldest first.
func (c *recordShow) Run(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	return c.show(ctx, client, os.Stdout)
}

func (c *recordShow) show(ctx context.Context, client *influx.Client, w io.Writer) error {
	revisions, err := evidence.ReadRevisions(ctx, client, c.ID)
	if err != nil {
		return err
	}
	if len(revisions) == 0 {
		return fmt.Errorf("no record has the id %q: see historian record list", c.ID)
	}
	record.SortRevisions(revisions)
	return writeRecordsJSON(w, revisions)
}

// shown is a record as JSON: its columns, revision and audit.
func shown(r *record.Record) map[string]any {
	o := map[string]any{"revision": r.Revision, "by": r.By, "known_at": r.KnownAt.String(), "source": r.Source}
	for _, name := range record.ColumnNames() {
		if v := r.Get(name); v != "" {
			o[name] = v
		}
	}
	if r.Why != "" {
		o["why"] = r.Why
	}
	if r.Deleted {
		o["withdrawn"] = true
	}
	if r.Moved {
		o["moved"] = true
	}
	return o
}

func writeRecordsJSON(w io.Writer, records []record.Record) error {
	e := json.NewEncoder(w)
	for i := range records {
		if err := e.Encode(shown(&records[i])); err != nil {
			return err
		}
	}
	return nil
}

func writeRecordsCSV(w io.Writer, records []record.Record) error {
	out := csv.NewWriter(w)
	names := record.ColumnNames()
	if err := out.Write(names); err != nil {
		return err
	}
	for i := range records {
		r := &records[i]
		row := make([]string, len(names))
		for k, name := range names {
			switch name {
			case "by":
				row[k] = r.By
			case "why":
				row[k] = r.Why
			default:
				row[k] = r.Get(name)
			}
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func writeRecordsTable(w io.Writer, records []record.Record, zone *time.Location) error {
	if zone == nil {
		zone = time.UTC
	}
	clock := func(at telemetry.Instant) string { return at.Time().In(zone).Format("2006-01-02 15:04:05") }
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "ID\tREV\tKIND\tWHERE\tFROM (%s)\tTO\tWHAT\tBY\tKNOWN AT\tWHY\n", zone)
	for i := range records {
		r := &records[i]
		fmt.Fprintln(t, strings.Join([]string{r.ID, strconv.Itoa(r.Revision), string(r.Kind), r.Unit + r.Line + r.Area,
			clock(r.From), clock(r.To), what(r), r.By, clock(r.KnownAt), r.Why}, "\t"))
	}
	if len(records) == 0 {
		fmt.Fprintln(t, "(no records)")
	}
	return t.Flush()
}

// what is all that a record tells besides place and time.
func what(r *record.Record) string {
	spec, _ := record.SpecOf(r.Kind)
	var parts []string
	for _, name := range append(spec.Required, spec.Optional...) {
		if v := r.Get(name); v != "" {
			parts = append(parts, name+"="+v)
		}
	}
	return strings.Join(parts, " ")
}
