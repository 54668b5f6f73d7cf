package purity

import (
	"fmt"
	"testing"
)

// BenchmarkAssess is one sample with all elements that GDMS reports: what a list does for each of its samples.
func BenchmarkAssess(b *testing.B) {
	list := results(b, every(70, "< 0.1 ppbw")...)
	for b.Loop() {
		if _, err := Assess(Subject{Sample: "S"}, list, DefaultPolicy(), always); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSort is a year of 20 samples a day.
func BenchmarkSort(b *testing.B) {
	var list []Result
	for i := range 7300 {
		for _, r := range results(b, p1()...) {
			r.Sample = fmt.Sprintf("S-%d", i*7919%7300)
			list = append(list, r)
		}
	}
	for b.Loop() {
		Sort(append([]Result(nil), list...))
	}
}
