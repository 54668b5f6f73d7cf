package upstream_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/lots"
	"kvarts/historian/record"
)

// sums are the totals of a step's sides.
func sums(s *world.Step) (in, good, scrap world.Quantity) {
	for _, p := range s.Inputs {
		in += p.Quantity
	}
	for _, p := range s.Outputs {
		if p.Scrap {
			scrap += p.Quantity
		} else {
			good += p.Quantity
		}
	}
	return in, good, scrap
}

// mass is kept to the gram; of quartz, what no oxygen takes away.
func mass(t *testing.T, _ *world.World, b *book, _ *tally) {
	seen := map[string]int{}
	for i := range b.steps {
		s := &b.steps[i]
		in, good, scrap := sums(s)
		kind, _, _ := strings.Cut(s.ID, "-")
		seen[kind]++
		switch kind {
		case "HEAT":
			si := 28.0855 / 60.0843 * in.Float()
			if y := good.Float() / si; y < 0.82 || y > 0.85 {
				t.Errorf("%s: %.1f %% of the silicon of %s kg quartz is metal", s.ID, 100*y, in)
			}
			if part := scrap.Float() / good.Float(); part < 0.01 || part > 0.05 {
				t.Errorf("%s: %.1f %% slag", s.ID, 100*part)
			}
		case "FILL", "DEP", "REL":
			if in != good+scrap {
				t.Errorf("%s: %s kg go in, %s + %s come out", s.ID, in, good, scrap)
			}
		default:
			t.Errorf("step %s", s.ID)
		}
		if kind == "FILL" {
			checkFilling(t, s, b)
		}
	}
	for _, kind := range []string{"HEAT", "FILL", "DEP", "REL"} {
		if seen[kind] < 2 {
			t.Errorf("%d steps %s", seen[kind], kind)
		}
	}
}

// checkFilling wants exactly 1.15 kg of metal for each kg of silicon that comes into the tank, and all of the old lot in the new one.
func checkFilling(t *testing.T, s *world.Step, b *book) {
	t.Helper()
	var metal, rest world.Quantity
	tanks := 0
	for _, p := range s.Inputs {
		switch b.lots[p.Lot].Kind {
		case "mg":
			metal += p.Quantity
		case "tank":
			rest += p.Quantity
			tanks++
		default:
			t.Errorf("%s takes %s of kind %q", s.ID, p.Lot, b.lots[p.Lot].Kind)
		}
	}
	_, good, _ := sums(s)
	if si := good - rest; metal*100 != si*115 || tanks != 1 {
		t.Errorf("%s: %s kg of metal make %s kg in the tank, and %d old lots go into the new one", s.ID, metal, si, tanks)
	}
}

// genealogy: what is taken of a lot is never more than there was, and never before there was anything. A tank is emptied to the gram.
func genealogy(t *testing.T, w *world.World, b *book, _ *tally) {
	made := b.made()
	left := map[string]world.Quantity{}
	entered := map[string]bool{}
	for _, l := range b.order {
		if entered[l.ID] || l.Quantity <= 0 || l.UnitOf != "kg" {
			t.Errorf("lot %+v", l)
		}
		entered[l.ID], left[l.ID] = true, l.Quantity
		if by := made[l.ID]; by == nil && l.Kind != "quartz" && len(l.Embodied) == 0 {
			t.Errorf("nobody made %s, and it does not say its energy", l.ID)
		} else if by != nil && len(l.Embodied) > 0 {
			t.Errorf("%s made %s, which says its energy", by.ID, l.ID)
		}
	}
	known := map[string]bool{} // lots whose making was entered, or that have none
	for _, l := range b.order {
		known[l.ID] = made[l.ID] == nil
	}
	for i := range b.steps {
		s := &b.steps[i]
		for _, p := range s.Inputs {
			left[p.Lot] -= p.Quantity
			if left[p.Lot] < 0 || p.Quantity <= 0 {
				t.Errorf("%s takes %s kg of %s, %s too many", s.ID, p.Quantity, p.Lot, -left[p.Lot])
			}
			if !known[p.Lot] {
				t.Errorf("%s takes %s, which is not made yet", s.ID, p.Lot) // so that nothing goes in circles
			}
			if b.lots[p.Lot].MadeAt.After(s.To) {
				t.Errorf("%s took %s before it was made", s.ID, p.Lot)
			}
		}
		for _, p := range s.Outputs {
			if known[p.Lot] {
				t.Errorf("%s makes %s again", s.ID, p.Lot)
			}
			known[p.Lot] = true
		}
	}
	batches := 0
	for i := range b.steps {
		if s := &b.steps[i]; strings.HasPrefix(s.ID, "DEP-") && len(s.Inputs) > 2 {
			batches++
		}
	}
	if batches == 0 {
		t.Error("no batch has several lots of the tank")
	}
	if w.Stock("poly").Have() <= 0 {
		t.Error("no polysilicon")
	}
}

