package phone

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/permesso/permesso/internal/errcode"
)

// Error says why something is not a phone number that a message can go to. Its text is fixed: it never
// holds the number, so it may be logged. The values of this package are compared with errors.Is.
type Error struct {
	Reason string
	Code   errcode.Code
}

// Error returns the reason, one sentence that says what is wrong and what to do.
func (e *Error) Error() string { return e.Reason }

// ErrorCode returns the code of the reason.
func (e *Error) ErrorCode() errcode.Code { return e.Code }

// What Parse refuses.
var (
	ErrEmpty       = &Error{"the phone number is empty; give one with its country code, such as +39 347 123 4567", errcode.PhoneEmpty}
	ErrScientific  = &Error{"a spreadsheet turned the phone number into scientific notation and its last digits are lost; format the column as a number without decimals and export it again, or import the workbook (.xlsx) itself", errcode.PhoneScientific}
	ErrDecimal     = &Error{"a spreadsheet turned the phone number into a decimal number; format the column as a number without decimals and export it again", errcode.PhoneDecimal}
	ErrExtension   = &Error{"the phone number has an extension, which WhatsApp cannot reach; give the person's own number", errcode.PhoneExtension}
	ErrLetters     = &Error{"the phone number contains letters; write it in digits", errcode.PhoneLetters}
	ErrDirection   = &Error{"the phone number contains hidden characters that change its reading order; type it again by hand", errcode.PhoneHidden}
	ErrList        = &Error{"the phone number contains a comma, a semicolon or a line break; keep one number to a row and no thousands separators", errcode.PhoneList}
	ErrPlus        = &Error{"the phone number has a plus sign that is not at its start; keep one number to a row, with one plus in front", errcode.PhonePlus}
	ErrCharacter   = &Error{"the phone number contains a character that no phone number has; keep digits, plus, spaces, dots, dashes and brackets", errcode.PhoneCharacter}
	ErrNoCountry   = &Error{"the phone number has no country code; write it with plus and country code, such as +39 347 123 4567", errcode.PhoneNoCountry}
	ErrCountryCode = &Error{"the phone number begins with a country code that does not exist; check the digits after the plus", errcode.PhoneCountryCode}
	ErrRegion      = &Error{"the region for phone numbers is unknown; use a country's two capital letters, such as IT", errcode.PhoneRegion}
	ErrTooShort    = &Error{"the phone number is too short; check that no digit and no area code is missing", errcode.PhoneTooShort}
	ErrTooLong     = &Error{"the phone number is too long; check for doubled digits, a second number in the same place, or a foreign number without its plus", errcode.PhoneTooLong}
	ErrImpossible  = &Error{"no person's phone number looks like this in its country; check the digits, and write a foreign number with plus and country code", errcode.PhoneNotAPersons}
)

// Errors lists what Parse refuses.
func Errors() []*Error {
	return []*Error{
		ErrEmpty, ErrScientific, ErrDecimal, ErrExtension, ErrLetters, ErrDirection, ErrList, ErrPlus, ErrCharacter,
		ErrNoCountry, ErrCountryCode, ErrRegion, ErrTooShort, ErrTooLong, ErrImpossible,
	}
}

// Parse reads a phone number that a person or a file gave. region is the ISO 3166-1 alpha-2 country
// for numbers in national form, in capitals; with "" an international form is required.
//
// It takes national form, international form after + or 00 (or the region's own dial-out prefix),
// separators, digits of any script, zero-width characters, the apostrophe by which spreadsheets
// mark text, and links to a number (tel:, whatsapp:, wa.me). It refuses with an *Error everything that could be read as another number than was meant:
// letters, extensions, scientific notation, decimal parts, reading-order controls, two numbers in one
// place; and what is no person's number in its country's plan, except the forms that WhatsApp itself uses for Brazil, Mexico
// and Argentina (see Canonical), which are kept as given.
//
// What Parse returns, it reads back unchanged. Numbers that come from WhatsApp go through FromWhatsApp
// instead: an opt-out does not depend on a numbering plan.
func Parse(raw, region string) (Number, error) {
	n, _, err := locate(raw, region)
	return n, err
}

// Locate is Parse and Country in one: judging a number mostly finds its country, which takes as long again to find anew.
func Locate(raw, region string) (n Number, country string, err error) {
	n, country, err = locate(raw, region)
	if err == nil && country == "" {
		country = n.Country()
	}
	return n, country, err
}

