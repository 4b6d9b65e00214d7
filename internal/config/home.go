package config

import "strings"

// home is what a country suggests when nobody has said otherwise.
type home struct {
	zone     string // where most of its people live
	language string // of templates, as Meta writes it
}

// homes lists countries with their main zone and the language that most templates there are in. It only proposes: what
// is not in it can be written all the same.
const homes = `
AE Asia/Dubai ar, AL Europe/Tirane sq, AM Asia/Yerevan en, AO Africa/Luanda pt_PT,
AR America/Argentina/Buenos_Aires es_AR, AT Europe/Vienna de, AU Australia/Sydney en, AZ Asia/Baku az,
BA Europe/Sarajevo en, BD Asia/Dhaka bn, BE Europe/Brussels nl, BG Europe/Sofia bg, BH Asia/Bahrain ar,
BO America/La_Paz es, BR America/Sao_Paulo pt_BR, BY Europe/Minsk ru, CA America/Toronto en, CH Europe/Zurich de,
CI Africa/Abidjan fr, CL America/Santiago es, CM Africa/Douala fr, CN Asia/Shanghai zh_CN, CO America/Bogota es,
CR America/Costa_Rica es, CY Asia/Nicosia el, CZ Europe/Prague cs, DE Europe/Berlin de, DK Europe/Copenhagen da,
DO America/Santo_Domingo es, DZ Africa/Algiers ar, EC America/Guayaquil es, EE Europe/Tallinn et, EG Africa/Cairo ar,
ES Europe/Madrid es, ET Africa/Addis_Ababa en, FI Europe/Helsinki fi, FR Europe/Paris fr, GB Europe/London en_GB,
GE Asia/Tbilisi ka, GH Africa/Accra en, GR Europe/Athens el, GT America/Guatemala es, HK Asia/Hong_Kong zh_HK,
HN America/Tegucigalpa es, HR Europe/Zagreb hr, HU Europe/Budapest hu, ID Asia/Jakarta id, IE Europe/Dublin en,
IL Asia/Jerusalem he, IN Asia/Kolkata en, IQ Asia/Baghdad ar, IS Atlantic/Reykjavik en, IT Europe/Rome it,
JM America/Jamaica en, JO Asia/Amman ar, JP Asia/Tokyo ja, KE Africa/Nairobi en, KH Asia/Phnom_Penh en,
KR Asia/Seoul ko, KW Asia/Kuwait ar, KZ Asia/Almaty kk, LB Asia/Beirut ar, LK Asia/Colombo en, LT Europe/Vilnius lt,
LU Europe/Luxembourg fr, LV Europe/Riga lv, MA Africa/Casablanca ar, MD Europe/Chisinau ro, MK Europe/Skopje mk,
MT Europe/Malta en, MU Indian/Mauritius en, MX America/Mexico_City es_MX, MY Asia/Kuala_Lumpur ms,
MZ Africa/Maputo pt_PT, NG Africa/Lagos en, NI America/Managua es, NL Europe/Amsterdam nl, NO Europe/Oslo nb,
NP Asia/Kathmandu en, NZ Pacific/Auckland en, OM Asia/Muscat ar, PA America/Panama es, PE America/Lima es,
PH Asia/Manila fil, PK Asia/Karachi ur, PL Europe/Warsaw pl, PR America/Puerto_Rico es, PT Europe/Lisbon pt_PT,
PY America/Asuncion es, QA Asia/Qatar ar, RO Europe/Bucharest ro, RS Europe/Belgrade en, RU Europe/Moscow ru,
RW Africa/Kigali en, SA Asia/Riyadh ar, SE Europe/Stockholm sv, SG Asia/Singapore en, SI Europe/Ljubljana sl,
SK Europe/Bratislava sk, SM Europe/San_Marino it, SN Africa/Dakar fr, SV America/El_Salvador es, TH Asia/Bangkok th,
TN Africa/Tunis ar, TR Europe/Istanbul tr, TW Asia/Taipei zh_TW, TZ Africa/Dar_es_Salaam en, UA Europe/Kyiv uk,
UG Africa/Kampala en, US America/New_York en_US, UY America/Montevideo es, UZ Asia/Tashkent uz, VA Europe/Vatican it,
VE America/Caracas es, VN Asia/Ho_Chi_Minh vi, ZA Africa/Johannesburg en, ZM Africa/Lusaka en, ZW Africa/Harare en
`

// Home returns the main time zone of a country and the language of most templates there, "" where they are not known.
func Home(country string) (zone, language string) {
	home, _ := homeOf(country)
	return home.zone, home.language
}

func homeOf(country string) (home, bool) {
	for row := range strings.SplitSeq(homes, ",") {
		if fields := strings.Fields(row); fields[0] == country {
			return home{zone: fields[1], language: fields[2]}, true
		}
	}
	return home{}, false
}

// knownZones are those that a misspelt zone is compared with.
func knownZones() []string {
	zones := []string{"America/Chicago", "America/Denver", "America/Los_Angeles", "America/Phoenix", "America/Vancouver", "America/Manaus", "America/Tijuana",
		"Asia/Novosibirsk", "Australia/Brisbane", "Australia/Melbourne", "Australia/Perth", "Atlantic/Canary", "Pacific/Honolulu"}
	for row := range strings.SplitSeq(homes, ",") {
		zones = append(zones, strings.Fields(row)[1])
	}
	return zones
}
