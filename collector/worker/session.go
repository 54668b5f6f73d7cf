package worker

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"kvarts/collector/config"
	"kvarts/collector/uasession"
	"kvarts/collector/uavalue"
	"kvarts/historian/telemetry"
)

// sameSession says that b can be reached by applying groups to the running session of a.
func sameSession(a, b *config.Server) bool {
	x, y := *a, *b
	x.Groups, y.Groups = nil, nil
	x.At, y.At = config.Position{}, config.Position{}
	return reflect.DeepEqual(x, y) && lifetimes(a) == lifetimes(b)
}

// shownAlive is the longest keep-alive that a server is asked for, whatever the configuration allows: half of the
// interval of the measurement `alive`, so that a healthy machine in which nothing changes shows life in each of them.
const shownAlive = 5 * time.Second

// lifetimes are what a session asks of all its subscriptions: the shortest keep-alive and the longest lifetime that any
// group wants.
func lifetimes(srv *config.Server) [2]time.Duration {
	keepAlive, lifetime := shownAlive, time.Duration(0)
	for _, g := range srv.Groups {
		if g.KeepAlive > 0 {
			keepAlive = min(keepAlive, g.KeepAlive)
		}
		lifetime = max(lifetime, g.Lifetime)
	}
	return [2]time.Duration{keepAlive, lifetime}
}

// sessionConfig translates srv for uasession.
func sessionConfig(srv *config.Server, password string, certs uasession.Certificates, resume map[string]telemetry.Instant) (uasession.ServerConfig, error) {
	groups, err := sessionGroups(srv)
	if err != nil {
		return uasession.ServerConfig{}, err
	}
	cfg := uasession.ServerConfig{
		Name: srv.Name, Endpoint: srv.Endpoint,
		Policy: uasession.Policy(srv.Security.Policy), Mode: uasession.Mode(srv.Security.Mode), Certificates: certs,
		User: srv.Auth.User, Password: password, AllowPlaintextPassword: srv.Auth.AllowPlaintextPassword,
		Time:   telemetry.TimeRule{Clock: clocks[srv.Time], Offset: srv.TimeOffset, MaxSkew: srv.MaxSkew},
		Groups: groups, Resume: resume,
		Timing: uasession.Timing{StateEvery: stateEvery, Request: srv.RequestTimeout, Session: srv.SessionTimeout, BackoffMin: srv.Backoff.Min, BackoffMax: srv.Backoff.Max},
		Limits: uasession.Limits{Publish: srv.PublishRequests},
	}
	l := lifetimes(srv)
	cfg.Timing.KeepAlive, cfg.Timing.Lifetime = l[0], l[1]
	return cfg, nil
}

var clocks = map[config.Clock]telemetry.Clock{
	config.ClockSource: telemetry.SourceClock, config.ClockServer: telemetry.ServerClock, config.ClockReceive: telemetry.ReceiveClock,
}

// sessionGroups translates the groups of srv. Nodes of one unit share their Series.
func sessionGroups(srv *config.Server) ([]uasession.Group, error) {
	series := seriesOf{}
	out := make([]uasession.Group, 0, len(srv.Groups))
	for _, g := range srv.Groups {
		group := uasession.Group{Name: g.Name, Publishing: g.Publishing, Tags: make([]uasession.Tag, 0, len(g.Nodes))}
		for i := range g.Nodes {
			tag, err := sessionTag(&g.Nodes[i], series)
			if err != nil {
				return nil, fmt.Errorf("server %s, group %s: %w", srv.Name, g.Name, err)
			}
			group.Tags = append(group.Tags, tag)
		}
		out = append(out, group)
	}
	return out, nil
}

type seriesOf map[string]*telemetry.Series

func (m seriesOf) get(measurement string, tags map[string]string) (*telemetry.Series, error) {
	s, err := telemetry.NewSeries(measurement, tags)
	if err != nil {
		return nil, err
	}
	if old := m[string(s.Key())]; old != nil {
		return old, nil
	}
	m[string(s.Key())] = s
	return s, nil
}

