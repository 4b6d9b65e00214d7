package api

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
)

// What a body may be at most.
const (
	maxBody  = 1 << 20
	maxItems = 1000
	maxDepth = 16
)

// item is one object of a body, its values as JSON has them.
type item struct {
	fields map[string]json.RawMessage
	// wrong is why it is rejected before anybody looks at what it says; nil when it may be good.
	wrong *rejected
}

// submission is a body, read.
type submission struct {
	items   []item
	list    bool // it was a list: also one of one item
	request report.Request
}

// read takes in the body of a call.
func read(c *call) (submission, error) {
	var s submission
	if kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return s, refuse(http.StatusUnsupportedMediaType, "not_json", "Send the body as JSON, with the header `Content-Type: application/json`.")
	}
	id := c.Header.Get("Idempotency-Key")
	if _, given := c.Header["Idempotency-Key"]; given && !goodID(id) {
		return s, refuse(http.StatusBadRequest, "idempotency_key_wrong", "An Idempotency-Key is 1 to 255 visible ASCII characters, another for each request, such as a UUID.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.Body, maxBody))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return s, refuse(http.StatusRequestEntityTooLarge, "body_too_large", "The body is larger than 1 MiB; send fewer items in one request.")
		}
		return s, refuse(http.StatusBadRequest, "body_cut_off", "The body ended before its end. Nothing was taken; send it again.")
	}
	if s.items, s.list, err = parse(body); err != nil {
		return s, err
	}
	// Keyed by the secret, which nobody keeps: numbers could else be guessed from the hash.
	mac := hmac.New(sha256.New, []byte(c.secret))
	fmt.Fprintf(mac, "%s %s\n", c.Method, c.URL.Path)
	mac.Write(body)
	s.request = report.Request{Key: c.key, ID: id, Hash: [32]byte(mac.Sum(nil))}
	return s, nil
}

func goodID(id string) bool {
	return id != "" && len(id) <= 255 && strings.IndexFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// parse reads one object or a list of objects. What JSON readers pass over in silence is refused: a name that stands twice, text
// that is no UTF-8, anything behind the end.
func parse(body []byte) (items []item, list bool, err error) {
	if !utf8.Valid(body) {
		return nil, false, refuse(http.StatusBadRequest, "not_utf8", "The body is not UTF-8 text.")
	}
	if err := checkDepth(body); err != nil {
		return nil, false, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	var whole json.RawMessage
	if err := d.Decode(&whole); err != nil {
		return nil, false, malformed()
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, false, refuse(http.StatusBadRequest, "malformed_json", "The body goes on behind its JSON; send one object, or one list.")
	}
	var values []json.RawMessage
	switch whole[0] {
	case '{':
		values = []json.RawMessage{whole}
	case '[':
		list = true
		if err := json.Unmarshal(whole, &values); err != nil {
			return nil, false, malformed()
		}
	default:
		return nil, false, refuse(http.StatusBadRequest, "malformed_json", "The body is neither an object nor a list of objects.")
	}
	switch {
	case len(values) == 0:
		return nil, false, refuse(http.StatusBadRequest, "no_items", "The list is empty.")
	case len(values) > maxItems:
		return nil, false, refuse(http.StatusRequestEntityTooLarge, "too_many_items", fmt.Sprintf("The list has %d items and at most %d are taken in one request.", len(values), maxItems))
	}
	items = make([]item, len(values))
	for i, value := range values {
		items[i] = readItem(value)
	}
	return items, list, nil
}

func malformed() *problem {
	return refuse(http.StatusBadRequest, "malformed_json", "The body is not JSON.")
}

// checkDepth refuses what is nested to do harm before anything is built of it.
func checkDepth(body []byte) error {
	depth, inText, escaped := 0, false, false
	for _, b := range body {
		switch {
		case escaped:
			escaped = false
		case inText:
			escaped = b == '\\'
			inText = b != '"'
		case b == '"':
			inText = true
		case b == '{' || b == '[':
			if depth++; depth > maxDepth {
				return refuse(http.StatusBadRequest, "nested_too_deeply", fmt.Sprintf("The body is nested deeper than %d levels.", maxDepth))
			}
		case b == '}' || b == ']':
			depth--
		}
	}
	return nil
}

// readItem reads one item, which is valid JSON.
func readItem(value json.RawMessage) item {
	if value[0] != '{' {
		return item{wrong: &rejected{code: "row_field_wrong_kind", reason: "the item is not an object"}}
	}
	fields, twice := members(value)
	if twice != "" {
		return item{wrong: &rejected{code: "row_field_unknown", field: twice, reason: "the field stands twice; leave one of them out"}}
	}
	return item{fields: fields}
}

// members are the members of an object that is valid JSON; twice is the name of one that stands twice.
func members(object json.RawMessage) (fields map[string]json.RawMessage, twice string) {
	fields = map[string]json.RawMessage{}
	d := json.NewDecoder(bytes.NewReader(object))
	_, _ = d.Token() // the brace; all of it was decoded once
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return fields, ""
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return fields, ""
		}
		key, _ := name.(string)
		if _, there := fields[key]; there {
			return fields, cut(key)
		}
		fields[key] = value
	}
	return fields, ""
}

// text reads a text; null is no text.
func text(value json.RawMessage) (string, bool) {
	var s *string
	if json.Unmarshal(value, &s) != nil {
		return "", false
	}
	if s == nil {
		return "", true
	}
	return *s, true
}

// scalar reads a text, a number as it is written, or true and false; null is no text.
func scalar(value json.RawMessage) (string, bool) {
	switch value[0] {
	case '{', '[':
		return "", false
	case '"', 'n':
		return text(value)
	}
	return string(value), true
}

// cut shortens what is quoted back, and takes phone numbers out of it: whoever calls wrongly logs what was wrong.
func cut(s string) string {
	const most = 80
	s = phone.Conceal(s)
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
