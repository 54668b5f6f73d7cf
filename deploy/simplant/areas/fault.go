package areas

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/calendar"
	"kvarts/historian/plant"
)

// FaultKind names what can be made to go wrong while the plant runs.
type FaultKind string

// The kinds. What happens to sensors and machines is seen in the samples, what happens to servers is not.
const (
	Stuck   FaultKind = "stuck"   // the signal stays what it is
	Failed  FaultKind = "failed"  // the sensor is broken: Bad, without a value
	Unsure  FaultKind = "unsure"  // values are Uncertain
	Silent  FaultKind = "silent"  // the machine is cut off from its server: no samples
	Skewed  FaultKind = "skewed"  // the machine's clock is off by Fault.Skew, and a server's own as well
	Restart FaultKind = "restart" // the server's process ends, and is back after Fault.For
	Cut     FaultKind = "cut"     // the server's network is dead, while connections stay open
	Reset   FaultKind = "reset"   // the server's connections are closed, once
)

// Fault is one thing that goes wrong. It concerns a server with all its units, or one unit, or one signal of it.
type Fault struct {
	Kind   FaultKind
	Server string
	Unit   string
	Signal string        // "": all of the unit's
	After  time.Duration // from now, in real time
	For    time.Duration // in the plant's time for samples, in real time for servers
	Skew   time.Duration
}

// network says that a kind is of servers only, sensor that it is in the samples.
func (k FaultKind) network() bool { return k == Restart || k == Cut || k == Reset }

func (k FaultKind) sensor() bool {
	return k == Stuck || k == Failed || k == Unsure || k == Silent || k == Skewed
}

// Inject lets something go wrong. What comes later, the end of it or all of it, is done by Step or Run; ctx is that of a
// server which starts again.
func (p *Plant) Inject(ctx context.Context, f Fault) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.check(&f); err != nil {
		return fmt.Errorf("inject fault %s: %w", f.Kind, err)
	}
	begin := func() error {
		if f.Kind.network() {
			return p.disconnect(ctx, &f)
		}
		return p.disturb(&f)
	}
	if f.After > 0 {
		p.after(f.After, begin)
		return nil
	}
	return begin()
}

// check finds what the plant does not have.
func (p *Plant) check(f *Fault) error {
	_, served := p.Server(f.Server)
	u, exists := p.model.Unit(f.Unit)
	switch {
	case !f.Kind.network() && !f.Kind.sensor():
		return errors.New("there is no such kind")
	case (f.Server == "") == (f.Unit == ""):
		return errors.New("say of which server, or of which unit")
	case f.Server != "" && !served:
		return fmt.Errorf("the model has no server %q", f.Server)
	case f.Unit != "" && !exists:
		return fmt.Errorf("the model has no unit %q", f.Unit)
	case f.Kind.network() && f.Server == "":
		return errors.New("say of which server")
	case f.Signal != "" && f.Unit == "":
		return errors.New("say of which unit the signal is")
	case f.For < 0, f.For == 0 && f.Kind != Reset:
		return errors.New("say for how long")
	case f.Kind == Skewed && f.Skew == 0:
		return errors.New("say by how much")
	}
	if f.Signal != "" {
		if _, ok := u.Class.Signal(f.Signal); !ok {
			return fmt.Errorf("the class %s has no signal %q", u.Class.Name, f.Signal)
		}
	}
	return nil
}

// disconnect does to a server what f says; mu is held.
func (p *Plant) disconnect(ctx context.Context, f *Fault) error {
	s, _ := p.Server(f.Server)
	switch f.Kind {
	case Reset:
		s.UA.KillConnections()
	case Cut:
		s.UA.Freeze()
		p.after(f.For, func() error { s.UA.Thaw(); return nil })
	default:
		s.UA.Stop()
		p.after(f.For, func() error {
			if err := s.UA.Start(ctx); err != nil {
				return fmt.Errorf("start %s again: %w", s.Name, err)
			}
			return nil
		})
	}
	return nil
}

// disturb does to units what f says; mu is held.
func (p *Plant) disturb(f *Fault) error {
	var units []*plant.Unit
	if s, ok := p.Server(f.Server); ok {
		units = s.Units
		if f.Kind == Skewed {
			s.UA.SetClockSkew(f.Skew)
			p.after(f.For, func() error { s.UA.SetClockSkew(0); return nil })
		}
	} else {
		u, _ := p.model.Unit(f.Unit)
		units = []*plant.Unit{u}
	}
	now := p.world.Now()
	for _, u := range units {
		if err := p.world.AddFault(world.Fault{
			Kind: world.FaultKind(f.Kind), Unit: u.ID, Signal: f.Signal, Skew: f.Skew,
			Interval: calendar.Interval{From: now, To: now.Add(f.For)},
		}); err != nil {
			return err
		}
	}
	return nil
}

// after does something in d of real time; mu is held.
func (p *Plant) after(d time.Duration, do func() error) {
	p.later = append(p.later, later{at: time.Now().Add(d), do: do})
}
