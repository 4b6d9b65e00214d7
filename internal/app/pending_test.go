package app

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/api"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// asked is what became of a consent that a program sent alone.
type asked struct {
	Code  string // of what is wrong
	Field string
	Items []struct {
		Status  string
		Confirm struct{ Text, Link string }
	}
}

// asks has a program send a pending consent, and returns the answer as it stands and as it reads.
func asks(t *testing.T, a *App, secret, id, fields string) (status int, body string, read asked) {
	t.Helper()
	r := httptest.NewRequest("POST", "/api/v1/consents", strings.NewReader(`{"category":"offers","action":"pending","source":"web_form","wording":"Sì a Libreria Aurora",`+fields+`}`))
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Content-Type", "application/json")
	if id != "" {
		r.Header.Set("Idempotency-Key", id)
	}
	w := httptest.NewRecorder()
	a.api(a.config(), api.NewLimits()).ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &read); err != nil {
		t.Fatalf("%d: %v: %s", w.Code, err, w.Body)
	}
	return w.Code, w.Body.String(), read
}

func programsKey(t *testing.T, a *App) string {
	t.Helper()
	secret, hash := api.NewKey()
	if _, err := a.Store.CreateKey(t.Context(), report.Key{Name: "shop", Scopes: report.Scopes()}, hash); err != nil {
		t.Fatal(err)
	}
	return secret
}

// A program asks for a person, without any opt-in page: the code that it is given confirms from that number alone, and once.
func TestAPendingConsentIsConfirmed(t *testing.T) {
	t.Parallel()
	a, base := peoplesApp(t, "opt_in: {pages: [offers]}\n")
	key := programsKey(t, a)
	const number, other = phone.Number("+393471234567"), phone.Number("+393471234568")
	const event = `"phone":"347 123 4567","at":"2026-01-02T10:00:00+01:00"`

	status, body, read := asks(t, a, key, "one", event)
	if status != 201 || read.Items[0].Status != "accepted" {
		t.Fatalf("it is answered %d: %s", status, body)
	}
	said := read.Items[0].Confirm
	code, found := policy.FindJoinCode(said.Text)
	if !found || said.Text != "JOIN offers "+code || said.Link != "https://wa.me/390698987654?text="+url.PathEscape(said.Text) {
		t.Fatalf("the person is to send %+v", said)
	}
	if again, same, _ := asks(t, a, key, "one", event); again != status || same != body {
		t.Errorf("the same request again is answered %d: %s", again, same)
	}
	if again, _, repeated := asks(t, a, key, "", event); again != 200 || repeated.Items[0].Status != "duplicate" || repeated.Items[0].Confirm != said {
		t.Errorf("the same consent again is answered %d: %+v", again, repeated)
	}
	if writesTo(t, base, other, said.Text); len(consentsOf(t, a, number)) != 1 {
		t.Error("a code from another number confirms")
	}
	if given, _ := standsNow(t, a, number); given {
		t.Error("asking is a consent")
	}

	for range 2 { // Meta repeats itself
		if status := writesTo(t, base, number, "ciao, "+strings.ToLower(code)); status != 200 {
			t.Fatalf("the webhook is answered %d", status)
		}
	}
	if given, stopped := standsNow(t, a, number); !given || stopped {
		t.Error("the code from the number that was asked for is no consent")
	}
	events := consentsOf(t, a, number)
	if len(events) != 2 || events[1].Action != policy.Confirmed || events[1].Wording != events[0].Wording || events[0].Actor != "key:shop" || !strings.Contains(events[1].Evidence, code) {
		t.Errorf("the ledger has %+v", events)
	}
	if again, body, late := asks(t, a, key, "", event); again != 200 || late.Items[0].Confirm.Text != "" || strings.Contains(body, "confirm") {
		t.Errorf("what is confirmed is to be confirmed again: %d %s", again, body)
	}
	if again, _, anew := asks(t, a, key, "", strings.Replace(event, "10:00", "10:01", 1)); again != 201 || anew.Items[0].Confirm == said || anew.Items[0].Confirm.Link == "" {
		t.Errorf("asking anew is answered %d: %+v", again, anew)
	}
}

// Without the business's number nobody could confirm: the program is told so, and nothing is written down.
func TestAPendingConsentNeedsANumber(t *testing.T) {
	t.Parallel()
	a, _ := peoplesApp(t, "opt_in: {pages: [offers]}\n", `, phone: "+390698987654"`)
	status, body, read := asks(t, a, programsKey(t, a), "", `"phone":"+393471234567","at":"2026-01-02T10:00:00+01:00"`)
	if status != 422 || read.Code != "row_unconfirmable" || read.Field != "action" || len(consentsOf(t, a, "+393471234567")) != 0 {
		t.Errorf("it is answered %d: %s", status, body)
	}
}

func consentsOf(t *testing.T, a *App, number phone.Number) []report.Consent {
	t.Helper()
	events, err := a.Store.Consents(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	return events
}
