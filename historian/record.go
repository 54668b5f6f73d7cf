package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// recordCmd enters, corrects, withdraws and lists what people know. The flags of a kind are named as its columns.
type recordCmd struct {
	DowntimeReason struct {
		recordNew
		ofUnit
		during
		Reason   string `required:"" help:"Why."`
		Category string `help:"What the time counts as: setup, stop, idle, planned, engineering, nonscheduled; without it as the state says."`
	} `cmd:"" name:"downtime_reason" help:"Why a unit did not run."`
	Order struct {
		recordNew
		ofUnitOrLine
		during
		Order   string `required:"" help:"Its number."`
		Product string `required:"" help:"Product, as in the plant model."`
	} `cmd:"" name:"order" help:"Which order a unit or line worked on."`
	Changeover struct {
		recordNew
		ofUnitOrLine
		during
		Product string `help:"Product that it was changed to."`
		Reason  string `help:"What was changed."`
	} `cmd:"" name:"changeover" help:"Set-up between products."`
	Booked struct {
		recordNew
		ofUnit
		during
		Total      string `required:"" help:"Pieces."`
		Good       string `help:"Good ones of them; without it all."`
		Product    string `help:"Product, as in the plant model."`
		Order      string `help:"Order number."`
		ReportedAt string `help:"When it was reported; without it at the end."`
	} `cmd:"" name:"booked" help:"Pieces counted by hand, in addition to what counters say."`
	Scrap struct {
		recordNew
		ofUnit
		MadeFrom   string `required:"" help:"Begin of when the pieces were made."`
		MadeTo     string `required:"" help:"End of when the pieces were made."`
		Quantity   string `required:"" help:"Pieces."`
		ReportedAt string `required:"" help:"When they were found."`
		Reason     string `help:"What is wrong with them."`
		Product    string `help:"Product, as in the plant model."`
	} `cmd:"" name:"scrap" help:"Pieces that turned out not to be good."`
	CounterSwap  recordCounter `cmd:"" name:"counter_swap" help:"A meter replaced."`
	CounterReset recordCounter `cmd:"" name:"counter_reset" help:"A counter set back by hand."`
	PlannedStop  struct {
		recordNew
		Unit   string `help:"Unit." xor:"where" required:""`
		Line   string `help:"All units of a line." xor:"where" required:""`
		Area   string `help:"All units of an area." xor:"where" required:""`
		Reason string `required:"" help:"What is done."`
		during
	} `cmd:"" name:"planned_stop" help:"Approved maintenance: it leaves planned busy time."`
	Rework struct {
		recordNew
		ofUnit
		during
		Quantity string `required:"" help:"Pieces that were worked again."`
		Good     string `help:"Those of them that became good."`
		Product  string `help:"Product, as in the plant model."`
		Order    string `help:"Order number."`
	} `cmd:"" name:"rework" help:"Pieces worked again."`

	Correct  recordCorrect  `cmd:"" help:"Write a new revision of a record; what is not told stays. The old one can still be listed --at a time before."`
	Withdraw recordWithdraw `cmd:"" help:"Say that something recorded was not so."`
	List     recordList     `cmd:"" help:"List records as known now, or at a time."`
	Show     recordShow     `cmd:"" help:"Show all revisions of a record: who, when and why."`
}

type (
	ofUnit struct {
		Unit string `required:"" help:"Unit, as in the plant model."`
	}
	ofUnitOrLine struct {
		Unit string `help:"Unit." xor:"where" required:""`
		Line string `help:"All units of a line." xor:"where" required:""`
	}
	during struct {
		From string `required:"" help:"Begin: RFC 3339, the plant's wall clock ('2026-11-02 08:00') or 'now-2h'."`
		To   string `required:"" help:"End."`
	}
	recordCounter struct {
		recordNew
		ofUnit
		At      string `required:"" help:"When: RFC 3339, the plant's wall clock ('2026-11-02 08:00') or 'now-2h'."`
		Signal  string `required:"" help:"Signal of the counter, as in the plant model."`
		Final   string `required:"" help:"What it showed last."`
		Initial string `required:"" help:"What it, or the new one, showed first."`
		Reason  string `help:"What happened."`
	}
)

