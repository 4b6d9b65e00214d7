package webhook_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// Whatever the bytes: no panic; without a valid signature nothing reaches the store; with one, what is JSON is stored and
// nothing else, and every act in it names somebody.
func FuzzWebhook(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, sign("other", body))
	}
	f.Add([]byte(nested(70)), "sha256=")
	f.Add([]byte(`{"entry":[{"changes":[{"value":{"statuses":[{"status":"failed","errors":[{"code":1e9}]}]}}]}]}`), "")

	s := &sink{}
	h, _ := running(f, options(f, s))
	stored := func() []sender.Inbox {
		all := s.stored()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.batches = nil
		return all
	}
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		good := sign(secret, body)
		if signature != good {
			if status := postSigned(h, body, signature); status != http.StatusUnauthorized {
				t.Errorf("a wrong signature: status %d, want 401", status)
			}
			if len(stored()) != 0 {
				t.Fatal("a body without a valid signature was stored")
			}
		}
		status := postSigned(h, body, good)
		boxes := stored()
		switch {
		case status == http.StatusBadRequest && len(boxes) == 0:
			return
		case status != http.StatusOK || len(boxes) != 1 || !json.Valid(body):
			t.Fatalf("status %d, %d stored, JSON: %v", status, len(boxes), json.Valid(body))
		}
		for _, a := range boxes[0].Acts {
			if a.Identity.Empty() && a.ContextWAMID == "" || a.Kind == "" || a.At.IsZero() || a.Scope == "" || a.Origin == "" {
				t.Errorf("an act without meaning: %+v", a)
			}
			if a.Text != "" && a.Kind != policy.ActReview {
				t.Error("a text is kept that nobody has to read")
			}
		}
		for _, st := range boxes[0].Statuses {
			if st.WAMID == "" && st.Callback == "" || (st.State == sender.Failed) != (st.Err != nil) {
				t.Errorf("a status without meaning: %+v", st)
			}
		}
	})
}