// locate returns "" for a country that it did not come across.
func locate(raw, region string) (n Number, country string, err error) {
	if region != "" && !CountryKnown(region) {
		return "", "", ErrRegion
	}
	digits, plus, err := reduce(raw)
	if err != nil {
		return "", "", err
	}
	if plus {
		return international(digits)
	}
	if strings.HasPrefix(digits, "00") {
		n, country, err := international(digits[2:])
		if err == nil || region == "" {
			return n, country, err
		}
		// Some regions dial out with 00 and more (0011 in Australia).
		if n, country, dialErr := national(digits, region); dialErr == nil {
			return n, country, nil
		}
		return "", "", err
	}
	if region == "" {
		return "", "", ErrNoCountry
	}
	return national(digits, region)
}

// maxWritten bounds the digits somebody may write: fifteen, a dial-out prefix and a carrier code.
const maxWritten = maxDigits + 8

// reduce takes raw to its ASCII digits and tells whether a plus stood in front of them.
func reduce(raw string) (digits string, plus bool, err error) {
	s := strings.TrimSpace(raw)
	s, plus = unlinked(strings.TrimSpace(strings.TrimPrefix(s, "'")))
	var buf [maxWritten]byte
	size := 0
	dots, dotAt, pluses := 0, 0, 0
	for at, r := range s {
		kind, digit := classify(r)
		switch kind {
		case kindDigit:
			if size == len(buf) {
				return "", false, ErrTooLong
			}
			buf[size] = digit
			size++
		case kindPlus:
			if pluses++; pluses > 1 || size > 0 {
				return "", false, ErrPlus
			}
			plus = true
		case kindSeparator:
			if r == '.' || r == '\uff0e' {
				dots, dotAt = dots+1, size
			}
		case kindInvisible:
		case kindDirection:
			return "", false, ErrDirection
		case kindLetter:
			return "", false, lettersError(s, at)
		case kindHash:
			if size >= minDigits-1 {
				return "", false, ErrExtension
			}
			return "", false, ErrCharacter
		case kindList:
			return "", false, listError(s, at)
		default:
			return "", false, ErrCharacter
		}
	}
	if size == 0 {
		return "", false, ErrEmpty
	}
	if dots == 1 && isDecimalPart(buf[:size], dotAt) {
		return "", false, ErrDecimal
	}
	return string(buf[:size]), plus, nil
}

// unlinked returns the number that a link names, and whether its digits begin with a country code though no plus says
// so, as in links to WhatsApp. What is no link comes back as it is.
//
// Source: RFC 3966 for tel:; WhatsApp's help page "How to use click to chat" for wa.me.
func unlinked(s string) (number string, plus bool) {
	if s == "" || s[0]|0x20 < 'a' || s[0]|0x20 > 'z' {
		return s, false
	}
	lower := strings.ToLower(s)
	if len(lower) != len(s) {
		return s, false
	}
	for _, scheme := range []string{"tel:", "whatsapp:+"} {
		if strings.HasPrefix(lower, scheme) {
			return s[strings.IndexByte(s, ':')+1:], false
		}
	}
	rest := lower
	for _, before := range []string{"https://", "http://", "www."} {
		rest = strings.TrimPrefix(rest, before)
	}
	for _, link := range []string{"wa.me/", "api.whatsapp.com/send?phone=", "api.whatsapp.com/send/?phone=",
		"web.whatsapp.com/send?phone=", "whatsapp://send?phone=", "whatsapp://send/?phone=", "whatsapp:"} {
		if !strings.HasPrefix(rest, link) {
			continue
		}
		number := rest[len(link):]
		if end := strings.IndexAny(number, "?&#/"); end >= 0 {
			number = number[:end]
		}
		return strings.Replace(number, "%2b", "+", 1), true
	}
	return s, false
}

// isDecimalPart reports whether what follows the dot is what a spreadsheet adds to a whole number:
// 3471234567.0 or .00. Read as a separator, it would make another person's number.
func isDecimalPart(digits []byte, dotAt int) bool {
	tail := string(digits[dotAt:])
	return dotAt >= minDigits-1 && (tail == "0" || tail == "00")
}

var (
	scientific   = regexp.MustCompile(`^[+-]?[0-9]+([.,][0-9]*)?[eE][+]?[0-9]+$`)
	decimalComma = regexp.MustCompile(`^\+?[0-9]{6,},0{1,2}$`)
	extension    = regexp.MustCompile(`(?i)^[;,]?\s*(x|extension|extn|ext|interno|int|ramal|anexo|poste|доб)[\s.:=]*[0-9]+$`)
)

// lettersError tells what the letters that begin at byte at of s mean.
func lettersError(s string, at int) error {
	switch {
	case scientific.MatchString(s):
		return ErrScientific
	case at > 0 && extension.MatchString(s[at:]):
		return ErrExtension
	}
	return ErrLetters
}

