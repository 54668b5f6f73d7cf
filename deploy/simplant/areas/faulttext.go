package areas

import (
	"fmt"
	"strings"
	"time"
)

// ParseFault reads a fault as people write it: the kind, and what it needs.
//
//	failed unit=CZ-1 signal=diameter_mm for=30s
//	restart server=crystal after=1m for=5s
//	skewed server=poly skew=-2s for=10m
//
// Words are separated by spaces or commas. Whether the plant has what is named is looked at by Inject.
func ParseFault(text string) (Fault, error) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' })
	if len(words) == 0 {
		return Fault{}, fmt.Errorf("read fault %q: it is empty", text)
	}
	f := Fault{Kind: FaultKind(words[0])}
	if !f.Kind.network() && !f.Kind.sensor() {
		return Fault{}, fmt.Errorf("read fault %q: there is no kind %q: stuck, failed, unsure, silent, skewed, restart, cut or reset", text, words[0])
	}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		if err := f.set(key, value); err != nil {
			return Fault{}, fmt.Errorf("read fault %q: %w", text, err)
		}
	}
	return f, nil
}

// set takes one key of a fault's text.
func (f *Fault) set(key, value string) (err error) {
	length := func(d *time.Duration) {
		if *d, err = time.ParseDuration(value); err != nil {
			err = fmt.Errorf("%s is a duration such as 30s: %w", key, err)
		}
	}
	switch key {
	case "server":
		f.Server = value
	case "unit":
		f.Unit = value
	case "signal":
		f.Signal = value
	case "after":
		length(&f.After)
	case "for":
		length(&f.For)
	case "skew":
		length(&f.Skew)
	default:
		return fmt.Errorf("there is no key %q: server, unit, signal, after, for or skew", key)
	}
	return err
}

// String is the fault as ParseFault reads it.
func (f Fault) String() string {
	out := string(f.Kind)
	for _, x := range []struct{ key, value string }{{"server", f.Server}, {"unit", f.Unit}, {"signal", f.Signal}} {
		if x.value != "" {
			out += " " + x.key + "=" + x.value
		}
	}
	for _, x := range []struct {
		key   string
		value time.Duration
	}{{"after", f.After}, {"for", f.For}, {"skew", f.Skew}} {
		if x.value != 0 {
			out += " " + x.key + "=" + x.value.String()
		}
	}
	return out
}
