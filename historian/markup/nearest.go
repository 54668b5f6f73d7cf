package markup

import "strings"

// Nearest returns the word most like s, capitals or not, or "" when none is alike: at most one edit for each three letters.
func Nearest(s string, words []string) string {
	s = strings.ToLower(s)
	best, least := "", max(1, len(s)/3)+1
	for _, w := range words {
		if d := editDistance(s, strings.ToLower(w)); d < least {
			best, least = w, d
		}
	}
	return best
}

// maxWordBytes bounds the words that are compared: no key is nearly as long, and the work is quadratic.
const maxWordBytes = 64

// editDistance counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
func editDistance(a, b string) int {
	if len(a) > maxWordBytes || len(b) > maxWordBytes {
		return maxWordBytes
	}
	var rows [3][maxWordBytes + 1]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, above2 := &rows[i%3], &rows[(i-1)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := above[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], above2[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
