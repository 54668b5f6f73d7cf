package areas

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"kvarts/collector/config"
	"kvarts/historian/plant"
)

// Collector says what the configuration of a collector of the plant needs besides the plant.
type Collector struct {
	Gateway  string // of the model, whose units are collected; "": all units by one collector
	URL      string // of the store
	Database string
	Dir      string // for buffer and keys; "": the collector's defaults
	Status   string // address of the status page; "": the default
	// Fastest asks the servers for every value, whatever cadence the model says: for machines whose clock runs ahead.
	Fastest bool
}

// CollectorConfig is the model's collector configuration (plant.Model.CollectorConfig) for the servers as they are now: with
// their endpoints, without security, and with the store of c.
func (p *Plant) CollectorConfig(c Collector) ([]byte, error) {
	m, err := p.collected(c)
	if err != nil {
		return nil, err
	}
	text, err := m.CollectorConfig(m.Units[0].Gateway)
	if err != nil {
		return nil, err
	}
	head, rest, _ := strings.Cut(string(text), "\ndestinations:\n")
	_, servers, _ := strings.Cut(rest, "\nservers:\n")
	var b strings.Builder
	fmt.Fprintf(&b, "%s\ndestinations:\n  - {name: store, url: %q, database: %q}\n", head, c.URL, c.Database)
	if c.Dir != "" {
		fmt.Fprintf(&b, "\nbuffer:\n  dir: %q\n  max_bytes: 1GiB\npki:\n  dir: %q\n", filepath.Join(c.Dir, "buffer"), filepath.Join(c.Dir, "pki"))
	}
	if c.Status != "" {
		fmt.Fprintf(&b, "\nstatus:\n  listen: %q\n", c.Status)
	}
	b.WriteString("\nservers:\n")
	for line := range strings.Lines(servers) {
		if strings.HasPrefix(line, "    security: ") {
			line = "    security: {policy: None, mode: None}\n"
		}
		b.WriteString(line)
	}
	out := []byte(b.String())
	if _, err := config.Parse("collector configuration of "+m.Name, out); err != nil {
		return nil, fmt.Errorf("configure the collector of plant %s: %w", m.Name, err)
	}
	return out, nil
}

// Model is the plant model with the endpoints of the servers as they are now. Its Text is that of the file: only Units know.
func (p *Plant) Model() *plant.Model {
	m := *p.model
	m.Units = nil
	for _, u := range p.model.Units {
		copied := *u
		s, _ := p.Server(u.Server)
		copied.Endpoint = s.UA.Endpoint()
		m.Units = append(m.Units, &copied)
	}
	return &m
}

// collected is the model of what c collects: only its units, by one gateway.
func (p *Plant) collected(c Collector) (*plant.Model, error) {
	gateway := c.Gateway
	if gateway == "" && len(p.model.Gateways) > 0 {
		gateway = p.model.Gateways[0].Name
	}
	m := p.Model()
	m.Units = slices.DeleteFunc(m.Units, func(u *plant.Unit) bool { return c.Gateway != "" && u.Gateway != c.Gateway })
	if len(m.Units) == 0 || gateway == "" {
		return nil, fmt.Errorf("find units of gateway %q: the model %s has none", c.Gateway, m.Name)
	}
	classes := map[*plant.Class]*plant.Class{}
	for _, u := range m.Units {
		u.Gateway = gateway
		if c.Fastest {
			u.Class = fastest(classes, u.Class)
		}
	}
	return m, nil
}

// fastest is a copy of a class whose signals are all collected on change.
func fastest(done map[*plant.Class]*plant.Class, c *plant.Class) *plant.Class {
	if done[c] == nil {
		copied := *c
		copied.Signals = append([]plant.Signal(nil), c.Signals...)
		for i := range copied.Signals {
			copied.Signals[i].Sampling = 0
		}
		done[c] = &copied
	}
	return done[c]
}
