package phone

import "github.com/nyaruka/phonenumbers"

// Spaced is the number in groups, as people of its country read it behind the calling code: +39 347 123 4567. It is for a page that
// the number is meant for, never for a log line. What is no number stays as it is.
func (n Number) Spaced() string {
	number, ok := n.library()
	if !ok {
		return string(n)
	}
	return phonenumbers.Format(number, phonenumbers.INTERNATIONAL)
}

// Example is a mobile number of a country's plan that is nobody's, to show how one is written; "" when there is none.
func Example(country string) Number {
	number := phonenumbers.GetExampleNumberForType(country, phonenumbers.MOBILE)
	if number == nil {
		return ""
	}
	return Number(phonenumbers.Format(number, phonenumbers.E164))
}
