package sandbox

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// changeKind separates updates that cannot share one change: failed statuses
// carry no contacts (graph-api.md §1.8), messages and preferences have arrays
// of their own.
type changeKind uint8

const (
	changeStatuses changeKind = iota
	changeFailures
	changeMessages
	changePreferences
	changeEntry
)

func (u *update) change() changeKind {
	if u.entry != nil {
		return changeEntry
	}
	switch u.step.kind {
	case stepSent, stepDelivered, stepRead:
		return changeStatuses
	case stepFailed:
		return changeFailures
	case stepMetaStop:
		return changePreferences
	}
	return changeMessages
}

// maxRun bounds one change, so that receivers meet several changes per entry.
const maxRun = 100

// appendWebhook encodes updates as one webhook body. Neighbours of one number
// and kind share a change, except messages: each has its sender's contact
// beside it, and nobody else's.
func (s *Server) appendWebhook(b []byte, updates []update) []byte {
	b = append(b, `{"object":"whatsapp_business_account","entry":[`...)
	open := false // an entry with changes is open
	for i := 0; i < len(updates); {
		kind := updates[i].change()
		if kind == changeEntry {
			if open {
				b, open = append(b, `]}`...), false
			}
			b = comma(b)
			b = append(b, updates[i].entry...)
			i++
			continue
		}
		end := i + 1
		for kind != changeMessages && end < len(updates) && end-i < maxRun && updates[end].change() == kind && updates[end].message.number == updates[i].message.number {
			end++
		}
		b = comma(b)
		if !open {
			b = append(b, `{"id":`...)
			b = appendString(b, s.opts.AccountID)
			b, open = append(b, `,"changes":[`...), true
		}
		b = s.appendChange(b, kind, updates[i:end])
		i = end
	}
	if open {
		b = append(b, `]}`...)
	}
	return append(b, `]}`...)
}

// comma separates what follows from what went before in the same array or
// object.
func comma(b []byte) []byte {
	if last := b[len(b)-1]; last != '[' && last != '{' {
		return append(b, ',')
	}
	return b
}

func (s *Server) appendChange(b []byte, kind changeKind, run []update) []byte {
	b = appendValueHead(b, fieldOf(kind), run[0].message.number)
	if kind != changeFailures {
		b = append(b, `,"contacts":[`...)
		for i := range run {
			if i == 0 || run[i].message != run[i-1].message {
				b = comma(b)
				b = run[i].appendContact(b, kind)
			}
		}
		b = append(b, ']')
	}
	switch kind {
	case changeMessages:
		b = append(b, `,"messages":[`...)
	case changePreferences:
		b = append(b, `,"user_preferences":[`...)
	default:
		b = append(b, `,"statuses":[`...)
	}
	for i := range run {
		b = comma(b)
		switch kind {
		case changeMessages:
			b = s.appendReaction(b, &run[i])
		case changePreferences:
			m := run[i].message
			b = appendPreference(b, m.waID, m.userID, "stop", "", run[i].at)
		default:
			b = run[i].appendStatus(b)
		}
	}
	return append(b, `]}}`...)
}

func fieldOf(kind changeKind) string {
	if kind == changePreferences {
		return "user_preferences"
	}
	return "messages"
}

// appendValueHead opens a change of a message field, which carries metadata and
// no time.
func appendValueHead(b []byte, field string, n *number) []byte {
	b = append(b, `{"field":"`...)
	b = append(b, field...)
	b = append(b, `","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"`...)
	b = append(b, n.digits...)
	b = append(b, `","phone_number_id":`...)
	b = appendString(b, n.ID)
	return append(b, '}')
}

// appendContact shows who it is: the phone only if this business addressed it
// by phone and the person does not hide it.
func (u *update) appendContact(b []byte, kind changeKind) []byte {
	b = append(b, '{')
	if kind == changeMessages || kind == changePreferences {
		b = append(b, `"profile":{"name":"Ospite"},`...)
	}
	if u.showsPhone() {
		b = append(b, `"wa_id":"`...)
		b = append(b, u.message.waID...)
		b = append(b, `",`...)
	}
	b = append(b, `"user_id":"`...)
	b = append(b, u.message.userID...)
	return append(b, `"}`...)
}

func (u *update) showsPhone() bool {
	return u.message.waID != "" && u.step.kind != stepTapsStopNameless
}

func (u *update) appendStatus(b []byte) []byte {
	m := u.message
	b = append(b, `{"id":"`...)
	b = append(b, m.wamid...)
	b = append(b, `","status":"`...)
	b = append(b, [...]string{stepSent: "sent", stepDelivered: "delivered", stepRead: "read", stepFailed: "failed"}[u.step.kind]...)
	b = appendTimestamp(append(b, '"'), u.at)
	if m.waID != "" {
		b = append(b, `,"recipient_id":"`...)
		b = append(b, m.waID...)
		b = append(b, '"')
	}
	if u.step.kind != stepFailed || m.viaUser {
		b = append(b, `,"recipient_user_id":"`...)
		b = append(b, m.userID...)
		b = append(b, '"')
	}
	if m.callback != "" {
		b = append(b, `,"biz_opaque_callback_data":`...)
		b = appendString(b, m.callback)
	}
	if u.step.kind == stepFailed {
		return append(appendErrors(b, u.step.code), '}')
	}
	if u.priced {
		b = m.appendPricing(b)
	}
	return append(b, '}')
}

