package main

import (
	"encoding/json"
	"io"

	"kvarts/deploy/simplant/truth"
	"kvarts/deploy/simplant/truth/contract"
	"kvarts/historian/calendar"
)

// answered is a line of answers.json.
type answered struct {
	Target      target    `json:"target"`
	Part        string    `json:"part"`
	Name        string    `json:"name,omitempty"`
	Window      [2]string `json:"window"`
	Cut         bool      `json:"cut,omitempty"`
	Undisturbed *values   `json:"undisturbed"`
	Seen        *values   `json:"seen,omitempty"`
}

// values is an answer as historian conform --json gives it: every key, numbers as text in lowest terms, or null.
type values contract.Answer

// MarshalJSON gives every key of CONFORMANCE.md.
func (v *values) MarshalJSON() ([]byte, error) {
	out := map[string]any{"reason": nil, "findings": append([]string{}, v.Findings...)}
	if v.Reason != "" {
		out["reason"] = v.Reason
	}
	for _, key := range contract.Keys() {
		out[key] = nil
		if n, ok := v.Numbers[key]; ok {
			out[key] = n.String()
		}
	}
	return json.Marshal(out)
}

// writeAnswers writes what was said to all questions; saidSeen is nil where nothing was disturbed.
func writeAnswers(to io.Writer, all []question, said, saidSeen []contract.Answer) error {
	enc := json.NewEncoder(to)
	for i := range all {
		q := &all[i]
		x := answered{Target: q.target, Part: q.Kind, Name: q.Name, Window: windowOf(q.Interval), Cut: q.Cut, Undisturbed: (*values)(&said[i])}
		if saidSeen != nil {
			x.Seen = (*values)(&saidSeen[i])
		}
		if err := enc.Encode(x); err != nil {
			return err
		}
	}
	return nil
}

// windowOf is an interval as CONFORMANCE.md writes it.
func windowOf(v calendar.Interval) [2]string { return [2]string{v.From.String(), v.To.String()} }

// distances are those of all units in the whole run.
type distances struct {
	Window      [2]string        `json:"window"`
	Undisturbed []truth.Distance `json:"undisturbed"`
	Seen        []truth.Distance `json:"seen,omitempty"`
}

// table writes them for people.
func (d *distances) table(to io.Writer) error {
	show := func(title string, all []truth.Distance) error {
		if _, err := io.WriteString(to, "\n"+title+":\n"); err != nil {
			return err
		}
		return truth.WriteDistances(to, all)
	}
	if err := show("The contract's answers on all that was to be seen, and what really happened", d.Undisturbed); err != nil || d.Seen == nil {
		return err
	}
	return show("On what was seen while faults were switched on", d.Seen)
}
