package conform

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
)

// compare says in what the answer is not what the query wants.
func (q *Query) compare(a *Answer) []string {
	var out []string
	for i := range q.Expect {
		if !q.Expect[i].met(a, q.Tolerance) {
			out = append(out, fmt.Sprintf("%s: got %s, want %s", q.Expect[i].Key, a.show(q.Expect[i].Key), &q.Expect[i]))
		}
	}
	for i := range q.Not {
		if q.Not[i].given(a, q.Tolerance) {
			out = append(out, fmt.Sprintf("%s: got %s, must not be %s", q.Not[i].Key, a.show(q.Not[i].Key), &q.Not[i]))
		}
	}
	return out
}

// met says that the answer has the value: findings must be among those reported, integers and fractions be equal,
// decimals be near.
func (x *Expectation) met(a *Answer, tolerance exact.Num) bool {
	switch x.Key {
	case keyFindings:
		for _, f := range x.Findings {
			if !slices.Contains(a.Findings, f) {
				return false
			}
		}
		return true
	case keyReason:
		return x.Text == a.Reason
	}
	got := a.Numbers[x.Key]
	if x.Null || got.Null || !x.Decimal {
		return got.Equal(kpi.Value{Num: x.Number, Null: x.Null})
	}
	return near(got.Num, x.Number, tolerance)
}

// given says that the answer has the value, to the tolerance.
func (x *Expectation) given(a *Answer, tolerance exact.Num) bool {
	switch x.Key {
	case keyFindings:
		return slices.Contains(a.Findings, x.Findings[0])
	case keyReason:
		return x.Text == a.Reason
	}
	got := a.Numbers[x.Key]
	if x.Null || got.Null {
		return x.Null && got.Null
	}
	return near(got.Num, x.Number, tolerance)
}

func near(a, b, tolerance exact.Num) bool {
	d := a.Sub(b)
	return d.Cmp(tolerance) <= 0 && d.Neg().Cmp(tolerance) <= 0
}

func (x *Expectation) String() string {
	switch {
	case x.Key == keyFindings:
		return strings.Join(x.Findings, ", ")
	case x.Null || x.Key == keyReason && x.Text == "":
		return "null"
	case x.Key == keyReason:
		return x.Text
	default:
		return Show(kpi.Value{Num: x.Number})
	}
}

// show is the answer's value of a key as text.
func (a *Answer) show(key string) string {
	switch {
	case key == keyFindings && len(a.Findings) == 0:
		return "none"
	case key == keyFindings:
		return strings.Join(a.Findings, ", ")
	case key == keyReason && a.Reason == "":
		return "null"
	case key == keyReason:
		return a.Reason
	default:
		return Show(a.Numbers[key])
	}
}

// Show is a value for people: the number in lowest terms, with its decimals if it is a fraction.
func Show(v kpi.Value) string {
	if v.Null {
		return "null"
	}
	s := v.Num.String()
	if strings.Contains(s, "/") {
		s += " = " + strconv.FormatFloat(v.Num.Float(), 'g', 10, 64)
	}
	return s
}

// Rows are the answer for people: every key with its value.
func (a *Answer) Rows() [][2]string {
	var rows [][2]string
	for _, key := range ExpectKeys() {
		rows = append(rows, [2]string{key, a.show(key)})
	}
	return rows
}

// MarshalJSON gives every key: numbers as text in lowest terms, so that no reader rounds them, or null; findings as a list.
func (a Answer) MarshalJSON() ([]byte, error) {
	values := make(map[string]any, len(a.Numbers)+2)
	for key, v := range a.Numbers {
		values[key] = nil
		if !v.Null {
			values[key] = v.Num.String()
		}
	}
	values[keyReason] = nil
	if a.Reason != "" {
		values[keyReason] = a.Reason
	}
	values[keyFindings] = append([]string{}, a.Findings...)
	return json.Marshal(values)
}

// MarshalJSON gives {"vector","query","values","pass","mismatches"}.
func (o Outcome) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Vector     string   `json:"vector"`
		Query      string   `json:"query"`
		Values     Answer   `json:"values"`
		Pass       bool     `json:"pass"`
		Mismatches []string `json:"mismatches"`
	}{o.Vector, o.Query, o.Answer, o.Pass(), append([]string{}, o.Mismatches...)})
}
