package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"kvarts/collector/config"
)

type checkCmd struct {
	configFlag
	JSON bool `help:"Print errors, warnings and counts as JSON."`
}

// Help is shown by collector check --help.
func (c *checkCmd) Help() string {
	return "Also reads the secrets and certificates that the file names, so run it as the user that collects. It connects to nothing."
}

// errMistakes ends a check whose report, with all mistakes in it, was printed.
var errMistakes = errors.New("the configuration has mistakes")

func (c *checkCmd) Run() error {
	r, _ := config.Check(c.Config)
	if c.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			return err
		}
		if !r.OK {
			return fmt.Errorf("%s: %w", c.Config, errMistakes)
		}
		return nil
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(os.Stderr, w)
	}
	if !r.OK {
		return config.Errors(r.Errors)
	}
	s := r.Summary
	fmt.Printf("%s: %d servers, %d groups, %d tags, %d fields, %d destinations, %d warnings; at most %.0f values/s\n",
		r.File, s.Servers, s.Groups, s.Nodes, s.Fields, s.Destinations, len(r.Warnings), s.MaxRate)
	return nil
}
