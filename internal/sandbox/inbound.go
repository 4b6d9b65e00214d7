package sandbox

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Inbound is something that a person sends to the business. Exactly one of
// Text, Button and Raw says what.
type Inbound struct {
	NumberID  string          // business number that gets it; "" = the first
	From      string          // phone in international form; "" = hidden, UserID needed
	UserID    string          // business-scoped user id; "" = the one that belongs to From
	ID        string          // message id; "" = a new one. The same id again is a replay
	Text      string          // type text
	Button    string          // type button: label of the template's quick reply
	Payload   string          // of the button; "" = its label, as at Meta
	ContextID string          // our wamid that is answered
	Raw       json.RawMessage // members of another type, such as {"type":"image","image":{…}}

	Attempts     int  // POSTs at most; 0 = until taken
	BadSignature bool // sign with another secret
}

// Inbound posts one message webhook and returns the receiver's last HTTP
// status. It does not need Run. The error tells that the receiver was not
// reached, or did not take it before ctx or the attempts ended.
func (s *Server) Inbound(ctx context.Context, in Inbound) (int, error) {
	n, err := s.inboundNumber(in.NumberID)
	if err != nil {
		return 0, err
	}
	if in.From, in.UserID, err = s.person(in.From, in.UserID); err != nil {
		return 0, err
	}
	if in.Raw != nil && !isObject(in.Raw) {
		return 0, errors.New("sandbox: Raw must be a JSON object")
	}
	if in.ID == "" {
		in.ID = s.inboundID(in.From)
	}
	now := time.Now()
	s.people.wrote(in.UserID, now)
	b := s.openEntry("messages", n)
	b = append(b, `,"contacts":[`...)
	b = appendWho(b, in.From, in.UserID)
	b = append(b, `],"messages":[`...)
	b = in.appendMessage(b, n, now)
	b = append(b, closeEntry...)
	return s.tell(ctx, b, in.Attempts, in.BadSignature)
}

// InboundText is a person writing to the first number.
func (s *Server) InboundText(ctx context.Context, from, text string) (int, error) {
	return s.Inbound(ctx, Inbound{From: from, Text: text})
}

// InboundButton is a tap on a quick reply of the message wamid.
func (s *Server) InboundButton(ctx context.Context, from, wamid, payload, label string) (int, error) {
	return s.Inbound(ctx, Inbound{From: from, Button: label, Payload: payload, ContextID: wamid})
}

// InboundPreference is a person using WhatsApp's own control: wish is stop,
// resume or signup. who is a phone or a user id. After stop, marketing to them
// is accepted and then fails with 131050, until resume or signup.
func (s *Server) InboundPreference(ctx context.Context, who, wish string) (int, error) {
	signupID := ""
	switch wish {
	case "stop", "resume":
	case "signup":
		signupID = "1029384756"
	default:
		return 0, fmt.Errorf("sandbox: preference %q must be stop, resume or signup", wish)
	}
	from, userID := who, ""
	if _, f := resolveUser([]byte(who)); f == nil {
		from, userID = "", who
	}
	from, userID, err := s.person(from, userID)
	if err != nil {
		return 0, err
	}
	s.people.setStop(userID, wish == "stop")
	b := s.openEntry("user_preferences", s.numbers[0])
	b = append(b, `,"contacts":[`...)
	b = appendWho(b, from, userID)
	b = append(b, `],"user_preferences":[`...)
	b = appendPreference(b, from, userID, wish, signupID, time.Now())
	b = append(b, closeEntry...)
	return s.tell(ctx, b, 0, false)
}

// AccountEvent posts an account-type webhook, such as field account_update with
// the value of graph-api.md §4.8.
func (s *Server) AccountEvent(ctx context.Context, field string, value json.RawMessage) (int, error) {
	if !json.Valid(value) {
		return 0, errors.New("sandbox: value must be JSON")
	}
	b := append([]byte(nil), `{"object":"whatsapp_business_account","entry":[`...)
	b = append(b, s.accountEntry(field, value, time.Now())...)
	return s.tell(ctx, append(b, `]}`...), 0, false)
}

// Post signs body as it is and posts it once.
func (s *Server) Post(ctx context.Context, body []byte) (int, error) {
	return s.tell(ctx, body, 1, false)
}

