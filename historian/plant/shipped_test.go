package plant

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvarts/collector/config"
	"kvarts/historian/exact"
)

const plants = "../../configs/plants/"

func load(t *testing.T, file string) *Model {
	t.Helper()
	m, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Warnings) > 0 {
		t.Errorf("%s: %v", file, m.Warnings)
	}
	return m
}

// chainUnits are the machines of a chain of k GW, by kind.
func chainUnits(k, meters int) map[string]int {
	return map[string]int{"arc_furnace": 1, "siemens_reactor": 6 * k, "tcs_unit": k, "cz_puller": 56 * k, "brick_machine": 12 * k, "wire_saw": 12 * k,
		"clean_line": 3 * k, "wafer_sorter": 3 * k, "cell tools": 34 * k, "module stations": 30 * k, "energy_meter": meters, "utility": 12 * k}
}

// kindOf is the kind of machine that plants are sized by: several classes may be one kind.
func kindOf(class string) string {
	switch class {
	case "wet_bench", "tube_furnace", "pecvd", "print_fire_test", "cell_tester":
		return "cell tools"
	case "module_station", "module_tester":
		return "module stations"
	}
	return class
}

// The counts of a plant of 1 GW and of 2 GW that the product is sized for.
func TestShippedCounts(t *testing.T) {
	for file, want := range map[string]map[string]int{
		"demo": {"arc_furnace": 1, "tcs_unit": 1, "siemens_reactor": 2, "cz_puller": 6, "brick_machine": 1, "wire_saw": 2, "clean_line": 1,
			"wafer_sorter": 1, "cell tools": 4, "module stations": 2, "energy_meter": 5},
		"wafer-1gw": {"cz_puller": 56, "brick_machine": 12, "wire_saw": 12, "clean_line": 3, "wafer_sorter": 3, "energy_meter": 6},
		"chain-1gw": chainUnits(1, 60), "chain-2gw": chainUnits(2, 110),
	} {
		m := load(t, plants+file+".yaml")
		got := map[string]int{}
		for _, u := range m.Units {
			got[kindOf(u.Class.Name)]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
		if m.Name != file {
			t.Errorf("%s calls itself %s", file, m.Name)
		}
		if len(m.Meters) != got["energy_meter"] {
			t.Errorf("%s: %d meters, %d registers", file, len(m.Meters), got["energy_meter"])
		}
	}
}

// tagList is what one machine of a kind sends: signals by how often the server looks at them, those on change, and how many
// changes a second one of these has on average.
type tagList struct {
	half, second, five, minute, onChange int
	changes                              exact.Num
}

func (l tagList) tags() int { return l.half + l.second + l.five + l.minute + l.onChange }

// rate is in samples a second.
func (l tagList) rate() exact.Num {
	return exact.Int(int64(2*l.half + l.second)).Add(exact.Frac(int64(l.five), 5)).Add(exact.Frac(int64(l.minute), 60)).Add(exact.Int(int64(l.onChange)).Mul(l.changes))
}

// The tags of each machine and the samples a second of the whole plant are those that the product is sized for. 1 GW is 20,390
// tags and 6,382 samples a second; the wafer plant's figures are without its meters.
func TestShippedLoad(t *testing.T) {
	lists := map[string]tagList{
		"arc_furnace": {0, 24, 116, 0, 80, exact.Frac(1, 100)}, "siemens_reactor": {0, 40, 90, 0, 50, exact.Frac(1, 100)},
		"tcs_unit": {0, 0, 1200, 0, 300, exact.Frac(1, 200)}, "cz_puller": {0, 20, 50, 0, 40, exact.Frac(1, 100)},
		"brick_machine": {0, 10, 20, 0, 30, exact.Frac(1, 50)}, "wire_saw": {40, 60, 0, 0, 40, exact.Frac(1, 50)},
		"clean_line": {0, 10, 110, 0, 40, exact.Frac(1, 50)}, "wafer_sorter": {0, 10, 20, 0, 40, exact.Frac(1, 10)},
		"cell tools": {0, 20, 90, 0, 40, exact.Frac(1, 50)}, "module stations": {0, 5, 15, 0, 20, exact.Frac(1, 20)},
		"energy_meter": {0, 4, 0, 10, 0, exact.Num{}}, "utility": {0, 0, 75, 0, 25, exact.Frac(1, 100)},
	}
	for _, plant := range []struct {
		file       string
		meters     bool
		tags, rate int
	}{{"chain-1gw", true, 20390, 6382}, {"chain-2gw", true, 40420, 12675}, {"wafer-1gw", false, 9250, 3720}} {
		m := load(t, plants+plant.file+".yaml")
		tags, rate := 0, exact.Num{}
		for _, u := range m.Units {
			kind := kindOf(u.Class.Name)
			if kind == "energy_meter" && !plant.meters {
				continue
			}
			got := tagList{changes: lists[kind].changes}
			for i := range u.Class.Signals {
				switch s := &u.Class.Signals[i]; s.Sampling {
				case 0:
					got.onChange++
				case 500 * time.Millisecond:
					got.half++
				case time.Second:
					got.second++
				case 5 * time.Second:
					got.five++
				case time.Minute:
					got.minute++
				default:
					t.Fatalf("%s: %s %s is sampled each %s", plant.file, u.ID, s.Name, s.Sampling)
				}
			}
			if got != lists[kind] {
				t.Fatalf("%s: %s has %+v, want %+v", plant.file, u.ID, got, lists[kind])
			}
			tags, rate = tags+got.tags(), rate.Add(got.rate())
		}
		if tags != plant.tags || int(math.Round(rate.Float())) != plant.rate {
			t.Errorf("%s: %d tags, %s samples a second; want %d and %d", plant.file, tags, rate, plant.tags, plant.rate)
		}
	}
}

// On change is not sampled: a state that lasts shorter than a sampling would be lost. What is measured or counts fast is sampled.
func TestShippedSampling(t *testing.T) {
	for _, file := range []string{"demo", "wafer-1gw", "chain-1gw", "chain-2gw"} {
		for _, c := range load(t, plants+file+".yaml").Classes {
			for i := range c.Signals {
				if s := &c.Signals[i]; (s.Kind == State || s.Kind == Text) && s.Sampling != 0 || s == c.Progress && s.Sampling == 0 {
					t.Errorf("%s: %s of %s is sampled each %s", file, s.Name, c.Name, s.Sampling)
				}
			}
		}
	}
}

// One class is the same in all plants of full size, and the demo's classes are parts of them: who knows one plant knows the others.
func TestShippedClassesAgree(t *testing.T) {
	whole := load(t, plants+"chain-1gw.yaml")
	for _, file := range []string{"wafer-1gw", "chain-2gw", "demo"} {
		for _, c := range load(t, plants+file+".yaml").Classes {
			full, ok := whole.Class(c.Name)
			if !ok {
				t.Fatalf("%s has a class %s of its own", file, c.Name)
			}
			if file != "demo" && !reflect.DeepEqual(c, full) {
				t.Errorf("%s: the class %s is not that of chain-1gw", file, c.Name)
			}
			if !reflect.DeepEqual(c.StateMaps, full.StateMaps) || !reflect.DeepEqual(c.BatchQuantity, full.BatchQuantity) || c.PieceUnit != full.PieceUnit {
				t.Errorf("%s: the class %s means other things than that of chain-1gw", file, c.Name)
			}
			if diff := cmp.Diff(roleNames(full), roleNames(c)); diff != "" {
				t.Errorf("%s: roles of %s (-chain-1gw +%s):\n%s", file, c.Name, file, diff)
			}
			for i := range c.Signals {
				s := &c.Signals[i]
				f, ok := full.Signal(s.Name)
				if !ok || s.Kind != f.Kind || s.Type != f.Type || s.Unit != f.Unit || s.Node != f.Node || s.Reporting != f.Reporting || !within(s.Range, f.Range) {
					t.Errorf("%s: %s of %s is %+v, in chain-1gw %+v", file, s.Name, c.Name, s, f)
				}
			}
		}
	}
}

// within says that the demo's machine is not larger than that of the chain.
func within(r, of *Range) bool {
	return r == nil && of == nil || r != nil && of != nil && r.Low.Cmp(of.Low) >= 0 && r.High.Cmp(of.High) <= 0
}

// roleNames are the signals in the class's roles.
func roleNames(c *Class) map[string]string {
	out := map[string]string{}
	for role, s := range map[string]*Signal{"state": c.State, "total": c.Total, "good": c.Good, "scrap": c.Scrap, "energy": c.Energy, "power": c.Power,
		"progress": c.Progress, "product": c.Product, "reason": c.Reason, "batch": c.Batch} {
		if s != nil {
			out[role] = s.Name
		}
	}
	return out
}

// What every shipped plant can answer: each unit that counts has an ideal and each meter's energy has somewhere to go; the
// products have the watts of their geometry.
func TestShippedAnswers(t *testing.T) {
	watts := map[string]exact.Num{"M10": exact.Frac(825, 100), "M10R": exact.Frac(837, 100), "G12R": exact.Frac(955, 100), "G12": exact.Frac(1102, 100)}
	for _, file := range []string{"demo", "wafer-1gw", "chain-1gw", "chain-2gw"} {
		m := load(t, plants+file+".yaml")
		for _, u := range m.Units {
			product, ok := u.Product.At(0)
			if !u.Class.countsPieces() {
				continue
			}
			if ideal, has := u.Ideal(product).At(0); !ok || !has || ideal.Sign() <= 0 || u.Stage == "" {
				t.Errorf("%s %s: makes %q in stage %q, ideal %v", file, u.ID, product, u.Stage, ideal)
			}
		}
		known := 0
		for _, p := range m.Products {
			got, _ := p.Watts.At(0)
			if want, ok := watts[p.Name]; ok {
				known++
				if !got.Equal(want) {
					t.Errorf("%s %s has %s W", file, p.Name, got)
				}
			}
		}
		if known < 2 {
			t.Errorf("%s has %d wafers of known geometry", file, known)
		}
	}
	m := load(t, plants+"chain-1gw.yaml")
	if len(m.Lines) != 4 || len(m.Stages) != 6 {
		t.Errorf("%d lines, %d stages", len(m.Lines), len(m.Stages))
	}
	// Five tube furnaces at 1.75 s side by side make a cell in 0.35 s, two printers at 0.7 s too; the tester is the bottleneck.
	l, _ := m.Line("CELL-1")
	for unit, want := range map[string]exact.Num{"C1-TF-3": exact.Frac(35, 100), "C1-PFT-1": exact.Frac(35, 100), "C1-CT-1": exact.Frac(36, 100)} {
		if got, ok := l.UnitSeconds[unit].At(0); !ok || !got.Equal(want) {
			t.Errorf("%s takes %s s, want %s", unit, got, want)
		}
	}
	if u, _ := m.Unit("C1-TF-3"); u.Line != "CELL-1" || m.Tags(u)["line"] != "CELL-1" || m.Tags(u)["area"] != "cell" {
		t.Errorf("tags %v", m.Tags(u))
	}
}

// A pattern takes no units of other areas with it: each unit below the meter of an area stands there.
func TestShippedMeters(t *testing.T) {
	for _, file := range []string{"demo", "wafer-1gw", "chain-1gw", "chain-2gw"} {
		m := load(t, plants+file+".yaml")
		areas := map[string]string{"EM-SMELTER": "smelter", "EM-POLY": "poly", "EM-CRYSTAL": "crystal", "EM-WAFER": "wafer", "EM-CELL": "cell", "EM-MODULE": "module"}
		behind := map[string]bool{}
		for _, e := range m.Meters {
			area := areas[e.ID]
			if area == "" {
				area = areas[e.Parent]
			}
			for _, id := range slices.Concat(e.Units, e.Behind) {
				if u, _ := m.Unit(id); area != "" && u.Area != area {
					t.Errorf("%s: %s in %s has the meter %s of %s", file, id, u.Area, e.ID, area)
				}
			}
			for _, id := range e.Behind {
				behind[id] = true
			}
		}
		for _, u := range m.Units {
			if own := u.Class.Energy != nil && u.Meter == ""; own != behind[u.ID] {
				t.Errorf("%s: %s has its own register: %v, behind a meter: %v", file, u.ID, own, behind[u.ID])
			}
		}
	}
}

// The collector takes the configuration that a model gives it, and writes with it what the historian looks for.
func TestCollectorConfig(t *testing.T) {
	for _, file := range []string{"demo", "wafer-1gw", "chain-1gw", "chain-2gw"} {
		m := load(t, plants+file+".yaml")
		points, want := map[string]bool{}, map[string]bool{}
		for _, g := range m.Gateways {
			text, err := m.CollectorConfig(g.Name)
			if err != nil {
				t.Fatal(err)
			}
			c, err := config.Parse(g.Name+".yaml", text)
			if err != nil {
				t.Fatalf("%s %s: %v", file, g.Name, err)
			}
			if len(c.Warnings) > 0 {
				t.Errorf("%s %s: %v", file, g.Name, c.Warnings)
			}
			for _, s := range c.Servers {
				for _, group := range s.Groups {
					for _, n := range group.Nodes {
						points[point(t, s.Endpoint, n.Measurement, n.Tags, n.Field, string(n.Type), n.Target())] = true
					}
				}
			}
		}
		for _, u := range m.Units {
			for i := range u.Class.Signals {
				if s := &u.Class.Signals[i]; s.Node != noNode {
					want[point(t, u.Endpoint, u.Class.Name, m.Tags(u), s.Name, string(s.Type), u.NodeID(s))] = true
				}
			}
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(points))); diff != "" {
			t.Errorf("%s (-model +collector):\n%.2000s", file, diff)
		}
	}
	if _, err := load(t, plants+"demo.yaml").CollectorConfig("gw"); err == nil || !strings.Contains(err.Error(), "demo") {
		t.Errorf("an unknown gateway: %v", err)
	}
}

