package uaserver

import (
	"math"
	"time"

	"github.com/gopcua/opcua/ua"
)

// overflow is the InfoType DataValue with the Overflow bit (OPC 10000-4 §7.39).
const overflow = ua.StatusCode(0x480)

// Cause says why the server kept a generated sample from a monitored item's client.
type Cause string

const (
	// CauseSampling: a newer value came within the same sampling interval.
	CauseSampling Cause = "sampling"
	// CauseUnchanged: the filter's trigger saw no change.
	CauseUnchanged Cause = "unchanged"
	// CauseDeadband: the change was within the deadband.
	CauseDeadband Cause = "deadband"
	// CauseQueue: it left the item's queue before it was published.
	CauseQueue Cause = "queue"
	// CauseMode: the item was disabled, or deleted by its client with the sample queued.
	CauseMode Cause = "mode"
	// CauseLost: the sample was queued when the server lost the subscription.
	CauseLost Cause = "lost"
)

// item is one monitored item (OPC 10000-4 §5.13). Server.mu guards it.
//
//	Variable.take ─► offer: sampling grid ─► admit: trigger, deadband ─► enqueue ─► publish
type item struct {
	id       uint32
	sub      *subscription
	variable *Variable // nil when the attribute is not Value
	handle   uint32
	ts       ua.TimestampsToReturn
	mode     ua.MonitoringMode
	filter   filter
	interval time.Duration // revised sampling interval; 0: every sample
	anchor   time.Time     // the sampling grid is anchor + n·interval

	held     sample // the newest value of a grid slot that is not over
	heldSlot int64
	holding  bool

	last    sample // last admitted value, what the filter compares with
	hasLast bool

	queue   ring
	oldest  bool // DiscardOldest
	readied bool // listed in sub.ready
	waiting bool // listed in sub.holding
}

// filter is a DataChangeFilter with its deadband turned into absolute terms.
type filter struct {
	trigger  ua.DataChangeTrigger
	deadband float64 // absolute; changes up to it are not reported
	active   bool    // a deadband was asked for
}

// offer takes a new value at engine time now.
func (it *item) offer(s *sample, now time.Time) {
	if it.mode == ua.MonitoringModeDisabled {
		it.drop(s, CauseMode)
		return
	}
	if it.interval == 0 {
		it.admit(s)
		return
	}
	slot := it.slot(now)
	if it.holding {
		if slot > it.heldSlot {
			it.admit(&it.held)
		} else {
			it.drop(&it.held, CauseSampling)
		}
	}
	it.held, it.heldSlot, it.holding = *s, slot, true
	if !it.waiting {
		it.waiting = true
		it.sub.holding = append(it.sub.holding, it)
	}
}

// slot numbers the sampling interval that now falls into; its value is sampled at its end.
func (it *item) slot(now time.Time) int64 { return int64(now.Sub(it.anchor) / it.interval) }

// settle admits the held value if its sampling interval is over. It reports whether the
// item still holds one.
func (it *item) settle(now time.Time) bool {
	if it.holding && (it.interval == 0 || it.slot(now) > it.heldSlot) {
		it.holding = false
		it.admit(&it.held)
	}
	return it.holding
}

// admit passes a sampled value through the filter into the queue.
func (it *item) admit(s *sample) {
	if it.hasLast {
		if cause := it.filter.rejects(&it.last, s); cause != "" {
			it.drop(s, cause)
			return
		}
	}
	it.last, it.hasLast = *s, true
	it.enqueue(s)
}

// rejects returns why s need not be reported after last, or "" (OPC 10000-4 §7.22.2).
func (f *filter) rejects(last, s *sample) Cause {
	if last.status != s.status {
		return ""
	}
	if f.trigger == ua.DataChangeTriggerStatus {
		return CauseUnchanged
	}
	if f.active {
		if old, ok := number(last.value); ok {
			if val, ok := number(s.value); ok {
				// With a deadband, timestamps do not trigger. NaN is beyond any band.
				if math.Abs(val-old) <= f.deadband || sameValue(last.value, s.value) {
					return CauseDeadband
				}
				return ""
			}
		}
	}
	if f.trigger == ua.DataChangeTriggerStatusValueTimestamp && !f.active && last.source != s.source {
		return ""
	}
	if sameValue(last.value, s.value) {
		return CauseUnchanged
	}
	return ""
}

