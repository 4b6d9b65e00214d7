package errcode

// Lines that cannot be followed.
const (
	UnknownVerb        Code = "unknown_verb"
	MissingVerb        Code = "missing_verb"
	UnknownFlag        Code = "unknown_flag"
	MissingFlag        Code = "missing_flag"
	MissingFlagValue   Code = "missing_flag_value"
	InvalidFlagValue   Code = "invalid_flag_value"
	ConflictingFlags   Code = "conflicting_flags"
	MissingArgument    Code = "missing_argument"
	SurplusArgument    Code = "surplus_argument"
	WrongUse           Code = "wrong_use"
	NoSuchCampaign     Code = "no_such_campaign"
	NoSuchCategory     Code = "no_such_category"
	NoSuchSource       Code = "no_such_source"
	NoSuchState        Code = "no_such_state"
	NoSuchReason       Code = "no_such_reason"
	NoSuchRole         Code = "no_such_role"
	NoSuchCode         Code = "no_such_code"
	NoSuchKey          Code = "no_such_key"
	NoSuchKeyScope     Code = "no_such_key_scope"
	InvalidKeyName     Code = "invalid_key_name"
	KeyThere           Code = "key_there"
	InvalidScope       Code = "invalid_scope"
	InvalidTime        Code = "invalid_time"
	SkippedTime        Code = "skipped_time"
	AmbiguousTime      Code = "ambiguous_time"
	FutureTime         Code = "future_time"
	InvalidSpan        Code = "invalid_span"
	InvalidLimit       Code = "invalid_limit"
	ConfigurationThere Code = "configuration_there"
	NoAnswer           Code = "no_answer"
	OutputFailed       Code = "output_failed"
)

