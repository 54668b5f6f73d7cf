package lots

import (
	"bytes"
	"encoding/json"
	"fmt"

	"kvarts/historian/exact"
)

// lotObject and stepObject are the objects of a lot book, as they are written.
type (
	lotObject struct {
		Lot         string            `json:"lot"`
		Kind        Kind              `json:"kind"`
		Product     string            `json:"product,omitempty"`
		Quantity    string            `json:"quantity"`
		UnitOf      string            `json:"unit_of"`
		MadeAt      string            `json:"made_at"`
		WpNominal   string            `json:"wp_nominal,omitempty"`
		WpRealised  string            `json:"wp_realised,omitempty"`
		EmbodiedKWh map[string]string `json:"embodied_kwh,omitempty"`
		ReplacedKWh string            `json:"replaced_kwh,omitempty"`
		auditObject
	}
	stepObject struct {
		Step      string         `json:"step"`
		Stage     string         `json:"stage"`
		Unit      string         `json:"unit,omitempty"`
		From      string         `json:"from"`
		To        string         `json:"to"`
		Inputs    []inputObject  `json:"inputs,omitempty"`
		Outputs   []outputObject `json:"outputs"`
		EnergyKWh string         `json:"energy_kwh,omitempty"`
		auditObject
	}
	inputObject struct {
		Lot      string `json:"lot"`
		Quantity string `json:"quantity,omitempty"`
	}
	outputObject struct {
		Lot      string `json:"lot"`
		Quantity string `json:"quantity"`
		Scrap    bool   `json:"scrap,omitempty"`
	}
	auditObject struct {
		Revision  int    `json:"revision,omitempty"`
		By        string `json:"by,omitempty"`
		Why       string `json:"why,omitempty"`
		Withdrawn bool   `json:"withdrawn,omitempty"`
	}
)

func auditOf(r *Revision) auditObject { return auditObject{r.Number, r.By, r.Why, r.Withdrawn} }

func told(n *exact.Num) string {
	if n == nil {
		return ""
	}
	return decimal(*n)
}

func (l *Lot) object() lotObject {
	o := lotObject{Lot: l.ID, Kind: l.Kind, Product: l.Product, Quantity: decimal(l.Quantity), UnitOf: l.UnitOf, MadeAt: clock(l.MadeAt),
		WpNominal: told(l.WpNominal), WpRealised: told(l.WpRealised), ReplacedKWh: told(l.ReplacedKWh), auditObject: auditOf(&l.Revision)}
	if len(l.Embodied) > 0 {
		o.EmbodiedKWh = make(map[string]string, len(l.Embodied))
		for stage, n := range l.Embodied {
			o.EmbodiedKWh[stage] = decimal(n)
		}
	}
	return o
}

func (s *Step) object() stepObject {
	o := stepObject{Step: s.ID, Stage: s.Stage, Unit: s.Unit, From: clock(s.From), To: clock(s.To), EnergyKWh: told(s.EnergyKWh), auditObject: auditOf(&s.Revision)}
	for _, in := range s.Inputs {
		o.Inputs = append(o.Inputs, inputObject{in.Lot, told(in.Quantity)})
	}
	for _, out := range s.Outputs {
		o.Outputs = append(o.Outputs, outputObject{out.Lot, decimal(out.Quantity), out.Scrap})
	}
	return o
}

// MarshalJSON gives the lot as an object of a lot book.
func (l *Lot) MarshalJSON() ([]byte, error) { return encode(l.object()) }

// MarshalJSON gives the step as an object of a lot book.
func (s *Step) MarshalJSON() ([]byte, error) { return encode(s.object()) }

// content is all that the lot says, without who says it and when: two that are equal say the same.
func (l *Lot) content() (string, error) {
	o := l.object()
	o.auditObject = auditObject{Withdrawn: l.Withdrawn}
	b, err := encode(o)
	return string(b), err
}

func (s *Step) content() (string, error) {
	o := s.object()
	o.auditObject = auditObject{Withdrawn: s.Withdrawn}
	b, err := encode(o)
	return string(b), err
}

// encode is v on one line, with < > & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode entry of the lot book: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
