package phone_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/phone"
)

func TestFromWhatsApp(t *testing.T) {
	tests := []struct {
		waID string
		want phone.Number
		ok   bool
	}{
		{"393471234567", "+393471234567", true},
		{"+393471234567", "+393471234567", true},
		{"+250 788 123 200", "+250788123200", true},
		{"1 (631) 555-1234", "+16315551234", true},
		{"553196883193", "+553196883193", true},
		{"5215512345678", "+5215512345678", true},
		{"15550001234", "+15550001234", true},
		{"9991234567", "+9991234567", true},
		{"\u202a+39 347 1234567\u202c", "+393471234567", true},
		{"6831234", "+6831234", true},
		{"999999999999999", "+999999999999999", true},
		{"", "", false},
		{"+", "", false},
		{"123456", "", false},
		{"1234567890123456", "", false},
		{"120363041234567890", "", false},
		{"0393471234567", "", false},
		{"00393471234567", "", false},
		{"39347+1234567", "", false},
		{"++393471234567", "", false},
		{"IT.13491208655302741918", "", false},
		{"US.1234", "", false},
		{"IT.ENT.9920001", "", false},
		{"US.13491208655", "", false},
		{"giulia.rm", "", false},
		{"@39347123", "", false},
		{"393471234567@s.whatsapp.net", "", false},
	}
	for _, tt := range tests {
		got, ok := phone.FromWhatsApp(tt.waID)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("FromWhatsApp(%q) = %q, %v; want %q, %v", tt.waID, string(got), ok, string(tt.want), tt.ok)
		}
	}
}

func TestVariants(t *testing.T) {
	people := [][]phone.Number{
		{"+393471234567"},
		{"+12125550123"},
		// Brazil: first digits 6 to 9 are mobiles, 2 to 5 are not.
		{"+5511961234567", "+551161234567"},
		{"+5511971234567", "+551171234567"},
		{"+5511981234567", "+551181234567"},
		{"+5531996883193", "+553196883193"},
		{"+551121234567"},
		{"+551151234567"},
		{"+5511951234567"}, // a mobile that never had eight digits: 5123-4567 is a landline
		{"+5511891234567"},
		{"+551012345678"},
		{"+55118123456"},
		// Mexico
		{"+525512345678", "+5215512345678"},
		{"+526641234567", "+5216641234567"},
		{"+521551234567"},
		{"+5211512345678"},
		// Argentina
		{"+5491123456789", "+541123456789", "+54111523456789"},
		{"+5493512345678", "+543512345678", "+54351152345678"},
		{"+5492966123456", "+542966123456", "+54296615123456"},
		{"+548001234567"},
		{"+54111623456789"},
		// not E.164
		{""},
		{"+"},
		{"5511981234567"},
		{"+55118123456x"},
		{"+55 11 8123-4567"},
	}
	for _, forms := range people {
		for _, n := range forms {
			if c := n.Canonical(); c != forms[0] {
				t.Errorf("Canonical(%q) = %q, want %q", string(n), string(c), string(forms[0]))
			}
			if diff := cmp.Diff(forms, n.Variants()); diff != "" {
				t.Errorf("Variants(%q) (-want +got):\n%s", string(n), diff)
			}
		}
	}
}

// anyNumber draws numbers of which many have variants, and some are not E.164 at all.
func anyNumber() *rapid.Generator[phone.Number] {
	return rapid.Custom(func(t *rapid.T) phone.Number {
		return phone.Number(rapid.OneOf(
			rapid.StringMatching(`\+55[1-9]{2}9?[0-9]{8}`),
			rapid.StringMatching(`\+521?[0-9]{10}`),
			rapid.StringMatching(`\+549?[0-9]{10}`),
			rapid.StringMatching(`\+54(11|[23][0-9]{1,3})15[0-9]{6,8}`),
			rapid.StringMatching(`\+[1-9][0-9]{6,14}`),
			rapid.String(),
		).Draw(t, "number"))
	})
}

func checkVariants(t interface {
	Helper()
	Fatalf(string, ...any)
}, n phone.Number) {
	t.Helper()
	c, forms := n.Canonical(), n.Variants()
	if again := c.Canonical(); again != c {
		t.Fatalf("Canonical(%q) = %q, whose canonical form is %q", string(n), string(c), string(again))
	}
	if forms[0] != c || !slices.Contains(forms, n) {
		t.Fatalf("Variants(%q) = %q: want %q first and the number itself", string(n), forms, string(c))
	}
	for _, v := range forms {
		if v.Canonical() != c || !slices.Equal(v.Variants(), forms) {
			t.Fatalf("%q is a variant of %q, but its own variants are %q", string(v), string(n), v.Variants())
		}
		if e164.MatchString(string(n)) != e164.MatchString(string(v)) {
			t.Fatalf("%q became %q", string(n), string(v))
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(forms)))) != len(forms) {
		t.Fatalf("Variants(%q) = %q holds a form twice", string(n), forms)
	}
}

func TestVariantsAreClosed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkVariants(t, anyNumber().Draw(t, "n")) })
}

// The lengths of Argentine areas are libphonenumber's, over every area it knows.
func TestArgentineFifteenAgreesWithThePlan(t *testing.T) {
	known := 0
	for area := 2200; area < 4000; area++ {
		n := fmt.Sprintf("+549%d456789", area)
		number, err := phonenumbers.Parse(n, "")
		if err != nil || !phonenumbers.IsValidNumber(number) {
			continue
		}
		known++
		forms := phone.Number(n).Variants()
		if len(forms) != 3 {
			t.Fatalf("Variants(%s) = %q", n, forms)
		}
		for _, form := range forms[2:] {
			read, err := phonenumbers.Parse(string(form), "")
			if err != nil || phonenumbers.Format(read, phonenumbers.E164) != n {
				t.Errorf("%s: the library reads %s as another number", n, form.String())
			}
		}
	}
	if known < 300 {
		t.Fatalf("the plan has only %d areas", known)
	}
}

func FuzzFromWhatsApp(f *testing.F) {
	for _, seed := range []string{"393471234567", "+250 788 123 200", "IT.13491208655302741918", "553196883193",
		"5215512345678", "541123456789", "54111523456789", "", "+", "00", "\xff", "\u0663\u0664"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, waID string) {
		n, ok := phone.FromWhatsApp(waID)
		if !ok {
			return
		}
		if !e164.MatchString(string(n)) {
			t.Fatalf("FromWhatsApp(%q) = %q, which is not E.164", waID, string(n))
		}
		if again, ok := phone.FromWhatsApp(string(n)); !ok || again != n {
			t.Fatalf("FromWhatsApp(%q) = %q, read again as %q", waID, string(n), string(again))
		}
		checkVariants(t, n)
	})
}
