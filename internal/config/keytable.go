package config

import (
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// The words that keys take.
var (
	kindWords      = []string{string(policy.Marketing), string(policy.Utility), string(policy.Authentication)}
	attributeWords = []string{string(scheduler.AttributeText), string(scheduler.AttributeNumber), string(scheduler.AttributeDate)}
	endpointWords  = []string{string(scheduler.EndpointAuto), string(scheduler.EndpointMessages), string(scheduler.EndpointMarketing)}
	catchUpWords   = []string{string(scheduler.CatchUpOnce), string(scheduler.CatchUpSkip), string(scheduler.CatchUpAll)}
	overlapWords   = []string{string(scheduler.OverlapSkip), string(scheduler.OverlapQueue)}
	zonesWords     = []string{"strict", "loose"}
	clockWords     = []string{"recipient", "campaign"} // whose clock a window goes by
)

// knownColumns fill fields of their own and never become attributes (CONTRACT §3).
var knownColumns = []string{"phone", "name", "language", "timezone", "external_id", "tags"}

// The mappings whose keys are fixed, with all that is known of their keys: the loader reads by this table, and the schema
// is made from it. Names that people choose themselves (categories, attributes, segments, …) are not keys.
var (
	rootKeys = section{path: "", says: "The configuration of permesso.", keys: []key{
		{name: "version", says: "The version of this file's format; it is 1.", required: true,
			form: numberForm(node{Const: 1})},
		{name: "business", says: "Who sends the messages.", required: true, form: mapping(&businessKeys)},
		{name: "database", says: "Where everything is kept: sqlite:PATH, or postgres://user@host:5432/name?sslmode=verify-full.",
			form: databaseForm(), fallback: defaultDatabase},
		{name: "state_dir", says: "The folder of the instance file and the suppression journal, outside the database.", form: textForm(), fallback: defaultStateDir},
		{name: "public_url", says: "Where /webhook and /p/ are reached from outside, behind TLS.", form: webAddressForm()},
		{name: "listen", says: "The addresses that the service listens on.", form: mapping(&listenKeys)},
		{name: "graph", says: "As whom WhatsApp's Cloud API is called.", required: true, form: mapping(&graphKeys)},
		{name: "numbers", says: "The phone numbers that send.", required: true, form: listOf(mapping(&numberKeys)).filled().distinct()},
		{name: "categories", says: "What people consent to, in the business's own words.", required: true,
			form: named(idShape, wantID, mapping(&categoryKeys)).filled()},
		{name: "attributes", says: "Columns of the contacts file that are not text, and the type of each.",
			form: named(attributeName, "letters, digits, spaces, - and _, and none of the columns that permesso knows", oneWord(attributeWords), knownColumns...)},
		{name: "segments", says: "Audience filters with a name, for use in other filters as segment.NAME.",
			form: named(segmentName, "lower-case letters, digits and _", textForm())},
		{name: "policy", says: "The rules that hold for every campaign.", form: mapping(&policyKeys)},
		{name: "opt_out", says: "What counts as an opt-out, beyond the built-in lists, and how it is answered.", form: mapping(&optOutKeys)},
		{name: "opt_in", says: "How people ask for a category, in a chat or on a page; only what they then confirm is a consent.", form: mapping(&optInKeys)},
		{name: "approvals", says: "When a run waits until a second person approves it.", form: mapping(&approvalKeys)},
		{name: "notify", says: "Who is told when a run pauses or waits, a slot is missed, or Meta refuses to go on.", form: mapping(&notifyKeys)},
		{name: "replies", says: "Who reads what people write; without this key nobody does.", form: mapping(&repliesKeys)},
		{name: "rates", says: "Meta's prices, a CSV file with the columns countries, category, price, currency and valid_from, such as rates.csv.", form: shaped(ratesFile, wantRates)},
		{name: "retention", says: "What is deleted by its age; what no key here names is kept for ever.", form: mapping(&retentionKeys)},
		{name: "test_phones", says: "The numbers, in quotes, that `permesso run CAMPAIGN --test` writes to, and no others.", form: listOf(phoneForm()).distinct()},
		{name: "dry_run", says: "With true everything happens, and nothing leaves.", form: booleanForm(), fallback: false},
		{name: "include", says: "Files of campaigns, such as campaigns/*.yaml, read from the folder of this file.", form: listOf(textForm())},
		{name: "campaigns", says: "The campaigns; a file that this one includes may hold more.", form: listOf(mapping(&campaignKeys)).distinct()},
	}}
	businessKeys = section{path: "business", says: "Who sends the messages.", keys: []key{
		{name: "name", says: "The name that people know the business by; they are told who writes to them.", required: true, form: textForm()},
		{name: "country", says: "The ISO 3166 code of its country: numbers written without a country code are read as this country's.", required: true, form: countryForm()},
		{name: "timezone", says: "The IANA time zone of schedules that name no other.", required: true, form: zoneForm()},
	}}
	listenKeys = section{path: "listen", says: "The addresses that the service listens on.", keys: []key{
		{name: "webhook", says: "Address of /webhook and of the people's own pages under /p/, public behind TLS.", form: addressForm(), fallback: defaultWebhook},
		{name: "console", says: "Address of the operators' console and of /api/v1.", form: addressForm(), fallback: defaultConsole},
		{name: "metrics", says: "Address of /metrics, /livez and /readyz.", form: addressForm(), fallback: defaultMetrics},
	}}
	graphKeys = section{path: "graph", says: "As whom WhatsApp's Cloud API is called.", keys: []key{
		{name: "base_url", says: "Where the Cloud API is; http:// only for a sandbox on this machine.", form: webAddressForm(), fallback: defaultBaseURL},
		{name: "version", says: "The version of the Graph API, such as v25.0.", form: shaped(graphVersion, "a version such as v25.0"), fallback: defaultVersion},
		{name: "account_id", says: "The id of the WhatsApp Business Account, in quotes.", required: true, form: metaIDForm()},
		{name: "access_token", says: "The token that calls are made with, as ${WHATSAPP_ACCESS_TOKEN} or ${file:PATH}.", required: true, form: secretForm("WHATSAPP_ACCESS_TOKEN")},
		{name: "app_secret", says: "What Meta signs webhooks with, as ${WHATSAPP_APP_SECRET}, or a list of several while they rotate.", required: true, form: secretsForm("WHATSAPP_APP_SECRET")},
		{name: "verify_token", says: "What Meta shows when it registers the webhook, as ${WHATSAPP_VERIFY_TOKEN}.", required: true, form: secretForm("WHATSAPP_VERIFY_TOKEN")},
	}}
	numberKeys = section{path: "numbers[]", says: "A phone number that sends.", keys: []key{
		{name: "id", says: "Meta's phone number id, in quotes.", required: true, form: metaIDForm()},
		{name: "messages_per_second", says: "The throughput that Meta grants the number, such as 80.", required: true,
			form: numberForm(node{Type: "number", Above: new(0)})},
		{name: "phone", says: "The number itself, in quotes, at which people write to the business; the pages for people lead there.", form: phoneForm()},
		{name: "messaging_limit", says: "How many people the whole business portfolio may write to in any 24 hours; of several numbers the smallest holds, 0 is nobody, and without this key it is read from Meta.",
			form: wholeForm(0)},
	}}
	categoryKeys = section{path: "categories.*", says: "Something that people consent to.", keys: []key{
		{name: "kind", says: "Meta's kind of its messages.", required: true, form: oneWord(kindWords)},
		{name: "title", says: "Its title for people, per language, such as {it: Offerte, en: Offers}.",
			form: named(languageTag, "a language's code, such as it or pt-BR", textForm())},
		{name: "consent_expires_after", says: "How long a consent counts, such as 720d; without this key it does not expire.", form: durationForm()},
	}}
	policyKeys = section{path: "policy", says: "The rules that hold for every campaign.", keys: []key{
		{name: "caps", says: "How many messages a person may get over every campaign and number; all of the caps must hold.", form: listOf(mapping(&capKeys)).distinct()},
		{name: "quiet_hours", says: "The hours, in the recipient's own time, in which nothing is sent.", form: mapping(&quietKeys)},
		{name: "recipient_timezone", says: "With strict every zone that a number may be in must be inside the window, with loose its main zone.",
			form: oneWord(zonesWords), fallback: zonesWords[0]},
		{name: "holidays", says: "Whole days on which marketing waits: countries whose holidays hold for the people there, such as IT, and files of days for everybody, such as closed-days.csv with the columns date and name.",
			form: listOf(holidayForm()).filled().distinct()},
		{name: "countries", says: "The countries that messages of a kind may go to, or may not.", form: under(kindWords, mapping(&countryKeys))},
		{name: "universal_holdout", says: "The share of all people who get no marketing at all, for comparison, such as 2%.", form: shareForm()},
	}}
	capKeys = section{path: "policy.caps[]", says: "At most max messages to a person in any span of this length.", keys: []key{
		{name: "max", says: "How many messages a person may get; 0 means never.", required: true, form: wholeForm(0)},
		{name: "per", says: "The span, such as 24h or 7d.", required: true, form: durationForm()},
		{name: "kind", says: "Counts messages of this kind only.", form: oneWord(kindWords)},
		{name: "category", says: "Counts messages of this category only.", form: textForm()},
		{name: "campaign", says: "Counts messages of this campaign only.", form: textForm()},
	}}
	quietKeys = section{path: "policy.quiet_hours", says: "Hours in which nothing is sent, in the recipient's own time.", keys: []key{
		{name: "from", says: "Their beginning, in quotes; they may span midnight.", required: true, form: timeForm(aTimeOfDay)},
		{name: "to", says: "Their end, in quotes; \"24:00\" is the end of the day.", required: true, form: timeForm(aTimeOrMidnight)},
		{name: "kind", says: "Holds back messages of this kind only; without it, every message.", form: oneWord(kindWords)},
	}}
	countryKeys = section{path: "policy.countries.*", says: "Either the countries that are allowed, or those that are not.", oneOf: []string{"allow", "deny"}, keys: []key{
		{name: "allow", says: "The only countries that messages of this kind go to.", form: listOf(countryForm()).filled().distinct()},
		{name: "deny", says: "Countries that no message of this kind goes to.", form: listOf(countryForm()).filled().distinct()},
	}}
	optOutKeys = section{path: "opt_out", says: "What counts as an opt-out.", keys: []key{
		{name: "keywords", says: "Words that mean stop, per language, added to the built-in lists.",
			form: named(languageTag, "a language's code, such as it or pt-BR", listOf(patterned(`[\p{L}\p{N}\p{S}]`, "a word or a sentence that means stop")))},
		{name: "confirmation", says: "What answers an opt-out once, per language, in place of {{business}} the business's name; and never with marketing; without this key nothing does.",
			form: wordingsForm()},
		{name: "help", says: "What answers HELP and INFO, per language, in place of {{business}} the business's name; without this key nothing does.", form: wordingsForm()},
	}}
	optInKeys = section{path: "opt_in", says: "How people ask for a category.", keys: []key{
		{name: "pages", says: "The categories that people can ask for on a page of their own, /p/join/CATEGORY, and confirm by a message; it takes the phone of a number.",
			form: listOf(textForm()).distinct()},
		{name: "keywords", says: "Words that stand before a category's id or title, per language, added to the built-in lists; {} is those alone; without this key nobody is asked.",
			form: named(languageTag, "a language's code, such as it or pt-BR", listOf(patterned(`[\p{L}\p{N}]`, "a word that asks for a category")))},
	}}
	approvalKeys = section{path: "approvals", says: "When a run waits until a second person approves it.", keys: []key{
		{name: "above", says: "A run to more people than this waits for `permesso runs approve`; 0 is every run.", required: true, form: wholeForm(0)},
	}}
	notifyKeys = section{path: "notify", says: "Where operators are told, by signed webhooks (Standard Webhooks).", keys: []key{
		{name: "url", says: "The address that is posted to; http:// only on this machine.", required: true, form: webAddressForm()},
		{name: "secret", says: "What the posts are signed with, as ${NOTIFY_SECRET}: whsec_ and base64, or any text of its own.", required: true, form: secretForm("NOTIFY_SECRET")},
	}}
	repliesKeys = section{path: "replies", says: "Where what people write is forwarded to, by signed webhooks (Standard Webhooks).", keys: []key{
		{name: "url", says: "The address that is posted to; http:// only on this machine.", required: true, form: webAddressForm()},
		{name: "secret", says: "What the posts are signed with, as ${REPLIES_SECRET}: whsec_ and base64, or any text of its own.", required: true, form: secretForm("REPLIES_SECRET")},
	}}
	retentionKeys = section{path: "retention", says: "After how long things are deleted; without its key a kind of them is kept for ever.", keys: []key{
		{name: "deliveries", says: "Who got what: the rows of runs that ended longer ago than this, such as 395d; at least 40d, and as long as the longest cap, and what a run came to in numbers stays.", form: durationForm()},
		{name: "webhooks", says: "The bodies of webhooks that held something unexpected; at least 7d, for which Meta repeats them.", form: durationForm()},
		{name: "review_texts", says: "What people wrote that looked like an opt-out; that they are held back stays.", form: durationForm()},
	}}
	includedKeys = section{path: "an included file", says: "A file of campaigns that config.yaml includes.", keys: []key{
		{name: "campaigns", says: "The campaigns of this file.", form: listOf(mapping(&campaignKeys)).distinct()},
	}}
)
