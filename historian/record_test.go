package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/store"
	"kvarts/historian/telemetry"
)

// terminal runs commands against an embedded store that has the model of the demo plant, whose zone is Asia/Almaty.
type terminal struct {
	t   *testing.T
	url string
}

func openTerminal(t *testing.T) *terminal {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := influx.New(influx.Options{URL: s.URL(), Database: store.DefaultDatabase})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	text, err := os.ReadFile(filepath.Join("testdata", "two-machines.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const applied = telemetry.Instant(1793500000e9) // 1 November 2026
	if err := evidence.ApplyModel(t.Context(), client, text, applied, applied, "test", ""); err != nil {
		t.Fatal(err)
	}
	return &terminal{t, s.URL()}
}

// run gives what a command prints, and its exit code.
func (c *terminal) run(args ...string) (out string, code int) {
	c.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		c.t.Fatal(err)
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = w, w
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()
	read := make(chan string)
	go func() {
		var b bytes.Buffer
		if _, err := io.Copy(&b, r); err != nil {
			b.WriteString(err.Error())
		}
		read <- b.String()
	}()
	code = run(c.t.Context(), append(args, "--url", c.url))
	if err := w.Close(); err != nil {
		c.t.Error(err)
	}
	return <-read, code
}

// must runs a command that has to work, and to print want among other things.
func (c *terminal) must(want string, args ...string) string {
	c.t.Helper()
	out, code := c.run(args...)
	if code != 0 || !strings.Contains(out, want) {
		c.t.Fatalf("historian %s: exit code %d, printed\n%s\nwant %q in it", strings.Join(args, " "), code, out, want)
	}
	return out
}

// refused runs a command that has to fail with want among what it prints.
func (c *terminal) refused(want string, args ...string) {
	c.t.Helper()
	out, code := c.run(args...)
	if code != exitFailed || !strings.Contains(out, want) {
		c.t.Errorf("historian %s: exit code %d, printed\n%s\nwant %q in it", strings.Join(args, " "), code, out, want)
	}
}

// object reads the first JSON object.
func (c *terminal) object(text string) map[string]any {
	c.t.Helper()
	var o map[string]any
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&o); err != nil {
		c.t.Fatalf("%s: %v", text, err)
	}
	return o
}

func TestRecordCommands(t *testing.T) {
	c := openTerminal(t)
	c.must("(no records)", "record", "list")
	stop := []string{"record", "downtime_reason", "--unit", "ws01", "--from", "2026-11-02 08:00", "--to", "2026-11-02T09:00:00", "--by", "Aigerim"}
	c.must("revision 1 would be written", append(stop, "--reason", "wire break", "--dry-run")...)
	first := c.object(c.must(`"from":"2026-11-02T03:00:00Z"`, append(stop, "--reason", "wire break", "--json")...))
	id := first["id"].(string)
	c.must("known already", append(stop, "--reason", "wire break")...)
	c.refused("historian record correct "+id, append(stop, "--reason", "wire wear")...)
	c.refused(`unit "ws99": the plant model`, "record", "downtime_reason", "--unit", "ws99", "--from", "2026-11-02 08:00", "--to", "2026-11-02 09:00", "--by", "A", "--reason", "r")
	c.refused(`signal "speed": no counter of a wire_saw; use one of`, "record", "counter_swap", "--unit", "ws01", "--at", "2026-11-02 08:00", "--by", "A", "--signal", "speed", "--final", "1", "--initial", "0")
	c.refused("1250,5\" has a comma", "record", "booked", "--unit", "ws01", "--from", "2026-11-02 08:00", "--to", "2026-11-02 09:00", "--by", "A", "--total", "1250,5")

	c.refused("nothing to correct", "record", "correct", id, "--by", "Daulet", "--why", "looked")
	c.refused("--total: does not belong to downtime_reason", "record", "correct", id, "--by", "Daulet", "--why", "looked", "--total", "7")
	c.refused("no record has the id", "record", "correct", "nonsense", "--by", "Daulet", "--why", "looked", "--reason", "x")
	c.must("known already", "record", "correct", id, "--by", "Daulet", "--why", "looked", "--reason", "wire break")
	c.must("revision 2 written", "record", "correct", id, "--by", "Daulet", "--why", "looked", "--reason", "wire wear", "--unit", "cz01", "--from", "2026-11-02 08:30")
	c.must("2026-11-02 08:30:00  2026-11-02 09:00:00  reason=wire wear", "record", "list", "--from", "2026-11-02 08:45", "--to", "2026-11-02 09:00")
	c.must("(no records)", "record", "list", "--unit", "ws01")
	c.must("(no records)", "record", "list", "--from", "2026-11-02 09:00", "--to", "2026-11-03 09:00")
	c.must("wire break", "record", "list", "--unit", "ws01", "--at", first["known_at"].(string))
	if lines := strings.Count(c.must(`"moved":true`, "record", "show", id), "\n"); lines != 3 {
		t.Errorf("%d points of the record, want 2 revisions and the note that one moved", lines)
	}
	c.must("revision 3 written", "record", "withdraw", id, "--by", "Daulet", "--why", "a test")
	c.must("(no records)", "record", "list")
	c.refused("it was withdrawn at", "record", "withdraw", id, "--by", "Daulet", "--why", "a test")
	if _, code := c.run("record", "withdraw", id, "--by", "Daulet"); code != exitUsage {
		t.Errorf("a withdrawal without a reason ends with %d", code)
	}
	c.refused("no such kind", "record", "list", "--kind", "scarp")
}

func TestImport(t *testing.T) {
	c := openTerminal(t)
	file := filepath.Join(t.TempDir(), "book.csv")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := []string{"import", file, "--by", "Aigerim"}
	const head = "kind;unit;from;to;reason;made_from;made_to;quantity;reported_at\r\n"
	const good = "downtime_reason;ws01;2026-11-02T08:00:00;2026-11-02T09:00:00;wire break;;;;\r\nscrap;ws01;;;;2026-11-02T08:00:00;2026-11-02T20:00:00;22.5;2026-11-03T10:00:00\r\n"
	write("\ufeff" + head + good + "downtime_reason;ws77;2026-11-02T10:00:00;2026-11-02T11:00:00;x;;;;\r\n")
	c.refused(`book.csv: line 4: unit "ws77": the plant model in force`, load...)
	c.must("(no records)", "record", "list")
	write("\ufeff" + head + good)
	c.must("2 rows: 2 new, 0 known already, 0 corrections (nothing written: dry run)", append(load, "--dry-run")...)
	c.must("(no records)", "record", "list")
	c.must("2 rows: 2 new, 0 known already, 0 corrections\n", load...)
	c.must(`"known":2`, append(load, "--json")...)
	write("\ufeff" + head + strings.Replace(good, "22.5", "23", 1))
	c.refused("line 3: correct record", load...)
	c.must("1 known already, 1 corrections", append(load, "--why", "counted again")...)
	c.must("quantity=23", "record", "list", "--kind", "scrap")

	listed := c.must("book", "record", "list", "--json")
	if !strings.Contains(listed, `"source":"book.csv:3"`) {
		t.Errorf("where it came from is lost: %s", listed)
	}
	again := filepath.Join(t.TempDir(), "again.csv")
	if err := os.WriteFile(again, []byte(c.must("ws01", "record", "list", "--csv")), 0o600); err != nil {
		t.Fatal(err)
	}
	c.must("2 rows: 0 new, 2 known already, 0 corrections", "import", again)
	c.refused("open import", "import", filepath.Join(t.TempDir(), "none.csv"))
}
