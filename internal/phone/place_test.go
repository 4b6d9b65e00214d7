package phone_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/phone"
)

func TestPlace(t *testing.T) {
	tests := []struct {
		n       phone.Number
		country string
		zones   []string
		zone    string
	}{
		{"+393471234567", "IT", []string{"Europe/Rome", "Europe/Vatican"}, "Europe/Rome"},
		{"+33612345678", "FR", []string{"Europe/Paris"}, "Europe/Paris"},
		{"+12125550123", "US", []string{"America/New_York"}, "America/New_York"},
		{"+13105550123", "US", []string{"America/Los_Angeles"}, "America/Los_Angeles"},
		{"+14165550123", "CA", []string{"America/Toronto"}, "America/Toronto"},
		{"+18765550123", "JM", []string{"America/Jamaica"}, "America/Jamaica"},
		{"+447911123456", "GG", []string{"Europe/Guernsey", "Europe/Isle_of_Man", "Europe/London"}, "Europe/Guernsey"},
		{"+442079460123", "GB", []string{"Europe/London"}, "Europe/London"},
		{"+351912345678", "PT", []string{"Atlantic/Azores", "Europe/Lisbon"}, "Europe/Lisbon"},
		{"+79161234567", "RU", []string{"Europe/Moscow"}, "Europe/Moscow"},
		{"+77011234567", "KZ", []string{"Asia/Almaty", "Asia/Aqtobe"}, "Asia/Almaty"},
		{"+5592981234567", "BR", []string{"America/Manaus"}, "America/Manaus"},
		{"+553196883193", "BR", []string{"America/Sao_Paulo"}, "America/Sao_Paulo"},
		{"+5215512345678", "MX", []string{"America/Mexico_City"}, "America/Mexico_City"},
		{"+541123456789", "AR", []string{"America/Buenos_Aires"}, "America/Buenos_Aires"},
		{"+80012345678", "", nil, ""},
		{"+9991234567", "", nil, ""},
		{"+390000000", "", []string{"Europe/Rome"}, "Europe/Rome"},
		// The table of prefixes has a neighbour's clock for these.
		{"+353850123456", "IE", []string{"Europe/Dublin"}, "Europe/Dublin"},
		{"+211977123456", "SS", []string{"Africa/Juba"}, "Africa/Juba"},
		{"+212650123456", "MA", []string{"Africa/Casablanca"}, "Africa/Casablanca"},
		{"+213551234567", "DZ", []string{"Africa/Algiers"}, "Africa/Algiers"},
		{"+218912345678", "LY", []string{"Africa/Tripoli"}, "Africa/Tripoli"},
		{"+50581234567", "NI", []string{"America/Managua"}, "America/Managua"},
		{"", "", nil, ""},
		{"3471234567", "", nil, ""},
	}
	for _, tt := range tests {
		if got := tt.n.Country(); got != tt.country {
			t.Errorf("%s: Country = %q, want %q", string(tt.n), got, tt.country)
		}
		if diff := cmp.Diff(tt.zones, tt.n.Zones()); diff != "" {
			t.Errorf("%s: Zones (-want +got):\n%s", string(tt.n), diff)
		}
		if got := tt.n.Zone(); got != tt.zone {
			t.Errorf("%s: Zone = %q, want %q", string(tt.n), got, tt.zone)
		}
	}
}

// An area code that is not given out says nothing about the country, and every zone of the plan stays.
func TestUnknownAreaKeepsAllZones(t *testing.T) {
	n := phone.Number("+15550001234")
	if n.Country() != "" || n.Zone() != "" {
		t.Errorf("Country = %q, Zone = %q; want neither", n.Country(), n.Zone())
	}
	for _, zone := range []string{"America/New_York", "Pacific/Honolulu", "America/St_Johns"} {
		if !slices.Contains(n.Zones(), zone) {
			t.Errorf("%s is missing", zone)
		}
	}
}

func TestZonesBelongToTheCaller(t *testing.T) {
	n := phone.Number("+393471234567")
	n.Zones()[0] = "Mars/Olympus"
	if got := n.Zones()[0]; got != "Europe/Rome" {
		t.Errorf("a caller changed the zones of everyone to %s", got)
	}
}

