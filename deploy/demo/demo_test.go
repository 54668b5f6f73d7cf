package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kvarts/configs/plants"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// TestMain lets this program be the store's process too, as main does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == storeVerb {
		os.Exit(serveStore(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

func demoModel(t *testing.T) *plant.Model {
	t.Helper()
	m, err := plant.Parse("demo.yaml", plants.Living)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestDemo is the demo as a person runs it, twice: the second start goes on with the plant of the first.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a week of plant")
	}
	dir := t.TempDir()
	o := options{length: 12 * time.Second, chaos: true, dir: dir, seed: 3, store: "127.0.0.1:0", status: "127.0.0.1:0"}
	run := func() (*result, string) {
		var out bytes.Buffer
		r, err := run(context.Background(), o, &out, false)
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if !r.Balanced() || r.Generated == 0 || r.Generated != r.Stored+r.Quarantined+r.Ledgered {
			t.Errorf("books: %+v\n%s", r, out.String())
		}
		if r.OEE == nil || *r.OEE < 0.3 || *r.OEE > 1 {
			t.Errorf("OEE of the plant: %v", r.OEE)
		}
		if r.PerWatt == nil || *r.PerWatt < 0.1 || *r.PerWatt > 0.6 {
			t.Errorf("energy per watt: %v", r.PerWatt)
		}
		line, err := json.Marshal(r)
		if err != nil || bytes.ContainsRune(line, '\n') || !bytes.Contains(line, []byte(`"generated":`)) {
			t.Errorf("line of JSON: %s, %v", line, err)
		}
		return r, out.String()
	}
	r, text := run()
	if r.Chaos == 0 {
		t.Error("nothing was broken")
	}
	for _, want := range []string{"living through 7 days of plant", "SAW-1", "polysilicon", "historian kpi oee", "unaccounted for"} {
		if !strings.Contains(text, want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
	first, ok, err := readKept(dir)
	if err != nil || !ok {
		t.Fatalf("nothing was kept: %v", err)
	}
	o.chaos, o.length = false, 3*time.Second
	_, text = run()
	if strings.Contains(text, "7 days of plant") {
		t.Error("the second start begins anew")
	}
	second, _, err := readKept(dir)
	if err != nil || second.Epoch != first.Epoch || second.Until <= first.Until {
		t.Errorf("kept %+v, then %+v, %v", first, second, err)
	}
}

func TestRecall(t *testing.T) {
	dir, m := t.TempDir(), demoModel(t)
	now := telemetry.Now()
	now -= now % 1e9
	p, err := recall(dir, m, 1, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.world.Advance(now); err != nil {
		t.Fatal(err)
	}
	p.world.Close()
	if !p.fresh || p.diary.sum == 0 {
		t.Fatalf("a new plant: fresh %v, diary %d", p.fresh, p.diary.sum)
	}
	k := kept{Seed: 1, Epoch: p.kept.Epoch, Until: now, Model: m.Hash, Diary: p.diary.sum}
	if err := k.write(dir); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		spoil func(*kept)
		seed  uint64
		at    telemetry.Instant
		fresh bool
	}{
		{"the same", func(*kept) {}, 1, now.Add(time.Hour), false},
		{"another seed", func(*kept) {}, 2, now, true},
		{"another model", func(k *kept) { k.Model = "other" }, 1, now, true},
		{"another simulator", func(k *kept) { k.Diary++ }, 1, now, true},
		{"a clock that went back", func(*kept) {}, 1, now.Add(-time.Hour), true},
		{"long ago", func(*kept) {}, 1, now.Add(24 * 24 * time.Hour), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			spoiled := k
			c.spoil(&spoiled)
			if err := spoiled.write(dir); err != nil {
				t.Fatal(err)
			}
			p, err := recall(dir, m, c.seed, c.at)
			if err != nil {
				t.Fatal(err)
			}
			p.world.Close()
			if p.fresh != c.fresh {
				t.Errorf("fresh: %v", p.fresh)
			}
		})
	}
	if err := os.WriteFile(filepath.Join(dir, keptName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err = recall(dir, m, 1, now)
	if err != nil {
		t.Fatal(err)
	}
	if p.world.Close(); !p.fresh {
		t.Error("a damaged file is believed")
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"--help"}, 0}, {[]string{"--wrong"}, 2}, {[]string{"more"}, 2}, {[]string{"--for", "soon"}, 2},
	} {
		if code := command(context.Background(), c.args); code != c.code {
			t.Errorf("%q ends with %d, want %d", c.args, code, c.code)
		}
	}
}