func (s *Server) tell(ctx context.Context, body []byte, attempts int, badSignature bool) (int, error) {
	if s.opts.WebhookURL == "" {
		return 0, errors.New("sandbox: no WebhookURL to post to")
	}
	signature := sign(s.webhooks.secret, body)
	if badSignature {
		signature = sign([]byte("not the "+s.opts.AppSecret), body)
	}
	status, err := s.webhooks.postUntilTaken(ctx, body, signature, attempts, false)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("sandbox: webhook answered %d", status)
	}
	return status, err
}

func (s *Server) inboundNumber(id string) (*number, error) {
	if id == "" {
		return s.numbers[0], nil
	}
	if n := s.byID[id]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("sandbox: no number %q", id)
}

// person completes who somebody is: WhatsApp's id of the phone (which may be
// "" for hidden) and the user id.
func (s *Server) person(phone, userID string) (waID, id string, err error) {
	if phone == "" && userID == "" {
		return "", "", errors.New("sandbox: neither phone nor user id given")
	}
	if _, f := resolveUser([]byte(phone)); f == nil { // seen in the field: the user id where the phone should be
		return phone, cmp.Or(userID, phone), nil
	}
	if phone != "" {
		digits := onlyDigits(phone)
		if digits == "" {
			return "", "", errors.New("sandbox: From is not a phone number")
		}
		if waID = digits; phone[0] == '+' {
			waID = waIDOf(digits)
		}
		if userID == "" {
			userID = userIDOf(s.opts.AccountID, waID)
		}
	}
	return waID, userID, nil
}

// UserID returns the business-scoped id of the person behind a phone in
// international form.
func (s *Server) UserID(phone string) string {
	return userIDOf(s.opts.AccountID, waIDOf(onlyDigits(phone)))
}

const closeEntry = `]}}]}]}`

func (s *Server) openEntry(field string, n *number) []byte {
	b := append(make([]byte, 0, 512), `{"object":"whatsapp_business_account","entry":[{"id":`...)
	b = appendString(b, s.opts.AccountID)
	b = append(b, `,"changes":[`...)
	return appendValueHead(b, field, n)
}

func appendWho(b []byte, waID, userID string) []byte {
	b = append(b, `{"profile":{"name":"Ospite"}`...)
	if waID != "" {
		b = append(b, `,"wa_id":`...)
		b = appendString(b, waID)
	}
	b = append(b, `,"user_id":`...)
	b = appendString(b, userID)
	return append(b, '}')
}

func isObject(raw json.RawMessage) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal(raw, &members) == nil && members != nil
}

// appendMessage writes one element of messages[] (graph-api.md §4.4).
func (in Inbound) appendMessage(b []byte, n *number, at time.Time) []byte {
	b = append(b, '{')
	if in.From != "" {
		b = append(b, `"from":`...)
		b = appendString(b, in.From)
		b = append(b, ',')
	}
	b = append(b, `"from_user_id":`...)
	b = appendString(b, in.UserID)
	b = append(b, `,"id":`...)
	b = appendString(b, in.ID)
	b = appendTimestamp(b, at)
	if in.ContextID != "" {
		b = append(b, `,"context":{"from":"`...)
		b = append(b, n.digits...)
		b = append(b, `","id":`...)
		b = appendString(b, in.ContextID)
		b = append(b, '}')
	}
	switch {
	case in.Raw != nil:
		b = appendMembers(b, in.Raw)
	case in.Button != "":
		payload := in.Payload
		if payload == "" {
			payload = in.Button
		}
		b = append(b, `,"type":"button","button":{"payload":`...)
		b = appendString(b, payload)
		b = append(b, `,"text":`...)
		b = appendString(b, in.Button)
		b = append(b, '}')
	default:
		b = append(b, `,"type":"text","text":{"body":`...)
		b = appendString(b, in.Text)
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendMembers(b []byte, object json.RawMessage) []byte {
	v := value(object)
	v = v[skipSpace(v, 0):]
	_ = v.members(func(key []byte, member value) *fault {
		b = append(b, ',')
		b = appendString(b, key)
		b = append(b, ':')
		b = append(b, member...)
		return nil
	})
	return b
}

// inboundID gives an id never given before, of a shape of its own.
func (s *Server) inboundID(from string) string {
	b := append([]byte{0x1c, 0x18, byte(len(from))}, from...)
	b = append(b, 0x15, 0x02, 0x00, 0x12, 0x18, 0x14)
	b = binary.BigEndian.AppendUint64(b, mix(s.seed^1<<63+s.traces.Add(1)))
	return "wamid." + base64.StdEncoding.EncodeToString(b)
}
