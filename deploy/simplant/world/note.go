package world

// What goes along with lots on stock (Held.Note).

// BrickNote is of a brick.
type BrickNote struct {
	LengthMM float64
}
