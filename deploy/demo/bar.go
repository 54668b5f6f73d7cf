package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// bar shows how far a long work has come: in place on a terminal, else a line now and then.
type bar struct {
	out      io.Writer
	terminal bool
	title    string
	begun    time.Time
	shown    time.Time
	last     string
}

func newBar(out io.Writer, terminal bool, title string) *bar {
	return &bar{out: out, terminal: terminal, title: title, begun: time.Now()}
}

// show draws the bar at a share of the work, with a note.
func (b *bar) show(share float64, note string) {
	every := 100 * time.Millisecond
	if !b.terminal {
		every = 2 * time.Second
	}
	b.last = note
	if time.Since(b.shown) < every {
		return
	}
	b.shown = time.Now()
	if !b.terminal {
		fmt.Fprintf(b.out, "%s: %3.0f %%, %s\n", b.title, share*100, note)
		return
	}
	const width = 30
	full := int(share*width + 0.5)
	line := fmt.Sprintf("%s %s%s %3.0f %%  %s", b.title, strings.Repeat("█", full), strings.Repeat("░", width-full), share*100, note)
	columns, _ := (&screen{out: b.out}).size()
	fmt.Fprintf(b.out, "\r%s\x1b[K", cut(line, columns-1)) // a line that reaches the edge would not be drawn in place
}

// end says what it came to.
func (b *bar) end() {
	start := ""
	if b.terminal {
		start = "\r\x1b[K"
	}
	fmt.Fprintf(b.out, "%s%s: %s in %s\n", start, b.title, b.last, time.Since(b.begun).Round(100*time.Millisecond))
}

// grouped writes a number with a comma at each thousand.
func grouped[T ~uint64 | ~int64 | ~int](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// inWords is a length of time for people.
func inWords(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.0f hours", d.Hours())
	case d >= 2*time.Minute:
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	default:
		return fmt.Sprintf("%.0f seconds", d.Seconds())
	}
}
