package uasession

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSequenceArithmetic(t *testing.T) {
	const top = math.MaxUint32
	for _, c := range []struct {
		a, b     uint32
		distance uint32
		ahead    bool
	}{
		{1, 1, 0, true},
		{1, 2, 1, true},
		{2, 1, top - 1, false},
		{top, 1, 1, true}, // 0 is never used
		{top - 1, 1, 2, true},
		{1, top, top - 1, false},
		{5, 4, top - 1, false},
		{1, 1 << 31, 1<<31 - 1, false},
		{1, 1<<31 - 1, 1<<31 - 2, true},
	} {
		if d := seqDistance(c.a, c.b); d != c.distance {
			t.Errorf("distance %d → %d is %d, want %d", c.a, c.b, d, c.distance)
		}
		if got := seqAhead(c.a, c.b); got != c.ahead {
			t.Errorf("%d ahead of %d: %v, want %v", c.b, c.a, got, c.ahead)
		}
	}
	if nextSeq(top) != 1 || nextSeq(1) != 2 || previousSeq(1) != top || previousSeq(2) != 1 {
		t.Error("the circle is not closed at 1")
	}
}

// Whatever order messages, duplicates and keep-alives come in, each message that is not given up is delivered once
// and in order, also around the rollover.
func TestSequencerDeliversOnceInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.OneOf(rapid.Just(uint32(1)), rapid.Uint32Range(math.MaxUint32-30, math.MaxUint32), rapid.Uint32Range(maxStart+1, 1<<30)).Draw(t, "start")
		s := newSequencer[uint32]()
		s.begin(start)
		count := rapid.IntRange(1, 60).Draw(t, "messages")
		numbers := append(make([]uint32, 0, count+1), start)
		for range count {
			numbers = append(numbers, nextSeq(numbers[len(numbers)-1]))
		}
		lost := rapid.SliceOfN(rapid.Bool(), len(numbers), len(numbers)).Draw(t, "lost")
		var sent []uint32
		for i, n := range numbers {
			if !lost[i] {
				sent = append(sent, n)
			}
		}
		sent = rapid.Permutation(sent).Draw(t, "order")
		sent = append(sent, rapid.SliceOf(rapid.SampledFrom(numbers)).Draw(t, "again")...)

		var delivered []uint32
		drain := func() {
			for {
				n, m, ok := s.drain()
				if !ok {
					return
				}
				if n != m {
					t.Fatalf("message %d under number %d", m, n)
				}
				delivered = append(delivered, m)
			}
		}
		for _, n := range sent {
			if rapid.Bool().Draw(t, "keep-alive") {
				s.announce(n)
			}
			if s.accept(n, n) == inOrder {
				delivered = append(delivered, n)
				drain()
			}
		}
		end := nextSeq(numbers[len(numbers)-1])
		s.announce(end)
		for s.missing() {
			before := s.next
			s.skipTo(s.known())
			if s.next == before {
				t.Fatal("giving up does not advance")
			}
			drain()
		}
		if s.next != end || len(s.held) != 0 {
			t.Fatalf("ends at %d with %d held, want %d and none", s.next, len(s.held), end)
		}
		seen := make(map[uint32]bool)
		for i, n := range delivered {
			if seen[n] {
				t.Fatalf("message %d delivered twice", n)
			}
			seen[n] = true
			if i > 0 && !seqAhead(delivered[i-1], n) {
				t.Fatalf("message %d after %d", n, delivered[i-1])
			}
		}
		for _, n := range sent {
			if !seen[n] {
				t.Fatalf("message %d was sent and not delivered", n)
			}
		}
	})
}

func TestSequencerFollowsAServerThatBeginsElsewhere(t *testing.T) {
	s := newSequencer[int]()
	if v := s.accept(70002, 2); v != inOrder {
		t.Errorf("first message: %v", v)
	}
	if v := s.accept(70001, 1); v != early {
		t.Errorf("message that was overtaken by the first one: %v", v)
	}
	if v := s.accept(70002, 2); v != duplicate {
		t.Errorf("first message again: %v", v)
	}
	if s.missing() {
		t.Error("something is missing")
	}
	s = newSequencer[int]()
	if v := s.accept(4, 4); v != ahead || !s.missing() || s.next != 1 {
		t.Errorf("a start at 4 means that 1 to 3 were lost: %v, next %d", v, s.next)
	}
}

func TestListedAcknowledgements(t *testing.T) {
	sub := &subscription{}
	if !sub.listed(7) {
		t.Error("without a list everything may be acknowledged")
	}
	sub.keepList(10, []uint32{8, 9})
	sub.keepList(9, []uint32{7}) // an older answer that comes late
	for n, want := range map[uint32]bool{7: false, 8: true, 9: true, 10: true, 11: true} {
		if got := sub.listed(n); got != want {
			t.Errorf("message %d listed: %v, want %v", n, got, want)
		}
	}
	if !slices.Equal(sub.avail, []uint32{8, 9}) {
		t.Errorf("list %v", sub.avail)
	}
}
