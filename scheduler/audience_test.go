package scheduler_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/scheduler"
)

var (
	filterTypes = map[string]scheduler.AttributeType{"points": scheduler.AttributeNumber, "birthday": scheduler.AttributeDate}
	filterNow   = time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
	segments    = map[string]string{
		"rich":     "attributes.points >= 100",
		"italian":  `country = "IT"`,
		"best":     "segment.rich AND segment.italian",
		"one":      "segment.two",
		"two":      "NOT segment.three",
		"three":    "segment.one",
		"broken":   `country = "IT" AND ponts > 5`,
		"empty":    " ",
		"coupon":   "attributes.coupon:*",
		"two word": "tags:vip",
	}
)

func anna() scheduler.Contact {
	return scheduler.Contact{
		Name: "Anna", Language: "it-IT", Zone: "Europe/Rome", ExternalID: "A-17", Country: "IT", Tags: []string{"vip", "book club"},
		Attributes: map[string]string{"points": "120.5", "birthday": "1990-02-28", "city": " Roma ", "code": "007", "Birth Place": "Bari", "bad": "x"},
		ConsentAt:  filterNow.Add(-400 * 24 * time.Hour), SentAt: filterNow.Add(-7*24*time.Hour + time.Second), RepliedAt: filterNow.Add(time.Hour),
	}
}

// The contact with nothing in it.
var nobody = scheduler.Contact{}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		filter string
		anna   bool
		nobody bool
		prints string // "" when as written
	}{
		{`country = "IT"`, true, false, ""},
		{`country = it`, true, false, `country = "IT"`},
		{`country != "FR"`, true, false, ""},
		{`NOT country = "FR"`, true, false, `NOT (country = "FR")`},
		{`-country="FR"`, true, false, `NOT (country = "FR")`},
		{`language = "it"`, true, false, ""},
		{`language = "it-IT"`, true, false, `language = "it-it"`},
		{`language = it_it`, true, false, `language = "it-it"`},
		{`language = "it-CH"`, false, false, `language = "it-ch"`},
		{`language != "en"`, true, false, ""},
		{`timezone = Europe/Rome`, true, false, `timezone = "Europe/Rome"`},
		{`timezone = "Europe/*"`, true, false, ""},
		{`external_id = "A-*"`, true, false, ""},
		{`external_id = "*17"`, true, false, ""},
		{`external_id = "*-*"`, true, false, ""},
		{`external_id != "A-17"`, false, false, ""},
		{`tags:vip`, true, false, `tags:"vip"`},
		{`tags : "book club"`, true, false, `tags:"book club"`},
		{`tags:"book*"`, true, false, ""},
		{`tags:book`, false, false, `tags:"book"`},
		{`NOT tags:guest`, true, true, `NOT (tags:"guest")`},
		{`tags:*`, true, false, ""},
		{`NOT tags:*`, false, true, `NOT (tags:*)`},
		{`attributes.city = "Roma"`, true, false, ""},
		{`attributes.city = "Milano" OR country = "IT"`, true, false, ""},
		{`attributes.code = "007"`, true, false, ""},
		{`attributes."Birth Place" = Bari`, true, false, `attributes."Birth Place" = "Bari"`},
		{`attributes.missing = "x" OR country = "IT"`, true, false, ""},
		{`NOT attributes.missing = "x"`, false, false, `NOT (attributes.missing = "x")`},
		{`attributes.missing != "x"`, false, false, ""},
		{`NOT (attributes.missing = "x" AND country = "IT")`, false, false, ""},
		{`NOT (attributes.missing = "x" AND country = "FR")`, true, false, ""},
		{`attributes.missing:*`, false, false, ""},
		{`attributes.city:*`, true, false, ""},
		{`attributes:city`, true, false, `attributes.city:*`},
		{`attributes.points >= 100`, true, false, ""},
		{`attributes.points = 120.5`, true, false, ""},
		{`attributes.points > -3`, true, false, ""},
		{`attributes.points != 9007199254740993`, true, false, ""},
		{`attributes.points < 9223372036854775808.0`, true, false, ""},
		{`attributes.points > -0.0`, true, false, "attributes.points > 0"},
		{`attributes.points = 120.50`, true, false, "attributes.points = 120.5"},
		{`attributes.points < 123456789012345678901234567890.5`, true, false, ""},
		{`attributes.points > .5`, true, false, "attributes.points > 0.5"},
		{`attributes.points > -12.`, true, false, "attributes.points > -12"},
		{`attributes.points < 100`, false, false, ""},
		{`NOT attributes.points < 100`, true, false, `NOT (attributes.points < 100)`},
		{`attributes.birthday < "1990-03-01"`, true, false, ""},
		{`attributes.birthday = "1990-02-28"`, true, false, ""},
		{`attributes.birthday != "1990-02-28"`, false, false, ""},
		{`consent_days = 400`, true, false, ""},
		{`sent_days = 6`, true, false, ""},
		{`sent_days < 7`, true, false, ""},
		{`NOT sent_days < 7`, false, false, `NOT (sent_days < 7)`},
		{`replied_days = 0`, true, false, ""},
		{`delivered_days >= 0`, false, false, ""},
		{`NOT delivered_days >= 0`, false, false, `NOT (delivered_days >= 0)`},
		{`replied_days:*`, true, false, ""},
		{`segment.rich`, true, false, ""},
		{`NOT segment.rich`, false, false, `NOT (segment.rich)`},
		{`segment.best AND tags:vip`, true, false, `segment.best AND tags:"vip"`},
		{`segment."two word"`, true, false, ""},
		{`country = "IT" AND segment.rich`, true, false, ""},
		{`country = "FR" OR (country = "IT" AND language = "en") OR tags:vip`, true, false, `country = "FR" OR (country = "IT" AND language = "en") OR tags:"vip"`},
		{`country = "IT" AND (language = "it" AND (segment.rich))`, true, false, `country = "IT" AND language = "it" AND segment.rich`},
		{`(country = "IT" OR country = "FR") AND NOT tags:guest`, true, false, `(country = "IT" OR country = "FR") AND (NOT (tags:"guest"))`},
		{"country = \"IT\"\n  AND language = \"it\"", true, false, `country = "IT" AND language = "it"`},
		{`attributes.x = "quote \" and \\"`, false, false, ""},
		{"", true, true, "everyone"},
		{" \n", true, true, "everyone"},
	} {
		t.Run(tt.filter, func(t *testing.T) {
			audience, err := scheduler.ParseAudience(tt.filter, filterTypes, segments)
			if err != nil {
				t.Fatal(err)
			}
			if got := audience.Matches(anna(), filterNow); got != tt.anna {
				t.Errorf("matches the contact: %v, want %v", got, tt.anna)
			}
			if got := audience.Matches(nobody, filterNow); got != tt.nobody {
				t.Errorf("matches the empty contact: %v, want %v", got, tt.nobody)
			}
			prints := tt.prints
			if prints == "" {
				prints = tt.filter
			}
			if audience.String() != prints {
				t.Errorf("prints %s, want %s", audience, prints)
			}
		})
	}
}

