package api

import (
	"encoding/json"
	"net/http"
)

// problem is why a request as a whole is refused (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	// Field is which of a single item's fields, or which parameter, is wrong; "" when it is none of them.
	Field string `json:"field,omitempty"`
}

// Error is what it says.
func (p *problem) Error() string { return p.Detail }

// refuse is a problem with one sentence that says what to do.
func refuse(status int, code, detail string) *problem {
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

func (p *problem) of(field string) *problem {
	p.Field = field
	return p
}

func (p *problem) body() []byte { return encode(p) }

func (p *problem) write(w http.ResponseWriter) {
	writeJSON(w, p.Status, p.body())
}

// writeJSON writes a body, which is a problem's from 400 on.
func writeJSON(w http.ResponseWriter, status int, body []byte) {
	kind := "application/json"
	if status >= http.StatusBadRequest {
		kind = "application/problem+json"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(body) // who asked may have left
}

// encode writes a value of this room as JSON, which cannot fail: all of them are structs of texts, numbers and times.
func encode(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		return []byte(`{"type":"about:blank","status":500}`)
	}
	return append(body, '\n')
}
