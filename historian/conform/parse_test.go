package conform

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// whole is a vector around parts of one; "" leaves a part out.
func whole(unit, query, top string) string {
	comma := func(s string) string {
		if s == "" {
			return ""
		}
		return ", " + s
	}
	return `{"id": "V", "zone": "Europe/Berlin", "units": [{"id": "U"` + comma(unit) + `}],
		"queries": [{"name": "q", "target": {"unit": "U"}, "window": ["2026-11-02T08:00:00", "2026-11-02T09:00:00"]` + comma(query) + `}]` + comma(top) + `}`
}

func inUnit(s string) string  { return whole(s, "", "") }
func inQuery(s string) string { return whole("", s, "") }
func inTop(s string) string   { return whole("", "", s) }

func inCounter(s string) string { return inUnit(`"counters": {"total": {` + s + `}}`) }
func inPower(s string) string   { return inUnit(`"power": {` + s + `}`) }

// asked is a vector with one query, written out.
func asked(query string) string {
	return `{"id": "V", "zone": "UTC", "units": [{"id": "U"}], "lines": [{"id": "L", "unit_seconds": {"U": 1}, "out": "U"}], "queries": [` + query + `]}`
}

func TestInvalid(t *testing.T) {
	const t8, t9 = `"2026-11-02T08:00:00"`, `"2026-11-02T09:00:00"`
	const reading = `$.units[0].counters.total.readings[0]`
	cases := []struct{ name, text, path, reason string }{
		// JSON
		{"nothing", ``, `$`, "not JSON"},
		{"no JSON", `id: V`, `$`, "line 1 column 1"},
		{"ends too soon", `{"id": "V"`, `$`, "not JSON"},
		{"something follows", `{"id": "V", "zone": "UTC"} {}`, `$`, "not JSON"},
		{"a comma too many", `{"id": "V", "zone": "UTC",}`, `$`, "not JSON"},
		{"a comment", "{\"id\": \"V\", // vector\n\"zone\": \"UTC\"}", `$`, "not JSON"},
		{"byte order mark", "\ufeff" + `{"id": "V", "zone": "UTC"}`, `$`, "not JSON"},
		{"not UTF-8", "{\"id\": \"\xff\", \"zone\": \"UTC\"}", `$`, "UTF-8"},
		{"a list", `[]`, `$`, "a list, want an object"},
		{"null", `null`, `$`, "null, want an object"},
		{"a key twice", `{"id": "V", "zone": "UTC", "id": "V"}`, `$.id`, "twice"},
		{"a code twice", inUnit(`"state_map": {"RUN": "run", "RUN": "stop"}`), `$.units[0].state_map.RUN`, "twice"},
		{"very deep", strings.Repeat("[", 100) + strings.Repeat("]", 100), `$` + strings.Repeat("[0]", 33), "deeper"},
		{"NaN", inUnit(`"minor_stop_s": NaN`), `$`, "not JSON"},
		{"a number with a plus", inUnit(`"minor_stop_s": +1`), `$`, "not JSON"},
		{"a number with a leading zero", inUnit(`"minor_stop_s": 01`), `$`, "not JSON"},

		// top level
		{"no id", `{"zone": "UTC"}`, `$.id`, "missing"},
		{"id null", `{"id": null, "zone": "UTC"}`, `$.id`, "missing"},
		{"id empty", `{"id": "", "zone": "UTC"}`, `$.id`, "missing"},
		{"id a number", `{"id": 12, "zone": "UTC"}`, `$.id`, "a number, want a string"},
		{"no zone", `{"id": "V"}`, `$.zone`, "missing"},
		{"no such zone", `{"id": "V", "zone": "Mars/Olympus"}`, `$.zone`, "Mars/Olympus"},
		{"the zone of this machine", `{"id": "V", "zone": "Local"}`, `$.zone`, "Local"},
		{"a key that is none", inTop(`"unit": []`), `$.unit`, "no such key"},
		{"a key in capitals", inTop(`"Now": "2026-11-02T08:00:00"`), `$.Now`, "no such key"},
		{"a key that needs quotes", inTop(`"a.b c": 1`), `$["a.b c"]`, "no such key"},
		{"title a number", inTop(`"title": 1`), `$.title`, "a number"},
		{"why a list", inTop(`"why": ["a"]`), `$.why`, "a list"},
		{"units an object", `{"id": "V", "zone": "UTC", "units": {"id": "U"}}`, `$.units`, "an object, want a list"},
		{"a unit that is a string", `{"id": "V", "zone": "UTC", "units": ["U"]}`, `$.units[0]`, "a string, want an object"},
		{"a unit without an id", `{"id": "V", "zone": "UTC", "units": [{"line": "L"}]}`, `$.units[0].id`, "missing"},
		{"an id twice", `{"id": "V", "zone": "UTC", "units": [{"id": "U"}, {"id": "W"}, {"id": "U"}]}`, `$.units[2].id`, "first at $.units[0].id"},

		// times
		{"now a number", inTop(`"now": 1762070400`), `$.now`, "a number"},
		{"a day without a time", inTop(`"now": "2026-11-02"`), `$.now`, "not a time"},
		{"a blank instead of T", inTop(`"now": "2026-11-02 08:00:00"`), `$.now`, "not a time"},
		{"ten decimals", inTop(`"now": "2026-11-02T08:00:00.0000000001"`), `$.now`, "not a time"},
		{"a point without decimals", inTop(`"now": "2026-11-02T08:00:00."`), `$.now`, "not a time"},
		{"30 February", inTop(`"now": "2026-02-30T08:00:00"`), `$.now`, "not a time"},
		{"hour 25", inTop(`"now": "2026-11-02T25:00:00"`), `$.now`, "not a time"},
		{"leap second", inTop(`"now": "2026-11-02T08:00:60"`), `$.now`, "not a time"},
		{"a zone's name behind", inTop(`"now": "2026-11-02T08:00:00 CET"`), `$.now`, "not a time"},
		{"an offset of 25 hours", inTop(`"now": "2026-11-02T08:00:00+25:00"`), `$.now`, "not a time"},
		{"year 2500", inTop(`"now": "2500-01-01T00:00:00"`), `$.now`, "not a time"},
		{"year 2200", inTop(`"now": "2200-01-01T00:00:00"`), `$.now`, "outside"},

		// calendar
		{"no such kind", inUnit(`"calendar": [{"kind": "holiday", "from": ` + t8 + `, "to": ` + t9 + `}]`), `$.units[0].calendar[0].kind`, "holiday"},
		{"a shift without kind", inUnit(`"calendar": [{"from": ` + t8 + `, "to": ` + t9 + `}]`), `$.units[0].calendar[0].kind`, "missing"},
		{"a shift without end", inUnit(`"calendar": [{"kind": "shift", "from": ` + t8 + `}]`), `$.units[0].calendar[0].to`, "missing"},
		{"an empty shift", inUnit(`"calendar": [{"kind": "shift", "from": ` + t8 + `, "to": ` + t8 + `}]`), `$.units[0].calendar[0].to`, "does not end"},
		{"a shift backwards", inUnit(`"calendar": [{"kind": "shift", "from": ` + t9 + `, "to": ` + t8 + `}]`), `$.units[0].calendar[0].to`, "does not end"},
		{"an interval that a clock change takes away", inUnit(`"alive": [["2026-03-29T02:30:00", "2026-03-29T03:30:00"]]`), `$.units[0].alive[0][1]`, "does not end"},
		{"a name for a shift", inUnit(`"calendar": [{"kind": "shift", "name": "A", "from": ` + t8 + `, "to": ` + t9 + `}]`), `$.units[0].calendar[0].name`, "no such key"},

		// states
		{"no such category", inUnit(`"state_map": {"RUN": "running"}`), `$.units[0].state_map.RUN`, "running"},
		{"a category in capitals", inUnit(`"state_map": {"RUN": "RUN"}`), `$.units[0].state_map.RUN`, "RUN"},
		{"a SEMI name in small letters", inUnit(`"state_map": {"RUN": "prd"}`), `$.units[0].state_map.RUN`, "prd"},
		{"a category that is a number", inUnit(`"state_map": {"RUN": 1}`), `$.units[0].state_map.RUN`, "a number"},
		{"a code that is a number", inUnit(`"states": [[` + t8 + `, 1]]`), `$.units[0].states[0][1]`, "a number"},
		{"a state without a code", inUnit(`"states": [[` + t8 + `]]`), `$.units[0].states[0]`, "a list of 1"},
		{"a state with a fourth value", inUnit(`"states": [[` + t8 + `, "RUN", "Good", 1]]`), `$.units[0].states[0]`, "a list of 4"},
		{"a state that is an object", inUnit(`"states": [{"at": ` + t8 + `}]`), `$.units[0].states[0]`, "an object"},
		{"no such quality", inUnit(`"states": [[` + t8 + `, "RUN", "good"]]`), `$.units[0].states[0][2]`, "good"},
		{"a quality that is a number", inUnit(`"states": [[` + t8 + `, "RUN", 192]]`), `$.units[0].states[0][2]`, "a number"},
		{"alive true", inUnit(`"alive": true`), `$.units[0].alive`, "a boolean"},
		{"alive with one time", inUnit(`"alive": [[` + t8 + `]]`), `$.units[0].alive[0]`, "a list of 1"},
		{"alive at no time", inUnit(`"alive": [[` + t8 + `, ` + t8 + `]]`), `$.units[0].alive[0][1]`, "does not end"},

		// ideal, limits
		{"an ideal of 0", inUnit(`"ideal": [{"product": "M", "seconds_per_unit": 0}]`), `$.units[0].ideal[0].seconds_per_unit`, "not above 0"},
		{"a negative ideal", inUnit(`"ideal": [{"product": "M", "seconds_per_unit": "-1/2"}]`), `$.units[0].ideal[0].seconds_per_unit`, "not above 0"},
		{"an ideal without product", inUnit(`"ideal": [{"seconds_per_unit": 1}]`), `$.units[0].ideal[0].product`, "missing"},
		{"an ideal without seconds", inUnit(`"ideal": [{"product": "M"}]`), `$.units[0].ideal[0].seconds_per_unit`, "missing"},
		{"a negative limit", inUnit(`"minor_stop_s": -1`), `$.units[0].minor_stop_s`, "negative"},
		{"a number that is none", inUnit(`"minor_stop_s": "five"`), `$.units[0].minor_stop_s`, "not an integer"},
		{"a fraction of 0", inUnit(`"minor_stop_s": "1/0"`), `$.units[0].minor_stop_s`, "not an integer"},
		{"a fraction of decimals", inUnit(`"minor_stop_s": "1.5/2"`), `$.units[0].minor_stop_s`, "not an integer"},
		{"a fraction of fractions", inUnit(`"minor_stop_s": "1/2/3"`), `$.units[0].minor_stop_s`, "not an integer"},
		{"a decimal comma", inUnit(`"minor_stop_s": "1,5"`), `$.units[0].minor_stop_s`, "not an integer"},
		{"a blank in a number", inUnit(`"minor_stop_s": " 5"`), `$.units[0].minor_stop_s`, "not an integer"},
		{"hexadecimal", inUnit(`"minor_stop_s": "0x10"`), `$.units[0].minor_stop_s`, "not an integer"},
		{"infinity", inUnit(`"minor_stop_s": "Inf"`), `$.units[0].minor_stop_s`, "not an integer"},
		{"a boolean for a number", inUnit(`"minor_stop_s": true`), `$.units[0].minor_stop_s`, "a boolean"},
		{"a gigabyte of zeros", inUnit(`"minor_stop_s": 1e1000000000`), `$.units[0].minor_stop_s`, "not an integer"},

		// counters
		{"no such counter", inUnit(`"counters": {"rework": {"readings": []}}`), `$.units[0].counters.rework`, "no such key"},
		{"no such rule", inCounter(`"rule": {"kind": "wrap"}`), `$.units[0].counters.total.rule.kind`, "wrap"},
		{"a rollover without modulus", inCounter(`"rule": {"kind": "rollover"}`), `$.units[0].counters.total.rule.modulus`, "missing"},
		{"a modulus of 0", inCounter(`"rule": {"kind": "rollover", "modulus": 0}`), `$.units[0].counters.total.rule.modulus`, "not above 0"},
		{"a negative epsilon", inCounter(`"rule": {"epsilon": -1}`), `$.units[0].counters.total.rule.epsilon`, "negative"},
		{"a negative rate", inCounter(`"rule": {"kind": "rollover", "modulus": 9, "max_per_s": "-1"}`), `$.units[0].counters.total.rule.max_per_s`, "negative"},
		{"a value at the modulus", inCounter(`"rule": {"kind": "rollover", "modulus": 100}, "readings": [[` + t8 + `, 100]]`), reading + `[1]`, "not below the modulus"},
		{"the rule behind the values", inCounter(`"readings": [[` + t8 + `, 100]], "rule": {"kind": "rollover", "modulus": 100}`), reading + `[1]`, "not below the modulus"},
		{"the final value of a meter at the modulus", inCounter(`"rule": {"kind": "rollover", "modulus": 100}, "swaps": [{"at": ` + t8 + `, "final": "100.0", "initial": 0}]`), `$.units[0].counters.total.swaps[0].final`, "modulus"},
		{"a negative value", inCounter(`"readings": [[` + t8 + `, "-0.5"]]`), reading + `[1]`, "negative"},
		{"a negative value of bad quality", inCounter(`"readings": [[` + t8 + `, -1, "Bad"]]`), reading + `[1]`, "negative"},
		{"a value that is null", inCounter(`"readings": [[` + t8 + `, null]]`), reading + `[1]`, "null"},
		{"a time that is null", inCounter(`"readings": [[null, 1]]`), reading + `[0]`, "null"},
		{"half a revision", inCounter(`"readings": [[` + t8 + `, 1, "Good", "1/2"]]`), reading + `[3]`, "whole"},
		{"known at a number", inCounter(`"readings": [[` + t8 + `, 1, "Good", 0, 5]]`), reading + `[4]`, "a number"},
		{"a sixth value", inCounter(`"readings": [[` + t8 + `, 1, "Good", 0, ` + t8 + `, 1]]`), reading, "a list of 6"},
		{"a reading alone", inCounter(`"readings": [` + t8 + `]`), reading, "a string"},
		{"a swap without initial", inCounter(`"swaps": [{"at": ` + t8 + `, "final": 1}]`), `$.units[0].counters.total.swaps[0].initial`, "missing"},
		{"swaps beside counters", inUnit(`"swaps": []`), `$.units[0].swaps`, "no such key"},

		// bookings, scrap
		{"booked backwards", inUnit(`"booked": [{"from": ` + t9 + `, "to": ` + t8 + `, "total": 1}]`), `$.units[0].booked[0].to`, "does not end"},
		{"booked without total", inUnit(`"booked": [{"from": ` + t8 + `, "to": ` + t9 + `, "good": 1}]`), `$.units[0].booked[0].total`, "missing"},
		{"booked negative", inUnit(`"booked": [{"from": ` + t8 + `, "to": ` + t9 + `, "total": 1, "good": -1}]`), `$.units[0].booked[0].good`, "negative"},
		{"booked before it was made", inUnit(`"booked": [{"from": ` + t8 + `, "to": ` + t9 + `, "total": 1, "reported_at": "2026-11-02T08:59:59.999999999"}]`), `$.units[0].booked[0].reported_at`, "before"},
		{"scrap reported before it was made", inUnit(`"scrap_reports": [{"reported_at": "2026-11-02T08:59:59", "made_from": ` + t8 + `, "made_to": ` + t9 + `, "quantity": 1}]`), `$.units[0].scrap_reports[0].reported_at`, "before"},
		{"scrap made at no time", inUnit(`"scrap_reports": [{"reported_at": ` + t9 + `, "made_from": ` + t8 + `, "made_to": ` + t8 + `, "quantity": 1}]`), `$.units[0].scrap_reports[0].made_to`, "does not end"},
		{"scrap without a report", inUnit(`"scrap_reports": [{"made_from": ` + t8 + `, "made_to": ` + t9 + `, "quantity": 1}]`), `$.units[0].scrap_reports[0].reported_at`, "missing"},
		{"negative scrap", inUnit(`"scrap_reports": [{"reported_at": ` + t9 + `, "made_from": ` + t8 + `, "made_to": ` + t9 + `, "quantity": -1}]`), `$.units[0].scrap_reports[0].quantity`, "negative"},

		// power
		{"power without a hold limit", inPower(`"readings": [[` + t8 + `, 1]]`), `$.units[0].power.hold_s`, "missing"},
		{"power without readings", inPower(`"hold_s": 600`), `$.units[0].power.readings`, "missing"},
		{"power as a list", inUnit(`"power": [[` + t8 + `, 1]]`), `$.units[0].power`, "a list"},
		{"negative power", inPower(`"readings": [[` + t8 + `, -1]], "hold_s": 600`), `$.units[0].power.readings[0][1]`, "negative"},
		{"a negative hold limit", inPower(`"readings": [], "hold_s": -1`), `$.units[0].power.hold_s`, "negative"},
		{"half a nanosecond", inPower(`"readings": [], "hold_s": "0.0000000005"`), `$.units[0].power.hold_s`, "nanoseconds"},
		{"a third of a second", inPower(`"readings": [], "hold_s": "1/3"`), `$.units[0].power.hold_s`, "nanoseconds"},
		{"a negative rating", inPower(`"readings": [], "hold_s": 1, "rated_kw": -1`), `$.units[0].power.rated_kw`, "negative"},

		// lines
		{"a line of a unit that is none", inTop(`"lines": [{"id": "L", "unit_seconds": {"U": 1, "W": 2}, "out": "U"}]`), `$.lines[0].unit_seconds.W`, `no unit "W"`},
		{"out of another line", inTop(`"lines": [{"id": "L", "unit_seconds": {"U": 1}, "out": "W"}]`), `$.lines[0].out`, "not one of the line's units"},
		{"a line without out", inTop(`"lines": [{"id": "L", "unit_seconds": {"U": 1}}]`), `$.lines[0].out`, "missing"},
		{"a line without units", inTop(`"lines": [{"id": "L", "unit_seconds": {}, "out": "U"}]`), `$.lines[0].unit_seconds`, "missing"},
		{"a line's time is negative", inTop(`"lines": [{"id": "L", "unit_seconds": {"U": -1}, "out": "U"}]`), `$.lines[0].unit_seconds.U`, "negative"},
		{"a line twice", inTop(`"lines": [{"id": "L", "unit_seconds": {"U": 1}, "out": "U"}, {"id": "L", "unit_seconds": {"U": 1}, "out": "U"}]`), `$.lines[1].id`, "second use"},

		// queries
		{"a query without a name", asked(`{"target": {"plant": true}, "window": [` + t8 + `, ` + t9 + `]}`), `$.queries[0].name`, "missing"},
		{"a name twice", asked(`{"name": "q", "target": {"plant": true}, "window": [` + t8 + `, ` + t9 + `]}, {"name": "q", "target": {"plant": true}, "window": [` + t8 + `, ` + t9 + `]}`), `$.queries[1].name`, "first at $.queries[0].name"},
		{"no target", asked(`{"name": "q", "window": [` + t8 + `, ` + t9 + `]}`), `$.queries[0].target`, "missing"},
		{"an empty target", asked(`{"name": "q", "target": {}, "window": [` + t8 + `, ` + t9 + `]}`), `$.queries[0].target`, "missing"},
		{"two targets", asked(`{"name": "q", "target": {"unit": "U", "plant": true}, "window": [` + t8 + `, ` + t9 + `]}`), `$.queries[0].target`, "2 targets"},
		{"a target of no units", asked(`{"name": "q", "target": {"units": []}, "window": [` + t8 + `, ` + t9 + `]}`), `$.queries[0].target`, "0 targets"},
		{"no such unit", asked(`{"name": "q", "target": {"unit": "W"}, "window": [` + t8 + `, ` + t9 + `]}`), `$.queries[0].target.unit`, `no unit "W"`},
		{"no such unit among some", asked(`{"name": "q", "target": {"units": ["U", "W"]}, "window": [` + t8 + `, ` + t9 + `]}`), `$.queries[0].target.units[1]`, `no unit "W"`},
		{"a unit twice", asked(`{"name": "q", "target": {"units": ["U", "U"]}, "window": [` + t8 + `, ` + t9 + `]}`), `$.queries[0].target.units[1]`, "second use"},
		{"units that are one", asked(`{"name": "q", "target": {"units": "U"}, "window": [` + t8 + `, ` + t9 + `]}`), `$.queries[0].target.units`, "a string"},
		{"no such line", asked(`{"name": "q", "target": {"line": "M"}, "window": [` + t8 + `, ` + t9 + `]}`), `$.queries[0].target.line`, `no line "M"`},
		{"a line of a comment", `{"id": "V", "zone": "UTC", "units": [{"id": "U", "line": "L1"}], "queries": [{"name": "q", "target": {"line": "L1"}, "window": [` + t8 + `, ` + t9 + `]}]}`, `$.queries[0].target.line`, `no line "L1"`},
		{"plant false", asked(`{"name": "q", "target": {"plant": false}, "window": [` + t8 + `, ` + t9 + `]}`), `$.queries[0].target.plant`, "false"},
		{"plant a string", asked(`{"name": "q", "target": {"plant": "true"}, "window": [` + t8 + `, ` + t9 + `]}`), `$.queries[0].target.plant`, "a string"},
		{"no window", asked(`{"name": "q", "target": {"plant": true}}`), `$.queries[0].window`, "missing"},
		{"an empty list as window", asked(`{"name": "q", "target": {"plant": true}, "window": []}`), `$.queries[0].window`, "a list of 0"},
		{"a window of three", asked(`{"name": "q", "target": {"plant": true}, "window": [` + t8 + `, ` + t9 + `, ` + t9 + `]}`), `$.queries[0].window`, "a list of 3"},
		{"a window backwards", asked(`{"name": "q", "target": {"plant": true}, "window": [` + t9 + `, ` + t8 + `]}`), `$.queries[0].window[1]`, "ends before"},
		{"no such standard", inQuery(`"standard": "E79"`), `$.queries[0].standard`, "E79"},
		{"e79 of a line", asked(`{"name": "q", "target": {"line": "L"}, "window": [` + t8 + `, ` + t9 + `], "standard": "e79"}`), `$.queries[0].standard`, "not for lines"},
		{"chunks of 0", inQuery(`"chunk_s": 0`), `$.queries[0].chunk_s`, "not above 0"},
		{"negative chunks", inQuery(`"chunk_s": -60`), `$.queries[0].chunk_s`, "not above 0"},
		{"chunks of a third", inQuery(`"chunk_s": "1/3"`), `$.queries[0].chunk_s`, "nanoseconds"},
		{"a negative tolerance", inQuery(`"tolerance": -1`), `$.queries[0].tolerance`, "negative"},
		{"a key that is not expected", inQuery(`"expect": {"oee": 1}`), `$.queries[0].expect.oee`, "no such key"},
		{"a key of ours", inQuery(`"expect": {"kwh_per_w": 1}`), `$.queries[0].expect.kwh_per_w`, "no such key"},
		{"a value that is no number", inQuery(`"expect": {"OEE": "high"}`), `$.queries[0].expect.OEE`, "not an integer"},
		{"a value that is a boolean", inQuery(`"expect": {"OEE": true}`), `$.queries[0].expect.OEE`, "a boolean"},
		{"a list of values expected", inQuery(`"expect": {"OEE": [1, 2]}`), `$.queries[0].expect.OEE`, "a list"},
		{"a reason that is a number", inQuery(`"expect": {"reason": 0}`), `$.queries[0].expect.reason`, "a number"},
		{"findings that are a string", inQuery(`"expect": {"findings": "no_ideal"}`), `$.queries[0].expect.findings`, "a string"},
		{"a finding that is a number", inQuery(`"expect": {"findings": [1]}`), `$.queries[0].expect.findings[0]`, "a number"},
		{"not: a value that is no number", inQuery(`"not": {"OEE": [null, 1, "x"]}`), `$.queries[0].not.OEE[2]`, "not an integer"},
		{"not: a list in a list", inQuery(`"not": {"OEE": [[1]]}`), `$.queries[0].not.OEE[0]`, "a list"},
		{"not: no such key", inQuery(`"not": {"X": 1}`), `$.queries[0].not.X`, "no such key"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("file.json", []byte(c.text))
			var invalid *InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("got %v, want an InvalidError", err)
			}
			first := invalid.Problems[0]
			if first.Path != c.path || !strings.Contains(first.Reason, c.reason) {
				t.Errorf("got %s\nwant %s: …%s…", first, c.path, c.reason)
			}
			if len(invalid.Problems) > 1 {
				t.Errorf("one fault told as %d: %v", len(invalid.Problems), invalid)
			}
			if want := "file.json: " + first.String(); err.Error() != want {
				t.Errorf("got %q, want %q", err.Error(), want)
			}
		})
	}
}

