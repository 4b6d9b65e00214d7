package imports

import (
	"strings"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/phone"
)

// reasonCodes are the codes of what a row, or one of its cells, is rejected for. A reason that names what would be
// right is known by how it begins.
var reasonCodes = []struct {
	reason string
	code   errcode.Code
}{
	{reasonTooFew, errcode.RowTooFewCells},
	{reasonTooMany, errcode.RowTooManyCells},
	{reasonUnclosed, errcode.RowUnclosedQuote},
	{reasonStrayQuote, errcode.RowStrayQuote},
	{reasonBareQuote, errcode.RowBareQuote},
	{reasonTooLong, errcode.RowTooLong},
	{reasonNotUTF8, errcode.RowNotUTF8},
	{reasonNUL, errcode.RowNUL},
	{reasonUnnamed, errcode.RowUnnamedColumn},
	{reasonTextLength, errcode.RowTextTooLong},
	{reasonLanguage, errcode.RowLanguage},
	{reasonZone, errcode.RowZone},
	{reasonAction, errcode.RowAction},
	{reasonPending, errcode.RowAction},
	{reasonAddress, errcode.RowAddress},
	{reasonField, errcode.RowField},
	{reasonTwoNames, errcode.RowField},
	{reasonNoName, errcode.RowUnnamedColumn},
	{reasonManyFields, errcode.RowTooManyCells},
	{reasonAgentLength, errcode.RowTextTooLong},
	{reasonFieldNUL, errcode.RowNUL},
	{reasonFieldUTF8, errcode.RowNotUTF8},
	{reasonNoSource, errcode.RowWithoutSource},
	{reasonNoWording, errcode.RowWithoutWording},
	{reasonNoTime, errcode.RowWithoutTime},
	{reasonTime, errcode.RowTime},
	{reasonNoOffset, errcode.RowTimeWithoutOffset},
	{reasonTimeZone, errcode.RowTimeWithoutOffset},
	{reasonTimeOrder, errcode.RowTimeOrder},
	{reasonTimeSerial, errcode.RowTimeIsNumber},
	{reasonTimeSkips, errcode.RowTimeSkipped},
	{reasonDay, errcode.RowDate},
	{reasonDayOrder, errcode.RowDateOrder},
	{reasonDaySerial, errcode.RowDateIsNumber},
	{reasonNoSuchDay, errcode.RowNoSuchDay},
	{reasonDateRange, errcode.RowNoSuchDay},
	{reasonPhoneDate, errcode.PhoneDate},
	{reasonPhoneMinus, errcode.PhoneNegative},
	{reasonLostDigits, errcode.RowLostDigits},
	{reasonCellError, errcode.RowCellError},
	{reasonNoResult, errcode.RowNoResult},
	{reasonFuture, errcode.RowFuture},
	{reasonLongAgo, errcode.RowLongAgo},
	{reasonScope, errcode.RowScope},
	{"the source is unknown;", errcode.RowSource},
	{"the category is unknown;", errcode.RowCategory},
}

// Code returns the code of a rejection's reason; errcode.Internal for a text that is none.
func Code(reason string) errcode.Code {
	for _, known := range reasonCodes {
		if strings.HasPrefix(reason, known.reason) {
			return known.code
		}
	}
	for _, err := range phone.Errors() {
		if err.Reason == reason {
			return err.Code
		}
	}
	return errcode.Internal
}
