package report

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/permesso/permesso/internal/phone"
)

// NoticeType says what a notice is about; docs/NOTIFY.md explains each to those who receive them.
type NoticeType string

// The types of notices.
const (
	NoticeRunPaused     NoticeType = "run.paused"
	NoticeRunWaiting    NoticeType = "run.waiting"
	NoticeRunMissed     NoticeType = "run.missed"
	NoticeHalted        NoticeType = "sending.halted"
	NoticeResumed       NoticeType = "sending.resumed"
	NoticeTokenRefused  NoticeType = "token.refused"
	NoticeTokenAccepted NoticeType = "token.accepted"
	NoticeBreakerOpened NoticeType = "breaker.opened"
	NoticeBreakerClosed NoticeType = "breaker.closed"
	NoticeQuarantined   NoticeType = "database.quarantined"
	NoticeReleased      NoticeType = "database.released"
	NoticeTest          NoticeType = "notify.test"
)

// NoticeTypes lists every type.
func NoticeTypes() []NoticeType {
	return []NoticeType{
		NoticeRunPaused, NoticeRunWaiting, NoticeRunMissed, NoticeHalted, NoticeResumed, NoticeTokenRefused, NoticeTokenAccepted,
		NoticeBreakerOpened, NoticeBreakerClosed, NoticeQuarantined, NoticeReleased, NoticeTest,
	}
}

// NoticeData is what a notice tells. It goes to another program, so it holds nothing of the people who are written to.
type NoticeData struct {
	Sentence string `json:"sentence"` // all of it, for a person to read
	Run      string `json:"run,omitempty"`
	Campaign string `json:"campaign,omitempty"`
	Number   string `json:"number,omitempty"`  // Meta's phone number id, never a phone number
	Breaker  string `json:"breaker,omitempty"` // token, account, number, template, campaign or deaf
	Subject  string `json:"subject,omitempty"` // what the breaker is of
	Reason   string `json:"reason,omitempty"`  // why, as `permesso runs show` has it
	By       string `json:"by,omitempty"`      // who did it by hand
}

// tokenInText is what may be a token: Meta's errors may quote what they were given.
var tokenInText = regexp.MustCompile(`[A-Za-z0-9_|.~+/=-]{40,}`)

// Discreet returns the data without what looks like a phone number or a token in its texts. It takes away too much rather than
// too little.
func (d NoticeData) Discreet() NoticeData {
	for _, text := range []*string{&d.Sentence, &d.Reason, &d.By} {
		*text = discreet(*text, d.Run, d.Campaign, d.Number)
	}
	return d
}

// discreet leaves alone the ids that the data itself names.
func discreet(text string, ids ...string) string {
	return phone.Conceal(tokenInText.ReplaceAllStringFunc(text, func(found string) string {
		if slices.Contains(ids, found) {
			return found
		}
		return "…"
	}), ids...)
}

// NoticeState is where a notice stands.
type NoticeState string

// The states of a notice.
const (
	NoticePending   NoticeState = "pending"
	NoticeDelivered NoticeState = "delivered"
	NoticeFailed    NoticeState = "failed" // given up
)

// Notice is one thing that operators are told by `notify`: a line of `notify list --json`.
type Notice struct {
	ID       string      `json:"id"` // the webhook-id, the same at every attempt
	At       Time        `json:"at"` // when it happened
	Type     NoticeType  `json:"type"`
	State    NoticeState `json:"state"`
	Attempts int         `json:"attempts"`
	NextAt   Time        `json:"next_at,omitzero"`
	DoneAt   Time        `json:"done_at,omitzero"`
	Error    string      `json:"error,omitempty"` // how the last attempt ended
	Data     NoticeData  `json:"data"`
	// Payload is posted in Data's place when it is set.
	Payload json.RawMessage `json:"-"`
	// Position orders notices as their facts were committed.
	Position int64 `json:"-"`
}

// Body is what is posted and signed: always the same bytes for one notice.
func (n Notice) Body() ([]byte, error) {
	var data any = n.Data
	if n.Payload != nil {
		data = n.Payload
	}
	body, err := json.Marshal(struct {
		Type      NoticeType `json:"type"`
		Timestamp Time       `json:"timestamp"`
		Data      any        `json:"data"`
	}{n.Type, n.At, data})
	if err != nil {
		return nil, fmt.Errorf("writing notice %s: %w", n.ID, err)
	}
	return body, nil
}

// Outbox is what waits to be told.
type Outbox struct {
	First   Notice // the next one to leave; its ID is "" when none waits
	Pending int
	Now     time.Time // by the database's clock
}

// Attempt is what became of one attempt to deliver a notice.
type Attempt struct {
	State NoticeState
	Wait  time.Duration // until the next attempt, of a notice that stays pending
	Error string        // why it was not delivered
}