func TestMistypedMatchesNothing(t *testing.T) {
	for _, tt := range []struct{ attribute, filter, bad string }{
		{"points", "attributes.points >= 0", "many|1e3|0x10|Inf|NaN|1_000|12,5|.5|5.|-|+-1|1.2.3|１０"},
		{"birthday", `attributes.birthday >= "0001-01-01"`, "2026-02-29|2026-13-01|2026-00-10|21/11/2026|2026-11-21T10:00:00Z|26-11-21|2026-1-1"},
	} {
		for bad := range strings.SplitSeq(tt.bad, "|") {
			c := scheduler.Contact{Attributes: map[string]string{tt.attribute: bad}}
			for _, filter := range []string{tt.filter, "NOT " + tt.filter, "NOT (NOT " + tt.filter + ")", "attributes." + tt.attribute + ":*"} {
				audience, err := scheduler.ParseAudience(filter, filterTypes, nil)
				if err != nil {
					t.Fatal(err)
				}
				if audience.Matches(c, filterNow) {
					t.Errorf("%s matches the value %q", filter, bad)
				}
			}
		}
	}
	audience, err := scheduler.ParseAudience(`language != "en"`, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"italiano", "i", "12", "-it"} {
		if audience.Matches(scheduler.Contact{Language: bad}, filterNow) {
			t.Errorf("%s matches the language %q", audience, bad)
		}
	}
}

