package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kvarts/historian/influx"
	"kvarts/historian/purity"
	"kvarts/historian/telemetry"
)

// labCmd stores what the laboratory found, and says what grade it shows.
type labCmd struct {
	Import      labImport      `cmd:"" help:"Store results from CSV or JSON lines."`
	List        labList        `cmd:"" help:"List samples with the grade that their results show."`
	Show        labShow        `cmd:"" help:"Show the results of a sample or lot, N as an interval, and why it is not a higher grade."`
	Certificate labCertificate `cmd:"" help:"Show the certificate of a sample or lot, or issue one."`
}

// labSubject names what is asked for.
type labSubject struct {
	Sample string `arg:"" optional:"" help:"Sample, as in historian lab list."`
	Lot    string `help:"All samples of a lot, instead of one sample."`
}

func (s *labSubject) subject() (purity.Subject, error) {
	if (s.Sample == "") == (s.Lot == "") {
		return purity.Subject{}, fmt.Errorf("name a sample or --lot, one of them: %w", errInvalid)
	}
	return purity.Subject{Sample: s.Sample, Lot: s.Lot}, nil
}

// labPolicy is how results become a grade.
type labPolicy struct {
	Basis       string   `help:"mass or atomic fractions." enum:"mass,atomic" default:"mass"`
	Elements    string   `help:"Which elements Σ is of: metals, electrical (and B, P, As, Sb), impurities (all but H, C, N, O), everything." enum:"metals,electrical,impurities,everything" default:"impurities"`
	Uncertainty bool     `help:"Count a measured value as [v-U, v+U] (k=2); --no-uncertainty counts v." default:"true" negatable:""`
	Require     []string `help:"Elements without which no grade is granted, like B,P,Fe,Cu." placeholder:"ELEMENT"`
}

func (p *labPolicy) policy() (purity.Policy, error) {
	policy := purity.Policy{Basis: purity.Basis(p.Basis), Scope: purity.Scope(p.Elements), Uncertainty: p.Uncertainty, Required: p.Require}
	if err := policy.Check(); err != nil {
		return policy, fmt.Errorf("%w: %w", err, errInvalid)
	}
	return policy, nil
}

// labMoment reads a time as people say it; "" is otherwise.
func labMoment(ctx context.Context, client *influx.Client, flag, text, zone string, otherwise telemetry.Instant) (telemetry.Instant, error) {
	if text == "" {
		return otherwise, nil
	}
	says, err := readPlant(ctx, client, zone)
	if err != nil {
		return 0, err
	}
	at, err := spoken(text, says.zone)
	if err != nil {
		return 0, fmt.Errorf("--%s: %w", flag, err)
	}
	return at, nil
}

// writeLabJSON writes v as one line, with "<" of what was not detected as it is.
func writeLabJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// labNow is a moment at which all that is stored is known.
const labNow = telemetry.Instant(math.MaxInt64)

type labImport struct {
	target
	Files  []string `arg:"" name:"file" help:"CSV files or JSON lines; - is the standard input."`
	Format string   `help:"csv or json; default: by the file's name, the standard input is JSON lines." enum:"csv,json," default:""`
	DryRun bool     `help:"Check and compare, but write nothing."`
	JSON   bool     `help:"Print the result as one JSON object."`
}

// Help is shown by historian lab import --help.
func (c *labImport) Help() string {
	return "Either all results of all files are good and are stored, or nothing is, and every problem is told by file and line. Importing a file again " +
		"changes nothing. A retained sample that is measured again is a revision: the same sample, method and element with the next revision and " +
		"a reason; the earlier one stays readable. What was not detected has censored \"<\" and its lod; a value is never needed for it, and never used.\n\n" +
		"Columns: " + strings.Join(purity.Columns(), ", ") + ".\nUnits: pptw, ppbw, ppmw, ppta, ppba, ppma. Times: RFC 3339 with Z or an offset. " +
		"Results without approved_at are stored and shown, but grant no grade.\n\n" +
		"Example:\n  {\"sample\":\"S-12N-004\",\"lot\":\"CRY-0012\",\"measured_at\":\"2026-11-20T08:00:00Z\",\"approved_at\":\"2026-11-20T10:00:00Z\",\"method\":\"GDMS\"," +
		"\"element\":\"Fe\",\"value\":\"0.20\",\"unit\":\"pptw\",\"censored\":\"=\",\"lod\":\"0.05\",\"u_k2\":\"0.04\",\"revision\":1}"
}

