package errcode

// Mistakes in secrets, addresses, zones, countries, languages and phone numbers.
const (
	SecretInTheClear   Code = "secret_in_the_clear"
	UnsetVariable      Code = "unset_variable"
	InvalidSecret      Code = "invalid_secret"
	InvalidReference   Code = "invalid_reference"
	InvalidDatabase    Code = "invalid_database"
	DatabaseEncryption Code = "database_encryption"
	InvalidAddress     Code = "invalid_address"
	InsecureAddress    Code = "insecure_address"
	AddressTwice       Code = "address_twice"
	UnknownTimezone    Code = "unknown_timezone"
	UnknownCountry     Code = "unknown_country"
	UnknownLanguage    Code = "unknown_language"
	InvalidTestPhone   Code = "invalid_test_phone"
	InvalidKeyword     Code = "invalid_keyword"
	InvalidWording     Code = "invalid_wording"
)

// configurationPlaces is what may be wrong with secrets, addresses, zones, countries, languages and numbers.
func configurationPlaces() []Entry {
	return in(AreaConfiguration, 3, []Entry{
		{
			Code: SecretInTheClear, Title: "A secret in the file",
			Means: "Configurations are copied, mailed and committed; a token or a password in them is known to everybody who sees them. The message masks it.",
			Do:    "Put the value into an environment variable or a file, write `${NAME}` or `${file:PATH}`, and replace the secret at Meta if the file was shared.",
			Example: `wrong:  access_token: EAAB...
right:  access_token: ${WHATSAPP_ACCESS_TOKEN}`,
		},
		{
			Code: UnsetVariable, Title: "An environment variable that is not set",
			Means: "`${NAME}` takes its value from the environment, and there is none of that name, or it is empty.",
			Do:    "Set the variable where permesso is started, or take the value from a file with `${file:PATH}`.",
		},
		{
			Code: InvalidSecret, Title: "A signing secret that cannot be read",
			Means: "A secret that begins with `whsec_` goes on in base64, and this one does not: a part of it was lost on the way.",
			Do:    "Copy the whole secret again, or take any other text of at least 24 bytes, without `whsec_`.",
		},
		{
			Code: InvalidReference, Title: "A reference that cannot be read",
			Means: "`${` begins a reference, and what follows is neither a variable nor a file.",
			Do:    "Write `${NAME}` or `${file:PATH}`; for the two characters themselves write `$${`.",
		},
		{
			Code: InvalidDatabase, Title: "An address of a database that cannot be used",
			Means: "The database is a file of SQLite or a PostgreSQL server. One in memory would forget every opt-out when the program ends.",
			Do:    "Write `sqlite:permesso.db` or `postgres://user@host:5432/permesso?sslmode=verify-full`.",
		},
		{
			Code: DatabaseEncryption, Title: "A connection that does not say whether it is encrypted",
			Means: "Phone numbers and consents travel to the database, so whether they do so encrypted is said and not guessed.",
			Do:    "Add `?sslmode=verify-full`; `disable` only on one machine.",
		},
		{
			Code: InvalidAddress, Title: "An address that cannot be used",
			Means: "A web address, or the host and port to listen on, is not written as one.",
			Do:    "Write `https://wa.aurora.example` for web addresses and `127.0.0.1:8080` for what permesso listens on.",
		},
		{
			Code: InsecureAddress, Title: "An address without encryption",
			Means: "Over http:// a token or the page of a person could be read on the way.",
			Do:    "Write https://; http:// is for this machine alone.",
		},
		{
			Code: AddressTwice, Title: "Two listeners on one address",
			Means: "The public webhook, the console and the metrics are for different people and never share an address. A key that is absent listens on its usual port.",
			Do:    "Give each its own port.",
		},
		{
			Code: UnknownTimezone, Title: "A time zone that is not known",
			Means: "A zone is named by continent and city. Offsets such as GMT+2 know no summer time, and letters such as CEST mean different times in different places.",
			Do:    "Write a name such as `Europe/Rome` or `America/Sao_Paulo`.",
			Example: `wrong:  timezone: GMT+2
right:  timezone: Europe/Rome`,
		},
		{
			Code: UnknownCountry, Title: "A country that is not known",
			Means: "Countries are named by the two capitals of ISO 3166: the United Kingdom is GB.",
			Do:    "Write the two letters, such as `IT` or `BR`.",
		},
		{
			Code: UnknownLanguage, Title: "A language that is not known",
			Means: "Templates have Meta's codes, such as `it`, `en_US` or `nb`, with an underscore; titles and keywords have those of the web, such as `pt-BR`, with a dash.",
			Do:    "Write the code that was proposed.",
			Example: `wrong:  languages: [no, en-US]
right:  languages: [nb, en_US]`,
		},
		{
			Code: InvalidTestPhone, Title: "Not a phone number",
			Means: "The number is too short, too long, or holds something else than digits, spaces and a leading +.",
			Do:    "Write it with its country code, such as `\"+393471234567\"`.",
		},
		{
			Code: InvalidKeyword, Title: "A keyword that cannot be one",
			Means: "Signs and spaces are left out when a message is compared with the keywords, so one without letters would match nothing, or everything. A word that stops must not be one that people say out of politeness or to start again, a word that asks for a category none that stops, and the title of a category neither another category's nor, behind a stop word, one that stops everything: \"STOP OFFERS\" must mean one thing.",
			Do:    "Write another word, sentence or title, or remove it.",
		},
		{
			Code: InvalidWording, Title: "A text that cannot be sent",
			Means: "In the texts that answer people, {{business}} becomes the business's name, and no other name in braces is known. WhatsApp takes at most 4,096 characters.",
			Do:    "Write {{business}}, or the words themselves, and shorten the text.",
			Example: `wrong:  confirmation: {en: "Done, {{name}}."}
right:  confirmation: {en: "Done: no more messages from {{business}}."}`,
		},
	})
}
