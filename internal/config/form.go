package config

import (
	"regexp"
	"strings"

	"github.com/permesso/permesso/policy"
)

// form is what the value of a key must look like, as far as it can be said without the rest of the file. The schema is
// made from it, and `config show` finds by it which keys are absent.
type form struct {
	schema  node
	scalar  scalarType
	section *section // whose mapping it may be
	each    *form    // of the items of a list, or of the values under names that people choose
}

// scalarType is what a scalar is read as.
type scalarType int

const (
	isText scalarType = iota
	isNumber
	isBoolean
	isSecret
	isDatabase
)

// aReference is found in what stands for a value that the file does not hold: ${NAME} or ${file:PATH}. It may stand
// wherever a single value may.
const aReference = `\$\{(?:` + aName + `|file:[^{}]+)\}`

// textForm is any text that is not empty.
func textForm() form {
	return form{schema: node{Type: "string", Pattern: `\S`, PatternError: "this is empty: write text, or remove the key"}}
}

// shaped is text of a shape; want finishes the sentence "this must be …".
func shaped(shape *regexp.Regexp, want string) form { return patterned(shape.String(), want) }

func patterned(pattern, want string) form {
	return form{schema: node{Type: "string", Pattern: pattern + "|" + aReference, PatternError: "this must be " + want}}
}

func oneWord(words []string) form {
	return form{schema: node{Type: "string", AnyOf: []node{{Enum: words}, {Pattern: aReference}}}}
}

// wordingsForm is a text for each language.
func wordingsForm() form {
	return named(languageTag, "a language's code, such as it or pt-BR", form{schema: node{
		Type: "string", Pattern: `\S`, PatternError: "this is empty: write text, or remove the key",
		AllOf: []node{{Pattern: wordingShape.String() + "|" + aReference, PatternError: "this must be " + wantWording}},
	}})
}

// wholeForm is a whole number from low on that an int32 holds.
func wholeForm(low int) form {
	const high = 1<<31 - 1
	return numberForm(node{Type: "integer", Minimum: &low, Maximum: new(high)})
}

// numberForm is a number that fits n, or a reference to one.
func numberForm(n node) form {
	return form{scalar: isNumber, schema: node{AnyOf: []node{n, {Type: "string", Pattern: aReference}}}}
}

func booleanForm() form {
	return form{scalar: isBoolean, schema: node{AnyOf: []node{{Type: "boolean"}, {Type: "string", Pattern: aReference}}}}
}

// trueForm is for what is on when it is written, and written for nothing else.
func trueForm() form {
	return form{scalar: isBoolean, schema: node{AnyOf: []node{{Const: true}, {Type: "string", Pattern: aReference}}}}
}

// durationForm is a span above zero.
func durationForm() form {
	f := patterned(`^(?:`+aDurationPart+`)+$`, wantDuration)
	f.schema.AllOf = []node{{Pattern: `[1-9]|` + aReference, PatternError: "this must be longer than nothing"}}
	return f
}

// holidayForm is a country whose holidays are known, or a file.
func holidayForm() form {
	return patterned(`^(?:`+strings.Join(policy.HolidayCountries(), "|")+`)$|`+closedDaysFile.String(), wantHoliday)
}

// shareForm is a part of all people.
func shareForm() form {
	return patterned(`^(?:100(?:\.0{1,4})?|0{0,2}[0-9]{1,2}(?:\.[0-9]{1,4})?)%$`, wantShare)
}

func timeForm(pattern string) form { return patterned(pattern, wantTimeOfDay) }

func instantForm() form {
	return shaped(instantShape, wantInstant)
}

// zoneForm cannot list the zones that there are; it knows how their names look.
func zoneForm() form { return patterned(`^[A-Z][A-Za-z0-9_+/-]*$`, "a time zone such as Europe/Rome") }

func countryForm() form { return patterned(`^[A-Z]{2}$`, "a country's two letters, such as IT") }

func metaIDForm() form { return shaped(metaID, `an id of digits in quotes, such as "111222333444"`) }

// secretForm is nothing but a reference.
func secretForm(variable string) form {
	return form{scalar: isSecret, schema: node{
		Type: "string", Pattern: "^" + aReference + "$",
		PatternError: "a secret must not stand in the file: write ${" + variable + "} and set that variable, or ${file:PATH}",
	}}
}

// secretsForm is one secret, or several in a list.
func secretsForm(variable string) form {
	one := secretForm(variable)
	list := listOf(one)
	list.schema.MinItems = 1
	return form{scalar: isSecret, each: &one, schema: node{AnyOf: []node{one.schema, list.schema}}}
}

