package peers

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// recipeThat makes a recipe with one file whose build is counted.
func recipeThat(built *atomic.Int32, build func(ctx context.Context, dir, work string) error) recipe {
	return recipe{
		key:   "v1",
		tools: func(context.Context) error { return nil },
		build: func(ctx context.Context, dir, work string, _ func(string)) error {
			built.Add(1)
			if err := os.WriteFile(filepath.Join(dir, "program"), []byte("x"), 0o755); err != nil {
				return err
			}
			return build(ctx, dir, work)
		},
	}
}

func fine(context.Context, string, string) error { return nil }

func TestEnsureInstallsOnce(t *testing.T) {
	var built atomic.Int32
	cache := t.TempDir()
	var states []State
	for range 2 {
		dir, err := ensure(t.Context(), "p", recipeThat(&built, fine), cache, func(e Event) { states = append(states, e.State) })
		if err != nil || dir != filepath.Join(cache, "p", "v1") {
			t.Fatalf("%s %v", dir, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "program")); err != nil {
			t.Error(err)
		}
	}
	if want := []State{StateStarting, StateInstalled, StatePresent}; built.Load() != 1 || !slices.Equal(states, want) {
		t.Errorf("built %d times, %v", built.Load(), states)
	}
	if isDir(filepath.Join(cache, "work", "p")) {
		t.Error("intermediate results are left")
	}
}

