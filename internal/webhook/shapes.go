package webhook

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The shapes below name only what is read. Where Meta has been seen to send more than one JSON type the field is a word
// or a json.RawMessage; a wrong type anywhere else leaves that one field empty and marks the body as odd (graph-api §4.9).

type envelope struct {
	Object word `json:"object"`
	Entry  []struct {
		Time    word `json:"time"`
		Changes []struct {
			Field word  `json:"field"`
			Value value `json:"value"`
		} `json:"changes"`
	} `json:"entry"`
}

// value is the union of what the fields carry: Meta's own examples mislabel some of them, so the keys decide.
type value struct {
	Metadata struct {
		NumberID word `json:"phone_number_id"`
	} `json:"metadata"`
	Contacts    []contact       `json:"contacts"`
	Messages    []message       `json:"messages"`
	Statuses    []status        `json:"statuses"`
	Preferences []preference    `json:"user_preferences"`
	Errors      json.RawMessage `json:"errors"`

	Event            word            `json:"event"`
	TemplateName     word            `json:"message_template_name"`
	TemplateLanguage word            `json:"message_template_language"`
	QualityScore     word            `json:"new_quality_score"`
	Element          json.RawMessage `json:"message_template_element"`
	NewCategory      word            `json:"new_category"`

	// The portfolio's messaging limit: a number or a tier. CurrentLimit is what older webhooks of numbers have.
	PeopleADay   word `json:"max_daily_conversations_per_business"`
	CurrentLimit word `json:"current_limit"`

	Ban struct {
		State word `json:"waba_ban_state"`
	} `json:"ban_info"`
	Violation struct {
		Type word `json:"violation_type"`
	} `json:"violation_info"`
	Restrictions []restriction `json:"restriction_info"`
}

// restriction is one of those that an account may be under (Meta, "account_update", read 2026-09-11).
type restriction struct {
	Type       word `json:"restriction_type"`
	Expiration word `json:"expiration"`
}

type contact struct {
	WaID     word `json:"wa_id"`
	UserID   word `json:"user_id"`
	ParentID word `json:"parent_user_id"`
}

type message struct {
	ID        word   `json:"id"`
	From      word   `json:"from"`
	UserID    word   `json:"from_user_id"`
	ParentID  word   `json:"from_parent_user_id"`
	GroupID   word   `json:"group_id"`
	Timestamp word   `json:"timestamp"`
	Type      string `json:"type"`
	Context   struct {
		ID word `json:"id"`
	} `json:"context"`
	Text struct {
		Body string `json:"body"`
	} `json:"text"`
	Button struct {
		Payload string `json:"payload"`
		Text    string `json:"text"`
	} `json:"button"`
	Interactive struct {
		Type        string   `json:"type"`
		ButtonReply selected `json:"button_reply"`
		ListReply   selected `json:"list_reply"`
	} `json:"interactive"`
	Image    media `json:"image"`
	Video    media `json:"video"`
	Document media `json:"document"`
	Audio    media `json:"audio"`
	Edit     struct {
		Message *message `json:"message"`
	} `json:"edit"`

	raw []byte // the whole object as it came; it is the body's own memory
	odd bool   // something in it has another type than expected
}

// UnmarshalJSON implements json.Unmarshaler. It keeps the object as it came, for those who read what people write. It never fails: one
// odd field must not cost the rest of the body.
func (m *message) UnmarshalJSON(raw []byte) error {
	type fields message
	m.odd = json.Unmarshal(raw, (*fields)(m)) != nil
	m.raw = raw
	return nil
}

type media struct {
	Caption string `json:"caption"`
}

type selected struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

type status struct {
	ID            word            `json:"id"`
	Status        word            `json:"status"`
	Timestamp     word            `json:"timestamp"`
	RecipientType word            `json:"recipient_type"`
	RecipientID   word            `json:"recipient_id"`
	UserID        word            `json:"recipient_user_id"`
	ParentID      word            `json:"recipient_parent_user_id"`
	Callback      word            `json:"biz_opaque_callback_data"`
	Errors        json.RawMessage `json:"errors"`
	Pricing       *pricing        `json:"pricing"`
}

type pricing struct {
	Billable json.RawMessage `json:"billable"`
	Category word            `json:"category"`
	Model    word            `json:"pricing_model"`
	Type     word            `json:"type"`
}

type preference struct {
	WaID      word `json:"wa_id"`
	UserID    word `json:"user_id"`
	ParentID  word `json:"parent_user_id"`
	Category  word `json:"category"`
	Value     word `json:"value"`
	Timestamp word `json:"timestamp"`
}

type graphError struct {
	Code    word            `json:"code"`
	Title   prose           `json:"title"`
	Message prose           `json:"message"`
	Data    json.RawMessage `json:"error_data"`
}

// word is a short text or a whole number, as its characters: ids, times, codes, names. Anything else in its place reads as "".
type word string

// maxWord is the longest word in bytes; what is longer is no id of Meta's and would not fit into a database index.
const maxWord = 1024

// UnmarshalJSON implements json.Unmarshaler. It never fails: one odd field must not cost the rest of the body.
func (w *word) UnmarshalJSON(raw []byte) error {
	*w = ""
	switch {
	case len(raw) == 0 || len(raw) > maxWord:
	case raw[0] == '"':
		*w = word(unquote(raw))
	case isInteger(raw):
		*w = word(raw)
	}
	return nil
}

// maxProse is the longest error text that is kept, in characters.
const maxProse = 1024

// prose is a text for people, shortened to maxProse. Anything but a string in its place reads as "".
type prose string

// UnmarshalJSON implements json.Unmarshaler. It never fails, as word's does not.
func (p *prose) UnmarshalJSON(raw []byte) error {
	*p = ""
	if len(raw) > 0 && raw[0] == '"' {
		*p = prose(clip(unquote(raw), maxProse))
	}
	return nil
}

// says reports whether a part that is kept raw is there and not empty.
func says(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", "[]", "{}", `""`:
		return false
	}
	return true
}

// clip shortens a text to so many characters and makes it fit for a database.
func clip(text string, characters int) string {
	if utf8.RuneCountInString(text) > characters {
		text = string([]rune(text)[:characters])
	}
	return withoutNUL(text)
}

// unquote decodes a JSON string. Databases take no NUL in a text, so it becomes a visible mark.
func unquote(raw []byte) string {
	for _, c := range raw[1 : len(raw)-1] {
		if c != '\\' && c < 0x80 {
			continue
		}
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return ""
		}
		return withoutNUL(text)
	}
	return string(raw[1 : len(raw)-1])
}

func withoutNUL(text string) string { return strings.ReplaceAll(text, "\x00", "\uFFFD") }

func isInteger(raw []byte) bool {
	if raw[0] == '-' {
		raw = raw[1:]
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(raw) > 0
}

// earliest is before the Cloud API existed: 2015-01-01.
const earliest = 1420070400

// instant reads unix seconds. told is false, and the time is now, when they are absent or absurd: before 2015 or more
// than a day ahead.
func instant(seconds word, now time.Time) (at time.Time, told bool) {
	n, err := strconv.ParseInt(string(seconds), 10, 64)
	if err != nil || n < earliest || n > now.Unix()+24*60*60 {
		return now, false
	}
	return time.Unix(n, 0).UTC(), true
}
