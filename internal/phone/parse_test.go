package phone_test

import (
	"encoding/csv"
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/phone"
)

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

var refusals = map[string]*phone.Error{
	"ErrEmpty": phone.ErrEmpty, "ErrScientific": phone.ErrScientific, "ErrDecimal": phone.ErrDecimal,
	"ErrExtension": phone.ErrExtension, "ErrLetters": phone.ErrLetters, "ErrDirection": phone.ErrDirection,
	"ErrList": phone.ErrList, "ErrPlus": phone.ErrPlus, "ErrCharacter": phone.ErrCharacter,
	"ErrNoCountry": phone.ErrNoCountry, "ErrCountryCode": phone.ErrCountryCode, "ErrRegion": phone.ErrRegion,
	"ErrTooShort": phone.ErrTooShort, "ErrTooLong": phone.ErrTooLong, "ErrImpossible": phone.ErrImpossible,
}

type corpusRow struct {
	raw, region       string
	number, canonical phone.Number
	refusal           string
	note              string
}

// corpus reads testdata/corpus.csv, whose invisible characters are written as Go escapes.
func corpus(t testing.TB) []corpusRow {
	t.Helper()
	f, err := os.Open("testdata/corpus.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []corpusRow
	for _, r := range records[1:] {
		raw, err := strconv.Unquote(`"` + r[0] + `"`)
		if err != nil {
			t.Fatalf("corpus cell %q: %v", r[0], err)
		}
		rows = append(rows, corpusRow{raw, r[1], phone.Number(r[2]), phone.Number(r[3]), r[4], r[5]})
	}
	return rows
}

func TestParseCorpus(t *testing.T) {
	rows := corpus(t)
	if len(rows) < 60 {
		t.Fatalf("corpus has %d rows, want 60 or more", len(rows))
	}
	met := map[string]bool{}
	for _, row := range rows {
		met[row.refusal] = true
		t.Run(row.note, func(t *testing.T) {
			got, err := phone.Parse(row.raw, row.region)
			if row.refusal != "" {
				want, ok := refusals[row.refusal]
				if !ok {
					t.Fatalf("unknown refusal %s", row.refusal)
				}
				if !errors.Is(err, want) || got != "" {
					t.Fatalf("Parse(%q, %q) = %q, %v; want %s", row.raw, row.region, string(got), err, row.refusal)
				}
				return
			}
			if err != nil || got != row.number {
				t.Fatalf("Parse(%q, %q) = %q, %v; want %q", row.raw, row.region, string(got), err, string(row.number))
			}
			if c := got.Canonical(); c != row.canonical {
				t.Errorf("Canonical = %q, want %q", string(c), string(row.canonical))
			}
		})
	}
	for name := range refusals {
		if !met[name] {
			t.Errorf("no row of the corpus is refused with %s", name)
		}
	}
}

func TestRefusalsAreFixedSentences(t *testing.T) {
	seen := map[string]string{}
	for name, refusal := range refusals {
		var typed *phone.Error
		if !errors.As(error(refusal), &typed) || typed.Reason != refusal.Error() {
			t.Errorf("%s is not an *Error with its reason", name)
		}
		if !strings.HasPrefix(refusal.Reason, "the ") && !strings.HasPrefix(refusal.Reason, "a ") && !strings.HasPrefix(refusal.Reason, "no ") {
			t.Errorf("%s does not read as a sentence: %s", name, refusal.Reason)
		}
		if !strings.Contains(refusal.Reason, "; ") {
			t.Errorf("%s does not say what to do: %s", name, refusal.Reason)
		}
		if other, ok := seen[refusal.Reason]; ok {
			t.Errorf("%s and %s have one sentence", name, other)
		}
		seen[refusal.Reason] = name
	}
}

// Every decimal digit that Unicode knows must have the value that libphonenumber gives it.
func TestParseReadsDigitsOfEveryScript(t *testing.T) {
	check := func(r rune) {
		want, err := phone.Parse("+3934712345"+phonenumbers.NormalizeDigitsOnly(string(r))+"7", "")
		if err != nil {
			t.Fatalf("U+%04X: %v", r, err)
		}
		if got, err := phone.Parse("+3934712345"+string(r)+"7", ""); err != nil || got != want {
			t.Errorf("U+%04X: got %q, %v; want %q", r, string(got), err, string(want))
		}
	}
	for _, run := range unicode.Nd.R16 {
		for r := rune(run.Lo); r <= rune(run.Hi); r++ {
			check(r)
		}
	}
	for _, run := range unicode.Nd.R32 {
		for r := rune(run.Lo); r <= rune(run.Hi); r++ {
			check(r)
		}
	}
}

// Every example in the library's plans is read from international form as it stands.
func TestParseTakesEveryPlan(t *testing.T) {
	types := []phonenumbers.PhoneNumberType{phonenumbers.FIXED_LINE, phonenumbers.MOBILE}
	for region := range phonenumbers.GetSupportedRegions() {
		for _, kind := range types {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil {
				continue
			}
			want := phone.Number(phonenumbers.Format(example, phonenumbers.E164))
			for _, form := range []phonenumbers.PhoneNumberFormat{phonenumbers.E164, phonenumbers.INTERNATIONAL} {
				if len(want) < 8 {
					continue // islands whose numbers have fewer than seven digits
				}
				got, err := phone.Parse(phonenumbers.Format(example, form), "")
				if err != nil || got != want {
					t.Errorf("%s: Parse(%q) = %q, %v; want %q", region, phonenumbers.Format(example, form), string(got), err, string(want))
				}
			}
		}
	}
}

// Locate says what Parse and Country say, also where it takes a short way through the plan; and a number is refused or
// taken as libphonenumber's own judgement of its type has it.
func TestLocateIsParseAndCountry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.OneOf(
			rapid.StringMatching(`\+39[0-9]{6,12}`),
			rapid.StringMatching(`\+393[0-9]{8,11}`),
			rapid.StringMatching(`\+3906698[0-9]{4,6}`), // the Vatican
			rapid.StringMatching(`\+(44|1|7|47|49|55|52|54)[0-9]{8,11}`),
			rapid.StringMatching(`[0-9]{8,13}`),
		).Draw(t, "raw")
		n, country, err := phone.Locate(raw, "IT")
		want, wantErr := phone.Parse(raw, "IT")
		if n != want || !errors.Is(err, wantErr) || (err == nil && country != want.Country()) {
			t.Fatalf("Locate(%q) = %q, %q, %v; Parse %q, %v, country %q", raw, string(n), country, err, string(want), wantErr, want.Country())
		}
		if !strings.HasPrefix(raw, "+39") {
			return
		}
		number, parseErr := phonenumbers.Parse(raw, "")
		if parseErr != nil {
			t.Fatal(parseErr)
		}
		kind := phonenumbers.GetNumberType(number)
		personal := kind != phonenumbers.UNKNOWN && kind != phonenumbers.VOICEMAIL && kind != phonenumbers.PAGER
		if personal != (err == nil) {
			t.Fatalf("%q: libphonenumber's type is %d, here %v", raw, kind, err)
		}
	})
}

