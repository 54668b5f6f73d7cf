package purity

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of texts, in bytes.
const (
	maxText = 1000 // a sentence or two, not a report
	maxName = 200  // a sample, a lot, a method
)

// checkText refuses what a tag or a text cannot be.
func checkText(what, s string, limit int) error {
	switch {
	case len(s) > limit:
		return fmt.Errorf("%s: longer than %d bytes; shorten it", what, limit)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) || c == '\\' || c == utf8.RuneError }):
		return fmt.Errorf("%s: %q holds a control character, a backslash or invalid UTF-8; write it without", what, s)
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("%s: %q begins or ends with a space; write it without", what, s)
	}
	return nil
}

// inWords joins parts as people do: "a, b and c".
func inWords(parts []string) string {
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	return strings.Join(parts, "")
}
