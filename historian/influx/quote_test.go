package influx

import (
	"strings"
	"testing"

	"github.com/influxdata/influxql"
)

func TestQuote(t *testing.T) {
	for s, want := range map[string]string{
		`plain`:              `"plain"`,
		`with "quotes"`:      `"with \"quotes\""`,
		`back\slash`:         `"back\\slash"`,
		`\"`:                 `"\\\""`,
		"two\nlines":         `"two\nlines"`,
		`'; DROP DATABASE x`: `"'; DROP DATABASE x"`,
		`größe 😀`:            `"größe 😀"`,
	} {
		if got, err := Ident(s); err != nil || got != want {
			t.Errorf("Ident(%q) = %s, %v", s, got, err)
		}
	}
	for s, want := range map[string]string{
		``:            `''`,
		`it's`:        `'it\'s'`,
		`\'`:          `'\\\''`,
		"a\nb":        `'a\nb'`,
		`say "hello"`: `'say "hello"'`,
	} {
		if got, err := Literal(s); err != nil || got != want {
			t.Errorf("Literal(%q) = %s, %v", s, got, err)
		}
	}
	for _, s := range []string{"a\x00b", "a\rb", "\xff"} {
		if got, err := Literal(s); err == nil {
			t.Errorf("Literal(%q) = %s", s, got)
		}
		if got, err := Ident(s); err == nil {
			t.Errorf("Ident(%q) = %s", s, got)
		}
	}
	if got, err := Ident(""); err == nil {
		t.Errorf("empty identifier %s", got)
	}
}

// FuzzQuote: InfluxQL's own parser reads back what was quoted, and nothing else: no text breaks out of its quotes.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"a", `"`, `\`, `\\"`, "'", `'; DROP DATABASE "x"; --`, "\n", "é", `/.*/`, "\x1a", "\u2028", `$p`} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		id, errID := Ident(name)
		lit, errLit := Literal(value)
		if errID != nil || errLit != nil {
			return
		}
		text := "SELECT " + id + " FROM " + id + "." + id + "." + id + " WHERE " + id + " = " + lit + " GROUP BY " + id
		stmt, err := influxql.ParseStatement(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		s, ok := stmt.(*influxql.SelectStatement)
		if !ok {
			t.Fatalf("%s: a %T", text, stmt)
		}
		if ref, ok := s.Fields[0].Expr.(*influxql.VarRef); !ok || ref.Val != name {
			t.Errorf("field %v, want %q", s.Fields[0].Expr, name)
		}
		if m, ok := s.Sources[0].(*influxql.Measurement); !ok || m.Database != name || m.RetentionPolicy != name || m.Name != name {
			t.Errorf("source %v, want %q", s.Sources[0], name)
		}
		cond, ok := s.Condition.(*influxql.BinaryExpr)
		if !ok {
			t.Fatalf("condition %v", s.Condition)
		}
		switch rhs := cond.RHS.(type) {
		case *influxql.StringLiteral:
			if rhs.Val != value {
				t.Errorf("string %q, want %q", rhs.Val, value)
			}
		default:
			t.Errorf("right side %T", rhs)
		}
		if q, err := influxql.ParseQuery(text); err != nil || len(q.Statements) != 1 {
			t.Errorf("%s: %d statements, %v", text, len(q.Statements), err)
		}
		if !strings.HasPrefix(id, `"`) {
			t.Errorf("identifier %s is not quoted", id)
		}
	})
}
