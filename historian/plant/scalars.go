package plant

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"kvarts/historian/exact"
)

// The readers below leave *dst as it is (the default) when the key is missing or wrong; what is wrong is reported.

// scalar returns the text of the single value of a key; ok is false when there is no key, or no single value.
func (b *block) scalar(key string) (v *value, text string, ok bool) {
	if v = b.get(key); v == nil {
		return nil, "", false
	}
	text, ok = v.scalar()
	return v, text, ok
}

// text reads any single value that is not empty and has no control characters.
func (b *block) text(key string, dst *string) bool {
	v, _, ok := b.scalar(key)
	return ok && v.words(dst)
}

// words is text for a value.
func (v *value) words(dst *string) bool {
	s, ok := v.scalar()
	switch {
	case !ok:
	case s == "":
		v.fail("the value is empty", "give it one, or remove the key")
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }):
		v.fail("it holds control characters", "write it in one line of plain text")
	default:
		*dst = s
		return true
	}
	return false
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
	s, ok := v.scalar()
	if !ok || !v.checkName(s) {
		return false
	}
	*dst = s
	return true
}

func (v *value) checkName(s string) bool {
	switch {
	case len(s) > maxNameBytes:
		v.fail(fmt.Sprintf("a name has at most %d characters", maxNameBytes), "shorten it")
	case !goodName.MatchString(s):
		v.fail("a name has only letters A to Z, digits, -, _ and ., and begins with a letter or digit", "write for example CZ-01")
	default:
		return true
	}
	return false
}

// fieldName is the form that queries need no quotes for.
var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// choice reads one of a few words.
func choice[T ~string](b *block, key string, dst *T, words ...T) bool {
	v := b.get(key)
	if v == nil {
		return false
	}
	w, ok := choose(v, words...)
	if ok {
		*dst = w
	}
	return ok
}

// choose is choice for a value.
func choose[T ~string](v *value, words ...T) (word T, ok bool) {
	s, ok := v.scalar()
	if !ok {
		return "", false
	}
	if slices.Contains(words, T(s)) {
		return T(s), true
	}
	list := make([]string, len(words))
	remedy := "write one of them"
	for i, w := range words {
		list[i] = string(w)
	}
	if near := nearest(strings.ToLower(s), list); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	v.fail("this must be one of "+strings.Join(list, ", "), remedy)
	return "", false
}

// integer reads a whole number.
func (b *block) integer(key string, dst *int, low, high int) bool {
	v, s, ok := b.scalar(key)
	if !ok {
		return false
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		v.fail(fmt.Sprintf("this must be a whole number from %d to %d", low, high), "write a number in that range")
		return false
	}
	*dst = n
	return true
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
	s, ok := v.scalar()
	if !ok {
		return x, false
	}
	x, err := exact.Parse(s)
	switch {
	case err != nil || len(s) > maxDigits || strings.ContainsAny(s, "eE"):
		v.fail("this must be a number", "write for example 1.6, -40 or 2/3")
	case is == notNegative && x.Sign() < 0:
		v.fail("this must not be below 0", "write 0 or more")
	case is == aboveZero && x.Sign() <= 0:
		v.fail("this must be above 0", "write a positive number, or remove the key")
	case is == belowOne && (x.Sign() < 0 || x.Cmp(exact.Int(1)) >= 0):
		v.fail("this must be a share from 0 to below 1", "write for example 0.05 for 5 %")
	default:
		return x, true
	}
	return exact.Num{}, false
}

// duration reads a duration with its unit.
func (v *value) duration(low, high time.Duration) (time.Duration, bool) {
	s, ok := v.scalar()
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		v.fail("this must be a duration with its unit", "write for example 500ms, 30s, 5m or 1h30m")
	case d < low || d > high:
		v.fail(fmt.Sprintf("this must be from %s to %s", showDuration(low), showDuration(high)), "write a duration in that range")
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
	if v.n.kind == scalar {
		return []*value{v}
	}
	return v.items()
}

// place is where something was first said.
type place struct {
	line int
	path string
}

func (p place) String() string { return fmt.Sprintf("%s in line %d", p.path, p.line) }

// unique reports a second use of a name, at its key.
func (b *block) unique(seen map[string]place, key, name string) bool {
	if name == "" {
		return false
	}
	at := b.value
	if v := b.get(key); v != nil {
		at = v
	}
	if first, twice := seen[name]; twice {
		b.d.errs = append(b.d.errs, at.problem(name, "this name is already taken by "+first.String(), "give one of them another name"))
		return false
	}
	seen[name] = place{at.n.pos.line, b.path()}
	return true
}

// list reads the blocks of a list.
func (b *block) list(key string, l level, each func(*block)) {
	v := b.get(key)
	if v == nil {
		return
	}
	for _, item := range v.items() {
		if item.is(mapping) {
			each(item.block(l))
		}
	}
}

// refer reports a name that nothing has.
func (v *value) refer(what, name string, known []string) {
	remedy := "the model has none; add it under " + what
	switch near := nearest(name, known); {
	case near != "":
		remedy = fmt.Sprintf("did you mean %q?", near)
	case len(known) > 0:
		remedy = "known are " + some(known)
	}
	v.d.errs = append(v.d.errs, v.problem(name, "nothing under "+what+" has this name", remedy))
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
