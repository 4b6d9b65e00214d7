package graph

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/permesso/permesso/sender"
)

// maxRetryAfter bounds what a server may ask us to wait; beyond it a person should look.
const maxRetryAfter = 24 * time.Hour

// answer is what Meta says to a POST (Meta, "Send messages" and "Error codes", read 2026-09-11). Types vary between
// Meta's pages; whatever has an unexpected one is as if absent.
type answer struct {
	Messages []message  `json:"messages"`
	Contacts []contact  `json:"contacts"`
	Error    graphError `json:"error"`
}

type message struct {
	ID     word `json:"id"`
	Status word `json:"message_status"`
}

type contact struct {
	WaID   word `json:"wa_id"`
	UserID word `json:"user_id"`
}

// readAnswer reads as much as can be understood; ok says that the body is JSON.
func readAnswer(body []byte) (a answer, ok bool) {
	err := json.Unmarshal(body, &a)
	if err == nil {
		return a, true
	}
	// A field of another type than expected is skipped by encoding/json, and the rest is read all the same.
	_, ok = errors.AsType[*json.UnmarshalTypeError](err)
	return a, ok
}

// graphError is the error object of Graph. A code makes it one.
type graphError struct {
	Message     word            `json:"message"`
	Code        number          `json:"code"`
	Subcode     number          `json:"error_subcode"`
	Transient   word            `json:"is_transient"`
	UserMessage word            `json:"error_user_msg"`
	Data        json.RawMessage `json:"error_data"`
	TraceID     word            `json:"fbtrace_id"`
}

func (e graphError) isGraph() bool { return e.Code.known }

// classify turns the error object into the type that the rest of the program acts on.
func (e graphError) classify(r reply, token string) *sender.Error {
	code := e.Code.value
	out := &sender.Error{
		Code:     code,
		TraceID:  tidy(string(e.TraceID), token, 64),
		Reaction: Classify(code, e.Subcode.value, r.status, e.Transient == "true" || e.Transient == "1"),
	}
	said := string(e.Message)
	if _, rest, ok := strings.Cut(said, ") "); ok && strings.HasPrefix(said, "(#") {
		said = rest
	}
	title, _, _ := Explain(code)
	out.Title = tidy(cmp.Or(title, said, "Unknown error"), token, 200)
	out.Details = tidy(cmp.Or(e.details(), string(e.UserMessage), said), token, 500)
	if out.Details == out.Title {
		out.Details = ""
	}
	switch out.Reaction {
	case sender.Retry, sender.SlowDown, sender.PairLimit:
		out.RetryAfter = cmp.Or(retryAfter(r.header), codes[code].wait)
	}
	return out
}

// details reads error_data, which is an object or a text, which may again hold an object.
func (e graphError) details() string {
	raw := e.Data
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	var data struct {
		Details word `json:"details"`
	}
	if json.Unmarshal(raw, &data) == nil {
		return string(data.Details)
	}
	return text
}

// retryAfter is the longer of Retry-After and the time to regain access in x-business-use-case-usage, which is in minutes.
func retryAfter(h http.Header) time.Duration {
	var wait time.Duration
	if text := h.Get("Retry-After"); text != "" {
		if seconds, err := strconv.Atoi(text); err == nil {
			wait = time.Duration(min(seconds, int(maxRetryAfter/time.Second))) * time.Second
		} else if at, err := http.ParseTime(text); err == nil {
			wait = time.Until(at)
		}
	}
	var usage map[string][]struct {
		Minutes number `json:"estimated_time_to_regain_access"`
	}
	if text := h.Get("X-Business-Use-Case-Usage"); text != "" && json.Unmarshal([]byte(text), &usage) == nil {
		for _, entries := range usage {
			for _, entry := range entries {
				wait = max(wait, time.Duration(min(entry.Minutes.value, int(maxRetryAfter/time.Minute)))*time.Minute)
			}
		}
	}
	return max(0, min(wait, maxRetryAfter))
}

// word is a JSON text, or the text of a number or boolean; anything else is "".
type word string

// UnmarshalJSON never fails: a field of a strange type must not hide the others.
func (w *word) UnmarshalJSON(raw []byte) error {
	*w = ""
	var s string
	switch {
	case len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || string(raw) == "null":
	case raw[0] != '"':
		*w = word(raw)
	case json.Unmarshal(raw, &s) == nil:
		*w = word(s)
	}
	return nil
}

// number is a JSON integer or the text of one.
type number struct {
	value int
	known bool
}

// UnmarshalJSON never fails: what is no integer is unknown.
func (n *number) UnmarshalJSON(raw []byte) error {
	value, err := strconv.Atoi(string(bytes.Trim(raw, `" `)))
	*n = number{value: value, known: err == nil}
	if err != nil {
		n.value = 0
	}
	return nil
}

// tidy makes a text of the server's fit to be stored and printed: one line, at most limit characters, without the
// access token, which Meta repeats when it finds it malformed.
func tidy(text, token string, limit int) string {
	text = strings.Join(strings.Fields(redact(text, token)), " ")
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return text
}

// redact replaces the token, and every piece of it of eight characters or more that stands as a word of its own. A token
// shorter than that, as a sandbox takes, is replaced only where it is a word itself: x stands in many another.
func redact(text, token string) string {
	if token == "" {
		return text
	}
	if len(token) < 8 {
		return redactWord(text, token)
	}
	text = strings.ReplaceAll(text, token, "[token]")
	for _, piece := range strings.FieldsFunc(text, func(r rune) bool { return !strings.ContainsRune(token, r) }) {
		if len(piece) >= 8 && strings.Contains(token, piece) {
			text = strings.ReplaceAll(text, piece, "[token]")
		}
	}
	return text
}

func redactWord(text, token string) string {
	partOfWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, token)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		last, _ := utf8.DecodeLastRuneInString(out.String())
		next, _ := utf8.DecodeRuneInString(after)
		if partOfWord(last) || partOfWord(next) {
			out.WriteString(token)
		} else {
			out.WriteString("[token]")
		}
		text = after
	}
}

// scrub takes out of an error what the server said: net/http quotes broken answers, and one may hold an echo of our token
// or a person's number. An error without a quotation is returned as it is.
func scrub(err error, token string) error {
	text, _, quotes := strings.Cut(redact(err.Error(), token), `"`)
	if !quotes && text == err.Error() {
		return err
	}
	return errors.New(strings.TrimRight(text, ": "))
}