// usage is what may be wrong with a line, and with printing what it asks for.
func usage() []Entry {
	lines := in(AreaUsage, 2, []Entry{
		{
			Code: UnknownVerb, Title: "There is no such verb",
			Means: "The first words of the line name nothing that permesso does.",
			Do:    "Take the verb that was suggested, or list all of them with `permesso --help`.",
		},
		{
			Code: MissingVerb, Title: "The line ends before its verb",
			Means: "The word groups several verbs, such as `contacts import` and `contacts show`, and none of them was named.",
			Do:    "Add one of the verbs that were listed; `permesso contacts --help` describes them.",
		},
		{
			Code: UnknownFlag, Title: "The verb has no such flag",
			Means: "The flag is misspelt, or belongs to another verb.",
			Do:    "`permesso VERB --help` lists the flags of a verb.",
		},
		{
			Code: MissingFlag, Title: "A flag is needed and missing",
			Means: "Without it the verb would do something that could not be proved or undone later, or it belongs to another flag that was given.",
			Do:    "Add the flag that was named; `permesso VERB --help` shows an example.",
		},
		{
			Code: MissingFlagValue, Title: "A flag stands without its value",
			Means: "The flag takes a value, and the line ends behind it.",
			Do:    "Write the value behind the flag, in quotes if it has spaces: `--reason \"asked in the shop\"`.",
		},
		{
			Code: InvalidFlagValue, Title: "A flag has a value that it does not take",
			Means: "The value is of another kind than the flag wants, such as a word where a number belongs.",
			Do:    "`permesso VERB --help` says what the flag takes.",
		},
		{
			Code: ConflictingFlags, Title: "Two flags contradict each other",
			Means: "Each of them is right, and both together cannot be followed.",
			Do:    "Leave one of them out.",
		},
		{
			Code: MissingArgument, Title: "An argument is missing",
			Means: "The verb needs one more word, such as a campaign, a phone number or a file.",
			Do:    "Add what was named, in the order of the line that was shown.",
		},
		{
			Code: SurplusArgument, Title: "There is one argument too many",
			Means: "The verb takes fewer words than the line has. Often a value with spaces stands without quotes.",
			Do:    "Take the word out, or put the whole value into quotes.",
		},
		{
			Code: WrongUse, Title: "The line cannot be followed",
			Means: "The line breaks a rule of command lines that has no code of its own; the sentence says which.",
			Do:    "`permesso VERB --help` shows how the verb is written.",
		},
		{
			Code: NoSuchCampaign, Title: "The configuration has no such campaign",
			Means: "Campaigns go by their `id`. One that was renamed is a new campaign.",
			Do:    "Take one of the ids that were listed, or add the campaign to config.yaml.",
		},
		{
			Code: NoSuchCategory, Title: "The configuration has no such category",
			Means: "People consent to categories by the names that `categories` in config.yaml gives them.",
			Do:    "Take one of the names that were listed, or add the category to config.yaml.",
		},
		{
			Code: NoSuchSource, Title: "Consent does not come from such a source",
			Means: "The source says where a person agreed, and is one of a fixed list, so that it can be proved later.",
			Do:    "Take one of the sources that were listed, such as `--source web_form`.",
		},
		{
			Code: NoSuchState, Title: "There is no such state",
			Means: "A list was asked for by a state that no row, or no run, can have.",
			Do:    "Take one of the states that were listed.",
		},
		{
			Code: NoSuchReason, Title: "There is no such reason",
			Means: "The log was asked for by a reason that no row can have.",
			Do:    "Take one of the reasons that were listed; `permesso help error` has a section for each.",
		},
		{
			Code: NoSuchRole, Title: "The service has no such role",
			Means: "`serve --only` takes the roles scheduler, sender, webhook and console, separated by commas.",
			Do:    "Correct the role: `permesso serve --only sender,webhook`.",
		},
		{
			Code: NoSuchCode, Title: "No error has such a code",
			Means: "The word behind `help error` is neither a code, nor a reason, nor one of Meta's numbers.",
			Do:    "`permesso help error` lists every code.",
		},
		{
			Code: NoSuchKey, Title: "There is no key of that name",
			Means: "No key of /api/v1 was ever created under the name.",
			Do:    "`permesso keys list` shows the names, those of revoked keys among them.",
		},
		{
			Code: NoSuchKeyScope, Title: "A key cannot have such a scope",
			Means: "A key opens paths of /api/v1, and each is named by what it is for: `consents`, `contacts`, `log`, `runs`.",
			Do:    "Write those that the program needs, separated by commas: `--scope consents,contacts`.",
		},
		{
			Code: InvalidKeyName, Title: "A key cannot have such a name",
			Means: "The consent ledger and the audit log name a key by its name, so that it is kept short and plain: 1 to 64 small letters, digits, dashes and underscores.",
			Do:    "Name the program that is to have the key, such as `shop-form`.",
		},
		{
			Code: KeyThere, Title: "A key has, or had, the name",
			Means: "The name of a revoked key stays taken, since the consent ledger says by name who recorded what.",
			Do:    "Take another name, such as `shop-form-2`; `permesso keys list` shows those that are taken.",
		},
		{
			Code: InvalidScope, Title: "A stop cannot have such a scope",
			Means: "A stop covers everything, a kind of messages, or one of the business's own categories.",
			Do:    "Write `--scope all`, `--scope kind:marketing`, `--scope kind:utility`, `--scope kind:authentication` or `--scope category:ID`.",
		},
		{
			Code: InvalidTime, Title: "This is no time",
			Means: "The text is neither a time with its offset nor one on the business's own clocks.",
			Do:    "Write `2026-12-24T18:00:00+01:00`, or `2026-12-24T18:00` in the business's time zone.",
		},
		{
			Code: SkippedTime, Title: "The clocks skip this time",
			Means: "On the day on which summer time begins an hour does not exist, and the time lies in it.",
			Do:    "Write another time, or one with its offset: `2027-03-28T03:30:00+02:00`.",
		},
		{
			Code: AmbiguousTime, Title: "The clocks show this time twice",
			Means: "On the day on which summer time ends an hour comes twice, and the time lies in it.",
			Do:    "Write the time with the offset that is meant: `2027-10-31T02:30:00+01:00`.",
		},
		{
			Code: FutureTime, Title: "The time lies in the future",
			Means: "A consent counts from the moment at which the person gave it, and that moment has not come.",
			Do:    "Write when it happened, with the right offset, or leave `--at` out for now.",
		},
		{
			Code: InvalidSpan, Title: "This is no span of time",
			Means: "The text is not a length of time above zero, or is longer than can be counted.",
			Do:    "Write one such as `90m`, `24h` or `30d`.",
		},
		{
			Code: InvalidLimit, Title: "A list cannot be limited to less than nothing",
			Means: "`--limit` counts the lines of a list.",
			Do:    "Write a number above 0, or leave `--limit` out for every line.",
		},
	})
	return append(lines, in(AreaUsage, 1, []Entry{
		{
			Code: ConfigurationThere, Title: "There is a configuration already",
			Means: "`init` writes a new file and never over one that is there, unless it is told to.",
			Do:    "Name another file with `--config FILE`, or replace this one with `--force`.",
		},
		{
			Code: NoAnswer, Title: "A question was not answered",
			Means: "`init` asked for something on the terminal and its input ended. Nothing was written.",
			Do:    "Start again, or answer by flags: `permesso init --name \"Libreria Aurora\" --country IT`.",
		},
		{
			Code: OutputFailed, Title: "What was asked for could not be printed",
			Means: "The standard output was closed, or the disk behind it is full. What the verb does besides printing may have been done.",
			Do:    "Look at where the output goes, then repeat the verb.",
		},
	})...)
}
