package config

// Conversion turns a value of one unit into another of the same dimension.
//
// It multiplies and divides by whole numbers where the units allow it, because 2300/1000 is 2.3 and 2300×0.001 is not.
type Conversion struct {
	From, To              string
	before, mul, div, end float64 // ((x + before) × mul) / div + end
}

// Apply converts x.
func (c *Conversion) Apply(x float64) float64 {
	if c == nil {
		return x
	}
	return (x+c.before)*c.mul/c.div + c.end
}

// Converts reports whether a value of the machine is changed at all before it is stored.
func (n *Node) Converts() bool { return n.Scale != 1 || n.Offset != 0 || n.Unit != nil }

// Convert gives the stored value of a raw value: scale, then offset, then unit conversion.
func (n *Node) Convert(raw float64) float64 { return n.Unit.Apply(raw*n.Scale + n.Offset) }
