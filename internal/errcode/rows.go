package errcode

// Why a row of a file was not imported. Of its phone number phones.go tells.
const (
	RowTooFewCells    Code = "row_too_few_cells"
	RowTooManyCells   Code = "row_too_many_cells"
	RowUnclosedQuote  Code = "row_unclosed_quote"
	RowStrayQuote     Code = "row_text_after_quote"
	RowBareQuote      Code = "row_quote_inside_cell"
	RowTooLong        Code = "row_too_long"
	RowNotUTF8        Code = "row_not_utf8"
	RowNUL            Code = "row_damaged"
	RowUnnamedColumn  Code = "row_unnamed_column"
	RowTextTooLong    Code = "row_text_too_long"
	RowLanguage       Code = "row_language_unknown"
	RowZone           Code = "row_timezone_unknown"
	RowAction         Code = "row_action_unknown"
	RowUnconfirmable  Code = "row_unconfirmable"
	RowSource         Code = "row_source_unknown"
	RowCategory       Code = "row_category_unknown"
	RowWithoutSource  Code = "row_without_source"
	RowWithoutWording Code = "row_without_wording"
	RowWithoutTime    Code = "row_without_time"
	RowTime           Code = "row_time_unreadable"
	RowFuture         Code = "row_time_in_future"
	RowLongAgo        Code = "row_time_before_1970"
	RowScope          Code = "row_scope_unknown"
	RowField          Code = "row_field_unknown"
	RowFieldKind      Code = "row_field_wrong_kind"
	RowAddress        Code = "row_address_unreadable"
	RowErased         Code = "row_person_erased"

	RowTimeWithoutOffset Code = "row_time_without_offset"
	RowTimeOrder         Code = "row_time_ambiguous"
	RowTimeIsNumber      Code = "row_time_is_number"
	RowTimeSkipped       Code = "row_time_skipped_or_repeated"
	RowDate              Code = "row_date_unreadable"
	RowDateOrder         Code = "row_date_ambiguous"
	RowDateIsNumber      Code = "row_date_is_number"
	RowNoSuchDay         Code = "row_no_such_day"
	RowLostDigits        Code = "row_digits_lost"
	RowCellError         Code = "row_cell_error"
	RowNoResult          Code = "row_formula_without_result"
)

