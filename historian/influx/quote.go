package influx

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Ident makes an InfluxQL identifier of a name: a measurement, field, tag key, database, retention policy. An empty
// name, and one that InfluxQL cannot say (see Literal), is an error.
func Ident(name string) (string, error) {
	if name == "" {
		return "", errors.New("an identifier must not be empty")
	}
	if err := sayable(name); err != nil {
		return "", fmt.Errorf("identifier %q: %w", name, err)
	}
	return `"` + identEscaper.Replace(name) + `"`, nil
}

// Literal makes an InfluxQL string literal of s. InfluxQL has no escape for NUL, which ends its input, nor for a
// carriage return, which it reads as a newline: they are errors, as is text that is not UTF-8. A bound parameter
// (Query.Params) takes any text and is to be preferred.
func Literal(s string) (string, error) {
	if err := sayable(s); err != nil {
		return "", fmt.Errorf("string %q: %w", s, err)
	}
	return `'` + literalEscaper.Replace(s) + `'`, nil
}

var (
	identEscaper   = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	literalEscaper = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`)
)

func sayable(s string) error {
	switch {
	case strings.ContainsAny(s, "\x00\r"):
		return errors.New("holds a NUL or carriage return, which InfluxQL cannot say")
	case !utf8.ValidString(s):
		return errors.New("is not valid UTF-8")
	}
	return nil
}
