package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"kvarts/collector/agent"
	"kvarts/collector/config"
	"kvarts/collector/forward/quarantine"
	"kvarts/historian/influx"
)

type quarantineCmd struct {
	List   quarantineListCmd   `cmd:"" help:"List entries, newest last."`
	Show   quarantineShowCmd   `cmd:"" help:"Show one entry whole."`
	Retry  quarantineRetryCmd  `cmd:"" help:"Send entries to their destination again; what it accepts is removed."`
	Export quarantineExportCmd `cmd:"" help:"Print entries as JSON lines."`
	Drop   quarantineDropCmd   `cmd:"" help:"Remove entries for good."`
}

// selection is which entries a verb is about.
type selection struct {
	configFlag
	Destination string `help:"Only entries of this destination."`
	Server      string `help:"Only entries of this OPC UA server."`
	Contains    string `help:"Only entries with this text in the line, value or message."`
	Limit       int    `help:"Only the newest so many; 0: all." default:"0"`
}

func (s *selection) filter() quarantine.Filter {
	return quarantine.Filter{Destination: s.Destination, Server: s.Server, Contains: s.Contains, Limit: s.Limit}
}

// with opens the quarantine, which may be in use by a running collector, for do.
func (f configFlag) with(do func(*config.Config, *quarantine.Store) error) (err error) {
	cfg, _, err := f.load()
	if err != nil {
		return err
	}
	q, err := quarantine.Open(quarantine.Options{Dir: filepath.Join(cfg.Buffer.Dir, agent.QuarantineDir)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	return do(cfg, q)
}

type quarantineListCmd struct {
	selection
	JSON bool `help:"Print as a JSON list."`
}

func (c *quarantineListCmd) Run() error {
	return c.with(func(_ *config.Config, q *quarantine.Store) error {
		entries, err := q.List(c.filter())
		if err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(os.Stdout).Encode(entries)
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tAT\tREASON\tDESTINATION\tSERVER\tWHAT\tMESSAGE")
		for _, e := range entries {
			what := e.Line
			if what == "" {
				what = e.Tag + " " + e.Value
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.60s\t%.80s\n", e.ID[:min(10, len(e.ID))], shown(e.At), e.Reason, e.Destination, e.Server, what, e.Message)
		}
		fmt.Fprintf(w, "%d entries\n", len(entries))
		return w.Flush()
	})
}

type quarantineShowCmd struct {
	configFlag
	ID string `arg:"" help:"ID, or how it begins."`
}

func (c *quarantineShowCmd) Run() error {
	return c.with(func(_ *config.Config, q *quarantine.Store) error {
		e, err := q.Show(c.ID)
		if err != nil {
			return err
		}
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(e)
	})
}

type quarantineExportCmd struct{ selection }

func (c *quarantineExportCmd) Run() error {
	return c.with(func(_ *config.Config, q *quarantine.Store) error {
		n, err := q.Export(os.Stdout, c.filter())
		fmt.Fprintf(os.Stderr, "%d entries\n", n)
		return err
	})
}

type quarantineRetryCmd struct {
	configFlag
	Destination string   `arg:"" help:"Destination whose entries are sent again."`
	IDs         []string `arg:"" optional:"" help:"Whole IDs; default: all of the destination."`
	JSON        bool     `help:"Print the outcome as JSON."`
}

func (c *quarantineRetryCmd) Run(ctx context.Context) error {
	return c.with(func(cfg *config.Config, q *quarantine.Store) error {
		client, err := clientOf(cfg, c.Destination)
		if err != nil {
			return err
		}
		defer client.Close()
		if _, err := client.Detect(ctx); err != nil {
			return fmt.Errorf("destination %s: %w", c.Destination, err)
		}
		out, err := q.Retry(ctx, c.Destination, client, c.IDs...)
		if err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(os.Stdout).Encode(out)
		}
		fmt.Printf("%d stored, %d refused again, %d hold no line, %d not tried\n", out.Stored, out.Refused, out.Skipped, out.Left)
		return nil
	})
}

func clientOf(cfg *config.Config, name string) (*influx.Client, error) {
	for _, d := range cfg.Destinations {
		if d.Name == name {
			return agent.Client(d, versionText())
		}
	}
	return nil, fmt.Errorf("the configuration has no destination %q", name)
}

type quarantineDropCmd struct {
	configFlag
	IDs    []string `arg:"" help:"Whole IDs of the entries."`
	DryRun bool     `help:"Only say what would be removed."`
}

func (c *quarantineDropCmd) Run() error {
	return c.with(func(_ *config.Config, q *quarantine.Store) error {
		for _, id := range c.IDs { // an ID that is not there is a mistake here: nothing is removed then
			e, err := q.Show(id)
			if err != nil {
				return err
			}
			if e.ID != id {
				return fmt.Errorf("%s is only the beginning of an ID: give %s", id, e.ID)
			}
		}
		if c.DryRun {
			fmt.Printf("%d entries would be removed\n", len(c.IDs))
			return nil
		}
		n, err := q.Drop(c.IDs...)
		fmt.Printf("%d entries removed\n", n)
		return err
	})
}
