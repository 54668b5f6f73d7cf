package world

// What goes along with lots on stock (Held.Note).

// BrickNote is of a brick.
type BrickNote struct {
	LengthMM float64
}

// CellNote is of a lot of tested cells.
type CellNote struct {
	WpRealised Quantity // of all cells of the lot, as tested
}
