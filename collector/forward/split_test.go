package forward

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"kvarts/collector/buffer"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// counting refuses as InfluxDB 1.8 does with a type conflict: good lines kept, words and a number.
func counting(_, bad []string, why string) influx.Result {
	return influx.Result{Class: influx.Split, Status: 400, Message: fmt.Sprintf("partial write: %s dropped=%d", why, len(bad)),
		Dropped: len(bad), Fate: influx.FateGood}
}

// undercounting names one fault and counts only some, as InfluxDB does when a batch spans shards.
func undercounting(_, bad []string, why string) influx.Result {
	n := max(1, len(bad)/2)
	return influx.Result{Class: influx.Split, Status: 400, Message: fmt.Sprintf("partial write: %s dropped=%d", why, n),
		Dropped: n, Fate: influx.FateGood}
}

// quoting refuses as InfluxDB 2 does with a line that does not parse: nothing kept, first bad line named.
func quoting(_, bad []string, _ string) influx.Result {
	return influx.Result{Class: influx.Split, Status: 400, Message: "unable to parse '" + bad[0] + "': invalid field format",
		Dropped: -1, Fate: influx.FateNone}
}

// lying names lines that are not bad, and measurements that are not there.
func lying(lines, _ []string, _ string) influx.Result {
	return influx.Result{Class: influx.Split, Status: 400, Dropped: -1, Fate: influx.FateNone,
		Message: "unable to parse '" + lines[0] + `': input field "nope" on measurement "none"`}
}

var servers = map[string]func(lines, bad []string, why string) influx.Result{
	"silent": silent, "counting": counting, "undercounting": undercounting, "quoting": quoting, "lying": lying,
}

func sample(i int) string {
	return fmt.Sprintf("puller,unit=p%d power=%d.5 %d", i%7, i, 1_700_000_000_000_000_000+int64(i)*1_000_000_000)
}

// deliverAll delivers records in one batch without Run, and returns the number of writes.
func deliverAll(t testing.TB, r *rig, records []buffer.Record) int {
	var whole []*buffer.Entry
	for i := range records {
		whole = append(whole, &buffer.Entry{Seq: uint64(i + 1), Record: records[i]})
	}
	d := &delivery{f: r.f, sendCtx: t.Context()}
	if err := d.run(t.Context(), newSet(whole, nil)); err != nil {
		t.Fatal(err)
	}
	return r.store.writes
}

// Any set of bad lines is found exactly, by any server, within a bounded number of writes.
func TestSearchFindsExactlyTheBadLines(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom([]string{"silent", "counting", "undercounting", "quoting", "lying"}).Draw(rt, "server")
		n := rapid.IntRange(1, 120).Draw(rt, "lines")
		bad := make(map[string]bool)
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, n-1), 0, n).Draw(rt, "bad") {
			bad[sample(i)] = true
		}
		r := newRig(t, nil)
		r.store.bad = func(l string) string {
			if bad[l] {
				return "field type conflict"
			}
			return ""
		}
		r.store.refuse = servers[name]
		r.log.append(record("", "", "collector x=1i 1")) // what proves that the store takes good lines
		var lines []string
		var records []buffer.Record
		for i := 0; i < n; {
			m := min(rapid.IntRange(1, 30).Draw(rt, "record"), n-i)
			var part []string
			for ; m > 0; m-- {
				part = append(part, sample(i))
				i++
			}
			lines = append(lines, part...)
			records = append(records, record("s", "g", part...))
		}
		writes := deliverAll(t, r, records)

		want := slices.Sorted(keys(bad))
		if got := r.quarantine.lines(); !slices.Equal(got, want) {
			rt.Fatalf("quarantine holds %q, bad are %q", got, want)
		}
		all := lines
		if r.store.points["collector x 1"] != "" {
			all = append(all, "collector x=1i 1")
		}
		r.account(t, all)
		if bound := writeBound(len(bad), n); writes > bound {
			rt.Fatalf("%s: %d writes for %d bad of %d lines, bound %d", name, writes, len(bad), n, bound)
		}
	})
}

// writeBound is the documented bound for a server that says nothing of use: a tree with k bad leaves among n has at
// most 2k(log2(n/k)+1) inner nodes and their siblings, once for records and once for lines, and one for the proof.
func writeBound(k, n int) int {
	if k == 0 {
		return 1
	}
	return 2 + 2*(maxMisled+maxQuotes) + int(math.Ceil(2*float64(k)*(math.Log2(float64(n)/float64(k))+3)))
}

