package plant

import "testing"

// BenchmarkLoad reads and checks a chain of 1 GW: 230 units, 60 meters, 4 lines.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load(plants + "chain-1gw.yaml"); err != nil {
			b.Fatal(err)
		}
	}
}
