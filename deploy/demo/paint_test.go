package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"kvarts/collector/status"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
	"kvarts/historian/plant"
)

func value(n, d int64) kpi.Value { return kpi.Value{Num: exact.Frac(n, d)} }

func TestBar(t *testing.T) {
	p := &paint{}
	for _, c := range []struct {
		shares [parts]float64
		want   string
	}{
		{[parts]float64{}, "          "},
		{[parts]float64{good: 1}, "▇▇▇▇▇▇▇▇▇▇"},
		{[parts]float64{good: 0.5, defects: 0.1, slow: 0.2, down: 0.1, unknown: 0.1}, "▇▇▇▇▇x▅▅▂?"},
		{[parts]float64{good: 0.04, down: 0.96}, "▂▂▂▂▂▂▂▂▂▂"},
		{[parts]float64{good: 1.3, slow: -0.3}, "▇▇▇▇▇▇▇▇▇▇"},            // faster than the ideal
		{[parts]float64{good: 1.2, slow: -0.4, down: 0.2}, "▇▇▇▇▇▇▇▇▇▇"}, // never wider than it is
	} {
		if got := p.bar(c.shares, 10); got != c.want {
			t.Errorf("%v: %q, want %q", c.shares, got, c.want)
		}
	}
}

func TestFitted(t *testing.T) {
	text := "\x1b[31mred line\x1b[0m that is long\nsecond\nthird\n"
	got, n := fitted(text, 5, 2)
	if n != 2 || got != "\x1b[31mred …\x1b[0m\x1b[K\r\nseco…\x1b[0m\x1b[K\r\n" {
		t.Errorf("%d lines: %q", n, got)
	}
	if got := cut("größe █", 7); got != "größe █" {
		t.Errorf("cut %q", got)
	}
	if got := cut("größe █ more", 7); got != "größe …\x1b[0m" {
		t.Errorf("cut %q", got)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}

func somePicture() *picture {
	return &picture{
		units: []unitLine{
			{id: "SAW-1", category: plant.Stop, reason: "wire break", day: value(1, 2), oee: value(3, 4), a: value(9, 10), p: value(9, 10), q: value(99, 100),
				low: value(7, 10), high: value(4, 5), share: [parts]float64{good: 0.75, down: 0.25}},
			{id: "CL-1", category: plant.Run, day: kpi.Value{Null: true}, oee: kpi.Value{Null: true}, a: kpi.Value{Null: true}, p: kpi.Value{Null: true}, q: kpi.Value{Null: true},
				low: kpi.Value{Null: true}, high: kpi.Value{Null: true}, why: "no_counters"},
		},
		stages: []stageLine{{name: "crystal", perWatt: value(7, 100), perGood: value(251, 10), good: value(12345, 1), unit: "kg"}},
		oee:    value(3, 4), chain: value(219, 1000),
		alarms: []string{"1", "2", "3", "4", "5", "6"},
	}
}

func TestScreen(t *testing.T) {
	pic, v := somePicture(), &status.View{Now: time.Unix(1000, 0)}
	pic.err = errors.New("away")
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	text := (&paint{}).screen(now, pic, v, v, "the store is killed", 60)
	for _, want := range []string{
		"Mon 23 Nov 12:00:00 UTC · OEE of the plant 75.0 % · 0.2190 kWh/W", "SAW-1     stop: wire break       50.0 %   75.0 %", "70 to 80 %",
		"CL-1      run                         -        -", "no_counters", "crystal           0.0700", "12,345 kg", "and 2 more", "no answer", "chaos      the store is killed",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the screen does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("colours where there are none")
	}
	coloured := (&paint{colour: true}).screen(now, pic, v, v, "", 60)
	if !strings.Contains(coloured, "\x1b[31m") {
		t.Error("no colour")
	}
	for _, l := range strings.Split(text, "\n") {
		if n := utf8.RuneCountInString(l); n > 120 {
			t.Errorf("%d columns: %q", n, l)
		}
	}
	if text := (&paint{}).record(now, nil, 0, 9); !strings.Contains(text, "asking the store") {
		t.Errorf("before the first answer: %q", text)
	}
}

// TestLowScreen is a terminal with fewer lines than the plant has machines: they come by turns, and all else is always there.
func TestLowScreen(t *testing.T) {
	pic, v := somePicture(), &status.View{Now: time.Unix(1000, 0)}
	for range 18 {
		pic.units = append(pic.units, pic.units[0])
	}
	for i := range pic.units {
		pic.units[i].id = fmt.Sprintf("U-%02d", i)
	}
	const height = 24
	seen := map[string]bool{}
	for s := range 100 {
		text := (&paint{}).screen(time.Unix(int64(s), 0).UTC(), pic, v, v, "", height)
		if n := strings.Count(text, "\n"); n != height {
			t.Fatalf("%d lines in %d:\n%s", n, height, text)
		}
		for _, want := range []string{"crystal ", "alarm ", "collector ", " of 20, by turns"} {
			if !strings.Contains(text, want) {
				t.Fatalf("the screen does not say %q:\n%s", want, text)
			}
		}
		for i := range pic.units {
			if strings.Contains(text, pic.units[i].id) {
				seen[pic.units[i].id] = true
			}
		}
	}
	if len(seen) != len(pic.units) {
		t.Errorf("%d of %d machines were shown", len(seen), len(pic.units))
	}
	if text := (&paint{}).screen(time.Unix(0, 0), pic, v, v, "", 5); !strings.Contains(text, "U-00") {
		t.Errorf("a very low terminal:\n%s", text)
	}
}

// TestScreenInPlace looks at what is drawn as a terminal does: what is written stays above it, and another width begins anew.
func TestScreenInPlace(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out}
	for _, c := range []struct {
		do   func()
		want string
	}{
		{func() { s.draw("a\nb\n", 10, 9) }, "a\x1b[K\r\nb\x1b[K\r\n\x1b[J"},
		{func() { s.draw("c\n", 10, 9) }, "\x1b[2A\rc\x1b[K\r\n\x1b[J"},
		{func() { fmt.Fprintln(s, "said") }, "\x1b[1A\r\x1b[Jsaid\n"},
		{func() { s.draw("d\n", 10, 9) }, "d\x1b[K\r\n\x1b[J"},
		{func() { s.draw("e\n", 5, 9) }, "\x1b[2J\x1b[He\x1b[K\r\n\x1b[J"},
	} {
		out.Reset()
		if c.do(); out.String() != c.want {
			t.Errorf("%q, want %q", out.String(), c.want)
		}
	}
}
