package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"kvarts/deploy/simplant/areas"
)

// show tells a person, or a script, what the plant does.
type show struct {
	out   io.Writer
	plant *areas.Plant
	opts  *options
	clock func() time.Time
}

// every is how often progress is told.
const every = 10 * time.Second

// place is a server, as it is announced.
type place struct {
	Name     string   `json:"name"`
	Areas    []string `json:"areas"`
	Endpoint string   `json:"endpoint"`
	Units    int      `json:"units"`
	Signals  int      `json:"signals"`
}

// announce tells where the servers are, and how to collect them.
func (s *show) announce() error {
	places := make([]place, 0, len(s.plant.Servers()))
	for _, x := range s.plant.Servers() {
		p := place{Name: x.Name, Endpoint: x.UA.Endpoint(), Units: len(x.Units), Signals: len(x.Targets)}
		for _, u := range x.Units {
			if !slices.Contains(p.Areas, u.Area) {
				p.Areas = append(p.Areas, u.Area)
			}
		}
		places = append(places, p)
	}
	if s.opts.JSON {
		return json.NewEncoder(s.out).Encode(map[string]any{"servers": places})
	}
	text := table(places)
	if s.opts.Collector == "" {
		text += "\nA collector's configuration for this plant: add --collector FILE (and --port, so that the endpoints stay)\n"
	} else {
		text += fmt.Sprintf("\nCollect it into %s:\n  collector run --config %s\n", s.opts.Store, s.opts.Collector)
	}
	_, err := fmt.Fprint(s.out, text+"Ctrl-C stops.\n\n")
	return err
}

// fewServers is how many servers of an area are listed one by one.
const fewServers = 5

// table lists the servers by area; of many in one area the first and the last.
func table(places []place) string {
	var areas []string
	of := map[string][]place{}
	for _, p := range places {
		area := strings.Join(p.Areas, "+")
		if of[area] == nil {
			areas = append(areas, area)
		}
		of[area] = append(of[area], p)
	}
	var b strings.Builder
	line := func(area, server, endpoint string, units, signals int) {
		fmt.Fprintf(&b, "%-10s %-20s %-28s %6d %8d\n", area, server, endpoint, units, signals)
	}
	fmt.Fprintf(&b, "%-10s %-20s %-28s %6s %8s\n", "area", "server", "endpoint", "units", "signals")
	for _, area := range areas {
		all := of[area]
		if len(all) <= fewServers {
			for _, p := range all {
				line(area, p.Name, p.Endpoint, p.Units, p.Signals)
			}
			continue
		}
		units, signals := 0, 0
		for _, p := range all {
			units, signals = units+p.Units, signals+p.Signals
		}
		first, last := all[0], all[len(all)-1]
		line(area, fmt.Sprintf("%s … (%d)", first.Name, len(all)), first.Endpoint, units, signals)
		fmt.Fprintf(&b, "%-10s %-20s %s\n", "", "… "+last.Name, last.Endpoint)
	}
	return b.String()
}

// progress tells now and then how much is made, until ctx ends.
func (s *show) progress(ctx context.Context) error {
	if s.opts.JSON {
		return nil
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for before, at := s.plant.Samples(), time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		made, now := s.plant.Samples(), time.Now()
		line := fmt.Sprintf("%s  %8.0f samples/s  %d in all", s.plant.Now().Format(time.DateTime), float64(made-before)/now.Sub(at).Seconds(), made)
		if late := s.clock().Sub(s.plant.Now()); late > time.Duration(2*s.opts.Speed*float64(time.Second)) {
			line += fmt.Sprintf("  %s behind its clock", late.Round(time.Second))
		}
		if _, err := fmt.Fprintln(s.out, line); err != nil {
			return err
		}
		before, at = made, now
	}
}

// reckons tells that the end takes a while.
func (s *show) reckons() error {
	if s.opts.JSON || s.opts.Truth == "" {
		return nil
	}
	_, err := fmt.Fprintf(s.out, "Reckoning the truth into %s (Ctrl-C leaves it)\n", s.opts.Truth)
	return err
}

// counts are what is told at the end.
type counts struct {
	Generated uint64     `json:"generated"`
	Filtered  uint64     `json:"filtered"`
	Mutations uint64     `json:"mutations"`
	Distance  *distances `json:"distance,omitempty"`
}

// farewell tells what was generated, and how far its sampled truth is from the continuous one; far is nil without a truth.
func (s *show) farewell(far *distances) error {
	c := counts{Distance: far}
	for _, x := range s.plant.Servers() {
		c.Generated += x.UA.GeneratedCount()
		c.Mutations += x.UA.Mutations()
		for _, n := range x.UA.Filtered() {
			c.Filtered += n
		}
	}
	if s.opts.JSON {
		return json.NewEncoder(s.out).Encode(c)
	}
	_, err := fmt.Fprintf(s.out, "%d samples generated, %d kept from clients; %d requests to change something refused.\n", c.Generated, c.Filtered, c.Mutations)
	if err != nil || far == nil {
		return err
	}
	return far.table(s.out)
}
