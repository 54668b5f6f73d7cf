package forward

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kvarts/collector/buffer"
	"kvarts/collector/forward/quarantine"
	"kvarts/historian/influx"
)

const (
	// timeoutsToCut: a batch that was not answered in time so often in a row is sent in halves.
	timeoutsToCut = 2
	// suspectsToCut is the same for a batch that may itself be what the store trips over (Result.Suspect).
	suspectsToCut = 4
	// suspectsToBreakUp: before that, the streams of the batch go separate ways, and so they do when a search for bad
	// lines takes longer than searchToBreakUp.
	suspectsToBreakUp = 2
	searchToBreakUp   = 2 * time.Second
	// suspectsAgain is the same once other lines of the batch were accepted: then it is likely.
	suspectsAgain = 2
	// suspectsToRefuse is how often a single line must fail so before it is taken for bad.
	suspectsToRefuse = 8
	// proofAge is how long an accepted write proves that the store takes good lines.
	proofAge = time.Minute
	// maxMisled: after so many hints of the store that led to good lines only, its words are not read any more.
	maxMisled = 2
	// maxQuotes: so often per batch are lines that an answer quotes picked out and all others sent again. A server that
	// quotes one line at a time would cost a whole batch for each bad line; halves cost less then.
	maxQuotes = 8
	// maxUnproven: so many lines are refused before the store must prove that it takes others. Most often the batch
	// itself gives the proof on the way.
	maxUnproven = 8
	// quarantinePause between tries to write to quarantine: its disk is full or broken.
	quarantinePause = 5 * time.Second
)

// errRefusesAll: the store refuses a batch, and lines that it accepted before too.
var errRefusesAll = errors.New("store refuses every line")

// errBreakUp: something in a batch of several streams keeps them all waiting. What was stored or put into quarantine
// already is so once more when the streams come again alone, which is harmless.
var errBreakUp = errors.New("batch is to be broken up")

// delivery is one batch on its way, in one goroutine.
type delivery struct {
	f       *Forwarder
	sendCtx context.Context // of requests: outlives the context of waits by the grace
	w       waiter
	all     *set // the whole batch
	mixed   bool // of several streams

	timeouts, suspects int       // in a row, of the set that is being sent
	provenAt           time.Time // when a write of this batch was last accepted
	unproven           []refusal // lines that wait for the proof that others are accepted
	searchingSince     time.Time // when the first answer asked for parts
	misled             int       // hints that led to good lines only
	quotes             int       // hints that quoted lines
	depth              int       // hints whose suspects or rest are under way
}

// run returns when every line of s is stored or in quarantine, or with the error of ctx.
func (d *delivery) run(ctx context.Context, s *set) error {
	d.all = s
	for {
		_, err := d.deliver(ctx, s)
		if err == nil {
			err = d.settle(ctx)
		}
		if !errors.Is(err, errRefusesAll) {
			return err
		}
		d.unproven = nil // from the start, when the gate lets it
	}
}

// deliver sends s and, if it is refused, its parts. bad is how many lines came into quarantine.
func (d *delivery) deliver(ctx context.Context, s *set) (bad int, err error) {
	if s.empty() {
		return 0, nil
	}
	single := s.single()
	if !single && d.f.sizer.hopeless(s.z) {
		return d.cut(ctx, s)
	}
	if d.mixed && !d.searchingSince.IsZero() && time.Since(d.searchingSince) > searchToBreakUp {
		return 0, errBreakUp
	}
	res, err := d.post(ctx, s)
	if err != nil {
		return 0, err
	}
	if res.Class != influx.OK && d.searchingSince.IsZero() {
		d.searchingSince = time.Now()
	}
	switch res.Class {
	case influx.OK:
		d.provenAt = time.Now()
		return 0, nil
	case influx.Split:
		return d.split(ctx, s, res)
	case influx.TooLarge:
		d.f.sizer.refused(s.z)
		if single {
			return d.refuse(ctx, s.loose, quarantine.TooLarge, res)
		}
		return d.cut(ctx, s)
	default: // given up as a whole
		if single {
			return d.refuse(ctx, s.loose, quarantine.Refused, res)
		}
		return d.cut(ctx, s)
	}
}

// post sends s as one request until there is an answer about it: OK, Split or TooLarge. Retry comes back when sending
// the same again has become pointless.
func (d *delivery) post(ctx context.Context, s *set) (influx.Result, error) {
	members, err := s.members()
	if err != nil {
		return influx.Result{}, err
	}
	d.timeouts, d.suspects, d.w.tries = 0, 0, 0
	for {
		res, err := d.once(ctx, members, s)
		if err != nil {
			return res, err
		}
		switch res.Class {
		case influx.OK, influx.Split, influx.TooLarge:
			return res, nil
		}
		if d.giveUp(s, &res) {
			return res, nil
		}
		if d.mixed && d.suspects >= suspectsToBreakUp {
			d.f.gate.partsFollow(res.RetryAfter)
			return res, errBreakUp
		}
		d.w.tries++
		if err := d.pause(ctx); err != nil {
			return res, err
		}
	}
}

// once waits for the gate and sends.
func (d *delivery) once(ctx context.Context, members [][]byte, s *set) (influx.Result, error) {
	t, err := d.f.gate.enter(ctx, &d.w)
	if err != nil {
		return influx.Result{}, err
	}
	res := (*d.f.store.Load()).WriteGzip(d.sendCtx, members, s.z.lines)
	if d.sendCtx.Err() != nil && res.Class != influx.OK {
		d.f.gate.giveBack(t)
		return res, d.sendCtx.Err()
	}
	if d.f.refusing.Load() && (res.Class == influx.Split || res.Class == influx.TooLarge) {
		// What is said of the batch means nothing while good lines are refused too. One permission, two requests.
		if res = d.underDoubt(res); res.Class == influx.Hold {
			d.f.state.answered(s.z, &res)
			d.f.gate.leave(t, &res)
			return res, nil
		}
	}
	if res.Class == influx.OK {
		d.f.refusing.Store(false)
		d.f.sizer.passed(s.z)
		d.f.control.remember(s)
	}
	d.f.state.answered(s.z, &res)
	d.f.gate.leave(t, &res)
	return res, nil
}

