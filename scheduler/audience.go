package scheduler

import (
	"fmt"
	"strconv"
	"strings"
)

// Audience is a checked filter over contacts. The zero value matches nobody: only ParseAudience makes one that matches.
//
// A filter has three answers. A test of a value that is missing, or that is not of its type, is unknown; AND, OR and NOT carry
// the unknown on as in SQL; only true matches. So a missing value matches nothing, also under NOT.
type Audience struct {
	everyone bool
	root     *Node
	needs    Needs
}

// Needs says which of a contact's activity times a filter reads; the others need not be loaded.
type Needs struct{ Consent, Sent, Delivered, Replied bool }

// Needs returns the activity times that the filter reads, those of its segments included.
func (a Audience) Needs() Needs { return a.needs }

// Root returns the filter's tree for compiling it to something else. It is nil when everyone matches; it must not be changed.
func (a Audience) Root() *Node { return a.root }

// Everyone reports whether the filter was empty.
func (a Audience) Everyone() bool { return a.everyone }

// String prints the filter as it was read, every nesting in parentheses; "everyone" for the empty filter. Segments stay
// names. Unless it says everyone, it parses to the same audience.
func (a Audience) String() string {
	switch {
	case a.everyone:
		return "everyone"
	case a.root == nil:
		return "nobody"
	}
	var b strings.Builder
	a.root.print(&b)
	return b.String()
}

// NodeKind is what a Node of a filter is.
type NodeKind int

// The kinds of nodes.
const (
	NodeTest    NodeKind = iota // Test
	NodeAnd                     // two or more Args
	NodeOr                      // two or more Args
	NodeNot                     // one Arg
	NodeSegment                 // one Arg, the segment's filter; Name
)

// Node is one node of a checked filter. Nodes of a segment that is used twice are shared.
type Node struct {
	Kind NodeKind
	Args []*Node
	Name string
	Test Test

	offset int // of a test in the trimmed text it was written in, in bytes
}

// Field is what a test reads of a contact.
type Field string

// The fields of a filter. The days fields are whole days since the last time, rounded down.
const (
	FieldCountry       Field = "country"
	FieldLanguage      Field = "language"
	FieldTimezone      Field = "timezone"
	FieldTags          Field = "tags"
	FieldExternalID    Field = "external_id"
	FieldAttribute     Field = "attributes"
	FieldConsentDays   Field = "consent_days"
	FieldSentDays      Field = "sent_days"
	FieldDeliveredDays Field = "delivered_days"
	FieldRepliedDays   Field = "replied_days"
)

// Operator is how a test compares.
type Operator string

// The operators. Text fields and tags know =, != and : only. Present is written field:* and is true or, without a readable value, unknown;
// for tags it is false when there are none, because a set is never missing.
const (
	Equal        Operator = "="
	NotEqual     Operator = "!="
	Less         Operator = "<"
	LessEqual    Operator = "<="
	Greater      Operator = ">"
	GreaterEqual Operator = ">="
	Has          Operator = ":" // tags: one of them matches
	Present      Operator = ":*"
)

// Pattern is how much of a text must be met.
type Pattern int

// The patterns: a star before or after the text stands for anything, as in AIP-160.
const (
	Whole    Pattern = iota // "rome"
	Prefix                  // "rome*"
	Suffix                  // "*rome"
	Anywhere                // "*rome*"
)

// Test compares one field of a contact with a value. Which of the values holds follows from the field:
//
//   - country, external_id, timezone, tags, text attributes: Text and Pattern, exact bytes after trimming space. Countries are upper case.
//   - language: Text, a BCP 47 range in lower case with hyphens; it matches the tag itself and longer ones (RFC 4647 §3.3.1):
//     "it" matches it and it-IT. Case does not matter, and _ counts as -.
//   - number attributes: Number. An attribute is a number when it is digits with an optional sign and an optional fraction after a point.
//   - date attributes: Date, as 2026-11-21. An attribute is a date when it is a day of the calendar, from the year 1, written so.
//   - the days fields: Days.
//
// Space around a contact's value, all that Unicode calls space, is no part of it; a value of nothing else is missing.
type Test struct {
	Field     Field
	Attribute string        // the key below attributes
	Type      AttributeType // of the attribute; "" for other fields
	Op        Operator
	Pattern   Pattern
	Text      string
	Number    Decimal
	Date      string
	Days      int
}

// AudienceError is a mistake in a filter and where it is.
type AudienceError struct {
	Column  int    // in characters from 1, of the filter or of the segment's text
	Message string // one sentence: what is wrong and what to write
	Segment string // the segment whose text has the mistake; "" for the filter itself
}

// Error names the place and the mistake.
func (e *AudienceError) Error() string {
	if e.Segment != "" {
		return fmt.Sprintf("segment %s, column %d: %s", e.Segment, e.Column, e.Message)
	}
	return fmt.Sprintf("audience, column %d: %s", e.Column, e.Message)
}

func (n *Node) print(b *strings.Builder) {
	switch n.Kind {
	case NodeTest:
		n.Test.print(b)
	case NodeSegment:
		b.WriteString("segment.")
		b.WriteString(quoteName(n.Name))
	case NodeNot:
		b.WriteString("NOT (")
		n.Args[0].print(b)
		b.WriteString(")")
	case NodeAnd, NodeOr:
		for i, arg := range n.Args {
			if i > 0 && n.Kind == NodeAnd {
				b.WriteString(" AND ")
			} else if i > 0 {
				b.WriteString(" OR ")
			}
			nested := arg.Kind == NodeAnd || arg.Kind == NodeOr || arg.Kind == NodeNot
			if nested {
				b.WriteString("(")
			}
			arg.print(b)
			if nested {
				b.WriteString(")")
			}
		}
	}
}

func (t Test) print(b *strings.Builder) {
	b.WriteString(string(t.Field))
	if t.Field == FieldAttribute {
		b.WriteString(".")
		b.WriteString(quoteName(t.Attribute))
	}
	switch t.Op {
	case Present:
		b.WriteString(":*")
		return
	case Has:
		b.WriteString(":")
	default:
		b.WriteString(" " + string(t.Op) + " ")
	}
	b.WriteString(t.literal())
}

func (t Test) literal() string {
	switch {
	case t.Type == AttributeDate:
		return strconv.Quote(t.Date)
	case t.Type == AttributeNumber:
		return t.Number.String()
	case t.Field.isDays():
		return strconv.Itoa(t.Days)
	}
	text := t.Text
	if t.Pattern == Suffix || t.Pattern == Anywhere {
		text = "*" + text
	}
	if t.Pattern == Prefix || t.Pattern == Anywhere {
		text += "*"
	}
	return strconv.Quote(text)
}

// quoteName quotes a name that the filter language would not read as one word.
func quoteName(name string) string {
	for i, r := range name {
		letter := r == '_' || (r|0x20 >= 'a' && r|0x20 <= 'z')
		if !letter && (i == 0 || r < '0' || r > '9') {
			return strconv.Quote(name)
		}
	}
	switch name {
	case "", "AND", "OR", "NOT":
		return strconv.Quote(name)
	}
	return name
}

func (f Field) isDays() bool {
	switch f {
	case FieldConsentDays, FieldSentDays, FieldDeliveredDays, FieldRepliedDays:
		return true
	}
	return false
}
