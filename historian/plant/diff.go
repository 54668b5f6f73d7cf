package plant

// Change is one difference between two models, in words: "product M10: ideal of wire_saw from 1.6 to 1.5 s from 2026-12-01".
type Change struct {
	What string `json:"what"` // kind of the part: product, unit, …
	Name string `json:"name"` // of the part
	Text string `json:"text"` // what changed
}

func (c Change) String() string { return c.What + " " + c.Name + ": " + c.Text }

// Diff tells what changed from old to new, in the order of the file's sections.
func Diff(old, new *Model) []Change {
	return nil
}
