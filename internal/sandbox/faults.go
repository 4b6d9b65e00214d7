package sandbox

import (
	"fmt"
	"net/http"
	"strconv"
)

// fault is one Graph API error: what the caller did wrong, or what the sandbox
// was told to pretend.
type fault struct {
	status  int
	code    int
	subcode int
	kind    string // "" means OAuthException
	message string // full text when it does not follow "(#code) title"
	details string
}

type errorKind struct {
	status int
	title  string
}

// errorKinds gives HTTP status and title per code: Meta's error-codes page,
// graph-api.md §2.4. A code that is not listed answers 400.
var errorKinds = map[int]errorKind{
	2:      {http.StatusServiceUnavailable, "Service temporarily unavailable"},
	100:    {http.StatusBadRequest, "Invalid parameter"},
	190:    {http.StatusUnauthorized, "Access token has expired"},
	130429: {http.StatusBadRequest, "Rate limit hit"},
	130472: {http.StatusBadRequest, "User's number is part of an experiment"},
	130497: {http.StatusForbidden, "Business account is restricted from messaging users in this country"},
	131000: {http.StatusInternalServerError, "Something went wrong"},
	131008: {http.StatusBadRequest, "Required parameter is missing"},
	131009: {http.StatusBadRequest, "Parameter value is not valid"},
	131021: {http.StatusBadRequest, "Recipient cannot be sender"},
	131026: {http.StatusBadRequest, "Message undeliverable"},
	131042: {http.StatusBadRequest, "Business eligibility payment issue"},
	131047: {http.StatusBadRequest, "Re-engagement message"},
	131049: {http.StatusBadRequest, "Message not delivered to maintain healthy ecosystem engagement"},
	131050: {http.StatusBadRequest, "Recipient has stopped marketing messages from this business"},
	131051: {http.StatusBadRequest, "Unsupported message type"},
	131055: {http.StatusBadRequest, "Method not allowed"},
	131056: {http.StatusBadRequest, "Pair rate limit hit"},
	131059: {http.StatusBadRequest, "Invalid or expired paging cursor"},
	132000: {http.StatusBadRequest, "Number of parameters does not match the expected number of params"},
	132001: {http.StatusNotFound, "Template name does not exist in the translation"},
	132005: {http.StatusBadRequest, "Translated text too long"},
	132012: {http.StatusBadRequest, "Parameter format does not match format in the created template"},
	132015: {http.StatusBadRequest, "Template is paused"},
	132016: {http.StatusBadRequest, "Template is disabled"},
	132018: {http.StatusBadRequest, "Template validation error"},
}

func refuse(code int, format string, args ...any) *fault {
	status := http.StatusBadRequest
	if k, ok := errorKinds[code]; ok {
		status = k.status
	}
	return &fault{status: status, code: code, details: fmt.Sprintf(format, args...)}
}

// unknownObject is Graph's answer for an id it does not know or may not show.
func unknownObject(method, id string) *fault {
	return &fault{
		status: http.StatusBadRequest, code: 100, subcode: 33, kind: "GraphMethodException",
		message: "Unsupported " + method + " request. Object with ID '" + id + "' does not exist or cannot be loaded",
	}
}

func badToken(message string) *fault {
	return &fault{status: http.StatusUnauthorized, code: 190, subcode: 463, message: message}
}

func (f *fault) text() string {
	if f.message != "" {
		return f.message
	}
	return "(#" + strconv.Itoa(f.code) + ") " + errorKinds[f.code].title
}

func (s *Server) writeFault(w http.ResponseWriter, f *fault) {
	kind := f.kind
	if kind == "" {
		kind = "OAuthException"
	}
	b := append([]byte(nil), `{"error":{"message":`...)
	b = appendString(b, f.text())
	b = append(b, `,"type":`...)
	b = appendString(b, kind)
	b = append(b, `,"code":`...)
	b = strconv.AppendInt(b, int64(f.code), 10)
	if f.details != "" {
		b = append(b, `,"error_data":{"messaging_product":"whatsapp","details":`...)
		b = appendString(b, f.details)
		b = append(b, '}')
	}
	if f.subcode != 0 {
		b = append(b, `,"error_subcode":`...)
		b = strconv.AppendInt(b, int64(f.subcode), 10)
	}
	b = append(b, `,"fbtrace_id":"A`...)
	b = strconv.AppendUint(b, mix(s.seed+s.traces.Add(1)), 36)
	b = append(b, `"}}`...)
	answer(w, f.status, b)
}

var jsonType = []string{"application/json; charset=UTF-8"}

func answer(w http.ResponseWriter, status int, body []byte) {
	w.Header()["Content-Type"] = jsonType // shared: it costs no allocation and is never changed
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that hung up is the client's affair
}
