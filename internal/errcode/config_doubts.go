package errcode

// Warnings: they stop nothing.
const (
	IncludedTwice         Code = "included_twice"
	AboveMetasLimit       Code = "above_metas_limit"
	DoubtfulTimezone      Code = "doubtful_timezone"
	CapOfZero             Code = "cap_of_zero"
	WindowOverAtStart     Code = "window_over_at_start"
	OffsetOfAnotherSeason Code = "offset_of_another_season"
	CronEitherDay         Code = "cron_either_day"
	NoStopButton          Code = "no_stop_button"
	ShortSecret           Code = "short_secret"
)

// configurationDoubts is what `check` warns of: allowed, and probably not meant. The program does not end with it.
func configurationDoubts() []Entry {
	return in(AreaConfiguration, 0, []Entry{
		{
			Code: IncludedTwice, Title: "A file that is included twice",
			Means: "Two entries of `include` match the same file. It is read once.",
			Do:    "Remove one of them.",
		},
		{
			Code: AboveMetasLimit, Title: "More than Meta allows",
			Means: "Meta grants a number at most 1000 messages in a second, and refuses what is beyond.",
			Do:    "Write what WhatsApp Manager shows for the number.",
		},
		{
			Code: DoubtfulTimezone, Title: "A time zone that is rarely meant",
			Means: "The zone exists and has the same offset all year round; in names such as Etc/GMT+2 the sign is turned round as well.",
			Do:    "Write the zone of the city whose clocks you mean.",
			Example: `wrong:  timezone: Etc/GMT+2
right:  timezone: Europe/Rome`,
		},
		{
			Code: CapOfZero, Title: "A cap of zero",
			Means: "`max: 0` means never: no message that the cap counts ever goes out. An absent cap means no limit.",
			Do:    "Keep it if you mean never; for no limit remove the cap.",
		},
		{
			Code: WindowOverAtStart, Title: "A window that is over when the schedule fires",
			Means: "The schedule fires after the window has closed for the day, so all its messages wait for the next day.",
			Do:    "Let the schedule fire before the window ends.",
			Example: `wrong:  schedule: {cron: "0 21 * * FRI"}
        window: {from: "18:00", to: "20:00"}
right:  schedule: {cron: "0 18 * * FRI"}
        window: {from: "18:00", to: "20:00"}`,
		},
		{
			Code: OffsetOfAnotherSeason, Title: "The offset of another season",
			Means: "The zone has that offset in the other half of the year: the moment is an hour off what the clocks there show.",
			Do:    "Write the offset that was proposed, if you mean the time on the clocks there.",
			Example: `wrong:  at: 2026-07-01T18:00:00+01:00
right:  at: 2026-07-01T18:00:00+02:00`,
		},
		{
			Code: CronEitherDay, Title: "A cron expression with two kinds of days",
			Means: "With a day of month and a weekday, cron fires on days that meet either of them, which is rarely meant.",
			Do:    "Put `*` into one of the two fields.",
		},
		{
			Code: NoStopButton, Title: "A marketing campaign without a stop button",
			Means: "People who cannot say stop easily block the number or report it, which costs more than one reader.",
			Do:    "Give the template a quick reply and bind it: `buttons: {0: {payload: opt_out}}`.",
		},
		{
			Code: ShortSecret, Title: "A signing secret that is short",
			Means: "Whoever guesses the secret of `notify` can forge notices. Standard Webhooks asks for at least 24 random bytes.",
			Do:    "Make a new one with `openssl rand -base64 32`, and give it to the receiver too.",
		},
	})
}
