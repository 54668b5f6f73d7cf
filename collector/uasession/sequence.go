package uasession

// Sequence numbers of notification messages (Part 4 §5.14.1.1) run from 1 to 4294967295 and start again at 1; 0 is
// never used. They are compared on that circle: of two numbers the later is the one that is reached by fewer steps
// forward.
const sequenceCount = 1<<32 - 1

// nextSeq follows n.
func nextSeq(n uint32) uint32 {
	if n == sequenceCount {
		return 1
	}
	return n + 1
}

// seqDistance is how many steps forward lead from a to b, 0 to sequenceCount-1.
func seqDistance(a, b uint32) uint32 {
	if b >= a {
		return b - a
	}
	return sequenceCount - (a - b)
}

// seqAhead says that b lies ahead of a or is a.
func seqAhead(a, b uint32) bool { return seqDistance(a, b) < sequenceCount/2 }

// sequencer puts the messages of one subscription into order.
//
//	           next            target
//	delivered ──┼── missing ──┬──┼── announced by a keep-alive or by a held message
//	                          └─ held: received ahead of their turn
//
// The zero sequencer is not ready; newSequencer begins at 1, where every subscription begins.
type sequencer[T any] struct {
	first  uint32       // the number that began; 0: nothing has come yet
	next   uint32       // the number that is to be delivered next
	target uint32       // the first number not known to be sent: everything from next up to it must exist
	held   map[uint32]T // received, but something before is missing
}

func newSequencer[T any]() *sequencer[T] {
	return &sequencer[T]{next: 1, target: 1, held: make(map[uint32]T)}
}

// resume makes s go on at n, a number that is known to have been used or to be the next.
func (s *sequencer[T]) resume(n uint32) { s.first, s.next, s.target = 1, n, n }

// verdict says what became of a message.
type verdict uint8

const (
	inOrder   verdict = iota // it is next: deliver it, then drain
	early                    // it lies before the first one of a server that begins anywhere: deliver it as it is
	ahead                    // it is held until those before it come or are given up
	duplicate                // it was here before
)

// accept takes message n. inOrder means that the caller delivers it at once and then calls drain.
func (s *sequencer[T]) accept(n uint32, m T) verdict {
	s.begin(n)
	switch {
	case n == s.next:
		s.advance()
		return inOrder
	case !seqAhead(s.next, n):
		// Only a server that does not begin at 1 gets here with messages never seen: they were overtaken by the first.
		if d := seqDistance(n, s.first); s.first != 1 && d > 0 && d <= maxEarly {
			return early
		}
		return duplicate
	}
	if _, ok := s.held[n]; ok {
		return duplicate
	}
	s.held[n] = m
	s.announce(nextSeq(n))
	return ahead
}

// announce notes that the server has used every number before n: what a keep-alive says (it carries the number of the
// next message to come, without using it).
func (s *sequencer[T]) announce(n uint32) {
	s.begin(n)
	if seqAhead(s.target, n) {
		s.target = n
	}
}

const (
	maxStart = 1000 // a first number up to here means that the ones before were lost, a greater one that none was sent
	maxEarly = 16   // more messages than can overtake the first one
)

// begin looks at the first number that comes. Every subscription begins at 1 (Part 4 §5.14.1.1); a server that begins
// elsewhere is followed there.
func (s *sequencer[T]) begin(n uint32) {
	if s.first != 0 {
		return
	}
	s.first = 1
	if n > maxStart {
		s.first, s.next, s.target = n, n, n
	}
}

func (s *sequencer[T]) advance() {
	s.next = nextSeq(s.next)
	if !seqAhead(s.next, s.target) {
		s.target = s.next
	}
}

// drain returns the held message whose turn it is.
func (s *sequencer[T]) drain() (n uint32, m T, ok bool) {
	n = s.next
	if m, ok = s.held[n]; ok {
		delete(s.held, n)
		s.advance()
	}
	return n, m, ok
}

// missing says that message next has been sent and is not here.
func (s *sequencer[T]) missing() bool {
	if s.next == s.target {
		return false
	}
	_, here := s.held[s.next]
	return !here
}

// known is the first message that need not be asked for: the nearest held one, or the target.
func (s *sequencer[T]) known() uint32 {
	first := s.target
	for n := range s.held {
		if seqDistance(s.next, n) < seqDistance(s.next, first) {
			first = n
		}
	}
	return first
}

// skipTo gives up everything before n, which must be known().
func (s *sequencer[T]) skipTo(n uint32) (skipped uint32) {
	skipped = seqDistance(s.next, n)
	s.next = n
	return skipped
}

// previousSeq comes before n.
func previousSeq(n uint32) uint32 {
	if n <= 1 {
		return sequenceCount
	}
	return n - 1
}
