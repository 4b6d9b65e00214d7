package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

// maxDepth is how deeply a body may nest; encoding/json itself stops only at 10,000.
const maxDepth = 64

// parser reads bodies whose signature has been proved.
type parser struct {
	keywords func() policy.Keywords
	wants    func() Wants
	kind     func(campaign string) (policy.Kind, bool)
	classify func(code int) sender.Reaction
}

// reading is one body being read.
type reading struct {
	parser
	now time.Time
	box sender.Inbox
	// odd says that the body holds something that box does not.
	odd bool
	// nameless counts opt-outs that name neither a person nor a message of ours.
	nameless int
}

// parse reads one body; now stands in for times that the body does not tell. Everything that is JSON is accepted: what it
// does not understand it keeps in Body. The error is a sentence for the sender of the body.
func (p parser) parse(raw []byte, now time.Time) (reading, error) {
	r := reading{parser: p, now: now.UTC()}
	if deeper(raw, maxDepth) {
		return r, fmt.Errorf("the body nests deeper than %d levels", maxDepth)
	}
	var body envelope
	if err := json.Unmarshal(raw, &body); err != nil {
		// Any other error is about one field, and encoding/json has read the rest.
		if _, syntax := errors.AsType[*json.SyntaxError](err); syntax {
			return r, errors.New("the body is not JSON")
		}
		r.odd = true
	}
	r.box.BodyHash = sha256.Sum256(raw)
	if body.Object != "" && body.Object != "whatsapp_business_account" {
		r.odd = true
		body.Entry = nil
	}
	for i := range body.Entry {
		for j := range body.Entry[i].Changes {
			at, _ := instant(body.Entry[i].Time, r.now)
			r.change(string(body.Entry[i].Changes[j].Field), &body.Entry[i].Changes[j].Value, at)
		}
	}
	slices.SortStableFunc(r.box.Acts, stopsFirst)
	if r.odd {
		r.box.Body = bytes.Clone(raw)
	}
	return r, nil
}

func stopsFirst(a, b policy.Act) int {
	switch aStops, bStops := a.Kind == policy.ActStop, b.Kind == policy.ActStop; {
	case aStops == bStops:
		return 0
	case aStops:
		return -1
	}
	return 1
}

// deeper reports whether the JSON text opens more than limit objects and arrays at once. It looks at bytes alone, so that
// nothing recurses before the answer is known; on a text that is not JSON the answer means nothing.
func deeper(raw []byte, limit int) bool {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > limit {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

func (r *reading) change(field string, v *value, at time.Time) {
	switch field {
	case "messages", "user_preferences":
		r.people(v)
	case "message_template_status_update", "message_template_quality_update",
		"message_template_components_update", "template_category_update":
		r.template(field, v)
	case "account_update":
		r.account(v, at)
	case "business_capability_update", "phone_number_quality_update":
		r.capability(v)
	case "":
		if v.TemplateName != "" {
			r.template(field, v)
			return
		}
		r.people(v)
	default:
		r.odd = true
	}
}

// people reads what persons did and what became of messages to them.
func (r *reading) people(v *value) {
	if len(v.Messages)+len(v.Statuses)+len(v.Preferences) == 0 || says(v.Errors) {
		r.odd = true
	}
	for i := range v.Preferences {
		r.preference(v, &v.Preferences[i])
	}
	for i := range v.Messages {
		r.message(v, &v.Messages[i])
	}
	for i := range v.Statuses {
		r.status(v, &v.Statuses[i])
	}
}

// act adds an act, unless nothing says whose it is.
func (r *reading) act(a policy.Act) {
	if !a.Identity.Empty() || a.ContextWAMID != "" {
		r.box.Acts = append(r.box.Acts, a)
		return
	}
	r.odd = true
	if a.Kind == policy.ActStop {
		r.nameless++
	}
}

// mayLift reports whether a lift of that time may be believed. Of what undoes a stop the time must be certain: a replayed
// START that reads as newer than the stop after it would write to someone who said no.
func (r *reading) mayLift(at time.Time, told bool) bool {
	return told && !at.After(r.now.Add(5*time.Minute))
}

// template reads a template's change. Reasons, scores and pauses have no place in an Update, so the body is always kept;
// it names no person.
func (r *reading) template(field string, v *value) {
	r.odd = true
	update := templates.Update{Name: string(v.TemplateName), Language: strings.ReplaceAll(string(v.TemplateLanguage), "-", "_")}
	if update.Name == "" || update.Language == "" {
		return
	}
	switch {
	case field == "message_template_quality_update" || v.QualityScore != "":
	case field == "message_template_components_update" || field == "template_category_update" || says(v.Element) || v.NewCategory != "":
		update.Resync = true
	case v.Event != "":
		update.Status = strings.ToUpper(strings.TrimSpace(string(v.Event)))
		update.Resync = isEventOnly(update.Status)
	default:
		return
	}
	r.box.Templates = append(r.box.Templates, update)
}

// isEventOnly reports whether the word is one that Meta uses for an event and never as a template's status, so that the
// status has to be asked for (Meta, "message_template_status_update" and "Templates", graph-api §4.8, §5.1).
func isEventOnly(word string) bool {
	switch word {
	case "REINSTATED", "UNARCHIVED", "FLAGGED", "LOCKED":
		return true
	}
	return false
}
