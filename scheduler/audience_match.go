package scheduler

import (
	"strconv"
	"strings"
	"time"
)

// truth is the answer of a test: AND is the smaller of two, OR the greater, NOT turns them round.
type truth int8

const (
	no truth = iota
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// Matches reports whether the contact belongs to the audience at the given time.
func (a Audience) Matches(c Contact, now time.Time) bool {
	if a.everyone {
		return true
	}
	return a.root != nil && a.root.judge(&c, now) == yes
}

func (n *Node) judge(c *Contact, now time.Time) truth {
	switch n.Kind {
	case NodeTest:
		return n.Test.judge(c, now)
	case NodeSegment:
		return n.Args[0].judge(c, now)
	case NodeNot:
		return yes - n.Args[0].judge(c, now)
	case NodeAnd:
		answer := yes
		for _, arg := range n.Args {
			if answer = min(answer, arg.judge(c, now)); answer == no {
				break
			}
		}
		return answer
	case NodeOr:
		answer := no
		for _, arg := range n.Args {
			if answer = max(answer, arg.judge(c, now)); answer == yes {
				break
			}
		}
		return answer
	}
	return unknown
}

func (t *Test) judge(c *Contact, now time.Time) truth {
	switch t.Field {
	case FieldCountry:
		return t.judgeText(c.Country)
	case FieldLanguage:
		return t.judgeLanguage(strings.TrimSpace(c.Language))
	case FieldTimezone:
		return t.judgeText(c.Zone)
	case FieldExternalID:
		return t.judgeText(c.ExternalID)
	case FieldTags:
		return t.judgeTags(c.Tags)
	case FieldAttribute:
		return t.judgeAttribute(c.Attributes[t.Attribute])
	case FieldConsentDays:
		return t.judgeDays(c.ConsentAt, now)
	case FieldSentDays:
		return t.judgeDays(c.SentAt, now)
	case FieldDeliveredDays:
		return t.judgeDays(c.DeliveredAt, now)
	case FieldRepliedDays:
		return t.judgeDays(c.RepliedAt, now)
	}
	return unknown
}

func (t *Test) judgeText(value string) truth {
	value = strings.TrimSpace(value)
	if value == "" {
		return unknown
	}
	switch t.Op {
	case Present:
		return yes
	case Equal:
		return truthOf(t.meets(value))
	case NotEqual:
		return truthOf(!t.meets(value))
	}
	return unknown
}

func (t *Test) meets(value string) bool {
	switch t.Pattern {
	case Prefix:
		return strings.HasPrefix(value, t.Text)
	case Suffix:
		return strings.HasSuffix(value, t.Text)
	case Anywhere:
		return strings.Contains(value, t.Text)
	}
	return value == t.Text
}

// judgeTags never answers unknown: no tags is a fact, not a missing value.
func (t *Test) judgeTags(tags []string) truth {
	for _, tag := range tags {
		if tag = strings.TrimSpace(tag); tag != "" && (t.Op == Present || t.meets(tag)) {
			return yes
		}
	}
	return no
}

func (t *Test) judgeLanguage(tag string) truth {
	if !isLanguage(tag) {
		return unknown
	}
	switch t.Op {
	case Present:
		return yes
	case Equal:
		return truthOf(inLanguageRange(tag, t.Text))
	case NotEqual:
		return truthOf(!inLanguageRange(tag, t.Text))
	}
	return unknown
}

// isLanguage reports whether a tag starts as BCP 47 has it: two or three letters, then the end or a separator.
func isLanguage(tag string) bool {
	base := len(tag)
	if i := strings.IndexAny(tag, "-_"); i >= 0 {
		base = i
	}
	if base < 2 || base > 3 {
		return false
	}
	for i := range base {
		if letter := tag[i] | 0x20; letter < 'a' || letter > 'z' {
			return false
		}
	}
	return true
}

// inLanguageRange is basic filtering (RFC 4647 §3.3.1) of a tag by a range in lower case with hyphens.
func inLanguageRange(tag, wanted string) bool {
	if len(tag) < len(wanted) {
		return false
	}
	for i := range len(wanted) {
		letter := tag[i]
		switch {
		case letter == '_':
			letter = '-'
		case letter >= 'A' && letter <= 'Z':
			letter |= 0x20
		}
		if letter != wanted[i] {
			return false
		}
	}
	return len(tag) == len(wanted) || tag[len(wanted)] == '-' || tag[len(wanted)] == '_'
}

func (t *Test) judgeAttribute(value string) truth {
	switch t.Type {
	case AttributeNumber:
		number, ok := readNumber(strings.TrimSpace(value))
		if !ok {
			return unknown
		}
		return judgeOrder(t.Op, number, t.Number)
	case AttributeDate:
		day, ok := readDay(strings.TrimSpace(value))
		if !ok {
			return unknown
		}
		return judgeOrder(t.Op, day, t.Day)
	}
	return t.judgeText(value)
}

// judgeDays counts whole days of 24 hours. A time after now, as under plan --at, counts as today.
func (t *Test) judgeDays(at, now time.Time) truth {
	if at.IsZero() {
		return unknown
	}
	days := max(now.Sub(at), 0) / (24 * time.Hour)
	return judgeOrder(t.Op, float64(days), t.Number)
}

func judgeOrder[T int | float64](op Operator, value, wanted T) truth {
	switch op {
	case Present:
		return yes
	case Equal:
		return truthOf(value == wanted)
	case NotEqual:
		return truthOf(value != wanted)
	case Less:
		return truthOf(value < wanted)
	case LessEqual:
		return truthOf(value <= wanted)
	case Greater:
		return truthOf(value > wanted)
	case GreaterEqual:
		return truthOf(value >= wanted)
	}
	return unknown
}

// readNumber reads digits with an optional sign and an optional fraction; strconv alone would also take Inf, 0x10 and 1_000.
func readNumber(text string) (float64, bool) {
	digits := text
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		digits = digits[1:]
	}
	whole, fraction, pointed := strings.Cut(digits, ".")
	if !isDigits(whole) || (pointed && !isDigits(fraction)) {
		return 0, false
	}
	number, err := strconv.ParseFloat(text, 64)
	return number, err == nil
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// readDay reads 2026-11-21 as 20261121; a day that the calendar does not have is none.
func readDay(text string) (int, bool) {
	if len(text) != 10 || text[4] != '-' || text[7] != '-' ||
		!isDigits(text[:4]) || !isDigits(text[5:7]) || !isDigits(text[8:]) {
		return 0, false
	}
	year, month, day := decimal(text[:4]), decimal(text[5:7]), decimal(text[8:])
	if year < 1 || month < 1 || month > 12 || day < 1 {
		return 0, false
	}
	// Day 0 of the next month is the last of this one.
	if day > time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return 0, false
	}
	return year*10000 + month*100 + day, true
}

func decimal(digits string) int {
	n := 0
	for i := range len(digits) {
		n = n*10 + int(digits[i]-'0')
	}
	return n
}