// A tank's lot is divided among fillings and batches without a rest.
func TestTankIsEmptied(t *testing.T) {
	w := newWorld(t, models()["1gw"], 9)
	var b book
	w.Observe(b.observer(), world.AsTheModelSays)
	advance(t, w, 30*day) // every batch that took of the first tanks is over
	left := map[string]world.Quantity{}
	for id, l := range b.lots {
		if l.Kind == "tank" {
			left[id] = l.Quantity
		}
	}
	for i := range b.steps {
		for _, p := range b.steps[i].Inputs {
			left[p.Lot] -= p.Quantity
		}
	}
	checked := 0
	for id, kg := range left {
		if l := b.lots[id]; l.Kind == "tank" && l.MadeAt.Before(begin(t).Add(20*day).Time()) {
			checked++
			if kg != 0 {
				t.Errorf("%s kg of %s are nowhere", kg, id)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d lots", checked)
	}
}

// followEachOther: the heats, fillings and batches of a unit follow each other without holes, so that all its energy is in steps.
func followEachOther(t *testing.T, _ *world.World, b *book, _ *tally) {
	end := map[string]world.Step{}
	for _, s := range b.steps {
		if strings.HasPrefix(s.ID, "REL-") {
			continue // takes no time
		}
		from := begin(t).Time()
		if before, ok := end[s.Unit]; ok {
			from = before.To
		}
		if !s.From.Equal(from) || !s.To.After(s.From) {
			t.Errorf("%s: from %s to %s, the one before ended at %s", s.ID, s.From, s.To, from)
		}
		end[s.Unit] = s
	}
}

func TestTheProductReadsTheBook(t *testing.T) {
	w := newWorld(t, models()["demo"], 3)
	var b book
	w.Observe(b.observer(), world.AsTheModelSays)
	advance(t, w, 10*day)
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	for i := range b.order {
		if err := e.Encode(&b.order[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range b.steps {
		if err := e.Encode(&b.steps[i]); err != nil {
			t.Fatal(err)
		}
	}
	got, problems := lots.Read(&text, lots.ReadOptions{Format: lots.JSON, Name: "book.jsonl"})
	if len(problems) > 0 || len(got.Lots) != len(b.order) || len(got.Steps) != len(b.steps) {
		t.Errorf("%d of %d lots, %d of %d steps, problems %v", len(got.Lots), len(b.order), len(got.Steps), len(b.steps), problems)
	}
}

// records are such as the product takes.
func records(t *testing.T, w *world.World, b *book, all *tally) {
	ids := map[string]bool{}
	for i := range b.records {
		r := &b.records[i]
		if err := r.Check(); err != nil {
			t.Errorf("%s of %s: %v", r.Kind, r.Unit, err)
		}
		if ids[r.ID] {
			t.Errorf("two records %s", r.ID)
		}
		ids[r.ID] = true
		u, _ := w.Unit(r.Unit)
		switch {
		case r.Kind == record.DowntimeReason:
			all.reasons++
		case r.Kind == record.Scrap && u.Class.Name == "siemens_reactor":
			all.rejected++
			if late := r.ReportedAt.Sub(r.To); late < 12*hour || late > 3*day {
				t.Errorf("rejected after %s", late)
			}
		}
	}
	for i := range b.steps {
		if s := &b.steps[i]; strings.HasPrefix(s.ID, "REL-") {
			in, _, scrap := sums(s)
			if part := scrap.Float() / in.Float(); part < 0.01 || part > 0.02 {
				t.Errorf("%s: %.2f %% rejected", s.ID, 100*part)
			}
		}
	}
}
