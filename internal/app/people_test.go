package app

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

const settings = `version: 1
business: {name: Libreria Aurora, country: IT, timezone: Europe/Rome}
public_url: https://wa.aurora.example
listen: {webhook: "127.0.0.1:0", console: "127.0.0.1:0", metrics: "127.0.0.1:0"}
graph:
  base_url: http://127.0.0.1:9
  account_id: "500600700800"
  access_token: ${T}
  app_secret: ${T}
  verify_token: ${T}
numbers: [{id: "111222333444", messages_per_second: 80, phone: "+390698987654"}]
categories:
  offers: {kind: marketing, title: {it: Offerte}}
  orders: {kind: utility}
opt_in: {pages: [offers]}
`

const appSecret = "a secret of the tests"

// peoplesApp is a process that listens for webhooks and shows people their pages, without some pieces of its settings; base is where.
func peoplesApp(t *testing.T, without ...string) (a *App, base string) {
	t.Helper()
	file, text := filepath.Join(t.TempDir(), "config.yaml"), settings
	for _, piece := range without {
		text = strings.Replace(text, piece, "", 1)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, func(string) (string, bool) { return appSecret, true })
	if err != nil {
		t.Fatal(err)
	}
	if a, err = Open(t.Context(), cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := a.Enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, receiver, err := a.webhookListener()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- receiver.Run(ctx) }()
	go func() { ended <- l.run(ctx) }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-ended; err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a, "http://" + l.socket.Addr().String()
}

// fetch asks as a browser that does not follow; form nil is a GET.
func fetch(t *testing.T, address string, form url.Values) (int, string, string) {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: time.Minute}
	var got *http.Response
	var err error
	if form == nil {
		got, err = client.Get(address)
	} else {
		got, err = client.PostForm(address, form)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(body), got.Header.Get("Location")
}

var fieldOf = regexp.MustCompile(`name="(do|category|seal)" value="([^"]*)"`)

// formOf is the form of a page that has a text in it.
func formOf(t *testing.T, body, about string) url.Values {
	t.Helper()
	for _, part := range strings.Split(body, "<form")[1:] {
		if part, _, _ = strings.Cut(part, "</form>"); strings.Contains(part, about) {
			values := url.Values{}
			for _, field := range fieldOf.FindAllStringSubmatch(part, -1) {
				values.Set(field[1], field[2])
			}
			return values
		}
	}
	t.Fatalf("no form of the page is about %q:\n%s", about, body)
	return nil
}

// standsNow is what the gate would know of a category and a number.
func standsNow(t *testing.T, a *App, number phone.Number) (given, stopped bool) {
	t.Helper()
	subject, found, err := a.Store.Subject(t.Context(), number, scheduler.Want{Categories: []string{"offers"}, SendsSince: time.Now()})
	if err != nil || !found {
		t.Fatalf("the person is found: %t, %v", found, err)
	}
	for _, s := range subject.Person.Suppressions {
		stopped = stopped || s.Active() && s.Scope.Covers(policy.Category{ID: "offers", Kind: policy.Marketing})
	}
	return subject.Person.Consents["offers"].Given(), stopped
}

// writesTo has Meta tell of a message from a number, and returns the answer's status.
func writesTo(t *testing.T, base string, from phone.Number, text string) int {
	t.Helper()
	body := fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",
		"metadata":{"phone_number_id":"111222333444"},"messages":[{"from":%q,"id":"wamid.%s","timestamp":"%d","type":"text","text":{"body":%q}}]}}]}]}`,
		strings.TrimPrefix(string(from), "+"), rand.Text(), time.Now().Unix(), text)
	return metaPosts(t, base, body)
}

// metaPosts posts a body as Meta signs it, and returns the answer's status.
func metaPosts(t *testing.T, base, body string) int {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(appSecret))
	mac.Write([]byte(body))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/webhook", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = got.Body.Close()
	return got.StatusCode
}

// TestPeoplesPages goes the way of a person over the listener that Meta also uses: they ask for offers on a page, confirm by a message
// from their number, and turn them off and on again on a page of their own.
func TestPeoplesPages(t *testing.T) {
	t.Parallel()
	a, base := peoplesApp(t)
	const number, other = phone.Number("+393471234567"), phone.Number("+393471234568")
	write := func(from phone.Number, text string) {
		t.Helper()
		if status := writesTo(t, base, from, text); status != 200 {
			t.Fatalf("the webhook is answered %d", status)
		}
	}

	join := base + "/p/join/offers?lang=it"
	_, body, _ := fetch(t, join, nil)
	form := formOf(t, body, "number")
	form.Set("number", "347 123 4567")
	status, body, _ := fetch(t, join, form)
	said := regexp.MustCompile(`<code>(JOIN offers [0-9A-Z-]+)</code>`).FindStringSubmatch(body)
	if status != 200 || said == nil {
		t.Fatalf("the opt-in page answers %d:\n%s", status, body)
	}
	write(other, said[1])
	if given, _ := standsNow(t, a, number); given {
		t.Fatal("a code from another number is a consent")
	}
	write(number, said[1])
	if given, stopped := standsNow(t, a, number); !given || stopped {
		t.Fatal("the code from the number that was typed is no consent")
	}

	link, until, found, err := a.PageLink(t.Context(), number, time.Now())
	if err != nil || !found || !strings.HasPrefix(link, "https://wa.aurora.example/p/") || time.Until(until) < policy.PageLinkLife-2*time.Hour {
		t.Fatalf("the link is %q, %s, %t, %v", link, until, found, err)
	}
	own := base + strings.TrimPrefix(link, "https://wa.aurora.example")
	for _, step := range []struct {
		tap, about string
		given      bool
	}{{"Disattiva", "offers", false}, {"Attiva", "offers", true}, {"Ferma tutto", "stop", false}} {
		status, body, _ := fetch(t, own+"?lang=it", nil)
		if status != 200 || !strings.Contains(body, step.tap) {
			t.Fatalf("the page answers %d and has no %q:\n%s", status, step.tap, body)
		}
		status, body, location := fetch(t, own+"?lang=it", formOf(t, body, `"`+step.about+`"`))
		if status != http.StatusSeeOther {
			t.Fatalf("%s is answered %d:\n%s", step.tap, status, body)
		}
		if _, after, _ := fetch(t, own+location, nil); !strings.Contains(after, "Fatto.") {
			t.Errorf("after %s the page does not say so", step.tap)
		}
		if given, stopped := standsNow(t, a, number); given != step.given || stopped == step.given {
			t.Errorf("after %s: consent %t, stopped %t", step.tap, given, stopped)
		}
		through, err := a.home.journal.Through()
		last, dbErr := a.Store.LastStopChange(t.Context())
		if err != nil || dbErr != nil || through < last {
			t.Errorf("after %s the journal goes to %d, the database to %d: %v %v", step.tap, through, last, err, dbErr)
		}
	}
	if status, _, _ := fetch(t, base+"/p/"+strings.Repeat("A", 48), nil); status != 404 {
		t.Errorf("a forged link is answered %d", status)
	}
	contact, known, err := a.Store.Contact(t.Context(), number)
	if err != nil || !known {
		t.Fatal(known, err)
	}
	token, _ := contact.Field("page")
	if person, err := a.Store.PageLinks().Read(token, time.Now()); err != nil || person != contact.PersonID {
		t.Errorf("what a message's button ends with opens the page of %s, %v", person, err)
	}
}