func point(t *testing.T, parts ...any) string {
	t.Helper()
	b, err := json.Marshal(parts)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Units of one server stand together wherever the model lists them; node ids say their namespace, and what is not collected is left out.
func TestCollectorNodes(t *testing.T) {
	m := parse(t, strings.Replace(diffBase, "units:\n", `gateways: [{name: g, url: "https://x", org: o, bucket: b}]
units:
  - {id: X-1, class: plc, area: a, calendar: c, gateway: g, server: one, endpoint: "opc.tcp://one", namespace: "urn:a;b%c"}
  - {id: Y-1, class: plc, area: a, calendar: c, gateway: g, endpoint: "opc.tcp://two", namespace: urn:y}
  - {id: "X-{n}", first: 2, count: 2, class: plc, area: a, calendar: c, gateway: g, server: one, endpoint: "opc.tcp://one", namespace: urn:x}
`, 1))
	text, err := m.CollectorConfig("g")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("g.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var got []string
	for _, s := range c.Servers {
		for _, g := range s.Groups {
			for _, n := range g.Nodes {
				got = append(got, s.Name+" "+g.Name+" "+n.Target()+" "+fmt.Sprint(n.Field, " ", n.Deadband.Value))
			}
		}
	}
	want := []string{
		"one X-1 nsu=urn:a%3Bb%25c;s=X-1.1.power_kw power_kw 1", "one X-1 nsu=urn:other;i=7 heat_kw 0",
		"one X-2 nsu=urn:x;s=X-2.2.power_kw power_kw 1", "one X-2 nsu=urn:other;i=7 heat_kw 0",
		"one X-3 nsu=urn:x;s=X-3.3.power_kw power_kw 1", "one X-3 nsu=urn:other;i=7 heat_kw 0",
		"Y-1 Y-1 nsu=urn:y;s=Y-1.1.power_kw power_kw 1", "Y-1 Y-1 nsu=urn:other;i=7 heat_kw 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
}
