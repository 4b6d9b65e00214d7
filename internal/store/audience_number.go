package store

import (
	"fmt"

	"github.com/permesso/permesso/scheduler"
)

// number compares digits, as scheduler.Decimal does: floating point would round, each database in its own way, and PostgreSQL's
// casts fail on what is no number, or too large a one.
func (c *sieveCompiler) number(t *scheduler.Test, value string) string {
	answer := "TRUE"
	if t.Op != scheduler.Present {
		answer = c.compareNumber(t)
	}
	const digits = "'0123456789'"
	signed := "SELECT substr(t, 1, 1) = '-' AS minus, CASE WHEN substr(t, 1, 1) IN ('-', '+') THEN substr(t, 2) ELSE t END AS body FROM (SELECT " + value + " AS t LIMIT 1) AS v LIMIT 1"
	// What follows the first digits of a number is nothing, or a point and digits.
	parted := "SELECT minus, body, ltrim(body, " + digits + ") AS rest FROM (" + signed + ") AS x LIMIT 1"
	number := "SELECT minus, ltrim(substr(body, 1, length(body) - length(rest)), '0') AS whole, rtrim(substr(rest, 2), '0') AS fraction FROM (" + parted + `) AS y
		WHERE length(rest) < length(body) AND (rest = '' OR substr(rest, 1, 1) = '.' AND length(rest) > 1 AND ltrim(substr(rest, 2), ` + digits + ") = '') LIMIT 1"
	return "(SELECT " + answer + " FROM (" + number + ") AS n)"
}

// compareNumber compares sign and digits with the test's: the number with more digits before its point is farther from zero; of
// as many, these digits decide, and then those after the point.
func (c *sieveCompiler) compareNumber(t *scheduler.Test) string {
	wanted := t.Number
	size := func(operator string) string {
		return fmt.Sprintf("(length(whole), whole, fraction) %s (%s, %s, %s)", operator, c.bind(len(wanted.Whole)), c.bind(wanted.Whole), c.bind(wanted.Fraction))
	}
	zero := wanted == scheduler.Decimal{}
	var answer string
	switch t.Op {
	case scheduler.Equal, scheduler.NotEqual:
		switch {
		case zero: // -0 is 0
			answer = size("=")
		case wanted.Negative:
			answer = "minus AND " + size("=")
		default:
			answer = "NOT minus AND " + size("=")
		}
	case scheduler.Less, scheduler.GreaterEqual:
		if wanted.Negative || zero {
			answer = "minus AND " + size(">")
		} else {
			answer = "minus OR " + size("<")
		}
	case scheduler.Greater, scheduler.LessEqual:
		if wanted.Negative {
			answer = "NOT minus OR " + size("<")
		} else {
			answer = "NOT minus AND " + size(">")
		}
	default:
		return "NULL"
	}
	switch t.Op {
	case scheduler.NotEqual, scheduler.GreaterEqual, scheduler.LessEqual: // a number's comparison is never unknown
		return "NOT (" + answer + ")"
	}
	return answer
}
