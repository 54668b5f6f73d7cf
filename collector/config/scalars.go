package config

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// filename reads a file or folder name; a relative one starts at the configuration file's folder.
func (b *block) filename(key string, dst *string) {
	var s string
	if b.Text(key, &s) {
		*dst = b.d.resolve(s)
	}
}

func (d *decoder) resolve(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(d.dir, name)
}

func (b *block) boolean(key string, dst *bool) {
	v, s, ok := b.Scalar(key)
	switch {
	case !ok:
	case s == "true" || s == "false":
		*dst = s == "true"
	default:
		remedy := "write one of the two"
		switch strings.ToLower(s) {
		case "yes", "on", "1", "true":
			remedy = `did you mean "true"?`
		case "no", "off", "0", "false":
			remedy = `did you mean "false"?`
		}
		v.Fail("this must be true or false", remedy)
	}
}

// number reads a finite number.
func (b *block) number(key string, dst *float64) bool {
	v, s, ok := b.Scalar(key)
	if !ok {
		return false
	}
	x, err := parseNumber(s)
	if err != nil {
		v.Fail("this must be a number", "write for example 0.1, -40 or 1e-3")
		return false
	}
	*dst = x
	return true
}

func parseNumber(s string) (float64, error) {
	x, err := strconv.ParseFloat(s, 64)
	if err == nil && (math.IsNaN(x) || math.IsInf(x, 0) || strings.ContainsAny(s, "xXpP_")) {
		err = strconv.ErrSyntax
	}
	return x, err
}

func (b *block) duration(key string, dst *time.Duration, low, high time.Duration) {
	if v := b.get(key); v != nil {
		v.duration(dst, low, high)
	}
}

func (v *value) duration(dst *time.Duration, low, high time.Duration) {
	s, ok := v.Scalar()
	if !ok {
		return
	}
	d, err := parseDuration(s)
	switch {
	case err != nil:
		v.Fail("this must be a duration with its unit", "write for example 100ms, 1s, 1m30s, 12h or 60d")
	case d < low || d > high:
		v.Fail(fmt.Sprintf("this must be from %s to %s", showDuration(low), showDuration(high)), "write a duration in that range")
	default:
		*dst = d
	}
}

const day = 24 * time.Hour

// parseDuration reads Go's durations and, in front of them, days of 24 hours: "60d", "1d12h".
func parseDuration(s string) (time.Duration, error) {
	body, negative := strings.CutPrefix(s, "-")
	var sum time.Duration
	if days, rest, ok := strings.Cut(body, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("read days of %q: %w", s, err)
		}
		sum, body = time.Duration(n)*day, rest
		if rest == "" {
			body = "0s"
		}
	}
	if body == "" || body[0] == '-' || body[0] == '+' {
		return 0, fmt.Errorf("read duration %q: %w", s, strconv.ErrSyntax)
	}
	d, err := time.ParseDuration(body)
	if err != nil {
		return 0, err
	}
	if sum += d; sum < 0 {
		return 0, fmt.Errorf("read duration %q: %w", s, strconv.ErrRange)
	}
	if negative {
		sum = -sum
	}
	return sum, nil
}

// showDuration is the inverse of parseDuration, without the zeros that time.Duration.String appends.
func showDuration(d time.Duration) string {
	if d < 0 {
		return "-" + showDuration(-d)
	}
	out := ""
	if d >= day {
		out = strconv.FormatInt(int64(d/day), 10) + "d"
		if d %= day; d == 0 {
			return out
		}
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return out + s
}

func (b *block) size(key string, dst *int64, low, high int64) {
	v, s, ok := b.Scalar(key)
	if !ok {
		return
	}
	n, err := parseSize(s)
	switch {
	case err != nil:
		v.Fail("this must be a size with its unit", "write for example 512KiB, 16MiB, 20GiB")
	case n < low || n > high:
		v.Fail(fmt.Sprintf("this must be from %s to %s", showSize(low), showSize(high)), "write a size in that range")
	default:
		*dst = n
	}
}

type sizeUnit struct {
	suffix string
	bytes  int64
}

func sizeUnits() []sizeUnit {
	return []sizeUnit{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}
}

// parseSize reads a number with a unit of bytes: "20GiB", "1.5 GB", "100B".
func parseSize(s string) (int64, error) {
	for _, u := range sizeUnits() {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		x, err := parseNumber(strings.TrimRight(digits, " "))
		if err != nil || x < 0 {
			return 0, fmt.Errorf("read size %q: %w", s, strconv.ErrSyntax)
		}
		if x *= float64(u.bytes); x >= 1<<62 {
			return 0, fmt.Errorf("read size %q: %w", s, strconv.ErrRange)
		}
		return int64(x), nil
	}
	return 0, fmt.Errorf("read size %q: no unit: %w", s, strconv.ErrSyntax)
}

func showSize(n int64) string {
	for _, u := range sizeUnits()[:4] {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// wordProblem says why s cannot be a name in line protocol and on pages, or "".
func wordProblem(s string, maxBytes int) string {
	switch {
	case s == "":
		return "it must not be empty"
	case len(s) > maxBytes:
		return fmt.Sprintf("it must not be longer than %d bytes", maxBytes)
	case strings.TrimSpace(s) != s:
		return "it must not begin or end with a space"
	case strings.Contains(s, `\`):
		return "it must not hold a backslash, which line protocol cannot express in every place"
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }):
		return "it must not hold control characters"
	}
	return ""
}
