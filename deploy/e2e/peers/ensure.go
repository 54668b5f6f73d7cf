package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Peer names a program that Ensure can install.
type Peer string

// The peers, by the name that the command line of deploy/setup takes.
const (
	PeerInfluxd18 Peer = "influxd18"  // InfluxDB 1.8.10, pure Go
	PeerInfluxd2  Peer = "influxd2"   // InfluxDB 2.9.1, needs gcc and cargo
	PeerNodeOPCUA Peer = "node-opcua" // node-opcua and its conformance address space, needs node
)

// All lists the peers in the order in which they are best installed: quick ones first.
func All() []Peer { return []Peer{PeerInfluxd18, PeerNodeOPCUA, PeerInfluxd2} }

// State says how far Ensure is with a peer.
type State string

// The states in the order in which they can come.
const (
	StateWaiting   State = "waiting"   // another process installs the same peer
	StateStarting  State = "starting"  // installing begins
	StateStep      State = "step"      // Text says what is done now
	StateInstalled State = "installed" // done by this call
	StatePresent   State = "present"   // was there already
)

// Progress is told what Ensure does. It is called from Ensure's goroutine, and once every 15 s while a step takes long.
type Progress func(Event)

// Event is one thing that Ensure reports.
type Event struct {
	Peer    Peer          `json:"peer"`
	State   State         `json:"state"`
	Text    string        `json:"text,omitempty"`
	Dir     string        `json:"dir,omitempty"` // with StateInstalled and StatePresent
	Elapsed time.Duration `json:"elapsed_ns"`    // since Ensure was called
}

// MissingToolError says that a peer cannot be installed or started because a program of its toolchain is not on this
// machine.
type MissingToolError struct {
	Peer   Peer
	Tool   string // the program looked for
	Remedy string // what a person can do about it
}

func (e *MissingToolError) Error() string {
	return fmt.Sprintf("peer %s: %s is missing: %s", e.Peer, e.Tool, e.Remedy)
}

// Required says whether tests may not go without the peer: its missing toolchain is then a failure and not a skip.
func Required(p Peer) bool {
	return p == PeerInfluxd18 || p == PeerNodeOPCUA || os.Getenv("KVARTS_PEERS") == "all"
}

// recipe is how one peer is brought.
type recipe struct {
	// key is the name of its folder in the cache: it changes when what would be installed changes.
	key string
	// tools looks for the programs needed and returns a *MissingToolError if one is not there.
	tools func(context.Context) error
	// build fills the empty folder dir. work is a folder for intermediate results that outlives a failed try and is
	// removed after success.
	build func(ctx context.Context, dir, work string, step func(string)) error
}

func recipeOf(p Peer) (recipe, error) {
	switch p {
	case PeerInfluxd18:
		return influxd18Recipe(), nil
	case PeerInfluxd2:
		return influxd2Recipe()
	case PeerNodeOPCUA:
		return nodeRecipe()
	}
	return recipe{}, fmt.Errorf("no peer is named %q: there are %v", p, All())
}

// CacheDir is the folder that peers are installed in: $KVARTS_CACHE, or kvarts in the user's cache folder.
func CacheDir() (string, error) {
	if dir := os.Getenv("KVARTS_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder (KVARTS_CACHE may name one): %w", err)
	}
	return filepath.Join(dir, "kvarts"), nil
}

// Ensure returns the folder of an installed peer and installs it before if it is not there. A folder appears by one
// rename when it is complete, so it is never seen half filled; two processes that install the same peer wait for each
// other. Cancelling ctx stops the installation and the programs that it started. report may be nil.
func Ensure(ctx context.Context, p Peer, report Progress) (string, error) {
	r, err := recipeOf(p)
	if err != nil {
		return "", err
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	return ensure(ctx, p, r, cache, report)
}

func ensure(ctx context.Context, p Peer, r recipe, cache string, report Progress) (string, error) {
	began := time.Now()
	say := func(s State, text, dir string) {
		if report != nil {
			report(Event{Peer: p, State: s, Text: text, Dir: dir, Elapsed: time.Since(began)})
		}
	}
	dir := filepath.Join(cache, string(p), r.key)
	if isDir(dir) {
		say(StatePresent, "", dir)
		return dir, nil
	}
	if err := r.tools(ctx); err != nil {
		return "", err
	}
	unlock, err := lockFile(ctx, filepath.Join(cache, "locks", string(p)), func() {
		say(StateWaiting, "another process is installing it", "")
	})
	if err != nil {
		return "", fmt.Errorf("lock the installation of %s: %w", p, err)
	}
	defer unlock()
	if isDir(dir) { // the process waited for has installed it
		say(StatePresent, "", dir)
		return dir, nil
	}
	say(StateStarting, "into "+dir, "")
	step := func(text string) { say(StateStep, text, "") }
	if err := install(ctx, r, dir, filepath.Join(cache, "work", string(p)), step); err != nil {
		return "", fmt.Errorf("install %s: %w", p, err)
	}
	say(StateInstalled, "", dir)
	return dir, nil
}

// install runs a recipe into a temporary folder beside dir and renames it. The caller holds the peer's lock, so what
// an earlier process left behind belongs to nobody.
func install(ctx context.Context, r recipe, dir, work string, step func(string)) (err error) {
	part := filepath.Join(filepath.Dir(dir), ".part")
	if err := os.RemoveAll(part); err != nil {
		return fmt.Errorf("remove an unfinished installation: %w", err)
	}
	for _, d := range []string{part, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(part))
		}
	}()
	if err := r.build(ctx, part, work, step); err != nil {
		return err
	}
	if err := os.Rename(part, dir); err != nil {
		return fmt.Errorf("put the finished installation in place: %w", err)
	}
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("remove intermediate results: %w", err)
	}
	return nil
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// sourceDir finds the folder of this package in the source tree, from the current folder upwards: tests run in their
// package's folder and deploy/setup anywhere in the module.
func sourceDir() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the source tree: %w", err)
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		here := filepath.Join(dir, "deploy", "e2e", "peers")
		if isDir(filepath.Join(here, "node")) && isDir(filepath.Join(here, "influxd2")) {
			return here, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find the source tree: no deploy/e2e/peers above %s: run inside of the Kvarts repository", wd)
		}
	}
}
