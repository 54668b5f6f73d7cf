package plant

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A signal is repeated for every name and every number of the ranges, in the order written.
func TestEach(t *testing.T) {
	for each, want := range map[string]string{
		"A":             "zone_a_c",
		"1..3":          "zone_1_c zone_2_c zone_3_c",
		"7..7":          "zone_7_c",
		"0..1":          "zone_0_c zone_1_c",
		"08..11":        "zone_08_c zone_09_c zone_10_c zone_11_c",
		"8..11":         "zone_8_c zone_9_c zone_10_c zone_11_c",
		"[L, 1..2, R]":  "zone_l_c zone_1_c zone_2_c zone_r_c",
		"[1..2, 5..6]":  "zone_1_c zone_2_c zone_5_c zone_6_c",
		"[998..1000]":   "zone_998_c zone_999_c zone_1000_c",
		"[north, 2, B]": "zone_north_c zone_2_c zone_b_c",
	} {
		m := parse(t, `
plant: p
site: s
zone: UTC
areas: [{id: a}]
calendars: [{name: c}]
classes: [{name: furnace, namespace: "urn:x", signals: [{name: "zone_{each}_c", description: "zone {each}", each: `+each+`, node: "s=Zone{each}"}]}]
units: [{id: F-1, class: furnace, area: a, calendar: c}]
`)
		var got []string
		for i := range m.Classes[0].Signals {
			s := &m.Classes[0].Signals[i]
			got = append(got, s.Name)
			number := strings.TrimSuffix(strings.TrimPrefix(s.Name, "zone_"), "_c")
			if !strings.EqualFold(s.Description, "zone "+number) || !strings.EqualFold(s.Node, "s=Zone"+number) {
				t.Errorf("each: %s: %s has %q and %q", each, s.Name, s.Description, s.Node)
			}
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("each: %s (-want +got):\n%s", each, diff)
		}
	}
}
