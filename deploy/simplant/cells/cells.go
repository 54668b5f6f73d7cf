// Package cells makes cells of wafers and modules of cells: texture, diffusion, coating, print and fire, test; stringing and
// laminating, framing and test.
//
//	"wafer" ──wet_bench──► ──tube_furnace──► ──pecvd──► ──print_fire_test──► "cell" ──module_station──► ──module_tester──► pallets
//	          TEX lots       DIF, by boat      COA        CEL, with watts             LAM                  MOD, with watts
//
// Which tools follow each other, and which work side by side, is what the lines of the plant model say; where there are no
// lines, it is the order of the classes. The last tool of a line tests: it knows realised watts.
//
// Watts have causes. Each tool adds its part to the gain of what goes through it: the bath's age, the sheet resistance of the
// tube, the thickness of the coating, the age of the screen. So realised watts differ from nominal ones, drift within days
// and are restored by maintenance.
package cells

import (
	"fmt"
	"slices"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

// Process gives the script of a unit of one of this package's classes, else nil.
func Process(u *world.Unit) world.Process {
	r, ok := routeOf(u.World().Model(), u.Unit)
	if !ok {
		return nil
	}
	switch u.Class.Name {
	case "wet_bench":
		return inline{route: r, dress: wetBench}
	case "print_fire_test", "cell_tester":
		return inline{route: r, dress: printer}
	case "tube_furnace":
		return boats{route: r, size: 2400, tool: furnace}
	case "pecvd":
		return boats{route: r, size: 1200, tool: coater}
	default:
		return moduleStep{route: r}
	}
}

// cellTools and moduleTools are the classes in the order of the chain.
func cellTools() []string {
	return []string{"wet_bench", "tube_furnace", "pecvd", "print_fire_test", "cell_tester"}
}
func moduleTools() []string { return []string{"module_station", "module_tester"} }

// route is the place of a unit in its line.
type route struct {
	line        string
	in, out     string // stocks; out is "" where modules leave
	step, steps int    // from 0
}

func (r *route) first() bool { return r.step == 0 }
func (r *route) last() bool  { return r.step == r.steps-1 }

// routeOf finds the place of a unit; ok is false for classes that are not of this package.
func routeOf(m *plant.Model, u *plant.Unit) (r route, ok bool) {
	classes, in, out := cellTools(), "wafer", "cell"
	if slices.Contains(moduleTools(), u.Class.Name) {
		classes, in, out = moduleTools(), "cell", ""
	}
	if !slices.Contains(classes, u.Class.Name) {
		return r, false
	}
	r.line, r.step, r.steps = u.Line, -1, 0
	for _, l := range m.Lines {
		r.steps = len(l.Steps)
		if r.step = slices.IndexFunc(l.Steps, func(s plant.Step) bool { return slices.Contains(s.Units, u.ID) }); r.step >= 0 {
			break
		}
	}
	if r.step < 0 { // no line has it
		used := slices.DeleteFunc(classes, func(class string) bool {
			return !slices.ContainsFunc(m.Units, func(o *plant.Unit) bool { return o.Class.Name == class })
		})
		r.step, r.steps = slices.Index(used, u.Class.Name), len(used)
	}
	r.in, r.out = in, out
	if !r.first() {
		r.in = fmt.Sprintf("%s after %s %d", in, r.line, r.step)
	}
	if !r.last() {
		r.out = fmt.Sprintf("%s after %s %d", in, r.line, r.step+1)
	}
	return r, true
}
