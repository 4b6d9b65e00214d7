package proof

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// envelope is a webhook body as far as the player takes it apart (Meta, "Webhooks overview", read 2026-09-11).
type envelope struct {
	Object string  `json:"object"`
	Entry  []entry `json:"entry"`
}

type entry struct {
	ID      string   `json:"id"`
	Time    int64    `json:"time,omitempty"`
	Changes []change `json:"changes"`
}

type change struct {
	Field string                     `json:"field"`
	Value map[string]json.RawMessage `json:"value"`
}

// splitStatuses makes bodies of at most so many statuses of one body; what is no status stays together in one.
func splitStatuses(body []byte, most int, chance *rand.Rand) ([][]byte, error) {
	var whole envelope
	if err := json.Unmarshal(body, &whole); err != nil {
		return nil, fmt.Errorf("reading a webhook body of Meta: %w", err)
	}
	var pieces [][]byte
	rest := envelope{Object: whole.Object}
	add := func(e envelope) error {
		text, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("writing a piece of a webhook body: %w", err)
		}
		pieces = append(pieces, text)
		return nil
	}
	for _, e := range whole.Entry {
		others := entry{ID: e.ID, Time: e.Time}
		for _, c := range e.Changes {
			var statuses []json.RawMessage
			if raw, ok := c.Value["statuses"]; !ok || json.Unmarshal(raw, &statuses) != nil || c.Value["messages"] != nil {
				others.Changes = append(others.Changes, c)
				continue
			}
			for len(statuses) > 0 {
				n := min(len(statuses), 1+chance.IntN(most))
				piece, err := withStatuses(c, statuses[:n])
				if err != nil {
					return nil, err
				}
				if err := add(envelope{Object: whole.Object, Entry: []entry{{ID: e.ID, Time: e.Time, Changes: []change{piece}}}}); err != nil {
					return nil, err
				}
				statuses = statuses[n:]
			}
		}
		if len(others.Changes) > 0 {
			rest.Entry = append(rest.Entry, others)
		}
	}
	if len(rest.Entry) > 0 {
		if err := add(rest); err != nil {
			return nil, err
		}
	}
	return pieces, nil
}

// withStatuses is the change with these statuses alone, and the contacts that they are about.
func withStatuses(c change, statuses []json.RawMessage) (change, error) {
	piece := change{Field: c.Field, Value: map[string]json.RawMessage{}}
	for name, value := range c.Value {
		piece.Value[name] = value
	}
	about := map[string]bool{}
	for _, raw := range statuses {
		var s struct {
			Phone string `json:"recipient_id"`
			User  string `json:"recipient_user_id"`
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			return piece, fmt.Errorf("reading a status of Meta: %w", err)
		}
		about[s.Phone], about[s.User] = true, true
	}
	delete(about, "")
	var contacts, kept []json.RawMessage
	if raw, ok := c.Value["contacts"]; ok {
		if err := json.Unmarshal(raw, &contacts); err != nil {
			return piece, fmt.Errorf("reading the contacts of a webhook body: %w", err)
		}
	}
	for _, raw := range contacts {
		var who struct {
			Phone string `json:"wa_id"`
			User  string `json:"user_id"`
		}
		if err := json.Unmarshal(raw, &who); err == nil && (about[who.Phone] || about[who.User]) {
			kept = append(kept, raw)
		}
	}
	var err error
	if piece.Value["statuses"], err = json.Marshal(statuses); err != nil {
		return piece, fmt.Errorf("writing statuses: %w", err)
	}
	delete(piece.Value, "contacts")
	if len(kept) > 0 {
		if piece.Value["contacts"], err = json.Marshal(kept); err != nil {
			return piece, fmt.Errorf("writing contacts: %w", err)
		}
	}
	return piece, nil
}

// Voice is a person as webhooks name them. Phone is as WhatsApp writes it, without +; one of the two may be "".
type Voice struct{ Phone, User string }

// inbound counts what people said, for ids of their own.
var inbound atomic.Int64

// Writes is the body of a text.
func (v Voice) Writes(account, number, text string) []byte {
	return v.says(account, number, map[string]any{"type": "text", "text": map[string]any{"body": text}})
}

// Taps is the body of a tap on the button of a message of ours; wamid may be "" as in some clients.
func (v Voice) Taps(account, number, payload, wamid string) []byte {
	content := map[string]any{"type": "button", "button": map[string]any{"payload": payload, "text": "Stop offerte"}}
	if wamid != "" {
		content["context"] = map[string]any{"id": wamid}
	}
	return v.says(account, number, content)
}

func (v Voice) says(account, number string, content map[string]any) []byte {
	said := map[string]any{"id": fmt.Sprintf("wamid.PROOF%08d", inbound.Add(1)), "timestamp": strconv.FormatInt(time.Now().Unix(), 10)}
	who := map[string]any{"profile": map[string]any{"name": "Niccolò"}}
	if v.Phone != "" {
		said["from"], who["wa_id"] = v.Phone, v.Phone
	}
	if v.User != "" {
		said["from_user_id"], who["user_id"] = v.User, v.User
	}
	for key, value := range content {
		said[key] = value
	}
	return wrap(account, number, "messages", map[string]any{"contacts": []any{who}, "messages": []any{said}})
}

// Prefers is the body of WhatsApp's own stop or resume of marketing (Meta, "user_preferences webhook", read 2026-09-11).
func (v Voice) Prefers(account, number, value string) []byte {
	wish := map[string]any{
		"detail": "User requested to " + value + " marketing messages", "category": "marketing_messages", "value": value, "timestamp": time.Now().Unix(),
	}
	who := map[string]any{}
	if v.Phone != "" {
		wish["wa_id"], who["wa_id"] = v.Phone, v.Phone
	}
	if v.User != "" {
		wish["user_id"], who["user_id"] = v.User, v.User
	}
	return wrap(account, number, "user_preferences", map[string]any{"contacts": []any{who}, "user_preferences": []any{wish}})
}

func wrap(account, number, field string, value map[string]any) []byte {
	value["messaging_product"] = "whatsapp"
	value["metadata"] = map[string]any{"display_phone_number": "390611120000", "phone_number_id": number}
	text, err := json.Marshal(map[string]any{"object": "whatsapp_business_account", "entry": []any{
		map[string]any{"id": account, "changes": []any{map[string]any{"field": field, "value": value}}},
	}})
	if err != nil {
		panic(err) // strings and numbers alone
	}
	return text
}

// WaID is a number as WhatsApp writes it: Brazil's ninth digit gone, Mexico's 1 put in (graph-api §8).
func WaID(phone string) string {
	digits := strings.TrimPrefix(phone, "+")
	switch {
	case len(digits) == 13 && strings.HasPrefix(digits, "55"):
		return digits[:4] + digits[5:]
	case len(digits) == 12 && strings.HasPrefix(digits, "52"):
		return "521" + digits[2:]
	}
	return digits
}

// personOf is one name for all forms of a number.
func personOf(phone string) string {
	digits := strings.TrimPrefix(phone, "+")
	switch {
	case len(digits) == 12 && strings.HasPrefix(digits, "55") && digits[4] >= '6':
		return digits[:4] + "9" + digits[4:]
	case len(digits) == 13 && strings.HasPrefix(digits, "521"):
		return "52" + digits[3:]
	}
	return digits
}
