package errcode

// Reasons that a verb may end with as well. All reasons are those of CONTRACT §4, by their names there.
const (
	UnknownContact      Code = "unknown_contact"
	NoTemplate          Code = "no_template"
	TemplateNotApproved Code = "template_not_approved"
	MissingParameter    Code = "missing_parameter"
	RunCancelled        Code = "run_cancelled"
)

func reasons() []Entry {
	return in(AreaReasons, 0, []Entry{
		{
			Code: UnknownContact, Title: "The person is not among the contacts",
			Means: "`explain` and `contacts show` were asked for a number that no contact has, in whatever form it is written.",
			Do:    "Check the number, or add the person with `permesso contacts import FILE`.",
		},
		{
			Code: "not_in_audience", Title: "The audience filter does not match the person",
			Means: "`explain` says so; the run has no row for them. A missing value matches nothing, also under NOT.",
			Do:    "Compare `permesso contacts show PHONE` with the filter as `permesso plan CAMPAIGN` prints it.",
		},
		{
			Code: "erased", Title: "The person's data was erased",
			Means: "They asked to be forgotten. Only what is needed to leave them alone is kept.",
			Do:    "Nothing: they get no messages any more.",
		},
		{
			Code: "invalid_number", Title: "There is nowhere to send to",
			Means: "The contact has neither a phone number nor a user id of WhatsApp.",
			Do:    "Import the person with their number.",
		},
		{
			Code: "suppressed", Title: "The person is not to be written to",
			Means: "They wrote STOP, pressed the stop button, stopped marketing in WhatsApp, used their page, or stand on the business's list.",
			Do:    "`permesso contacts show PHONE` lists their stops. What they said themselves only they can take back.",
		},
		{
			Code: "opt_out_review", Title: "A message of theirs looked like an opt-out",
			Means: "It was almost a STOP, and until a human has read it nothing is sent.",
			Do:    "`permesso reviews list` shows the text. Say what it means with `permesso reviews close PHONE`, and `--stop` or `--not-a-stop`; ask the person when in doubt.",
		},
		{
			Code: "no_consent", Title: "No consent is on record for this category",
			Means: "Without a consent to the campaign's category nothing is sent, of any kind. To have written to the business is none.",
			Do:    "`permesso consent show PHONE` prints what is on record; import what is missing with `permesso consent import FILE`.",
		},
		{
			Code: "consent_revoked", Title: "The consent was taken back",
			Means: "The last act on record for this category is a refusal. Of two at the same time the refusal holds.",
			Do:    "Nothing, until the person agrees again.",
		},
		{
			Code: "consent_expired", Title: "The consent is too old",
			Means: "The category has a `consent_expires_after`, and the person agreed longer ago.",
			Do:    "Ask the person anew, and record the new consent.",
		},
		{
			Code: "country", Title: "Messages to this country are not allowed",
			Means: "`policy.countries` in config.yaml leaves the country of their number out, or what country it is cannot be told.",
			Do:    "Change `policy.countries` if that is not meant.",
		},
		{
			Code: "unreachable", Title: "Earlier messages could not be delivered",
			Means: "Meta reported three messages to this number as undeliverable. Perhaps it has no WhatsApp, or not any more.",
			Do:    "Check the number with the person; another one is imported as another contact.",
		},
		{
			Code: "meta_cooldown", Title: "Meta asks to leave the person alone for a while",
			Means: "Meta limits how much marketing one person gets from all businesses, and declined a message to them.",
			Do:    "Nothing: they are asked again once the time is over.",
		},
		{
			Code: "holdout", Title: "The person is held out for comparison",
			Means: "A share of the people gets nothing, by `holdout` of the campaign or `policy.universal_holdout`, so that its effect can be measured.",
			Do:    "Nothing; who is held out stays so for as long as the share does.",
		},
		{
			Code: NoTemplate, Title: "Meta does not have the template in the language that is wanted",
			Means: "The last sync found no template of this name and language. When no language of a campaign can be sent, its run does not start, with exit code 5.",
			Do:    "Compare the campaign with `permesso templates list`; `permesso templates sync` reads the list anew.",
		},
		{
			Code: TemplateNotApproved, Title: "Meta has not approved the template, or has paused it",
			Means: "Only a template with the status APPROVED is sent. When a language of a campaign cannot be sent, its run does not start, with exit code 5.",
			Do:    "Look at its status in WhatsApp Manager; after it changed, `permesso templates sync`.",
		},
		{
			Code: MissingParameter, Title: "A variable of the template has no value for this person",
			Means: "The contact lacks what fills the variable, and the campaign gives no default.",
			Do:    "Import the value, or write a `default` behind the field in the campaign's `parameters`.",
		},
		{
			Code: "not_after", Title: "The offer ended before the message could go out",
			Means: "The campaign's `not_after` came first.",
			Do:    "Start the run earlier, or set a later `not_after`.",
		},
		{
			Code: "window", Title: "The campaign's hours left no room",
			Means: "`window` of the campaign is closed where the person is, and the run ends before it opens again; or it still waits for it.",
			Do:    "Widen `window`, or start the run before it opens.",
		},
		{
			Code: "quiet_hours", Title: "It is quiet hours, or a holiday, where the person is",
			Means: "`policy.quiet_hours` holds messages of its kind back in the person's own time, and `policy.holidays` marketing; `permesso explain` names the holiday.",
			Do:    "Nothing: the message goes out afterwards, or expires with the person's window of the run.",
		},
		{
			Code: "frequency_cap", Title: "The person has had as many messages as the caps allow",
			Means: "`policy.caps` count over all campaigns and numbers, also messages of which it is not known whether they arrived.",
			Do:    "`permesso explain CAMPAIGN PHONE` says which cap, and until when; of campaigns on one day the higher `priority` wins.",
		},
		{
			Code: "max_recipients", Title: "The run has as many recipients as it may",
			Means: "`max_recipients` of the campaign was reached before this person.",
			Do:    "Raise `max_recipients`, or narrow the audience.",
		},
		{
			Code: "budget", Title: "The run's budget is spent",
			Means: "The messages before this one cost as much as `budget` of the campaign allows.",
			Do:    "Raise `budget`, or narrow the audience.",
		},
		{
			Code: "messaging_limit", Title: "The limit of people per day is reached",
			Means: "Meta limits how many different people a portfolio may write to in any 24 hours, over all its numbers. Whoever is beyond the limit stays queued, until a place becomes free (`due_at`); with `messaging_limit: 0` nobody is written to.",
			Do:    "Nothing: they get it as places become free. Meta raises the limit by itself for good quality; `messaging_limit` of the numbers sets a lower one.",
		},
		{
			Code: "quality_guard", Title: "The person's wave has not begun, or the guard stopped the run",
			Means: "A run with `waves` goes to a part of its people first, and whoever is of a later wave stays queued until what was heard of the last one was watched for five minutes. Where more opted out, or failed, than `guard` allows, the run pauses: nobody is lost, and nobody gets anything.",
			Do:    "`permesso runs show RUN` says which wave it is, or why it paused. Find out why people leave, with `permesso report --run RUN`; then `permesso runs resume RUN` goes on, or `permesso runs cancel RUN` ends it.",
		},
		{
			Code: RunCancelled, Title: "An operator cancelled the run",
			Means: "Whoever still waited gets nothing. `run` in the foreground then ends with exit code 4.",
			Do:    "`permesso runs show RUN` says who did it and why; `permesso run CAMPAIGN` makes a new run.",
		},
		{
			Code: "unproven", Title: "WhatsApp has said nothing of the message",
			Means: "The answer to the message was lost, and no report has come since although webhooks work. It counts in the caps and is not sent again, since the person may have it.",
			Do:    "Nothing; a report that comes late still moves it.",
		},
	})
}
