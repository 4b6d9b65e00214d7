package webhook_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

var update = flag.Bool("update", false, "write testdata/*.want anew; read the difference before believing it")

// Every shape of graph-api §4.4 to §4.9: NAME.json is posted, NAME.want is what must reach the store.
func TestShapes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := describe(receive(t, body))
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
		})
	}
}

// Whoever writes JSON chooses the escapes, the spaces and the order: the same text escaped must read the same.
func TestEscapedTextReadsTheSame(t *testing.T) {
	body := `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messages":` +
		`[{"from":"3938955\u00350101","id":"wamid.A\/B","timestamp":"1795250000","type":"text","text":{"body":"d\u00e9sabonner"}}]}}]}]}`
	box := receive(t, []byte(body))
	if len(box.Acts) != 1 || box.Acts[0].Kind != policy.ActStop || box.Acts[0].Identity.Phone != "+393895550101" || box.Acts[0].MessageID != "wamid.A/B" {
		t.Errorf("acts = %+v", box.Acts)
	}
}

// A NUL or a text without end must not become a body that no database takes and Meta sends for a week.
func TestTextsFitADatabase(t *testing.T) {
	long := strings.Repeat("x", 5000)
	body := fmt.Sprintf(`{"entry":[{"changes":[{"field":"messages","value":{"statuses":[{"id":"wamid.\u0000","status":"failed","timestamp":"1795250000",`+
		`"recipient_id":"393895550101","biz_opaque_callback_data":%q,"errors":[{"code":1,"title":"a\u0000b","error_data":{"details":%q}}]}]}}]}]}`, long, long)
	box := receive(t, []byte(body))
	if len(box.Statuses) != 1 {
		t.Fatalf("%d statuses, want 1", len(box.Statuses))
	}
	s := box.Statuses[0]
	if text := s.WAMID + s.Callback + s.Err.Title + s.Err.Details; strings.Contains(text, "\x00") || len(text) > 2000 {
		t.Errorf("a text with NUL or %d bytes came through", len(text))
	}
	if s.Callback != "" {
		t.Errorf("a callback of %d bytes came through", len(s.Callback))
	}
}

// receive posts one signed body and returns what was stored.
func receive(t *testing.T, body []byte) sender.Inbox {
	t.Helper()
	var box sender.Inbox
	bubble(t, func(t *testing.T) {
		s := &sink{}
		h, stop := running(t, options(t, s))
		defer stop()
		if status := post(h, body); status != http.StatusOK {
			t.Fatalf("status %d, want 200", status)
		}
		stored := s.stored()
		if len(stored) != 1 {
			t.Fatalf("%d bodies stored, want 1", len(stored))
		}
		box = stored[0]
		if box.Body != nil && string(box.Body) != string(body) {
			t.Error("the kept body is not the one that came")
		}
	})
	return box
}

// describe writes an Inbox as lines, one per thing, empty fields left out.
func describe(box sender.Inbox) string {
	var b strings.Builder
	line := func(what string, fields ...string) {
		b.WriteString(what)
		for i := 0; i < len(fields); i += 2 {
			if fields[i+1] != "" {
				fmt.Fprintf(&b, " %s=%s", fields[i], fields[i+1])
			}
		}
		b.WriteByte('\n')
	}
	for _, a := range box.Acts {
		line("act "+string(a.Kind), "scope", string(a.Scope), "origin", string(a.Origin), "who", who(a.Identity), "at", at(a.At),
			"message", a.MessageID, "answers", a.ContextWAMID, "text", a.Text)
	}
	for _, s := range box.Statuses {
		line("status "+string(s.State), "wamid", s.WAMID, "callback", s.Callback, "who", who(s.Identity), "at", at(s.At))
		if s.Err != nil {
			line("  error", "code", fmt.Sprint(s.Err.Code), "title", quoted(s.Err.Title), "details", quoted(s.Err.Details), "reaction", string(s.Err.Reaction))
		}
		if s.Pricing != nil {
			billable := "unknown"
			if s.Pricing.Billable != nil {
				billable = fmt.Sprint(*s.Pricing.Billable)
			}
			line("  price", "billable", billable, "category", s.Pricing.Category, "model", s.Pricing.Model)
		}
	}
	for _, r := range box.Replies {
		line("reply", "who", who(r.Identity), "at", at(r.At), "message", r.MessageID, "answers", r.ContextWAMID, "number", r.NumberID)
	}
	for _, u := range box.Templates {
		line("template "+u.Name, "language", u.Language, "status", u.Status, "resync", fmt.Sprint(u.Resync))
	}
	for _, n := range box.Account {
		until := ""
		if !n.Until.IsZero() {
			until = at(n.Until)
		}
		line("account", "lifted", fmt.Sprint(n.Lifted), "kind", string(n.Kind), "at", at(n.At), "until", until, "lost", fmt.Sprint(n.Lost), "why", quoted(n.Why))
	}
	if box.Limit != nil {
		line("limit", "people", fmt.Sprint(*box.Limit))
	}
	if box.Body != nil {
		line("body kept")
	}
	return b.String()
}

func who(id policy.Identity) string {
	var parts []string
	for _, part := range []string{string(id.Phone), id.UserID, id.ParentUserID} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ",")
}

func at(t time.Time) string {
	if t.Equal(today) {
		return "receipt"
	}
	return t.Format(time.RFC3339)
}

func quoted(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf("%q", text)
}
