package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
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
	m, err := plant.Parse("demo.yaml", plants.Demo)
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
	t.Chdir(t.TempDir())
	const dir = "plant" // relative to the present folder
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
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 4 { // locks, what is kept, and the store
		t.Errorf("in the folder is left: %v, %v", entries, err)
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
		{[]string{"--help"}, 0}, {[]string{"--wrong"}, 2}, {[]string{"more"}, 2}, {[]string{"--for", "soon"}, 2}, {[]string{"--for", "-1s"}, 2},
	} {
		if code := command(context.Background(), c.args); code != c.code {
			t.Errorf("%q ends with %d, want %d", c.args, code, c.code)
		}
	}
}

// TestFolder is who may have the plant's folder, and what is never deleted in it.
func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "plant")
	first, err := takeFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := takeFolder(dir); err == nil || !strings.Contains(err.Error(), "another demo runs in "+dir) {
		t.Errorf("a second demo in the same folder: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{keptName, filepath.Join(storeDir, "data"), "of somebody else"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	again, err := takeFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := forget(dir); err != nil {
		t.Fatal(err)
	}
	for name, stays := range map[string]bool{keptName: false, storeDir: false, "of somebody else": true, lockName: true} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != stays {
			t.Errorf("%s: %v, want it to stay: %v", name, err, stays)
		}
	}

	source := t.TempDir() // a folder with a store in it that is none
	if err := os.Mkdir(filepath.Join(source, storeDir), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := takeFolder(source); err == nil || !strings.Contains(err.Error(), "other things") {
		t.Errorf("a folder of somebody else: %v", err)
	}
}

// TestLockIsAwaited is the next store's process while the last one still closes.
func TestLockIsAwaited(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	first, err := lock(t.Context(), name, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		f, err := lock(t.Context(), name, time.Minute)
		got <- errors.Join(err, f.Close())
	}()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// TestStoreEndsByItself takes the store's process away, as somebody does who wants to see what happens.
func TestStoreEndsByItself(t *testing.T) {
	p, err := startStore(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = strings.TrimPrefix(p.url, "http://") // where it comes back
	ctx, cancel := context.WithCancel(t.Context())
	said, kept := make(chan string, 1), make(chan error, 1)
	go func() { kept <- p.keep(ctx, func(how string) { said <- how }) }()
	first := p.current()
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if how := <-said; !strings.Contains(how, "killed") {
		t.Errorf("it ended: %s", how)
	}
	cancel() // it starts again all the same
	if err := <-kept; err != nil {
		t.Fatal(err)
	}
	if p.current() == first {
		t.Error("it was not started again")
	}
	if err := p.answers(t.Context(), p.current()); err != nil {
		t.Error(err)
	}
	if err := p.kill(); err != nil {
		t.Error(err)
	}
	if err := p.keep(cancelled(t), nil); err != nil { // an end that was meant is nothing to speak of
		t.Error(err)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
}

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestEarly is a Ctrl-C before there is anything to see: words, not what it broke off.
func TestEarly(t *testing.T) {
	o := options{dir: t.TempDir(), seed: 1, store: "127.0.0.1:0", status: "127.0.0.1:0"}
	var out bytes.Buffer
	if _, err := run(cancelled(t), o, &out, false); !errors.Is(err, errEarly) {
		t.Errorf("%v\n%s", err, out.String())
	}
	if _, err := os.Stat(filepath.Join(o.dir, workDir)); err == nil {
		t.Error("the folder of the run is left")
	}
}

func TestRecent(t *testing.T) {
	r := &recent{name: filepath.Join(t.TempDir(), "log"), span: time.Hour}
	begin := time.Unix(1_000_000, 0)
	if err := r.begin(begin); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		at   time.Duration
		want string
		lost bool
	}{
		{0, "0", false},
		{59 * time.Minute, "01", false},
		{time.Hour, "012", false},
		{90 * time.Minute, "0123", false},
		{2 * time.Hour, "234", true},
		{9 * time.Hour, "45", true},
	} {
		if _, err := r.write(begin.Add(c.at), []byte(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
		var got []byte
		if err := r.read(func(from io.Reader) (err error) { got, err = io.ReadAll(from); return err }); err != nil {
			t.Fatal(err)
		}
		if string(got) != c.want || r.lost != c.lost {
			t.Errorf("after %s: %q, something lost: %v; want %q, %v", c.at, got, r.lost, c.want, c.lost)
		}
	}
	if err := r.file.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCadence: what the collector tells at once is not looked at each minute only.
func TestCadence(t *testing.T) {
	for _, c := range []struct {
		name string
		s    plant.Signal
		want time.Duration
	}{
		{"state", plant.Signal{Kind: plant.State}, 0},
		{"text", plant.Signal{Kind: plant.Text, Sampling: time.Second}, 0},
		{"set-point", plant.Signal{Kind: plant.Analog}, 0},
		{"measured", plant.Signal{Kind: plant.Analog, Sampling: time.Second}, time.Minute},
		{"register", plant.Signal{Kind: plant.Register}, time.Minute},
		{"counter told at each change", plant.Signal{Kind: plant.Counter, Reporting: plant.OnChange}, time.Second},
		{"counter told now and then", plant.Signal{Kind: plant.Counter, Reporting: plant.Periodic, Sampling: 10 * time.Second}, time.Minute},
	} {
		if got := cadence(nil, &c.s); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
