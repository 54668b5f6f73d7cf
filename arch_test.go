// Package kvarts holds nothing but this test: the import arrows of ARCHITECTURE.md, executed.
package kvarts

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows lists for each package below kvarts/ which others of the module its non-test files may import. A package that
// is not listed fails the test: a new room says here where it stands.
var arrows = map[string][]string{
	"configs/plants":      {},
	"historian/telemetry": {},
	"historian/influx":    {"historian/telemetry"},
	"historian/store":     {"historian/telemetry"},
	"historian/exact":     {},
	"historian/markup":    {},
	"historian/calendar":  {"historian/telemetry"},
	"historian/plant":     {"historian/telemetry", "historian/exact", "historian/calendar", "historian/markup"},
	"historian/ledger":    {"historian/telemetry", "historian/exact", "historian/calendar"},
	"historian/kpi":       {"historian/telemetry", "historian/exact", "historian/calendar", "historian/ledger"},
	"historian/conform":   {"historian/telemetry", "historian/exact", "historian/calendar", "historian/ledger", "historian/kpi"},
	"historian/record":    {"historian/telemetry", "historian/exact", "historian/calendar"},
	"historian/purity":    {"historian/telemetry", "historian/exact", "historian/influx"},
	"historian/lots":      {"historian/telemetry", "historian/exact", "historian/calendar", "historian/influx", "historian/kpi"},
	"historian/evidence": {"historian/telemetry", "historian/influx", "historian/exact", "historian/calendar", "historian/plant",
		"historian/ledger", "historian/record"},
	"historian/keeper": {"historian/telemetry", "historian/influx", "historian/exact", "historian/calendar", "historian/plant",
		"historian/ledger", "historian/evidence"},
	"historian/answer": {"historian/telemetry", "historian/influx", "historian/exact", "historian/calendar", "historian/plant",
		"historian/ledger", "historian/evidence", "historian/kpi", "historian/lots"},
	"historian": {"historian/telemetry", "historian/influx", "historian/store", "historian/exact", "historian/calendar", "historian/plant",
		"historian/ledger", "historian/kpi", "historian/conform", "historian/record", "historian/evidence", "historian/keeper",
		"historian/answer", "historian/lots", "historian/purity", "collector/config"},

	"collector/config":             {"historian/markup"},
	"collector/pki":                {},
	"collector/uavalue":            {"historian/telemetry"},
	"collector/uasession":          {"historian/telemetry", "collector/uavalue"},
	"collector/buffer":             {"historian/telemetry"},
	"collector/forward":            {"historian/telemetry", "historian/influx", "collector/buffer", "collector/forward/quarantine"},
	"collector/forward/quarantine": {"historian/telemetry", "historian/influx"},
	"collector/worker":             {"historian/telemetry", "collector/config", "collector/pki", "collector/uasession", "collector/uavalue", "collector/buffer"},
	"collector/status":             {"historian/telemetry", "collector/uasession", "collector/buffer", "collector/forward", "collector/forward/quarantine"},
	"collector/agent": {"historian/telemetry", "historian/influx", "collector/config", "collector/pki", "collector/uasession",
		"collector/buffer", "collector/forward", "collector/forward/quarantine", "collector/worker", "collector/status"},
	"collector": {"historian/telemetry", "historian/influx", "collector/config", "collector/pki", "collector/uasession",
		"collector/buffer", "collector/forward", "collector/forward/quarantine", "collector/worker", "collector/agent", "collector/status"},
}

// sole names who alone may import a library (and packages below it); "x/..." is x and everything below it.
var sole = map[string][]string{
	"github.com/gopcua/opcua":                  {"collector/uasession", "collector/uavalue", "collector/pki", "deploy/simplant/..."},
	"github.com/influxdata/influxdb-client-go": {"historian/influx"},
	"github.com/influxdata/influxdb":           {"historian/store", "deploy/e2e/peers"},
	"github.com/influxdata/influxql":           {"historian/store"},
	"github.com/grafana/grafana-plugin-sdk-go": {"plugin/pkg/..."},
	"github.com/prometheus/client_golang":      {"collector/status", "collector/agent"},
	"github.com/goccy/go-yaml":                 {"historian/markup"},
	"github.com/alecthomas/kong":               {"collector", "historian", "deploy/..."},
	"github.com/klauspost/compress":            {"collector/worker", "collector/buffer", "collector/forward/...", "collector/agent", "historian/influx", "historian/store", "deploy/..."},
	"golang.org/x/sys":                         {"collector", "collector/buffer", "collector/agent", "collector/forward/...", "historian/store", "deploy/..."},
}

