package telemetry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Track numbers the samples of one tag within their ticks and remembers its last status, so that a sample that is
// seen again (republished, read back after a restart) gets its old number and another value in the same tick gets the
// next one: nothing overwrites a different sample.
//
//	tick T     A → T+0   B → T+1   A again → T+0   Bad → T+2
//	tick T+1   C → (T+1)+0
//	clock set back to a tick that is no longer remembered: X → +10 (second run), after a second step back → +20 …
//
// The numbers of a second run exist because a source with a coarse clock meets its old time stamps again after a step
// backwards. They end when the clock has passed the newest time ever seen.
//
// The zero Track is ready. A Track is used by one goroutine.
type Track struct {
	newest  Tick  // newest tick ever numbered
	run     uint8 // 0, or how often the clock was set back below newest
	used    uint8 // how many of recent are filled
	started bool  // a sample was numbered since this process began
	status  Status
	recent  [trackedTicks]seenTick // latest first, in order of arrival
}

type seenTick struct {
	tick  Tick
	base  uint8    // number of the first value
	first uint64   // hash of the first value
	more  []uint64 // hashes of the following ones, nil nearly always
}

const (
	// trackedTicks is how many ticks a tag remembers: enough for the samples of a queue that a server delivers out of
	// order. A server that steps back further is taken for one whose clock was set back.
	trackedTicks = 4
	// runWidth is how many values a tick can hold after the clock was set back; the first run has all 100.
	runWidth = 10
)

// ErrTickFull says that a tick holds as many different values as can be numbered: the sample cannot be stored without
// overwriting another one.
var ErrTickFull = errors.New("no free number left in the tick")

// Next gives s its number within its tick, by changing s.Source (which must be aligned to the tick), and says whether
// the status is to be written with it. It fails with ErrTickFull and changes nothing then.
func (t *Track) Next(s *Sample) (withStatus bool, err error) {
	n, err := t.number(s.Source.Tick(), hashSample(s.Value, s.Status))
	if err != nil {
		return false, fmt.Errorf("number sample of %s at %s: %w", s.Field.Name, s.Source, err)
	}
	s.Source = s.Source.Tick().Instant() + Instant(n)
	withStatus = !t.started || s.Status != t.status
	t.started, t.status = true, s.Status
	return withStatus, nil
}

// SteppedBack says that the source's clock runs through times that were used before.
func (t *Track) SteppedBack() bool { return t.run > 0 }

// Newest is the newest time that was ever numbered.
func (t *Track) Newest() Instant { return t.newest.Instant() }

func (t *Track) number(tick Tick, h uint64) (uint8, error) {
	for i := range t.recent[:t.used] {
		if t.recent[i].tick == tick {
			return t.recent[i].number(h)
		}
	}
	switch {
	case t.used == 0 || tick > t.newest:
		t.newest, t.run = tick, 0
	case tick < t.recent[0].tick: // backwards, to a tick that is not remembered
		if t.run == SubTicks/runWidth-1 {
			return 0, ErrTickFull
		}
		t.run++
	}
	t.push(seenTick{tick: tick, base: t.run * runWidth, first: h})
	return t.run * runWidth, nil
}

func (t *Track) push(s seenTick) {
	copy(t.recent[1:], t.recent[:trackedTicks-1])
	t.recent[0] = s
	t.used = min(t.used+1, trackedTicks)
}

func (s *seenTick) number(h uint64) (uint8, error) {
	if s.first == h {
		return s.base, nil
	}
	for i, m := range s.more {
		if m == h {
			return s.base + 1 + uint8(i), nil
		}
	}
	n := int(s.base) + 1 + len(s.more)
	if n >= SubTicks || (s.base > 0 && n >= int(s.base)+runWidth) {
		return 0, ErrTickFull
	}
	s.more = append(s.more, h)
	return uint8(n), nil
}

// Restore feeds a stored sample back after a restart: value and status as they were stored, at with its number.
// Samples must come in the order in which they were stored.
func (t *Track) Restore(at Instant, v Value, status Status) {
	tick, n := at.Tick(), at.SubTick()
	h := hashSample(v, status)
	for i := range t.recent[:t.used] {
		if r := &t.recent[i]; r.tick == tick {
			if n > r.base && int(n) == int(r.base)+1+len(r.more) {
				r.more = append(r.more, h)
			}
			return
		}
	}
	if t.used == 0 || tick > t.newest {
		t.newest = tick
	}
	t.run = n / runWidth
	if tick == t.newest {
		t.run = 0
	}
	t.push(seenTick{tick: tick, base: t.run * runWidth, first: h})
}

// AppendBinary appends the state of t for a checkpoint; UnmarshalTrack reads it back.
//
//	newest 8 | run 1 | used 1 | used × (tick 8 | base 1 | count 1 | count × hash 8), little endian
func (t *Track) AppendBinary(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.newest))
	dst = append(dst, t.run, t.used)
	for _, r := range t.recent[:t.used] {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(r.tick))
		dst = append(dst, r.base, uint8(1+len(r.more)))
		dst = binary.LittleEndian.AppendUint64(dst, r.first)
		for _, h := range r.more {
			dst = binary.LittleEndian.AppendUint64(dst, h)
		}
	}
	return dst
}

var errTrack = errors.New("checkpoint of a tag is damaged")

// UnmarshalTrack reads one Track from the start of b and returns what follows it.
func UnmarshalTrack(b []byte) (t Track, rest []byte, err error) {
	if len(b) < 10 || b[8] >= SubTicks/runWidth || b[9] > trackedTicks {
		return Track{}, nil, errTrack
	}
	t.newest, t.run, t.used = Tick(binary.LittleEndian.Uint64(b)), b[8], b[9]
	b = b[10:]
	for i := range t.recent[:t.used] {
		if len(b) < 10 {
			return Track{}, nil, errTrack
		}
		r, count := &t.recent[i], int(b[9])
		r.tick, r.base = Tick(binary.LittleEndian.Uint64(b)), b[8]
		b = b[10:]
		if count == 0 || int(r.base)+count > SubTicks || len(b) < 8*count {
			return Track{}, nil, errTrack
		}
		r.first = binary.LittleEndian.Uint64(b)
		for k := 1; k < count; k++ {
			r.more = append(r.more, binary.LittleEndian.Uint64(b[8*k:]))
		}
		b = b[8*count:]
	}
	return t, b, nil
}

// hashSample is FNV-1a over type, value and status. It is stored in checkpoints: changing it needs a new version of
// their format.
func hashSample(v Value, status Status) uint64 {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	mix := func(x uint64) {
		for range 8 {
			h = (h ^ x&0xff) * prime
			x >>= 8
		}
	}
	mix(uint64(v.typ)<<32 | uint64(status))
	switch v.typ {
	case Int:
		mix(uint64(v.i))
	case Float:
		mix(math.Float64bits(v.f))
	case String:
		for i := 0; i < len(v.s); i++ {
			h = (h ^ uint64(v.s[i])) * prime
		}
	}
	return h
}
