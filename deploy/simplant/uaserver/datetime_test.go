package uaserver

import (
	"math"
	"testing"
	"time"
)

func TestDateTime(t *testing.T) {
	f := func(at time.Time, want DateTime) {
		t.Helper()
		if got := DateTimeOf(at); got != want {
			t.Errorf("DateTimeOf(%v) = %d, want %d", at, got, want)
		}
		if want == 0 {
			return
		}
		if back := want.Time(); !back.Equal(at.Truncate(100 * time.Nanosecond)) {
			t.Errorf("%d.Time() = %v, want %v", want, back, at)
		}
	}
	f(time.Time{}, 0)
	f(time.Unix(0, 0), unixEpoch)
	f(time.Unix(0, 123_456_789), unixEpoch+1_234_567)
	f(time.Date(1601, 1, 1, 0, 0, 0, 100, time.UTC), 1)
	f(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), 134399088000000000)
	f(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), 2650467743990000000)
	if y := DateTime(math.MaxInt64).Time().Year(); y != 30828 {
		t.Errorf("largest DateTime is in year %d", y)
	}
}
