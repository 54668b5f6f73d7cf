package purity

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"kvarts/historian/exact"
)

// maxNames bounds how many elements a sentence names.
const maxNames = 6

// Why says in words why the grade g is not demonstrated; "" when it is.
func (a *Answer) Why(g Grade) string {
	if g <= a.Grade || g > maxGrade {
		return ""
	}
	switch limit := g.limit(); {
	case len(a.Missing) > 0:
		return fmt.Sprintf("%s not demonstrated: no approved result of %s, which the policy requires", g, inWords(a.Missing))
	case len(a.Counted) == 0:
		return fmt.Sprintf("%s not demonstrated: there is no approved result that counts", g)
	case a.Sum.Low.Cmp(limit) > 0:
		found := a.found(limit)
		return fmt.Sprintf("%s not reached: %s %s found, and Σ is %s %s or more", g, named(found), verb(found, "is", "are"), a.Sum.Low.Shown(false), a.Policy.Basis.Unit())
	default:
		return fmt.Sprintf("%s not demonstrated: %s", g, a.open(limit))
	}
}

func verb(items []Item, one, many string) string {
	if len(items) == 1 {
		return one
	}
	return many
}

// found are the fewest elements whose lower ends make up the limit.
func (a *Answer) found(limit exact.Num) []Item {
	return fewest(a.Counted, func(it *Item) exact.Num { low, _ := it.ends(&a.Policy); return low }, limit)
}

// open says which elements decide: the fewest that would, were each at its lower end, bring Σ down to the limit.
func (a *Answer) open(limit exact.Num) string {
	width := func(it *Item) exact.Num { low, high := it.ends(&a.Policy); return high.Sub(low) }
	deciding := fewest(a.Counted, width, a.Sum.High.Sub(limit))
	var unseen, unsure []Item
	for _, it := range deciding {
		if it.Censored == NotDetected {
			unseen = append(unseen, it)
		} else {
			unsure = append(unsure, it)
		}
	}
	var parts []string
	if len(unseen) > 0 {
		shows := "the method shows"
		if slices.ContainsFunc(unseen, func(it Item) bool { return it.Method != unseen[0].Method }) {
			shows = "the methods show"
		}
		parts = append(parts, fmt.Sprintf("%s %s all %s", named(unseen), verb(unseen, "is", "are"), shows))
	}
	if len(unsure) > 0 {
		parts = append(parts, fmt.Sprintf("the uncertainty of %s leaves it open", named(unsure)))
	}
	return strings.Join(parts, "; ")
}

// fewest are the items with the largest sizes until they reach the sum, the largest first.
func fewest(items []Item, size func(*Item) exact.Num, sum exact.Num) []Item {
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, func(x, y Item) int { return cmp.Or(size(&y).Cmp(size(&x)), compareElements(x.Element, y.Element)) })
	var total exact.Num
	for i := range sorted {
		total = total.Add(size(&sorted[i]))
		if total.Cmp(sum) >= 0 {
			return sorted[:i+1]
		}
	}
	return sorted
}

// named are the items for a sentence: "Al below 0.10 pptw and Ca below 0.40 pptw".
func named(items []Item) string {
	var parts []string
	for i := range items[:min(len(items), maxNames)] {
		parts = append(parts, items[i].Element+" "+items[i].Content())
	}
	if more := len(items) - maxNames; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	return inWords(parts)
}

// Content is what the laboratory wrote, for a sentence: "below 0.40 pptw", "0.20 ± 0.04 pptw".
func (it *Item) Content() string {
	switch {
	case it.Censored == NotDetected:
		return fmt.Sprintf("below %s %s", it.LOD, it.Unit)
	case it.U != "":
		return fmt.Sprintf("%s ± %s %s", it.Value, it.U, it.Unit)
	default:
		return fmt.Sprintf("%s %s", it.Value, it.Unit)
	}
}
