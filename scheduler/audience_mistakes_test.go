package scheduler_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/scheduler"
)

// What is said of each kind of mistake, word for word: people meet these texts in their editor and in CI.
func TestMistakesWordForWord(t *testing.T) {
	const fields = "fields are country, language, timezone, tags, external_id, attributes.x, segment.x, consent_days, sent_days, delivered_days and replied_days"
	for _, tt := range []struct{ name, filter, says string }{
		{"unknown field", `contry = "IT"`, `audience, column 1: contry is not a field; did you mean country?`},
		{"an attribute without its prefix", `points > 5`, `audience, column 1: points is not a field; did you mean attributes.points?`},
		{"a field like no other", `tags:vip AND phone = "+39347"`, `audience, column 14: phone is not a field; ` + fields},
		{"bare word", `Roma`, `audience, column 1: Roma is not a field; ` + fields},
		{"bare text", `"Roma"`, `audience, column 1: a value stands alone; write a field and an operator before it, as in country = "IT"`},
		{"bare field", `country`, `audience, column 1: country needs an operator and a value, as in country = "IT"`},
		{"two words", `attributes.city = New York`, `audience, column 23: two conditions stand side by side; write AND or OR between them, or quotes around a value with spaces`},
		{"text for a number", `attributes.points >= "100"`, `audience, column 22: attributes.points is a number; write a number without quotes`},
		{"number for a text", `country = 39`, `audience, column 11: country is text; put the value in quotes`},
		{"number for an undeclared attribute", `attributes.age = 18`, `audience, column 18: attributes.age is text, as no other type is declared; declare attributes: {age: number}, or put the value in quotes to compare it as text`},
		{"text for days", `sent_days > "7"`, `audience, column 13: sent_days counts whole days; write a whole number from 0, without quotes and unit, as in sent_days > 30`},
		{"days with a fraction", `sent_days > 7.5`, `audience, column 13: sent_days counts whole days; write a whole number from 0, without quotes and unit, as in sent_days > 30`},
		{"form of a date", `attributes.birthday < "21/11/2026"`, `audience, column 23: attributes.birthday is a date; write a day of the calendar in quotes, as in "2026-11-21"`},
		{"date that is none", `attributes.birthday < "2026-02-29"`, `audience, column 23: attributes.birthday is a date; write a day of the calendar in quotes, as in "2026-11-21"`},
		{"order of a text", `country > "IT"`, `audience, column 11: country is text and has no order; write country = or country !=`},
		{"order of an undeclared attribute", `attributes.since > "2026-11-21"`, `audience, column 20: attributes.since is text and has no order, so > is not known for it; declare attributes: {since: date}`},
		{"colon on one value", `external_id:"A-17"`, `audience, column 1: the colon asks whether a set has something, and external_id is one value; write external_id = …, or external_id:* for anyone who has one`},
		{"equal on a set", `tags = "vip"`, `audience, column 8: tags is a set; write tags:vip, or NOT tags:vip`},
		{"open parenthesis", `(country = "IT"`, `audience, column 1: this parenthesis is never closed; add a )`},
		{"closed parenthesis", `country = "IT")`, `audience, column 15: this parenthesis was never opened; take it away or add a ( before`},
		{"open quote", `country = "IT`, `audience, column 11: this quote is never closed; add the same quote at the value's end`},
		{"the end", `country =`, `audience, column 10: the filter ends where a condition or a value should follow`},
		{"AND beside OR", `country = "IT" AND language = "it" OR tags:vip`, `audience, column 36: OR stands beside AND without parentheses; filters bind OR tighter than AND (AIP-160), so write which is meant: a AND (b OR c), or (a AND b) OR c`},
		{"small and", `country = "IT" and tags:vip`, `audience, column 16: write and in capitals: AND`},
		{"function", `startsWith(external_id, "A")`, `audience, column 1: startsWith( looks like a function, and filters have none; compare a field with a value`},
		{"star in the middle", `external_id = "a*b"`, `audience, column 15: a star may stand only at the beginning or the end of a value`},
		{"star alone", `external_id = "*"`, `audience, column 15: a star alone says nothing of the value; write external_id:* for anyone who has one`},
		{"empty value", `external_id = ""`, `audience, column 15: an empty value is a missing one and matches nothing; write what the value should be`},
		{"country", `country = "Italy"`, `audience, column 11: "Italy" is not a country; write its two letters of ISO 3166, as in "IT"`},
		{"language", `language = "italian"`, `audience, column 12: "italian" is not a language; write a BCP 47 tag such as "it" or "pt-BR"; "pt" matches pt-BR too`},
		{"too long", strings.Repeat("tags:a AND ", 500) + "tags:a", `audience, column 1: the filter is longer than 4000 characters; move parts of it to segments`},
		{"too deep", strings.Repeat("(", 60) + "tags:a" + strings.Repeat(")", 60), `audience, column 41: parentheses are nested more than 40 deep; move parts of the filter to segments`},
		{"missing value under NOT", `NOT attributes.coupon:*`, `audience, column 5: NOT over attributes.coupon:* finds nobody: a missing value matches nothing, also under NOT; mark those people with a tag and ask for it`},
		{"unknown segment", `segment.rihc`, `audience, column 1: there is no segment "rihc"; did you mean rich?`},
		{"compared segment", `segment.rich = true`, `audience, column 1: a segment is yes or no and is not compared; write segment.rich, or NOT segment.rich`},
		{"segments in a circle", `segment.one`, `segment three, column 1: segments go in a circle: one, which uses two, which uses three, which uses one; take one of the uses away`},
		{"mistake in a segment", `tags:vip OR segment.broken`, `segment broken, column 20: ponts is not a field; did you mean attributes.points?`},
		{"columns are characters", `attributes.città = "è" AND colour = "red"`, `audience, column 28: colour is not a field; ` + fields},
		{"second line", "tags:vip AND\n  colour = red", `audience, column 16: colour is not a field; ` + fields},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := scheduler.ParseAudience(tt.filter, filterTypes, segments); err == nil || err.Error() != tt.says {
				t.Errorf("%s\ngot  %v\nwant %s", tt.filter, err, tt.says)
			}
		})
	}
}

