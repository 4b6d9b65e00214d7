package sandbox

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// sendRequest is the body of POST messages, its strings still inside the body.
type sendRequest struct {
	product, recipientType, to, recipient []byte
	kind, callback                        []byte
	template, text                        value

	name, language, policy []byte
	components             value
	textBody               []byte

	interactive value
	menu        []byte // the kind of interactive message
	buttons     []replyButton
}

// topKeys are the parameters Meta documents for the two endpoints; any other
// key is refused with 100, which is how a misspelt one is met (graph-api.md
// §1.2, §1.6, §1.7, §2.4). True marks those of marketing_messages alone.
var topKeys = map[string]bool{
	"messaging_product": false, "recipient_type": false, "to": false, "recipient": false, "type": false,
	"template": false, "text": false, "interactive": false, "biz_opaque_callback_data": false, "context": false, "messaging_account_id": false,
	"category": false, "direct_send_config": false,
	"product_policy": true, "message_activity_sharing": true, "bid_spec": true,
}

func wantText(at string, v value, to *[]byte) *fault { return wantField(at, "", v, to) }

// wantField reads the string v, the member field of at, into to; null counts
// as absent.
func wantField(at, field string, v value, to *[]byte) *fault {
	if !v.present() {
		return nil
	}
	t, ok := v.text()
	if !ok {
		return refuse(100, "Param %s %s must be a string", at, field)
	}
	*to = t
	return nil
}

// parseSend reads the body without looking at any template.
func parseSend(body []byte, marketing bool) (sendRequest, *fault) {
	var q sendRequest
	if !json.Valid(body) {
		return q, refuse(100, "The request body is not valid JSON")
	}
	v := value(bytes.TrimSpace(body))
	if !v.isObject() {
		return q, refuse(100, "The request body must be a JSON object")
	}
	err := v.members(func(key []byte, m value) *fault {
		switch string(key) {
		case "messaging_product":
			return wantText("messaging_product", m, &q.product)
		case "recipient_type":
			return wantText("recipient_type", m, &q.recipientType)
		case "to":
			return wantText("to", m, &q.to)
		case "recipient":
			return wantText("recipient", m, &q.recipient)
		case "type":
			return wantText("type", m, &q.kind)
		case "biz_opaque_callback_data":
			return wantText("biz_opaque_callback_data", m, &q.callback)
		case "template":
			q.template = m
			return q.parseTemplate()
		case "text":
			q.text = m
			return q.parseText()
		case "interactive":
			q.interactive = m
			return q.parseInteractive()
		}
		if only, known := topKeys[string(key)]; !known || only && !marketing {
			return refuse(100, "Unexpected key %q", key)
		}
		return nil
	})
	return q, err
}

func (q *sendRequest) parseTemplate() *fault {
	if !q.template.isObject() {
		return refuse(100, "Param template must be a JSON object")
	}
	return q.template.members(func(key []byte, m value) *fault {
		switch string(key) {
		case "name":
			return wantText("template['name']", m, &q.name)
		case "components":
			if m.present() && !m.isArray() {
				return refuse(100, "Param template['components'] must be an array")
			}
			if m.present() {
				q.components = m
			}
			return nil
		case "language":
			if !m.isObject() {
				return refuse(100, "Param template['language'] must be a JSON object")
			}
			return m.members(func(key []byte, m value) *fault {
				switch string(key) {
				case "code":
					return wantText("template['language']['code']", m, &q.language)
				case "policy":
					return wantText("template['language']['policy']", m, &q.policy)
				}
				return refuse(100, "Unexpected key %q on param template['language']", key)
			})
		}
		return refuse(100, "Unexpected key %q on param template", key)
	})
}

func (q *sendRequest) parseText() *fault {
	if !q.text.isObject() {
		return refuse(100, "Param text must be a JSON object")
	}
	return q.text.members(func(key []byte, m value) *fault {
		switch string(key) {
		case "body":
			return wantText("text['body']", m, &q.textBody)
		case "preview_url":
			return nil
		}
		return refuse(100, "Unexpected key %q on param text", key)
	})
}

