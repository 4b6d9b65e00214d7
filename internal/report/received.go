package report

import "encoding/json"

// NoticeMessage is the type of what a person wrote, which `replies` takes to the business. It is none of notify's.
const NoticeMessage NoticeType = "message.received"

// Received is what a person wrote, as it is posted to `replies.url`.
type Received struct {
	ID         string          `json:"id"` // Meta's id of the message
	At         Time            `json:"at"` // when the person wrote it
	From       string          `json:"from,omitempty"`
	UserID     string          `json:"user_id,omitempty"`
	Number     string          `json:"number"` // Meta's phone number id
	Type       string          `json:"type"`
	Text       string          `json:"text,omitempty"`
	Understood string          `json:"understood,omitempty"`
	Answers    *Answered       `json:"answers,omitempty"`
	Message    json.RawMessage `json:"message"` // as Meta sent it
}

// Answered is the message of ours that somebody answered.
type Answered struct {
	Campaign string `json:"campaign" db:"campaign"`
	Run      string `json:"run" db:"run"`
	Quoted   bool   `json:"quoted" db:"quoted"` // they answered it by name; else it was the last that they were sent
}
