package plant

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvarts/collector/config"
	"kvarts/deploy/simplant/machine"
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

// The counts of a plant of 1 GW and of 2 GW that the product is sized for.
func TestShippedCounts(t *testing.T) {
	demo := map[string]int{"arc_furnace": 1, "tcs_unit": 1, "siemens_reactor": 2, "cz_puller": 6, "brick_machine": 1, "wire_saw": 2, "clean_line": 1,
		"wafer_sorter": 1, "cell tools": 4, "module_station": 1, "module_tester": 1, "energy_meter": 5}
	wafer := map[string]int{"cz_puller": 56, "brick_machine": 12, "wire_saw": 12, "clean_line": 3, "wafer_sorter": 3, "energy_meter": 6}
	chain := func(k int) map[string]int {
		return map[string]int{"arc_furnace": 1, "siemens_reactor": 6 * k, "tcs_unit": k, "cz_puller": 56 * k, "brick_machine": 12 * k, "wire_saw": 12 * k,
			"clean_line": 3 * k, "wafer_sorter": 3 * k, "cell tools": 34 * k, "module_station": 30 * k}
	}
	chain1, chain2 := chain(1), chain(2)
	chain1["energy_meter"], chain2["energy_meter"] = 60, 110
	for file, want := range map[string]map[string]int{
		"demo": demo, "wafer-1gw": wafer, "chain-1gw": chain1, "chain-2gw": chain2,
	} {
		m := load(t, plants+file+".yaml")
		got := map[string]int{}
		for _, u := range m.Units {
			class := u.Class.Name
			if slices.Contains([]string{"wet_bench", "tube_furnace", "pecvd", "print_fire_test"}, class) {
				class = "cell tools"
			}
			got[class]++
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
	// Five tube furnaces at 0.7 s side by side make a cell in 0.14 s; two printers at 0.45 s one in 0.225 s.
	l, _ := m.Line("CELL-1")
	for unit, want := range map[string]exact.Num{"C1-TF-3": exact.Frac(14, 100), "C1-PFT-1": exact.Frac(225, 1000), "C1-PFT-3": exact.Frac(45, 100)} {
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

// The bench's model has the signals that the simulated machines really have, under the names that the collector writes.
func TestBenchMatchesMachines(t *testing.T) {
	m := load(t, plants+"bench.yaml")
	for unit, sim := range map[string]machine.Machine{"cz01": machine.NewCZPuller(machine.Options{Seed: 1}), "ws01": machine.NewWireSaw(machine.Options{Seed: 2})} {
		u, ok := m.Unit(unit)
		if !ok {
			t.Fatalf("no unit %s", unit)
		}
		if u.Namespace != sim.URI() {
			t.Errorf("%s: namespace %s, the machine has %s", unit, u.Namespace, sim.URI())
		}
		want, got := map[string]string{}, map[string]string{}
		for _, s := range sim.Signals() {
			name := ""
			if s.Unit != nil {
				name = s.Unit.Name
			}
			want["nsu="+sim.URI()+";s=Machine/"+s.Path] = config.FieldName(path.Base(s.Path), name)
			if s.Range != nil {
				own, _ := u.Class.Signal(config.FieldName(path.Base(s.Path), name))
				if own == nil || own.Range == nil || own.Range.Low.Float() != s.Range.Low || own.Range.High.Float() != s.Range.High {
					t.Errorf("%s %s: range %v, the machine has %v", unit, s.Path, own, *s.Range)
				}
			}
			if codes, _ := u.States.At(0); s.Path == "Process/State" && len(codes) != len(s.States) {
				t.Errorf("%s: %d codes of %v", unit, len(codes), s.States)
			}
		}
		for i := range u.Class.Signals {
			s := &u.Class.Signals[i]
			got[u.NodeID(s)] = s.Name
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-machine +model):\n%s", unit, diff)
		}
	}
}

// The collector takes the configuration that a model gives it, and writes with it what the historian looks for.
func TestCollectorConfig(t *testing.T) {
	for _, file := range []string{"bench", "demo", "wafer-1gw", "chain-1gw", "chain-2gw"} {
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
