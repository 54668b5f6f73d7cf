package ledger_test

import (
	"errors"
	"testing"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/telemetry"
)

// TestNewRefuses names list, index and value of what is wrong.
func TestNewRefuses(t *testing.T) {
	roll := ledger.Rule{Kind: ledger.Rollover, Modulus: exact.Int(100)}
	read := func(values ...int64) []ledger.Reading {
		var out []ledger.Reading
		for i, v := range values {
			out = append(out, ledger.Reading{At: telemetry.Instant(i), Value: exact.Int(v)})
		}
		return out
	}
	for _, c := range []struct {
		change func(*ledger.Input)
		want   string
	}{
		{func(in *ledger.Input) { in.Shifts = calendar.Set{{From: 1, To: 1}} }, "shifts[0]: [1970-01-01T00:00:00.000000001Z, 1970-01-01T00:00:00.000000001Z): is empty"},
		{func(in *ledger.Input) { in.PlannedStops = calendar.Set{{From: 1, To: 3}, {From: 2, To: 4}} }, "planned_stops[1]: [1970-01-01T00:00:00.000000002Z, 1970-01-01T00:00:00.000000004Z): begins before the one before it ends"},
		{func(in *ledger.Input) { in.Alive = calendar.Set{{From: 2, To: 1}} }, "alive[0]: [1970-01-01T00:00:00.000000002Z, 1970-01-01T00:00:00.000000001Z): is empty"},
		{func(in *ledger.Input) { in.States = []ledger.State{{At: 2}, {At: 1}} }, "states[1]: 1970-01-01T00:00:00.000000001Z: is not after the one before"},
		{func(in *ledger.Input) { in.States = []ledger.State{{At: -3e18}} }, "states[0]: 1874-12-07T18:40:00Z: is not between 1900 and 2190"},
		{func(in *ledger.Input) { in.States = []ledger.State{{Category: 8}} }, "states[0]: 8: is no category"},
		{func(in *ledger.Input) { in.Limits = []ledger.Limits{{MinorStop: -time.Second}} }, "limits[0]: -1s: is negative"},
		{func(in *ledger.Input) { in.Limits = []ledger.Limits{{From: 1}, {From: 0}} }, "limits[1]: 1970-01-01T00:00:00Z: is not after the one before"},
		{func(in *ledger.Input) { in.Total = &ledger.Counter{Readings: read(1, -2)} }, "total.readings[1]: -2: is negative"},
		{func(in *ledger.Input) { in.Good = &ledger.Counter{Readings: []ledger.Reading{{At: 1}, {At: 1}}} }, "good.readings[1]: 1970-01-01T00:00:00.000000001Z: is not after the one before"},
		{func(in *ledger.Input) { in.Scrap = &ledger.Counter{Readings: []ledger.Reading{{Value: num("1/2")}}} }, "scrap.readings[0]: 1/2: is not a whole number of quanta within 64 bits"},
		{func(in *ledger.Input) {
			in.Energy = &ledger.Counter{Readings: read(99, 100), Rules: []ledger.Rule{roll}}
		}, "energy.readings[1]: 100: is not below the modulus 100"},
		{func(in *ledger.Input) { in.Total = &ledger.Counter{Rules: []ledger.Rule{{Kind: ledger.Rollover}}} }, "total.rules[0]: 0: is not above zero"},
		{func(in *ledger.Input) { in.Total = &ledger.Counter{Rules: []ledger.Rule{{Kind: 2}}} }, "total.rules[0]: 2: is no kind of rule"},
		{func(in *ledger.Input) { in.Total = &ledger.Counter{Rules: []ledger.Rule{{Epsilon: exact.Int(-1)}}} }, "total.rules[0]: -1: is negative"},
		{func(in *ledger.Input) { in.Total = &ledger.Counter{Beat: -1} }, "total.beat: -1ns: is negative"},
		{func(in *ledger.Input) { in.Total = &ledger.Counter{Blind: calendar.Set{{}}} }, "total.blind[0]: [1970-01-01T00:00:00Z, 1970-01-01T00:00:00Z): is empty"},
		{func(in *ledger.Input) { in.Total = &ledger.Counter{Swaps: []ledger.Swap{{At: 1}, {At: 1}}} }, "total.swaps[1]: 1970-01-01T00:00:00.000000001Z: is not after the one before"},
		{func(in *ledger.Input) {
			in.Total = &ledger.Counter{Swaps: []ledger.Swap{{Initial: exact.Int(100)}}, Rules: []ledger.Rule{roll}}
		}, "total.swaps[0]: 100: is not below the modulus 100"},
		{func(in *ledger.Input) { in.Ideals = []ledger.Ideal{{Seconds: exact.Int(-1)}} }, "ideals[0]: -1: is negative"},
		{func(in *ledger.Input) { in.Watts = []ledger.Watts{{PerPiece: exact.Int(-1)}} }, "watts[0]: -1: is negative"},
		{func(in *ledger.Input) { in.Booked = []ledger.Booking{{}} }, "booked[0]: [1970-01-01T00:00:00Z, 1970-01-01T00:00:00Z): does not end after it begins"},
		{func(in *ledger.Input) {
			in.Booked = []ledger.Booking{{Interval: calendar.Interval{To: 1}, Good: exact.Int(-1)}}
		}, "booked[0]: -1: is negative"},
		{func(in *ledger.Input) {
			in.ScrapReports = []ledger.ScrapReport{{Made: calendar.Interval{To: 1}, Quantity: exact.Int(-7)}}
		}, "scrap_reports[0]: -7: is negative"},
		{func(in *ledger.Input) { in.Power = &ledger.Power{Readings: []ledger.PowerReading{{MW: exact.Int(-7)}}} }, "power.readings[0]: -7: is negative"},
		{func(in *ledger.Input) { in.Power = &ledger.Power{Bounds: []ledger.PowerBounds{{Hold: -7}}} }, "power.bounds[0]: -7ns: is negative"},
		{func(in *ledger.Input) {
			in.Power = &ledger.Power{Bounds: []ledger.PowerBounds{{HasRated: true, Rated: exact.Int(-7)}}}
		}, "power.bounds[0]: -7: is negative"},
	} {
		in := &ledger.Input{Unit: "U", Horizon: 100}
		c.change(in)
		_, err := ledger.New(in)
		var bad *ledger.InputError
		if !errors.As(err, &bad) || err.Error() != `input of unit "U": `+c.want {
			t.Errorf("New: %v\nwant input of unit \"U\": %s", err, c.want)
		}
	}
}