func rows() []Entry {
	return in(AreaRows, 0, []Entry{
		{
			Code: RowTooFewCells, Title: "The row has fewer cells than the header",
			Means: "The row was cut off, or a separator is missing, so that cells would stand in the wrong columns.",
			Do:    "Compare the row in `FILE.rejected.csv` with the header and add what is missing.",
		},
		{
			Code: RowTooManyCells, Title: "The row has more cells than the header",
			Means: "Usually a cell contains the separator, such as a comma in a name.",
			Do:    "Put that cell into double quotes.",
			Example: "phone,name\n" +
				`+393471234567,"Rossi, Anna"`,
		},
		{
			Code: RowUnclosedQuote, Title: "A double quote is never closed",
			Means: "Everything behind it would belong to one cell, also the rows that follow.",
			Do:    "Close the quote, and write a quote inside a cell twice.",
		},
		{
			Code: RowStrayQuote, Title: "Text follows a closing quote",
			Means: "The cell ends with its double quote, and more text stands before the next separator.",
			Do:    "Write a quote inside a cell twice: `\"the \"\"best\"\" offer\"`.",
		},
		{
			Code: RowBareQuote, Title: "A quote stands inside a cell without quotes",
			Means: "Readers of CSV do not agree what such a cell holds, so it is not guessed.",
			Do:    "Put the cell into double quotes and write the inner quote twice.",
		},
		{
			Code: RowTooLong, Title: "The row is longer than 1 MiB",
			Means: "No person's row is; a line break or a closing quote is missing.",
			Do:    "Look at the line that was named, and mend its quotes.",
		},
		{
			Code: RowNotUTF8, Title: "The row is not UTF-8 text",
			Means: "A letter in it is written in another encoding than the rest of the file.",
			Do:    "Save the file as \"CSV UTF-8\" and import it again.",
		},
		{
			Code: RowNUL, Title: "The row is damaged",
			Means: "It has a NUL character in it, which comes from a file that was cut or written badly.",
			Do:    "Export the file again.",
		},
		{
			Code: RowUnnamedColumn, Title: "A cell is filled in a column without a name",
			Means: "It is not known what the cell says, and it is not thrown away in silence.",
			Do:    "Name the column in the header, or empty the cell.",
		},
		{
			Code: RowTextTooLong, Title: "A text is longer than 255 characters",
			Means: "Names, attributes and tags are short; a long one is usually a closing quote that is missing.",
			Do:    "Shorten it, or close the quote.",
		},
		{
			Code: RowLanguage, Title: "The language is unknown",
			Means: "Languages are written in BCP 47, and the message's language is chosen by them.",
			Do:    "Write a code such as `it` or `pt-BR`.",
		},
		{
			Code: RowZone, Title: "The time zone is unknown",
			Means: "Time zones are written by their IANA names, and quiet hours go by them.",
			Do:    "Write a name such as `Europe/Rome`, or leave the cell empty.",
		},
		{
			Code: RowAction, Title: "The action is unknown",
			Means: "A row of consents says that somebody agreed, or that they no longer do.",
			Do:    "Write `granted` or `revoked`.",
		},
		{
			Code: RowUnconfirmable, Title: "Nobody could confirm the consent",
			Means: "A consent that is `pending` is confirmed by a message of the person's to the business's own number, and the configuration does not tell it.",
			Do:    "Write the number as `phone` of one of `numbers`, and send the same again.",
		},
		{
			Code: RowSource, Title: "The source is unknown",
			Means: "The source says where the person acted, and is one of a fixed list.",
			Do:    "Write one of the sources that were listed, such as `web_form`.",
		},
		{
			Code: RowField, Title: "There is no such field",
			Means: "A consent or a contact that a program sent to /api/v1 has a field that is read nowhere. Nothing of it was taken, so that nothing of it is lost.",
			Do:    "Write the field that was proposed, leave it out, or put what you want to keep of a contact under `attributes`.",
		},
		{
			Code: RowFieldKind, Title: "A field is of the wrong kind",
			Means: "A field that a program sent to /api/v1 is a number, a list or an object where a text belongs. A phone number as a number would lose its plus and its zeros.",
			Do:    "Put the value in double quotes; `/api/v1/openapi.json` says of what kind each field is.",
		},
		{
			Code: RowAddress, Title: "The network address cannot be read",
			Means: "The address from which a person acted is part of the proof, and this is no IPv4 or IPv6 address.",
			Do:    "Write the address alone, without a port, or leave it out.",
		},
		{
			Code: RowErased, Title: "The person was erased",
			Means: "The person asked to be forgotten, so that nothing is kept of them again.",
			Do:    "Take them off the list that you send from.",
		},
		{
			Code: RowCategory, Title: "The category is unknown",
			Means: "People consent to the categories of config.yaml, by the names that they have there.",
			Do:    "Correct the name, or add the category to config.yaml.",
		},
		{
			Code: RowWithoutSource, Title: "A granted consent has no source",
			Means: "Without where it was given it could not be proved later, and what cannot be proved does not count.",
			Do:    "Fill the column `source`.",
		},
		{
			Code: RowWithoutWording, Title: "A granted consent has no wording",
			Means: "Without the words that the person agreed to it could not be proved later.",
			Do:    "Fill the column `wording` with the text that was shown.",
		},
		{
			Code: RowWithoutTime, Title: "The time is empty",
			Means: "Without its time nobody could say whether a consent or a stop still holds.",
			Do:    "Write when it happened, such as `2026-11-20T18:30:00+01:00`.",
		},
		{
			Code: RowTime, Title: "The time cannot be read",
			Means: "Times are in RFC 3339, with date, time and offset, so that none is read in the wrong zone.",
			Do:    "Write it such as `2026-11-20T18:30:00+01:00`.",
		},
		{
			Code: RowTimeWithoutOffset, Title: "The time has no offset",
			Means: "Without it the time may be hours off, and of two acts the wrong one may count as the later.",
			Do:    "Add the offset of the place where it was taken, as in `2026-11-20T18:30:00+01:00`.",
		},
		{
			Code: RowTimeOrder, Title: "Day and month of the time could be taken for each other",
			Means: "It does not begin with the year.",
			Do:    "Write it such as `2026-11-20T18:30:00+01:00`.",
		},
		{
			Code: RowTimeIsNumber, Title: "The time is a spreadsheet's day number",
			Means: "Spreadsheets count days from 1900 and show them as dates; this file has the bare number.",
			Do:    "Format the column as `yyyy-mm-ddThh:mm:ss`, add the offset, and export it again, or import the workbook itself with a column of dates.",
		},
		{
			Code: RowTimeSkipped, Title: "The clocks skip or repeat this time",
			Means: "A workbook's times have no offset and are read in the business's time zone, where this one does not exist, or exists twice, because the clocks change.",
			Do:    "Write it as text with its offset, such as `2026-10-25T02:30:00+01:00`.",
		},
		{
			Code: RowDate, Title: "The date cannot be read",
			Means: "Attributes that config.yaml declares as dates are written year-month-day.",
			Do:    "Write it such as `2026-11-21`.",
		},
		{
			Code: RowDateOrder, Title: "Day and month of the date could be taken for each other",
			Means: "It does not begin with the year.",
			Do:    "Write it such as `2026-11-21`.",
		},
		{
			Code: RowDateIsNumber, Title: "The date is a spreadsheet's day number",
			Means: "Spreadsheets count days from 1900 and show them as dates; this file has the bare number.",
			Do:    "Format the column as `yyyy-mm-dd` and export it again, or as a date in the workbook and import that.",
		},
		{
			Code: RowNoSuchDay, Title: "The calendar has no such day",
			Means: "The month has fewer days, or the number of a workbook's date lies outside all dates.",
			Do:    "Check day and month.",
		},
		{
			Code: RowLostDigits, Title: "The number's last digits are lost",
			Means: "A spreadsheet keeps 15 digits of a number and writes zeros for the rest.",
			Do:    "Format the column as text and type it again.",
		},
		{
			Code: RowCellError, Title: "The cell shows an error of the spreadsheet",
			Means: "Its formula could not be reckoned, as in `#N/A`.",
			Do:    "Mend the formula, or empty the cell.",
		},
		{
			Code: RowNoResult, Title: "The formula has no result in the file",
			Means: "Formulas are not reckoned here; the result that the spreadsheet stored is read, and there is none.",
			Do:    "Open the workbook in a spreadsheet program, save it, and import it again.",
		},
		{
			Code: RowFuture, Title: "The time lies in the future",
			Means: "Nobody has acted at a time that has not come; usually the offset is wrong.",
			Do:    "Write when it happened, with the right offset.",
		},
		{
			Code: RowLongAgo, Title: "The time is before 1970",
			Means: "There was no such consent then; usually a spreadsheet misread the date.",
			Do:    "Write when it happened.",
		},
		{
			Code: RowScope, Title: "The scope is unknown",
			Means: "A stop covers everything, a kind of messages or a category. One that is not understood is not narrowed by guessing.",
			Do:    "Write `all`, `kind:marketing`, `kind:utility`, `kind:authentication` or `category:` and one of the categories in config.yaml.",
		},
	})
}