func TestZeroAudienceMatchesNobody(t *testing.T) {
	var zero scheduler.Audience
	if zero.Matches(anna(), filterNow) || zero.String() != "nobody" || zero.Everyone() {
		t.Errorf("the zero audience is %s", zero)
	}
}

func TestParseAudienceRefuses(t *testing.T) {
	for _, tt := range []struct {
		filter string
		column int
		says   string
	}{
		// AND and OR
		{`country = "IT" AND language = "it" OR tags:vip`, 36, "OR stands beside AND without parentheses"},
		{`country = "IT" OR language = "it" AND tags:vip`, 35, "AND stands beside OR without parentheses"},
		{`tags:a AND (tags:b OR tags:c AND tags:d)`, 30, "AND stands beside OR"},
		{`country = "IT" language = "it"`, 16, "two conditions stand side by side"},
		{`attributes.city = New York`, 23, "side by side"},
		{`tags:a tags:b tags:c`, 8, "side by side"},
		{`country = "IT" and language = "it"`, 16, "write and in capitals: AND"},
		{`not tags:vip`, 1, "capitals: NOT"},
		{`country = "IT" && tags:vip`, 16, "write AND for &&"},
		{`segment.rich||tags:vip`, 9, "OR for ||"},
		{`!segment.rich`, 1, "write NOT before"},
		{`NOT(segment.rich)`, 4, "put a space between NOT and the parenthesis"},
		{`(tags:a)AND tags:b`, 9, "put a space before AND"},
		{`tags:a AND(tags:b)`, 11, "put a space between AND and the parenthesis"},
		{`NOT NOT tags:a`, 5, `"NOT" is not expected here`},
		// shape
		{`country = "IT" AND`, 19, "the filter ends where"},
		{`country =`, 10, "the filter ends where"},
		{`country = "IT`, 11, "this quote is never closed"},
		{`(country = "IT"`, 1, "this parenthesis is never closed"},
		{`country = "IT")`, 15, "this parenthesis was never opened"},
		{`()`, 2, `")" is not expected here`},
		{`= "IT"`, 1, "is not expected here"},
		{`country == "IT"`, 9, "write one ="},
		{`country <> "IT"`, 9, "write !="},
		{`sent_days => 7`, 11, "write >="},
		{`country = “IT”`, 11, "typographic quote"},
		{`country = "I\T"`, 11, "backslash"},
		{`country = ("IT" OR "FR")`, 11, "one value at a time"},
		{`startsWith(external_id, "A")`, 1, "looks like a function"},
		{`country = upper("it")`, 11, "looks like a function"},
		{"country = \"\xff\"", 11, "not UTF-8"},
		{`country = "I\000T"`, 11, "NUL"},
		{strings.Repeat("(", 60) + "tags:a" + strings.Repeat(")", 60), 41, "nested more than 40 deep"},
		{strings.Repeat("tags:a AND ", 500) + "tags:a", 1, "longer than 4000 characters"},
		{`language = it-IT`, 14, "need quotes"},
		{`attributes.birthday > 2026-11-21`, 27, "need quotes"},
		{`sent_days > 7d`, 14, `"d" is not expected here`},
		// fields
		{`contry = "IT"`, 1, "did you mean country?"},
		{`points > 5`, 1, "did you mean attributes.points?"},
		{`tag:vip`, 1, "did you mean tags?"},
		{`attribute.city = "Roma"`, 1, "did you mean attributes.city?"},
		{`segments.rich`, 1, "did you mean segment.rich?"},
		{`lang = "it"`, 1, "did you mean language?"},
		{`phone = "+39347"`, 1, "phone is not a field; fields are country"},
		{`è = "IT"`, 1, "è is not a field"},
		{`  tags:vip AND colour = "red"`, 16, "colour is not a field"},
		{`attributes.città = "Roma" AND colour = "red"`, 31, "colour is not a field"},
		{`"country" = "IT"`, 1, "without quotes"},
		{`"IT" = country`, 1, "the field goes on the left"},
		{`5 < sent_days`, 1, "the field goes on the left"},
		{`country.code = "IT"`, 1, "country has no parts"},
		{`country`, 1, `needs an operator and a value, as in country = "IT"`},
		{`"IT"`, 1, "a value stands alone"},
		{`tags`, 1, "write tags:vip"},
		{`attributes.city`, 1, "write attributes.city:*"},
		{`attributes = "x"`, 1, "name the attribute"},
		{`attributes:5`, 12, "name the attribute"},
		{`segment = "rich"`, 1, "name the segment"},
		{`segment.rich = true`, 1, "a segment is yes or no"},
		// segments
		{`segment.rihc`, 1, "did you mean rich?"},
		{`segment.nothing`, 1, `there is no segment "nothing"`},
		{`segment.empty`, 1, "is empty"},
		// types
		{`attributes.age > 18`, 18, "declare attributes: {age: number}"},
		{`attributes.age = 18`, 18, "declare attributes: {age: number}"},
		{`attributes.point >= 100`, 21, "did you mean attributes.points?"},
		{`attributes.age > "18"`, 18, "declare attributes: {age: number}"},
		{`attributes.since > "2026-11-21"`, 20, "declare attributes: {since: date}"},
		{`attributes.points = "100"`, 21, "write a number without quotes"},
		{`attributes.points = many`, 21, "write a number without quotes"},
		{`attributes.points = 010`, 21, "starts with a zero"},
		{`attributes.points = 0x10`, 21, "decimal digits"},
		{`attributes.points = 99999999999999999999`, 21, "is not expected here"},
		{`attributes.birthday = "2026-02-30"`, 23, "a day of the calendar"},
		{`attributes.birthday = "1990"`, 23, "a day of the calendar"},
		{`attributes.birthday = 1990`, 23, "a day of the calendar"},
		{`attributes.points = attributes.age`, 21, "not with another field"},
		{`external_id = country`, 15, "not with another field"},
		{`external_id = a.b`, 15, `put the value in quotes: "a.b"`},
		{`external_id = 17`, 15, "external_id is text; put the value in quotes"},
		{`external_id > "17"`, 15, "has no order"},
		{`external_id = ""`, 15, "an empty value"},
		{`external_id:"17"`, 1, "write external_id = …"},
		{`tags = "vip"`, 8, "write tags:vip"},
		{`tags != vip`, 9, "NOT tags:vip"},
		{`tags:5`, 6, `tags:"5"`},
		{`country = "Italy"`, 11, "two letters"},
		{`country = "UK"`, 11, `write "GB"`},
		{`country = "EU"`, 11, "is not a country"},
		{`country = "I*"`, 11, "is not a country"},
		{`language = "italian"`, 12, "is not a language"},
		{`language = "*"`, 12, "is not a language"},
		{`timezone = "Europe/Roma"`, 12, `"Europe/Roma" is not known`},
		{`external_id = "a*b"`, 15, "only at the beginning or the end"},
		{`external_id = "*"`, 15, "write external_id:*"},
		{`sent_days > "7"`, 13, "counts whole days"},
		{`sent_days > 7.5`, 13, "counts whole days"},
		{`sent_days > -1`, 13, "counts whole days"},
		// absence
		{`NOT attributes.coupon:*`, 5, "finds nobody"},
		{`tags:a AND NOT (tags:b OR replied_days:*)`, 27, "finds nobody"},
	} {
		t.Run(tt.filter, func(t *testing.T) {
			audience, err := scheduler.ParseAudience(tt.filter, filterTypes, segments)
			var mistake *scheduler.AudienceError
			if !errors.As(err, &mistake) {
				t.Fatalf("ParseAudience = %s, %v; want an AudienceError", audience, err)
			}
			if mistake.Column != tt.column || !strings.Contains(mistake.Message, tt.says) || mistake.Segment != "" {
				t.Errorf("got column %d %q (segment %q), want column %d with %q", mistake.Column, mistake.Message, mistake.Segment, tt.column, tt.says)
			}
			if audience.Matches(anna(), filterNow) {
				t.Error("a refused filter matches")
			}
		})
	}
}