// forbidden names what must not reach a program's binary, even through others.
var forbidden = map[string][]string{
	"kvarts/collector": {"google.golang.org/grpc", "github.com/apache/arrow", "github.com/influxdata/influxdb/", "github.com/influxdata/flux", "github.com/gopcua/opcua/server", "kvarts/historian/store", "kvarts/deploy"},
	"kvarts/historian": {"github.com/gopcua/opcua", "kvarts/deploy"},
	// The truth that the product is compared with is none of its own making.
	"kvarts/deploy/simplant/truth": {"kvarts/historian/ledger", "kvarts/historian/kpi", "kvarts/historian/conform", "kvarts/historian/evidence", "kvarts/historian/answer"},
}

// forbiddenWords are folder names that say nothing about what is in them.
var forbiddenWords = []string{"util", "utils", "common", "models", "types", "helpers", "misc"}

type pkg struct {
	ImportPath string
	Name       string
	Imports    []string
	Deps       []string
	Standard   bool
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Name,Imports,Deps,Standard"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(out); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return all
}

func within(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

func owns(owner, name string) bool {
	if root, ok := strings.CutSuffix(owner, "/..."); ok {
		return within(name, root)
	}
	return owner == name
}

func TestArrows(t *testing.T) {
	all := list(t, "./...")
	mains := map[string]bool{}
	for _, p := range all {
		mains[p.ImportPath] = p.Name == "main"
	}
	for _, p := range all {
		name := strings.TrimPrefix(p.ImportPath, "kvarts/")
		if p.ImportPath == "kvarts" {
			continue
		}
		for _, word := range strings.Split(name, "/") {
			if slices.Contains(forbiddenWords, word) {
				t.Errorf("%s: a folder named %q does not say its job", name, word)
			}
		}
		allowed, listed := arrows[name]
		if !listed && !within(name, "deploy") {
			t.Errorf("%s is a new room: add its arrows to arch_test.go and ARCHITECTURE.md", name)
		}
		for _, imp := range p.Imports {
			if mains[imp] {
				t.Errorf("%s imports the program %s", name, imp)
			}
			if own, ok := strings.CutPrefix(imp, "kvarts/"); ok {
				if listed && !slices.Contains(allowed, own) {
					t.Errorf("%s must not import %s", name, own)
				}
				continue
			}
			for lib, owners := range sole {
				if within(imp, lib) && !slices.ContainsFunc(owners, func(o string) bool { return owns(o, name) }) {
					t.Errorf("%s must not import %s: that is for %v", name, imp, owners)
				}
			}
			if name == "historian/telemetry" && strings.Contains(strings.Split(imp, "/")[0], ".") {
				t.Errorf("historian/telemetry imports %s: it is standard library only", imp)
			}
		}
	}
}

func TestForbiddenInBinaries(t *testing.T) {
	for program, bad := range forbidden {
		for _, p := range list(t, program) {
			for _, dep := range p.Deps {
				for _, b := range bad {
					if strings.HasPrefix(dep+"/", b) || within(dep, b) {
						t.Errorf("%s reaches %s", program, dep)
					}
				}
			}
		}
	}
}

// TestDependenciesAreExplained holds DEPENDENCIES.md against go.mod.
func TestDependenciesAreExplained(t *testing.T) {
	text, err := os.ReadFile("DEPENDENCIES.md")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path, Version string
			Indirect      bool
		}
		Tool []struct{ Path string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, r := range mod.Require {
		tool := slices.ContainsFunc(mod.Tool, func(t struct{ Path string }) bool { return within(t.Path, r.Path) })
		if !r.Indirect || tool {
			want[r.Path] = r.Version
		}
	}
	rows := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		path := strings.Trim(strings.TrimSpace(cells[1]), "`")
		rows[path] = strings.TrimSpace(cells[2])
		if len(strings.TrimSpace(cells[3])) < 10 {
			t.Errorf("DEPENDENCIES.md does not say why %s is there", path)
		}
	}
	for path, version := range want {
		if rows[path] != version {
			t.Errorf("DEPENDENCIES.md says %q of %s, go.mod %s", rows[path], path, version)
		}
	}
	for path := range rows {
		if want[path] == "" {
			t.Errorf("DEPENDENCIES.md explains %s, which is no direct dependency", path)
		}
	}
}
