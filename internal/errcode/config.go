package errcode

// Mistakes in config.yaml.
const (
	InvalidConfiguration Code = "invalid_configuration"
)

// configuration is what may be wrong with config.yaml and the files it includes.
func configuration() []Entry {
	return in(AreaConfiguration, 3, []Entry{
		{
			Code: InvalidConfiguration, Title: "config.yaml has mistakes",
			Means: "Each mistake was printed with its file, line, column and a code of its own; all of them at once. Nothing was done.",
			Do:    "Mend the lines that were named, then try `permesso check`.",
		},
	})
}
