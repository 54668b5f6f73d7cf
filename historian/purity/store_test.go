package purity

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kvarts/historian/influx"
)

// What is stored comes back, by sample and by lot, and storing it again comes to nothing.
func TestStore(t *testing.T) { eachStore(t, testStore) }

func testStore(t *testing.T, client *influx.Client) {
	ctx := within(t, 30*time.Second)
	var list []Result
	for i := range 120 { // more samples than one query names
		for _, r := range results(t, p1()...) {
			r.Sample, r.Lot = fmt.Sprintf("S-%03d", i), fmt.Sprintf("L-%d", i%7)
			list = append(list, r)
		}
	}
	entries, err := PlanResults(ctx, client, list)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Outcome != New || e.Err != nil {
			t.Fatalf("%+v", e)
		}
	}
	if err := WriteResults(ctx, client, list); err != nil {
		t.Fatal(err)
	}
	if entries, err = PlanResults(ctx, client, list); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Outcome != Known || e.Err != nil {
			t.Fatalf("%+v", e)
		}
	}
	samples, err := ReadSamples(ctx, client, t0, t0+1)
	if err != nil || len(samples) != 120 || samples[7] != "S-007" {
		t.Fatalf("%v, %v", samples, err)
	}
	if none, err := ReadSamples(ctx, client, t0+hour, always); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
	lot, err := ReadSubject(ctx, client, Subject{Lot: "L-3"})
	if err != nil || len(lot) != 17*len(p1()) {
		t.Errorf("%d results of the lot, %v", len(lot), err)
	}
	back, err := ReadSubject(ctx, client, Subject{Sample: "S-007"})
	if err != nil || len(back) != len(p1()) || back[0].Element != "B" || back[0].Hash() != list[7*len(p1())].Hash() || back[0].Value.String() != "0.05" || back[0].KnownAt != list[0].KnownAt {
		t.Errorf("%+v, %v", back, err)
	}
}

// A certificate keeps its value, whatever is stored later.
func TestStoredCertificate(t *testing.T) { eachStore(t, testStoredCertificate) }

func testStoredCertificate(t *testing.T, client *influx.Client) {
	ctx := within(t, 30*time.Second)
	list := results(t, p1()...)
	c := mustIssue(t, mustAssess(t, list, DefaultPolicy()), 12)
	ofLot, err := Assess(Subject{Lot: "L"}, list, DefaultPolicy(), always)
	if err != nil {
		t.Fatal(err)
	}
	for _, cert := range []*Certificate{c, c, mustIssue(t, ofLot, 11)} {
		if err := WriteCertificate(ctx, client, cert); err != nil {
			t.Fatal(err)
		}
	}
	iron := found(t, "Fe 0.90")
	iron.Revision, iron.Reason = 2, "retained sample measured again"
	if err := WriteResults(ctx, client, append(list, iron)); err != nil {
		t.Fatal(err)
	}
	stored, err := ReadCertificates(ctx, client, Subject{Sample: "S"}, always)
	if err != nil || len(stored) != 1 || stored[0].ID != c.ID || stored[0].Grade != 12 || stored[0].Answer.Sum.String() != "[12.086186, 12.173925]" {
		t.Fatalf("%+v, %v", stored, err)
	}
	if stored[0].Changed(&c.Answer) != "" {
		t.Error("what it rests on is not what it rested on")
	}
	if of, err := ReadCertificates(ctx, client, Subject{Lot: "L"}, always); err != nil || len(of) != 1 || of[0].Grade != 11 || of[0].Answer.Lot != "L" {
		t.Errorf("%+v, %v", of, err)
	}
	if none, err := ReadCertificates(ctx, client, Subject{Sample: "S"}, t0); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
}

// What stands in the store and is no result is told, not left out.
func TestDamagedPoint(t *testing.T) { eachStore(t, testDamagedPoint) }

func testDamagedPoint(t *testing.T, client *influx.Client) {
	ctx := within(t, 30*time.Second)
	if err := client.WriteLines(ctx, []byte(`lab,kind=result,sample=S element="Fe" 1795132800000000000`+"\n"), 1); err != nil {
		t.Fatal(err)
	}
	_, err := ReadResults(ctx, client, "S")
	if err == nil || !strings.Contains(err.Error(), "DELETE FROM lab WHERE time = 1795132800000000000") || !strings.Contains(err.Error(), "unit: missing") {
		t.Errorf("%v", err)
	}
}

// A store that cannot be reached is an error of every call.
func TestUnreachable(t *testing.T) {
	client, err := influx.New(influx.Options{URL: "http://127.0.0.1:1", Database: "x", Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, r := within(t, 30*time.Second), found(t, "Fe 1")
	for name, call := range map[string]func() error{
		"write results": func() error { return WriteResults(ctx, client, []Result{r}) },
		"write certificate": func() error {
			return WriteCertificate(ctx, client, &Certificate{IssuedAt: Moment(t0), Answer: Answer{Sample: "S"}})
		},
		"read results":         func() error { _, err := PlanResults(ctx, client, []Result{r}); return err },
		"read samples":         func() error { _, err := ReadSamples(ctx, client, t0, always); return err },
		"read samples of":      func() error { _, err := ReadSubject(ctx, client, Subject{Lot: "L"}); return err },
		"read certificates of": func() error { _, err := ReadCertificates(ctx, client, Subject{Lot: "L"}, always); return err },
	} {
		if err := call(); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
