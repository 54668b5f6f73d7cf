package lab

// element is one line of what is looked for.
type element struct {
	method, symbol, unit string
	median, spread       float64 // in the material: median, and standard deviation of the logarithm
	lod                  float64
	worse                float64 // LOD with the second instrument; 0: the same
}

// crystal is what a sample of a crystal is analysed for: in most, all together stays below 1 ppt. Calcium sits on a line of
// argon: the second instrument shows it only above 0.40 pptw, and 12N cannot be shown with that.
func crystal() []element {
	const method, unit = "GDMS", "pptw"
	return []element{
		{method, "Na", unit, 0.060, 0.30, 0.02, 0},
		{method, "Al", unit, 0.040, 0.35, 0.03, 0},
		{method, "K", unit, 0.020, 0.30, 0.02, 0},
		{method, "Ca", unit, 0.045, 0.30, 0.04, 0.40},
		{method, "Ti", unit, 0.008, 0.40, 0.01, 0},
		{method, "Cr", unit, 0.018, 0.40, 0.015, 0},
		{method, "Fe", unit, 0.110, 0.40, 0.03, 0},
		{method, "Ni", unit, 0.030, 0.40, 0.02, 0},
		{method, "Cu", unit, 0.022, 0.40, 0.02, 0},
		{method, "Zn", unit, 0.015, 0.30, 0.02, 0},
		{method, "Mo", unit, 0.006, 0.30, 0.01, 0},
		{"SIMS", "B", unit, 0.050, 0.25, 0.02, 0},
		{"SIMS", "P", unit, 0.090, 0.25, 0.03, 0},
		{"SIMS", "As", unit, 0.010, 0.30, 0.015, 0},
	}
}

// poly is what a harvest is analysed for.
func poly() []element {
	const bulk = "ICP-MS bulk"
	return []element{
		{bulk, "Fe", "ppbw", 0.060, 0.40, 0.02, 0},
		{bulk, "Cr", "ppbw", 0.012, 0.40, 0.01, 0},
		{bulk, "Ni", "ppbw", 0.015, 0.40, 0.01, 0},
		{bulk, "Cu", "ppbw", 0.010, 0.40, 0.01, 0},
		{bulk, "Zn", "ppbw", 0.012, 0.40, 0.02, 0},
		{bulk, "Na", "ppbw", 0.040, 0.40, 0.02, 0},
		{"LT-FTIR", "B", "ppba", 0.012, 0.30, 0.005, 0},
		{"LT-FTIR", "P", "ppba", 0.025, 0.30, 0.005, 0},
		{"LT-FTIR", "Al", "ppba", 0.006, 0.30, 0.005, 0},
		{"LT-FTIR", "As", "ppba", 0.003, 0.30, 0.005, 0},
	}
}
