package config

import "github.com/permesso/permesso/scheduler"

// The mappings of a campaign.
var (
	campaignKeys = section{path: "campaigns[]", says: "A message to an audience, once or by a schedule.", keys: []key{
		{name: "id", says: "The campaign is known by it, so a rename is a new campaign.", required: true, form: shaped(idShape, "an id of "+wantID)},
		{name: "category", says: "Which of the categories people must have consented to.", required: true, form: textForm()},
		{name: "template", says: "The name of the template, which Meta must have approved.", required: true,
			form: shaped(templateName, "a template's name, of lower-case letters, digits and _")},
		{name: "languages", says: "The template's languages: people get the first that they read, else the first.", required: true,
			form: listOf(shaped(languageCode, "a template's language, such as it or en_US")).filled().distinct()},
		{name: "number", says: "The id of the number to send from, in quotes; it may be left out while there is only one.", form: metaIDForm()},
		{name: "endpoint", says: "The Cloud API's endpoint that the messages are posted to.", form: oneWord(endpointWords), fallback: string(scheduler.EndpointAuto)},
		{name: "schedule", says: "When it goes out; without a schedule only by hand.", form: mapping(&scheduleKeys)},
		{name: "window", says: "The hours of a day in which it is sent.", form: mapping(&windowKeys)},
		{name: "audience", says: "Who gets it of those who consented, as an AIP-160 filter; without it, all of them.", form: textForm()},
		{name: "parameters", says: "What fills the template's variables.", form: mapping(&parameterKeys)},
		{name: "priority", says: "The campaign with the higher one wins where a cap leaves room for one message.", form: wholeForm(-1 << 31), fallback: 0},
		{name: "holdout", says: "The share of the people who do not get this campaign, for comparison, such as 5%; who they are never changes.", form: shareForm()},
		{name: "waves", says: "The parts of its people to which a run goes first, each with those before it, such as [1%, 5%, 20%]; between two waves it waits for what is heard of the last.",
			form: listOf(shareForm()).filled().distinct()},
		{name: "guard", says: "What stops a run by itself.", form: mapping(&guardKeys)},
		{name: "max_recipients", says: "How many people a run may write to; 0 is nobody, and without this key there is no limit.", form: wholeForm(0)},
		{name: "budget", says: "What the messages of a run may cost at the prices of rates, such as 500 EUR; who comes after that gets none.", form: shaped(budgetShape, wantBudget)},
		{name: "not_after", says: "Nothing of it is sent later than this moment.", form: instantForm()},
	}}
	guardKeys = section{path: "campaigns[].guard", says: "What stops a run by itself: it pauses until a person resumes it.", filled: true, keys: []key{
		{name: "opt_outs_per_1000", says: "How many of 1,000 people who got it may opt out, such as 15.", form: numberForm(node{Type: "number", Minimum: new(0), Maximum: new(1000)})},
		{name: "failures", says: "Which share of the messages may fail, such as 10%.", form: shareForm()},
	}}
	scheduleKeys = section{path: "campaigns[].schedule", says: "When a campaign goes out: by cron again and again, or at one moment.", oneOf: []string{"cron", "at"}, keys: []key{
		{name: "cron", says: "Minute, hour, day, month and weekday in the schedule's time zone, such as \"0 18 * * FRI\".", form: cronForm()},
		{name: "at", says: "The one moment to send at, such as 2026-12-24T18:00:00+01:00.", form: instantForm()},
		{name: "timezone", says: "The IANA time zone of cron; without it, the business's.", form: zoneForm()},
		{name: "catch_up", says: "What becomes of slots that were slept through: the latest is made up for, all are, or none.",
			form: oneWord(catchUpWords), fallback: string(scheduler.CatchUpOnce)},
		{name: "catch_up_within", says: "A slot that is later than this is recorded as missed.", form: durationForm(), fallback: "2h"},
		{name: "overlap", says: "What becomes of a slot while the run before is not over.", form: oneWord(overlapWords), fallback: string(scheduler.OverlapSkip)},
		{name: "starts_at", says: "No slot before this moment counts.", form: instantForm()},
		{name: "ends_at", says: "No slot after this moment counts.", form: instantForm()},
	}}
	windowKeys = section{path: "campaigns[].window", says: "The hours of a day in which a campaign is sent.", keys: []key{
		{name: "from", says: "Its beginning, in quotes; a window may span midnight.", required: true, form: timeForm(aTimeOfDay)},
		{name: "to", says: "Its end, in quotes; \"24:00\" is the end of the day.", required: true, form: timeForm(aTimeOrMidnight)},
		{name: "in", says: "Whose clock it goes by: the recipient's own, or that of the campaign's time zone.", form: oneWord(clockWords), fallback: clockWords[0]},
	}}
	parameterKeys = section{path: "campaigns[].parameters", says: "What fills the template's variables.", keys: []key{
		{name: "header", says: "The variable of a text header, or a picture, video or document.", form: valueForm().orMapping(&headerKeys)},
		{name: "body", says: "The values of the body's variables: a list, or a mapping when the template's variables have names.",
			form: either(listOf(valueForm().orMapping(&valueKeys)), named(parameterName, "lower-case letters, digits and _", valueForm().orMapping(&valueKeys)))},
		{name: "buttons", says: "The values of the buttons' variables, by the button's place in the template, from 0.",
			form: named(buttonPlace, "a button's place in the template, 0 to 9", valueForm().orMapping(&buttonKeys))},
	}}
	headerKeys = section{path: "campaigns[].parameters.header", says: "What fills the header.",
		oneOf: []string{"text", "field", "image", "video", "document"}, beside: "default", besideOnly: "field", keys: []key{
			{name: "text", says: "The same text for everybody.", form: valueForm().orMapping(&valueKeys)},
			{name: "field", says: "The contact's field that fills it, such as name or attributes.coupon.", form: fieldForm()},
			{name: "default", says: "The text for people without this field.", form: textForm()},
			{name: "image", says: "The picture of an image header.", form: mapping(&pictureKeys)},
			{name: "video", says: "The video of a video header.", form: mapping(&pictureKeys)},
			{name: "document", says: "The file of a document header.", form: mapping(&documentKeys)},
		}}
	pictureKeys = section{path: "campaigns[].parameters.header.image", says: "A picture or a video, by its address or by Meta's id.", oneOf: []string{"link", "id"}, keys: []key{
		{name: "link", says: "The address that Meta fetches it from.", form: linkForm()},
		{name: "id", says: "Meta's id of what was uploaded, in quotes.", form: metaIDForm()},
	}} // and a video's
	documentKeys = section{path: "campaigns[].parameters.header.document", says: "A file, by its address or by Meta's id.", oneOf: []string{"link", "id"}, keys: []key{
		{name: "link", says: "The address that Meta fetches it from.", form: linkForm()},
		{name: "id", says: "Meta's id of what was uploaded, in quotes.", form: metaIDForm()},
		{name: "filename", says: "The name that people see.", form: textForm()},
	}}
	valueKeys = section{path: "campaigns[].parameters.body[]", says: "What fills one variable.",
		oneOf: []string{"text", "field"}, beside: "default", besideOnly: "field", keys: []key{
			{name: "text", says: "The same text for everybody.", form: valueForm()},
			{name: "field", says: "The contact's field that fills it, such as name or attributes.coupon.", form: fieldForm()},
			{name: "default", says: "The text for people without this field.", form: textForm()},
		}}
	buttonKeys = section{path: "campaigns[].parameters.buttons.*", says: "What fills a button's variable.",
		oneOf: []string{"text", "field", "payload", "page"}, beside: "default", besideOnly: "field", keys: []key{
			{name: "text", says: "The same text for everybody, such as the end of a link.", form: valueForm()},
			{name: "field", says: "The contact's field that fills it, such as name or attributes.coupon.", form: fieldForm()},
			{name: "default", says: "The text for people without this field.", form: textForm()},
			{name: "payload", says: "What a quick reply sends back; opt_out makes it the stop button.", form: payloadForm()},
			{name: "page", says: "With true the button's link leads to the person's own page; at Meta it is public_url and /p/{{1}}.", form: trueForm()},
		}}
)