// recordWrite is what all that write have in common.
type recordWrite struct {
	target
	By     string `required:"" help:"Who says it." env:"KVARTS_BY"`
	Zone   string `help:"IANA zone of times without an offset; default: that of the plant model in the store."`
	DryRun bool   `help:"Check and show, but write nothing."`
	JSON   bool   `help:"Print what was written as JSON, one object a line."`
}

type recordNew struct {
	recordWrite
	ID  string `help:"Name of your own for the record; default: made of kind, place and begin."`
	Why string `help:"Remark for the audit."`
}

func (c *recordWrite) audit(why string) record.Audit {
	return record.Audit{By: c.By, Why: why, KnownAt: knownNow(), Source: "cli"}
}

// knownNow is the time of the clock in whole µs, as records keep it.
func knownNow() telemetry.Instant {
	now := telemetry.Now()
	return now - now%1000
}

// plantSays is what a store's plant models say of records: the zone of people's times, and which names there are.
type plantSays struct {
	zone    *time.Location // nil: unknown, times need an offset
	history plant.History
}

// readPlant reads the models. zone, when named, stands in for theirs.
func readPlant(ctx context.Context, client *influx.Client, zone string) (plantSays, error) {
	now := telemetry.Now()
	history, err := evidence.ReadModels(ctx, client, now)
	if err != nil {
		return plantSays{}, err
	}
	says := plantSays{history: history}
	if v, ok := history.At(now, now); ok {
		says.zone = v.Model.Location
	}
	if zone != "" {
		says.zone, err = calendar.Zone(zone)
	}
	return says, err
}

// check says whether the plant has what r names.
func (p *plantSays) check(r *record.Record) error {
	return evidence.CheckRecord(p.history, r, telemetry.Now())
}

// given sets the columns of r that were given as flags, and says whether there were any.
func given(r *record.Record, k *kong.Context, zone *time.Location) (bool, error) {
	var errs []error
	any := false
	for _, f := range k.Selected().Flags {
		name := strings.ReplaceAll(f.Name, "-", "_")
		if !f.Set || !isColumn(name) {
			continue
		}
		any = true
		text := strings.TrimSpace(f.Target.String())
		if zone != nil && isTime(name) {
			if at, err := (&when{now: telemetry.Now(), rules: &calendar.Rules{Zone: zone}}).parse(text); err == nil {
				text = at.String()
			}
		}
		if err := r.Set(name, text, zone); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", f.Name, err))
		}
	}
	return any, errors.Join(errs...)
}

func isColumn(name string) bool {
	for _, c := range record.ColumnNames() {
		if c == name {
			return name != "kind" && name != "by" && name != "why"
		}
	}
	return false
}

func isTime(name string) bool {
	switch name {
	case "from", "to", "at", "made_from", "made_to", "reported_at":
		return true
	}
	return false
}

// Run enters one record of the kind that the command is called.
func (c *recordNew) Run(ctx context.Context, k *kong.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	says, err := readPlant(ctx, client, c.Zone)
	if err != nil {
		return err
	}
	r := record.Record{Kind: record.Kind(k.Selected().Name), Revision: 1, Audit: c.audit(c.Why)}
	if _, err := given(&r, k, says.zone); err != nil {
		return err
	}
	if spec, _ := record.SpecOf(r.Kind); spec.End == "" {
		r.To = r.From
	}
	r.Reach = r.To
	if r.ID == "" {
		r.ID = r.DefaultID()
	}
	if err := errors.Join(r.Check(), says.check(&r)); err != nil {
		return err
	}
	entries, err := evidence.PlanRecords(ctx, client, []record.Record{r})
	if err != nil {
		return err
	}
	switch e := entries[0]; {
	case e.Outcome == record.Known:
		return c.known(&r)
	case e.Err != nil, e.Outcome == record.Corrected:
		return fmt.Errorf("record %s stands already and says something else: see historian record show %s, and correct it with historian record correct %s", r.ID, r.ID, r.ID)
	default:
		return c.write(ctx, client, e.Write)
	}
}

