package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"kvarts/deploy/e2e/peers"
)

// command is the command line.
type command struct {
	JSON  bool     `help:"Print one line of JSON for each event instead of text."`
	Peers []string `arg:"" optional:"" name:"peer" help:"Peers to install: influxd18, node-opcua, influxd2. Default: all."`
}

// outcome is how one peer ended. In JSON it is the line with an empty event.
type outcome struct {
	Peer    peers.Peer `json:"peer"`
	Outcome string     `json:"outcome"` // installed, present, missing, failed
	Dir     string     `json:"dir,omitempty"`
	Seconds float64    `json:"seconds"`
	Error   string     `json:"error,omitempty"`
}

// run installs the peers one after another. A peer that fails does not keep the next ones from being installed.
func (c *command) run(ctx context.Context, w io.Writer) error {
	list, err := c.peers()
	if err != nil {
		return err
	}
	var failed []error
	for _, p := range list {
		began := time.Now()
		o := outcome{Peer: p}
		dir, err := peers.Ensure(ctx, p, func(e peers.Event) {
			o.Outcome = string(e.State)
			c.event(w, e)
		})
		o.Dir, o.Seconds = dir, time.Since(began).Seconds()
		var missing *peers.MissingToolError
		switch {
		case err == nil:
		case errors.As(err, &missing):
			o.Outcome, o.Error = "missing", missing.Error()
			if peers.Required(p) {
				failed = append(failed, err)
			}
		default:
			o.Outcome, o.Error = "failed", err.Error()
			failed = append(failed, err)
		}
		c.done(w, o)
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// peers resolves the names given before anything is installed.
func (c *command) peers() ([]peers.Peer, error) {
	if len(c.Peers) == 0 {
		return peers.All(), nil
	}
	var list []peers.Peer
	for _, name := range c.Peers {
		p := peers.Peer(name)
		if !slices.Contains(peers.All(), p) {
			return nil, fmt.Errorf("no peer is named %q: there are %v", name, peers.All())
		}
		list = append(list, p)
	}
	return list, nil
}

func (c *command) event(w io.Writer, e peers.Event) {
	if c.JSON {
		printJSON(w, e)
		return
	}
	if e.State == peers.StateInstalled || e.State == peers.StatePresent {
		return // done says it
	}
	fmt.Fprintf(w, "%-10s %6.1fs  %s %s\n", e.Peer, e.Elapsed.Seconds(), e.State, e.Text)
}

func (c *command) done(w io.Writer, o outcome) {
	if c.JSON {
		printJSON(w, o)
		return
	}
	switch o.Outcome {
	case "missing":
		fmt.Fprintf(w, "%-10s ******* NOT INSTALLED: %s\n", o.Peer, o.Error)
	case "failed":
		fmt.Fprintf(w, "%-10s %6.1fs  failed\n", o.Peer, o.Seconds)
	default:
		fmt.Fprintf(w, "%-10s %6.1fs  %s in %s\n", o.Peer, o.Seconds, o.Outcome, o.Dir)
	}
}

// printJSON prints one line. What it is given always encodes; an output that is gone ends the program by SIGPIPE.
func printJSON(w io.Writer, v any) { _ = json.NewEncoder(w).Encode(v) }
