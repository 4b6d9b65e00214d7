package store

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/permesso/permesso/scheduler"
)

// sieve is an audience as a condition on contacts c. SQL's true, false and NULL are the filter's true, false and unknown, and its
// AND, OR and NOT carry them as the filter's do; scheduler.Audience says what each test means, and scheduler.Reach.Has is what
// this must always agree with.
//
// No text of a filter is in the condition: each value, and each name of an attribute, is a parameter. Nothing in it can fail on
// what a contact holds: texts are taken apart and compared as texts, never cast before their form is known.
type sieve struct {
	condition string // after AND, or "" for everybody
	args      []any
}

// newSieve compiles a reach as of a time. The condition's parameters follow the first ones, which belong to the query around it.
// nobody reports an audience that has no filter and is not everyone's.
func newSieve(d dialect, reach scheduler.Reach, now time.Time, first ...any) (s sieve, nobody bool) {
	root := reach.Audience.Root()
	if root == nil {
		return sieve{args: first}, !reach.Audience.Everyone()
	}
	c := sieveCompiler{dialect: d.audience, category: reach.Category, now: now, args: append([]any(nil), first...)}
	condition := " AND " + c.node(root)
	return sieve{condition: condition, args: c.args}, false
}

// sieveCompiler gathers the parameters while it writes the condition.
type sieveCompiler struct {
	dialect  audienceDialect
	category string
	now      time.Time
	args     []any
	space    string // the parameter with every character that is space
}

// bind makes a value a parameter and returns its placeholder.
func (c *sieveCompiler) bind(value any) string {
	c.args = append(c.args, value)
	return "$" + strconv.Itoa(len(c.args))
}

func (c *sieveCompiler) node(n *scheduler.Node) string {
	switch n.Kind {
	case scheduler.NodeTest:
		return c.test(&n.Test)
	case scheduler.NodeSegment:
		return c.node(n.Args[0])
	case scheduler.NodeNot:
		return "NOT " + c.node(n.Args[0])
	case scheduler.NodeAnd:
		return c.chain(" AND ", n.Args)
	case scheduler.NodeOr:
		return c.chain(" OR ", n.Args)
	}
	return "(NULL)"
}

// chain joins the arguments half by half: SQLite counts a chain of n as n deep, and refuses a thousand.
func (c *sieveCompiler) chain(operator string, args []*scheduler.Node) string {
	if len(args) == 1 {
		return c.node(args[0])
	}
	half := len(args) / 2
	left := c.chain(operator, args[:half])
	return "(" + left + operator + c.chain(operator, args[half:]) + ")"
}

// test is the condition of one comparison, in parentheses.
func (c *sieveCompiler) test(t *scheduler.Test) string {
	switch t.Field {
	case scheduler.FieldCountry:
		return c.text(t, "c.country")
	case scheduler.FieldTimezone:
		return c.text(t, "c.timezone")
	case scheduler.FieldExternalID:
		return c.text(t, "c.external_id")
	case scheduler.FieldLanguage:
		return c.language(t)
	case scheduler.FieldTags:
		return c.tags(t)
	case scheduler.FieldAttribute:
		return c.attribute(t)
	case scheduler.FieldConsentDays:
		return c.days(t, consentAt(c.bind(c.category)))
	case scheduler.FieldSentDays:
		return c.days(t, lastOf("d.sending_at", "p.sent_at"))
	case scheduler.FieldDeliveredDays:
		return c.days(t, lastOf(deliveredAt, "p.delivered_at"))
	case scheduler.FieldRepliedDays:
		return c.days(t, "SELECT p.replied_at FROM persons p WHERE p.person_id = c.person_id")
	}
	return "(NULL)"
}

// trimmed is a value without the space around it, NULL when nothing is left, to be compared byte by byte.
func (c *sieveCompiler) trimmed(value string) string {
	if c.space == "" {
		c.space = c.bind(space)
	}
	return "NULLIF(trim(" + value + ", " + c.space + "), '')" + c.dialect.bytewise
}

// space is every character that strings.TrimSpace takes away.
var space = func() string {
	var b strings.Builder
	for _, r := range unicode.White_Space.R16 {
		for at := rune(r.Lo); at <= rune(r.Hi); at += rune(r.Stride) {
			b.WriteRune(at)
		}
	}
	return b.String()
}()

