package errcode

// Mistakes in campaigns and in the rules that hold for them.
const (
	DuplicateCampaign   Code = "duplicate_campaign"
	UndeclaredCategory  Code = "undeclared_category"
	UndeclaredCampaign  Code = "undeclared_campaign"
	UndeclaredNumber    Code = "undeclared_number"
	CapTwice            Code = "cap_twice"
	CapWithoutEffect    Code = "cap_without_effect"
	InvalidTimeOfDay    Code = "invalid_time_of_day"
	ImpossibleHours     Code = "impossible_hours"
	WindowNeverOpens    Code = "window_never_opens"
	InvalidDate         Code = "invalid_date"
	ImpossibleDate      Code = "impossible_date"
	MissingOffset       Code = "missing_offset"
	SkippedDate         Code = "skipped_date"
	InvalidCron         Code = "invalid_cron"
	InvalidSchedule     Code = "invalid_schedule"
	ScheduleNeverFires  Code = "schedule_never_fires"
	NothingIsSent       Code = "nothing_is_sent"
	InvalidAudience     Code = "invalid_audience"
	UnknownField        Code = "unknown_field"
	DefaultWithoutField Code = "default_without_field"
	InvalidButton       Code = "invalid_button"
	StopButtonPayload   Code = "stop_button_payload"
)

