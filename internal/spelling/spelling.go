// Package spelling guesses which of the words that there are a misspelt one was meant to be.
package spelling

import "strings"

// longest is the longest word that is compared letter by letter.
const longest = 64

// Nearest returns the known word that is at most two slips of the hand from word, or else the only one that begins with
// it, whatever the capitals; "" when there is none. Of several it is the least slips away, then the first. A slip is a
// byte put in, left out or changed, or two neighbours swapped. Of short words fewer are forgiven: "to" is not a misspelt "id".
func Nearest(word string, known []string) string {
	best, least := "", 3
	var begun []string
	lower := strings.ToLower(word)
	for _, k := range known {
		candidate := strings.ToLower(k)
		limit := min(2, (max(len(lower), len(candidate))-1)/2)
		if d := distance(lower, candidate, limit); d <= limit && d < least {
			best, least = k, d
		}
		if strings.HasPrefix(candidate, lower) {
			begun = append(begun, k)
		}
	}
	if best == "" && len(begun) == 1 && len(lower) >= 4 {
		return begun[0]
	}
	return best
}

// distance counts the slips between a and b; above limit it may say any number above limit.
func distance(a, b string, limit int) int {
	if a == b {
		return 0
	}
	if len(a)-len(b) > limit || len(b)-len(a) > limit || len(a) > longest || len(b) > longest {
		return limit + 1
	}
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		earlier := before
		before, row = row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(before[j]+1, row[j-1]+1, before[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], earlier[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
