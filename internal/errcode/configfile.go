package errcode

// A configuration that is not read at all; its mistakes are in config.go.
const (
	ConfigurationMissing    Code = "configuration_missing"
	ConfigurationUnreadable Code = "configuration_unreadable"
)

func configurationFile() []Entry {
	return in(AreaConfiguration, 3, []Entry{
		{
			Code: ConfigurationMissing, Title: "There is no configuration",
			Means: "The file is not there. Without `--config FILE` it is `config.yaml` in the current folder.",
			Do:    "Change to the folder where it is, name it with `--config FILE`, or write one with `permesso init`.",
		},
		{
			Code: ConfigurationUnreadable, Title: "The configuration cannot be read",
			Means: "The file is there, and the operating system does not let this user read it.",
			Do:    "Check its owner and permissions, and that it is a file and no folder.",
		},
	})
}
