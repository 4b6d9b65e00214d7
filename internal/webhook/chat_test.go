package webhook_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/webhook"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// wanting are the options of a receiver of which everything is wanted.
func wanting(t testing.TB, s *sink, wants webhook.Wants) webhook.Options {
	t.Helper()
	o := options(t, s)
	o.Wants = func() webhook.Wants { return wants }
	return o
}

// everything is all that may be wanted.
func everything(t testing.TB) webhook.Wants {
	t.Helper()
	o := options(t, nil)
	chat, err := policy.NewChat(true, map[string][]string{"en": {"join"}}, o.Keywords())
	if err != nil {
		t.Fatal(err)
	}
	return webhook.Wants{Confirmations: true, Chat: chat, Forward: true}
}

func receiveWanting(t *testing.T, wants webhook.Wants, body []byte) (box sender.Inbox) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		s := &sink{}
		h, stop := running(t, wanting(t, s, wants))
		defer stop()
		if status := post(h, body); status != http.StatusOK {
			t.Fatalf("status %d, want 200", status)
		}
		box = s.stored()[0]
	})
	return box
}

// What people write to be answered, or for the business to read: testdata/chat/NAME.json is posted, NAME.want is what must reach the
// store. Where nothing of it is wanted, nothing of it does.
func TestChat(t *testing.T) {
	files, err := filepath.Glob("testdata/chat/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := describeChat(t, receiveWanting(t, everything(t), body))
			wantFile := strings.TrimSuffix(file, ".json") + ".want"
			if *update {
				if err := os.WriteFile(wantFile, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(wantFile)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
			plain := receiveWanting(t, webhook.Wants{}, body)
			if len(plain.Wishes) > 0 {
				t.Errorf("nobody wants them, and there are wishes: %+v", plain.Wishes)
			}
			for _, r := range plain.Replies {
				if r.Forward != nil {
					t.Error("nobody wants it, and a text is kept")
				}
			}
		})
	}
}

func describeChat(t *testing.T, box sender.Inbox) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(describe(box))
	for _, w := range box.Wishes {
		fmt.Fprintf(&b, "wish %s scope=%s language=%s who=%s at=%s message=%s number=%s\n", w.Kind, w.Scope, w.Language, who(w.Identity), at(w.At), w.MessageID, w.NumberID)
	}
	for _, n := range box.Nods {
		fmt.Fprintf(&b, "nod yes=%t question=%s quotes=%s who=%s at=%s message=%s\n", n.Yes, n.Question, n.ContextWAMID, who(n.Identity), at(n.At), n.MessageID)
	}
	for _, r := range box.Replies {
		if r.Forward == nil {
			t.Error("a reply is not forwarded")
			continue
		}
		var raw map[string]any
		if err := json.Unmarshal(r.Forward.Raw, &raw); err != nil || raw["id"] != r.MessageID {
			t.Errorf("the message that is forwarded is %s (%v)", r.Forward.Raw, err)
		}
		fmt.Fprintf(&b, "forward %s opens=%t type=%s text=%q understood=%s from=%s user=%s members=%d\n", r.MessageID, r.Opens, r.Forward.Type, r.Forward.Text, r.Forward.Understood,
			r.Forward.From, r.Forward.UserID, len(raw))
	}
	return b.String()
}
