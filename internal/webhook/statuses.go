package webhook

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/permesso/permesso/sender"
)

// status reads what became of one message. The order in which they come means nothing (graph-api §4.3).
func (r *reading) status(v *value, s *status) {
	state, known := stateOf(string(s.Status))
	if !known || s.ID == "" && s.Callback == "" {
		r.odd = true
		return
	}
	if state == "" {
		return
	}
	at, told := instant(s.Timestamp, r.now)
	if !told {
		r.odd = true
	}
	out := sender.Status{WAMID: string(s.ID), Callback: string(s.Callback), State: state, At: at, Pricing: r.price(s.Pricing)}
	if s.RecipientType != "group" {
		out.Identity = identity(v.complete(names{number: s.RecipientID, user: s.UserID, parent: s.ParentID}))
	}
	switch {
	case state == sender.Failed:
		out.Err = r.failure(s.Errors)
	case says(s.Errors):
		r.odd = true
	}
	r.box.Statuses = append(r.box.Statuses, out)
}

// stateOf reads Meta's word; the state is "" for a word that is known to change nothing: gateways still see "deleted".
// "played" comes after "read", of voice messages.
func stateOf(word string) (state sender.State, known bool) {
	switch strings.ToLower(word) {
	case "sent":
		return sender.Sent, true
	case "delivered":
		return sender.Delivered, true
	case "read", "played":
		return sender.Read, true
	case "failed":
		return sender.Failed, true
	case "deleted":
		return "", true
	}
	return "", false
}

// failure reads errors[] of a failed status: of several the one that suppresses, else the first. A failure without a
// readable error is one with code 0, whose body is kept.
func (r *reading) failure(raw json.RawMessage) *sender.Error {
	var list []graphError
	if says(raw) && json.Unmarshal(raw, &list) != nil {
		r.odd = true
	}
	var chosen *sender.Error
	for _, e := range list {
		code, err := strconv.Atoi(string(e.Code))
		if err != nil {
			r.odd = true
			continue
		}
		one := &sender.Error{Code: code, Title: cmp.Or(string(e.Title), string(e.Message)), Details: e.details(), Reaction: r.reaction(code)}
		if chosen == nil || one.Reaction == sender.Suppress && chosen.Reaction != sender.Suppress {
			chosen = one
		}
	}
	if chosen == nil {
		r.odd = true
		chosen = &sender.Error{Title: "failed, and Meta gave no reason", Reaction: r.reaction(0)}
	}
	return chosen
}

func (r *reading) reaction(code int) sender.Reaction {
	if r.classify == nil {
		return sender.FailMessage
	}
	return r.classify(code)
}

// details is what error_data says, which is an object, a string or absent; else the message, where it is not the title again.
func (e graphError) details() string {
	var text prose
	var object struct {
		Details prose `json:"details"`
	}
	if len(e.Data) > 0 {
		switch e.Data[0] {
		case '{':
			if err := json.Unmarshal(e.Data, &object); err == nil {
				text = object.Details
			}
		case '"':
			text = prose(clip(unquote(e.Data), maxProse))
		}
	}
	if text == "" && e.Message != e.Title && e.Title != "" {
		text = e.Message
	}
	return string(text)
}

// price reads the price. "billable" is deprecated; without it the type of pricing tells (Meta, "Statuses webhook";
// graph-api §4.5).
func (r *reading) price(p *pricing) *sender.Pricing {
	if p == nil {
		return nil
	}
	price := &sender.Pricing{Category: string(p.Category), Model: string(p.Model)}
	billable := string(p.Billable)
	if says(p.Billable) && billable != "true" && billable != "false" {
		r.odd = true
	}
	switch {
	case billable == "true" || billable == "false":
		price.Billable = new(billable == "true")
	case p.Type == "regular":
		price.Billable = new(true)
	case strings.HasPrefix(string(p.Type), "free_"):
		price.Billable = new(false)
	}
	return price
}