// configurationCampaigns is what may be wrong with campaigns and the rules that hold for them.
func configurationCampaigns() []Entry {
	return in(AreaConfiguration, 3, []Entry{
		{
			Code: DuplicateCampaign, Title: "A campaign that is there twice",
			Means: "A campaign is known by its id, in config.yaml and in all included files together; the message names both places.",
			Do:    "Rename one of them, or remove it.",
		},
		{
			Code: UndeclaredCategory, Title: "A category that is not declared",
			Means: "People consent to the categories of this file, and this is none of them.",
			Do:    "Write one of them, or add it under `categories`.",
		},
		{
			Code: UndeclaredCampaign, Title: "A cap on a campaign that there is not",
			Means: "The cap names a campaign that is neither in config.yaml nor in the included files.",
			Do:    "Write the id of a campaign, or remove the cap.",
		},
		{
			Code: UndeclaredNumber, Title: "A number that is not declared",
			Means: "The campaign names a number to send from that is not under `numbers`.",
			Do:    "Write the id of one of them, or add it under `numbers`.",
		},
		{
			Code: CapTwice, Title: "Two caps on the same messages",
			Means: "Two caps count the same messages over the same span, and it is not clear which one is meant.",
			Do:    "Keep one of them.",
			Example: `wrong:  - {max: 1, per: 24h}
        - {max: 3, per: 1d}
right:  - {max: 1, per: 24h}`,
		},
		{
			Code: CapWithoutEffect, Title: "A cap that changes nothing",
			Means: "Another cap is always reached first, or the cap counts messages that there cannot be.",
			Do:    "Lower the cap, or remove it.",
			Example: `wrong:  - {max: 3, per: 24h}
        - {max: 2, per: 7d}
right:  - {max: 1, per: 24h}
        - {max: 2, per: 7d}`,
		},
		{
			Code: InvalidTimeOfDay, Title: "A time of day that cannot be read",
			Means: "A time of day has two digits for the hour, from 00 to 24, a colon and two for the minute, in quotes.",
			Do:    "Write `\"20:00\"`.",
			Example: `wrong:  {from: 8pm, to: 9}
right:  {from: "20:00", to: "09:00"}`,
		},
		{
			Code: ImpossibleHours, Title: "Hours that hold no time",
			Means: "From and to are the same, or the quiet hours fill the whole day, so nothing could ever be sent.",
			Do:    "Write two different times; leave the key out for no limit.",
		},
		{
			Code: WindowNeverOpens, Title: "A window that never opens",
			Means: "All of the window lies inside the quiet hours, so no message of the campaign could ever go out.",
			Do:    "Move the window or the quiet hours.",
		},
		{
			Code: InvalidDate, Title: "A date and time that cannot be read",
			Means: "A moment is written as year, month, day, `T`, hour, minute, second and the offset from UTC.",
			Do:    "Write it like `2026-12-31T20:00:00+01:00`.",
			Example: `wrong:  not_after: 31/12/2026
right:  not_after: 2026-12-31T20:00:00+01:00`,
		},
		{
			Code: ImpossibleDate, Title: "A day or a time that there is not",
			Means: "There is no such day in that month, or no such hour.",
			Do:    "Write another day.",
		},
		{
			Code: MissingOffset, Title: "A date without an offset",
			Means: "18:00 is another moment in every zone, so the moment says how far it is from UTC.",
			Do:    "Write the offset behind it; the message shows it for the zone of the campaign.",
			Example: `wrong:  at: 2026-12-24T18:00:00
right:  at: 2026-12-24T18:00:00+01:00`,
		},
		{
			Code: SkippedDate, Title: "A time that the clocks skip",
			Means: "On the day on which summer time begins, an hour is never shown on the clocks of that zone.",
			Do:    "Write a time before or after that hour.",
		},
		{
			Code: InvalidCron, Title: "A cron expression that cannot be read",
			Means: "The expression has five fields: minute, hour, day of month, month and weekday. No seconds, no zone.",
			Do:    "Write it like `\"0 18 * * FRI\"`, every Friday at 18:00; `permesso plan --next 30d` shows when it fires.",
		},
		{
			Code: InvalidSchedule, Title: "A schedule that cannot be followed",
			Means: "A schedule has either `cron` or `at`.",
			Do:    "Keep `cron` to repeat it, or `at` to send it once.",
		},
		{
			Code: ScheduleNeverFires, Title: "A schedule that never fires",
			Means: "Between `starts_at` and `ends_at` there is no time at which the schedule fires, or the end comes before the start.",
			Do:    "Move one of them.",
		},
		{
			Code: NothingIsSent, Title: "A campaign that is over before it begins",
			Means: "`not_after` is not later than the first moment at which something could go out.",
			Do:    "Move `not_after`, or the schedule.",
		},
		{
			Code: InvalidAudience, Title: "A filter that cannot be read",
			Means: "The filter of the audience or of a segment names something that there is not, or its parts do not fit together. The message points at the column.",
			Do:    "Write it like `country = \"IT\" AND segment.rich`; `permesso plan CAMPAIGN` shows the filter as it was read.",
			Example: `wrong:  audience: country = "IT" AND tags:vip OR tags:new
right:  audience: country = "IT" AND (tags:vip OR tags:new)`,
		},
		{
			Code: UnknownField, Title: "A field that contacts do not have",
			Means: "A parameter is filled from the contact: `name`, `external_id`, `language`, `country`, `timezone` or `attributes.` with the name of a column.",
			Do:    "Write one of them.",
			Example: `wrong:  {field: points}
right:  {field: attributes.points}`,
		},
		{
			Code: DefaultWithoutField, Title: "A default without a field",
			Means: "A default stands in for a field that a person does not have; a fixed text or a picture needs none.",
			Do:    "Remove the default, or write `field`.",
		},
		{
			Code: InvalidButton, Title: "A button that there cannot be",
			Means: "Buttons are named by their place in the template, counted from 0, and there are at most ten.",
			Do:    "Write the place, as in `buttons: {0: {payload: opt_out}}`.",
		},
		{
			Code: StopButtonPayload, Title: "A stop button that would stop nothing",
			Means: "The payload looks like the one of the stop button and is not it, so people who press it would go on getting messages.",
			Do:    "Write `payload: opt_out`.",
			Example: `wrong:  buttons: {0: {payload: OptOut}}
right:  buttons: {0: {payload: opt_out}}`,
		},
	})
}
