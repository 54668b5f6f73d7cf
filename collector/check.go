package main

import (
	"encoding/json"
	"fmt"
	"os"
)

type checkCmd struct {
	configFlag
	JSON bool `help:"Print counts and warnings as JSON."`
}

type checkReport struct {
	File         string   `json:"file"`
	Servers      int      `json:"servers"`
	Groups       int      `json:"groups"`
	Tags         int      `json:"tags"`
	Destinations int      `json:"destinations"`
	Warnings     []string `json:"warnings"`
}

func (c *checkCmd) Run() error {
	cfg, _, err := c.load()
	if err != nil {
		return err
	}
	r := checkReport{File: c.Config, Servers: len(cfg.Servers), Destinations: len(cfg.Destinations), Warnings: []string{}}
	for _, s := range cfg.Servers {
		r.Groups += len(s.Groups)
		for _, g := range s.Groups {
			r.Tags += len(g.Nodes)
		}
	}
	for _, w := range cfg.Warnings {
		r.Warnings = append(r.Warnings, w.Error())
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(os.Stderr, w)
	}
	fmt.Printf("%s: %d servers, %d groups, %d tags, %d destinations, %d warnings\n", r.File, r.Servers, r.Groups, r.Tags, r.Destinations, len(r.Warnings))
	return nil
}
