package spelling_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/spelling"
)

func TestNearest(t *testing.T) {
	known := []string{"category", "campaigns", "id", "language", "messages_per_second", "template", "timezone", "universal_holdout", "xz"}
	for word, want := range map[string]string{
		"categry":               "category",          // one left out
		"catgeory":              "category",          // two swapped
		"templatess":            "template",          // two put in
		"lamguaga":              "language",          // two changed
		"TimeZone":              "timezone",          // capitals
		"langage":               "language",          //
		"univ":                  "universal_holdout", // its beginning
		"to":                    "",                  // of two letters nothing is forgiven
		"ix":                    "",                  //
		"uni":                   "",                  // too short for a beginning
		"tzone":                 "",                  // three left out
		"":                      "",                  //
		strings.Repeat("a", 99): "",
	} {
		if got := spelling.Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	// The least slips win, then the first; a beginning comes last, and only one that is no other's.
	for _, tt := range []struct {
		known []string
		want  string
	}{
		{[]string{"plantation", "plane"}, "plane"},
		{[]string{"plantation", "zebra"}, "plantation"},
		{[]string{"plantation", "planetary"}, ""},
		{[]string{"planned", "plans"}, "plans"},
		{[]string{"plant", "plans"}, "plant"},
	} {
		if got := spelling.Nearest("plan", tt.known); got != tt.want {
			t.Errorf("Nearest(plan, %q) = %q, want %q", tt.known, got, tt.want)
		}
	}
}

// A word that is there is found, and one slip in a word of some length is forgiven.
func TestNearestForgivesOneSlip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-z]{5,12}`).Draw(t, "word")
		at := rapid.IntRange(0, len(word)-1).Draw(t, "at")
		slip := rapid.SampledFrom([]string{word, word[:at] + word[at+1:], word[:at] + "_" + word[at:], word[:at] + "_" + word[at+1:]}).Draw(t, "slip")
		known := []string{"0123456789", word, "9876543210"}
		if got := spelling.Nearest(slip, known); got != word {
			t.Fatalf("Nearest(%q, %q) = %q", slip, known, got)
		}
		if got := spelling.Nearest(word, slices.Insert(known, 0, slip)); got != word && got != slip || slip != word && got != word {
			t.Fatalf("Nearest(%q) = %q beside a word that differs", word, got)
		}
	})
}
