package lots

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"kvarts/historian/exact"
)

// json reads one object a line. A line that is none leaves the others readable.
func (rd *reader) json(text string) {
	line := 0
	for row := range strings.Lines(text) {
		line++
		row = strings.TrimSpace(row)
		if row == "" || !rd.encoded(line, row) {
			continue
		}
		if rd.full() {
			return
		}
		rd.object(line, row)
	}
}

// object reads a lot or a step.
func (rd *reader) object(line int, text string) {
	list, err := membersOf([]byte(text))
	if err != nil {
		rd.problem(line, "", err.Error())
		return
	}
	has := func(name string) bool {
		return slices.ContainsFunc(list, func(m member) bool { return m.name == name })
	}
	before := len(rd.problems)
	switch {
	case has("step") && !has("lot"):
		var s Step
		rd.members(line, "", list, stepMembers(), neededOf(stepMembers()), func(m member) error { return rd.stepMember(line, &s, m) })
		if len(rd.problems) == before {
			rd.step(line, &s)
		}
	case has("lot") && !has("step"):
		var l Lot
		rd.members(line, "", list, lotMembers(), neededOf(lotMembers()), func(m member) error { return rd.lotMember(line, &l, m) })
		if len(rd.problems) == before {
			rd.lot(line, &l)
		}
	default:
		rd.problem(line, "", `is neither a lot nor a step; begin it with {"lot": or {"step":`)
	}
}

func (rd *reader) lotMember(line int, l *Lot, m member) error {
	if m.name != "embodied_kwh" {
		return m.text(func(text string) error { return l.set(m.name, text, rd.o.Zone) })
	}
	stages, err := membersOf(m.value)
	if err != nil {
		return errors.New(`is not an object; write energy by stage like {"metallurgical":"51000"}`)
	}
	l.Embodied = make(map[string]exact.Num, len(stages))
	names := make([]string, len(stages))
	for i := range stages {
		names[i] = stages[i].name
	}
	rd.members(line, "embodied_kwh.", stages, names, nil, func(stage member) error {
		return stage.text(func(text string) (err error) {
			l.Embodied[stage.name], err = number(text)
			return err
		})
	})
	return nil
}

func (rd *reader) stepMember(line int, s *Step, m member) error {
	switch m.name {
	case "inputs":
		return rd.array(line, m, inputMembers(), []string{"lot"}, func() func(member) error {
			s.Inputs = append(s.Inputs, Input{})
			in := &s.Inputs[len(s.Inputs)-1]
			return func(m member) error { return m.text(func(text string) error { return in.set(m.name, text) }) }
		})
	case "outputs":
		return rd.array(line, m, outputMembers(), []string{"lot", "quantity"}, func() func(member) error {
			s.Outputs = append(s.Outputs, Output{})
			out := &s.Outputs[len(s.Outputs)-1]
			return func(m member) error { return m.text(func(text string) error { return out.set(m.name, text) }) }
		})
	default:
		return m.text(func(text string) error { return s.set(m.name, text, rd.o.Zone) })
	}
}

func (in *Input) set(name, text string) (err error) {
	if name == "lot" {
		in.Lot = text
		return nil
	}
	in.Quantity, err = amount(text)
	return err
}

func (out *Output) set(name, text string) (err error) {
	switch name {
	case "lot":
		out.Lot = text
	case "scrap":
		out.Scrap, err = yes(text)
	default:
		out.Quantity, err = number(text)
	}
	return err
}

// array reads the objects of a member; begin is called for each.
func (rd *reader) array(line int, m member, known, needed []string, begin func() func(member) error) error {
	var items []json.RawMessage
	if err := json.Unmarshal(m.value, &items); err != nil {
		return errors.New(`is not an array; write it like [{"lot":"MG-7","quantity":"12.5"}]`)
	}
	for i, item := range items {
		list, err := membersOf(item)
		if err != nil {
			return fmt.Errorf("number %d %w", i+1, err)
		}
		set := begin()
		rd.members(line, fmt.Sprintf("%s[%d].", m.name, i), list, known, needed, set)
	}
	return nil
}

// members hands each member to set, and tells of those that are unknown, wrong, or needed and not there. Null is as if it were not there.
func (rd *reader) members(line int, prefix string, list []member, known, needed []string, set func(member) error) {
	given := make(map[string]bool, len(list))
	for _, m := range list {
		if !slices.Contains(known, m.name) {
			rd.problem(line, prefix+m.name, "is not a member; use "+strings.Join(known, ", "))
			continue
		}
		if _, twice := given[m.name]; twice {
			rd.problem(line, prefix+m.name, "is there twice; keep one of them")
			continue
		}
		given[m.name] = !m.null()
		if m.null() {
			continue
		}
		if err := set(m); err != nil {
			rd.problem(line, prefix+m.name, err.Error())
		}
	}
	for _, name := range needed {
		if !given[name] {
			rd.problem(line, prefix+name, "missing")
		}
	}
}

// member is one member of an object.
type member struct {
	name  string
	value json.RawMessage
}

func (m *member) null() bool { return string(m.value) == "null" }

// text hands the member to set, when it is a text, a number or a truth.
func (m *member) text(set func(string) error) error {
	truth := m.name == "scrap" || m.name == "withdrawn"
	switch c := m.value[0]; {
	case truth && (c == 't' || c == 'f'), !truth && (c == '-' || '0' <= c && c <= '9'):
		return set(string(m.value))
	case !truth && c == '"':
		var s string
		if err := json.Unmarshal(m.value, &s); err != nil {
			return err
		}
		if strings.TrimSpace(s) == "" {
			return nil // not told
		}
		return set(s)
	case truth:
		return errors.New("is neither true nor false")
	default:
		return errors.New("is neither a text nor a number; write one of them")
	}
}

// membersOf takes an object apart, and refuses what follows it.
func membersOf(text []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return nil, errors.New("is not a JSON object; write one object a line")
	}
	var list []member
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return nil, notJSON(err)
		}
		m := member{}
		m.name, _ = tok.(string) // the decoder gives nothing else of a member
		if err := d.Decode(&m.value); err != nil {
			return nil, notJSON(err)
		}
		list = append(list, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, notJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("is followed by something on the same line; write one object a line")
	}
	return list, nil
}

func notJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("ends within an object; it was cut, or stands on several lines: write one object a line")
	}
	return fmt.Errorf("is not JSON: %w", err)
}