func appendTimestamp(b []byte, at time.Time) []byte {
	b = append(b, `,"timestamp":"`...)
	b = strconv.AppendInt(b, at.Unix(), 10)
	return append(b, '"')
}

func (m *message) appendPricing(b []byte) []byte {
	if m.category == "service" {
		return append(b, `,"pricing":{"billable":false,"pricing_model":"PMP","type":"free_customer_service","category":"service"}`...)
	}
	b = append(b, `,"pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"`...)
	b = append(b, m.category...)
	return append(b, `"}`...)
}

func appendErrors(b []byte, code int) []byte {
	title := errorKinds[code].title
	b = append(b, `,"errors":[{"code":`...)
	b = strconv.AppendInt(b, int64(code), 10)
	b = append(b, `,"title":`...)
	b = appendString(b, title)
	b = append(b, `,"message":`...)
	b = appendString(b, title)
	b = append(b, `,"error_data":{"details":`...)
	b = appendString(b, title+".")
	return append(b, `},"href":"\/documentation\/business-messaging\/whatsapp\/support\/error-codes"}]`...)
}

// appendReaction is what the person does with the message they got.
func (s *Server) appendReaction(b []byte, u *update) []byte {
	m := u.message
	in := Inbound{From: m.waID, UserID: m.userID, ID: s.inboundID(m.waID)}
	if !u.showsPhone() {
		in.From = ""
	}
	switch u.step.kind {
	case stepAnswersStop:
		in.Text = "STOP"
	case stepAnswersThanks:
		in.Text = "Grazie, a sabato!"
	default:
		in.Button, in.Payload, in.ContextID = m.label, m.payload, m.wamid
		if m.label == "" { // a template without quick replies: all one can do is write
			in.Text = "Stop"
		}
	}
	return in.appendMessage(b, m.number, u.at)
}

func appendPreference(b []byte, waID, userID, wish, signupID string, at time.Time) []byte {
	details := map[string]string{
		"stop":   "User requested to stop marketing messages",
		"resume": "User requested to resume marketing messages",
		"signup": "User signed up via signup link",
	}
	b = append(b, '{')
	if waID != "" {
		b = append(b, `"wa_id":"`...)
		b = append(b, waID...)
		b = append(b, `",`...)
	}
	b = append(b, `"user_id":"`...)
	b = append(b, userID...)
	b = append(b, `","detail":`...)
	b = appendString(b, details[wish])
	b = append(b, `,"category":"marketing_messages","value":`...)
	b = appendString(b, wish)
	if signupID != "" {
		b = append(b, `,"signup_id":`...)
		b = appendString(b, signupID)
	}
	b = append(b, `,"timestamp":`...)
	b = strconv.AppendInt(b, at.Unix(), 10)
	return append(b, '}')
}

// templateStatusUpdate is an entry with Meta's odd typings: time instead of
// metadata, an integer id, en-US for en_US, and reason null.
func (s *Server) templateStatusUpdate(t *template, was string) []byte {
	v := map[string]any{
		"event":                     t.status,
		"message_template_id":       t.id,
		"message_template_name":     t.name,
		"message_template_language": strings.ReplaceAll(t.language, "_", "-"),
		"message_template_category": t.category,
		"reason":                    nil,
	}
	if id, err := strconv.ParseInt(t.id, 10, 64); err == nil {
		v["message_template_id"] = id
	}
	switch {
	case t.status == "PAUSED":
		v["reason"] = "NONE"
		v["other_info"] = map[string]string{"title": "FIRST_PAUSE", "description": "Your WhatsApp message template has been paused for 3 hours."}
	case t.status == "APPROVED" && was == "PAUSED":
		v["other_info"] = map[string]string{"title": "UNPAUSE", "description": "Your WhatsApp message template has been unpaused."}
	}
	return s.accountEntry("message_template_status_update", v, time.Now())
}

// accountEntry is an entry of an account-type field: time, no metadata.
func (s *Server) accountEntry(field string, v any, at time.Time) []byte {
	encoded, err := json.Marshal(v)
	if err != nil {
		encoded = []byte("null")
	}
	b := append([]byte(nil), `{"id":`...)
	b = appendString(b, s.opts.AccountID)
	b = append(b, `,"time":`...)
	b = strconv.AppendInt(b, at.Unix(), 10)
	b = append(b, `,"changes":[{"field":`...)
	b = appendString(b, field)
	b = append(b, `,"value":`...)
	b = append(b, encoded...)
	return append(b, `}]}`...)
}
