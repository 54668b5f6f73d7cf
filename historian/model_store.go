package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

type modelApplyCmd struct {
	target
	File      string `arg:"" help:"Plant file." type:"path"`
	Effective string `help:"From when on it describes the plant: 2026-12-01 (midnight in the plant's zone), 2026-12-01T08:00:00, with Z or an offset, or always." required:""`
	By        string `help:"Who applies it." required:""`
	Why       string `help:"Why." required:""`
	DryRun    bool   `help:"Say what would change and store nothing."`
}

// Help is shown by historian model apply --help.
func (c *modelApplyCmd) Help() string {
	return "Checks the file, says what changes against the model that is in force at the effective date, and stores the text with who, when and why. " +
		"Nothing is overwritten: what was known before can still be asked for with --asof."
}

func (c *modelApplyCmd) Run(ctx context.Context) error {
	r := checkModel(c.File)
	if !r.OK {
		return errors.Join(r.print(os.Stderr, false), fmt.Errorf("%s: %d errors, nothing is applied", c.File, len(r.Errors)))
	}
	m, err := plant.Load(c.File)
	if err != nil {
		return err
	}
	effective, err := modelDate(c.Effective, m.Location)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	known := telemetry.Now()
	history, err := evidence.ReadModels(ctx, client, known)
	if err != nil {
		return err
	}
	if was, ok := history.At(effective, known); ok {
		if err := printChanges(os.Stdout, plant.Diff(was.Model, m), false); err != nil {
			return err
		}
	}
	if c.DryRun {
		_, err := fmt.Fprintln(os.Stdout, "nothing is stored: this was a dry run")
		return err
	}
	if err := evidence.ApplyModel(ctx, client, m.Text, effective, known, c.By, c.Why); err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "%s is in force from %s on (hash %s)\n", m.Name, showModelDate(effective), m.Hash)
	return err
}

// always is the word for a model that describes all of the past.
const always = "always"

// modelDate reads when a model becomes effective, in the plant's zone.
func modelDate(s string, zone *time.Location) (telemetry.Instant, error) {
	if s == always {
		return plant.Always, nil
	}
	if date, err := calendar.ParseDate(s); err == nil {
		return calendar.Local(zone, date, 0), nil
	}
	t, err := calendar.ParseTime(s, zone)
	if err != nil {
		return 0, fmt.Errorf("read date: %w", err)
	}
	return t, nil
}

func showModelDate(t telemetry.Instant) string {
	if t == plant.Always {
		return always
	}
	return t.String()
}

type modelShowCmd struct {
	target
	At   string `help:"Moment at which the model is in force, UTC if it names no offset. Default: now."`
	AsOf string `name:"asof" help:"What was known then. Default: now."`
	List bool   `help:"List all versions that were applied instead."`
	JSON bool   `help:"Print one JSON object a version: effective, known, by, why, hash, and the text without --list."`
}

// shownModel is one version as `model show --json` prints it.
type shownModel struct {
	Plant     string `json:"plant"`
	Effective string `json:"effective"`
	Known     string `json:"known"`
	By        string `json:"by"`
	Why       string `json:"why"`
	Hash      string `json:"hash"`
	Text      string `json:"text,omitempty"`
}

func (c *modelShowCmd) Run(ctx context.Context) error {
	asof, err := momentOr(c.AsOf, telemetry.Now())
	if err != nil {
		return err
	}
	at, err := momentOr(c.At, asof)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	history, err := evidence.ReadModels(ctx, client, asof)
	if err != nil {
		return err
	}
	if c.List {
		for i := range history {
			if err := showVersion(os.Stdout, &history[i], false, c.JSON); err != nil {
				return err
			}
		}
		return nil
	}
	v, ok := history.At(at, asof)
	if !ok {
		return fmt.Errorf("find plant model: none of the %d that were known at %s is in force at %s (apply one with historian model apply)", len(history), asof, at)
	}
	return showVersion(os.Stdout, v, true, c.JSON)
}

func momentOr(s string, otherwise telemetry.Instant) (telemetry.Instant, error) {
	if s == "" {
		return otherwise, nil
	}
	return modelDate(s, time.UTC)
}

func showVersion(w io.Writer, v *plant.Version, text, asJSON bool) error {
	s := shownModel{Plant: v.Model.Name, Effective: showModelDate(v.Effective), Known: v.Known.String(), By: v.By, Why: v.Why, Hash: v.Hash}
	if text {
		s.Text = string(v.Model.Text)
	}
	if asJSON {
		return json.NewEncoder(w).Encode(s)
	}
	_, err := fmt.Fprintf(w, "# plant %s, effective from %s, applied %s by %s: %s\n# hash %s\n%s", s.Plant, s.Effective, s.Known, s.By, s.Why, s.Hash, s.Text)
	return err
}
