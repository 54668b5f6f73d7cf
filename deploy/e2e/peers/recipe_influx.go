package peers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Versions of the InfluxDB servers, as facts about their answers were measured with.
const (
	influxd18Version = "1.8.10" // as it reports itself
	influxd2Version  = "v2.9.1" // likewise; a test compares it with influxd2/go.mod
	pkgConfigVersion = "v0.3.0" // InfluxData's wrapper that builds libflux when cgo asks for it
)

// platform is the part of a cache key that says for which machine a binary was built.
func platform() string { return runtime.GOOS + "-" + runtime.GOARCH }

func influxd18Recipe() recipe {
	return recipe{
		key: influxd18Version + "-" + platform(),
		tools: func(context.Context) error {
			return needTool(PeerInfluxd18, "go", "install Go from go.dev")
		},
		build: func(ctx context.Context, dir, work string, step func(string)) error {
			return tool{
				dir: work, // outside of the module, whose go.mod must not be consulted
				env: []string{"GOBIN=" + dir, "CGO_ENABLED=0", "GOFLAGS=-mod=mod"},
				argv: []string{
					"go", "install", "-ldflags=-s -w -X main.version=" + influxd18Version, // else it says "unknown"
					"github.com/influxdata/influxdb/cmd/influxd@v" + influxd18Version,
				},
			}.run(ctx, step)
		},
	}
}

// influxd2Recipe builds the nested module influxd2. Its Go code calls libflux, a Rust library that InfluxData's
// pkg-config wrapper compiles with cargo when cgo asks for its flags.
func influxd2Recipe() (recipe, error) {
	here, err := sourceDir()
	if err != nil {
		return recipe{}, err
	}
	src := filepath.Join(here, "influxd2")
	hash, err := hashFiles(filepath.Join(src, "go.mod"), filepath.Join(src, "go.sum"), filepath.Join(src, "main.go"))
	if err != nil {
		return recipe{}, err
	}
	return recipe{
		key: influxd2Version + "-" + platform() + "-" + hash,
		tools: func(ctx context.Context) error {
			for _, tool := range [][2]string{
				{"go", "install Go from go.dev"},
				{"gcc", "install a C compiler (Debian: apt-get install gcc)"},
				{"pkg-config", "install it (Debian: apt-get install pkg-config)"},
				{"cargo", "install Rust 1.83 or newer from rustup.rs"},
			} {
				if err := needTool(PeerInfluxd2, tool[0], tool[1]); err != nil {
					return err
				}
			}
			_, err := rustToolchain(ctx)
			return err
		},
		build: func(ctx context.Context, dir, work string, step func(string)) error {
			return buildInfluxd2(ctx, src, dir, work, step)
		},
	}, nil
}

// buildInfluxd2 takes about four minutes of two cores. Its Go build cache, in which the wrapper also builds libflux, is
// one of its own in work: about 2 GB that nothing else would use again.
func buildInfluxd2(ctx context.Context, src, dir, work string, step func(string)) error {
	rust, err := rustToolchain(ctx)
	if err != nil {
		return err
	}
	gocache := filepath.Join(work, "gocache")
	if err := dropTornFlux(gocache); err != nil {
		return err
	}
	wrapper := tool{
		dir: work, env: []string{"GOBIN=" + work, "GOFLAGS="},
		argv: []string{"go", "install", "github.com/influxdata/pkg-config@" + pkgConfigVersion},
	}
	if err := wrapper.run(ctx, step); err != nil {
		return err
	}
	env := []string{
		"GOCACHE=" + gocache, "GOFLAGS=-buildvcs=false", "CGO_ENABLED=1",
		"PKG_CONFIG=" + filepath.Join(work, "pkg-config"),
		"CARGO_BUILD_JOBS=" + strconv.Itoa(runtime.NumCPU()),
	}
	if rust != "" {
		env = append(env, "RUSTUP_TOOLCHAIN="+rust)
	}
	return tool{
		dir: src, env: env, nice: true,
		argv: []string{"go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "influxd"), "."},
	}.run(ctx, step)
}

// dropTornFlux removes the wrapper's copy of flux's sources when an earlier try was stopped while it was copied: the
// wrapper takes any existing folder for complete. cargo's target folder proves that the copy was.
func dropTornFlux(gocache string) error {
	copies, err := filepath.Glob(filepath.Join(gocache, "pkgconfig", "github.com", "influxdata", "flux@*"))
	if err != nil {
		return fmt.Errorf("look for a copy of flux: %w", err)
	}
	for _, dir := range copies {
		if isDir(filepath.Join(dir, "libflux", "target")) {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove an unfinished copy of flux: %w", err)
		}
	}
	return nil
}

// Oldest Rust that compiles libflux: the channel that flux's own rust-toolchain file names.
const (
	minRustMajor = 1
	minRustMinor = 83
)

// rustToolchain chooses a value for RUSTUP_TOOLCHAIN. flux pins a channel that is rarely installed, and rustup would
// try to fetch it; an installed newer one does as well. "" means that cargo is not rustup's and needs no choice.
func rustToolchain(ctx context.Context) (string, error) {
	missing := &MissingToolError{
		Peer: PeerInfluxd2, Tool: fmt.Sprintf("a Rust toolchain of version %d.%d or newer", minRustMajor, minRustMinor),
		Remedy: "rustup toolchain install stable",
	}
	if set := os.Getenv("RUSTUP_TOOLCHAIN"); set != "" {
		if !rustIsNewEnough(ctx, set) {
			return "", fmt.Errorf("RUSTUP_TOOLCHAIN=%s: %w", set, missing)
		}
		return set, nil
	}
	if _, err := exec.LookPath("rustup"); errors.Is(err, exec.ErrNotFound) {
		if !rustIsNewEnough(ctx, "") {
			return "", missing
		}
		return "", nil
	}
	out, err := exec.CommandContext(ctx, "rustup", "toolchain", "list").Output()
	if err != nil {
		return "", fmt.Errorf("rustup toolchain list: %w", err)
	}
	for _, name := range rustCandidates(string(out)) {
		if rustIsNewEnough(ctx, name) {
			return name, nil
		}
	}
	return "", missing
}

// rustCandidates orders the lines of `rustup toolchain list`: releases before nightlies, which may refuse old code.
func rustCandidates(list string) []string {
	var releases, nightlies []string
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] == "no": // "no installed toolchains"
		case strings.HasPrefix(fields[0], "nightly"):
			nightlies = append(nightlies, fields[0])
		default:
			releases = append(releases, fields[0])
		}
	}
	return append(releases, nightlies...)
}

// rustIsNewEnough asks the toolchain's compiler for its version, which also proves that it starts.
func rustIsNewEnough(ctx context.Context, toolchain string) bool {
	cmd := exec.CommandContext(ctx, "rustc", "--version")
	if toolchain != "" {
		cmd.Env = append(os.Environ(), "RUSTUP_TOOLCHAIN="+toolchain)
	}
	out, err := cmd.Output()
	return err == nil && parseRustVersion(string(out))
}

// parseRustVersion reads the line of `rustc --version` and says whether it is at least the oldest one that will do.
func parseRustVersion(line string) bool {
	var major, minor int
	if n, err := fmt.Sscanf(line, "rustc %d.%d.", &major, &minor); n != 2 || err != nil {
		return false
	}
	return major > minRustMajor || major == minRustMajor && minor >= minRustMinor
}

// hashFiles gives the first 12 hex digits of a hash over the contents of files.
func hashFiles(paths ...string) (string, error) {
	h := sha256.New()
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("hash: %w", err)
		}
		fmt.Fprintf(h, "%d\n", len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}
