package errcode

// Why Meta's Cloud API could not be asked. What Meta itself answers has the code meta_ with Meta's number.
const (
	GraphSettings   Code = "graph_settings"
	TokenMalformed  Code = "token_malformed"
	MetaUnreachable Code = "meta_unreachable"
	MetaStrange     Code = "meta_strange_answer"
	MetaRefused     Code = "meta_refused"
)

func meta() []Entry {
	return in(AreaMeta, 1, []Entry{
		{
			Code: GraphSettings, Title: "The settings of the Cloud API do not fit together",
			Means: "Base address, version or account under `graph` in config.yaml cannot be used.",
			Do:    "Correct the key that was named; `permesso check` reads them again.",
		},
		{
			Code: TokenMalformed, Title: "The access token cannot be one",
			Means: "It is empty, or has a space or another character in it that no token has. Often a line break or a quote was copied with it.",
			Do:    "Put the token anew into what `graph.access_token` in config.yaml names.",
		},
		{
			Code: MetaUnreachable, Title: "Meta does not answer",
			Means: "No connection came about, it broke, or no answer came in time. Nothing was changed.",
			Do:    "Check the network, the proxy and `graph.base_url`; then repeat the verb.",
		},
		{
			Code: MetaStrange, Title: "The answer is none of Meta's",
			Means: "Something answers at `graph.base_url` that does not speak as the Cloud API does: often a proxy's page, or a wrong address.",
			Do:    "Check `graph.base_url` in config.yaml and the proxy in between; if it is Meta itself, try again later.",
		},
		{
			Code: MetaRefused, Title: "Meta refused with a code that is not in its list",
			Means: "Meta answered with an error that its pages do not describe yet; its own words follow.",
			Do:    "Look for the number on Meta's page of error codes, and at Meta's status page.",
		},
	})
}
