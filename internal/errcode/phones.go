package errcode

// Why a text is no phone number that a message can go to.
const (
	PhoneEmpty       Code = "phone_empty"
	PhoneScientific  Code = "phone_scientific"
	PhoneDecimal     Code = "phone_decimal"
	PhoneExtension   Code = "phone_extension"
	PhoneLetters     Code = "phone_letters"
	PhoneHidden      Code = "phone_hidden_characters"
	PhoneList        Code = "phone_list"
	PhonePlus        Code = "phone_plus"
	PhoneCharacter   Code = "phone_character"
	PhoneNoCountry   Code = "phone_no_country"
	PhoneCountryCode Code = "phone_country_code"
	PhoneRegion      Code = "phone_region"
	PhoneTooShort    Code = "phone_too_short"
	PhoneTooLong     Code = "phone_too_long"
	PhoneNotAPersons Code = "phone_not_a_persons"
	PhoneDate        Code = "phone_is_date"
	PhoneNegative    Code = "phone_is_negative"
)

// phones is what may be wrong with a phone number, on the command line (exit 2) and in a row of a file.
func phones() []Entry {
	return in(AreaPhones, 0, []Entry{
		{
			Code: PhoneEmpty, Title: "The phone number is empty",
			Means: "Nothing stands where a phone number belongs.",
			Do:    "Write the number with its country code, such as `+39 347 123 4567`.",
		},
		{
			Code: PhoneScientific, Title: "A spreadsheet made a calculation of the number",
			Means: "It is written like 3.93471E+11. The last digits are lost and cannot be guessed.",
			Do:    "In the spreadsheet format the column as text, fill it anew from the original and export it again.",
		},
		{
			Code: PhoneDecimal, Title: "A spreadsheet made a decimal number of it",
			Means: "The digits have a decimal point, so that it is not certain which of them belong to the phone number.",
			Do:    "Format the column as text and export it again.",
		},
		{
			Code: PhoneExtension, Title: "The number has an extension",
			Means: "WhatsApp reaches numbers, not the telephones behind a switchboard.",
			Do:    "Write the person's own number.",
		},
		{
			Code: PhoneLetters, Title: "The number has letters in it",
			Means: "Letters for digits, names and notes are not read as part of a number.",
			Do:    "Write the number in digits alone.",
		},
		{
			Code: PhoneHidden, Title: "The number has invisible characters that turn its reading order",
			Means: "They come from copying out of web pages and messages, and may show the digits in another order than they are stored in.",
			Do:    "Type the number again by hand.",
		},
		{
			Code: PhoneList, Title: "Several numbers stand in one place",
			Means: "A comma, a semicolon or a line break divides the text.",
			Do:    "Keep one number to a row, without separators of thousands.",
		},
		{
			Code: PhonePlus, Title: "A plus sign stands inside the number",
			Means: "A plus belongs in front of the country code. Inside, it usually joins two numbers.",
			Do:    "Keep one number to a row, with one plus in front.",
		},
		{
			Code: PhoneCharacter, Title: "The number has a character that no phone number has",
			Means: "Digits, a plus in front, spaces, dots, dashes and brackets are read; the rest is not guessed at.",
			Do:    "Take the other characters out.",
		},
		{
			Code: PhoneNoCountry, Title: "It is not known of which country the number is",
			Means: "The number has no country code, and no country is given that it could be read in.",
			Do:    "Write it with plus and country code, such as `+39 347 123 4567`, or set `business.country` in config.yaml.",
		},
		{
			Code: PhoneCountryCode, Title: "There is no such country code",
			Means: "The digits after the plus begin no country's numbers.",
			Do:    "Check the first digits; often a zero or a country code too many stands there.",
		},
		{
			Code: PhoneRegion, Title: "The country for phone numbers is not known",
			Means: "Numbers without a country code are read in the country of `business.country`, which is written in two letters.",
			Do:    "Set `business.country` in config.yaml, such as `country: IT`.",
		},
		{
			Code: PhoneTooShort, Title: "The number is too short",
			Means: "No number of its country has so few digits.",
			Do:    "Check that no digit and no area code is missing.",
		},
		{
			Code: PhoneTooLong, Title: "The number is too long",
			Means: "No number of its country has so many digits.",
			Do:    "Look for doubled digits and for a second number in the same place, and write a foreign number with its plus.",
		},
		{
			Code: PhoneDate, Title: "The number is a date in the workbook",
			Means: "A spreadsheet took what was typed for a date, and the digits are gone.",
			Do:    "Format the column as text and type the number again.",
		},
		{
			Code: PhoneNegative, Title: "The number is negative in the workbook",
			Means: "A spreadsheet reckoned with what was typed, as it does with `+39-347`.",
			Do:    "Format the column as text and type the number again.",
		},
		{
			Code: PhoneNotAPersons, Title: "No person's number looks like this",
			Means: "The numbering plan of its country has no such number for people.",
			Do:    "Check the digits, and write a foreign number with plus and country code. A stop may be set for it all the same: `permesso suppress add +999123456789`.",
		},
	})
}