// known says that nothing was written.
func (c *recordWrite) known(r *record.Record) error {
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(shown(r))
	}
	fmt.Printf("%s %s: known already, nothing written\n", r.Kind, r.ID)
	return nil
}

// write writes revisions and tells of them.
func (c *recordWrite) write(ctx context.Context, client *influx.Client, records []record.Record) error {
	done := "written"
	if c.DryRun {
		done = "would be written"
	} else if err := evidence.WriteRecords(ctx, client, records); err != nil {
		return err
	}
	r := &records[0] // what follows is the note that it moved
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(shown(r))
	}
	fmt.Printf("%s %s: revision %d %s\n", r.Kind, r.ID, r.Revision, done)
	return nil
}

type recordCorrect struct {
	recordWrite
	ID         string `arg:"" help:"Id of the record: see historian record list."`
	Why        string `required:"" help:"Why it is corrected."`
	Unit       string `help:"Unit." group:"What to change:" xor:"where"`
	Line       string `help:"Line." group:"What to change:" xor:"where"`
	Area       string `help:"Area." group:"What to change:" xor:"where"`
	From       string `help:"Begin." group:"What to change:"`
	To         string `help:"End." group:"What to change:"`
	At         string `help:"Moment, of counters." group:"What to change:"`
	MadeFrom   string `help:"Begin of when scrap was made." group:"What to change:"`
	MadeTo     string `help:"End of when scrap was made." group:"What to change:"`
	Reason     string `help:"Reason." group:"What to change:"`
	Category   string `help:"What the time counts as; '' for as the state says." group:"What to change:"`
	Order      string `help:"Order number." group:"What to change:"`
	Product    string `help:"Product." group:"What to change:"`
	Signal     string `help:"Signal of the counter." group:"What to change:"`
	Total      string `help:"Pieces." group:"What to change:"`
	Good       string `help:"Good pieces." group:"What to change:"`
	Quantity   string `help:"Pieces." group:"What to change:"`
	Final      string `help:"What the counter showed last." group:"What to change:"`
	Initial    string `help:"What the counter showed first." group:"What to change:"`
	ReportedAt string `help:"When it was reported." group:"What to change:"`
}

// latestOf reads a record's newest revision.
func latestOf(ctx context.Context, client *influx.Client, id string) (record.Record, error) {
	revisions, err := evidence.ReadRevisions(ctx, client, id)
	if err != nil {
		return record.Record{}, err
	}
	if len(revisions) == 0 {
		return record.Record{}, fmt.Errorf("no record has the id %q: see historian record list", id)
	}
	return record.Latest(revisions), nil
}

// Run writes the next revision.
func (c *recordCorrect) Run(ctx context.Context, k *kong.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	says, err := readPlant(ctx, client, c.Zone)
	if err != nil {
		return err
	}
	latest, err := latestOf(ctx, client, c.ID)
	if err != nil {
		return err
	}
	next := latest
	if c.Unit+c.Line+c.Area != "" {
		next.Unit, next.Line, next.Area = "", "", ""
	}
	any, err := given(&next, k, says.zone)
	switch {
	case err != nil:
		return err
	case !any:
		return errors.New("nothing to correct: say what is to change, like --reason or --to")
	}
	if spec, _ := record.SpecOf(next.Kind); spec.End == "" {
		next.To = next.From
	}
	next.Audit = c.audit(c.Why)
	if !latest.Deleted && latest.Same(&next) {
		return c.known(&latest)
	}
	write, err := latest.Correct(next)
	if err := errors.Join(err, says.check(&next)); err != nil {
		return err
	}
	return c.write(ctx, client, write)
}

type recordWithdraw struct {
	recordWrite
	ID  string `arg:"" help:"Id of the record: see historian record list."`
	Why string `required:"" help:"Why it is withdrawn."`
}

// Run writes the revision that withdraws.
func (c *recordWithdraw) Run(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	latest, err := latestOf(ctx, client, c.ID)
	if err != nil {
		return err
	}
	gone, err := latest.Withdraw(c.audit(c.Why))
	if err != nil {
		return err
	}
	return c.write(ctx, client, []record.Record{gone})
}