// TestValid are the odd things that the format allows.
func TestValid(t *testing.T) {
	const t8, t9 = `"2026-11-02T08:00:00"`, `"2026-11-02T09:00:00"`
	for name, text := range map[string]string{
		"the least":                          `{"id": "V", "zone": "UTC"}`,
		"everything null":                    `{"id": "V", "title": null, "why": null, "zone": "UTC", "now": null, "units": null, "lines": null, "queries": null}`,
		"everything empty":                   `{"id": "V", "title": "", "why": "", "zone": "UTC", "now": "", "units": [], "lines": [], "queries": []}`,
		"a unit of nulls":                    inUnit(`"line": null, "calendar": null, "state_map": null, "states": null, "alive": null, "ideal": null, "minor_stop_s": null, "counters": null, "booked": null, "scrap_reports": null, "power": null`),
		"a unit of empties":                  inUnit(`"line": "", "calendar": [], "state_map": {}, "states": [], "alive": [], "ideal": [], "minor_stop_s": "", "counters": {}, "booked": [], "scrap_reports": [], "power": {}`),
		"counters of nulls and empties":      inUnit(`"counters": {"total": null, "good": {}, "scrap": {"readings": []}, "energy_kwh": {"rule": null, "readings": null, "swaps": null}}`),
		"a query of nulls":                   inQuery(`"asof": null, "standard": null, "chunk_s": null, "tolerance": null, "expect": null, "not": null`),
		"optional values of a tuple":         inCounter(`"readings": [[` + t8 + `, 1, null, null, null], [` + t8 + `, 1, "", "", ""]]`),
		"a target beside nulls":              asked(`{"name": "q", "target": {"unit": "U", "line": null, "units": []}, "window": [` + t8 + `, ` + t9 + `]}`),
		"an empty window":                    asked(`{"name": "q", "target": {"plant": true}, "window": [` + t8 + `, ` + t8 + `]}`),
		"a bad value above the modulus":      inCounter(`"rule": {"kind": "rollover", "modulus": 100}, "readings": [[` + t8 + `, 65535, "Bad"]]`),
		"a power meter without readings":     inPower(`"readings": [], "hold_s": 0, "min_kw": "1/3", "rated_kw": 0`),
		"a hold limit of a thousand years":   inPower(`"readings": [[` + t8 + `, 1]], "hold_s": 31557600000`),
		"scrap reported as it was made":      inUnit(`"scrap_reports": [{"reported_at": ` + t9 + `, "made_from": ` + t8 + `, "made_to": ` + t9 + `, "quantity": 0}]`),
		"booked, reported as it ended":       inUnit(`"booked": [{"from": ` + t8 + `, "to": ` + t9 + `, "total": 1, "product": null, "good": null, "reported_at": ` + t9 + `}]`),
		"good above total":                   inUnit(`"booked": [{"from": ` + t8 + `, "to": ` + t9 + `, "total": 1, "good": 2, "product": "P"}]`),
		"nine decimals and an offset":        inTop(`"now": "2026-11-02T08:00:00.123456789+05:30"`),
		"the hour that comes twice":          inUnit(`"alive": [["2026-10-25T02:30:00", "2026-10-25T02:30:00+01:00"]]`),
		"a line named as a unit":             inTop(`"lines": [{"id": "U", "unit_seconds": {"U": 0}, "out": "U"}]`),
		"an exponent":                        inUnit(`"minor_stop_s": 1.5e1`),
		"a long decimal":                     inUnit(`"minor_stop_s": "0.` + strings.Repeat("3", 300) + `"`),
		"a code that is empty":               inUnit(`"state_map": {"": "run"}, "states": [[` + t8 + `, ""]]`),
		"all that can be expected":           inQuery(`"expect": {"OEE": null, "A": "1/2", "reason": null, "findings": []}, "not": {"OEE": [null, 0, "1/2"], "A": null, "reason": ["no_parts", null], "findings": ["x"]}`),
		"null findings":                      inQuery(`"expect": {"findings": null}`),
		"comments in queries":                inQuery(`"why": "because", "title": "t"`),
		"tiny chunks of a long time":         whole("", `"chunk_s": "0.000000001"`, ""),
		"a modulus that nothing comes of":    inCounter(`"rule": {"kind": "reset", "modulus": 5}, "readings": [[` + t8 + `, 10]]`),
		"known before it was read":           inCounter(`"readings": [[` + t9 + `, 10, "Good", 3, ` + t8 + `]]`),
		"blanks and lines around everything": "\n\t " + inTop(`"now": `+t8) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			v, err := Parse("file.json", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			for i := range v.Queries {
				if _, err := NewRunner(v).Run(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestAllProblems: one run tells all that is wrong, up to a limit.
func TestAllProblems(t *testing.T) {
	_, err := Parse("f", []byte(`{"zone": "UTC", "nov": 1, "units": [{"id": "U", "minor_stop_s": -1}], "queries": [{}]}`))
	var paths []string
	var invalid *InvalidError
	if errors.As(err, &invalid) {
		for _, p := range invalid.Problems {
			paths = append(paths, p.Path)
		}
	}
	want := "$.nov $.id $.units[0].minor_stop_s $.queries[0].name $.queries[0].target $.queries[0].window"
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	_, err = Parse("f", []byte(`{"id": "V", "zone": "UTC", "units": [`+strings.TrimSuffix(strings.Repeat("1,", 1000), ",")+`]}`))
	if !errors.As(err, &invalid) || len(invalid.Problems) != maxProblems {
		t.Errorf("got %d problems, want %d", len(invalid.Problems), maxProblems)
	}
}

// FuzzParse: no text makes the parser or, once accepted, the engine panic, refuse or run away.
func FuzzParse(f *testing.F) {
	for _, dir := range []string{"vectors", "own"} {
		for _, path := range vectorPaths(f, dir) {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Parse("fuzz", data)
		var invalid *InvalidError
		if err != nil {
			if !errors.As(err, &invalid) || len(invalid.Problems) == 0 || invalid.Problems[0].Path == "" {
				t.Fatalf("an error that does not say what is wrong: %v", err)
			}
			return
		}
		r := NewRunner(v)
		for i := range v.Queries {
			o, err := r.Run(i)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := o.MarshalJSON(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
