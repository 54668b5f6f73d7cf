package uaserver

import (
	"fmt"
	"iter"
	"math"
	"sort"
	"time"

	"github.com/gopcua/opcua/ua"
)

// PastRange is the part of a variable's past that a Past is asked for: source times From
// to To, both inclusive, newest first when Backward.
type PastRange struct {
	From, To DateTime
	Backward bool
}

// Past yields the values of a variable whose source times lie in r, in order of time, and
// of values with the same time the last one made last (first, when backward). A value
// without a source time counts by its server time. The range may be all of time, of which
// only the first values are wanted: a Past should make no more than it is asked for.
//
// It is called without locks of the server, from several goroutines, and must give the
// same answer every time, or pages of one HistoryRead will not fit together. Stop waits
// for its end.
type Past func(v *Variable, r PastRange) iter.Seq[Data]

// All of time.
const (
	firstTime DateTime = math.MinInt64
	lastTime  DateTime = math.MaxInt64
)

// memory is the past of a variable as a bounded number of samples in order of time.
// Server.mu guards it.
type memory struct{ ring ring }

// newMemory returns what NodeSpec.History asks for.
func (s *Server) newMemory(most int) *memory {
	if most == 0 {
		most = s.opts.History
	}
	if most <= 0 {
		return nil
	}
	return &memory{ring: ring{limit: most}}
}

// keyTime is the time that a sample has in its variable's history.
func keyTime(source, server DateTime) DateTime {
	if source == 0 {
		return server
	}
	return source
}

// add keeps s behind all samples that are not later, and forgets the oldest one beyond
// the limit.
func (m *memory) add(s *sample) {
	r := &m.ring
	if r.size() == r.limit {
		r.pop()
	}
	r.push(*s)
	at := keyTime(s.source, s.server)
	for i := r.size() - 1; i > 0; i-- { // no step when time goes forward
		before := r.at(i - 1)
		if keyTime(before.source, before.server) <= at {
			break
		}
		*r.at(i), *before = *before, *r.at(i)
	}
}

// search returns how many samples are before t.
func (m *memory) search(t DateTime) int {
	return sort.Search(m.ring.size(), func(i int) bool {
		s := m.ring.at(i)
		return keyTime(s.source, s.server) >= t
	})
}

// between yields the samples in r; Server.mu is held.
func (m *memory) between(r PastRange) iter.Seq[*sample] {
	lo, hi := m.search(r.From), m.ring.size()
	if r.To < lastTime {
		hi = m.search(r.To + 1)
	}
	return func(yield func(*sample) bool) {
		for i := lo; i < hi; i++ {
			at := i
			if r.Backward {
				at = hi - 1 - (i - lo)
			}
			if !yield(m.ring.at(at)) {
				return
			}
		}
	}
}

// past yields the samples of v in r, from memory or from its Past; Server.mu is not held.
// Frozen values that cannot be encoded end it with an error.
func (v *Variable) past(r PastRange, yield func(*sample) bool) error {
	if v.regenerate == nil {
		v.srv.mu.Lock()
		defer v.srv.mu.Unlock()
		v.memory.between(r)(yield)
		return nil
	}
	for d := range v.regenerate(v, r) {
		frozen, err := freeze(d.Value)
		if err != nil {
			return fmt.Errorf("read history of %s: %w", v.id, err)
		}
		if !yield(&sample{value: frozen, status: d.Status, source: d.Source, server: d.Server}) {
			break
		}
	}
	return nil
}

// historizing tells whether v has a past that HistoryRead serves.
func (v *Variable) historizing() bool { return v.memory != nil || v.regenerate != nil }

// HistoryFaults are the ways in which a server answers HistoryRead badly.
type HistoryFaults struct {
	// Status, when not good, is the result of every node.
	Status ua.StatusCode
	// NewestFirst returns a range newest first, also when it was asked for forwards.
	NewestFirst bool
	// SamePoint answers a continuation point with the same page and the same point, over
	// and over.
	SamePoint bool
	// Lag hides values younger than this by the server's clock: a historian that writes
	// behind.
	Lag time.Duration
}

// SetHistoryFaults replaces the faults of HistoryRead; the zero value ends them.
func (s *Server) SetHistoryFaults(f HistoryFaults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.history = f
}
