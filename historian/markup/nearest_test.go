package markup

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNearest(t *testing.T) {
	words := []string{"name", "publishing", "sampling", "queue", "nodes", "PRD", "SBY"}
	for word, want := range map[string]string{"samplng": "sampling", "sampilng": "sampling", "queu": "queue", "nods": "nodes", "zzz": "", "": "",
		"publish": "", "PUBLISHING": "publishing", "prd": "PRD", "prod": "PRD"} {
		if got := Nearest(word, words); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

// editDistance is the optimal string alignment distance: compared with its definition.
func TestEditDistance(t *testing.T) {
	var slow func(a, b string) int
	slow = func(a, b string) int {
		if a == "" || b == "" {
			return len(a) + len(b)
		}
		change := 1
		if a[0] == b[0] {
			change = 0
		}
		d := min(slow(a[1:], b)+1, slow(a, b[1:])+1, slow(a[1:], b[1:])+change)
		if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
			d = min(d, slow(a[2:], b[2:])+1)
		}
		return d
	}
	word := rapid.StringMatching(`[abc]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		if got, want := editDistance(a, b), slow(a, b); got != want {
			t.Fatalf("%q %q: %d, want %d", a, b, got, want)
		}
	})
	if editDistance(strings.Repeat("a", 1000), "a") != maxWordBytes {
		t.Error("long words are compared")
	}
}