// of is a scalar query whose one row is t, the value; it is worked out once, as LIMIT keeps it from being written in wherever t
// stands. Without a row, where a condition is not met, its answer is NULL.
func of(answer, value, where string) string {
	query := "(SELECT " + answer + " FROM (SELECT " + value + " AS t LIMIT 1) AS v"
	if where != "" {
		query += " WHERE " + where
	}
	return query + ")"
}

// present is true of every value, and NULL of none.
const present = "CASE WHEN t IS NOT NULL THEN TRUE END"

func (c *sieveCompiler) text(t *scheduler.Test, value string) string {
	value = c.trimmed(value)
	switch t.Op {
	case scheduler.Present:
		return of(present, value, "")
	case scheduler.Equal:
		if t.Pattern == scheduler.Whole {
			return "(" + value + " = " + c.bind(t.Text) + ")"
		}
		return of(c.meets(t, "t"), value, "")
	case scheduler.NotEqual:
		if t.Pattern == scheduler.Whole {
			return "(" + value + " <> " + c.bind(t.Text) + ")"
		}
		return of("NOT "+c.meets(t, "t"), value, "")
	}
	return "(NULL)"
}

// meets says in parentheses whether a column has the test's text where its pattern wants it. LIKE would ignore case on SQLite.
func (c *sieveCompiler) meets(t *scheduler.Test, column string) string {
	length := utf8.RuneCountInString(t.Text)
	switch t.Pattern {
	case scheduler.Prefix:
		return fmt.Sprintf("(substr(%s, 1, %s) = %s)", column, c.bind(length), c.bind(t.Text))
	case scheduler.Suffix:
		// Of a shorter value less than the text is left, wherever the two databases let a start before its beginning begin.
		return fmt.Sprintf("(substr(%s, length(%s) - %s) = %s)", column, column, c.bind(length-1), c.bind(t.Text))
	case scheduler.Anywhere:
		return fmt.Sprintf("(replace(%s, %s, '') <> %s)", column, c.bind(t.Text), column)
	}
	return "(" + column + " = " + c.bind(t.Text) + ")"
}

// tags splits the list only where the text stands in it at all.
func (c *sieveCompiler) tags(t *scheduler.Test) string {
	if t.Op == scheduler.Present {
		return "(trim(c.tags, " + c.bind(space+";") + ") <> '')"
	}
	tag := c.trimmed("e.value")
	return fmt.Sprintf("(replace(c.tags, %s, '') <> c.tags AND EXISTS (SELECT 1 FROM %s WHERE %s))", c.bind(t.Text), c.dialect.pieces, c.meets(t, tag))
}

// language is basic filtering (RFC 4647 §3.3.1) of tags that begin with two or three letters; lower knows ASCII alone here, as
// language tags do.
func (c *sieveCompiler) language(t *scheduler.Test) string {
	tag := "replace(lower(" + c.trimmed("c.language") + "), '_', '-')"
	const letters = "'abcdefghijklmnopqrstuvwxyz'"
	where := "length(t) - length(ltrim(t, " + letters + ")) BETWEEN 2 AND 3 AND substr(ltrim(t, " + letters + "), 1, 1) IN ('', '-')"
	wanted := t.Text + "-"
	switch t.Op {
	case scheduler.Present:
		return of("TRUE", tag, where)
	case scheduler.Equal:
		return of(fmt.Sprintf("substr(t || '-', 1, %s) = %s", c.bind(len(wanted)), c.bind(wanted)), tag, where)
	case scheduler.NotEqual:
		return of(fmt.Sprintf("substr(t || '-', 1, %s) <> %s", c.bind(len(wanted)), c.bind(wanted)), tag, where)
	}
	return "(NULL)"
}

func (c *sieveCompiler) attribute(t *scheduler.Test) string {
	value := c.dialect.attribute(c.bind(c.dialect.key(t.Attribute)))
	switch t.Type {
	case scheduler.AttributeNumber:
		return c.number(t, c.trimmed(value))
	case scheduler.AttributeDate:
		return c.date(t, c.trimmed(value))
	}
	return c.text(t, value)
}

