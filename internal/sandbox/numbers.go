package sandbox

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
)

// number is a business number with its rate window and what GET shows of it.
type number struct {
	Number
	digits string // E.164 without +
	rate   *window

	mu     sync.Mutex
	fields map[string]any
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

func (s *Server) addNumber(n Number) error {
	n.CountryCode = strings.TrimPrefix(n.CountryCode, "+")
	digits := onlyDigits(n.DisplayPhone)
	switch {
	case n.ID == "" || s.byID[n.ID] != nil || n.ID == s.opts.AccountID:
		return fmt.Errorf("sandbox: number id %q is empty or used twice", n.ID)
	case n.CountryCode == "" || onlyDigits(n.CountryCode) != n.CountryCode:
		return fmt.Errorf("sandbox: number %s: CountryCode %q must be a calling code such as 39", n.ID, n.CountryCode)
	case digits == "":
		return fmt.Errorf("sandbox: number %s has no DisplayPhone", n.ID)
	case n.MessagesPerSecond < 0 || math.IsNaN(n.MessagesPerSecond) || n.MessagesPerSecond > 1e6:
		return fmt.Errorf("sandbox: number %s: MessagesPerSecond %v must be 0 (unlimited) to 1000000", n.ID, n.MessagesPerSecond)
	}
	level := "STANDARD"
	if n.MessagesPerSecond == 0 || n.MessagesPerSecond > 80 {
		level = "HIGH"
	}
	added := &number{Number: n, digits: digits, fields: map[string]any{
		"id":                       n.ID,
		"display_phone_number":     n.DisplayPhone,
		"verified_name":            "Sandbox",
		"quality_rating":           "GREEN",
		"status":                   "CONNECTED",
		"name_status":              "APPROVED",
		"code_verification_status": "VERIFIED",
		"platform_type":            "CLOUD_API",
		"account_mode":             "SANDBOX",
		"throughput":               map[string]any{"level": level},
		"whatsapp_business_manager_messaging_limit": s.limit.tier(),
		"health_status": map[string]any{
			"can_send_message": "AVAILABLE",
			"entities": []any{
				map[string]any{"entity_type": "PHONE_NUMBER", "id": n.ID, "can_send_message": "AVAILABLE"},
				map[string]any{"entity_type": "WABA", "id": s.opts.AccountID, "can_send_message": "AVAILABLE"},
			},
		},
	}}
	if n.MessagesPerSecond > 0 {
		added.rate = newWindow(n.MessagesPerSecond)
	}
	s.byID[n.ID] = added
	s.numbers = append(s.numbers, added)
	return nil
}

// SetNumberField changes what GET shows of a number, such as quality_rating,
// whatsapp_business_manager_messaging_limit or health_status (graph-api.md
// §3.1). The value must be encodable as JSON.
func (s *Server) SetNumberField(numberID, field string, v any) error {
	n := s.byID[numberID]
	if n == nil {
		return fmt.Errorf("sandbox: no number %q", numberID)
	}
	if _, err := json.Marshal(v); err != nil {
		return fmt.Errorf("sandbox: field %s of number %s: %w", field, numberID, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fields[field] = v
	return nil
}

func (n *number) show(names []string) (map[string]any, *fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return pick(n.fields, names)
}

// pick returns the named fields and always the id; a name that is no field is
// an error, as it is at Meta.
func pick[T any](fields map[string]T, names []string) (map[string]any, *fault) {
	shown := map[string]any{"id": fields["id"]}
	for _, name := range names {
		v, ok := fields[name]
		if !ok {
			return nil, &fault{status: 400, code: 100, message: "(#100) Tried accessing nonexisting field (" + name + ")"}
		}
		shown[name] = v
	}
	return shown, nil
}

// window admits at most n events in any span: the n-th last one must be a span
// ago. Refused events do not count.
type window struct {
	mu     sync.Mutex
	span   int64 // ns
	stamps []int64
	next   int
}

func newWindow(perSecond float64) *window {
	n := math.Ceil(perSecond)
	return &window{span: int64(n / perSecond * float64(time.Second)), stamps: make([]int64, int(n))}
}

func (w *window) allow(now time.Time) bool {
	at := now.UnixNano()
	w.mu.Lock()
	defer w.mu.Unlock()
	if at-w.stamps[w.next] < w.span {
		return false
	}
	w.stamps[w.next] = at
	w.next = (w.next + 1) % len(w.stamps)
	return true
}