// underDoubt asks the store for a proof that it takes good lines before it believes a refusal.
func (d *delivery) underDoubt(res influx.Result) influx.Result {
	proof := d.tryProof()
	switch proof.Class {
	case influx.OK:
		d.provenAt = time.Now()
		d.f.refusing.Store(false)
		return res
	case influx.Retry, influx.Hold:
		return proof
	}
	return holdAll(res)
}

// holdAll is the refusal res of everything, as a Hold.
func holdAll(res influx.Result) influx.Result {
	res.Class = influx.Hold
	res.Message = "the store refuses every line, good ones too: " + res.Message
	res.Remedy = "check that URL, database or bucket are those of a store that takes these data; nothing was put into quarantine"
	return res
}

// giveUp says that sending s again as it is has become pointless after res, a Retry or Hold.
func (d *delivery) giveUp(s *set, res *influx.Result) bool {
	if res.Class != influx.Retry {
		d.timeouts, d.suspects = 0, 0
		return false
	}
	single := s.single()
	if timedOut(res.Err) {
		d.timeouts++
	} else {
		d.timeouts = 0
	}
	if res.Suspect {
		d.suspects++
	} else {
		d.suspects = 0
	}
	switch {
	case single:
		return d.suspects >= suspectsToRefuse
	case d.timeouts >= timeoutsToCut && d.f.sizer.slow(s.z):
		return true
	case d.proven():
		return d.suspects >= suspectsAgain
	}
	return d.suspects >= suspectsToCut
}

func (d *delivery) proven() bool {
	return !d.provenAt.IsZero() && time.Since(d.provenAt) < proofAge
}

func timedOut(err error) bool {
	var e *influx.Error
	return errors.As(err, &e) && e.Kind == influx.KindTimeout || errors.Is(err, context.DeadlineExceeded)
}

// pause is this batch's own backoff. The gate waits too, but opens as soon as another batch gets through; a batch that
// the store cannot digest must not come back at once then.
func (d *delivery) pause(ctx context.Context) error {
	b := d.f.opts.Backoff
	wait := b.Max
	if shift := max(d.w.tries-1, 0); shift < 20 {
		wait = min(b.Max, b.Min<<shift)
	}
	return d.sleep(ctx, wait)
}

func (d *delivery) sleep(ctx context.Context, wait time.Duration) error {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-d.f.resumed():
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// refusal is a line that is to come into quarantine.
type refusal struct {
	line line
	why  quarantine.Reason
	res  influx.Result
}

// refuse has lines put into quarantine: at once when it is proven that the store takes other lines, else when it is.
func (d *delivery) refuse(ctx context.Context, lines []line, why quarantine.Reason, res influx.Result) (int, error) {
	for _, l := range lines {
		d.unproven = append(d.unproven, refusal{l, why, res})
	}
	// A server that counts the lines it refused has looked at them one by one.
	if counted := res.Class == influx.Split && res.Dropped >= len(lines); counted {
		d.provenAt = time.Now()
	}
	if !d.proven() && len(d.unproven) < maxUnproven {
		return len(lines), nil
	}
	return len(lines), d.settle(ctx)
}

// settle puts all refused lines into quarantine, durably, once it is proven that the store takes others.
func (d *delivery) settle(ctx context.Context) error {
	if len(d.unproven) == 0 {
		return nil
	}
	if !d.proven() {
		if err := d.proof(ctx); err != nil {
			return err
		}
	}
	entries := make([]quarantine.Entry, len(d.unproven))
	for i, r := range d.unproven {
		entries[i] = d.entry(r.line.rec, r.why, &r.res)
		entries[i].SetLine(r.line.text)
		entries[i].Samples = r.line.samples()
		if at, ok := timeOf(r.line.text); ok {
			entries[i].First, entries[i].Last = at, at
		}
	}
	if err := d.quarantine(ctx, entries); err != nil {
		return err
	}
	d.unproven = nil
	return nil
}

// setAside puts a record that cannot be taken apart into quarantine whole.
func (d *delivery) setAside(ctx context.Context, rec *buffer.Entry, cause error, res influx.Result) (int, error) {
	e := d.entry(rec, quarantine.Unreadable, &res)
	e.Message = fmt.Sprintf("%v (the store said: %s)", cause, res.Message)
	e.Payload, e.Gzip, e.Samples = rec.Payload, true, int(rec.Samples)
	return int(rec.Lines), d.quarantine(ctx, []quarantine.Entry{e})
}

func (d *delivery) entry(rec *buffer.Entry, why quarantine.Reason, res *influx.Result) quarantine.Entry {
	return quarantine.Entry{
		At: d.f.opts.Now(), Reason: why, Destination: d.f.opts.Name, Server: rec.Server, Group: rec.Group,
		Status: res.Status, Message: res.Message, First: rec.First, Last: rec.Last,
	}
}

// quarantine keeps trying: a batch whose bad lines cannot be put aside cannot be acknowledged.
func (d *delivery) quarantine(ctx context.Context, entries []quarantine.Entry) error {
	for {
		_, err := d.f.opts.Quarantine.Add(entries...)
		if err == nil {
			d.f.state.quarantined(entries)
			return nil
		}
		d.f.state.quarantineFailed(err)
		if err := d.sleep(ctx, quarantinePause); err != nil {
			return err
		}
	}
}
