package areas

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/plant"
)

// mount adds the variables of a unit.
func (server *Server) mount(u *plant.Unit, wires wires) (*mount, error) {
	m := &mount{server: server, served: make([]served, len(u.Class.Signals))}
	for i := range u.Class.Signals {
		s := &u.Class.Signals[i]
		node := u.NodeID(s)
		if node == "" {
			continue
		}
		v := &m.served[i]
		v.wire, v.as = wires.of(s), encodingOf(s)
		var err error
		v.variable, err = server.UA.AddVariable(uaserver.NodeSpec{
			ID: node, Path: strings.Join([]string{u.Area, u.ID, s.Name}, "/"), DataType: v.as.dataType(),
			Unit: unitOf(s), Range: rangeOf(s, v.wire), States: statesOf(u, s), Description: s.Description,
		})
		if err != nil {
			return nil, fmt.Errorf("serve signal %s of unit %s: %w", s.Name, u.ID, err)
		}
		server.Targets[v.variable.ID()] = Target{Unit: u, Signal: s, wire: v.wire}
	}
	return m, nil
}

// rangeOf is the EURange, in the machine's unit.
func rangeOf(s *plant.Signal, w wire) *uaserver.Range {
	if s.Range == nil {
		return nil
	}
	return &uaserver.Range{Low: w.said(s.Range.Low.Float()), High: w.said(s.Range.High.Float())}
}

// mostStates bounds the names of a state's codes: more of them would be no enumeration.
const mostStates = 100

// statesOf names the codes 0, 1, … of a state: by the unit's state map, or as the description lists them.
func statesOf(u *plant.Unit, s *plant.Signal) []string {
	if s.Kind != plant.State || s.Type != plant.Int {
		return nil
	}
	if s == u.Class.State {
		codes, _ := u.States.At(plant.Always)
		if len(u.States) > 0 {
			codes = u.States[len(u.States)-1].Value
		}
		return namesOf(codes)
	}
	if words := strings.Split(s.Description, ", "); len(words) > 2 && !slices.ContainsFunc(words, func(w string) bool { return strings.ContainsAny(w, " .;") }) {
		return words
	}
	return nil
}

// namesOf is the list of the codes' names; what is between them has none.
func namesOf(codes plant.Codes) []string {
	var names []string
	for code, m := range codes {
		n, err := strconv.Atoi(code)
		if err != nil || n < 0 || n >= mostStates {
			continue
		}
		for len(names) <= n {
			names = append(names, "")
		}
		names[n] = string(m.Category)
		if m.Reason != "" && m.Reason != code {
			names[n] += ": " + m.Reason
		}
	}
	return names
}
