package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/plant"
	"kvarts/historian/store"
	"kvarts/historian/telemetry"
)

const demoPlant = "testdata/two-machines.yaml"

// changedPlant writes the demo's model with old replaced.
func changedPlant(t *testing.T, old, replacement string) string {
	t.Helper()
	text, err := os.ReadFile(demoPlant)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(old)) {
		t.Fatalf("the demo's model has no %q", old)
	}
	file := filepath.Join(t.TempDir(), "plant.yaml")
	if err := os.WriteFile(file, bytes.Replace(text, []byte(old), []byte(replacement), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestModelCheck(t *testing.T) {
	for _, tt := range []struct {
		name, old, replacement string
		ok                     bool
		want                   string // in what is printed
	}{
		{"as shipped", "demo", "demo", true, "2 units with 71 signals"},
		{"an unknown key", "site: demo", "sites: demo", false, `error: FILE:6:1: the file has no key "sites"; did you mean "site"?`},
		{"a warning", "product: mono, ", "", true, "warning: FILE:131:6: units[0]: units of cz_puller count pieces"},
		{"a conversion that no collector knows", "unit: kg, range: [0, 600], node: s=Machine/Process/ChargeMass", "unit: kg, source_unit: pood, node: s=x", false,
			`error: FILE: collector of demo: "pood -> kg": the unit "pood" is unknown`},
		{"a gateway without units", "gateways:\n", "gateways:\n  - {name: other, url: \"http://x\", database: d}\n", true, `warning: FILE: gateways: "other": list units of gateway "other"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := changedPlant(t, tt.old, tt.replacement)
			r := checkModel(file)
			var out bytes.Buffer
			if err := r.print(&out, false); err != nil {
				t.Fatal(err)
			}
			if r.OK != tt.ok || !strings.Contains(strings.ReplaceAll(out.String(), file, "FILE"), tt.want) {
				t.Errorf("ok %v, want %v and %q:\n%s", r.OK, tt.ok, tt.want, out.String())
			}
			code := run(t.Context(), []string{"model", "check", file})
			if want := map[bool]int{true: 0, false: exitFailed}[tt.ok]; code != want {
				t.Errorf("exit code %d, want %d", code, want)
			}
		})
	}
}

func TestModelUsage(t *testing.T) {
	for _, tt := range []struct {
		args string
		want int
	}{
		{"model check", exitUsage}, {"model collector " + demoPlant, exitUsage}, {"model collector " + demoPlant + " --gateway other", exitFailed},
		{"model collector " + demoPlant + " --gateway demo", 0}, {"model diff " + demoPlant + " " + demoPlant, 0}, {"model diff " + demoPlant, exitUsage},
		{"model check nowhere.yaml", exitFailed}, {"model apply " + demoPlant + " --by me --why so", exitUsage},
		{"model apply " + demoPlant + " --by me --why so --effective tomorrow", exitFailed},
	} {
		if got := run(t.Context(), strings.Fields(tt.args)); got != tt.want {
			t.Errorf("%s: exit code %d, want %d", tt.args, got, tt.want)
		}
	}
}

// What is applied stands in the store with who, when and why; each version is found at its dates, and a dry run stores nothing.
func TestModelApplyAndShow(t *testing.T) {
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0", Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	apply := func(file, effective string, more ...string) {
		t.Helper()
		args := append([]string{"model", "apply", file, "--url", s.URL(), "--effective", effective, "--by", "Aigerim", "--why", "first model"}, more...)
		if code := run(t.Context(), args); code != 0 {
			t.Fatalf("%v: exit code %d", args, code)
		}
	}
	faster := changedPlant(t, "wire_saw: 0.49", "wire_saw: 0.45")
	apply(demoPlant, "always")
	apply(faster, "2026-12-01", "--dry-run")
	apply(faster, "2026-12-01")
	if code := run(t.Context(), []string{"model", "apply", changedPlant(t, "site: demo", "sites: x"), "--url", s.URL(), "--effective", "always", "--by", "x", "--why", "y"}); code != exitFailed {
		t.Errorf("a wrong model: exit code %d", code)
	}
	h := history(t.Context(), t, s.URL())
	if len(h) != 2 {
		t.Fatalf("%d versions", len(h))
	}
	for at, ideal := range map[string]string{"2000-01-01T00:00:00Z": "49/100", "2026-11-30T18:59:59Z": "49/100", "2026-11-30T19:00:00Z": "9/20"} { // midnight in Almaty
		moment, err := momentOr(at, 0)
		if err != nil {
			t.Fatal(err)
		}
		v, ok := h.At(moment, telemetry.Now())
		if !ok {
			t.Fatalf("no model at %s", at)
		}
		u, _ := v.Model.Unit("ws01")
		if got, _ := u.Ideal("M10").At(moment); got.String() != ideal || v.By != "Aigerim" || v.Why != "first model" {
			t.Errorf("at %s: %s s, by %s: %s", at, got, v.By, v.Why)
		}
		if code := run(t.Context(), []string{"model", "show", "--url", s.URL(), "--at", at}); code != 0 {
			t.Errorf("show: exit code %d", code)
		}
	}
	if code := run(t.Context(), []string{"model", "show", "--url", s.URL(), "--asof", "2000-01-01T00:00:00Z"}); code != exitFailed {
		t.Errorf("before anything was known: exit code %d", code)
	}
}

func history(ctx context.Context, t *testing.T, url string) plant.History {
	t.Helper()
	client, err := influx.New(influx.Options{URL: url, Database: store.DefaultDatabase})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	h, err := evidence.ReadModels(ctx, client, telemetry.Now())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// What show prints is a plant file again.
func TestShownModelIsAModel(t *testing.T) {
	m, err := plant.Load(demoPlant)
	if err != nil {
		t.Fatal(err)
	}
	v := plant.Version{Model: m, Effective: plant.Always, Known: 1, By: "Aigerim", Why: "first model", Hash: m.Hash}
	var out bytes.Buffer
	if err := showVersion(&out, &v, true, false); err != nil {
		t.Fatal(err)
	}
	again, err := plant.Parse("shown", out.Bytes())
	if err != nil || len(plant.Diff(m, again)) > 0 || !strings.HasPrefix(out.String(), "# plant demo, effective from always, applied 1970-01-01T00:00:00.000000001Z by Aigerim: first model\n") {
		t.Errorf("%v: %.200s", err, out.String())
	}
	out.Reset()
	if err := showVersion(&out, &v, false, true); err != nil {
		t.Fatal(err)
	}
	var s shownModel
	if err := json.Unmarshal(out.Bytes(), &s); err != nil || s.Text != "" || s.Hash != m.Hash || s.Effective != always {
		t.Errorf("%v: %+v", err, s)
	}
}
