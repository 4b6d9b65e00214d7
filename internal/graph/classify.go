package graph

import (
	"net/http"

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

func find(code int) (meaning, bool) {
	// Meta's list has one entry for all permissions.
	if code >= 200 && code <= 299 {
		code = 200
	}
	c, ok := codes[code]
	return c, ok
}
