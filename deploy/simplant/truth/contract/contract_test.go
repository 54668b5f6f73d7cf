package contract

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kvarts/historian/conform"
)

// vectorPaths are the vectors that stand in the tree: the public ones, and those of the product's engine.
func vectorPaths(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, dir := range []string{"vectors", "own"} {
		paths, err := filepath.Glob(filepath.Join("..", "..", "..", "..", "historian", "conform", "testdata", dir, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		if len(paths) == 0 {
			t.Fatalf("no vectors in %s", dir)
		}
		all = append(all, paths...)
	}
	return all
}

// TestVectors: every vector's expectations are met, and its answers are the engine's in every key.
func TestVectors(t *testing.T) {
	for _, path := range vectorPaths(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range disagreement(t, data) {
				t.Error(d)
			}
			wanted, err := conform.Parse(path, data)
			if err != nil {
				t.Fatal(err)
			}
			v := mustRead(t, data)
			e := NewEvaluator(v)
			for i := range v.Queries {
				a := mustEvaluate(t, e, &v.Queries[i])
				for _, x := range wanted.Queries[i].Expect {
					if !has(&a, &x) {
						t.Errorf("%s: %s: got %s, want %s", v.Queries[i].Name, x.Key, show(&a, x.Key), x.String())
					}
				}
				for _, x := range wanted.Queries[i].Not {
					if has(&a, &x) {
						t.Errorf("%s: %s is %s, which it must not be", v.Queries[i].Name, x.Key, x.String())
					}
				}
			}
		})
	}
}

// has says that the answer has the value that is expected: decimals to 1e-9.
func has(a *Answer, x *conform.Expectation) bool {
	got, ok := a.Numbers[x.Key]
	switch {
	case x.Key == "findings":
		return !slices.ContainsFunc(x.Findings, func(f string) bool { return !slices.Contains(a.Findings, f) })
	case x.Key == "reason":
		return x.Text == a.Reason
	case x.Null || !ok:
		return x.Null == !ok
	case x.Decimal:
		d := got.Sub(x.Number).Float()
		return -1e-9 <= d && d <= 1e-9
	default:
		return got.Equal(x.Number)
	}
}

func show(a *Answer, key string) string {
	switch n, ok := a.Numbers[key]; {
	case key == "reason":
		return a.Reason
	case key == "findings":
		return strings.Join(a.Findings, " ")
	case !ok:
		return "null"
	default:
		return n.String()
	}
}

func mustRead(t rapid.TB, data []byte) *Vector {
	t.Helper()
	v, err := Read(data)
	if err != nil {
		t.Fatalf("%s\n%s", err, data)
	}
	return v
}

func mustEvaluate(t rapid.TB, e *Evaluator, q *Query) Answer {
	t.Helper()
	a, err := e.Evaluate(q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// disagreement is in what the product's engine and this package differ over a file; nothing where it is no vector.
func disagreement(t rapid.TB, data []byte) []string {
	theirs, err := conform.Parse("vector", data)
	if err != nil {
		return nil
	}
	ours := mustRead(t, data)
	runner, e := conform.NewRunner(theirs), NewEvaluator(ours)
	var out []string
	for i := range ours.Queries {
		o, err := runner.Run(i)
		if err != nil {
			t.Fatal(err)
		}
		a := mustEvaluate(t, e, &ours.Queries[i])
		for _, key := range append(Keys(), "reason", "findings") {
			want := show(&a, key)
			got := theirValue(&o.Answer, key)
			if got != want {
				out = append(out, ours.Queries[i].Name+": "+key+": engine "+got+", here "+want)
			}
		}
	}
	return out
}

func theirValue(a *conform.Answer, key string) string {
	switch v := a.Numbers[key]; {
	case key == "reason":
		return a.Reason
	case key == "findings":
		return strings.Join(slices.Sorted(slices.Values(a.Findings)), " ")
	case v.Null:
		return "null"
	default:
		return v.Num.String()
	}
}

// TestKeys: an answer has the keys that a vector may expect, no more and no less.
func TestKeys(t *testing.T) {
	want := slices.Sorted(slices.Values(conform.ExpectKeys()))
	got := slices.Sorted(slices.Values(append(Keys(), "reason", "findings")))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// TestRandom: random vectors are answered as the product's engine does, in every key.
func TestRandom(t *testing.T) {
	var compared, numbers atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		for range 5 { // rapid runs 100 checks by default
			v := newSource(t).vector()
			data := written(t, v)
			if _, err := conform.Parse("vector", data); err != nil {
				t.Fatalf("what is written is no vector: %s\n%s", err, data)
			}
			if diff := disagreement(t, data); len(diff) > 0 {
				small := reduce(t, data)
				t.Fatalf("%s\n%s", strings.Join(disagreement(t, small), "\n"), small)
			}
			compared.Add(int64(len(v.Queries)))
			e := NewEvaluator(v)
			for i := range v.Queries {
				a := mustEvaluate(t, e, &v.Queries[i])
				numbers.Add(int64(len(a.Numbers)))
			}
		}
	})
	t.Logf("%d queries compared, %d numbers that are not null", compared.Load(), numbers.Load())
}

// reduce takes keys and items away one by one as long as there is disagreement.
func reduce(t rapid.TB, data []byte) []byte {
	t.Helper()
	for again := true; again; {
		again = false
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		for _, smaller := range without(v) {
			text, err := json.MarshalIndent(smaller, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			if len(disagreement(t, text)) > 0 {
				data, again = text, true
				break
			}
		}
	}
	return data
}

// without is every copy of v from which one key or item is taken away, at any depth.
func without(v any) []any {
	var out []any
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			less := maps.Clone(v)
			delete(less, k)
			out = append(out, less)
			for _, inner := range without(v[k]) {
				changed := maps.Clone(v)
				changed[k] = inner
				out = append(out, changed)
			}
		}
	case []any:
		for i := range v {
			out = append(out, slices.Delete(slices.Clone(v), i, i+1))
			for _, inner := range without(v[i]) {
				changed := slices.Clone(v)
				changed[i] = inner
				out = append(out, changed)
			}
		}
	}
	return out
}

// TestRoundTrip: what is written reads back as it was, and is written the same again.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := newSource(t).vector()
		data := written(t, v)
		again := mustRead(t, data)
		if diff := cmp.Diff(string(data), string(written(t, again))); diff != "" {
			t.Errorf("written again (-first +second):\n%s", diff)
		}
		e, f := NewEvaluator(v), NewEvaluator(again)
		for i := range v.Queries {
			a, b := mustEvaluate(t, e, &v.Queries[i]), mustEvaluate(t, f, &again.Queries[i])
			if diff := cmp.Diff(a, b); diff != "" {
				t.Errorf("answers (-as made +as read):\n%s", diff)
			}
		}
	})
}

// TestExpectations: the engine agrees with what is written as expected.
func TestExpectations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := newSource(t).vector()
		e := NewEvaluator(v)
		for i := range v.Queries {
			a := mustEvaluate(t, e, &v.Queries[i])
			v.Queries[i].Expect = &a
		}
		data := written(t, v)
		read, err := conform.Parse("vector", data)
		if err != nil {
			t.Fatal(err)
		}
		runner := conform.NewRunner(read)
		for i := range read.Queries {
			o, err := runner.Run(i)
			if err != nil {
				t.Fatal(err)
			}
			if want := len(Keys()) + 2; len(read.Queries[i].Expect) != want {
				t.Fatalf("%d expectations, want %d", len(read.Queries[i].Expect), want)
			}
			if !o.Pass() {
				t.Errorf("%s: %s", o.Query, o.Mismatches)
			}
		}
	})
}