const aPort = `(?:[0-9]|[1-9][0-9]{1,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])`

func addressForm() form {
	return patterned(`^(?:\[[^\[\] /@]*\]|[^\[\]: /@]*):`+aPort+`$`, "an address with a port, such as 127.0.0.1:8080")
}

func webAddressForm() form {
	return patterned(`^(?:[Hh][Tt][Tt][Pp][Ss]://[^/?#@]+|[Hh][Tt][Tt][Pp]://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]*)?)(?:/[^?#]*)?$`,
		"an address such as https://wa.aurora.example; http:// is only for this machine")
}

// databaseForm has no password in the clear: no colon stands before an @, but for the empty password's.
func databaseForm() form {
	const noPassword = `[^:/@\s]*(?:[@/]\S*|:@\S*|:[^@\s]*)`
	f := patterned(`^sqlite:(?:/|/?[^/?#][^?#]*)$|^postgres(?:ql)?://`+noPassword+`$`,
		wantDatabase+"; a password is never written here: put ${DATABASE_PASSWORD} in its place")
	f.schema.AllOf = []node{{
		Pattern:      `^sqlite:|[?&]sslmode=(?:disable|require|verify-ca|verify-full)(?:[&#]|$)|` + aReference,
		PatternError: "this says nothing about encryption: add ?sslmode=verify-full",
	}}
	f.schema.Not = &node{Pattern: `^sqlite:.*:memory:`}
	f.scalar = isDatabase
	return f
}

// cronForm knows the number of fields and their characters; the scheduler knows what they mean.
func cronForm() form {
	const field = `[0-9A-Za-z*?,/-]+`
	return patterned(`^\s*(?:@(?:yearly|annually|monthly|weekly|daily|midnight|hourly)|`+field+`(?:\s+`+field+`){4})\s*$`,
		`a cron expression of five fields, such as "0 18 * * FRI"`)
}

func phoneForm() form {
	return patterned(`^[^A-Za-z]*\p{Nd}[^A-Za-z]*$`, `a phone number in quotes, such as "+393471234567"`)
}

// valueForm is a fixed text.
func valueForm() form { return textForm() }

func linkForm() form { return shaped(mediaLink, wantLink) }

func fieldForm() form {
	attribute := strings.Trim(attributeField.String(), "^$")
	return patterned(`^(?:`+strings.Join(contactFields, "|")+`|`+attribute+`)$`, wantField)
}

// payloadForm refuses what looks like the stop button's payload and is not.
func payloadForm() form {
	f := textForm()
	f.schema.AnyOf = []node{{Const: optOutPayload}, {Not: &node{Pattern: `^[-_ ]*[Oo][-_ ]*[Pp][-_ ]*[Tt][-_ ]*[Oo][-_ ]*[Uu][-_ ]*[Tt][-_ ]*$`}}}
	return f
}

// mapping is a section's mapping.
func mapping(s *section) form { return form{section: s, schema: node{Ref: reference(s.def())}} }

// orMapping is a single value, or a section's mapping.
func (f form) orMapping(s *section) form {
	return form{section: s, schema: node{AnyOf: []node{f.schema, {Ref: reference(s.def())}}}}
}

func listOf(each form) form {
	return form{each: &each, schema: node{Type: "array", Items: &each.schema}}
}

// distinct is a list in which nothing may stand twice.
func (f form) distinct() form { f.schema.UniqueItems = true; return f }

// filled is a list, or a mapping, that is not empty.
func (f form) filled() form {
	if f.schema.Type == "array" {
		f.schema.MinItems = 1
	} else {
		f.schema.MinKeys = 1
	}
	return f
}

// named is a mapping whose keys people choose, within a shape; not lists those that they may not.
func named(names *regexp.Regexp, want string, each form, not ...string) form {
	keys := node{Pattern: names.String(), PatternError: "this name must be of " + want}
	if len(not) > 0 {
		keys.Not = &node{Enum: not}
	}
	return form{each: &each, schema: node{Type: "object", KeyNames: &keys, AdditionalProperties: each.schema}}
}

// under is a mapping that may have these keys, each with a value of one form.
func under(names []string, each form) form {
	n := node{Type: "object", AdditionalProperties: no{}}
	for _, name := range names {
		n.Properties = append(n.Properties, property{name, each.schema})
	}
	return form{each: &each, schema: n}
}

// either is a list or a mapping of the same values.
func either(list, named form) form {
	return form{each: list.each, schema: node{AnyOf: []node{list.schema, named.schema}}}
}