func sessionTag(n *config.Node, all seriesOf) (uasession.Tag, error) {
	series, err := all.get(n.Measurement, n.Tags)
	if err != nil {
		return uasession.Tag{}, err
	}
	tag := uasession.Tag{Node: n.ID.String(), Sampling: n.Sampling, Queue: n.Queue, DiscardNewest: !n.DiscardOldest,
		Deadband: uasession.Deadband{Kind: deadbands[n.Deadband.Kind], Value: n.Deadband.Value}}
	where := tag.Node
	if len(n.Path) > 0 {
		names := make([]string, len(n.Path))
		for i, step := range n.Path {
			tag.Path = append(tag.Path, uasession.QName{URI: step.Namespace, Name: step.Name})
			names[i] = step.Name
		}
		tag.Node, where = "i=84", "/"+strings.Join(names, "/")
	}
	typ, _ := telemetry.ParseType(string(n.Type))
	scale, divisor, offset := n.Linear()
	output := func(field, path string) error {
		p, err := uavalue.ParsePath(path)
		if err != nil {
			return fmt.Errorf("node %s: %w", where, err)
		}
		tag.Outputs = append(tag.Outputs, uasession.Output{Series: series, Name: field, Type: typ, Path: p,
			Scale: scale, Divisor: divisor, Offset: offset, Base64: n.Base64})
		return nil
	}
	switch {
	case len(n.Elements) > 0:
		for _, i := range slices.Sorted(maps.Keys(n.Elements)) {
			if err := output(n.Elements[i], fmt.Sprintf("[%d]", i)); err != nil {
				return tag, err
			}
		}
	case len(n.Members) > 0:
		for _, member := range slices.Sorted(maps.Keys(n.Members)) {
			if err := output(n.Members[member], member); err != nil {
				return tag, err
			}
		}
	default:
		if err := output(n.Field, ""); err != nil {
			return tag, err
		}
	}
	tag.Name = fmt.Sprintf("%s (%s %s)", where, series.Key(), tag.Outputs[0].Name)
	return tag, nil
}

var deadbands = map[config.DeadbandKind]uasession.DeadbandKind{
	config.DeadbandNone: uasession.NoDeadband, config.DeadbandAbsolute: uasession.AbsoluteDeadband, config.DeadbandPercent: uasession.PercentDeadband,
}

// pinConfigured takes over the types that the configuration names, so that a unit without one gets the same.
func (w *worker) pinConfigured(cfg *config.Config) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, srv := range cfg.Servers {
		for _, g := range srv.Groups {
			for i := range g.Nodes {
				n := &g.Nodes[i]
				typ, ok := telemetry.ParseType(string(n.Type))
				if !ok {
					continue
				}
				for _, field := range fieldsOf(n) {
					w.pins[n.Measurement+" "+field] = typ
				}
			}
		}
	}
}

// pinRestored takes over the types that tags had before a restart.
func (w *worker) pinRestored(groups []uasession.Group, tracks *Tracks) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range groups {
		for i := range g.Tags {
			for _, o := range g.Tags[i].Outputs {
				tag := tracks.Tags[TagKey(string(o.Series.Key()), o.Name)]
				signal := signalOf(o.Series, o.Name)
				if _, ok := w.pins[signal]; !ok && tag != nil && tag.Type != telemetry.NoType {
					w.pins[signal] = tag.Type
				}
			}
		}
	}
}

// fieldsOf are the fields that a node writes.
func fieldsOf(n *config.Node) []string {
	switch {
	case len(n.Elements) > 0:
		return slices.Collect(maps.Values(n.Elements))
	case len(n.Members) > 0:
		return slices.Collect(maps.Values(n.Members))
	}
	return []string{n.Field}
}
