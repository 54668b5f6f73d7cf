package buffer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kvarts/historian/telemetry"
)

func TestRangeSet(t *testing.T) {
	f := func(add []Range, wantLow uint64, want ...Range) {
		t.Helper()
		var s rangeSet
		for _, r := range add {
			s.add(r.From, r.To)
		}
		if s.low != wantLow || !slices.Equal(s.beyond, want) {
			t.Errorf("%v: low %d beyond %v, want %d %v", add, s.low, s.beyond, wantLow, want)
		}
	}
	f(nil, 0)
	f([]Range{{1, 5}}, 5)
	f([]Range{{2, 5}}, 0, Range{2, 5})
	f([]Range{{2, 5}, {1, 1}}, 5)
	f([]Range{{4, 5}, {8, 9}}, 0, Range{4, 5}, Range{8, 9})
	f([]Range{{8, 9}, {4, 5}, {6, 7}}, 0, Range{4, 9})
	f([]Range{{4, 5}, {8, 9}, {12, 13}, {5, 12}}, 0, Range{4, 13})
	f([]Range{{4, 5}, {8, 9}, {1, 20}}, 20)
	f([]Range{{4, 5}, {8, 9}, {1, 3}}, 5, Range{8, 9})
	f([]Range{{5, 4}}, 0)
}

// TestRangeSetIsASet compares with a map of numbers.
func TestRangeSetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s rangeSet
		model := map[uint64]bool{}
		number := rapid.Uint64Range(1, 40)
		for range rapid.IntRange(1, 20).Draw(t, "adds") {
			from, to := number.Draw(t, "from"), number.Draw(t, "to")
			before := len(model)
			for i := from; i <= to; i++ {
				model[i] = true
			}
			if grew := s.add(from, to); grew != (len(model) > before) {
				t.Fatalf("add(%d, %d) says %v", from, to, grew)
			}
			from, to = number.Draw(t, "has from"), number.Draw(t, "has to")
			var missing []uint64
			for i := from; i <= to; i++ {
				if !model[i] {
					missing = append(missing, i)
				}
			}
			if s.has(from, to) != (len(missing) == 0) {
				t.Fatalf("has(%d, %d) is %v, missing are %v in %+v", from, to, s.has(from, to), missing, s)
			}
			var got []uint64
			s.missing(from, to, func(a, b uint64) { got = append(got, upTo(a, b)...) })
			if !slices.Equal(got, missing) {
				t.Fatalf("missing(%d, %d) is %v, want %v in %+v", from, to, got, missing, s)
			}
		}
	})
}

func TestCursors(t *testing.T) {
	o, m := inMemory()
	o.Destinations = []string{"plant", "HQ/1", "hq/1"}
	l := mustOpen(t, o)
	fill(t, l, 30)
	c, err := l.Cursor("plant")
	if err != nil {
		t.Fatal(err)
	}
	f := func(from, to uint64, ok bool) {
		t.Helper()
		if err := c.Ack(from, to); (err == nil) != ok {
			t.Errorf("ack %d to %d: %v", from, to, err)
		}
	}
	f(0, 3, false)
	f(5, 4, false)
	f(30, 31, false)
	f(20, 30, true) // live ahead of replay
	f(1, 5, true)
	low, beyond := c.Acked()
	if low != 5 || !slices.Equal(beyond, []Range{{20, 30}}) {
		t.Errorf("acked %d, %v", low, beyond)
	}
	records, bytes, oldest := c.Pending()
	if records != 14 || bytes == 0 || oldest != mix(5).Received {
		t.Errorf("pending %d records, %d bytes, oldest %s", records, bytes, oldest)
	}
	if _, err := l.Cursor("elsewhere"); !errors.Is(err, ErrDestination) {
		t.Errorf("cursor of an unknown destination: %v", err)
	}
	mustAck(t, l, "HQ/1", 1, 30)
	mustClose(t, l)

	// plant is removed from the configuration, new is added.
	o.Destinations = []string{"HQ/1", "hq/1", "new"}
	l = mustOpen(t, o)
	if in := l.Recovery().Inactive; !slices.Equal(in, []string{"plant"}) {
		t.Errorf("inactive %q", in)
	}
	pending := func(dest string, want uint64) {
		t.Helper()
		c, err := l.Cursor(dest)
		if err != nil {
			t.Fatal(err)
		}
		if records, _, _ := c.Pending(); records != want {
			t.Errorf("%s: %d records pending, want %d", dest, records, want)
		}
	}
	pending("HQ/1", 0)
	pending("hq/1", 30)
	pending("new", 30)
	mustClose(t, l)

	// A damaged cursor starts at the oldest record; the removed one is where it was.
	m.mu.Lock()
	m.files[memDir+"/"+cursorName("HQ/1")].data[30] ^= 1
	m.mu.Unlock()
	o.Destinations = []string{"HQ/1", "plant"}
	l = mustOpen(t, o)
	pending("HQ/1", 30)
	pending("plant", 14)
	if all := strings.Join(l.Recovery().Findings, "\n"); !strings.Contains(all, "starts at the oldest record") {
		t.Errorf("findings %q", all)
	}
}

func TestCursorOfAnotherLogIsNotBelieved(t *testing.T) {
	o, m := inMemory()
	l := mustOpen(t, o)
	fill(t, l, 30)
	mustAck(t, l, "main", 1, 30)
	mustClose(t, l)
	files := m.contents()
	for name := range files { // somebody emptied the directory, but for the cursor; and a new log began meanwhile
		if name != cursorName("main") {
			delete(files, name)
		}
	}
	other, n := inMemory()
	l = mustOpen(t, other)
	fill(t, l, 10)
	mustClose(t, l)
	all := n.contents()
	all[cursorName("main")] = files[cursorName("main")]
	other.FS = disk(all)
	l = mustOpen(t, other)
	if got := mustReadAll(t, l); len(got) != 10 {
		t.Fatalf("%d records", len(got))
	}
	if records, _, _ := l.cursors["main"].Pending(); records != 10 {
		t.Fatalf("%d records pending, want 10", records)
	}
}

