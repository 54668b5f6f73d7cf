package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/lots"
	"kvarts/historian/purity"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// book is what the MES, the laboratory and people hand over: kept until it is entered, in the formats that are imported.
type book struct {
	mu      sync.Mutex
	lots    bytes.Buffer // JSON lines
	lab     bytes.Buffer
	records []record.Record
	err     error
}

func (b *book) lot(l *world.Lot)          { b.add(&b.lots, l) }
func (b *book) step(s *world.Step)        { b.add(&b.lots, s) }
func (b *book) result(r *world.LabResult) { b.add(&b.lab, r) }
func (b *book) add(to *bytes.Buffer, it any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = errors.Join(b.err, json.NewEncoder(to).Encode(it))
}

func (b *book) record(r *record.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, *r)
}

// forget drops what was entered before.
func (b *book) forget() {
	b.lots.Reset()
	b.lab.Reset()
	b.records = nil
}

// enter stores what was handed over since it was last called. What cannot be stored comes again the next time.
func (b *book) enter(ctx context.Context, client *influx.Client) error {
	b.mu.Lock()
	lot, lab, records, err := bytes.Clone(b.lots.Bytes()), bytes.Clone(b.lab.Bytes()), b.records, b.err
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("hand the book over: %w", err)
	}
	if err := enterLots(ctx, client, lot); err != nil {
		return err
	}
	if err := enterResults(ctx, client, lab); err != nil {
		return err
	}
	if err := enterRecords(ctx, client, records); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lots.Next(len(lot))
	b.lab.Next(len(lab))
	b.records = b.records[len(records):]
	return nil
}

func enterLots(ctx context.Context, client *influx.Client, text []byte) error {
	if len(text) == 0 {
		return nil
	}
	rows, problems := lots.Read(bytes.NewReader(text), lots.ReadOptions{Format: lots.JSON, Name: "the simulated MES"})
	if len(problems) > 0 {
		return fmt.Errorf("enter lots: %w", problems[0])
	}
	plan, err := lots.PlanImport(ctx, client, rows, now())
	if err != nil {
		return fmt.Errorf("enter lots: %w", err)
	}
	if len(plan.Problems) > 0 {
		return fmt.Errorf("enter lots: %w", plan.Problems[0])
	}
	return plan.Write(ctx, client)
}

func enterResults(ctx context.Context, client *influx.Client, text []byte) error {
	if len(text) == 0 {
		return nil
	}
	rows, problems := purity.Read(bytes.NewReader(text), purity.ReadOptions{Format: purity.JSON, Name: "the simulated laboratory", KnownAt: now()})
	if len(problems) > 0 {
		return fmt.Errorf("enter laboratory results: %w", problems[0])
	}
	entries, err := purity.PlanResults(ctx, client, rows)
	if err != nil {
		return fmt.Errorf("enter laboratory results: %w", err)
	}
	var write []purity.Result
	for _, e := range entries {
		if e.Err != nil {
			return fmt.Errorf("enter laboratory results: %w", e.Err)
		}
		if e.Outcome != purity.Known {
			write = append(write, e.Row)
		}
	}
	return purity.WriteResults(ctx, client, write)
}

func enterRecords(ctx context.Context, client *influx.Client, records []record.Record) error {
	if len(records) == 0 {
		return nil
	}
	entries, err := evidence.PlanRecords(ctx, client, records)
	if err != nil {
		return fmt.Errorf("enter records: %w", err)
	}
	var write []record.Record
	for _, e := range entries {
		if e.Err != nil {
			return fmt.Errorf("enter records: %w", e.Err)
		}
		write = append(write, e.Write...)
	}
	return evidence.WriteRecords(ctx, client, write)
}

// now is the present in whole µs, as revisions say when they were known.
func now() telemetry.Instant {
	t := telemetry.Now()
	return t - t%1000
}
