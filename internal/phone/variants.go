package phone

// FromWhatsApp reads a number as WhatsApp's webhooks write it (wa_id, from, recipient_id,
// display_phone_number): digits with or without plus, spaces, dashes and brackets. It looks at the
// shape alone and never at a numbering plan, because Meta's own forms of many Brazilian and Mexican
// numbers are invalid there and a stop must not be lost for it. It reports false for what has no such
// shape: a business-scoped user id such as "IT.1349…", a group id, a username, fewer than 7 or more
// than 15 digits, a leading zero.
//
// Source: Cloud API webhooks of 2026, where from and wa_id may hold a user id instead of a phone.
func FromWhatsApp(waID string) (Number, bool) {
	if allDigits(waID) {
		return Number("+" + waID), true
	}
	if n := Number(waID); n.wellFormed() {
		return n, true
	}
	var buf [1 + maxDigits]byte
	buf[0] = '+'
	size, plus := 1, false
	for _, r := range waID {
		kind, digit := classify(r)
		switch kind {
		case kindDigit:
			if size == len(buf) {
				return "", false
			}
			buf[size] = digit
			size++
		case kindPlus:
			if plus || size > 1 {
				return "", false
			}
			plus = true
		case kindSeparator, kindInvisible, kindDirection:
		default:
			return "", false
		}
	}
	n := Number(buf[:size])
	return n, n.wellFormed()
}

// Canonical returns one form for all the forms of a person's number, so that a stop from one of them
// holds for all. It is a key for comparing; a message goes to the number as it was given, because
// Meta maps forms itself and an Argentine landline has no mobile form.
//
//   - Brazil: a mobile of eight digits, which begins with 6 to 9, gets the ninth digit in front:
//     +55 11 8123-4567 is +55 11 98123-4567. Landlines begin with 2 to 5 and stay as they are.
//   - Mexico: the 1 that mobiles had until 2019 goes: +52 1 55 1234 5678 is +52 55 1234 5678.
//   - Argentina: the mobile 9 is put in, and the 15 of national dialling taken out:
//     +54 11 2345-6789 and +54 11 15-2345-6789 are +54 9 11 2345-6789.
//
// Every other Number, also one that is not E.164, is its own canonical form. Canonical is idempotent.
//
// Source: Meta's send page of 2026 says that it may add or remove the extra mobile digit of Brazil
// and Mexico, so that wa_id differs from the input; the Argentine forms are those of the national plan.
func (n Number) Canonical() Number {
	if len(n) < 13 || len(n) > 15 || n[1] != '5' || !n.wellFormed() {
		return n
	}
	rest := n[3:]
	switch n[:3] {
	case "+55":
		if len(rest) == 10 && isBrazilianArea(rest) && rest[2] >= '6' {
			return n[:5] + "9" + n[5:]
		}
	case "+52":
		if len(rest) == 11 && rest[0] == '1' && isMexicanNational(rest[1:]) {
			return n[:3] + rest[1:]
		}
	case "+54":
		if national, ok := argentineNational(rest); ok {
			return "+549" + national
		}
	}
	return n
}

// Variants returns every known form of the person's number, the canonical one first and n itself
// among them. All forms of one person give the same list; most numbers have one form.
func (n Number) Variants() []Number {
	c := n.Canonical()
	if len(c) < 13 || len(c) > 14 || c[1] != '5' || !c.wellFormed() {
		return []Number{c}
	}
	rest := c[3:]
	switch c[:3] {
	case "+55":
		if len(rest) == 11 && isBrazilianArea(rest) && rest[2] == '9' && rest[3] >= '6' {
			return []Number{c, c[:5] + rest[3:]}
		}
	case "+52":
		if len(rest) == 10 && isMexicanNational(rest) {
			return []Number{c, "+521" + rest}
		}
	case "+54":
		if national, ok := argentineNational(rest); ok {
			area := argentineAreaLength(national)
			return []Number{c, "+54" + national, "+54" + national[:area] + "15" + national[area:]}
		}
	}
	return []Number{c}
}

// isBrazilianArea reports whether national begins with an area code: two digits, none of them zero.
func isBrazilianArea(national Number) bool {
	return national[0] != '0' && national[1] != '0'
}

// isMexicanNational reports whether national is ten digits of the Mexican plan, whose areas begin with 2 to 9.
func isMexicanNational(national Number) bool {
	return len(national) == 10 && national[0] >= '2'
}

// argentineNational takes the digits after +54 in any of the three forms of a geographic number and
// returns area code and subscriber, ten digits together.
func argentineNational(rest Number) (Number, bool) {
	switch {
	case len(rest) == 10 && isArgentineArea(rest):
		return rest, true
	case len(rest) == 11 && rest[0] == '9' && isArgentineArea(rest[1:]):
		return rest[1:], true
	case len(rest) == 12 && isArgentineArea(rest):
		area := argentineAreaLength(rest)
		if rest[area:area+2] != "15" {
			return "", false
		}
		return rest[:area] + rest[area+2:], true
	}
	return "", false
}

// isArgentineArea reports whether national begins like a geographic area: 11, 2xx or 3xx. Services
// (600, 800, …) have no mobile form.
func isArgentineArea(national Number) bool {
	return national[:2] == "11" || national[0] == '2' || national[0] == '3'
}

// argentineAreaLength returns the length of the area code: two digits for Buenos Aires, three for the
// cities named here, four elsewhere. A test compares the list with libphonenumber's plan.
func argentineAreaLength(national Number) int {
	if national[:2] == "11" {
		return 2
	}
	switch national[:3] {
	case "220", "221", "223", "230", "236", "237", "249", "260", "261", "263", "264", "266", "280",
		"291", "294", "297", "298", "299", "336", "341", "342", "343", "345", "348", "351", "353",
		"358", "362", "364", "370", "376", "379", "380", "381", "383", "385", "387", "388":
		return 3
	}
	return 4
}
