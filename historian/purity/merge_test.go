package purity

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPlan(t *testing.T) {
	first := found(t, "Fe 0.20")
	edit := func(r Result, change func(*Result)) Result {
		change(&r)
		return r
	}
	second := edit(found(t, "Fe 0.90"), func(r *Result) { r.Revision, r.Reason = 2, "again" })
	waiting := edit(first, func(r *Result) { r.ApprovedAt = 0 })
	later := edit(first, func(r *Result) { r.KnownAt, r.Source = t0+20*hour, "other:9" })
	tests := []struct {
		name         string
		stored, rows []Result
		want         string
	}{
		{"first", nil, []Result{first}, "new"},
		{"again", []Result{first}, []Result{later}, "known"},
		{"twice in a file", nil, []Result{first, later}, "new known"},
		{"zeros", []Result{first}, []Result{edit(first, func(r *Result) { r.Value = mustQuantity(t, "0.2") })}, "known"},
		{"revision", []Result{first}, []Result{second}, "revised"},
		{"in any order", nil, []Result{second, first}, "new revised"},
		{"old file after the revision", []Result{first, second}, []Result{first}, "known"},
		{"approval", []Result{waiting}, []Result{first}, "approved"},
		{"approval again", []Result{waiting, first}, []Result{first}, "known"},
		{"file from before the approval", []Result{first}, []Result{waiting}, "known"},
		{"another approval", []Result{first}, []Result{edit(first, func(r *Result) { r.ApprovedAt++ })},
			"Fe by GDMS in S, revision 1 was approved at 2026-11-20T01:00:00Z, not at 2026-11-20T01:00:00.000000001Z (book:1); keep the first approval"},
		{"something else", []Result{first}, []Result{found(t, "Fe 0.90")},
			"Fe by GDMS in S, revision 1 stands in book:1 and says something else; what was measured or corrected later is revision 2, with a reason"},
		{"another method", []Result{first}, []Result{edit(first, func(r *Result) { r.Method = "PL" })}, "new"},
		{"another lot", []Result{first}, []Result{edit(found(t, "Na 1"), func(r *Result) { r.Lot = "M" })},
			`lot: sample S is of lot "L" in book:1; a sample is of one lot, correct it (or, where book:1 is wrong, give revisions with the right one)`},
		{"the lot corrected", []Result{first}, []Result{edit(second, func(r *Result) { r.Lot = "M" })}, "revised"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, e := range Plan(tt.stored, tt.rows) {
				if e.Err != nil {
					got = append(got, e.Err.Error())
				} else {
					got = append(got, string(e.Outcome))
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("%s\nwant %s", s, tt.want)
			}
		})
	}
}

// Whatever is stored, storing it again comes to nothing, in any order and together with anything that came later.
func TestStoringAgainIsKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawn(t)
		again := list[rapid.IntRange(0, len(list)-1).Draw(t, "again")]
		again.Revision, again.Reason = 2, "again"
		stored := slices.Concat(list, []Result{again})
		for _, e := range Plan(nil, stored) {
			if e.Err != nil || e.Outcome == Known || e.Outcome == Approved {
				t.Fatalf("first: %+v", e)
			}
		}
		for _, e := range Plan(stored, rapid.Permutation(stored).Draw(t, "order")) {
			if e.Err != nil || e.Outcome != Known {
				t.Fatalf("again: %+v", e)
			}
		}
	})
}
