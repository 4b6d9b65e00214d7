package imports

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/permesso/permesso/policy"
)

// Why a row as a whole is rejected.
const (
	reasonTooFew     = "the row has fewer cells than the header; it may have been cut off here, or a separator is missing"
	reasonTooMany    = "the row has more cells than the header; put a cell that contains the separator into double quotes"
	reasonUnclosed   = "a double quote is opened and never closed; close it, and write a quote inside a cell twice"
	reasonStrayQuote = "text follows the closing double quote of a cell; write a quote inside a cell twice"
	reasonBareQuote  = "a double quote stands inside a cell that does not begin with one; put the cell into double quotes and write the inner quote twice"
	reasonTooLong    = "the row is longer than 1 MiB; a line break or a closing double quote may be missing"
	reasonNotUTF8    = `the row is not UTF-8 text; save the file as "CSV UTF-8" and import it again`
	reasonNUL        = "the row contains a NUL character, as a damaged file does; save the file again"
	reasonUnnamed    = "a cell is filled in a column that has no name; name the column in the header or empty the cell"
)

// Why a cell is rejected. Those of phone numbers are internal/phone's.
const (
	reasonTextLength  = "the text is longer than 255 characters; shorten it, and check that no closing double quote is missing"
	reasonLanguage    = "the language is unknown; write its BCP 47 code, such as it or pt-BR"
	reasonZone        = "the time zone is unknown; write its IANA name, such as Europe/Rome"
	reasonAction      = "the action is unknown; write granted or revoked"
	reasonPending     = "the action is unknown; write granted, pending or revoked"
	reasonAddress     = "the address is no IPv4 or IPv6 address; write it alone, without a port, or leave it out"
	reasonField       = "there is no such field; leave it out"
	reasonTwoNames    = "two attributes would have the same name: small letters, digits and underscores are kept of it; rename one of them"
	reasonNoName      = "the attribute has no name; name it or leave it out"
	reasonManyFields  = "there are more than 1000 attributes; keep those that are needed"
	reasonAgentLength = "the text is longer than 1000 characters; shorten it"
	reasonFieldNUL    = "the text contains a NUL character; take it out"
	reasonFieldUTF8   = "the text is not UTF-8; send it as UTF-8"
	reasonNoSource    = "a granted consent without its source could not be proved later; write how it was given"
	reasonNoWording   = "a granted consent without its wording could not be proved later; write the words that the person agreed to"
	reasonNoTime      = "the time is empty; write when it happened, such as 2026-11-20T18:30:00+01:00"
	reasonTime        = "the time is not in RFC 3339; write date, time and offset, such as 2026-11-20T18:30:00+01:00"
	reasonNoOffset    = "the time has no offset, so it may be hours off; add the one of the place where it was taken, such as +01:00 in 2026-11-20T18:30:00+01:00"
	reasonTimeOrder   = "the time does not begin with the year, so day and month could be taken for each other; write it like 2026-11-20T18:30:00+01:00"
	reasonTimeSerial  = "the time is a spreadsheet's day number; format the column as yyyy-mm-ddThh:mm:ss, add the offset, and export it again, or import the workbook itself with a column of dates"
	reasonTimeSkips   = "the clocks of the business's time zone skip or repeat this time; write it as text with its offset, such as 2026-10-25T02:30:00+01:00"
	reasonTimeZone    = "a workbook's time has no offset and no time zone is known for it; write it as text, such as 2026-11-20T18:30:00+01:00"
	reasonDay         = "the date is not written year-month-day; write it like 2026-11-21"
	reasonDayOrder    = "the date does not begin with the year, so day and month could be taken for each other; write it like 2026-11-21"
	reasonDaySerial   = "the date is a spreadsheet's day number; format the column as yyyy-mm-dd and export it again, or as a date in the workbook and import that"
	reasonNoSuchDay   = "the calendar has no such day; check day and month"
	reasonFuture      = "the time is in the future; write when it happened, with the right offset"
	reasonLongAgo     = "the time is before 1970; write when it happened"
	reasonScope       = "the scope is unknown; write all, kind:marketing, kind:utility, kind:authentication or category: and one of the categories in config.yaml"
)

