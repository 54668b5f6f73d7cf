package machine

import (
	"context"
	"fmt"
	"time"

	"kvarts/deploy/simplant/uaserver"
)

// Runner connects a machine to an OPC UA server.
type Runner struct {
	srv     *uaserver.Server
	machine Machine
	vars    []*uaserver.Variable
	buf     []Reading
	updates []uaserver.Update
}

// Attach adds the machine's variables to srv, whose Options.Namespaces must include the
// machine's URI. The variables have no value before the first Step.
func Attach(srv *uaserver.Server, m Machine) (*Runner, error) {
	r := &Runner{srv: srv, machine: m}
	for _, s := range m.Signals() {
		v, err := srv.AddVariable(uaserver.NodeSpec{
			Namespace: m.URI(), Path: "Machine/" + s.Path, DataType: s.DataType, Unit: s.Unit, Range: s.Range,
			States: s.States, Description: s.Description,
		})
		if err != nil {
			return nil, fmt.Errorf("attach %s: %w", m.Name(), err)
		}
		r.vars = append(r.vars, v)
	}
	return r, nil
}

// Machine returns the machine.
func (r *Runner) Machine() Machine { return r.machine }

// Variables returns the machine's variables, in the order of its signals.
func (r *Runner) Variables() []*uaserver.Variable { return r.vars }

// Step advances the machine to now and sets what it read. It returns the number of
// samples made.
func (r *Runner) Step(now time.Time) (int, error) {
	r.buf = r.machine.Step(now, r.buf[:0])
	r.updates = r.updates[:0]
	for _, rd := range r.buf {
		r.updates = append(r.updates, uaserver.Update{
			Variable: r.vars[rd.Signal],
			Data:     uaserver.Data{Value: rd.Value, Status: rd.Status, Source: uaserver.DateTimeOf(rd.At)},
		})
	}
	if err := r.srv.SetAll(r.updates); err != nil {
		return 0, fmt.Errorf("step %s: %w", r.machine.Name(), err)
	}
	return len(r.buf), nil
}

// Run steps the machine by clock (nil: time.Now) every 100 ms of real time until ctx
// ends, which is not an error. The clock may run faster than real time.
func (r *Runner) Run(ctx context.Context, clock func() time.Time) error {
	if clock == nil {
		clock = time.Now
	}
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		if _, err := r.Step(clock()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// Clock returns a clock that shows start now and runs speed times as fast as real time.
func Clock(start time.Time, speed float64) func() time.Time {
	began := time.Now()
	return func() time.Time {
		return start.Add(time.Duration(float64(time.Since(began)) * speed))
	}
}
