package influx

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The README's habit table is the table of the program.
func TestReadmeShowsTheTable(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := []Habits{habits18, habits2, habits3, habitsGemini}
	or := func(s string) string {
		switch s {
		case "", "0", "unknown":
			return "?"
		}
		return s
	}
	line := func(title string, cell func(Habits) string) string {
		cells := []string{title}
		for _, h := range rows {
			cells = append(cells, cell(h))
		}
		return "| " + strings.Join(cells, " | ") + " |"
	}
	num := func(n int) string { return or(fmt.Sprint(n)) }
	for _, want := range []string{
		strings.Replace(line("", func(h Habits) string { return h.Name }), "|  |", "| |", 1),
		line("good line and one of another type", func(h Habits) string { return or(partialText(h.TypeConflict)) }),
		line("good lines and an unparsable one", func(h Habits) string { return or(partialText(h.Unparsable)) }),
		line("good line and a time outside 64 bits", func(h Habits) string { return or(partialText(h.OutOfRange)) }),
		line("good line and one beyond retention", func(h Habits) string { return or(partialText(h.BeyondRP)) }),
		line("body of several gzip members read whole", func(h Habits) string { return or(h.ConcatGzip.String()) }),
		line("204 although lines are lost", func(h Habits) string { return or(h.SilentLoss.String()) }),
		line("integers above 2^53 exact", func(h Habits) string { return or(h.ExactInt64.String()) }),
		line("visible to a query", func(h Habits) string { return or(visibleCheck(h.Visible, 0).Expected) }),
		line("largest body tried, 32 MiB before compression", func(h Habits) string {
			if h.MaxBody < 0 {
				return "accepted"
			}
			return or(fmt.Sprint(h.MaxBody))
		}),
		line("longest string kept", func(h Habits) string { return num(h.MaxString) }),
		line("bucket's name is the database", func(h Habits) string { return or(h.BucketIsDatabase.String()) }),
		line("bound parameters, epoch=ns, chunked, CSV", func(h Habits) string {
			return fmt.Sprint(h.BoundParams, " ", h.Epoch, " ", h.Chunked, " ", h.CSV)
		}),
		line("unknown bucket, wrong token", func(h Habits) string { return num(h.UnknownBucket) + ", " + num(h.BadToken) }),
	} {
		if !strings.Contains(string(b), want+"\n") {
			t.Errorf("README lacks the line\n%s", want)
		}
	}
	if lastBody != 32<<20 {
		t.Error("README says that 32 MiB are tried")
	}
}
