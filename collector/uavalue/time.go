package uavalue

import (
	"math"
	"math/bits"
	"strings"
	"time"

	"kvarts/historian/telemetry"
)

// A DateTime on the wire counts ticks of 100 ns since 1601-01-01 in an Int64 (Part 6 §5.2.2.5). The transport library
// hands it over as a time.Time made from (ticks - 1970) × 100 ns in 64 bits, which wraps silently outside of 1677 to
// 2262: 9999-12-31 arrives as a day in 1816, year 2500 as one in 1915.
//
// The wrap can be seen and undone exactly. A true time is a whole number of ticks, so its nanoseconds end in 00; each
// wrap moves them by 2^64 ns, which is 16 modulo 100, so the last two digits tell how often it wrapped, up to 25 times
// (14,600 years). Beyond the year 16,000 only the two values that occur are told apart: 0, which arrives as the zero
// time.Time, and Int64.Max, "the latest time there is".
const (
	tickNs       = 100
	epochTicks   = 116444736000000000 // 1601-01-01 to 1970-01-01
	maxWireTicks = math.MaxInt64
	// endOfTime is 9999-12-31T23:59:59.9999999Z, what every later time is to be read as (Part 6 §5.2.2.5).
	endOfTime = 2650467743999999999
)

// maxWireNs is how Int64.Max arrives: (Int64.Max - epochTicks) × 100 in 64 bits.
var maxWireNs = wrapNs(maxWireTicks)

func wrapNs(ticks int64) int64 {
	_, lo := bits.Mul64(uint64(ticks)-epochTicks, tickNs)
	return int64(lo)
}

// wireTicks recovers the ticks since 1601 that t was made from. ok is false for the zero time: the field is absent
// or 0, which both mean "no time".
func wireTicks(t time.Time) (ticks int64, ok bool) {
	if t.IsZero() {
		return 0, false
	}
	ns := t.UnixNano()
	if ns == maxWireNs {
		return endOfTime, true
	}
	// digits = -16 k (mod 100) for k wraps upwards; 16 and 100 share the factor 4, so there are 25 different ones.
	digits := ((ns % tickNs) + tickNs) % tickNs
	if digits == 0 {
		return ns/tickNs + epochTicks, true
	}
	k := int64(0)
	for ; k < 25; k++ {
		if (digits+16*k)%tickNs == 0 {
			break
		}
	}
	switch k {
	case 25: // not from the wire: no number of wraps gives these digits
		return floorDiv(ns, tickNs) + epochTicks, true
	case 24: // one wrap downwards, 1601 to 1677
		hi, lo := uint64(math.MaxUint64), uint64(ns) // ns - 2^64
		return divTicks(hi, lo), true
	}
	// ns + k × 2^64, as 128 bits
	hi := uint64(k)
	if ns < 0 {
		hi--
	}
	return min(divTicks(hi, uint64(ns)), endOfTime), true
}

// divTicks is (hi, lo), a signed number of 128 bits in nanoseconds since 1970 that is a whole number of ticks,
// as ticks since 1601.
func divTicks(hi, lo uint64) int64 {
	if int64(hi) < 0 {
		lo, hi = -lo, ^hi
		if lo == 0 {
			hi++
		}
		q, _ := bits.Div64(hi, lo, tickNs)
		return epochTicks - int64(q)
	}
	q, _ := bits.Div64(hi, lo, tickNs)
	return int64(q) + epochTicks
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// formatTicks writes ticks since 1601 as RFC 3339, UTC, with all seven digits of a tick.
func formatTicks(ticks int64) string {
	ticks = max(0, min(ticks, endOfTime))
	sec := floorDiv(ticks-epochTicks, 10_000_000)
	frac := (ticks - epochTicks) - sec*10_000_000
	return time.Unix(sec, frac*tickNs).UTC().Format("2006-01-02T15:04:05.0000000Z")
}

// Instant converts a time stamp of the wire. present is false when there is none. sane is false when it lies outside
// of what an Instant can hold; text then says which time it was.
func Instant(t time.Time) (at telemetry.Instant, present, sane bool, text string) {
	ticks, ok := wireTicks(t)
	if !ok {
		return 0, false, true, ""
	}
	unix := ticks - epochTicks
	if unix > math.MaxInt64/tickNs || unix < math.MinInt64/tickNs {
		return 0, true, false, formatTicks(ticks)
	}
	return telemetry.Tick(unix).Instant(), true, true, ""
}

// pick applies the tag's rule. finding is empty when the wanted clock was used.
func pick(rule telemetry.TimeRule, source, server time.Time, received telemetry.Instant) (at, srv telemetry.Instant, finding string) {
	src, hasSrc, okSrc, srcText := Instant(source)
	srv, hasSrv, okSrv, srvText := Instant(server)
	// The rule reads 0 as "missing"; clocks that were never set send exactly that.
	if hasSrc && okSrc && src == 0 {
		src = telemetry.SubTicks
	}
	if hasSrv && okSrv && srv == 0 {
		srv = telemetry.SubTicks
	}
	at, finding = rule.Pick(src, srv, received)
	if !okSrc {
		finding = strings.Replace(finding, "source time missing", "source time "+srcText+" is out of range", 1)
	}
	if !okSrv {
		finding = strings.Replace(finding, "server time missing", "server time "+srvText+" is out of range", 1)
	}
	return at, srv, finding
}
