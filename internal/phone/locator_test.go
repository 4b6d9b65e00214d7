package phone_test

import (
	"errors"
	"fmt"
	"go/format"
	"maps"
	"os"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/phone"
)

// A locator answers as Locate does, whatever it has seen before.
func TestLocator(t *testing.T) {
	var l phone.Locator
	same := func(t interface{ Errorf(string, ...any) }, raw, region string) {
		wantN, wantCountry, wantErr := phone.Locate(raw, region)
		for range 2 {
			n, country, err := l.Locate(raw, region)
			if n != wantN || country != wantCountry || !errors.Is(err, wantErr) {
				t.Errorf("Locate(%q, %q) = %q, %q, %v; want %q, %q, %v", raw, region, n, country, err, wantN, wantCountry, wantErr)
			}
		}
	}
	for _, raw := range []string{
		"", "+", "+39", "+39 347 123 4567", "+393471234567", "347 123 4567", "00393471234567", "+5511981234567", "+551181234567", "+5215512345678",
		"+541123456789", "+5491123456789", "+447400123456", "+14155550123", "+15005550006", "+800123456789", "+999123456", "+39347123456712345", "x",
	} {
		for _, region := range []string{"", "IT", "US", "XX"} {
			same(t, raw, region)
		}
	}
	// Beginnings are shared on purpose, so that most are judged by an earlier number.
	regions := phonenumbers.GetSupportedRegions()
	var examples []string
	for region := range regions {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.MOBILE, phonenumbers.FIXED_LINE, phonenumbers.TOLL_FREE, phonenumbers.VOICEMAIL, phonenumbers.PAGER} {
			if n := phonenumbers.GetExampleNumberForType(region, kind); n != nil {
				examples = append(examples, phonenumbers.Format(n, phonenumbers.E164))
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			example := rapid.SampledFrom(examples).Draw(t, "example")
			keep := rapid.IntRange(2, len(example)).Draw(t, "keep")
			tail := rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), max(len(example)-keep-1, 0), len(example)-keep+1, -1).Draw(t, "tail")
			same(t, example[:keep]+tail, "")
		}
	})
}

// Locators tell numbers apart by all the digits that the plans of the library look at. PERMESSO_UPDATE=1 writes the table anew.
func TestPlansLookAtTheirFirstDigits(t *testing.T) {
	plans, err := phonenumbers.MetadataCollection()
	if err != nil {
		t.Fatal(err)
	}
	looked := map[string]*[10]int{}
	for _, plan := range plans.GetMetadata() {
		code := strconv.Itoa(int(plan.GetCountryCode()))
		if looked[code] == nil {
			looked[code] = &[10]int{}
		}
		patterns := []string{plan.GetLeadingDigits()}
		for _, kind := range []*phonenumbers.PhoneNumberDesc{
			plan.GeneralDesc, plan.PremiumRate, plan.TollFree, plan.SharedCost, plan.Voip, plan.PersonalNumber, plan.Pager, plan.Uan, plan.Voicemail,
			plan.FixedLine, plan.Mobile,
		} {
			patterns = append(patterns, kind.GetNationalNumberPattern())
		}
		for _, pattern := range patterns {
			if strings.Trim(pattern, "NA") == "" {
				continue
			}
			read, err := syntax.Parse(pattern, syntax.Perl)
			if err != nil {
				t.Fatal(err)
			}
			for first := range looked[code] {
				lookedAt(t, read, rune('0'+first), 0, &looked[code][first])
			}
		}
	}
	var table strings.Builder
	table.WriteString("package phone\n\n// planDigits says of each calling code how many digits after it the plans of its regions look at: the i-th of the ten figures\n" +
		"// for numbers that begin with the digit i. Behind those any digit will do. TestPlansLookAtTheirFirstDigits reads the same from\n" +
		"// the plans of phonenumbers v1.8.1.\nvar planDigits = map[string]string{\n")
	for _, code := range slices.Sorted(maps.Keys(looked)) {
		figures := ""
		for _, n := range looked[code] {
			figures += strconv.Itoa(n)
		}
		if got := phone.PlanDigits[code]; got != figures {
			t.Errorf("the plan of +%s looks at %s digits, a locator at %q", code, figures, got)
		}
		fmt.Fprintf(&table, "\t%q: %q,\n", code, figures)
	}
	table.WriteString("}\n")
	if os.Getenv("PERMESSO_UPDATE") == "1" {
		text, err := format.Source([]byte(table.String()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("plans.go", text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// lookedAt walks a pattern from a position on, as far as a number with this first digit can match it, and notes the last
// position at which not every digit will do. It returns where the pattern ends at most; -1 when the number cannot match.
func lookedAt(t *testing.T, pattern *syntax.Regexp, first rune, at int, looked *int) (end int) {
	switch pattern.Op {
	case syntax.OpCharClass:
		if any := len(pattern.Rune) == 2 && pattern.Rune[0] == '0' && pattern.Rune[1] == '9'; !any && at > 0 {
			*looked = max(*looked, at+1)
		}
		if at == 0 && !inClass(pattern.Rune, first) {
			return -1
		}
		return at + 1
	case syntax.OpLiteral:
		if at == 0 && pattern.Rune[0] != first {
			return -1
		}
		*looked = max(*looked, at+len(pattern.Rune))
		return at + len(pattern.Rune)
	case syntax.OpAlternate:
		end = -1
		for _, sub := range pattern.Sub {
			end = max(end, lookedAt(t, sub, first, at, looked))
		}
		return end
	case syntax.OpConcat, syntax.OpCapture:
		seen := *looked
		for _, sub := range pattern.Sub {
			if at = lookedAt(t, sub, first, at, &seen); at < 0 {
				return -1
			}
		}
		*looked = seen
		return at
	case syntax.OpQuest:
		if at == 0 {
			t.Fatalf("the plan %s may lack its first digit", pattern)
		}
		return lookedAt(t, pattern.Sub[0], first, at, looked)
	case syntax.OpRepeat:
		for range pattern.Max {
			if at = lookedAt(t, pattern.Sub[0], first, at, looked); at < 0 {
				return -1
			}
		}
		return at
	case syntax.OpEmptyMatch:
		return at
	}
	t.Fatalf("a plan has %s, which this test does not know", pattern)
	return at
}

func inClass(ranges []rune, r rune) bool {
	for i := 0; i < len(ranges); i += 2 {
		if r >= ranges[i] && r <= ranges[i+1] {
			return true
		}
	}
	return false
}

func BenchmarkLocator(b *testing.B) {
	var l phone.Locator
	for b.Loop() {
		if _, _, err := l.Locate("+393471234567", ""); err != nil {
			b.Fatal(err)
		}
	}
}
