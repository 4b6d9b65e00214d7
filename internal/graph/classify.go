package graph

import (
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/sender"
)

// wrongObject is the subcode of 100 that says that the object in the address, our number, does not exist.
const wrongObject = 33

// Classify says what a Graph error asks of us. Meta builds on the code, never on title or status (Meta, "Error codes",
// read 2026-09-11); subcode, status and transient only decide where the code does not. httpStatus is 0 for an error that
// came by webhook. A code that nobody knows fails the one message, unless the server says that it will pass.
func Classify(code, subcode, httpStatus int, transient bool) sender.Reaction {
	if code == 100 && subcode == wrongObject {
		return sender.PauseNumber
	}
	if c, ok := find(code); ok {
		return c.reaction
	}
	switch {
	case httpStatus == http.StatusUnauthorized:
		return sender.PauseToken
	case httpStatus == http.StatusTooManyRequests:
		return sender.SlowDown
	case httpStatus >= 500, transient:
		return sender.Retry
	}
	return sender.FailMessage
}

// Explain gives a code's title and one sentence of advice to an operator; ok is false for a code that is not in Meta's list.
func Explain(code int) (title, advice string, ok bool) {
	c, ok := find(code)
	return c.title, c.advice, ok
}

// Code returns the error code of one of Meta's: meta_131049. One that is not in Meta's list is errcode.MetaRefused.
func Code(code int) errcode.Code {
	if code >= 200 && code <= 299 {
		code = anyPermission
	}
	if _, ok := codes[code]; !ok {
		return errcode.MetaRefused
	}
	return errcode.Code("meta_" + strconv.Itoa(code))
}

// Entries returns what there is to say about each of Meta's codes, in their order.
func Entries() []errcode.Entry {
	var entries []errcode.Entry
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		entries = append(entries, errcode.Entry{
			Code: Code(code), Area: errcode.AreaMetaCodes, Title: codes[code].title, Means: consequences[codes[code].reaction], Do: codes[code].advice,
		})
	}
	return entries
}

// consequences say what permesso does of itself after a reaction.
var consequences = map[sender.Reaction]string{
	sender.PauseToken:    "Every run pauses until the token is accepted again; nobody loses their message.",
	sender.PauseAccount:  "Every run pauses until the account may send again; nobody loses their message.",
	sender.PauseNumber:   "The runs of the number pause; nobody loses their message.",
	sender.PauseTemplate: "The runs of the template pause; nobody loses their message.",
	sender.PauseRun:      "The run pauses, since everybody in it would meet the same; nobody loses their message.",
	sender.SlowDown:      "The message goes back into the queue; the number sends more slowly, or waits, for a while.",
	sender.PairLimit:     "The message goes back into the queue, and waits longer after each try; it fails at its sixth.",
	sender.Retry:         "The message goes back into the queue, and fails at its fourth try.",
	sender.Cooldown:      "The message fails, and marketing to this person waits for 24 hours.",
	sender.Suppress:      "The message fails, and marketing to this person is suppressed.",
	sender.Undeliverable: "The message fails; after three such the person is unreachable for marketing.",
	sender.FailMessage:   "This one message fails.",
}

// anyPermission stands for all codes from 200 to 299: Meta's list has one entry for all permissions.
const anyPermission = 200

func find(code int) (meaning, bool) {
	if code >= 200 && code <= 299 {
		code = anyPermission
	}
	c, ok := codes[code]
	return c, ok
}