func TestSegmentsDoNotNestWithoutEnd(t *testing.T) {
	nested := map[string]string{"s0": "tags:a"}
	for i := range 120 {
		nested[fmt.Sprintf("s%d", i+1)] = fmt.Sprintf("NOT segment.s%d", i)
	}
	if _, err := scheduler.ParseAudience("segment.s90", nil, nested); err != nil {
		t.Errorf("182 levels: %v", err)
	}
	_, err := scheduler.ParseAudience("segment.s120", nil, nested)
	if want := "segment s100, column 1: with its segments put in, the filter is nested more than 200 deep; let fewer segments use one another"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Numbers compare as the numbers they are written as, however long.
func TestNumbersCompareExactly(t *testing.T) {
	digits := rapid.StringMatching(`[+-]?[0-9]{1,25}(\.[0-9]{1,25})?`)
	rapid.Check(t, func(t *rapid.T) {
		value := digits.Draw(t, "value")
		exact, _ := new(big.Rat).SetString(value)
		wanted := rapid.OneOf(
			rapid.Map(rapid.Int64(), func(n int64) string { return fmt.Sprint(max(n, -1<<63+1)) }),
			rapid.Map(rapid.IntRange(-1<<20, 1<<20), func(n int) string { return big.NewRat(int64(n), 64).FloatString(6) }),
		).Draw(t, "wanted")
		against, _ := new(big.Rat).SetString(wanted)
		for _, op := range orders {
			audience, err := scheduler.ParseAudience("attributes.points "+op+" "+wanted, filterTypes, nil)
			if err != nil {
				t.Fatal(err)
			}
			for text, number := range map[string]*big.Rat{value: exact, wanted: against} {
				c := scheduler.Contact{Attributes: map[string]string{"points": text}}
				if got := audience.Matches(c, filterNow); got != ordered(op, number.Cmp(against)) {
					t.Fatalf("%s %s %s: %t", text, op, wanted, got)
				}
			}
		}
	})
}
