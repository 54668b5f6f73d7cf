package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/record"
)

type importCmd struct {
	target
	File   string `arg:"" help:"CSV or JSON file; - is the standard input."`
	Kind   string `help:"Kind of the rows that do not tell it."`
	Format string `help:"csv or json; default: by the file's name." enum:"csv,json," default:""`
	By     string `help:"Who says it, for rows that do not tell." env:"KVARTS_BY"`
	Why    string `help:"Remark for the audit; rows that correct a record need one."`
	Zone   string `help:"IANA zone of times without an offset; default: that of the plant model in the store."`
	DryRun bool   `help:"Check and compare, but write nothing."`
	JSON   bool   `help:"Print the result as one JSON object."`
}

// Help is shown by historian import --help.
func (c *importCmd) Help() string {
	var b strings.Builder
	b.WriteString("Either all rows are good and are written, or nothing is, and every problem is told by line. Importing a file again changes " +
		"nothing; a row that was changed in the file since is a correction of its record. Columns by kind, besides kind, id, by and why:\n")
	for _, s := range record.Specs() {
		fmt.Fprintf(&b, "\n  %-16s %s", s.Kind, strings.Join(s.Columns(), ", "))
	}
	return b.String()
}

// importResult is what an import came to.
type importResult struct {
	File      string           `json:"file"`
	Rows      int              `json:"rows"`
	New       int              `json:"new"`
	Known     int              `json:"known"`
	Corrected int              `json:"corrected"`
	Written   bool             `json:"written"`
	Problems  []record.Problem `json:"problems,omitempty"`
}

// Run imports the file.
func (c *importCmd) Run(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	in, name, err := c.open()
	if err != nil {
		return err
	}
	defer in.Close()
	res, err := c.run(ctx, client, in, name)
	if err != nil {
		return fmt.Errorf("import %s: %w", c.File, err)
	}
	if err := c.print(os.Stdout, &res); err != nil {
		return err
	}
	if n := len(res.Problems); n > 0 {
		return fmt.Errorf("import %s: nothing was imported, problems: %d", c.File, n)
	}
	return nil
}

func (c *importCmd) open() (io.ReadCloser, string, error) {
	if c.File == "-" {
		return io.NopCloser(os.Stdin), "stdin", nil
	}
	f, err := os.Open(c.File)
	if err != nil {
		return nil, "", fmt.Errorf("open import: %w", err)
	}
	return f, filepath.Base(c.File), nil
}

func (c *importCmd) format(name string) record.Format {
	switch {
	case c.Format != "":
		return record.Format(c.Format)
	case slices.Contains([]string{".json", ".jsonl", ".ndjson"}, strings.ToLower(filepath.Ext(name))):
		return record.JSON
	default:
		return record.CSV
	}
}

// run reads, compares and writes.
func (c *importCmd) run(ctx context.Context, client *influx.Client, in io.Reader, name string) (importResult, error) {
	res := importResult{File: name}
	says, err := readPlant(ctx, client, c.Zone)
	if err != nil {
		return res, err
	}
	rows, problems := record.Read(in, record.ReadOptions{Format: c.format(name), Zone: says.zone, Kind: record.Kind(c.Kind), Name: name,
		Audit: record.Audit{By: c.By, Why: c.Why, KnownAt: knownNow()}})
	if len(problems) > 0 {
		res.Problems = problems
		return res, nil
	}
	res.Rows = len(rows)
	for i := range rows {
		if err := says.check(&rows[i]); err != nil {
			res.Problems = append(res.Problems, record.Problem{Line: rows[i].LineOf(), Text: err.Error()})
		}
	}
	entries, err := evidence.PlanRecords(ctx, client, rows)
	if err != nil {
		return res, err
	}
	write := res.count(entries)
	if len(res.Problems) > 0 || c.DryRun {
		return res, nil
	}
	if err := evidence.WriteRecords(ctx, client, write); err != nil {
		return res, fmt.Errorf("%w (import it again: what was written already is known then)", err)
	}
	res.Written = true
	return res, nil
}

// count adds up what the entries come to, and gives what to write.
func (res *importResult) count(entries []evidence.Entry) []record.Record {
	var write []record.Record
	for _, e := range entries {
		switch {
		case e.Err != nil:
			res.Problems = append(res.Problems, record.Problem{Line: e.Row.LineOf(), Text: e.Err.Error()})
		case e.Outcome == record.New:
			res.New++
		case e.Outcome == record.Known:
			res.Known++
		case e.Outcome == record.Corrected:
			res.Corrected++
		}
		write = append(write, e.Write...)
	}
	return write
}

func (c *importCmd) print(w io.Writer, res *importResult) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(res)
	}
	for _, p := range res.Problems {
		if _, err := fmt.Fprintf(w, "%s: %s\n", res.File, p.Error()); err != nil {
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
	_, err := fmt.Fprintf(w, "%d rows: %d new, %d known already, %d corrections%s\n", res.Rows, res.New, res.Known, res.Corrected, done)
	return err
}