// labImported is what an import came to.
type labImported struct {
	Files    []string         `json:"files"`
	Results  int              `json:"results"`
	New      int              `json:"new"`
	Revised  int              `json:"revised"`
	Approved int              `json:"approved"`
	Known    int              `json:"known"`
	Written  bool             `json:"written"`
	Problems []purity.Problem `json:"problems,omitempty"`
}

// Run imports the files.
func (c *labImport) Run(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	res, err := c.run(ctx, client)
	if err != nil {
		return fmt.Errorf("import laboratory results: %w", err)
	}
	if err := c.print(os.Stdout, &res); err != nil {
		return err
	}
	if n := len(res.Problems); n > 0 {
		return fmt.Errorf("import laboratory results: nothing was stored, problems: %d", n)
	}
	return nil
}

// run reads, compares and writes.
func (c *labImport) run(ctx context.Context, client *influx.Client) (labImported, error) {
	res := labImported{Files: c.Files}
	var rows []purity.Result
	known := knownNow()
	for _, file := range c.Files {
		results, problems, err := c.read(file, known)
		if err != nil {
			return res, err
		}
		rows, res.Problems = append(rows, results...), append(res.Problems, problems...)
	}
	res.Results = len(rows)
	entries, err := purity.PlanResults(ctx, client, rows)
	if err != nil {
		return res, err
	}
	write := res.count(entries)
	if len(res.Problems) > 0 || c.DryRun {
		return res, nil
	}
	if err := purity.WriteResults(ctx, client, write); err != nil {
		return res, fmt.Errorf("%w (import it again: what was stored already is known then)", err)
	}
	res.Written = true
	return res, nil
}

func (c *labImport) read(file string, known telemetry.Instant) ([]purity.Result, []purity.Problem, error) {
	o := purity.ReadOptions{Format: purity.JSON, Name: filepath.Base(file), KnownAt: known}
	in := io.ReadCloser(os.Stdin)
	if file == "-" {
		o.Name = "stdin"
	} else {
		f, err := os.Open(file)
		if err != nil {
			return nil, nil, fmt.Errorf("open results: %w", err)
		}
		defer f.Close()
		in = f
		if !slices.Contains([]string{".json", ".jsonl", ".ndjson"}, strings.ToLower(filepath.Ext(file))) {
			o.Format = purity.CSV
		}
	}
	if c.Format != "" {
		o.Format = purity.Format(c.Format)
	}
	results, problems := purity.Read(in, o)
	return results, problems, nil
}

// count adds up what the entries come to, and gives what to write.
func (res *labImported) count(entries []purity.Entry) []purity.Result {
	var write []purity.Result
	for _, e := range entries {
		switch {
		case e.Err != nil:
			res.Problems = append(res.Problems, purity.Problem{At: e.Row.Source, Text: e.Err.Error()})
			continue
		case e.Outcome == purity.Known:
			res.Known++
			continue
		case e.Outcome == purity.New:
			res.New++
		case e.Outcome == purity.Revised:
			res.Revised++
		case e.Outcome == purity.Approved:
			res.Approved++
		}
		write = append(write, e.Row)
	}
	return write
}

func (c *labImport) print(w io.Writer, res *labImported) error {
	if c.JSON {
		return writeLabJSON(w, res)
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
		done = " (nothing stored: dry run)"
	}
	_, err := fmt.Fprintf(w, "%d results: %d new, %d revisions, %d approvals, %d known already%s\n", res.Results, res.New, res.Revised, res.Approved, res.Known, done)
	return err
}