// listError tells what the list mark at byte at of s means.
func listError(s string, at int) error {
	switch {
	case scientific.MatchString(s):
		return ErrScientific
	case decimalComma.MatchString(s):
		return ErrDecimal
	case extension.MatchString(s[at:]):
		return ErrExtension
	}
	return ErrList
}

// international reads the digits after the plus.
func international(digits string) (n Number, country string, err error) {
	if digits == "" {
		return "", "", ErrEmpty
	}
	asWritten := Number("+" + digits)
	if asWritten.wellFormed() {
		if country, ok := asWritten.personal(); ok {
			return asWritten, country, nil
		}
		if asWritten.whatsAppForm() {
			return asWritten, "", nil
		}
	}
	return repaired(string(asWritten), "")
}

// national reads digits as they are dialled inside region.
func national(digits, region string) (n Number, country string, err error) {
	if region == "IT" {
		if n, ok := italianMobile(digits); ok {
			return n, "IT", nil
		}
	}
	return repaired(digits, region)
}

// italianMobile reads 347 1234567 and, as spreadsheets keep it without its plus, 39 347 1234567. No trunk prefix and no
// other reading is possible there, and it takes a quarter of the time.
func italianMobile(digits string) (Number, bool) {
	if len(digits) == len("393471234567") && strings.HasPrefix(digits, "393") {
		digits = digits[2:]
	}
	if len(digits) != len("3471234567") || digits[0] != '3' {
		return "", false
	}
	n := Number("+39" + digits)
	_, ok := n.personal()
	return n, ok
}

// repaired leaves to libphonenumber what is no number as it stands: it drops trunk prefixes such as the
// 0 of +44 (0)20, carrier codes and the Argentine 15, and adds the region's country code.
func repaired(written, region string) (n Number, country string, err error) {
	number, err := phonenumbers.Parse(written, region)
	if err != nil {
		return "", "", libraryError(err, written)
	}
	n = Number(phonenumbers.Format(number, phonenumbers.E164))
	if !n.wellFormed() {
		if len(n) > maxDigits {
			return "", "", ErrTooLong
		}
		return "", "", ErrTooShort
	}
	if country, ok := n.personal(); ok {
		return n, country, nil
	}
	if n.whatsAppForm() {
		return n, "", nil
	}
	switch phonenumbers.IsPossibleNumberWithReason(number) {
	case phonenumbers.INVALID_COUNTRY_CODE:
		return "", "", ErrCountryCode
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return "", "", ErrTooShort
	case phonenumbers.TOO_LONG:
		return "", "", ErrTooLong
	}
	return "", "", ErrImpossible
}

// libraryError puts the parser's refusal into one of this package's sentences.
func libraryError(err error, written string) error {
	switch {
	case errors.Is(err, phonenumbers.ErrNumTooLong):
		return ErrTooLong
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode) && len(written) > minDigits:
		return ErrCountryCode
	}
	return ErrTooShort
}

// isPersonal reports whether the numbering plan has the number, for something that can hold an account.
// Voice mailboxes matter: in Italy they are a mobile with one or two digits more, which is what a Spanish
// number without its plus looks like.
func isPersonal(number *phonenumbers.PhoneNumber) bool {
	switch phonenumbers.GetNumberType(number) {
	case phonenumbers.UNKNOWN, phonenumbers.VOICEMAIL, phonenumbers.PAGER:
		return false
	}
	return true
}

// personal reports whether libphonenumber's plan has n as it is written, for something that can hold an account, and the
// country if it came across it.
func (n Number) personal() (country string, ok bool) {
	number, ok := n.library()
	if !ok {
		return "", false
	}
	// An Italian number without the one or two digits more of a mailbox is personal once the plan has it; asking for its
	// type would go through the plan twice more, a third of what importing a contact takes.
	if n[:3] == "+39" && len(n) <= len("+39")+10 && phonenumbers.GetRegionCodeForNumber(number) == "IT" {
		return "IT", true
	}
	return "", isPersonal(number)
}

// valid reports whether the plan has n as it is written.
func (n Number) valid() bool {
	_, ok := n.personal()
	return ok
}

// whatsAppForm reports whether n is a form that WhatsApp uses of a number that is valid in another form.
// The Argentine 15 is no such form: it is national dialling after a country code, and is repaired.
func (n Number) whatsAppForm() bool {
	forms := n.Variants()
	if len(forms) == 1 {
		return false
	}
	forms = forms[:2]
	return slices.Contains(forms, n) && slices.ContainsFunc(forms, Number.valid)
}
