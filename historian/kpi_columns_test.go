package main

import (
	"testing"

	"kvarts/historian/exact"
	"kvarts/historian/kpi"
)

func TestHowNumbersAreShown(t *testing.T) {
	v := func(n, d int64) kpi.Value { return kpi.Value{Num: exact.Frac(n, d)} }
	none := kpi.Value{Null: true}
	for _, k := range []struct {
		show func(kpi.Value) string
		v    kpi.Value
		want string
	}{
		{percent, v(19, 20), "95.0 %"}, {percent, v(1, 3), "33.3 %"}, {percent, v(0, 1), "0.0 %"}, {percent, v(-1, 5000), "0.0 %"}, {percent, v(-1, 50), "-2.0 %"}, {percent, none, "-"},
		{hours, v(0, 1), "0:00"}, {hours, v(12, 1), "12 s"}, {hours, v(41040, 1), "11:24"}, {hours, v(-5400, 1), "-1:30"}, {hours, v(-7, 1), "-7 s"},
		{hours, v(3599, 1), "1:00"}, {hours, none, "-"},
		{number, v(1234567, 1), "1 234 567"}, {number, v(-1234, 1), "-1 234"}, {number, v(123, 1), "123"}, {number, v(5, 2), "2.50"}, {number, v(-1, 5000), "0.00"}, {number, none, "-"},
		{small, v(219185956, 1_000_000_000), "0.2192"}, {small, none, "-"},
		{hoursOrNothing, v(0, 1), ""}, {hoursOrNothing, v(60, 1), "0:01"},
	} {
		if got := k.show(k.v); got != k.want {
			t.Errorf("%s is shown as %q, want %q", k.v, got, k.want)
		}
	}
}
