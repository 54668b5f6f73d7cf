package areas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"sync"
	"time"

	"kvarts/deploy/simplant/uaserver"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

// Options of a Plant.
type Options struct {
	Model *plant.Model
	Seed  uint64
	// Begin is when the world begins; the zero Time is now. Before it is served it may be advanced (Plant.World): so it has a
	// past.
	Begin time.Time
	// Process gives the scripts; nil: Processes.
	Process func(*world.Unit) world.Process
	// Observer is told what happens from Start on, besides the servers.
	Observer world.Observer
	// KeepSegments keeps the truth of every unit in memory: world.Unit.Segments.
	KeepSegments bool

	Host string // that the servers listen on; "": 127.0.0.1
	Port uint16 // of the first server, the others get the next ones; 0: free ones
	// History is how many values of each signal a server keeps for HistoryRead; 0: none.
	History int
	// Log receives the servers' sample logs (uaserver.Options.Log), by server name; nil, or a nil Writer: none.
	Log func(server string) io.Writer
	// Record keeps all samples in memory (uaserver.Options.Record).
	Record bool
}

// Plant is a simulated plant with its servers. Its methods may be called from any goroutine, but World is the caller's
// alone only until Run or Step.
type Plant struct {
	opts  Options
	areas []*Area

	mu      sync.Mutex // guards what is below: the world stands still while it is changed
	world   *world.World
	mounts  map[*world.Unit]*mount
	err     error // of a sample that no variable can show
	samples uint64
	later   []later
}

// Area is one server with the units that it shows.
type Area struct {
	Name   string // of the server, in the model
	Units  []*plant.Unit
	Server *uaserver.Server
	Tags   int // how many variables the units have

	updates []uaserver.Update
}

// mount is where the samples of a unit go.
type mount struct {
	area   *Area
	served []served // by signal; those without variable are not served
}

// served is a signal on its server.
type served struct {
	variable *uaserver.Variable
	wire     wire
	as       encoding
}

// New makes the plant, not yet served, at Options.Begin.
func New(o Options) (*Plant, error) {
	if o.Begin.IsZero() {
		o.Begin = time.Now()
	}
	if o.Process == nil {
		o.Process = Processes
	}
	p := &Plant{opts: o, mounts: map[*world.Unit]*mount{}}
	wires, err := newWires(o.Model)
	if err != nil {
		return nil, err
	}
	p.world, err = world.New(world.Options{
		Model: o.Model, Seed: o.Seed, Start: world.Instant(o.Begin.UnixNano()), Process: o.Process, KeepSegments: o.KeepSegments,
	})
	if err != nil {
		return nil, fmt.Errorf("begin plant %s: %w", o.Model.Name, err)
	}
	if err := p.lay(wires); err != nil {
		p.world.Close()
		return nil, err
	}
	return p, nil
}

// lay gives every unit its place on a server.
func (p *Plant) lay(wires wires) error {
	byName := map[string]*Area{}
	for _, u := range p.opts.Model.Units {
		a := byName[u.Server]
		if a == nil {
			a = &Area{Name: u.Server}
			byName[u.Server] = a
			p.areas = append(p.areas, a)
		}
		a.Units = append(a.Units, u)
	}
	for i, a := range p.areas {
		if err := p.serve(a, i); err != nil {
			return err
		}
		for _, u := range a.Units {
			w, _ := p.world.Unit(u.ID) // it was made of the same model
			m, err := a.mount(u, wires)
			if err != nil {
				return err
			}
			p.mounts[w] = m
		}
	}
	return nil
}

// serve makes the server of the i-th area.
func (p *Plant) serve(a *Area, i int) error {
	host, port := p.opts.Host, 0
	if host == "" {
		host = "127.0.0.1"
	}
	if p.opts.Port != 0 {
		if port = int(p.opts.Port) + i; port > math.MaxUint16 {
			return fmt.Errorf("serve %s: port %d is too high", a.Name, port)
		}
	}
	var namespaces []string
	known := map[string]bool{}
	for _, u := range a.Units {
		if !known[u.Namespace] {
			known[u.Namespace] = true
			namespaces = append(namespaces, u.Namespace)
		}
	}
	var log io.Writer
	if p.opts.Log != nil {
		log = p.opts.Log(a.Name)
	}
	limits := uaserver.DefaultLimits()
	limits.MaxSubscriptions += 2 * len(a.Units) // a collector has one for each unit
	limits.MaxPublishRequests += 2 * len(a.Units)
	a.Server = uaserver.New(uaserver.Options{
		Addr:           net.JoinHostPort(host, strconv.Itoa(port)),
		ApplicationURI: "urn:kvarts:sim:" + p.opts.Model.Site + ":" + a.Name,
		ProductName:    "simulated " + a.Name,
		Namespaces:     namespaces,
		Limits:         limits,
		History:        p.opts.History,
		Record:         p.opts.Record,
		Log:            log,
	})
	return nil
}

// World is the plant itself. It may be used until the plant is run or stepped, or by those who do that.
func (p *Plant) World() *world.World { return p.world }

// Areas are the servers, in the order of the model.
func (p *Plant) Areas() []*Area { return p.areas }

// Area finds a server by its name.
func (p *Plant) Area(name string) (*Area, bool) {
	for _, a := range p.areas {
		if a.Name == name {
			return a, true
		}
	}
	return nil, false
}

// Tags is how many variables all servers have.
func (p *Plant) Tags() int {
	n := 0
	for _, a := range p.areas {
		n += a.Tags
	}
	return n
}

// Start serves the plant from the world's present on: every variable has a value when it returns. On an error what was
// started is stopped by Close.
func (p *Plant) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.opts.Observer
	o.Sample = p.take
	if told := p.opts.Observer.Sample; told != nil {
		o.Sample = func(s *world.Sample) { told(s); p.take(s) }
	}
	p.world.Observe(o, world.AsTheModelSays)
	if err := p.advance(p.world.Now() + 100); err != nil { // where it stands at first is seen a moment later
		return err
	}
	for _, a := range p.areas {
		if err := a.Server.Start(ctx); err != nil {
			return fmt.Errorf("serve %s: %w", a.Name, err)
		}
	}
	return nil
}

// Close ends servers and world; errors are of sample logs.
func (p *Plant) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, a := range p.areas {
		if err := a.Server.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", a.Name, err))
		}
	}
	p.world.Close()
	return errors.Join(errs...)
}
