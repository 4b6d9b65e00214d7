package errcode

// Why a template cannot be shown or sent. That it is missing or not approved is a reason as well, and stands there.
const (
	TemplateParameters Code = "template_parameters_differ"
	TemplateAbsent     Code = "no_such_template"
	TemplateLanguage   Code = "no_such_template_language"
	TemplatesNeverRead Code = "templates_never_read"
	NoAccount          Code = "no_account_id"
)

func missingTemplates() []Entry {
	return append(in(AreaTemplates, 5, []Entry{
		{
			Code: TemplateParameters, Title: "The template has other parameters than the campaign",
			Means: "The template was changed at Meta, or the campaign fills variables that it does not have. Meta would refuse every message, so no run starts.",
			Do:    "Compare `parameters` of the campaign with `permesso templates show NAME LANG`, then try `permesso check --online`.",
		},
	}), in(AreaTemplates, 1, []Entry{
		{
			Code: TemplateAbsent, Title: "Meta lists no such template",
			Means: "The templates of the last sync have none of this name.",
			Do:    "Take the name that was suggested, or read the list anew with `permesso templates sync`.",
		},
		{
			Code: TemplateLanguage, Title: "The template does not exist in this language",
			Means: "Meta keeps each language of a template by itself, and `en` is another than `en_US`.",
			Do:    "Take one of the languages that were listed.",
		},
		{
			Code: TemplatesNeverRead, Title: "The templates were never read from Meta",
			Means: "The list is empty, because it was not asked for yet.",
			Do:    "Read it with `permesso templates sync`.",
		},
		{
			Code: NoAccount, Title: "No WhatsApp Business Account is configured",
			Means: "Templates belong to an account, and `graph.account_id` is empty.",
			Do:    "Set `graph.account_id` in config.yaml to the account's digits.",
		},
	})...)
}
