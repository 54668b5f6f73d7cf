package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/lots"
	"kvarts/historian/telemetry"
)

// lotsCmd is the genealogy of lots, and the energy that went into them.
type lotsCmd struct {
	Import lotsImport `cmd:"" help:"Import the lot book: lots, and the steps that took and made them."`
	List   lotsList   `cmd:"" help:"List lots as known now, or at a time."`
	Trace  lotsTrace  `cmd:"" help:"What a lot was made of, or went into, with quantities and fractions."`
	Energy lotsEnergy `cmd:"" help:"The energy that went into a lot: kWh by stage, kWh/Wp nominal and realised."`
}

type lotsImport struct {
	target
	Files  []string `arg:"" name:"file" help:"JSON lines or CSV; - is the standard input."`
	Format string   `help:"json or csv; default: by the file's name." enum:"json,csv," default:""`
	By     string   `help:"Who says it, for what does not tell." env:"KVARTS_BY"`
	Why    string   `help:"Remark for the audit, for what does not tell."`
	Zone   string   `help:"IANA zone of times without an offset; default: that of the plant model in the store."`
	DryRun bool     `help:"Check and compare, but write nothing."`
	JSON   bool     `help:"Print the result as one JSON object."`
}

// Help is shown by historian lots import --help.
func (c *lotsImport) Help() string {
	return `Either everything is good and is written, or nothing is, and every problem is told by file and line. Importing a file again
changes nothing; what says something else of a lot or step that stands is its next revision, and the old one can still be asked
for with --asof. Steps by which a lot would be made of itself are refused.

JSON has one object a line, a lot or a step:

  {"lot":"MG-7","kind":"mg","quantity":"4210.5","unit_of":"kg","made_at":"2026-11-20T04:10:00Z","by":"mes"}
  {"step":"HEAT-7","stage":"metallurgical","unit":"saf01","from":"2026-11-20T02:00:00Z","to":"2026-11-20T04:10:00Z","by":"mes",
   "inputs":[{"lot":"QZ-3","quantity":"11200"}],"outputs":[{"lot":"MG-7","quantity":"4210.5"},{"lot":"SLAG-7","quantity":"120","scrap":true}]}

(each on one line). An input without quantity takes what is left of the lot. A step without energy_kwh used what its unit did
from begin to end. CSV has one row for each lot, step, input and output, told by its column entry; its columns are
` + strings.Join(lots.Columns(), ", ") + `.

  kinds of lots: ` + joinKinds()
}

func joinKinds() string {
	names := make([]string, len(lots.Kinds()))
	for i, k := range lots.Kinds() {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

// lotsImported is what an import came to.
type lotsImported struct {
	Lots      int            `json:"lots"`
	Steps     int            `json:"steps"`
	New       int            `json:"new"`
	Known     int            `json:"known"`
	Corrected int            `json:"corrected"`
	Written   bool           `json:"written"`
	Problems  []lots.Problem `json:"problems,omitempty"`
}

// Run imports the files, all together or not at all.
func (c *lotsImport) Run(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	says, err := readPlant(ctx, client, c.Zone)
	if err != nil {
		return err
	}
	var res lotsImported
	book, err := c.read(&res, says.zone)
	if err != nil {
		return err
	}
	if len(res.Problems) == 0 {
		plan, err := lots.PlanImport(ctx, client, book, knownNow())
		if err != nil {
			return err
		}
		res.New, res.Known, res.Corrected, res.Problems = plan.New, plan.Known, plan.Corrected, plan.Problems
		if len(res.Problems) == 0 && !c.DryRun {
			if err := plan.Write(ctx, client); err != nil {
				return fmt.Errorf("%w (import it again: what was written already is known then)", err)
			}
			res.Written = true
		}
	}
	if err := c.print(os.Stdout, &res); err != nil {
		return err
	}
	if n := len(res.Problems); n > 0 {
		return fmt.Errorf("import lot book: nothing was imported, problems: %d", n)
	}
	return nil
}

// read reads all files, and collects what is wrong with any of them.
func (c *lotsImport) read(res *lotsImported, zone *time.Location) (lots.Book, error) {
	var all lots.Book
	for _, name := range c.Files {
		in, base := io.NopCloser(os.Stdin), "stdin"
		if name != "-" {
			f, err := os.Open(name)
			if err != nil {
				return all, fmt.Errorf("open lot book: %w", err)
			}
			in, base = f, filepath.Base(name)
		}
		book, problems := lots.Read(in, lots.ReadOptions{Format: c.format(base), Zone: zone, Name: base, By: c.By, Why: c.Why})
		if err := in.Close(); err != nil {
			return all, fmt.Errorf("close lot book: %w", err)
		}
		all.Lots, all.Steps = append(all.Lots, book.Lots...), append(all.Steps, book.Steps...)
		res.Problems = append(res.Problems, problems...)
	}
	res.Lots, res.Steps = len(all.Lots), len(all.Steps)
	return all, nil
}

func (c *lotsImport) format(name string) lots.Format {
	switch {
	case c.Format != "":
		return lots.Format(c.Format)
	case strings.EqualFold(filepath.Ext(name), ".csv"):
		return lots.CSV
	default:
		return lots.JSON
	}
}

func (c *lotsImport) print(w io.Writer, res *lotsImported) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(res)
	}
	for _, p := range res.Problems {
		if _, err := fmt.Fprintln(w, p.Error()); err != nil {
			return err
		}
	}
	if len(res.Problems) > 0 {
		return nil
	}
	done := ""
	if !res.Written {
		done = " (nothing written: dry run)"
	}
	_, err := fmt.Fprintf(w, "%d lots, %d steps: %d new, %d known already, %d corrections%s\n", res.Lots, res.Steps, res.New, res.Known, res.Corrected, done)
	return err
}

