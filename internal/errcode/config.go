package errcode

import "slices"

// InvalidConfiguration is the code of a configuration as a whole; each of its mistakes has one of its own.
const InvalidConfiguration Code = "invalid_configuration"

// configuration is what may be wrong with config.yaml and the files it includes, and what is warned of.
func configuration() []Entry {
	whole := in(AreaConfiguration, 3, []Entry{
		{
			Code: InvalidConfiguration, Title: "config.yaml has mistakes",
			Means: "Each mistake was printed with its file, line, column and a code of its own; all of them at once. Nothing was done.",
			Do:    "Mend the lines that were named, then try `permesso check`.",
		},
	})
	return slices.Concat(whole, configurationText(), configurationKeys(), configurationPlaces(), configurationCampaigns(), configurationPeople(),
		configurationDoubts(), configurationPeopleDoubts())
}
