package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"kvarts/collector/buffer"
	"kvarts/historian/telemetry"
)

type bufferCmd struct {
	Stat       bufferStatCmd   `cmd:"" help:"What is in the buffer, and where each destination stands."`
	Verify     bufferVerifyCmd `cmd:"" help:"Read every byte and check it; changes nothing."`
	Dump       bufferDumpCmd   `cmd:"" help:"Print the records, or the line protocol in them."`
	Quarantine quarantineCmd   `cmd:"" help:"What stores refused, and what could not be encoded."`
}

// inspect reads the buffer's directory. It works beside a running collector.
func (f configFlag) inspect() (buffer.Report, error) {
	cfg, _, err := f.load()
	if err != nil {
		return buffer.Report{}, err
	}
	return buffer.Verify(cfg.Buffer.Dir)
}

type bufferStatCmd struct {
	configFlag
	JSON bool `help:"Print as JSON."`
}

func (c *bufferStatCmd) Run() error {
	r, err := c.inspect()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	fmt.Printf("%s: %d segments, %d records, %d samples, %d bytes\n", r.Dir, len(r.Segments), r.Records, r.Samples, r.Bytes)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DESTINATION\tDELIVERED UP TO\tWAITING RECORDS")
	for _, cur := range r.Cursors {
		fmt.Fprintf(w, "%s\t%d\t%d\n", cur.Destination, cur.Low, cur.Pending)
	}
	return w.Flush()
}

type bufferVerifyCmd struct {
	configFlag
	JSON bool `help:"Print as JSON."`
}

// errDamaged ends verify with exit code 1 after it has said everything.
var errDamaged = errors.New("the buffer is damaged: a collector that starts on it skips what cannot be read and ledgers it")

func (c *bufferVerifyCmd) Run() error {
	r, err := c.inspect()
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(r)
	} else {
		err = printSegments(&r)
	}
	if err == nil && !r.OK {
		return errDamaged
	}
	return err
}

func printSegments(r *buffer.Report) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SEGMENT\tFIRST\tNEXT\tSAMPLES\tBYTES\tNEWEST\tSTATE")
	for _, s := range r.Segments {
		state := "open"
		if s.Closed {
			state = "closed"
		}
		if s.Unfinished > 0 {
			state += fmt.Sprintf(", %d unfinished bytes", s.Unfinished)
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\t%s\n", s.Name, s.First, s.Next, s.Samples, s.Bytes, shown(s.Newest), state)
		for _, d := range s.Damage {
			fmt.Fprintf(w, "  DAMAGED\t%d\t%d\t%d\t\t%s\t%s\n", d.From, d.To, d.Samples, shown(d.Last), d.Why)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, f := range r.Findings {
		fmt.Println(f)
	}
	return nil
}

func shown(i telemetry.Instant) string {
	if i == 0 {
		return "-"
	}
	return i.String()
}

type bufferDumpCmd struct {
	configFlag
	From  uint64 `help:"First record."`
	To    uint64 `help:"Last record; 0: to the end."`
	Lines bool   `help:"Print the line protocol instead of the records' headers."`
}

func (c *bufferDumpCmd) Run() error {
	cfg, _, err := c.load()
	if err != nil {
		return err
	}
	return buffer.Dump(cfg.Buffer.Dir, os.Stdout, buffer.DumpOptions{From: c.From, To: c.To, Lines: c.Lines})
}