type lotsList struct {
	target
	Kind string `help:"Kind of the lots, like wafer."`
	From string `help:"Made from then on: RFC 3339, the plant's wall clock or 'now-8h'."`
	To   string `help:"Made before."`
	Asof string `help:"What was known then."`
	Zone string `help:"IANA zone of times without an offset, and of the table; default: that of the plant model in the store, else UTC."`
	JSON bool   `help:"Print one JSON object a line, as historian lots import reads it."`
}

// Run lists the lots.
func (c *lotsList) Run(ctx context.Context) error {
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
	all, err := lots.ReadLots(ctx, client, filter, asof)
	if err != nil {
		return err
	}
	if !c.JSON {
		return writeLots(os.Stdout, all, says.zone)
	}
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	for i := range all {
		if err := e.Encode(&all[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *lotsList) filter(zone *time.Location) (f lots.Filter, asof telemetry.Instant, err error) {
	if f.Kind = lots.Kind(c.Kind); c.Kind != "" && !strings.Contains(", "+joinKinds()+",", ", "+c.Kind+",") {
		return f, 0, fmt.Errorf("--kind %q: no such kind; use %s", c.Kind, joinKinds())
	}
	var errs []error
	read := func(flag, text string, otherwise telemetry.Instant) telemetry.Instant {
		if text == "" {
			return otherwise
		}
		at, err := spoken(text, zone)
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flag, err))
		}
		return at
	}
	f.Window = calendar.Interval{From: read("from", c.From, math.MinInt64), To: read("to", c.To, math.MaxInt64)}
	asof = read("asof", c.Asof, math.MaxInt64)
	return f, asof, errors.Join(errs...)
}

func writeLots(w io.Writer, all []lots.Lot, zone *time.Location) error {
	if zone == nil {
		zone = time.UTC
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "LOT\tREV\tKIND\tPRODUCT\tQUANTITY\tMADE AT (%s)\tWp NOMINAL\tWp REALISED\tBY\tKNOWN AT\n", zone)
	for i := range all {
		l := &all[i]
		nominal, realised := "", ""
		if l.WpNominal != nil {
			nominal = weight(*l.WpNominal)
		}
		if l.WpRealised != nil {
			realised = weight(*l.WpRealised)
		}
		fmt.Fprintln(t, strings.Join([]string{l.ID, strconv.Itoa(l.Number), string(l.Kind), l.Product, amountOf(l), wall(l.MadeAt, zone),
			nominal, realised, l.By, wall(l.KnownAt, zone)}, "\t"))
	}
	if len(all) == 0 {
		fmt.Fprintln(t, "(no lots)")
	}
	return t.Flush()
}

// amountOf is a lot's quantity for people.
func amountOf(l *lots.Lot) string { return weight(l.Quantity) + " " + l.UnitOf }

// weight shows a quantity of a lot with at most two decimals.
func weight(n exact.Num) string {
	text := n.Rat().FloatString(2)
	return grouped(strings.TrimSuffix(strings.TrimRight(text, "0"), "."))
}

func wall(at telemetry.Instant, zone *time.Location) string {
	return at.Time().In(zone).Format("2006-01-02 15:04:05")
}