func keys(m map[string]bool) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// One bad line of n costs about log2(n) writes from the worst server, and a handful from one that says which it is.
func TestSearchCost(t *testing.T) {
	const n, perRecord = 8192, 512
	for _, c := range []struct {
		server string
		bad    func(i int) bool
		most   int
		what   string
	}{
		{"silent", func(i int) bool { return i == 537 }, 2*13 + 3, "one bad line"},
		{"silent", func(i int) bool { return i == n-1 }, 2*13 + 3, "the last line"},
		{"quoting", func(i int) bool { return i == 537 }, 3, "one bad line, named"},
		{"counting", func(i int) bool { return i == 537 }, 3 + 2*12, "one bad line, its field named and counted"},
		{"counting", func(i int) bool { return true }, 1, "all lines bad and counted"},
		{"counting", func(i int) bool { return i%7 == 3 }, 4*13 + 3, "one unit of seven bad and counted"},
		{"counting", func(i int) bool { return i < 3000 }, 7 * (4*13 + 3), "the oldest 3000 of each unit"},
	} {
		t.Run(c.server+" "+c.what, func(t *testing.T) {
			r := newRig(t, nil)
			bad := make(map[string]bool)
			r.store.bad = func(l string) string {
				if bad[l] {
					return `field type conflict: input field "power" on measurement "puller" is type float, already exists as type integer`
				}
				return ""
			}
			r.store.refuse = servers[c.server]
			r.log.append(record("", "", "collector x=1i 1"))
			var records []buffer.Record
			all := []string{}
			for i := 0; i < n; i += perRecord {
				var part []string
				for j := i; j < i+perRecord; j++ {
					part = append(part, sample(j))
					if c.bad(j) {
						bad[sample(j)] = true
					}
				}
				all = append(all, part...)
				records = append(records, record("s", "g", part...))
			}
			writes := deliverAll(t, r, records)
			if got := r.quarantine.lines(); !slices.Equal(got, slices.Sorted(keys(bad))) {
				t.Fatalf("%d lines in quarantine, want %d", len(got), len(bad))
			}
			if r.store.points["collector x 1"] != "" {
				all = append(all, "collector x=1i 1")
			}
			r.account(t, all)
			t.Logf("%d writes for %d bad of %d lines", writes, len(bad), n)
			if writes > c.most {
				t.Errorf("%d writes, want at most %d", writes, c.most)
			}
		})
	}
}

// Lines too old for the retention policy are a run in time: found by their age, whatever their order in the batch.
func TestSearchByAge(t *testing.T) {
	r := newRig(t, nil)
	cut := telemetry.Instant(1_700_000_000_000_000_000 + 2000*1_000_000_000)
	r.store.bad = func(l string) string {
		if p, _ := telemetry.ParseLine([]byte(l)); p.Time < cut {
			return "points beyond retention policy"
		}
		return ""
	}
	r.store.refuse = counting
	var part, all []string
	for i := 4000; i >= 0; i-- { // newest first, in many series
		part = append(part, sample(i))
	}
	all = append(all, part...)
	writes := deliverAll(t, r, []buffer.Record{record("s", "g", part...)})
	r.account(t, all)
	if n := len(r.quarantine.lines()); n != 2000 {
		t.Fatalf("%d lines in quarantine, want 2000", n)
	}
	if writes > 2*12+1 {
		t.Errorf("%d writes, want at most %d", writes, 2*12+1)
	}
}

// A store that refuses everything, good lines too, holds: nothing comes into quarantine, and it is asked rarely.
func TestRefusesAllIsHeld(t *testing.T) {
	for _, class := range []influx.Class{influx.Split, influx.TooLarge} {
		t.Run(class.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				broken := true
				r.store.script = func(_ int, lines []string) (influx.Result, bool, bool) {
					return influx.Result{Class: class, Status: 400, Message: "no", Dropped: -1, Err: errRefusesAll}, false, broken
				}
				var all []string
				for i := range 200 {
					all = append(all, sample(i))
				}
				r.log.append(record("s", "g", all[:150]...))
				r.log.append(record("s", "h", all[150:]...))
				stop := r.run(t)
				defer stop()
				sleep(minute)
				if n := len(r.quarantine.lines()); n > 0 {
					t.Fatalf("%d good lines in quarantine", n)
				}
				if s := r.f.Snapshot(); s.Condition != Held || s.Failure == nil || s.Failure.Remedy == "" {
					t.Errorf("state %+v does not say what to do", s)
				}
				before := r.store.writeCount()
				sleep(20 * minute)
				if n := r.store.writeCount() - before; n > 20*2*5 {
					t.Errorf("%d writes in 20 minutes while held", n)
				}
				r.store.mu.Lock()
				broken = false
				r.store.mu.Unlock()
				sleep(5 * minute)
				if !r.log.allAcked() {
					t.Error("not delivered after the store was mended")
				}
				r.account(t, all)
			})
		})
	}
}