func TestMistakesInSegments(t *testing.T) {
	for _, tt := range []struct {
		filter, segment, says string
		column                int
	}{
		{"segment.broken", "broken", "did you mean attributes.points?", 20},
		{"segment.one", "three", "segments go in a circle: one, which uses two, which uses three, which uses one", 1},
		{"NOT segment.coupon", "coupon", "finds nobody", 1},
		{"tags:a AND segment.indirect", "broken", "did you mean attributes.points?", 20},
	} {
		with := map[string]string{"indirect": "tags:b OR segment.broken"}
		for name, text := range segments {
			with[name] = text
		}
		_, err := scheduler.ParseAudience(tt.filter, filterTypes, with)
		var mistake *scheduler.AudienceError
		if !errors.As(err, &mistake) || mistake.Segment != tt.segment || mistake.Column != tt.column || !strings.Contains(mistake.Message, tt.says) {
			t.Errorf("%s: %v; want segment %s, column %d, %q", tt.filter, err, tt.segment, tt.column, tt.says)
		}
	}
}

// Each level doubles the filter; without a limit twenty of them would be a million conditions for each contact.
func TestSegmentsDoNotBlowUp(t *testing.T) {
	doubling := map[string]string{"s0": "tags:a"}
	for i := range 20 {
		doubling[fmt.Sprintf("s%d", i+1)] = fmt.Sprintf("segment.s%d AND (segment.s%d OR tags:b)", i, i)
	}
	_, err := scheduler.ParseAudience("segment.s20", nil, doubling)
	var mistake *scheduler.AudienceError
	if !errors.As(err, &mistake) || !strings.Contains(mistake.Message, "more than 1000 conditions") {
		t.Errorf("ParseAudience = %v, want a refusal by size", err)
	}
}

