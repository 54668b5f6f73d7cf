package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"kvarts/collector/config"
	"kvarts/historian/plant"
)

type modelCmd struct {
	Check     modelCheckCmd     `cmd:"" help:"Check a plant file and say everything that is wrong, with line, value and remedy."`
	Diff      modelDiffCmd      `cmd:"" help:"Tell in words what changed from one plant file to another."`
	Collector modelCollectorCmd `cmd:"" help:"Write the configuration of one gateway's collector."`
	Apply     modelApplyCmd     `cmd:"" help:"Store a plant file: from a date on, it describes the plant."`
	Show      modelShowCmd      `cmd:"" help:"Print the plant file that is in force at a moment, or all that were applied."`
}

type modelCheckCmd struct {
	File string `arg:"" help:"Plant file." type:"path"`
	JSON bool   `help:"Print one JSON object: file, ok, errors, warnings, summary."`
}

// Help is shown by historian model check --help.
func (c *modelCheckCmd) Help() string {
	return "Connects to nothing. Also generates each gateway's collector configuration and checks that.\n\nExit codes: 0 no errors (there may be warnings), 1 errors."
}

// modelReport is what `model check` prints.
type modelReport struct {
	File     string          `json:"file"`
	OK       bool            `json:"ok"`
	Errors   []plant.Problem `json:"errors,omitempty"`
	Warnings []plant.Problem `json:"warnings,omitempty"`
	Summary  *modelSummary   `json:"summary,omitempty"` // nil when there are errors
}

// modelSummary counts what a model describes.
type modelSummary struct {
	Plant    string         `json:"plant"`
	Site     string         `json:"site"`
	Units    int            `json:"units"`
	ByClass  map[string]int `json:"units_by_class"`
	Signals  int            `json:"signals"` // of all units
	Products int            `json:"products"`
	Stages   int            `json:"stages"`
	Lines    int            `json:"lines"`
	Meters   int            `json:"meters"`
	Gateways int            `json:"gateways"`
	Limits   int            `json:"limits"`
	Hash     string         `json:"hash"`
}

func (c *modelCheckCmd) Run() error {
	r := checkModel(c.File)
	if err := r.print(os.Stdout, c.JSON); err != nil {
		return err
	}
	if !r.OK {
		return fmt.Errorf("%s: %d errors", c.File, len(r.Errors))
	}
	return nil
}

// checkModel reads the file and what would be generated from it.
func checkModel(file string) modelReport {
	r := modelReport{File: file}
	m, err := plant.Load(file)
	var list plant.Problems
	switch {
	case errors.As(err, &list):
		r.Errors = list
		return r
	case err != nil:
		r.Errors = []plant.Problem{{File: file, Message: err.Error(), Remedy: "check the path and the rights of the file"}}
		return r
	}
	r.Warnings = m.Warnings
	for _, g := range m.Gateways {
		r.collector(m, g.Name)
	}
	r.OK = len(r.Errors) == 0
	s := modelSummary{Plant: m.Name, Site: m.Site, Units: len(m.Units), ByClass: make(map[string]int), Products: len(m.Products), Stages: len(m.Stages),
		Lines: len(m.Lines), Meters: len(m.Meters), Gateways: len(m.Gateways), Limits: len(m.Limits), Hash: m.Hash}
	for _, u := range m.Units {
		s.ByClass[u.Class.Name]++
		s.Signals += len(u.Class.Signals)
	}
	r.Summary = &s
	return r
}

// collector checks the configuration that a gateway would get, such as unit conversions that the collector does not know.
func (r *modelReport) collector(m *plant.Model, gateway string) {
	text, err := m.CollectorConfig(gateway)
	if err != nil {
		r.Warnings = append(r.Warnings, plant.Problem{File: r.File, Key: "gateways", Value: gateway, Message: err.Error(), Remedy: "name the gateway at its units, or remove it"})
		return
	}
	_, err = config.Parse(gateway+".yaml", text)
	var list config.Errors
	if !errors.As(err, &list) {
		return
	}
	for _, p := range list {
		r.Errors = append(r.Errors, plant.Problem{File: r.File, Key: "collector of " + gateway, Value: p.Value, Message: p.Message, Remedy: p.Remedy})
	}
}

func (r *modelReport) print(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	var b strings.Builder
	for _, p := range r.Errors {
		fmt.Fprintf(&b, "error: %s\n", p.Error())
	}
	for _, p := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", p.Error())
	}
	if s := r.Summary; s != nil {
		fmt.Fprintf(&b, "%s: plant %s at %s: %d units with %d signals, %d products, %d stages, %d lines, %d meters, %d gateways, %d limits\n",
			r.File, s.Plant, s.Site, s.Units, s.Signals, s.Products, s.Stages, s.Lines, s.Meters, s.Gateways, s.Limits)
		fmt.Fprintf(&b, "hash %s\n", s.Hash)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

type modelDiffCmd struct {
	Old  string `arg:"" help:"Plant file as it was." type:"path"`
	New  string `arg:"" help:"Plant file as it is now." type:"path"`
	JSON bool   `help:"Print one JSON object a change: what, name, also, text."`
}

func (c *modelDiffCmd) Run() error {
	was, err := plant.Load(c.Old)
	if err != nil {
		return err
	}
	is, err := plant.Load(c.New)
	if err != nil {
		return err
	}
	return printChanges(os.Stdout, plant.Diff(was, is), c.JSON)
}

func printChanges(w io.Writer, changes []plant.Change, asJSON bool) error {
	enc := json.NewEncoder(w)
	for _, c := range changes {
		var err error
		if asJSON {
			err = enc.Encode(c)
		} else {
			_, err = fmt.Fprintln(w, c)
		}
		if err != nil {
			return err
		}
	}
	if len(changes) == 0 && !asJSON {
		_, err := fmt.Fprintln(w, "nothing changed")
		return err
	}
	return nil
}

type modelCollectorCmd struct {
	File    string `arg:"" help:"Plant file." type:"path"`
	Gateway string `help:"Gateway to write the configuration of." required:""`
}

// Help is shown by historian model collector --help.
func (c *modelCollectorCmd) Help() string {
	return "Writes YAML to standard output. User names, certificates and secrets are not in a plant file: add them, then run collector check."
}

func (c *modelCollectorCmd) Run(_ context.Context) error {
	m, err := plant.Load(c.File)
	if err != nil {
		return err
	}
	text, err := m.CollectorConfig(c.Gateway)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}
