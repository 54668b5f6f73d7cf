package worker

import (
	"time"

	"kvarts/collector/uasession"
	"kvarts/historian/telemetry"
)

const (
	// knownSlack is how much earlier than the last sign of life of a group its values are taken for complete: a message
	// that is missing is asked for again meanwhile.
	knownSlack = 15 * time.Second
	// knownOffset is the largest difference of clocks at which the server's publish times are its own.
	knownOffset = 24 * time.Hour
)

// knownTo says, in the server's clock, up to when all values of each group are with the parent although no message said
// so: a machine that is silent for days must not seem to have lost them when the collector is started again. It knows
// nothing while anything is under way, or when a frame is being written.
func (f *feed) knownTo(s *uasession.ServerState) map[string]telemetry.Instant {
	if !s.Connected || s.ClockRTT == 0 || s.ClockOffset.Abs() > knownOffset || !f.mu.TryLock() {
		return nil
	}
	defer f.mu.Unlock()
	if f.values != s.Counters.Values || f.gaps.Load() != s.Counters.Gaps {
		return nil
	}
	known := map[string]telemetry.Instant{}
	for _, g := range s.Groups {
		if b := f.groups[g.Name]; g.ID == 0 || g.LastSeen == 0 || b != nil && len(b.done) > 0 {
			continue
		}
		known[g.Name] = min(s.LastPublish, g.LastSeen.Add(s.ClockOffset)).Add(-g.Publishing - s.ClockRTT - knownSlack)
	}
	return known
}
