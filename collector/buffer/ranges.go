package buffer

import "slices"

// rangeSet is a set of sequence numbers, made for sets that are almost "everything up to low". The zero value is empty.
type rangeSet struct {
	low    uint64  // 1…low are in the set
	beyond []Range // sorted, disjoint, not adjacent, all From > low+1
}

// add puts from…to into the set. It reports whether the set grew.
func (s *rangeSet) add(from, to uint64) bool {
	if to < from || to <= s.low || s.has(from, to) {
		return false
	}
	// beyond[i:j] are the ranges that from…to overlaps or touches:
	//
	//	beyond   [ ]   [  i  ]   [ ]   [ j-1 ]    [ j ]
	//	new               [________________]
	//	merged         [_____________________]
	i, _ := slices.BinarySearchFunc(s.beyond, from, func(r Range, from uint64) int {
		if r.To+1 < from {
			return -1
		}
		return 1
	})
	j := i
	for j < len(s.beyond) && s.beyond[j].From <= to+1 {
		from, to = min(from, s.beyond[j].From), max(to, s.beyond[j].To)
		j++
	}
	if from <= s.low+1 {
		s.low = to
		s.beyond = slices.Delete(s.beyond, 0, j)
		return true
	}
	s.beyond = slices.Replace(s.beyond, i, j, Range{from, to})
	return true
}

// has reports whether all of from…to is in the set.
func (s *rangeSet) has(from, to uint64) bool {
	from = max(from, s.low+1)
	if to < from {
		return true
	}
	i, _ := slices.BinarySearchFunc(s.beyond, from, func(r Range, from uint64) int {
		if r.To < from {
			return -1
		}
		return 1
	})
	return i < len(s.beyond) && s.beyond[i].From <= from && to <= s.beyond[i].To
}

// missing calls f for each maximal range within from…to that is not in the set, in order.
func (s *rangeSet) missing(from, to uint64, f func(from, to uint64)) {
	from = max(from, s.low+1)
	for _, r := range s.beyond {
		if from > to {
			return
		}
		if r.To < from {
			continue
		}
		if r.From > from {
			f(from, min(to, r.From-1))
		}
		from = r.To + 1
	}
	if from <= to {
		f(from, to)
	}
}

func (s *rangeSet) clone() rangeSet { return rangeSet{s.low, slices.Clone(s.beyond)} }