// An Italian mobile number in national form is what libphonenumber makes of it.
func TestItalianMobiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.StringMatching(`(39)?3[0-9]{9}`).Draw(t, "raw")
		got, err := phone.Parse(raw, "IT")
		number, parseErr := phonenumbers.Parse(raw, "IT")
		if parseErr != nil {
			t.Fatal(parseErr)
		}
		want := phonenumbers.Format(number, phonenumbers.E164)
		if valid := phonenumbers.GetNumberType(number) == phonenumbers.MOBILE; valid != (err == nil) || valid && want != got.String() {
			t.Fatalf("%q is %q, %v; libphonenumber has %q, %v", raw, got.String(), err, want, valid)
		}
	})
}

func TestCodesAreWords(t *testing.T) {
	seen := map[errcode.Code]bool{}
	for name, refusal := range refusals {
		if !regexp.MustCompile(`^phone_[a-z_]+$`).MatchString(string(refusal.Code)) || seen[refusal.Code] {
			t.Errorf("%s has the code %q", name, refusal.Code)
		}
		seen[refusal.Code] = true
	}
}

func TestParseIsAFixedPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.OneOf(
			rapid.StringMatching(`\+?[0-9]{5,17}`),
			rapid.StringMatching(`\+(55|52|521|54|549|1|39|44|7|49)[0-9]{8,11}`),
			rapid.StringMatching(`\+?[(]?[0-9]{2,4}[)]?[ ./-][0-9]{2,4}[ ./-]?[0-9]{2,6}`),
		).Draw(t, "raw")
		region := rapid.SampledFrom([]string{"", "IT", "BR", "MX", "AR", "US", "GB", "RU", "DE", "AU"}).Draw(t, "region")
		checkParsed(t, raw, region)
	})
}

// checkParsed holds what is true of every answer of Parse.
func checkParsed(t interface {
	Helper()
	Fatalf(string, ...any)
}, raw, region string) {
	t.Helper()
	n, err := phone.Parse(raw, region)
	if err != nil {
		var typed *phone.Error
		if n != "" || !errors.As(err, &typed) {
			t.Fatalf("Parse(%q, %q) = %q, %v (%T)", raw, region, string(n), err, err)
		}
		return
	}
	if !e164.MatchString(n.String()) {
		t.Fatalf("Parse(%q, %q) = %q, which is not E.164", raw, region, string(n))
	}
	for _, r := range []string{region, "", "IT", "BR"} {
		if again, err := phone.Parse(n.String(), r); err != nil || again != n {
			t.Fatalf("Parse(%q, %q) = %q, read again as %q, %v", raw, region, string(n), string(again), err)
		}
	}
	if again, ok := phone.FromWhatsApp(n.String()[1:]); !ok || again != n {
		t.Fatalf("FromWhatsApp does not know %q", string(n))
	}
}

func FuzzParse(f *testing.F) {
	for _, row := range corpus(f) {
		f.Add(row.raw, row.region)
	}
	f.Add("whatsapp://send/?phone=%2B39347", "IT")
	f.Add("+\xff39", "IT")
	f.Add(strings.Repeat("9", 1000), "US")
	f.Fuzz(func(t *testing.T, raw, region string) { checkParsed(t, raw, region) })
}
