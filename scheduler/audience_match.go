package scheduler

import (
	"cmp"
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
		number, ok := readDecimal(strings.TrimSpace(value))
		if !ok {
			return unknown
		}
		return judgeOrder(t.Op, number.Compare(t.Number))
	case AttributeDate:
		day := strings.TrimSpace(value)
		if !isDay(day) {
			return unknown
		}
		return judgeOrder(t.Op, strings.Compare(day, t.Date))
	}
	return t.judgeText(value)
}

// judgeDays counts whole days of 24 hours. A time after now, as under plan --at, counts as today. Both times are taken in
// microseconds, as they are stored.
func (t *Test) judgeDays(at, now time.Time) truth {
	if at.IsZero() {
		return unknown
	}
	const day = int64(24 * time.Hour / time.Microsecond)
	days := max(now.UnixMicro()-at.UnixMicro(), 0) / day
	return judgeOrder(t.Op, cmp.Compare(days, int64(t.Days)))
}

// judgeOrder answers an operator by how the value compares with the wanted one: below 0, 0, or above 0.
func judgeOrder(op Operator, order int) truth {
	switch op {
	case Present:
		return yes
	case Equal:
		return truthOf(order == 0)
	case NotEqual:
		return truthOf(order != 0)
	case Less:
		return truthOf(order < 0)
	case LessEqual:
		return truthOf(order <= 0)
	case Greater:
		return truthOf(order > 0)
	case GreaterEqual:
		return truthOf(order >= 0)
	}
	return unknown
}

// isDay reports whether a text is a day of the calendar written 2026-11-21.
func isDay(text string) bool {
	if len(text) != len(time.DateOnly) || text < "0001" {
		return false
	}
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}
