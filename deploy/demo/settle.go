package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"kvarts/deploy/e2e/oracle"
	"kvarts/historian/kpi"
)

// result is the line of JSON at the end.
type result struct {
	oracle.Account
	Since   time.Time `json:"since"`     // the books are of what was made from then on
	OEE     *float64  `json:"oee"`       // of the plant, the last 24 hours; null when there is none
	PerWatt *float64  `json:"kwh_per_w"` // of the chain, the last 7 days
	Chaos   int       `json:"chaos"`     // things that were broken meanwhile
}

// settle ends the run: the machines have stopped.
func (d *demo) settle(ctx context.Context) (*result, error) {
	fmt.Fprintln(d.out, "\nThe machines have stopped; settling the books … (Ctrl-C leaves at once)")
	d.live.drain(ctx)
	if err := d.live.stop(); err != nil {
		return nil, err
	}
	account, since, err := d.live.account(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.past.book.enter(ctx, d.client); err != nil {
		return nil, err
	}
	if err := d.past.keep(d.dir); err != nil {
		return nil, err
	}
	shown := d.pic.Load()
	pic := d.look.look(ctx, shown, shown == nil || shown.week == nil) // a week changes little in the minute since it was asked for
	if pic.err != nil {
		return nil, pic.err
	}
	res := &result{Account: *account, Since: since.Time(), OEE: figure(pic.oee), PerWatt: figure(pic.chain)}
	if d.chaos != nil {
		res.Chaos = d.chaos.count
	}
	d.report(res, pic)
	return res, nil
}

func figure(v kpi.Value) *float64 {
	f, ok := v.Float()
	if !ok {
		return nil
	}
	return &f
}

// report says what it came to.
func (d *demo) report(r *result, pic *picture) {
	if !d.terminal { // on a terminal it stands there already
		fmt.Fprintln(d.out, (&paint{}).record(time.Now().In(d.model.Location), pic, 0, math.MaxInt))
	}
	if r.Chaos > 0 {
		fmt.Fprintf(d.out, "%d things were broken meanwhile. ", r.Chaos)
	}
	if r.Since.After(d.live.begun.Time()) {
		fmt.Fprintf(d.out, "The books are of the last %s. ", inWords(time.Since(r.Since)))
	}
	fmt.Fprintf(d.out, "The machines made %s samples: %s in the store, %s in quarantine, %s in the loss ledger (%d gaps), %s unaccounted for.\n",
		grouped(r.Generated), grouped(r.Stored), grouped(r.Quarantined), grouped(r.Ledgered), r.Gaps, grouped(r.Missing))
	if r.Extra > 0 {
		fmt.Fprintf(d.out, "%s points are in the store that no machine made.\n", grouped(r.Extra))
	}
	for _, e := range r.Examples {
		fmt.Fprintln(d.out, " ", e)
	}
	fmt.Fprintf(d.out, "The plant is kept in %s for the next start; --fresh begins a new one.\n", d.dir)
}

// next says what to try.
func (d *demo) next() {
	url := d.store.url
	fmt.Fprintf(d.out, `
  collector's status page   http://%s/
  OEE by machine and day    go run ./historian kpi oee --url %s --each unit --from now-72h --by day
  where the time went       go run ./historian kpi losses --url %s --each unit --from now-24h
  energy per watt           go run ./historian kpi energy --url %s --chain --each stage --from now-168h
  where a wafer came from   go run ./historian lots list --url %s --kind wafer
  what purity is proven     go run ./historian lab list --url %s
  ask the store             go run ./historian query --url %s 'SELECT last(power_kw) FROM wire_saw GROUP BY unit'
  Grafana                   any InfluxDB data source (InfluxQL) at %s, database kvarts

Ctrl-C stops the machines and settles the books.

`, d.status, url, url, url, url, url, url, url)
}
