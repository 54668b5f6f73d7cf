package conform

import (
	"os"
	"path/filepath"
	"testing"
)

// mustRead parses a file of testdata.
func mustRead(t testing.TB, path string) *Vector {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Parse(path, data)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func vectorPaths(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("no vectors in testdata/%s", dir)
	}
	return paths
}

// TestVectors: every vector passes, and the oracle answers each of its queries as the engine does.
func TestVectors(t *testing.T) {
	for _, dir := range []string{"vectors", "own"} {
		for _, path := range vectorPaths(t, dir) {
			t.Run(dir+"/"+filepath.Base(path), func(t *testing.T) {
				v := mustRead(t, path)
				r := NewRunner(v)
				for i := range v.Queries {
					o, err := r.Run(i)
					if err != nil {
						t.Fatal(err)
					}
					for _, m := range o.Mismatches {
						t.Errorf("%s: %s", o.Query, m)
					}
					for _, d := range differences(&o.Answer, oracleAnswer(v, &v.Queries[i])) {
						t.Errorf("%s: %s", o.Query, d)
					}
				}
			})
		}
	}
}

func BenchmarkVectors(b *testing.B) {
	var all []*Vector
	for _, path := range vectorPaths(b, "vectors") {
		all = append(all, mustRead(b, path))
	}
	for b.Loop() {
		for _, v := range all {
			r := NewRunner(v)
			for i := range v.Queries {
				if _, err := r.Run(i); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}
