package forward

import (
	"slices"
	"sort"

	"kvarts/collector/buffer"
)

// rangeSet is a set of sequence numbers, kept as disjoint ranges in rising order that do not touch. It stays small:
// what is claimed ahead of the rest is bounded by the windows of the lanes.
type rangeSet []buffer.Range

// at is the index of the first range that ends at seq or later.
func (s rangeSet) at(seq uint64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].To >= seq })
}

func (s rangeSet) has(seq uint64) bool {
	i := s.at(seq)
	return i < len(s) && s[i].From <= seq
}

// next is the smallest number from seq on that is not in s.
func (s rangeSet) next(seq uint64) uint64 {
	if i := s.at(seq); i < len(s) && s[i].From <= seq {
		return s[i].To + 1
	}
	return seq
}

// add puts [from, to] into s.
func (s *rangeSet) add(from, to uint64) {
	if to < from {
		return
	}
	i := s.at(from)
	if i > 0 && (*s)[i-1].To+1 == from {
		i--
	}
	j := i
	for j < len(*s) && (*s)[j].From <= to+1 {
		from, to = min(from, (*s)[j].From), max(to, (*s)[j].To)
		j++
	}
	*s = slices.Replace(*s, i, j, buffer.Range{From: from, To: to})
}

// missing lists the ranges of [from, to] that are not in s.
func (s rangeSet) missing(from, to uint64) []buffer.Range {
	var out []buffer.Range
	for from = s.next(from); from <= to; {
		end := to
		if i := s.at(from); i < len(s) && s[i].From <= to {
			end = s[i].From - 1
		}
		out = append(out, buffer.Range{From: from, To: end})
		from = s.next(end + 1)
	}
	return out
}
