package errcode

// Mistakes in the files themselves.
const (
	ConfigurationEmpty         Code = "configuration_empty"
	ConfigurationTooLarge      Code = "configuration_too_large"
	ConfigurationNotUTF8       Code = "configuration_not_utf8"
	InvisibleCharacter         Code = "invisible_character"
	Tab                        Code = "tab"
	Unfinished                 Code = "unfinished"
	NeedsQuotes                Code = "needs_quotes"
	MisplacedLine              Code = "misplaced_line"
	YAMLSyntax                 Code = "yaml_syntax"
	YAMLFeature                Code = "yaml_feature"
	SeveralDocuments           Code = "several_documents"
	UnknownAlias               Code = "unknown_alias"
	TooManyAliases             Code = "too_many_aliases"
	NestedTooDeep              Code = "nested_too_deep"
	KeyIsNotText               Code = "key_is_not_text"
	IncludeWithoutMatch        Code = "include_without_match"
	IncludeOfMoreThanCampaigns Code = "include_of_more_than_campaigns"
	UnreadableReference        Code = "unreadable_reference"
)

// configurationText is what may be wrong with a file before its keys are looked at.
func configurationText() []Entry {
	return in(AreaConfiguration, 3, []Entry{
		{
			Code: ConfigurationEmpty, Title: "The file is empty",
			Means: "The file holds nothing, or comments only.",
			Do:    "Run `permesso init --force`, which writes a commented file to start from; remove an empty file that `include` names.",
		},
		{
			Code: ConfigurationTooLarge, Title: "The file is too large",
			Means: "A configuration of more than 8 MiB is not read: 500 campaigns take a third of one.",
			Do:    "Check that it is the right file; put campaigns into files of their own and name them under `include`.",
		},
		{
			Code: ConfigurationNotUTF8, Title: "The file is not UTF-8",
			Means: "The file was saved in another encoding, such as UTF-16 or Windows-1252, so its letters cannot be told apart.",
			Do:    "Save it again as UTF-8: editors offer it under Save as.",
		},
		{
			Code: InvisibleCharacter, Title: "An invisible character",
			Means: "The file holds a control character or another one that is not shown, usually copied along from a web page or a word processor.",
			Do:    "Delete the character at the place that was named and type the text again.",
		},
		{
			Code: Tab, Title: "A tab where spaces belong",
			Means: "YAML shows what belongs to what by leading spaces; a tab is not a number of spaces.",
			Do:    "Replace the tab by spaces, two for each level.",
			Example: `wrong:  schedule:
        <TAB>cron: "0 18 * * FRI"
right:  schedule:
          cron: "0 18 * * FRI"`,
		},
		{
			Code: Unfinished, Title: "Something is not closed",
			Means: "A quote or a bracket is opened and never closed, or the file ends in the middle of a value.",
			Do:    "Close it where the value ends. If the file was cut off while it was saved, save it again.",
			Example: `wrong:  languages: [it, en
right:  languages: [it, en]`,
		},
		{
			Code: NeedsQuotes, Title: "A value that needs quotes",
			Means: "The value starts with a sign that means something else in YAML, such as `*`, or holds a colon and a space.",
			Do:    "Put the whole value in double quotes.",
			Example: `wrong:  cron: * 18 * * FRI
right:  cron: "* 18 * * FRI"`,
		},
		{
			Code: MisplacedLine, Title: "A line that does not line up",
			Means: "The line begins in a column that fits neither the lines above it nor what it belongs to.",
			Do:    "Line it up with the keys beside it, or indent it by two spaces more than what it belongs to.",
			Example: `wrong:  - id: weekend-offer
           category: offers
right:  - id: weekend-offer
          category: offers`,
		},
		{
			Code: YAMLSyntax, Title: "Not YAML",
			Means: "The line cannot be read as `key: value`, as `- item` or as a comment.",
			Do:    "Look at the place that was named: a colon with a space after it is missing most of the time.",
			Example: `wrong:  category offers
right:  category: offers`,
		},
		{
			Code: YAMLFeature, Title: "A part of YAML that is not read",
			Means: "Tags (`!name`), merges (`<<`) and directives (`%YAML`) make a file mean something else than it shows, so they are refused.",
			Do:    "Write the keys and values out.",
		},
		{
			Code: SeveralDocuments, Title: "Two documents in one file",
			Means: "A line `---` begins a second document, and it is not clear which one should count.",
			Do:    "Remove the line `---`, or put the campaigns below it into a file of their own under `include`.",
		},
		{
			Code: UnknownAlias, Title: "An alias without its anchor",
			Means: "A value that begins with `*` repeats the one that was marked with `&` and the same name, and there is none.",
			Do:    "Mark the value with `&name`, or put the text in quotes if it is text.",
			Example: `wrong:  name: *Aurora*
right:  name: "*Aurora*"`,
		},
		{
			Code: TooManyAliases, Title: "Aliases that unfold without end",
			Means: "Aliases repeat each other, or themselves, until the file stands for more values than any configuration has.",
			Do:    "Write the values out.",
		},
		{
			Code: NestedTooDeep, Title: "Nested too deeply",
			Means: "There are more levels of keys or brackets than any key has.",
			Do:    "Check the brackets and the indentation at the place that was named.",
		},
		{
			Code: KeyIsNotText, Title: "A key that is not text",
			Means: "What stands before the colon is missing, or is a list or a group.",
			Do:    "Write the key, in quotes if it holds signs such as `[` or `*`.",
			Example: `wrong:  [offers]: {kind: marketing}
right:  offers: {kind: marketing}`,
		},
		{
			Code: IncludeWithoutMatch, Title: "An include that finds no file",
			Means: "What stands under `include` matches no file, so campaigns that you count on would silently not go out.",
			Do:    "Correct the path, which counts from the folder of config.yaml, or remove it; for a folder write `folder/*.yaml`.",
			Example: `wrong:  include: [campaigns]
right:  include: [campaigns/*.yaml]`,
		},
		{
			Code: IncludeOfMoreThanCampaigns, Title: "An included file with more than campaigns",
			Means: "An included file holds campaigns and nothing else: all other keys stand in config.yaml, where everybody finds them. That includes `include` itself.",
			Do:    "Move the key into config.yaml; give the campaigns a folder of their own, so that `include` does not meet config.yaml itself.",
		},
		{
			Code: UnreadableReference, Title: "A file that cannot be read",
			Means: "A file that `include`, `policy.holidays` or `${file:PATH}` names is missing, empty, a folder or closed to the user that runs the program.",
			Do:    "Check the path, which counts from the folder of config.yaml, and the permissions of the file.",
		},
	})
}