// sameValue compares two frozen values bit by bit.
func sameValue(a, b any) bool {
	switch x := a.(type) {
	case float64:
		y, ok := b.(float64)
		return ok && math.Float64bits(x) == math.Float64bits(y)
	case float32:
		y, ok := b.(float32)
		return ok && math.Float32bits(x) == math.Float32bits(y)
	case *encodedVariant:
		y, ok := b.(*encodedVariant)
		return ok && string(x.bytes) == string(y.bytes)
	}
	if _, ok := b.(*encodedVariant); ok {
		return false
	}
	return a == b
}

// number returns a numeric value for a deadband.
func number(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case float32:
		return float64(x), true
	case int8:
		return float64(x), true
	case uint8:
		return float64(x), true
	case int16:
		return float64(x), true
	case uint16:
		return float64(x), true
	case int32:
		return float64(x), true
	case uint32:
		return float64(x), true
	case int64:
		return float64(x), true
	case uint64:
		return float64(x), true
	}
	return 0, false
}

// enqueue appends to the queue, discarding as OPC 10000-4 §5.13.1.5 says: with
// DiscardOldest the oldest goes and the next one carries the overflow bit, otherwise the
// newest is replaced and the new one carries it. A queue of one never shows overflow.
func (it *item) enqueue(s *sample) {
	q := &it.queue
	switch {
	case q.size() < q.limit:
		q.push(*s)
	case q.limit == 1:
		it.drop(q.at(0), CauseQueue)
		*q.at(0) = *s
	case it.oldest:
		it.drop(q.at(0), CauseQueue)
		q.pop()
		q.push(*s)
		q.at(0).status |= overflow
	default:
		newest := q.at(q.size() - 1)
		it.drop(newest, CauseQueue)
		*newest = *s
		newest.status |= overflow
	}
	it.ready()
}

// resize changes the queue's limit and discards what no longer fits, by the same rule.
func (it *item) resize(limit int) {
	q := &it.queue
	over := q.size() - limit
	for range over {
		if it.oldest {
			it.drop(q.at(0), CauseQueue)
			q.pop()
		} else {
			it.drop(q.at(q.size()-1), CauseQueue)
			q.unpush()
		}
	}
	if over > 0 && limit > 1 {
		if it.oldest {
			q.at(0).status |= overflow
		} else {
			q.at(q.size() - 1).status |= overflow
		}
	}
	q.limit = limit
}

// ready lists the item for the next publishing cycle if it has something to report.
func (it *item) ready() {
	if !it.readied && it.mode == ua.MonitoringModeReporting && it.queue.size() > 0 {
		it.readied = true
		it.sub.ready = append(it.sub.ready, it)
	}
}

// drop notes that s will not reach the client.
func (it *item) drop(s *sample, cause Cause) {
	if it.variable != nil && it.variable.read == nil {
		it.variable.srv.truth.filtered(it, s, cause)
	}
}

// clear empties the queue, as when the item is disabled or deleted.
func (it *item) clear(cause Cause) {
	if it.holding {
		it.drop(&it.held, cause)
	}
	for it.queue.size() > 0 {
		it.drop(it.queue.at(0), cause)
		it.queue.pop()
	}
	it.holding, it.hasLast = false, false
}

// keptRing is how many samples an empty ring has room for at most: more is given back, so
// that what a long silence of the client filled is not kept for ever.
const keptRing = 64

// ring is a queue of samples that grows up to limit.
type ring struct {
	buf   []sample // its length is a power of two, or zero
	head  int
	count int
	limit int // most samples that the owner may push
}

func (r *ring) size() int { return r.count }

// at returns the i-th oldest sample.
func (r *ring) at(i int) *sample { return &r.buf[(r.head+i)&(len(r.buf)-1)] }

func (r *ring) push(s sample) {
	if r.count == len(r.buf) {
		grown := make([]sample, max(1, 2*len(r.buf)))
		for i := range r.count {
			grown[i] = *r.at(i)
		}
		r.buf, r.head = grown, 0
	}
	r.count++
	*r.at(r.count - 1) = s
}

// pop removes the oldest sample.
func (r *ring) pop() {
	r.buf[r.head] = sample{}
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.count--
	if r.count == 0 && len(r.buf) > keptRing {
		r.buf, r.head = nil, 0
	}
}

// unpush removes the newest sample.
func (r *ring) unpush() {
	*r.at(r.count - 1) = sample{}
	r.count--
}
