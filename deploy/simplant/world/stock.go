package world

import "kvarts/historian/plant"

// Stock is lots in the order in which they came, of which is taken from the front.
type Stock struct {
	name    string
	w       *World
	lots    []Held
	have    Quantity
	waiting []*taker
}

// Held is what is left of a lot.
type Held struct {
	Lot      string
	Quantity Quantity
	Note     any // what the maker tells the next one, such as the length of a brick
}

// taker waits for a quantity.
type taker struct {
	u    *Unit
	want Quantity
}

// Have is how much there is.
func (s *Stock) Have() Quantity { return s.have }

// Put brings a lot.
func (s *Stock) Put(h Held) {
	if h.Quantity <= 0 {
		return
	}
	s.lots = append(s.lots, h)
	s.have += h.Quantity
	s.serve()
}

// serve wakes those whose turn it is, one after the other: each takes before the next is asked.
func (s *Stock) serve() {
	if len(s.waiting) == 0 || s.waiting[0].want > s.have {
		return
	}
	first := s.waiting[0]
	s.waiting = s.waiting[1:]
	s.w.At(s.w.now, func() { first.u.next() })
}

// Take takes a quantity for u, from as many lots as it needs. While there is not enough, u stands idle, starved.
func (s *Stock) Take(u *Unit, want Quantity) []Held {
	s.await(u, want)
	out := s.draw(want)
	s.serve()
	return out
}

// TakeLot takes the first lot, whole or what is left of it.
func (s *Stock) TakeLot(u *Unit) Held {
	s.await(u, 1)
	out := s.draw(s.lots[0].Quantity)[0]
	s.serve()
	return out
}

// await lets u wait until there is enough, and its turn.
func (s *Stock) await(u *Unit, want Quantity) {
	if s.have >= want && len(s.waiting) == 0 {
		return
	}
	u.interrupted(plant.Idle, "starved", func() {
		for first := true; first || s.have < want; first = false { // another one may have come at the same moment
			s.waiting = append(s.waiting, &taker{u: u, want: want})
			u.yield()
		}
	})
}

// draw takes from the front.
func (s *Stock) draw(want Quantity) []Held {
	var out []Held
	for want > 0 && len(s.lots) > 0 {
		first := &s.lots[0]
		part := min(want, first.Quantity)
		out = append(out, Held{Lot: first.Lot, Quantity: part, Note: first.Note})
		first.Quantity -= part
		s.have -= part
		want -= part
		if first.Quantity == 0 {
			s.lots = s.lots[1:]
		}
	}
	return out
}