// Whatever zone the prefix table names must load: this fails when a new table knows a zone that Go does not.
func TestEveryZoneLoads(t *testing.T) {
	seen := map[string]bool{}
	for prefix := 1; prefix < 1_000_000; prefix++ {
		zones, err := phonenumbers.GetTimezonesForPrefix(strconv.Itoa(prefix))
		if err != nil {
			t.Fatal(err)
		}
		for _, zone := range zones {
			seen[zone] = true
		}
	}
	delete(seen, phonenumbers.UNKNOWN_TIMEZONE)
	if len(seen) < 250 {
		t.Fatalf("only %d zones met", len(seen))
	}
	for zone := range seen {
		if _, err := time.LoadLocation(zone); err != nil {
			t.Errorf("%s: %v", zone, err)
		}
	}
}

// Every region's numbers have a country, zones, and one zone to be loose with.
func TestEveryRegionHasAPlace(t *testing.T) {
	for region := range phonenumbers.GetSupportedRegions() {
		for kind := phonenumbers.FIXED_LINE; kind <= phonenumbers.UAN; kind++ {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil {
				continue
			}
			n := phone.Number(phonenumbers.Format(example, phonenumbers.E164))
			if len(n) < 8 {
				continue // islands whose numbers have fewer than seven digits
			}
			country := n.Country()
			if want := phonenumbers.GetRegionCodeForNumber(example); country != want {
				t.Errorf("%s: Country(%s) = %q, want %q", region, n.String(), country, want)
			}
			zone := n.Zone()
			if zone == "" {
				t.Errorf("%s: %s has zones %q and no zone", region, n.String(), n.Zones())
				continue
			}
			if _, err := time.LoadLocation(zone); err != nil {
				t.Errorf("%s: %v", region, err)
			}
		}
	}
}

func TestPlaceIsThePersons(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := anyNumber().Draw(t, "n")
		zones := n.Zones()
		if !slices.IsSorted(zones) || zones != nil && len(zones) == 0 {
			t.Fatalf("Zones(%q) = %#v", string(n), zones)
		}
		if country := n.Country(); country != "" && !phone.CountryKnown(country) {
			t.Fatalf("Country(%q) = %q", string(n), country)
		}
		for _, v := range n.Variants() {
			if v.Country() != n.Country() || !slices.Equal(v.Zones(), zones) || v.Zone() != n.Zone() {
				t.Fatalf("%q and %q are one person in two places", string(n), string(v))
			}
		}
	})
}

func TestCountryKnown(t *testing.T) {
	for _, iso := range []string{"IT", "US", "BR", "GG", "XK"} {
		if !phone.CountryKnown(iso) {
			t.Errorf("%s is not known", iso)
		}
	}
	for _, iso := range []string{"", "it", "001", "ZZ", "UK", "ITA"} {
		if phone.CountryKnown(iso) {
			t.Errorf("%s is known", iso)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, tt := range []struct{ name, raw, region string }{
		{"e164", "+393471234567", ""},
		{"separators", "+39 347 123 4567", "IT"},
		{"north_america", "+1 (212) 555-0123", ""},
		{"whatsapp_form", "+551181234567", ""},
		{"national", "347 1234567", "IT"},
		{"refused", "5.51199E+12", "BR"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = phone.Parse(tt.raw, tt.region)
			}
		})
	}
}

func BenchmarkImportRow(b *testing.B) {
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		n, err := phone.Parse(fmt.Sprintf("+39347%07d", i%10_000_000), "IT")
		if err != nil {
			b.Fatal(err)
		}
		_, _, _ = n.Canonical(), n.Country(), n.Zones()
		i++
	}
}

func BenchmarkNumber(b *testing.B) {
	for _, n := range []phone.Number{"+393471234567", "+551181234567", "+5215512345678", "+54111523456789"} {
		calls := map[string]func(){
			"FromWhatsApp": func() { phone.FromWhatsApp(string(n[1:])) },
			"Canonical":    func() { _ = n.Canonical() },
			"Variants":     func() { n.Variants() },
			"Masked":       func() { _ = n.Masked() },
			"Country":      func() { n.Country() },
			"Zones":        func() { n.Zones() },
		}
		for name, call := range calls {
			b.Run(name+"/"+string(n[1:3]), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					call()
				}
			})
		}
	}
	b.Run("FromWhatsApp/spaced", func(b *testing.B) {
		for b.Loop() {
			phone.FromWhatsApp("+250 788 123 200")
		}
	})
}
