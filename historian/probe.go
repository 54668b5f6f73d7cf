package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"

	"kvarts/historian/influx"
)

type probeCmd struct {
	target
	Store string `arg:"" optional:"" help:"URL of the store; overrides --url."`
	JSON  bool   `help:"Print the report as JSON."`
}

// Help is shown by historian probe --help.
func (c *probeCmd) Help() string {
	return "Measures a store in a scratch database (kvarts_probe_…) that it makes and removes; it needs a token that may create " +
		"databases. Nothing else in the store is touched."
}

func (c *probeCmd) Run(ctx context.Context) error {
	if c.Store != "" {
		c.URL = c.Store
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	report, err := influx.Probe(ctx, client, influx.ProbeOptions{Progress: func(step string) {
		fmt.Fprintln(os.Stderr, "probe:", step)
	}})
	if err != nil {
		return fmt.Errorf("probe %s: %w", c.URL, err)
	}
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(report)
	} else {
		err = printReport(report)
	}
	if err == nil && !report.OK() {
		return errFound
	}
	return err
}

func printReport(r *influx.Report) error {
	fmt.Printf("%s\n\n", r.Server)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tCHECK\tEXPECTED\tGOT")
	for _, c := range r.Checks {
		mark := "ok"
		if !c.OK {
			mark = "DIFFERS"
		}
		expected := c.Expected
		if expected == "" {
			expected = "(not known)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", mark, c.Name, expected, c.Got)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, c := range r.Checks {
		if !c.OK {
			fmt.Printf("\n%s: %s\n", c.Name, c.Meaning)
		}
	}
	return nil
}
