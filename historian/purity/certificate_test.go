package purity

import (
	"errors"
	"strings"
	"testing"
)

func mustIssue(t testing.TB, a *Answer, g Grade) *Certificate {
	t.Helper()
	c, err := Issue(a, g, "Aigerim", t0+3*hour+1234)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestIssue(t *testing.T) {
	a := mustAssess(t, results(t, append(p1(), "Ca < 0.40")...), DefaultPolicy())
	if c := mustIssue(t, a, 0); c.Grade != 11 || c.IssuedAt != Moment(t0+3*hour+1000) || !strings.HasPrefix(c.ID, "LC-") {
		t.Errorf("%+v", c)
	}
	if c := mustIssue(t, a, 9); c.Grade != 9 || c.Answer.Grade != 11 {
		t.Errorf("%+v", c)
	}
	if mustIssue(t, a, 9).ID == mustIssue(t, a, 10).ID {
		t.Error("two certificates of one number")
	}
	none := mustAssess(t, nil, DefaultPolicy())
	for _, tt := range []struct {
		a    *Answer
		g    Grade
		by   string
		want string
	}{
		{a, 12, "A", "issue certificate of sample S: 12N not demonstrated: Ca below 0.40 pptw is all the method shows: the results do not show the grade"},
		{none, 0, "A", "issue certificate of sample S: 1N not demonstrated: there is no approved result that counts: the results do not show the grade"},
		{a, 11, "", "issue certificate of sample S: nobody is named who issues it"},
		{a, 11, "A\n", `issue certificate of sample S: by: "A\n" holds a control character, a backslash or invalid UTF-8; write it without`},
	} {
		_, err := Issue(tt.a, tt.g, tt.by, t0)
		if err == nil || err.Error() != tt.want || errors.Is(err, ErrNotDemonstrated) != strings.Contains(tt.want, "do not show") {
			t.Errorf("%v\nwant %s", err, tt.want)
		}
	}
}

func TestChanged(t *testing.T) {
	list := results(t, p1()...)
	c := mustIssue(t, mustAssess(t, list, DefaultPolicy()), 12)
	if s := c.Changed(mustAssess(t, list, DefaultPolicy())); s != "" {
		t.Errorf("nothing changed, but %s", s)
	}
	iron := found(t, "Fe 0.90")
	iron.Revision, iron.Reason = 2, "retained sample measured again"
	if s, want := c.Changed(mustAssess(t, append(list, iron), DefaultPolicy())),
		"results changed since: Fe by GDMS in S, revision 2, says 0.90 pptw; would now be N [11.818156, 11.863279], 11N"; s != want {
		t.Errorf("%s\nwant %s", s, want)
	}
	away := iron
	away.Sample = "T"
	if s := c.Changed(mustAssess(t, list[1:], DefaultPolicy())); !strings.Contains(s, "B by GDMS in S no longer counts") {
		t.Error(s)
	}
	if s := c.Changed(mustAssess(t, append(list, results(t, "Ca < 0.40")...), DefaultPolicy())); !strings.Contains(s, "Ca by GDMS in S, revision 1, says below 0.40 pptw; would now be") {
		t.Error(s)
	}
}

func TestParseCertificate(t *testing.T) {
	for text, want := range map[string]string{
		"":              "read certificate: EOF",
		`{"x":1}`:       `read certificate: json: unknown field "x"`,
		`{"id":"LC-1"}`: "read certificate LC-1: issued at 0, which is not a whole microsecond of the years 1990 to 2199",
		`{"id":"LC-1","issued_at":"2026-11-20T00:00:00Z"}`: `read certificate LC-1: it is of "" and "", not of one of them`,
	} {
		if _, err := parseCertificate(text); err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}