func TestNeeds(t *testing.T) {
	for _, tt := range []struct {
		filter string
		want   scheduler.Needs
	}{
		{"", scheduler.Needs{}},
		{`country = "IT" AND segment.rich`, scheduler.Needs{}},
		{"sent_days > 30 OR NOT replied_days < 7", scheduler.Needs{Sent: true, Replied: true}},
		{"segment.lately", scheduler.Needs{Consent: true, Delivered: true}},
	} {
		audience, err := scheduler.ParseAudience(tt.filter, filterTypes, map[string]string{"rich": segments["rich"], "lately": "consent_days < 9 AND delivered_days < 9"})
		if err != nil || audience.Needs() != tt.want {
			t.Errorf("%q needs %+v (%v), want %+v", tt.filter, audience.Needs(), err, tt.want)
		}
	}
}

func FuzzParseAudience(f *testing.F) {
	for _, seed := range []string{
		"", `country = "IT" AND segment.rich`, `tags:vip OR (NOT sent_days < 7)`, `attributes."a b" = "x*"`, `-segment.best`,
		`a AND b OR c`, `NOT(x)`, `f(f(f((`, `attributes.points >= -1.5`, `"\`, `x = "\x00"`, "a\n=\tb", `attributes:x`, `tags:*`, `AND(tags:a, tags:b)`, "\xff", "١", `language=zh_Hant`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, filter string) {
		audience, err := scheduler.ParseAudience(filter, filterTypes, segments)
		if err != nil {
			var mistake *scheduler.AudienceError
			if !errors.As(err, &mistake) || mistake.Column < 1 || mistake.Column > len([]rune(filter))+1 || mistake.Message == "" {
				t.Fatalf("%q: %#v is no placed mistake", filter, err)
			}
			return
		}
		if audience.Matches(nobody, filterNow) != audience.Matches(scheduler.Contact{Tags: []string{" "}}, filterNow) {
			t.Fatalf("%q: an empty tag counts as a tag", filter)
		}
		if audience.Everyone() {
			return
		}
		again, err := scheduler.ParseAudience(audience.String(), filterTypes, segments)
		if err != nil || again.String() != audience.String() {
			t.Fatalf("%q prints %q, which reads as %q: %v", filter, audience, again, err)
		}
		if again.Matches(anna(), filterNow) != audience.Matches(anna(), filterNow) {
			t.Fatalf("%q and its print %q differ", filter, audience)
		}
	})
}

func BenchmarkMatches(b *testing.B) {
	audience, err := scheduler.ParseAudience(`country = "IT" AND segment.rich AND (language = "it" OR tags:vip) AND NOT sent_days < 3 AND attributes.birthday < "2000-01-01"`, filterTypes, segments)
	if err != nil {
		b.Fatal(err)
	}
	contact := anna()
	b.ReportAllocs()
	for b.Loop() {
		if !audience.Matches(contact, filterNow) {
			b.Fatal("does not match")
		}
	}
}
