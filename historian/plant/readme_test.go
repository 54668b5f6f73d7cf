package plant

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvarts/historian/markup"
)

// README.md documents the keys that the parser knows, in blocks of the same names, and marks as required what it requires.
func TestReadmeHasEveryKey(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string][]string{}
	block := ""
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "### "); ok {
			block = strings.TrimSpace(name)
		}
		cells := strings.Split(line, "|")
		if len(cells) < 5 || block == "" {
			continue
		}
		if key := strings.Trim(strings.TrimSpace(cells[1]), "*"); strings.TrimSpace(cells[2]) != "meaning" && !strings.HasPrefix(key, "-") {
			documented[block] = append(documented[block], key)
		}
	}
	for _, l := range format.Levels {
		if diff := cmp.Diff(slices.Sorted(slices.Values(l.Keys)), slices.Sorted(slices.Values(documented[l.Name]))); diff != "" {
			t.Errorf("%s (-parser +README):\n%s", l.Name, diff)
		}
		delete(documented, l.Name)
	}
	if len(documented) > 0 {
		t.Errorf("README documents blocks that there are not: %v", sortedKeys(documented))
	}
}

// Every key that the parser knows is read: a value of a wrong kind is reported at it.
func TestEveryKeyIsRead(t *testing.T) {
	const wrong = "{never: {heard: of}}"
	for _, tt := range []struct {
		level  markup.Level
		text   string   // %s is the block's keys
		preset []string // keys that others of the block need
	}{
		{levelFile, "%s", nil}, {levelArea, "areas: [{%s}]", nil}, {levelCalendar, "calendars: [{%s}]", nil}, {levelShift, "calendars: [{shifts: [{%s}]}]", nil},
		{levelStop, "calendars: [{planned_stops: [{%s}]}]", nil}, {levelOnce, "calendars: [{planned_stops: [{once: {%s}}]}]", nil},
		{levelCycle, "calendars: [{shifts: [{cycle: {%s}}]}]", nil}, {levelHoliday, "calendars: [{holidays: [{%s}]}]", nil},
		{levelDated, "products: [{watts: [{%s}]}]", nil}, {levelProduct, "products: [{%s}]", nil}, {levelStage, "stages: [{%s}]", nil},
		{levelClass, "classes: [{%s}]", nil}, {levelSignal, "classes: [{signals: [{%s}]}]", nil},
		{levelCounter, "classes: [{signals: [{kind: counter, counter: {%s}}]}]", []string{"rule: rollover", "modulus: 5"}},
		{levelRoles, "classes: [{roles: {%s}}]", nil}, {levelStateMap, "classes: [{state_maps: [{%s}]}]", nil},
		{levelCode, "classes: [{state_maps: [{codes: {1: {%s}}}]}]", nil}, {levelUnit, "classes: [{name: c}]\nunits: [{%s}]", []string{"id: u", "class: c"}},
		{levelOverride, "classes: [{name: c}]\nunits: [{id: u, class: c, overrides: {u: {%s}}}]", nil}, {levelLine, "lines: [{%s}]", nil},
		{levelStep, "lines: [{steps: [{%s}]}]", nil}, {levelMeter, "meters: [{%s}]", []string{"id: m"}},
		{levelKey, "meters: [{id: m, key: {%s}}]", []string{"kind: shares"}}, {levelGateway, "gateways: [{%s}]", nil}, {levelLimit, "limits: [{%s}]", nil},
	} {
		for _, key := range tt.level.Keys {
			keys := slices.DeleteFunc(slices.Clone(tt.preset), func(s string) bool { return strings.HasPrefix(s, key+":") })
			separator := ", "
			if tt.level.Name == levelFile.Name {
				separator = "\n"
			}
			text := strings.Replace(tt.text, "%s", strings.Join(append(keys, key+": "+wrong), separator), 1)
			_, err := Parse("f", []byte(text))
			if !reports(err, key) {
				t.Errorf("%s: the key %q is not read:\n%s\n%v", tt.level.Name, key, text, err)
			}
		}
	}
}

// reports says that a problem stands at the key, or at what is in it.
func reports(err error, key string) bool {
	var list Problems
	errors.As(err, &list)
	return slices.ContainsFunc(list, func(p Problem) bool {
		return slices.Contains(strings.FieldsFunc(p.Key, func(r rune) bool { return r == '.' || r == '[' || r == ']' }), key)
	})
}
