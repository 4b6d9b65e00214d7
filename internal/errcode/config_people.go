package errcode

// Who is held out, and on which days nobody is written to.
const (
	InvalidShare      Code = "invalid_share"
	UnknownCalendar   Code = "unknown_calendar"
	InvalidClosedDays Code = "invalid_closed_days"

	InvalidRates       Code = "invalid_rates"
	InvalidBudget      Code = "invalid_budget"
	BudgetWithoutRates Code = "budget_without_rates"
	RetentionTooShort  Code = "retention_too_short"

	HoldoutOfEverybody       Code = "holdout_of_everybody"
	HoldoutOfServiceMessages Code = "holdout_of_service_messages"
	HolidaysEndAtMidnight    Code = "holidays_end_at_midnight"
)

// configurationPeople is what may be wrong with holdouts and holidays.
func configurationPeople() []Entry {
	return in(AreaConfiguration, 3, []Entry{
		{
			Code: InvalidShare, Title: "A share that cannot be read",
			Means: "A share of the people is a number from 0 to 100 with a percent sign and at most four decimals.",
			Do:    "Write it like `5%` or `0.5%`.",
			Example: `wrong:  holdout: 0.05
right:  holdout: 5%`,
		},
		{
			Code: UnknownCalendar, Title: "Holidays that are not known",
			Means: "`policy.holidays` names countries whose calendars are part of the program, in two capitals, and files of days whose names end in `.csv`. The message lists the countries.",
			Do:    "Write one of the countries; for another, list its days in a file and name that.",
			Example: `wrong:  holidays: [Italy]
right:  holidays: [IT, closed-days.csv]`,
		},
		{
			Code: InvalidClosedDays, Title: "A file of closed days with a mistake",
			Means: "The file begins with the line `date,name`, and each row below is one day, such as `2026-08-10,Summer closing`. None of it is used while a row is wrong.",
			Do:    "Mend the line that was named.",
		},
		{
			Code: InvalidRates, Title: "A file of prices with a mistake",
			Means: "`rates` names a CSV file that begins with the line `countries,category,price,currency,valid_from`. Each row below is the price of one message to some countries, such as `IT,marketing,0.0572,EUR,2026-10-01` or `AT;BE;CH,utility,0.03,EUR,`. None of it is used while a row is wrong: a wrong price would be a wrong budget.",
			Do:    "Mend the line that was named. Meta's price list is on its pricing page.",
		},
		{
			Code: InvalidBudget, Title: "A budget that cannot be read, or in another currency",
			Means: "A budget is an amount and the three letters of a currency, that of the file of `rates`: nothing is converted.",
			Do:    "Write it in the currency of the rates.",
			Example: `wrong:  budget: 500€
right:  budget: 500 EUR`,
		},
		{
			Code: BudgetWithoutRates, Title: "A budget without prices",
			Means: "What a run costs is reckoned by `rates`. Without them a budget could not be kept to.",
			Do:    "Write `rates: rates.csv`, with Meta's prices in that file, or remove `budget`.",
		},
		{
			Code: RetentionTooShort, Title: "What is still needed would be deleted",
			Means: "Deliveries are needed while Meta may still report on their messages, and while a cap counts them; bodies of webhooks while Meta may repeat them.",
			Do:    "Write a longer span, or remove the key to keep everything.",
			Example: `wrong:  retention: {deliveries: 7d}
right:  retention: {deliveries: 395d}`,
		},
	})
}

// configurationPeopleDoubts is what `check` warns of in them.
func configurationPeopleDoubts() []Entry {
	return in(AreaConfiguration, 0, []Entry{
		{
			Code: HoldoutOfEverybody, Title: "A holdout of everybody",
			Means: "With `100%` nobody is left to write to.",
			Do:    "Write a smaller share; to stop a campaign, remove its schedule.",
		},
		{
			Code: HoldoutOfServiceMessages, Title: "A holdout of messages that people wait for",
			Means: "The campaign is no marketing, and the people held out do not learn what it would have told them. `policy.universal_holdout` leaves such campaigns alone.",
			Do:    "Remove `holdout` from the campaign.",
		},
		{
			Code: HolidaysEndAtMidnight, Title: "Holidays without quiet hours",
			Means: "What waits for the end of a holiday may leave as soon as that day is over, which is at midnight, unless the campaign has a window.",
			Do:    "Set `policy.quiet_hours` for marketing.",
		},
	})
}
