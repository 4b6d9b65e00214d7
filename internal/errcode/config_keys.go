package errcode

// Mistakes in keys and values of any section.
const (
	UnknownKey       Code = "unknown_key"
	MisplacedKey     Code = "misplaced_key"
	DuplicateKey     Code = "duplicate_key"
	MissingKey       Code = "missing_key"
	EmptyValue       Code = "empty_value"
	WrongType        Code = "wrong_type"
	UnquotedText     Code = "unquoted_text"
	UnquotedNumber   Code = "unquoted_number"
	QuotedValue      Code = "quoted_value"
	UnknownWord      Code = "unknown_word"
	NumberOutOfRange Code = "number_out_of_range"
	UnknownVersion   Code = "unknown_version"
	InvalidDuration  Code = "invalid_duration"
	InvalidName      Code = "invalid_name"
	ReservedName     Code = "reserved_name"
	InvalidID        Code = "invalid_id"
	DuplicateEntry   Code = "duplicate_entry"
	ExactlyOneOf     Code = "exactly_one_of"
)

// configurationKeys is what may be wrong with keys and values of any section.
func configurationKeys() []Entry {
	return in(AreaConfiguration, 3, []Entry{
		{
			Code: UnknownKey, Title: "A key that permesso does not know",
			Means: "Keys are never ignored: a slip of the hand in a limit would leave you without that limit.",
			Do:    "Write the key that was proposed, or remove the line; `permesso schema` prints all keys.",
			Example: `wrong:  campaings: []
right:  campaigns: []`,
		},
		{
			Code: MisplacedKey, Title: "A key in the wrong place",
			Means: "The key exists, and belongs under another one.",
			Do:    "Move it to where it belongs, or indent it by two spaces more.",
			Example: `wrong:  - id: weekend-offer
          cron: "0 18 * * FRI"
right:  - id: weekend-offer
          schedule: {cron: "0 18 * * FRI"}`,
		},
		{
			Code: DuplicateKey, Title: "A key that is written twice",
			Means: "The same key stands twice in one group, and only one of the values could count.",
			Do:    "Remove one of them.",
		},
		{
			Code: MissingKey, Title: "A key that is missing",
			Means: "Without this key nobody can know what to do, and nothing is guessed.",
			Do:    "Add the key; the message says what it is for.",
		},
		{
			Code: EmptyValue, Title: "A key without a value",
			Means: "The key is there and its value is empty, as in a file that was not finished. An empty value and an absent key are two different things.",
			Do:    "Write the value, or remove the key.",
		},
		{
			Code: WrongType, Title: "A value of the wrong kind",
			Means: "A list stands where one value belongs, text where a number belongs, or the other way round.",
			Do:    "Write it in the way that the message shows.",
			Example: `wrong:  languages: it
right:  languages: [it]`,
		},
		{
			Code: UnquotedText, Title: "Text that reads as something else",
			Means: "Without quotes YAML takes the value for a number, a date or true and false.",
			Do:    "Put it in double quotes.",
			Example: `wrong:  name: 1984
right:  name: "1984"`,
		},
		{
			Code: UnquotedNumber, Title: "An id or a phone number that reads as an amount",
			Means: "Ids and phone numbers are text: as amounts they lose their `+`, their leading zeros or their last digits. Spreadsheets shorten them to 3.93E+11, and then the digits are gone.",
			Do:    "Put it in double quotes, with all its digits.",
			Example: `wrong:  test_phones: [+393471234567]
right:  test_phones: ["+393471234567"]`,
		},
		{
			Code: QuotedValue, Title: "A number or true and false in quotes",
			Means: "In quotes the value is text, and this key takes a number, or true or false.",
			Do:    "Remove the quotes.",
			Example: `wrong:  dry_run: "true"
right:  dry_run: true`,
		},
		{
			Code: UnknownWord, Title: "A word that this key does not take",
			Means: "The key takes one of a few words, and this is none of them.",
			Do:    "Write one of the words in the message.",
			Example: `wrong:  kind: utilities
right:  kind: utility`,
		},
		{
			Code: NumberOutOfRange, Title: "A number that is too small or too large",
			Means: "The number lies outside of what the key can mean.",
			Do:    "Write a number inside the bounds that the message names.",
		},
		{
			Code: UnknownVersion, Title: "A version that is not known",
			Means: "`version: 1` is the only one of this file so far; versions of the Cloud API look like `v25.0`.",
			Do:    "Write `version: 1` at the top; under `graph`, `version: v25.0`.",
		},
		{
			Code: InvalidDuration, Title: "A duration that cannot be read",
			Means: "A duration is a number with its unit: `s`, `m`, `h` or `d`, a day of 24 hours. Weeks and months are written in days.",
			Do:    "Write `90m`, `24h`, `7d` or `1d12h`.",
			Example: `wrong:  per: 24
right:  per: 24h`,
		},
		{
			Code: InvalidName, Title: "A name with signs that it cannot have",
			Means: "Ids and names are used in reports, filters and at Meta, which take only some signs.",
			Do:    "Write the name with the signs that the message lists; what people see stands under `title`.",
			Example: `wrong:  id: Weekend Offer
right:  id: weekend-offer`,
		},
		{
			Code: ReservedName, Title: "A name that permesso uses itself",
			Means: "The column is one that every contact has, such as `name` or `language`, and is never an attribute.",
			Do:    "Remove it from `attributes`, or give your own column another name.",
		},
		{
			Code: InvalidID, Title: "Not one of Meta's ids",
			Means: "Ids of accounts, numbers and media are digits and nothing else. A phone number is not the id of the number.",
			Do:    "Copy the id from WhatsApp Manager, and write it in quotes.",
			Example: `wrong:  id: "+39 06 1234"
right:  id: "111222333444"`,
		},
		{
			Code: DuplicateEntry, Title: "An entry that is there already",
			Means: "The same language, country or number stands twice in a list.",
			Do:    "Remove one of them.",
		},
		{
			Code: ExactlyOneOf, Title: "One of several keys",
			Means: "These keys exclude each other, and one of them is needed.",
			Do:    "Keep one of them.",
			Example: `wrong:  {field: name, text: reader}
right:  {field: name, default: reader}`,
		},
	})
}