// checkEnvelope judges everything but recipient and template parameters.
func (q *sendRequest) checkEnvelope(marketing bool) *fault {
	switch {
	case len(q.product) == 0:
		return refuse(100, "The parameter messaging_product is required")
	case string(q.product) != "whatsapp":
		return refuse(100, "Param messaging_product must be whatsapp")
	case len(q.recipientType) > 0 && string(q.recipientType) != "individual":
		return refuse(131009, "recipient_type must be individual: the sandbox has no groups")
	case len(q.to) == 0 && len(q.recipient) == 0:
		return refuse(131008, "One of to and recipient is required")
	case utf8.RuneCount(q.callback) > 512:
		return refuse(131009, "biz_opaque_callback_data is longer than 512 characters")
	}
	switch kind := string(q.kind); {
	case marketing && kind != "template":
		return refuse(100, "Message must be a template message.")
	case kind == "template":
		return q.checkTemplateKeys()
	case kind == "text" || kind == "" && q.text != nil:
		return q.checkText()
	case kind == "interactive":
		return q.checkInteractive()
	case kind == "":
		return refuse(131008, "type is required")
	default:
		return refuse(131051, "The sandbox sends messages of type template, text and interactive only, not %q", kind)
	}
}

func (q *sendRequest) checkTemplateKeys() *fault {
	switch {
	case q.template == nil:
		return refuse(131008, "template is required when type is template")
	case len(q.name) == 0:
		return refuse(131008, "template['name'] is required")
	case len(q.language) == 0:
		return refuse(131008, "template['language']['code'] is required")
	case len(q.policy) > 0 && string(q.policy) != "deterministic":
		return refuse(131009, "template['language']['policy'] must be deterministic")
	}
	return nil
}

func (q *sendRequest) checkText() *fault {
	if len(q.textBody) == 0 {
		return refuse(131008, "text['body'] is required")
	}
	if utf8.RuneCount(q.textBody) > 4096 {
		return refuse(131009, "text['body'] is longer than 4096 characters")
	}
	return nil
}

// sendable tells whether Meta would take a send of this template now.
func (t *template) sendable(marketing bool) *fault {
	switch t.status {
	case "APPROVED":
	case "PAUSED":
		return refuse(132015, "template name (%s) is paused in %s", t.name, t.language)
	case "DISABLED":
		return refuse(132016, "template name (%s) is disabled in %s", t.name, t.language)
	default:
		return refuse(132001, "template name (%s) is not approved in %s: %s", t.name, t.language, t.status)
	}
	if marketing && t.category != "MARKETING" {
		return refuse(131055, "marketing_messages takes marketing templates only, %s is %s", t.name, t.category)
	}
	return nil
}

// readIndex reads a button or card index, which Meta takes as a number and as
// a string.
func readIndex(v value, limit int) (int, bool) {
	digits := []byte(v)
	if t, ok := v.text(); ok {
		digits = t
	}
	if len(digits) == 0 || len(digits) > 2 {
		return 0, false
	}
	n, err := strconv.Atoi(string(digits))
	return n, err == nil && n >= 0 && n < limit
}

// checkWhitespace is the hygiene of parameter texts: 132018 since v23
// (29 May 2025), 132012 before (graph-api.md §1.3).
func checkWhitespace(at string, t []byte, version int) *fault {
	spaces := 0
	for _, c := range t {
		if c == ' ' {
			spaces++
		} else {
			spaces = 0
		}
		if spaces > 4 || c == '\n' || c == '\r' || c == '\t' {
			code := 132018
			if version < 23 {
				code = 132012
			}
			return refuse(code, "%s: Param text cannot have new-line/tab characters or more than 4 consecutive spaces", at)
		}
	}
	return nil
}

// offerEnds checks the end of a limited-time offer: Unix milliseconds ahead.
func offerEnds(ms value, now time.Time) *fault {
	n, err := strconv.ParseInt(string(ms), 10, 64)
	if err != nil || !time.UnixMilli(n).After(now) {
		return refuse(131009, "limited_time_offer: expiration_time_ms must be a time to come in Unix milliseconds")
	}
	return nil
}