func TestCursorNames(t *testing.T) {
	seen := map[string]string{}
	for _, d := range []string{"", "main", "Main", "a/b", "a%2fb", "../../etc", strings.Repeat("x", 400), strings.Repeat("x", 401), "ø", "\x00"} {
		n := cursorName(d)
		if strings.ContainsAny(n, "/\x00") || len(n) > 200 || seen[strings.ToLower(n)] != "" {
			t.Errorf("%q: file name %q, also of %q", d, n, seen[n])
		}
		seen[strings.ToLower(n)] = d + "!"
	}
}

func TestClock(t *testing.T) {
	const day = 24 * time.Hour
	wall, mono := t0, time.Duration(0)
	pass := func(d time.Duration) { mono += d; wall = wall.Add(d) }
	start := func(newest telemetry.Instant) *clock {
		return newClock(func() telemetry.Instant { return wall }, func() time.Duration { return mono }, newest)
	}
	age := func(what string, c *clock, stamp telemetry.Instant, want time.Duration) {
		t.Helper()
		if got := c.age(stamp); got < want-time.Second || got > want+time.Second {
			t.Errorf("%s: age %s, want %s", what, got, want)
		}
	}
	c := start(0)
	s := c.stamp()
	pass(time.Hour)
	age("an hour", c, s, time.Hour)
	for _, jump := range []time.Duration{day, -2 * day, day} {
		wall = wall.Add(jump)
		age("after a jump", c, s, time.Hour)
		pass(time.Minute)
		if n := c.stamp(); n < s {
			t.Errorf("stamp went back by %s", s.Sub(n))
		}
		s = s.Add(time.Minute)
	}

	// Two days off: taken over when the wall clock has been steady for ten minutes.
	wall, mono = t0, 0
	c = start(t0.Add(-2 * day))
	age("at start", c, t0.Add(-2*day), 0)
	fresh := c.stamp()
	for range 11 {
		pass(time.Minute)
		c.age(0)
	}
	age("settled", c, t0.Add(-2*day), 2*day+11*time.Minute)
	age("written since the start", c, fresh, 11*time.Minute)

	// Booted in 1970, with an old log; NTP sets the clock after five minutes.
	wall, mono = 0, 0
	c = start(t0.Add(-2 * day))
	for range 5 {
		pass(time.Minute)
		age("1970", c, t0.Add(-2*day), mono)
	}
	wall = t0
	for range 9 {
		pass(time.Minute)
		age("not yet steady", c, t0.Add(-2*day), mono)
	}
	pass(3 * time.Minute)
	age("steady", c, t0.Add(-2*day), 2*day+12*time.Minute)

	// Booted in 1970 with an empty log.
	wall, mono = 0, 0
	c = start(0)
	first := c.stamp()
	pass(time.Minute)
	wall = t0
	for range 20 {
		pass(time.Minute)
		age("first boot", c, first, mono)
	}
}

func TestNames(t *testing.T) {
	for _, p := range []Policy{DropOldest, DropNewest, DropClass} {
		if got, err := ParsePolicy(p.String()); err != nil || got != p {
			t.Errorf("policy %s: %v, %v", p, got, err)
		}
	}
	if _, err := ParsePolicy("drop"); err == nil || !strings.Contains(err.Error(), "oldest, newest, class") {
		t.Errorf("unknown policy: %v", err)
	}
	if got := fmt.Sprint(Data, Meta, Normal, Keep, Kind(9), Policy(9)); got != "data meta normal keep unknown(9) unknown(9)" {
		t.Error(got)
	}
	f := func(name string, want uint64, ok bool) {
		t.Helper()
		if got, gotOK := segmentNumber(name); gotOK != ok || ok && got != want {
			t.Errorf("%s: %d, %v", name, got, gotOK)
		}
	}
	f("0000000000000001.seg", 1, true)
	f("00000000000000ff.seg", 255, true)
	f("00000000000000FF.seg", 0, false)
	f("0000000000000000.seg", 0, false)
	f("1.seg", 0, false)
	f("000000000000000g.seg", 0, false)
	f("0000000000000001.seg.tmp", 0, false)
}

func TestMergeLosses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []Loss
		var samples, records uint64
		for i := range rapid.IntRange(1, 60).Draw(t, "n") {
			x := Loss{Server: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "server"), Known: true, FromSeq: uint64(i + 1), ToSeq: uint64(i + 1), Records: 1, Samples: uint64(i), First: telemetry.Instant(i), Last: telemetry.Instant(i)}
			list = append(list, x)
			samples, records = samples+x.Samples, records+1
		}
		n := uint64(len(list))
		limit := rapid.IntRange(1, 10).Draw(t, "limit")
		list = mergeLosses(list, limit)
		lo, hi := uint64(math.MaxUint64), uint64(0)
		for _, x := range list {
			samples, records = samples-x.Samples, records-x.Records
			lo, hi = min(lo, x.FromSeq), max(hi, x.ToSeq)
		}
		if len(list) > limit || samples != 0 || records != 0 || lo != 1 || hi != n {
			t.Fatalf("%d left, %d samples and %d records off, %d to %d", len(list), int64(samples), int64(records), lo, hi)
		}
	})
}
