package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"kvarts/configs/plants"
	"kvarts/historian/answer"
	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/kpi"
	"kvarts/historian/telemetry"
)

// describe stores what the two machines are: without a model a record has no meaning.
func (p *plant) describe(ctx context.Context) error {
	p.begun = telemetry.Now()
	return evidence.ApplyModel(ctx, p.client, plants.Demo, 0, p.begun, "demo", "the demo's machines")
}

// explain prints what the record of this run says of each machine, as `historian kpi oee` and `energy` would.
func (p *plant) explain(ctx context.Context, out io.Writer) error {
	engine := answer.New(p.client, telemetry.Now)
	a, err := engine.Ask(ctx, answer.Question{
		Kind: answer.OEE, Target: answer.Target{Level: answer.Plant}, Each: []answer.Level{answer.Unit},
		Window: calendar.Interval{From: p.begun, To: telemetry.Now()},
	})
	if err != nil {
		return fmt.Errorf("ask for the machines' effectiveness: %w", err)
	}
	fmt.Fprintln(out, "\nWhat the record of this run says (historian kpi oee, energy, losses and states say more):")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tAVAILABILITY\tPERFORMANCE\tQUALITY\tOEE\tCOVERAGE\tENERGY\tWHY NOT\t")
	for i := range a.Rows {
		r := &a.Rows[i]
		share := func(k kpi.Key) string { return shown(r.Result.Get(k), 100, "%") }
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", r.Subject, share(kpi.Availability), share(kpi.Performance), share(kpi.Quality),
			share(kpi.OEE), share(kpi.Coverage), shown(r.Result.Get(kpi.Energy), 1, " kWh"), r.Result.Reason())
	}
	return w.Flush()
}

func shown(v kpi.Value, scale float64, unit string) string {
	if v.Null {
		return "-"
	}
	return fmt.Sprintf("%.1f%s", v.Num.Float()*scale, unit)
}
