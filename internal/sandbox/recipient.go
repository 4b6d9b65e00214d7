package sandbox

import (
	"bytes"
	"hash/fnv"
	"strconv"
	"strings"
)

// recipient is the person a message goes to, as WhatsApp sees them.
type recipient struct {
	input  []byte // as the caller wrote it
	tail   []byte // what suffixes are matched against
	waID   string // "" when addressed by user id
	userID string // business-scoped user id, CC.digits
	dialed string // E.164 digits, "" when addressed by user id
}

// resolvePhone reads `to`: +, -, (, ) and spaces are dropped, and without a +
// the business number's own country code is put in front, even if the digits
// already are a full international number (Meta, send messages, 11 Sep 2026;
// graph-api.md §1.2).
func resolvePhone(to []byte, number *number, account string) (recipient, *fault) {
	var buf [24]byte
	digits := buf[:0]
	plus := false
	for i, c := range to {
		switch {
		case c >= '0' && c <= '9':
			if len(digits) == cap(digits) {
				return recipient{}, refuse(131009, "to has more than 15 digits")
			}
			digits = append(digits, c)
		case c == '+' && i == 0:
			plus = true
		case c == '-' || c == '(' || c == ')' || c == ' ':
		default:
			return recipient{}, refuse(131009, "to is not a phone number: unexpected character at position %d", i)
		}
	}
	dialed := string(digits)
	if !plus {
		dialed = number.CountryCode + dialed
	}
	if len(dialed) < 7 || len(dialed) > 15 || dialed[0] == '0' {
		return recipient{}, refuse(131009, "to is not a phone number: %d digits with the country code", len(dialed))
	}
	if dialed == number.digits {
		return recipient{}, refuse(131021, "to is the sender's own number")
	}
	waID := waIDOf(dialed)
	return recipient{input: to, tail: []byte(dialed), waID: waID, userID: userIDOf(account, waID), dialed: dialed}, nil
}

// resolveUser reads `recipient`: CC. plus up to 128 letters and digits, or
// CC.ENT. plus the same for a parent id (Meta, business-scoped user ids,
// 29 Jun 2026).
func resolveUser(id []byte) (recipient, *fault) {
	country, rest, ok := bytes.Cut(id, []byte{'.'})
	rest = bytes.TrimPrefix(rest, []byte("ENT."))
	ok = ok && len(country) == 2 && isUpper(country[0]) && isUpper(country[1]) && len(rest) > 0 && len(rest) <= 128
	for _, c := range rest {
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || isUpper(c))
	}
	if !ok {
		return recipient{}, refuse(131009, "recipient is not a business-scoped user id")
	}
	return recipient{input: id, tail: id, userID: string(id)}, nil
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// waIDOf gives WhatsApp's own id of a number. In Brazil and Mexico it differs
// from the number dialled by the extra mobile digit; the sandbox always makes
// it differ there, so that code which takes them for equal is found out.
func waIDOf(digits string) string {
	switch {
	case strings.HasPrefix(digits, "55") && len(digits) == 13 && digits[4] == '9':
		return digits[:4] + digits[5:]
	case strings.HasPrefix(digits, "55") && len(digits) == 12 && digits[4] >= '6':
		return digits[:4] + "9" + digits[4:]
	case strings.HasPrefix(digits, "521") && len(digits) == 13:
		return "52" + digits[3:]
	case strings.HasPrefix(digits, "52") && len(digits) == 12:
		return "521" + digits[2:]
	}
	return digits
}

// userIDOf invents the stable business-scoped id of a phone: the same person
// has another one for another account.
func userIDOf(account, waID string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(account))
	_, _ = h.Write([]byte(waID))
	b := make([]byte, 0, 24)
	b = append(b, countryOf(waID)...)
	b = append(b, '.')
	return string(strconv.AppendUint(b, mix(h.Sum64())|1<<63, 10))
}

// callingCountries names the country of the commoner calling codes; it only
// decides the two letters in front of an invented user id.
var callingCountries = map[string]string{
	"7": "RU", "20": "EG", "27": "ZA", "30": "GR", "31": "NL", "32": "BE", "33": "FR", "34": "ES", "36": "HU",
	"39": "IT", "40": "RO", "41": "CH", "43": "AT", "44": "GB", "45": "DK", "46": "SE", "47": "NO", "48": "PL",
	"49": "DE", "51": "PE", "52": "MX", "54": "AR", "55": "BR", "56": "CL", "57": "CO", "60": "MY", "61": "AU",
	"62": "ID", "63": "PH", "65": "SG", "66": "TH", "81": "JP", "82": "KR", "84": "VN", "86": "CN", "90": "TR",
	"91": "IN", "92": "PK", "234": "NG", "254": "KE", "351": "PT", "353": "IE", "358": "FI", "380": "UA",
	"966": "SA", "971": "AE", "972": "IL",
}

func countryOf(digits string) string {
	if digits != "" && digits[0] == '1' {
		if isUnitedStates(digits) {
			return "US"
		}
		return "CA"
	}
	for n := 1; n <= 3 && n <= len(digits); n++ {
		if country, ok := callingCountries[digits[:n]]; ok {
			return country
		}
	}
	return "ZZ"
}

// otherNorthAmerica lists the +1 area codes of Canada and of the Caribbean, the
// only ones to which marketing still goes.
var otherNorthAmerica = areaCodes(
	"204 226 236 249 250 257 263 289 306 343 354 365 367 368 382 387 403 416 418 428 431 437 438 450 460 468 474 "+
		"506 514 519 537 548 568 579 581 584 587 604 613 639 647 672 683 705 709 742 753 778 780 782 807 819 825 867 "+
		"873 879 902 905 942",
	"242 246 264 268 284 340 345 441 473 649 658 664 721 758 767 784 787 809 829 849 868 869 876 939",
)

func areaCodes(lists ...string) map[string]bool {
	codes := map[string]bool{}
	for _, list := range lists {
		for code := range strings.FieldsSeq(list) {
			codes[code] = true
		}
	}
	return codes
}

// isUnitedStates tells a US area code: marketing to those has not been
// delivered since 1 Apr 2025 and fails with 131049 (Meta, 11 Sep 2026).
func isUnitedStates(digits string) bool {
	return len(digits) == 11 && digits[0] == '1' && !otherNorthAmerica[digits[1:4]]
}

// mix is a bijection on 64 bits: different counters give different ids that do
// not look like counters.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
