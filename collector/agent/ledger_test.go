package agent

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvarts/historian/telemetry"
)

// An item that is refused for days has an entry for every try; the page shows one gap, up to the newest end.
func TestPageShowsOneGapOfAnItem(t *testing.T) {
	l := &ledger{now: func() telemetry.Instant { return at0 }}
	entry := func(signal string, cause telemetry.Cause, from, to time.Duration) telemetry.Gap {
		return telemetry.Gap{Server: "s", Group: "g", Signal: signal, Cause: cause, From: at0.Add(from), To: at0.Add(to), Count: -1}
	}
	l.note(entry("a", telemetry.CauseItem, 0, 20))
	l.note(entry("b", telemetry.CauseItem, 0, 20))
	l.note(entry("a", telemetry.CauseItem, 10, 40))
	l.note(entry("a", telemetry.CauseItem, 30, 90))
	l.note(entry("a", telemetry.CauseItem, 30, 50))     // its true end
	l.note(entry("a", telemetry.CauseItem, 60, 70))     // refused again later
	l.note(entry("a", telemetry.CauseOverflow, 0, 20))  // losses with a count of their own
	l.note(entry("a", telemetry.CauseOverflow, 20, 30)) // stay apart
	got, n := l.gaps()
	want := []telemetry.Gap{
		entry("a", telemetry.CauseOverflow, 20, 30), entry("a", telemetry.CauseOverflow, 0, 20), entry("a", telemetry.CauseItem, 60, 70),
		entry("b", telemetry.CauseItem, 0, 20), entry("a", telemetry.CauseItem, 0, 50),
	}
	if diff := cmp.Diff(want, got); diff != "" || n != 8 {
		t.Errorf("%d entries, -want +got:\n%s", n, diff)
	}
}
