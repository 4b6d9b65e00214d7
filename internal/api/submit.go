package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/spelling"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// rejected is why an item was not taken.
type rejected struct {
	code          errcode.Code
	field, reason string
}

// The states of an item.
const (
	accepted   = "accepted"
	duplicate  = "duplicate" // all that it says was on record
	turnedAway = "rejected"
)

// itemAnswer is what became of one item, by its place in the request. It says nothing of what the item holds.
type itemAnswer struct {
	Index  int          `json:"index"`
	Status string       `json:"status"`
	Code   errcode.Code `json:"code,omitempty"`
	Field  string       `json:"field,omitempty"`
	Reason string       `json:"reason,omitempty"`
	// Suppressed says that the consent stands in the ledger and a stop of the person's holds all the same: nothing is sent.
	Suppressed bool     `json:"suppressed,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`
	// Confirm is how the person confirms what is pending; absent when it is, or when the time for it is over.
	Confirm *confirmation `json:"confirm,omitempty"`
}

// confirmation is what a person sends from their own number, within policy.JoinCodeLife, and the link that writes it for them.
type confirmation struct {
	Text string `json:"text"`
	Link string `json:"link"`
}

// answer is what became of a request's items, in their order.
type answer struct {
	Accepted  int          `json:"accepted"`
	Duplicate int          `json:"duplicate"`
	Rejected  int          `json:"rejected"`
	Items     []itemAnswer `json:"items"`
}

// judged are the items of a request: what is said of each, and where the records of the good ones stand.
type judged[T any] struct {
	items   []itemAnswer
	records []T
	places  []int // of the records among the items
}

// judge holds each item to its rules. One that is rejected takes no other with it.
func judge[T any](items []item, check func(item) (T, []string, *rejected)) judged[T] {
	j := judged[T]{items: make([]itemAnswer, len(items))}
	for i, it := range items {
		wrong := it.wrong
		if wrong == nil {
			var record T
			var warnings []string
			if record, warnings, wrong = check(it); wrong == nil {
				j.items[i] = itemAnswer{Index: i, Warnings: warnings}
				j.records, j.places = append(j.records, record), append(j.places, i)
				continue
			}
		}
		j.items[i] = itemAnswer{Index: i, Status: turnedAway, Code: wrong.code, Field: wrong.field, Reason: wrong.reason}
	}
	return j
}

// answer puts the fates of the records to the items; tell adds what else there is to tell of one.
func (j judged[T]) answer(list bool, fates []report.Fate, tell func(T, report.Fate, *itemAnswer)) report.Answer {
	out := answer{Items: slices.Clone(j.items)} // a transaction that is tried again is answered anew
	for n, fate := range fates {
		it := &out.Items[j.places[n]]
		switch {
		case fate.Erased:
			it.Status, it.Code, it.Reason = turnedAway, errcode.RowErased, "the person asked to be forgotten, so nothing is kept of them"
		case fate.New:
			it.Status = accepted
		default:
			it.Status = duplicate
		}
		tell(j.records[n], fate, it)
	}
	for _, it := range out.Items {
		switch it.Status {
		case accepted:
			out.Accepted++
		case duplicate:
			out.Duplicate++
		default:
			out.Rejected++
		}
	}
	return report.Answer{Status: statusOf(list, out), Body: bodyOf(list, out)}
}

// statusOf is 201 when something was taken, 200 when all was known, and tells from afar when something was not taken: 422 of a
// single item, 207 of a list.
func statusOf(list bool, out answer) int {
	switch {
	case out.Rejected > 0 && list:
		return http.StatusMultiStatus
	case out.Rejected > 0:
		return http.StatusUnprocessableEntity
	case out.Accepted > 0:
		return http.StatusCreated
	}
	return http.StatusOK
}

func bodyOf(list bool, out answer) []byte {
	if only := out.Items[0]; !list && only.Status == turnedAway {
		return refuse(http.StatusUnprocessableEntity, string(only.Code), only.Reason).of(only.Field).body()
	}
	return encode(out)
}

func nothing[T any](T, report.Fate, *itemAnswer) {}

func (a *api) takeConsents(c *call) error {
	s, err := read(c)
	if err != nil {
		return err
	}
	j := judge(s.items, func(it item) (scheduler.ConsentRecord, []string, *rejected) { return a.readConsent(c, it) })
	given, err := a.Records.SubmitConsents(c.Context(), s.request, j.records, func(fates []report.Fate) report.Answer {
		return j.answer(s.list, fates, a.tellConsent)
	})
	return deliver(c, given, err)
}

func (a *api) tellConsent(r scheduler.ConsentRecord, fate report.Fate, it *itemAnswer) {
	it.Suppressed = a.suppressed(r, fate)
	if fate.Code != "" {
		text := policy.JoinText(r.Event.Category, fate.Code, a.Ordinary)
		it.Confirm = &confirmation{text, a.Reply.Chat(text)}
	}
}

// suppressed reports whether a stop holds that covers what somebody consents to. A consent that a program sends lifts none.
func (a *api) suppressed(r scheduler.ConsentRecord, fate report.Fate) bool {
	if r.Event.Action == policy.Revoked {
		return false
	}
	return slices.ContainsFunc(fate.Stops, func(stop policy.Scope) bool { return stop.Covers(a.Categories[r.Event.Category]) })
}

