package influx

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// ProbeOptions of Probe.
type ProbeOptions struct {
	Progress func(step string) // called before each step, may be nil

	lastBody int // largest body that is tried, 0: the constant of this name
}

// Report is what Probe found.
type Report struct {
	Server Server
	Checks []Check
}

// Check is one measured habit beside the table's.
type Check struct {
	Name     string
	Expected string // of the table, "" when the table does not know
	Got      string
	OK       bool   // Got is what the table says, or the table does not know and Got is the harmless answer
	Meaning  string // what Got means for the user, in words
}

// OK says that the server behaves as the table says, and harmlessly where the table says nothing.
func (r *Report) OK() bool {
	for _, c := range r.Checks {
		if !c.OK {
			return false
		}
	}
	return true
}

// Times of a probe.
const (
	visibleWithin  = 20 * time.Second // longest wait for a written line to be seen
	visiblePoll    = 20 * time.Millisecond
	cleanUpWithin  = 30 * time.Second
	probeRetention = time.Hour // shortest that 1.x and 2.x accept
)

// prober holds the state of one run.
type prober struct {
	c      *Client // works on the scratch database
	expire *Client // works on the scratch database with a retention of one hour
	table  Habits
	report *Report
	say    func(string)
	now    int64 // ns: base of the times written
	body   int   // bytes: largest body to try
}

// Probe measures the habits of the server behind c in scratch databases (buckets) of its own, whose names begin with
// kvarts_probe_, and removes them again, even after an error or when ctx is cancelled. It needs a token that may create
// databases. A habit that differs from the table is no error: it is in the report. A report comes with an error, too,
// and then holds the checks done so far.
func Probe(ctx context.Context, c *Client, o ProbeOptions) (report *Report, err error) {
	say := o.Progress
	if say == nil {
		say = func(string) {}
	}
	say("detect")
	server, err := c.Detect(ctx)
	if err != nil {
		return nil, err
	}
	report = &Report{Server: server}
	name, err := scratchName()
	if err != nil {
		return report, err
	}
	p := &prober{c: c.on(name), expire: c.on(name + "_rp"), table: server.Habits, report: report, say: say, now: time.Now().UnixNano(), body: cmp.Or(o.lastBody, lastBody)}
	defer func() { err = errors.Join(err, p.cleanUp(ctx)) }()
	say("create scratch database " + name)
	if err := c.EnsureDatabase(ctx, p.c.opts.Database, 0); err != nil {
		return report, err
	}
	if err := c.EnsureDatabase(ctx, p.expire.opts.Database, probeRetention); err != nil {
		return report, err
	}
	return report, p.run(ctx)
}

func scratchName() (string, error) {
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("name scratch database: %w", err)
	}
	return "kvarts_probe_" + hex.EncodeToString(b[:]), nil
}

// cleanUp must run although the caller gave up: the scratch databases are ours.
func (p *prober) cleanUp(ctx context.Context) error {
	p.say("remove scratch database")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpWithin)
	defer cancel()
	return errors.Join(p.c.DropDatabase(ctx, p.c.opts.Database), p.c.DropDatabase(ctx, p.expire.opts.Database))
}

// run does all checks in their order.
func (p *prober) run(ctx context.Context) error {
	checks := []struct {
		name string
		run  func(context.Context) (Check, error)
	}{
		{"time from 204 to visible", p.checkVisible},
		{"batch with a line of another type", p.checkConflict},
		{"batch with an unparsable line", p.checkUnparsable},
		{"batch with a time outside 64 bits", p.checkTimeRange},
		{"batch with a line beyond retention", p.checkRetention},
		{"body of several gzip members", p.checkMembers},
		{"integers above 2^53", p.checkIntegers},
		{"string of 65,535 bytes", p.checkString},
		{"largest body", p.checkBody},
		{"write with a wrong token", p.checkToken},
		{"write to an unknown bucket", p.checkBucket},
		{"bucket's name as database", p.checkMapping},
		{"bound parameters", p.checkParams},
		{"epoch=ns", p.checkEpoch},
		{"chunked answers", p.checkChunked},
		{"answers as CSV", p.checkCSV},
	}
	for _, k := range checks {
		p.say(k.name)
		c, err := k.run(ctx)
		if err != nil {
			return fmt.Errorf("probe %s: %w", k.name, err)
		}
		c.Name = k.name
		p.report.Checks = append(p.report.Checks, c)
	}
	return nil
}
