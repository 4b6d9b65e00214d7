package sandbox_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/sandbox"
)

// Buttons below a text are taken within the limits that Meta sets, and need an open window as text does.
func TestReplyButtons(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, rec := running(t, nil)
		const button = `{"type":"reply","reply":{"id":"a","title":"Sì"}}`
		message := func(text, buttons string) string {
			return `{"messaging_product":"whatsapp","to":"+393331112223","type":"interactive","interactive":{"type":"button","body":{"text":"` + text + `"},"action":{"buttons":[` + buttons + `]}}}`
		}
		for _, c := range []struct {
			body string
			code int
		}{
			{message("Vuoi?", button), 0},
			{message("Vuoi?", button+`,{"type":"reply","reply":{"id":"b","title":"No"}}`), 0},
			{message("", button), 131008},
			{message(strings.Repeat("x", 1025), button), 131009},
			{message("Vuoi?", ""), 131009},
			{message("Vuoi?", strings.Repeat(button+",", 3)+button), 131009},
			{message("Vuoi?", button+","+button), 131009},
			{message("Vuoi?", `{"type":"reply","reply":{"id":"a","title":"`+strings.Repeat("x", 21)+`"}}`), 131009},
			{message("Vuoi?", `{"type":"url","reply":{"id":"a","title":"x"}}`), 131009},
			{message("Vuoi?", `{"type":"reply","reply":{"id":"a"}}`), 131008},
			{message("Vuoi?", `{"type":"reply","reply":{"Id":"a","title":"x"}}`), 100},
			{message("Vuoi?", `"Sì"`), 100},
			{strings.Replace(message("Vuoi?", button), `"type":"button"`, `"type":"list"`, 1), 131009},
			{`{"messaging_product":"whatsapp","to":"+393331112223","type":"interactive"}`, 131008},
			{`{"messaging_product":"whatsapp","to":"+393331112223","type":"interactive","interactive":7}`, 100},
		} {
			if got := send(t, s, c.body); got.code() != c.code {
				t.Errorf("%s: %s", c.body, got.raw)
			}
		}
		idle(t, s)
		if _, err := s.InboundText(t.Context(), "+393331112223", "Ciao"); err != nil {
			t.Fatal(err)
		}
		send(t, s, message("Vuoi?", button))
		idle(t, s)
		if diff := cmp.Diff([]string{"failed 131047", "failed 131047", "text Ciao", "sent", "delivered", "read"}, words(rec.told(t))); diff != "" {
			t.Error(diff)
		}
		if r := s.Received()[2]; r.Text != "Vuoi?" || len(r.Buttons) != 1 || r.Buttons[0] != (sandbox.Button{ID: "a", Title: "Sì"}) {
			t.Errorf("recorded %+v", r)
		}
	})
}
