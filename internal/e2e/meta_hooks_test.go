package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
)

// hooks tells a webhook what becomes of messages, again and again until it says 200, as Meta does.
type hooks struct {
	url    string
	client *http.Client

	mu      sync.Mutex
	held    bool  // nothing is told
	waiting []any // entries of statuses[]
	flying  int
	mix     func([]any) []any // disorders a batch; nil does not
}

func newHooks(url string) *hooks {
	return &hooks{url: url, client: &http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
}

// statuses queues what is to be told of a message. A failure is of code 131026.
func (h *hooks) statuses(p post, states []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, state := range states {
		at := p.start.Add(time.Duration(i) * time.Second)
		status := map[string]any{
			"id": p.wamid, "status": state, "timestamp": strconv.FormatInt(at.Unix(), 10), "recipient_id": waID(p.to), "biz_opaque_callback_data": p.callback,
		}
		switch state {
		case "sent", "delivered":
			status["pricing"] = map[string]any{"billable": true, "pricing_model": "PMP", "type": "regular", "category": "marketing"}
		case "failed":
			status["errors"] = []any{map[string]any{"code": 131026, "title": "Message undeliverable", "error_data": map[string]any{"details": "Unable to deliver."}}}
		}
		h.waiting = append(h.waiting, status)
	}
}

// hold stops telling; what happens meanwhile is told after release.
func (h *hooks) hold() { h.set(func() { h.held = true }) }

func (h *hooks) release() { h.set(func() { h.held = false }) }

func (h *hooks) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// told reports whether everything was told and taken.
func (h *hooks) told() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.waiting) + h.flying; n > 0 {
		return fmt.Errorf("%d statuses were not taken yet", n)
	}
	return nil
}

func (h *hooks) run(ctx context.Context) {
	for {
		batch := h.next()
		if len(batch) == 0 {
			if !sleep(ctx, 10*time.Millisecond) {
				return
			}
			continue
		}
		status, err := h.post(ctx, envelope("messages", map[string]any{"statuses": batch}))
		h.set(func() {
			h.flying = 0
			if err != nil || status != http.StatusOK {
				h.waiting = append(batch, h.waiting...)
			}
		})
		if (err != nil || status != http.StatusOK) && !sleep(ctx, 100*time.Millisecond) {
			return
		}
	}
}

func (h *hooks) next() []any {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held {
		return nil
	}
	n := min(len(h.waiting), 200) // Meta sends up to 1,000 updates in one body
	batch := append([]any(nil), h.waiting[:n]...)
	h.waiting = h.waiting[n:]
	if h.mix != nil {
		batch = h.mix(batch)
	}
	h.flying = n
	return batch
}

func sleep(ctx context.Context, span time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(span):
		return true
	}
}

// envelope is a webhook body with one change (Meta, "Webhooks overview", read 2026-09-11).
func envelope(field string, value map[string]any) []byte {
	value["messaging_product"] = "whatsapp"
	value["metadata"] = map[string]any{"display_phone_number": "390611122233", "phone_number_id": numberID}
	text, err := json.Marshal(map[string]any{"object": "whatsapp_business_account", "entry": []any{
		map[string]any{"id": accountID, "changes": []any{map[string]any{"field": field, "value": value}}},
	}})
	if err != nil {
		panic(err)
	}
	return escaped(text)
}

// escaped writes JSON as Meta does: \uXXXX for all that is not ASCII, and \/ for the slash.
func escaped(text []byte) []byte {
	var out strings.Builder
	for _, r := range string(text) {
		switch {
		case r == '/':
			out.WriteString(`\/`)
		case r < 0x80:
			out.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&out, `\u%04x`, unit)
			}
		}
	}
	return []byte(out.String())
}

func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// post sends a signed body and returns the answer's status.
func (h *hooks) post(ctx context.Context, body []byte) (int, error) {
	return h.postSigned(ctx, body, sign(appSecret, body))
}

func (h *hooks) postSigned(ctx context.Context, body []byte, signature string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Hub-Signature-256", signature)
	answer, err := h.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, nil
}

var inbound struct {
	mu sync.Mutex
	n  int
}

// wrote is the body of what a person wrote or tapped; content has type and what goes with it.
func wrote(from string, content map[string]any) []byte {
	inbound.mu.Lock()
	inbound.n++
	id := fmt.Sprintf("wamid.IN%06d", inbound.n)
	inbound.mu.Unlock()
	said := map[string]any{"from": waID(from), "id": id, "timestamp": strconv.FormatInt(time.Now().Unix(), 10)}
	for key, value := range content {
		said[key] = value
	}
	return envelope("messages", map[string]any{
		"contacts": []any{map[string]any{"profile": map[string]any{"name": "Niccolò"}, "wa_id": waID(from)}},
		"messages": []any{said},
	})
}

func wroteText(from, text string) []byte {
	return wrote(from, map[string]any{"type": "text", "text": map[string]any{"body": text}})
}

func tapped(from, payload string) []byte {
	return wrote(from, map[string]any{"type": "button", "button": map[string]any{"payload": payload, "text": "Basta offerte"}})
}

// prefers is Meta's own stop or resume of marketing (Meta, "user_preferences webhook", read 2026-09-11).
func prefers(from, value string) []byte {
	return envelope("user_preferences", map[string]any{
		"contacts": []any{map[string]any{"wa_id": waID(from)}},
		"user_preferences": []any{map[string]any{
			"wa_id": waID(from), "detail": "User requested to " + value + " marketing messages", "category": "marketing_messages", "value": value, "timestamp": time.Now().Unix(),
		}},
	})
}
