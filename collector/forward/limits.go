package forward

import (
	"sync"
	"time"
)

// Limits of one batch. A single record is always sent, however large it is.
type Limits struct {
	Lines int   // default 20,000
	Bytes int64 // compressed; default 1 MiB
	Raw   int64 // uncompressed, estimated from the length in each gzip member; default 16 MiB (InfluxDB 1.8 refuses 25 MB)
}

func (l *Limits) setDefaults() {
	l.Lines = orDefault(l.Lines, 20_000)
	l.Bytes = orDefault(l.Bytes, 1<<20)
	l.Raw = orDefault(l.Raw, 16<<20)
}

const (
	minShare = 1.0 / 4096
	// slowShare is the least that time-outs shrink batches to: a store that hangs does so at every size.
	slowShare = 1.0 / 64
	// shareGrowth per good batch that filled the share: a limit halved by accident is back after some 15 batches.
	shareGrowth = 1.05
	// ceilingMemory: a size that was refused is not tried again for so long.
	ceilingMemory = 10 * time.Minute
	// slowMemory is the same for a size that was not answered in time: the store may just have been busy.
	slowMemory = 2 * time.Minute
	// ceilingMargin is how close to a refused size the share grows.
	ceilingMargin = 0.9
)

// sizer adapts the size of batches to what the store and the line to it take: halved when a batch is too large or too
// slow, grown slowly by batches that pass. Safe for concurrent use.
type sizer struct {
	max Limits

	mu           sync.Mutex
	share        float64   // of max, in [minShare, 1]
	ceiling      float64   // share of max that was refused or too slow, 0 = none known
	ceilingUntil time.Time // when it is forgotten
	refusal      int64     // uncompressed bytes that were refused, 0 = none known
	refusalUntil time.Time // when it is forgotten
}

func newSizer(l Limits) *sizer { return &sizer{max: l, share: 1} }

// now is the present limit.
func (s *sizer) now() Limits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Limits{
		Lines: max(1, int(s.share*float64(s.max.Lines))),
		Bytes: max(1, int64(s.share*float64(s.max.Bytes))),
		Raw:   max(1, int64(s.share*float64(s.max.Raw))),
	}
}

// fullness is how much of the whole limit a batch is, by its largest measure.
func (s *sizer) fullness(z size) float64 {
	return max(float64(z.lines)/float64(s.max.Lines), float64(z.bytes)/float64(s.max.Bytes), float64(z.raw)/float64(s.max.Raw))
}

// passed tells of a batch that was accepted.
func (s *sizer) passed(z size) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.share >= 1 || s.fullness(z) < 0.7*s.share {
		return
	}
	if time.Now().After(s.ceilingUntil) {
		s.ceiling = 0
	}
	if grown := min(1, s.share*shareGrowth); s.ceiling == 0 || grown < ceilingMargin*s.ceiling {
		s.share = grown
	}
}

// refused tells of a batch that was too large.
func (s *sizer) refused(z size) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shrink(s.fullness(z), minShare, ceilingMemory)
	if now := time.Now(); s.refusal == 0 || z.raw < s.refusal || now.After(s.refusalUntil) {
		s.refusal, s.refusalUntil = z.raw, now.Add(ceilingMemory)
	}
}

// slow tells of a batch that was not answered in time. It reports whether a smaller one is worth a try.
func (s *sizer) slow(z size) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.fullness(z)
	if full <= slowShare {
		return false
	}
	s.shrink(full, slowShare, slowMemory)
	return true
}

func (s *sizer) shrink(full, least float64, memory time.Duration) {
	s.share = max(least, min(s.share, full/2))
	now := time.Now()
	if s.ceiling == 0 || full < s.ceiling || now.After(s.ceilingUntil) {
		s.ceiling = full
	}
	s.ceilingUntil = now.Add(memory)
}

// hopeless says that a batch of that size was refused not long ago.
func (s *sizer) hopeless(z size) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal > 0 && z.raw >= s.refusal && time.Now().Before(s.refusalUntil)
}

// forget takes back what refusals taught: they turned out not to be about size.
func (s *sizer) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.share, s.ceiling, s.refusal = 1, 0, 0
}
