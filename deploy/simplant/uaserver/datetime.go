package uaserver

import "time"

// DateTime is an OPC UA DateTime: ticks of 100 ns since 1601-01-01 UTC. Zero is the
// null timestamp, which a DataValue leaves out. Any other value is sent as it is, also
// values no clock shows (OPC 10000-6 §5.2.2.5).
type DateTime int64

// unixEpoch is 1970-01-01 in ticks since 1601.
const unixEpoch DateTime = 116444736000000000

// ticksPerSecond is the number of 100 ns ticks in a second.
const ticksPerSecond = 10_000_000

// DateTimeOf converts t, cutting what is below 100 ns. The zero time becomes null.
func DateTimeOf(t time.Time) DateTime {
	if t.IsZero() {
		return 0
	}
	return unixEpoch + DateTime(t.Unix())*ticksPerSecond + DateTime(t.Nanosecond()/100)
}

// Time converts d back, exactly; null becomes the zero time.
func (d DateTime) Time() time.Time {
	if d == 0 {
		return time.Time{}
	}
	rel := d - unixEpoch
	sec := int64(rel / ticksPerSecond)
	ticks := int64(rel % ticksPerSecond)
	return time.Unix(sec, ticks*100).UTC()
}
