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

	"kvarts/deploy/simplant/uaserver"
	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// Options of a Plant.
type Options struct {
	// World is what is served, and the Plant's from then on. It may have a past already.
	World *world.World
	// Observer is told what happens from Start on, besides the servers.
	Observer world.Observer

	Host string // that the servers listen on; "": 127.0.0.1
	Port uint16 // of the first server, the others get the next ones; 0: free ones
	// History is how many values of each signal a server keeps for HistoryRead; 0: none.
	History int
	// Log receives the servers' sample logs (uaserver.Options.Log), by server name; nil, or a nil Writer: none.
	Log func(server string) io.Writer
	// Record keeps all samples in memory (uaserver.Options.Record).
	Record bool
}

// Plant is a simulated plant with its servers. Its methods may be called from any goroutine.
type Plant struct {
	opts    Options
	model   *plant.Model
	servers []*Server

	mu      sync.Mutex // guards what is below: the world stands still while it is changed
	world   *world.World
	mounts  map[*world.Unit]*mount
	err     error // of a sample that no variable can show
	samples uint64
	later   []later
}

// Server is one OPC UA server with the units that it shows.
type Server struct {
	Name    string // in the model
	Units   []*plant.Unit
	UA      *uaserver.Server
	Targets map[string]Target // by node id, as in uaserver's sample log

	updates []uaserver.Update
}

// Target is what a variable shows.
type Target struct {
	Unit   *plant.Unit
	Signal *plant.Signal
	wire   wire
}

// Stored is what a collector makes of a value that the machine says.
func (t *Target) Stored(said telemetry.Value) telemetry.Value {
	if said.Type() != telemetry.Float {
		return said
	}
	return telemetry.FloatValue(t.wire.stored(said.Float()))
}

// mount is where the samples of a unit go.
type mount struct {
	server *Server
	served []served // by signal; those without variable are not served
}

// served is a signal on its server.
type served struct {
	variable *uaserver.Variable
	wire     wire
	as       encoding
}

// New takes the world over and makes its servers, which are not started yet.
func New(o Options) (*Plant, error) {
	p := &Plant{opts: o, model: o.World.Model(), world: o.World, mounts: map[*world.Unit]*mount{}}
	wires, err := newWires(p.model)
	if err != nil {
		return nil, err
	}
	if err := p.lay(wires); err != nil {
		return nil, err
	}
	return p, nil
}

// lay gives every unit its place on a server.
func (p *Plant) lay(wires wires) error {
	byName := map[string]*Server{}
	for _, w := range p.world.Units() {
		s := byName[w.Server]
		if s == nil {
			s = &Server{Name: w.Server, Targets: map[string]Target{}}
			byName[s.Name] = s
			p.servers = append(p.servers, s)
		}
		s.Units = append(s.Units, w.Unit)
	}
	for i, s := range p.servers {
		if err := p.build(s, i); err != nil {
			return err
		}
	}
	for _, w := range p.world.Units() {
		m, err := byName[w.Server].mount(w.Unit, wires)
		if err != nil {
			return err
		}
		p.mounts[w] = m
	}
	return nil
}

// build makes the i-th server.
func (p *Plant) build(s *Server, i int) error {
	host, port := p.opts.Host, 0
	if host == "" {
		host = "127.0.0.1"
	}
	if p.opts.Port != 0 {
		if port = int(p.opts.Port) + i; port > math.MaxUint16 {
			return fmt.Errorf("serve %s: port %d is too high", s.Name, port)
		}
	}
	var namespaces []string
	known := map[string]bool{}
	for _, u := range s.Units {
		if !known[u.Namespace] {
			known[u.Namespace] = true
			namespaces = append(namespaces, u.Namespace)
		}
	}
	var log io.Writer
	if p.opts.Log != nil {
		log = p.opts.Log(s.Name)
	}
	limits := uaserver.DefaultLimits()
	limits.MaxSubscriptions += 2 * len(s.Units) // a collector has one for each unit
	limits.MaxPublishRequests += 2 * len(s.Units)
	s.UA = uaserver.New(uaserver.Options{
		Addr:           net.JoinHostPort(host, strconv.Itoa(port)),
		ApplicationURI: "urn:kvarts:sim:" + p.model.Site + ":" + s.Name,
		ProductName:    "simulated " + s.Name,
		Namespaces:     namespaces,
		Limits:         limits,
		History:        p.opts.History,
		ByException:    true, // the machines push their values at the model's cadence
		Record:         p.opts.Record,
		Log:            log,
	})
	return nil
}

// Servers are the servers, in the order of the model.
func (p *Plant) Servers() []*Server { return p.servers }

// Server finds a server by its name.
func (p *Plant) Server(name string) (*Server, bool) {
	for _, s := range p.servers {
		if s.Name == name {
			return s, true
		}
	}
	return nil, false
}

// Tags is how many variables all servers have.
func (p *Plant) Tags() int {
	n := 0
	for _, s := range p.servers {
		n += len(s.Targets)
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
	for _, s := range p.servers {
		if err := s.UA.Start(ctx); err != nil {
			return fmt.Errorf("serve %s: %w", s.Name, err)
		}
	}
	return nil
}

// Close ends servers and world; errors are of sample logs.
func (p *Plant) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, s := range p.servers {
		if err := s.UA.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", s.Name, err))
		}
	}
	p.world.Close()
	return errors.Join(errs...)
}
