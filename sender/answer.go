package sender

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
)

// AnswerKind is what a free-form message answers.
type AnswerKind string

// The kinds of answers. There are no others: nothing free-form leaves but in answer to what a person wrote.
const (
	Confirmation AnswerKind = "confirmation" // of an opt-out: the one thing that is sent to somebody who is suppressed
	Help         AnswerKind = "help"
	Question     AnswerKind = "question" // whether they want the category that they asked for
)

// Window is how long after a person's own message free-form text may be sent to them (Meta, "Send messages", read 2026-09-11).
const Window = 24 * time.Hour

// Wish is an inbound message that is to be answered.
type Wish struct {
	Kind      AnswerKind
	Identity  policy.Identity
	MessageID string
	NumberID  string       // the number that they wrote to, which answers
	Scope     policy.Scope // of a confirmation what was stopped, of a question the category
	Language  string       // of the word that they wrote, BCP 47; "" when it is not known
	At        time.Time
}

// Nod is a yes or a no to a question of ours: to the one that Question names, else to the message that it quotes.
type Nod struct {
	Yes          bool
	Question     string // as AnswerID.String has it; "" when the answer was written and not tapped
	ContextWAMID string
	Identity     policy.Identity
	MessageID    string
	At           time.Time
}

// Forward is an inbound message as the business gets to read it.
type Forward struct {
	Type       string // Meta's word: text, button, interactive, image …
	Text       string // what they wrote, or the title of what they tapped; "" when there is none
	Understood string // stop, start or review, when it was taken for one
	From       string // the phone as Meta wrote it, "" when it is hidden
	UserID     string
	Raw        []byte // the whole message as Meta sent it, JSON
}

// AnswerID names one answer; Meta echoes it as the callback of the message. It begins with its time as an AttemptID does.
type AnswerID AttemptID

// NewAnswerID makes an id.
func NewAnswerID(now time.Time) AnswerID { return AnswerID(newAttempts(1, now)[0]) }

// String returns 32 hexadecimal digits.
func (id AnswerID) String() string { return fmt.Sprintf("%x", id[:]) }

// answerCallback begins the callback of an answer. It differs from that of an attempt: an answer is no delivery of a run.
const answerCallback = "1a:"

// AnswerCallback is the text of biz_opaque_callback_data for an answer of this instance.
func AnswerCallback(instance string, id AnswerID) string {
	return answerCallback + instance + ":" + id.String()
}

// ParseAnswerCallback reads the answer out of a callback; ok is false for texts that are not of an answer of this instance.
func ParseAnswerCallback(instance, text string) (id AnswerID, ok bool) {
	rest, ours := strings.CutPrefix(text, answerCallback+instance+":")
	if !ours {
		return id, false
	}
	return ParseAnswerID(rest)
}

// ParseAnswerID reads what AnswerID.String wrote.
func ParseAnswerID(text string) (id AnswerID, ok bool) {
	if len(text) != 2*len(id) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(text))
	return id, err == nil
}

// Answer is a free-form message on its way out.
type Answer struct {
	ID       AnswerID
	Kind     AnswerKind
	PersonID policy.PersonID
	NumberID string
	To       Recipient
	Scope    policy.Scope
	Language string // of the word that was written; once it is worded, of the text
	Reads    string // the language of the contact, "" when none is known
	AskedAt  time.Time
	Category policy.Category // of a question
	Business string          // whose question it is
	Text     string
	Buttons  []Button // at most three; none for a plain text
}

// Button is a reply button of a session message.
type Button struct {
	ID    string // at most 256 characters
	Title string // at most 20
}

// Desk keeps the answers.
type Desk interface {
	// Due returns what a number is to answer now, in order, with the words that each says.
	Due(ctx context.Context, numberID string) ([]Answer, error)
	// Admit judges an answer on fresh facts in one transaction, right before it leaves: it may be posted when admitted is true, and
	// then no later than BeginWithin after readAt, this process's clock before the first read. Nobody is admitted twice.
	Admit(ctx context.Context, a Answer) (admitted bool, readAt time.Time, err error)
	// Ended keeps what became of an answer that was admitted.
	Ended(ctx context.Context, a Answer, result Result) error
}