// A record that no store can read is put aside whole; its neighbours are stored.
func TestUnreadableRecord(t *testing.T) {
	r := newRig(t, nil)
	good := []string{sample(1), sample(2)}
	broken := record("s", "g", sample(3), sample(4))
	broken.Payload = slices.Clone(broken.Payload)
	broken.Payload[len(broken.Payload)-6] ^= 0xff
	empty := record("s", "g")
	deliverAll(t, r, []buffer.Record{record("s", "g", good[0]), broken, empty, record("s", "g", good[1])})
	r.account(t, good)
	if n := len(r.quarantine.entries); n != 1 {
		t.Fatalf("%d entries in quarantine, want the broken record", n)
	}
	for _, e := range r.quarantine.entries {
		if e.Reason != "unreadable" || !e.Gzip || e.Samples != 2 || !slices.Equal(e.Payload, broken.Payload) {
			t.Errorf("entry %+v does not keep the record", e)
		}
	}
}

// A quotation mark without its partner must not take the lines behind it into quarantine.
func TestUnbalancedQuote(t *testing.T) {
	r := newRig(t, nil)
	bad := `puller,unit=p1 text="open 5`
	r.store.bad = func(l string) string {
		if strings.Contains(l, "open") {
			return "unable to parse"
		}
		return ""
	}
	rec := record("s", "g", sample(1), bad, sample(2))
	lines, err := takeApart(&buffer.Entry{Record: rec})
	if err != nil || len(lines) != 3 {
		t.Fatalf("taken apart into %d lines (%v), want 3", len(lines), err)
	}
	var text []string
	for _, l := range lines {
		text = append(text, string(l.text))
	}
	if want := []string{sample(1), bad, sample(2)}; !slices.Equal(text, want) {
		t.Errorf("lines %q, want %q", text, want)
	}
	multi := "puller,unit=p1 text=\"two\nlines\" 5"
	if lines, _ = takeApart(&buffer.Entry{Record: record("s", "g", multi, sample(1))}); len(lines) != 2 || string(lines[0].text) != multi {
		t.Errorf("a newline within a string cut the line: %d lines", len(lines))
	}
}

func TestHints(t *testing.T) {
	line := `puller,unit=p1 power="x" 5`
	for _, c := range []struct {
		message string
		line    string
		suspect bool
		useless bool
	}{
		{"bad request", line, false, true},
		{`partial write: field type conflict: input field "power" on measurement "puller" is type string, already exists as type float dropped=1`, line, true, false},
		{`partial write: field type conflict: input field "speed" on measurement "puller" is type string, already exists as type float dropped=1`, line, false, false},
		{`input field "power" on measurement "saw" is type string`, line, false, false},
		{`partial write: max-values-per-tag limit exceeded (100001/100000): measurement="puller" tag="u" value="v" dropped=3`, line, true, false},
		{"unable to parse 'puller,unit=p1 power=\"x\" 5': bad", line, true, false},
		{"unable to parse 'a b=': x unable to parse 'puller,unit=p1 power=\"x\" 5': bad dropped=0", line, true, false},
		{"unable to parse 'puller,unit=p1 pow…", line, true, false},
		{"unable to parse 'pull…", line, false, true},
		{"partial write: points beyond retention policy dropped=2", line, false, false},
	} {
		h := readHint(c.message)
		if h.useless() != c.useless {
			t.Errorf("%q: useless %v, want %v", c.message, h.useless(), c.useless)
		}
		if got := h.suspect([]byte(c.line)); got != c.suspect {
			t.Errorf("%q: suspect %v, want %v", c.message, got, c.suspect)
		}
	}
}

func FuzzHint(f *testing.F) {
	f.Add("unable to parse 'a b=1 2': x", "a b=1 2")
	f.Add(`input field "b" on measurement "a" is`, "a b=1 2")
	f.Fuzz(func(t *testing.T, message, text string) {
		h := readHint(message)
		if h.useless() && h.suspect([]byte(text)) {
			t.Errorf("%q points at no line, yet %q is suspect", message, text)
		}
		lines := []line{{text: []byte(text)}, {text: []byte(message)}, {text: []byte("a b=1 2")}}
		h.arrange(lines)
		total := 0
		for _, l := range lines {
			total += len(l.text)
		}
		if total != len(text)+len(message)+7 {
			t.Error("arranging changed the lines")
		}
	})
}

func FuzzTakeApart(f *testing.F) {
	f.Add(record("s", "g", sample(1), sample(2)).Payload)
	f.Fuzz(func(t *testing.T, payload []byte) {
		raw, err := decompress(payload, 1<<20)
		if err != nil {
			return
		}
		lines, err := takeApart(&buffer.Entry{Record: buffer.Record{Payload: payload}})
		if err != nil {
			t.Fatalf("decompresses but cannot be taken apart: %v", err)
		}
		text := 0
		for _, l := range lines {
			text += len(l.text)
		}
		breaks := strings.Count(string(raw), "\n")
		if text > len(raw) || text < len(raw)-breaks {
			t.Fatalf("%d bytes of lines from %d with %d newlines", text, len(raw), breaks)
		}
	})
}
