package evidence

import (
	"cmp"
	"context"
	"slices"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// told is what people entered of a unit.
type told struct {
	booked  []ledger.Booking
	scrap   []ledger.ScrapReport
	swaps   [numRoles][]ledger.Swap
	stops   []calendar.Interval // planned
	reasons []saying
	orders  []saying // of products
}

// saying is a word about some time. Of two about the same moment the one that begins later counts.
type saying struct {
	calendar.Interval
	word     string
	category plant.Category // what the time counts as; "": as the state says
}

// toldAround is how far around the window records are looked for at first: those of meters that were replaced count between
// the readings around the window, which lie near it.
const toldAround = 25 * telemetry.Instant(3600e9)

// readTold reads the records that are about v.
func (g *gathering) readTold(ctx context.Context, v calendar.Interval, asof telemetry.Instant) error {
	records, err := ReadEffective(ctx, g.client, asof, g.recordsOf(v))
	if err != nil {
		return err
	}
	g.said = told{}
	for i := range records {
		if r := &records[i]; g.spokenOf(r) {
			g.tell(r)
		}
	}
	return nil
}

// recordsOf is the filter for records of the unit in v: by where it stood, if that is one place.
func (g *gathering) recordsOf(v calendar.Interval) RecordFilter {
	f := RecordFilter{Window: v, Unit: g.unit}
	found := false
	for _, e := range g.eras {
		if e.unit == nil {
			continue
		}
		if found && (f.Line != e.unit.Line || f.Area != e.unit.Area) {
			return RecordFilter{Window: v}
		}
		f.Line, f.Area, found = e.unit.Line, e.unit.Area, true
	}
	return f
}

// spokenOf says that r is about the unit: it names it, or the line or area that it stood in at the time.
func (g *gathering) spokenOf(r *record.Record) bool {
	if r.Unit != "" {
		return r.Unit == g.unit
	}
	e := describing(g.eras, r.From)
	return e.unit != nil && (r.Line != "" && r.Line == e.unit.Line || r.Area != "" && r.Area == e.unit.Area)
}

// tell adds what r says. What was reported after the horizon does not exist yet.
func (g *gathering) tell(r *record.Record) {
	v := calendar.Interval{From: r.From, To: r.To}
	reported := r.To
	if r.ReportedAt != 0 {
		reported = r.ReportedAt
	}
	switch t := &g.said; r.Kind {
	case record.DowntimeReason:
		t.reasons = append(t.reasons, saying{v, r.Reason, plant.Category(r.Category)})
	case record.Changeover:
		t.reasons = append(t.reasons, saying{v, cmp.Or(r.Reason, "changeover"), plant.Setup})
	case record.Order:
		t.orders = append(t.orders, saying{Interval: v, word: r.Product})
	case record.PlannedStop:
		t.stops = append(t.stops, v)
	case record.Booked:
		if reported <= g.horizon && r.Total != nil {
			good := r.Total
			if r.Good != nil {
				good = r.Good
			}
			t.booked = append(t.booked, ledger.Booking{Interval: v, Product: r.Product, Total: pieces(*r.Total), Good: pieces(*good)})
		}
	case record.Scrap:
		if reported <= g.horizon && r.Quantity != nil {
			t.scrap = append(t.scrap, ledger.ScrapReport{Made: v, Quantity: pieces(*r.Quantity)})
		}
	case record.CounterSwap, record.CounterReset:
		g.tellSwap(r)
	case record.Rework: // first pass decides the quality; what rework saved is told elsewhere
	}
}

// tellSwap adds a meter that was replaced or set back.
func (g *gathering) tellSwap(r *record.Record) {
	if r.Final == nil || r.Initial == nil || r.From > g.horizon {
		return
	}
	e := describing(g.eras, r.From)
	if e.unit == nil {
		return
	}
	for k := roleTotal; k <= roleEnergy; k++ {
		if s := k.signal(e.unit.Class); s != nil && s.Name == r.Signal {
			per := exact.Int(k.perQuantum())
			swap := ledger.Swap{At: r.From, Final: r.Final.Mul(per).Round(), Initial: r.Initial.Mul(per).Round()}
			list := &g.said.swaps[k]
			if n := len(*list); n > 0 && (*list)[n-1].At == swap.At {
				(*list)[n-1] = swap
				return
			}
			*list = append(*list, swap)
			return
		}
	}
	g.note("the record %s is about %s, which is no counter of the unit", r.ID, r.Signal)
}

func pieces(n exact.Num) exact.Num { return n.Mul(exact.Int(ledger.NanosPerPiece)).Round() }

// core is w with the whole of what was booked or scrapped across its ends.
func (t *told) core(w calendar.Interval) calendar.Interval {
	for _, s := range t.scrap {
		if !s.Made.Meet(w).Empty() {
			w = hull(w, s.Made)
		}
	}
	all := w
	for _, b := range t.booked {
		if !b.Meet(w).Empty() {
			all = hull(all, b.Interval)
		}
	}
	return all
}

// reasonAt is what people say of the time at, the zero saying when nothing.
func (t *told) reasonAt(at telemetry.Instant) saying { return sayingAt(t.reasons, at) }

// productAt is the product of the order at the time at, "" when there is none.
func (t *told) productAt(at telemetry.Instant) string { return sayingAt(t.orders, at).word }

func sayingAt(list []saying, at telemetry.Instant) saying {
	for _, s := range slices.Backward(list) {
		if s.Holds(at) {
			return s
		}
	}
	return saying{}
}

// borders are where sayings begin and end.
func borders(list []saying) []telemetry.Instant {
	var out []telemetry.Instant
	for _, s := range list {
		out = append(out, s.From, s.To)
	}
	return out
}