// Body is the message's JSON (Meta, "Text messages" and "Interactive reply buttons messages", read 2026-09-11).
func (a Answer) Body(instance string) ([]byte, error) {
	type words struct {
		Body string `json:"body"`
	}
	type caption struct {
		Text string `json:"text"`
	}
	type reply struct {
		ID    string `json:"id"`
		Title string `json:"title"`
	}
	type button struct {
		Type  string `json:"type"`
		Reply reply  `json:"reply"`
	}
	type action struct {
		Buttons []button `json:"buttons"`
	}
	type interactive struct {
		Type   string  `json:"type"`
		Body   caption `json:"body"`
		Action action  `json:"action"`
	}
	message := struct {
		Product     string       `json:"messaging_product"`
		Type        string       `json:"recipient_type"`
		To          string       `json:"to,omitempty"`
		Recipient   string       `json:"recipient,omitempty"`
		Kind        string       `json:"type"`
		Text        *words       `json:"text,omitempty"`
		Interactive *interactive `json:"interactive,omitempty"`
		Callback    string       `json:"biz_opaque_callback_data"`
	}{Product: "whatsapp", Type: "individual", To: string(a.To.Phone), Kind: "text", Text: &words{a.Text}, Callback: AnswerCallback(instance, a.ID)}
	if a.To.Phone == "" {
		message.Recipient = a.To.UserID
	}
	if len(a.Buttons) > 0 {
		menu := &interactive{Type: "button", Body: caption{a.Text}}
		for _, b := range a.Buttons {
			menu.Action.Buttons = append(menu.Action.Buttons, button{"reply", reply(b)})
		}
		message.Kind, message.Text, message.Interactive = "interactive", nil, menu
	}
	encoded, err := json.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("writing an answer: %w", err)
	}
	return encoded, nil
}

const (
	// answerEvery is how soon an answer that is due is seen.
	answerEvery = 250 * time.Millisecond
	// answersAtOnce bounds the answers on the wire: one that hangs holds up no other.
	answersAtOnce = 8
)

// answer sends the number's answers until ctx is done, and lets those on the wire end. Each takes a place at the gate and a token as
// a batch of one, so that the rate holds over answers and campaigns together.
func (l *line) answer(ctx context.Context) {
	if l.o.Desk == nil {
		return
	}
	places := make(chan struct{}, answersAtOnce)
	for Sleep(ctx, answerEvery) {
		if l.careful.Load() || l.trouble.probing() {
			continue // a campaign's message finds out whether anything gets through
		}
		due, err := l.o.Desk.Due(ctx, l.o.NumberID)
		if err != nil && ctx.Err() == nil {
			l.log.Error("answers cannot be read", "error", err)
		}
		for _, a := range due {
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return
			}
			post, ok := l.admit(ctx, a)
			if !ok {
				<-places
				continue
			}
			l.answering.Go(func() {
				defer func() { <-places }()
				l.postAnswer(context.WithoutCancel(ctx), a, post)
			})
		}
	}
}

// admit takes an answer through its own gate.
func (l *line) admit(ctx context.Context, a Answer) (post Post, admitted bool) {
	content, err := a.Body(l.o.Instance)
	if err != nil {
		l.log.Error("an answer cannot be written", "answer", a.ID.String(), "error", err)
		return Post{}, false
	}
	select {
	case l.gates <- struct{}{}:
	case <-ctx.Done():
		return Post{}, false
	}
	defer func() { <-l.gates }()
	l.mu.Lock()
	tokens := l.pace.spend(time.Now(), 1)
	l.mu.Unlock()
	if err := l.pace.take(ctx, tokens); err != nil {
		return Post{}, false // stopping
	}
	admitted, readAt, err := l.o.Desk.Admit(ctx, a)
	if err != nil && ctx.Err() == nil {
		l.log.Error("an answer cannot be judged, and does not leave", "answer", a.ID.String(), "error", err)
	}
	if err != nil || !admitted {
		l.mu.Lock()
		l.pace.giveBack(1)
		l.mu.Unlock()
		return Post{}, false
	}
	return Post{NumberID: a.NumberID, Edge: "messages", Body: content, BeginBy: readAt.Add(BeginWithin)}, true
}

// postAnswer posts an answer once, and keeps what became of it. What is not kept stays as one whose answer was lost.
func (l *line) postAnswer(ctx context.Context, a Answer, post Post) {
	began := time.Now()
	result := l.o.Client.Send(ctx, post)
	if l.o.Observer != nil {
		l.o.Observer.Attempted(l.o.NumberID, result, time.Since(began))
	}
	if result.Fate == Refused && result.Err != nil && result.Err.Reaction == SlowDown {
		l.mu.Lock()
		l.pace.slowDown(time.Now())
		l.mu.Unlock()
	}
	log := l.log.With("answer", a.ID.String(), "kind", string(a.Kind))
	switch {
	case result.Fate == Refused && result.Err != nil:
		log.Warn("Meta refuses an answer", "code", result.Err.Code, "title", phone.Conceal(result.Err.Title))
	case result.Fate == Ambiguous:
		log.Warn("an answer's answer was lost; it is not sent again", "error", result.Cause)
	}
	keep, done := context.WithTimeout(ctx, keepFor)
	defer done()
	if err := l.o.Desk.Ended(keep, a, result); err != nil {
		log.Error("what became of an answer cannot be kept; it is not sent again", "error", err)
	}
}
