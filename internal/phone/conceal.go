package phone

import (
	"regexp"
	"slices"
)

// inText is what may be a number in a sentence: international, nine digits or more, or in groups as people write them.
var inText = regexp.MustCompile(`\+[ (]{0,2}\d[\d ().-]{5,}\d|\b\d{9,}\b|\b\d{2,4}(?:[ .]\d{2,4}){2,}\b|\b\d{2,4}[ ./-]\d{6,8}\b|\b\d{3}[-/]\d{3}[-/]\d{3,4}\b`)

// Conceal returns a text of operators' or Meta's with … in place of whatever looks like a phone number, save for the ids to keep. It
// takes away too much rather than too little.
func Conceal(text string, keep ...string) string {
	return inText.ReplaceAllStringFunc(text, func(found string) string {
		if slices.Contains(keep, found) {
			return found
		}
		return "…"
	})
}