func TestEnsureLocksOutOthers(t *testing.T) {
	var built atomic.Int32
	cache := t.TempDir()
	running, finish := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := ensure(t.Context(), "p", recipeThat(&built, func(context.Context, string, string) error {
			close(running)
			<-finish
			return nil
		}), cache, nil)
		if err != nil {
			t.Error(err)
		}
	})
	<-running
	if isDir(filepath.Join(cache, "p", "v1")) {
		t.Error("the folder is there before the build has ended")
	}
	// One that waits is cancelled, one gets the result.
	ctx, cancel := context.WithCancel(t.Context())
	_, err := ensure(ctx, "p", recipeThat(&built, fine), cache, func(e Event) {
		if e.State == StateWaiting {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while waiting: %v", err)
	}
	if _, err := ensure(t.Context(), "p", recipeThat(&built, fine), cache, func(e Event) {
		if e.State == StateWaiting {
			close(finish)
		}
	}); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if built.Load() != 1 {
		t.Errorf("built %d times", built.Load())
	}
}

func TestEnsureLeavesNothingOfAFailure(t *testing.T) {
	var built atomic.Int32
	cache := t.TempDir()
	boom := errors.New("boom")
	_, err := ensure(t.Context(), "p", recipeThat(&built, func(_ context.Context, _, work string) error {
		return errors.Join(boom, os.WriteFile(filepath.Join(work, "half"), nil, 0o644))
	}), cache, nil)
	if !errors.Is(err, boom) || isDir(filepath.Join(cache, "p", "v1")) || isDir(filepath.Join(cache, "p", ".part")) {
		t.Errorf("after a failure: %v", err)
	}
	// What a killed process left is no obstacle, and intermediate results are taken up.
	if err := os.MkdirAll(filepath.Join(cache, "p", ".part", "torn"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := ensure(t.Context(), "p", recipeThat(&built, func(_ context.Context, _, work string) error {
		_, err := os.Stat(filepath.Join(work, "half"))
		return err
	}), cache, nil)
	if err != nil || isDir(filepath.Join(dir, "torn")) {
		t.Errorf("the next try: %v", err)
	}
}

func TestEnsureMissingTool(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("KVARTS_CACHE", t.TempDir())
	for p, want := range map[Peer]string{PeerInfluxd18: "go", PeerNodeOPCUA: "node"} {
		_, err := Ensure(t.Context(), p, nil)
		var missing *MissingToolError
		if !errors.As(err, &missing) || missing.Tool != want || missing.Remedy == "" {
			t.Errorf("%s: %v", p, err)
		}
	}
	var missing *MissingToolError
	if _, err := Ensure(t.Context(), PeerInfluxd2, nil); !errors.As(err, &missing) {
		t.Errorf("influxd2: %v", err)
	}
	if _, err := Ensure(t.Context(), "nope", nil); err == nil || !strings.Contains(err.Error(), string(PeerInfluxd18)) {
		t.Errorf("unknown peer: %v", err)
	}
}

func TestToolRunStopsWithItsGroup(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	file := filepath.Join(t.TempDir(), "pid")
	// The shell's own child writes its pid, so that only a kill of the whole group ends it.
	script := "sh -c 'echo $$ > " + file + ".new; mv " + file + ".new " + file + "; exec sleep 1000'; true"
	done := make(chan error, 1)
	go func() { done <- tool{argv: []string{"sh", "-c", script}}.run(ctx, func(string) {}) }()
	var pid string
	await(t, "the child runs", func() bool {
		text, err := os.ReadFile(file)
		pid = strings.TrimSpace(string(text))
		return err == nil
	})
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	await(t, "the child is gone", func() bool { return !alive(t, pid) })
}

func TestToolRunReportsTheEndOfTheOutput(t *testing.T) {
	err := tool{argv: []string{"sh", "-c", "echo first; echo the cause >&2; exit 3"}}.run(t.Context(), func(string) {})
	if err == nil || !strings.Contains(err.Error(), "the cause") {
		t.Errorf("%v", err)
	}
}

func TestRustToolchainChoice(t *testing.T) {
	list := "nightly-x86_64-unknown-linux-gnu\nstable-x86_64-unknown-linux-gnu (default)\n1.95.0-x86_64-unknown-linux-gnu\n"
	want := []string{"stable-x86_64-unknown-linux-gnu", "1.95.0-x86_64-unknown-linux-gnu", "nightly-x86_64-unknown-linux-gnu"}
	if got := rustCandidates(list); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if got := rustCandidates("no installed toolchains\n"); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	for line, want := range map[string]bool{
		"rustc 1.95.0 (59807616e 2026-04-14)\n": true, "rustc 1.83.0 (x)": true, "rustc 2.0.0 (x)": true,
		"rustc 1.82.1 (x)": false, "rustc 1.9.0": false, "error: toolchain is not installed": false, "": false,
	} {
		if got := parseRustVersion(line); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func TestDropTornFlux(t *testing.T) {
	cache := t.TempDir()
	base := filepath.Join(cache, "pkgconfig", "github.com", "influxdata")
	torn, whole := filepath.Join(base, "flux@v1"), filepath.Join(base, "flux@v2")
	for _, dir := range []string{filepath.Join(torn, "libflux"), filepath.Join(whole, "libflux", "target")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := dropTornFlux(cache); err != nil || isDir(torn) || !isDir(whole) {
		t.Errorf("%v, torn %v, whole %v", err, isDir(torn), isDir(whole))
	}
}

// TestVersionsAgree compares the versions named in several files.
func TestVersionsAgree(t *testing.T) {
	mod := readText(t, "influxd2/go.mod")
	if !strings.Contains(mod, "github.com/influxdata/influxdb/v2 "+influxd2Version+"\n") {
		t.Errorf("influxd2/go.mod does not require %s", influxd2Version)
	}
	if !strings.Contains(readText(t, "influxd2/main.go"), `version = "`+influxd2Version+`"`) {
		t.Errorf("influxd2/main.go does not report %s", influxd2Version)
	}
	if !strings.Contains(readText(t, "../../../go.mod"), "github.com/influxdata/influxdb v"+influxd18Version+"\n") {
		t.Errorf("the embedded engine is not that of %s", influxd18Version)
	}
	var pkg struct{ Dependencies map[string]string }
	if err := json.Unmarshal([]byte(readText(t, "node/package.json")), &pkg); err != nil {
		t.Fatal(err)
	}
	exact := regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	for name, version := range pkg.Dependencies {
		if !exact.MatchString(version) || version != pkg.Dependencies["node-opcua"] {
			t.Errorf("%s %s is not exact, or not node-opcua's version", name, version)
		}
	}
	if m := regexp.MustCompile(`"resolved":`).FindString(readText(t, "node/package-lock.json")); m != "" {
		t.Error("package-lock.json names download addresses: install with omit-lockfile-registry-resolved")
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
