package purity

import (
	"fmt"

	"kvarts/historian/exact"
)

// class sorts elements by how they count in silicon.
type class uint8

const (
	metal  class = iota // with Al, Ga and In, which dope, too
	dopant              // donors and acceptors that are no metals
	other               // halogens, chalcogens, germanium
	light               // H, C, N, O: they come with the crucible and the gas, and are normally spoken of by themselves
)

func (c class) String() string { return [...]string{"metal", "dopant", "other", "light"}[c] }

// element is a row of the periodic table.
type element struct {
	symbol string
	z      int    // atomic number
	weight string // standard atomic weight, decimal
	class  class
}

// silicon is the matrix. Its atomic weight is that of ppba = ppbw · 28.0855/M.
const (
	silicon       = "Si"
	siliconWeight = "28.0855"
)

// elements are those that mass spectrometry reports in silicon: all stable ones but the noble gases, with Th and U. The weights are
// the single values of IUPAC's table of 2007 (M. E. Wieser, M. Berglund: Atomic weights of the elements 2007, Pure Appl. Chem.
// 81 (2009) 2131), the last one before weights of elements like boron became intervals: laboratories still convert with them. Read only.
var elements = [...]element{
	{"H", 1, "1.00794", light}, {"Li", 3, "6.941", metal}, {"Be", 4, "9.012182", metal}, {"B", 5, "10.811", dopant},
	{"C", 6, "12.0107", light}, {"N", 7, "14.0067", light}, {"O", 8, "15.9994", light}, {"F", 9, "18.9984032", other},
	{"Na", 11, "22.98976928", metal}, {"Mg", 12, "24.3050", metal}, {"Al", 13, "26.9815386", metal}, {"P", 15, "30.973762", dopant},
	{"S", 16, "32.065", other}, {"Cl", 17, "35.453", other}, {"K", 19, "39.0983", metal}, {"Ca", 20, "40.078", metal},
	{"Sc", 21, "44.955912", metal}, {"Ti", 22, "47.867", metal}, {"V", 23, "50.9415", metal}, {"Cr", 24, "51.9961", metal},
	{"Mn", 25, "54.938045", metal}, {"Fe", 26, "55.845", metal}, {"Co", 27, "58.933195", metal}, {"Ni", 28, "58.6934", metal},
	{"Cu", 29, "63.546", metal}, {"Zn", 30, "65.38", metal}, {"Ga", 31, "69.723", metal}, {"Ge", 32, "72.64", other},
	{"As", 33, "74.92160", dopant}, {"Se", 34, "78.96", other}, {"Br", 35, "79.904", other}, {"Rb", 37, "85.4678", metal},
	{"Sr", 38, "87.62", metal}, {"Y", 39, "88.90585", metal}, {"Zr", 40, "91.224", metal}, {"Nb", 41, "92.90638", metal},
	{"Mo", 42, "95.96", metal}, {"Ru", 44, "101.07", metal}, {"Rh", 45, "102.90550", metal}, {"Pd", 46, "106.42", metal},
	{"Ag", 47, "107.8682", metal}, {"Cd", 48, "112.411", metal}, {"In", 49, "114.818", metal}, {"Sn", 50, "118.710", metal},
	{"Sb", 51, "121.760", dopant}, {"Te", 52, "127.60", other}, {"I", 53, "126.90447", other}, {"Cs", 55, "132.9054519", metal},
	{"Ba", 56, "137.327", metal}, {"La", 57, "138.90547", metal}, {"Ce", 58, "140.116", metal}, {"Pr", 59, "140.90765", metal},
	{"Nd", 60, "144.242", metal}, {"Sm", 62, "150.36", metal}, {"Eu", 63, "151.964", metal}, {"Gd", 64, "157.25", metal},
	{"Tb", 65, "158.92535", metal}, {"Dy", 66, "162.500", metal}, {"Ho", 67, "164.93032", metal}, {"Er", 68, "167.259", metal},
	{"Tm", 69, "168.93421", metal}, {"Yb", 70, "173.054", metal}, {"Lu", 71, "174.9668", metal}, {"Hf", 72, "178.49", metal},
	{"Ta", 73, "180.94788", metal}, {"W", 74, "183.84", metal}, {"Re", 75, "186.207", metal}, {"Os", 76, "190.23", metal},
	{"Ir", 77, "192.217", metal}, {"Pt", 78, "195.084", metal}, {"Au", 79, "196.966569", metal}, {"Hg", 80, "200.59", metal},
	{"Tl", 81, "204.3833", metal}, {"Pb", 82, "207.2", metal}, {"Bi", 83, "208.98040", metal}, {"Th", 90, "232.03806", metal},
	{"U", 92, "238.02891", metal},
}

// elementOf finds an element by its symbol.
func elementOf(symbol string) (element, error) {
	if symbol == silicon {
		return element{}, fmt.Errorf("%s is the matrix, not an impurity; leave the row out", silicon)
	}
	for _, e := range &elements {
		if e.symbol == symbol {
			return e, nil
		}
	}
	return element{}, fmt.Errorf("%q is no element that counts in silicon; write its symbol, like Fe", symbol)
}

// massPerAtom is M/28.0855: what turns an atomic fraction of the element in silicon into a mass fraction.
func (e *element) massPerAtom() exact.Num {
	m, _ := exact.Parse(e.weight) // a constant of the table, which a test parses
	si, _ := exact.Parse(siliconWeight)
	return m.Quo(si)
}