// Why a workbook's cell is rejected.
const (
	reasonPhoneDate  = "the phone number is a date in the workbook; format the column as text and type the number again"
	reasonPhoneMinus = "the phone number is a negative number in the workbook, as when a spreadsheet computes +39-347; format the column as text and type the number again"
	reasonLostDigits = "the number has more than the 15 digits that a spreadsheet keeps, so its last ones are lost; format the column as text and type it again"
	reasonCellError  = "the cell shows an error of the spreadsheet, such as #N/A; mend its formula or empty the cell"
	reasonNoResult   = "the cell's formula has no result in the file; open the workbook in a spreadsheet program, save it, and import it again"
	reasonDateRange  = "the cell is formatted as a date and its number is none; type the date again"
)

// reasonSource and reasonCategory name what would be right; it is the same for every row of an import.
func reasonSource() string {
	return "the source is unknown; write one of " + strings.Join(policy.Sources(), ", ")
}

func reasonCategory(categories map[string]policy.Category) string {
	if len(categories) == 0 {
		return "the category is unknown; config.yaml has no categories"
	}
	return "the category is unknown; those in config.yaml are " + strings.Join(slices.Sorted(maps.Keys(categories)), ", ")
}

const problemsPerReason = 10

// reject counts one rejection and keeps the first of each kind.
func (r *Result) reject(rejection Rejection) {
	r.Rejected++
	if rejection.Code == "" {
		rejection.Code = Code(rejection.Reason)
	}
	r.ByReason[rejection.Code]++
	if r.ByReason[rejection.Code] <= problemsPerReason {
		r.Problems = append(r.Problems, rejection)
	}
}

// note is a doubt about a row that is imported all the same.
type note uint8

const (
	noteUnnamedBusiness note = 1 << iota
	noteOutsidePlan
	noteCutOff
	noteHiddenRow
	noteLocalTime
)

// notes are all of them, in the order in which they are told.
func notes() []note {
	return []note{noteUnnamedBusiness, noteOutsidePlan, noteCutOff, noteHiddenRow, noteLocalTime}
}

const linesNamed = 5

// sighting counts the rows with one note.
type sighting struct {
	count int
	lines []string // the first of them
}

func (s *sighting) add(line int) {
	s.count++
	if len(s.lines) < linesNamed {
		s.lines = append(s.lines, fmt.Sprint(line))
	}
}

// where names the lines for people: "lines 2, 9 and 3 more".
func (s *sighting) where() string {
	switch more := s.count - len(s.lines); {
	case s.count == 1:
		return "line " + s.lines[0]
	case more > 0:
		return fmt.Sprintf("lines %s and %d more", strings.Join(s.lines, ", "), more)
	}
	return "lines " + strings.Join(s.lines, ", ")
}

// warnings says each note once, however many rows have it.
func warnings(seen map[note]*sighting, o Options) []string {
	var out []string
	if s := seen[noteUnnamedBusiness]; s != nil {
		out = append(out, fmt.Sprintf("the wording of %s does not name %s: who agreed may not have known to whom (%s)", rows(s.count), o.BusinessName, s.where()))
	}
	if s := seen[noteOutsidePlan]; s != nil {
		out = append(out, fmt.Sprintf("the number of %s fits no numbering plan and was stopped as it is written, with a plus in front: check its country code (%s)", rows(s.count), s.where()))
	}
	if s := seen[noteCutOff]; s != nil {
		out = append(out, fmt.Sprintf("the file ends inside %s, right behind a phone number: check that the number is whole", s.where()))
	}
	if s := seen[noteHiddenRow]; s != nil {
		out = append(out, fmt.Sprintf("hidden in the sheet, and imported like the others: %s (%s)", rows(s.count), s.where()))
	}
	if s := seen[noteLocalTime]; s != nil {
		out = append(out, fmt.Sprintf("the times of %s have no offset in the workbook and were read as times of %s (%s)", rows(s.count), o.Zone, s.where()))
	}
	return out
}

func rows(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

// cut shortens what is quoted back from a file.
func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