// date compares days as texts, which have the order of days.
func (c *sieveCompiler) date(t *scheduler.Test, value string) string {
	// The casts come after the digits were seen: only CASE keeps PostgreSQL from trying them before.
	const day = `CASE WHEN length(t) = 10 AND substr(t, 5, 1) = '-' AND substr(t, 8, 1) = '-' AND t >= '0001'
		AND ltrim(substr(t, 1, 4) || substr(t, 6, 2) || substr(t, 9, 2), '0123456789') = ''
		THEN substr(t, 6, 2) BETWEEN '01' AND '12' AND substr(t, 9, 2) BETWEEN '01' AND CASE
			WHEN substr(t, 6, 2) IN ('04', '06', '09', '11') THEN '30'
			WHEN substr(t, 6, 2) <> '02' THEN '31'
			WHEN CAST(substr(t, 1, 4) AS INTEGER) % 4 = 0
				AND (CAST(substr(t, 1, 4) AS INTEGER) % 100 <> 0 OR CAST(substr(t, 1, 4) AS INTEGER) % 400 = 0) THEN '29'
			ELSE '28' END
		END`
	if t.Op == scheduler.Present {
		return of("TRUE", value, day)
	}
	return of("t "+sqlOperator(t.Op)+" "+c.bind(t.Date), value, day)
}

// days turns a count of whole days into a comparison of times: at least n of them have passed when the time is not after now
// less n days. A time after now counts as today, so no time is too late for none.
func (c *sieveCompiler) days(t *scheduler.Test, last string) string {
	value := "NULLIF((" + last + "), 0)"
	passed := func(days int) string {
		cutoff := int64(math.MaxInt64)
		if days > 0 {
			cutoff = c.now.UnixMicro() - int64(days)*(24*time.Hour).Microseconds()
		}
		return c.bind(cutoff)
	}
	switch t.Op {
	case scheduler.Present:
		return of(present, value, "")
	case scheduler.GreaterEqual:
		return "(" + value + " <= " + passed(t.Days) + ")"
	case scheduler.Greater:
		return "(" + value + " <= " + passed(t.Days+1) + ")"
	case scheduler.Less:
		return "(" + value + " > " + passed(t.Days) + ")"
	case scheduler.LessEqual:
		return "(" + value + " > " + passed(t.Days+1) + ")"
	case scheduler.Equal:
		return of("t <= "+passed(t.Days)+" AND t > "+passed(t.Days+1), value, "")
	case scheduler.NotEqual:
		return of("t > "+passed(t.Days)+" OR t <= "+passed(t.Days+1), value, "")
	}
	return "(NULL)"
}

func sqlOperator(op scheduler.Operator) string {
	switch op {
	case scheduler.Less, scheduler.LessEqual, scheduler.Greater, scheduler.GreaterEqual:
		return string(op)
	case scheduler.NotEqual:
		return "<>"
	}
	return "="
}

// deliveredAt is when a delivery d reached its person; what was read had reached them.
const deliveredAt = "COALESCE(d.delivered_at, d.read_at)"

// lastOf is a person's latest such time over the messages that count, and over those of before that were deleted by their age.
func lastOf(column, forgotten string) string {
	return "SELECT MAX(l.at) FROM (SELECT " + column + " AS at FROM deliveries d JOIN runs r ON r.run_id = d.run_id WHERE d.person_id = c.person_id " + countingSends +
		" UNION ALL SELECT " + forgotten + " FROM persons p WHERE p.person_id = c.person_id) AS l"
}

// countingSends are the deliveries d of runs r that sent_days and delivered_days are about.
const countingSends = "AND d.sending_at IS NOT NULL AND r.test = 0 AND d.state IN " + counting

// consentAt is when the consent that stands was given: of two acts at one time the refusal wins (policy.Consent.After).
func consentAt(category string) string {
	const given = "k.action IN ('granted', 'confirmed')"
	return `SELECT CASE WHEN MAX(CASE WHEN ` + given + ` THEN k.at END) > COALESCE(MAX(CASE WHEN ` + given + ` THEN NULL ELSE k.at END),
			MAX(k.at) - 1) THEN MAX(k.at) END
		FROM consents k WHERE k.person_id = c.person_id AND k.action <> 'pending' AND k.category = ` + category
}
