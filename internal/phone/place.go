package phone

import (
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Country returns the ISO 3166-1 alpha-2 region of the number, "" when it is not known. Regions that
// share a calling code are told apart by their prefixes (+1 by area code: where the number was given
// out, not where its owner lives). A number of such a shared code that fits no region's plan has no
// country; neither have international services such as +800.
func (n Number) Country() string {
	number, ok := n.Canonical().library()
	if !ok {
		return ""
	}
	region := phonenumbers.GetRegionCodeForNumber(number)
	if !CountryKnown(region) {
		return ""
	}
	return region
}

// Zones returns the IANA time zones of the number's prefix, sorted; nil when none is known. A mobile
// prefix may name every zone of its plan (+44 7911 has Guernsey and the Isle of Man beside London); none
// is left out, because a strict window has to hold in all of them. For mobiles of some wide countries
// (Australia, Indonesia, Russia, Spain) the prefix table knows the capital's zone only. Every name loads
// with time.LoadLocation. The caller owns the slice.
func (n Number) Zones() []string {
	c := n.Canonical()
	if !c.wellFormed() {
		return nil
	}
	if zone := correctedZone(string(c[1:])); zone != "" {
		return []string{zone}
	}
	names, err := phonenumbers.GetTimezonesForPrefix(string(c))
	if err != nil {
		return nil
	}
	var zones []string
	for _, name := range names {
		if name != phonenumbers.UNKNOWN_TIMEZONE {
			zones = append(zones, name)
		}
	}
	slices.Sort(zones)
	return zones
}

// correctedZone returns the zone of a calling code for which the prefix table of phonenumbers v1.8.1
// names a neighbour whose clock differs for part of the year (Paris for Algeria, the Canaries for
// Morocco, Nairobi for South Sudan, Bucharest for Libya, Chicago for Nicaragua) or, for Ireland, only
// London and the islands around it. "" where the table is right.
func correctedZone(digits string) string {
	switch digits[:3] {
	case "211":
		return "Africa/Juba"
	case "212":
		return "Africa/Casablanca"
	case "213":
		return "Africa/Algiers"
	case "218":
		return "Africa/Tripoli"
	case "353":
		return "Europe/Dublin"
	case "505":
		return "America/Managua"
	}
	return ""
}

// Zone returns the one zone that recipient_timezone: loose goes by: the prefix's own where it has only
// one, else the main zone of the country, "" when neither is known.
func (n Number) Zone() string {
	zones := n.Zones()
	switch len(zones) {
	case 0:
		return ""
	case 1:
		return zones[0]
	}
	return mainZone(n.Country())
}

// mainZone returns the zone in which most people of a region with several zones live, "" for other regions.
func mainZone(region string) string {
	switch region {
	case "AU":
		return "Australia/Sydney"
	case "AX":
		return "Europe/Mariehamn"
	case "BQ":
		return "America/Kralendijk"
	case "BR":
		return "America/Sao_Paulo"
	case "CA":
		return "America/Toronto"
	case "CC":
		return "Indian/Cocos"
	case "CD":
		return "Africa/Kinshasa"
	case "CL":
		return "America/Santiago"
	case "CW":
		return "America/Curacao"
	case "CX":
		return "Indian/Christmas"
	case "EC":
		return "America/Guayaquil"
	case "ES":
		return "Europe/Madrid"
	case "FI":
		return "Europe/Helsinki"
	case "FM":
		return "Pacific/Pohnpei"
	case "GB":
		return "Europe/London"
	case "GG":
		return "Europe/Guernsey"
	case "GL":
		return "America/Nuuk"
	case "ID":
		return "Asia/Jakarta"
	case "IM":
		return "Europe/Isle_of_Man"
	case "IT":
		return "Europe/Rome"
	case "JE":
		return "Europe/Jersey"
	case "KI":
		return "Pacific/Tarawa"
	case "KZ":
		return "Asia/Almaty"
	case "MN":
		return "Asia/Ulaanbaatar"
	case "MX":
		return "America/Mexico_City"
	case "NO":
		return "Europe/Oslo"
	case "NZ":
		return "Pacific/Auckland"
	case "PF":
		return "Pacific/Tahiti"
	case "PT":
		return "Europe/Lisbon"
	case "RE":
		return "Indian/Reunion"
	case "RU":
		return "Europe/Moscow"
	case "SJ":
		return "Arctic/Longyearbyen"
	case "US":
		return "America/New_York"
	case "VA":
		return "Europe/Vatican"
	case "YT":
		return "Indian/Mayotte"
	}
	return ""
}

// CountryKnown reports whether iso, in capitals, is an ISO 3166-1 alpha-2 region with a numbering plan here.
func CountryKnown(iso string) bool { return phonenumbers.GetSupportedRegions()[iso] }

// library returns n in libphonenumber's type, as it is written: its own parser would try to repair it
// and costs four times as much.
func (n Number) library() (*phonenumbers.PhoneNumber, bool) {
	if !n.wellFormed() {
		return nil, false
	}
	digits := string(n[1:])
	split := callingCodeLength(digits)
	code, err := strconv.ParseInt(digits[:split], 10, 32)
	if err != nil {
		return nil, false
	}
	national, err := strconv.ParseUint(digits[split:], 10, 64)
	if err != nil {
		return nil, false
	}
	countryCode := int32(code)
	number := &phonenumbers.PhoneNumber{CountryCode: &countryCode, NationalNumber: &national}
	if significant := strings.TrimLeft(digits[split:], "0"); len(significant) < len(digits)-split {
		leading, zeros := true, int32(len(digits)-split-len(significant))
		if significant == "" {
			// The number is all zeros; the last of them is the value itself.
			zeros--
		}
		number.ItalianLeadingZero, number.NumberOfLeadingZeros = &leading, &zeros
	}
	return number, true
}
