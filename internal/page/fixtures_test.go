package page_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/page"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

var (
	errNoOne   = errors.New("nobody")
	errTooMuch = errors.New("too often")
	// today is the tests' now.
	today = time.Date(2026, 11, 27, 17, 4, 0, 0, time.UTC)
)

// ada is who the tests' links lead to.
var ada = policy.PersonID{0x01, 0x93, 0x4d, 7}

// records is what is on record of one person, and what was written.
type records struct {
	mu      sync.Mutex
	found   report.Personal
	known   bool
	err     error
	choices []report.Choice
	asked   []report.JoinRequest
}

func (r *records) Personal(context.Context, policy.PersonID) (report.Personal, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.found, r.known, r.err
}

// Choose does as the store does to what one category is shown by: an event, and for a stop its suppression.
func (r *records) Choose(_ context.Context, c report.Choice) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	r.choices = append(r.choices, c)
	standing := map[string]policy.Consent{}
	for id, stands := range r.found.Standing {
		if c.Category == "" || c.Category == id {
			stands = policy.Consent{Action: policy.Revoked, At: today}
		}
		standing[id] = stands
	}
	if c.On {
		for i := range r.found.Stops {
			r.found.Stops[i].LiftedAt = report.Time{Time: today}
		}
		standing[c.Category] = policy.Consent{Action: policy.Granted, At: today}
		r.found.Consents = append(r.found.Consents, report.Consent{Category: c.Category, Action: policy.Granted, At: report.Time{Time: today}, Source: c.Event.Source, Wording: c.Event.Wording})
	}
	r.found.Standing = standing
	return nil
}

func (r *records) AskToJoin(_ context.Context, j report.JoinRequest) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	r.asked = append(r.asked, j)
	return nil
}

func at(days int) report.Time { return report.Time{Time: today.AddDate(0, 0, -days)} }

// aurora is somebody of the Libreria Aurora who gets offers and orders, and no events.
func aurora() *records {
	return &records{known: true, found: report.Personal{
		Number: "+393471234567", Language: "en", Held: []string{"name", "language", "tags"}, Attributes: []string{"birthday", "points"},
		Standing: map[string]policy.Consent{
			"offers": {Action: policy.Granted, At: at(90).Time}, "orders": {Action: policy.Confirmed, At: at(40).Time}, "events": {Action: policy.Revoked, At: at(3).Time},
		},
		Consents: []report.Consent{
			{Category: "offers", Action: policy.Granted, At: at(90), Source: "in_store", Wording: "Sì, voglio ricevere offerte dalla Libreria Aurora su WhatsApp."},
			{Category: "orders", Action: policy.Pending, At: at(40), Source: "landing_page", Wording: "Yes, tell me about my orders"},
			{Category: "orders", Action: policy.Confirmed, At: at(40), Source: "landing_page", Wording: "Yes, tell me about my orders"},
			{Category: "events", Action: policy.Granted, At: at(20), Source: "import", Wording: "Veranstaltungen"},
			{Category: "events", Action: policy.Revoked, At: at(3), Source: "web_form"},
		},
		Stops: []report.Suppression{
			{Scope: policy.ScopeAll, Reason: policy.OriginKeyword, At: at(15), LiftedAt: at(14)},
			{Scope: policy.ScopeCategory("events"), Reason: policy.OriginPage, At: at(3)},
		},
	}}
}

var links = policy.NewPageLinks([]byte("the tests' own key"))

func options(r *records) page.Options {
	return page.Options{
		Records: r, Links: links, Business: "Libreria Aurora", Country: "IT", Languages: []string{"it", "en"}, Reply: "+390698987654", Join: []string{"offers"},
		Categories: map[string]policy.Category{
			"offers": {ID: "offers", Kind: policy.Marketing, Title: map[string]string{"it": "Offerte", "en": "Offers", "ar": "العروض"}, ConsentExpiresAfter: 720 * 24 * time.Hour},
			"orders": {ID: "orders", Kind: policy.Utility, Title: map[string]string{"it": "Ordini", "en": "Orders"}},
			"events": {ID: "events", Kind: policy.Marketing, Title: map[string]string{"it": "Incontri con gli autori"}},
		},
		AskedTooOften: errTooMuch, NoOne: errNoOne, Now: func() time.Time { return today },
	}
}

func handler(r *records) http.Handler { return page.New(options(r), page.NewLimits()) }

// adas is the path of ada's page.
func adas() string { return policy.PagePath + links.Token(ada, today.Add(policy.PageLinkLife)) }

// request asks once; form nil is a GET.
func request(t *testing.T, h http.Handler, path string, form url.Values, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if form != nil {
		r = httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var hidden = regexp.MustCompile(`name="(do|category|seal)" value="([^"]*)"`)

// form is the one on a page that does something, of the category where one is named.
func form(t *testing.T, body, do, category string) url.Values {
	t.Helper()
	for _, part := range strings.Split(body, "<form")[1:] {
		part, _, _ = strings.Cut(part, "</form>")
		values := url.Values{}
		for _, field := range hidden.FindAllStringSubmatch(part, -1) {
			values.Set(field[1], field[2])
		}
		if values.Get("do") == do && values.Get("category") == category {
			return values
		}
	}
	t.Fatalf("the page has no form that does %q to %q:\n%s", do, category, body)
	return nil
}

// shown is what a page says, without its head.
func shown(body string) string {
	_, after, _ := strings.Cut(body, "<main>")
	before, _, _ := strings.Cut(after, "</main>")
	return before
}
