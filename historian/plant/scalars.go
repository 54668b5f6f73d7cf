package plant

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"kvarts/historian/exact"
	"kvarts/historian/markup"
)

// The readers below leave *dst as it is (the default) when the key is missing or wrong; what is wrong is reported.

// text reads any single value that is not empty and has no control characters.
func (b *block) text(key string, dst *string) bool {
	v := b.get(key)
	return v != nil && v.words(dst)
}

// words is text for a value.
func (v *value) words(dst *string) bool {
	s, ok := v.Text()
	if !ok {
		return false
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		v.Fail("it holds control characters", "write it in one line of plain text")
		return false
	}
	*dst = s
	return true
}

// maxNameBytes bounds every name; they stand in tags, tables and messages.
const maxNameBytes = 64

// goodName needs no quotes in line protocol, queries, file names and YAML.
var goodName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// name reads a name: letters, digits, '-', '_' and '.'.
func (b *block) name(key string, dst *string) {
	if v := b.get(key); v != nil {
		v.name(dst)
	}
}

func (v *value) name(dst *string) bool {
	s, ok := v.Scalar()
	if !ok || !v.checkName(s) {
		return false
	}
	*dst = s
	return true
}

func (v *value) checkName(s string) bool {
	switch {
	case len(s) > maxNameBytes:
		v.Fail(fmt.Sprintf("a name has at most %d characters", maxNameBytes), "shorten it")
	case !goodName.MatchString(s):
		v.Fail("a name has only letters A to Z, digits, -, _ and ., and begins with a letter or digit", "write for example CZ-01")
	default:
		return true
	}
	return false
}

// fieldName is the form that queries need no quotes for.
var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// choose reads one of a few words.
func choose[T ~string](v *value, words ...T) (word T, ok bool) {
	ok = markup.Choice(v.Value, &word, words...)
	return word, ok
}

// bound is what a number may be.
type bound uint8

const (
	anyNumber bound = iota
	notNegative
	aboveZero
	belowOne // from 0, and below 1
)

// maxDigits bounds numbers, so that sums of them stay small. The largest that makes sense is a modulus of 2^64.
const maxDigits = 24

// num reads a number exactly: an integer, a decimal or a fraction.
func (v *value) num(is bound) (x exact.Num, ok bool) {
	s, ok := v.Scalar()
	if !ok {
		return x, false
	}
	return v.parseNum(s, is)
}

// parseNum is num for what is a part of v.
func (v *value) parseNum(s string, is bound) (exact.Num, bool) {
	x, err := exact.Parse(s)
	switch {
	case err != nil || len(s) > maxDigits || strings.ContainsAny(s, "eE"):
		v.Fail("this must be a number", "write for example 1.6, -40 or 2/3")
	case is == notNegative && x.Sign() < 0:
		v.Fail("this must not be below 0", "write 0 or more")
	case is == aboveZero && x.Sign() <= 0:
		v.Fail("this must be above 0", "write a positive number, or remove the key")
	case is == belowOne && (x.Sign() < 0 || x.Cmp(exact.Int(1)) >= 0):
		v.Fail("this must be a share from 0 to below 1", "write for example 0.05 for 5 %")
	default:
		return x, true
	}
	return exact.Num{}, false
}

// duration reads a duration with its unit.
func (v *value) duration(low, high time.Duration) (time.Duration, bool) {
	s, ok := v.Scalar()
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		v.Fail("this must be a duration with its unit", "write for example 500ms, 30s, 5m or 1h30m")
	case d < low || d > high:
		v.Fail(fmt.Sprintf("this must be from %s to %s", showDuration(low), showDuration(high)), "write a duration in that range")
	default:
		return d, true
	}
	return 0, false
}

// showDuration is time.Duration.String without the zeros that it appends.
func showDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// texts reads a list of words, or a single one.
func (v *value) texts() []*value {
	if v.Kind() == markup.Scalar {
		return []*value{v}
	}
	return v.items()
}

// list reads the blocks of a list.
func (b *block) list(key string, l markup.Level, each func(*block)) {
	v := b.get(key)
	if v == nil {
		return
	}
	for _, item := range v.items() {
		if item.Is(markup.Mapping) {
			each(item.block(l))
		}
	}
}

// refer reports a name that nothing has.
func (v *value) refer(what, name string, known []string) {
	remedy := "the model has none; add it under " + what
	switch near := markup.Nearest(name, known); {
	case near != "":
		remedy = fmt.Sprintf("did you mean %q?", near)
	case len(known) > 0:
		remedy = "known are " + some(known)
	}
	v.FailAs(name, "nothing under "+what+" has this name", remedy)
}

// maxSome bounds the names that a message lists.
const maxSome = 8

// some lists names, not all when there are many.
func some(names []string) string {
	if len(names) <= maxSome {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:maxSome], ", ") + fmt.Sprintf(", … (%d)", len(names))
}
