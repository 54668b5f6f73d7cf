package areas

import (
	"context"
	"fmt"
	"time"

	"kvarts/deploy/simplant/uaserver"
	"kvarts/deploy/simplant/world"

	"github.com/gopcua/opcua/ua"
)

// tick is how often Run brings the servers up to date: ten times in the second that signals are sampled in.
const tick = 100 * time.Millisecond

// Clock shows begin now and runs speed times as fast as real time.
func Clock(begin time.Time, speed float64) func() time.Time {
	from := time.Now()
	return func() time.Time { return begin.Add(time.Duration(float64(time.Since(from)) * speed)) }
}

// Run lets the plant live by a clock (nil: time.Now) until ctx ends, which is not an error. The clock may be faster than
// real time: then the machines' timestamps run ahead.
func (p *Plant) Run(ctx context.Context, clock func() time.Time) error {
	if clock == nil {
		clock = time.Now
	}
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		if _, err := p.Step(clock()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// Step lets the plant live until now, and says how many samples it made on the way.
func (p *Plant) Step(now time.Time) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.duties(time.Now())
	before := p.samples
	err := p.advance(world.Instant(now.UnixNano()))
	return int(p.samples - before), err
}

// Samples is how many samples the machines made since Start.
func (p *Plant) Samples() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.samples
}

// Now is how far the plant has come.
func (p *Plant) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.world.Now().Time()
}

// advance lives until to and tells the servers; mu is held.
func (p *Plant) advance(to world.Instant) error {
	if err := p.world.Advance(to); err != nil {
		return fmt.Errorf("advance plant %s: %w", p.model.Name, err)
	}
	if p.err != nil {
		return p.err
	}
	for _, s := range p.servers {
		if len(s.updates) == 0 {
			continue
		}
		if err := s.UA.SetAll(s.updates); err != nil {
			return fmt.Errorf("serve samples of %s: %w", s.Name, err)
		}
		p.samples += uint64(len(s.updates))
		clear(s.updates)
		s.updates = s.updates[:0]
	}
	return nil
}

// take puts a sample in line for its server.
func (p *Plant) take(s *world.Sample) {
	m := p.mounts[s.Unit]
	v := &m.served[s.Index]
	if v.variable == nil {
		return
	}
	value, err := v.value(s.Value)
	if err != nil {
		p.err = fmt.Errorf("show %s of unit %s: %w", s.Signal.Name, s.Unit.ID, err)
		return
	}
	m.server.updates = append(m.server.updates, uaserver.Update{Variable: v.variable, Data: uaserver.Data{
		Value: value, Status: ua.StatusCode(s.Status), Source: uaserver.DateTimeOf(s.At.Time()),
	}})
}

// later is something to do in real time.
type later struct {
	at time.Time
	do func() error
}

// duties does what is due, which may bring further duties; mu is held.
func (p *Plant) duties(now time.Time) {
	all := p.later
	p.later = nil
	for _, l := range all {
		if l.at.After(now) {
			p.later = append(p.later, l)
			continue
		}
		if err := l.do(); err != nil && p.err == nil {
			p.err = err
		}
	}
}