func (a *api) takeContacts(c *call) error {
	s, err := read(c)
	if err != nil {
		return err
	}
	j := judge(s.items, a.readContact)
	given, err := a.Records.SubmitContacts(c.Context(), s.request, j.records, func(fates []report.Fate) report.Answer {
		return j.answer(s.list, fates, nothing[scheduler.ContactRecord])
	})
	return deliver(c, given, err)
}

func deliver(c *call, given report.Answer, err error) error {
	if errors.Is(err, report.ErrOtherRequest) {
		return refuse(http.StatusUnprocessableEntity, "idempotency_key_reused", "This Idempotency-Key came with another request in the last 24 hours. Take a new one for a new request; nothing was taken.")
	}
	if err != nil {
		return err
	}
	writeJSON(c.w, given.Status, given.Body)
	return nil
}

func (a *api) readConsent(c *call, it item) (scheduler.ConsentRecord, []string, *rejected) {
	given, wrong := texts(it.fields, imports.ConsentFields())
	if wrong != nil {
		return scheduler.ConsentRecord{}, nil, wrong
	}
	record, doubts, rejection := a.items.Consent(c.now.Add(clockSkew), given)
	if rejection != nil {
		return record, nil, a.explain(rejection, given)
	}
	if record.Event.Action == policy.Pending && a.Reply == "" {
		return record, nil, &rejected{errcode.RowUnconfirmable, "action", "nobody could confirm it: no number in config.yaml has a phone, to which the person would write"}
	}
	return record, doubts, nil
}

func (a *api) readContact(it item) (scheduler.ContactRecord, []string, *rejected) {
	none := scheduler.ContactRecord{}
	fields := maps.Clone(it.fields)
	attributes, wrong := readAttributes(fields["attributes"])
	if wrong != nil {
		return none, nil, wrong
	}
	delete(fields, "attributes")
	var tags []string
	if list := fields["tags"]; len(list) > 0 && list[0] == '[' {
		if tags, wrong = readTags(list); wrong != nil {
			return none, nil, wrong
		}
		delete(fields, "tags")
	}
	given, wrong := texts(fields, imports.ContactFields(), "attributes")
	if wrong != nil {
		return none, nil, wrong
	}
	record, rejection := a.items.Contact(given, tags, attributes)
	if rejection != nil {
		return none, nil, a.explain(rejection, given)
	}
	return record, nil, nil
}

func readAttributes(value json.RawMessage) (map[string]string, *rejected) {
	if len(value) == 0 || value[0] == 'n' {
		return nil, nil
	}
	if value[0] != '{' {
		return nil, &rejected{errcode.RowFieldKind, "attributes", "the attributes are not an object"}
	}
	raw, twice := members(value)
	if twice != "" {
		return nil, &rejected{errcode.RowField, "attributes." + twice, "the attribute stands twice; leave one of them out"}
	}
	attributes := make(map[string]string, len(raw))
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		said, ok := scalar(raw[name])
		if !ok {
			return nil, &rejected{errcode.RowFieldKind, "attributes." + cut(name), "the attribute is a list or an object; write a text, a number, true or false"}
		}
		attributes[name] = said
	}
	return attributes, nil
}

func readTags(value json.RawMessage) ([]string, *rejected) {
	var tags []*string
	if json.Unmarshal(value, &tags) != nil || slices.Contains(tags, nil) {
		return nil, &rejected{errcode.RowFieldKind, "tags", "the tags are not all texts; put each in double quotes"}
	}
	out := make([]string, len(tags))
	for i, tag := range tags {
		if strings.Contains(*tag, ";") {
			return nil, &rejected{errcode.RowFieldKind, "tags", "a tag of a list has a semicolon, which would make two of it; take it out"}
		}
		out[i] = *tag
	}
	return out, nil
}

// texts reads fields that are texts, and refuses those that nobody reads.
func texts(fields map[string]json.RawMessage, known []string, more ...string) (map[string]string, *rejected) {
	given := make(map[string]string, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(known, name) {
			reason := "there is no such field" + meant(name, slices.Concat(known, more))
			return nil, &rejected{errcode.RowField, cut(name), reason}
		}
		said, ok := text(fields[name])
		if !ok {
			return nil, &rejected{errcode.RowFieldKind, name, "the field is no text; put its value in double quotes"}
		}
		given[name] = said
	}
	return given, nil
}

// explain adds to a rejection what may have been meant.
func (a *api) explain(r *imports.Rejection, given map[string]string) *rejected {
	out := &rejected{cmp.Or(r.Code, errcode.Internal), r.Column, r.Reason}
	known := map[string][]string{"category": slices.Sorted(maps.Keys(a.Categories)), "source": policy.Sources(), "action": {"granted", "pending", "revoked"}}
	if out.code == errcode.RowCategory || out.code == errcode.RowSource || out.code == errcode.RowAction {
		out.reason += meant(given[r.Column], known[r.Column])
	}
	return out
}

func meant(word string, known []string) string {
	if near := spelling.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}
