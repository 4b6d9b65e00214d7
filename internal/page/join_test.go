package page_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/page"
	"github.com/permesso/permesso/policy"
)

const joinOffers = policy.PagePath + "join/offers"

var sealOf = regexp.MustCompile(`name="seal" value="([^"]*)"`)

// asks fills the form of the opt-in page in.
func asks(t *testing.T, h http.Handler, path, number string) url.Values {
	t.Helper()
	found := sealOf.FindStringSubmatch(request(t, h, path, nil).Body.String())
	if found == nil {
		t.Fatal("the page has no form")
	}
	return url.Values{"seal": {found[1]}, "number": {number}}
}

func TestJoin(t *testing.T) {
	r := aurora()
	h := handler(r)
	path := joinOffers + "?lang=en"
	page := request(t, h, path, nil).Body.String()
	wording := "I want to receive messages about “Offers” from Libreria Aurora on WhatsApp. I can stop them at any time."
	if !strings.Contains(strings.NewReplacer("<bdi>", "", "</bdi>", "").Replace(page), wording) {
		t.Errorf("the page does not show what is agreed to:\n%s", page)
	}
	w := request(t, h, path, asks(t, h, path, "347 123 4567"), "User-Agent", "Phone/1")
	if w.Code != 200 || len(r.asked) != 1 {
		t.Fatalf("answer %d, %d requests", w.Code, len(r.asked))
	}
	asked := r.asked[0]
	want := policy.ConsentEvent{Source: "landing_page", Business: "Libreria Aurora", Language: "en", IP: "192.0.2.1", Agent: "Phone/1", Evidence: "/p/join/offers", Wording: wording}
	if asked.Number != "+393471234567" || asked.Category != "offers" || asked.Event != want {
		t.Errorf("what was asked for is %+v", asked)
	}
	body := w.Body.String()
	for _, part := range []string{
		"<code>JOIN offers " + asked.Code + "</code>", `href="https://wa.me/390698987654?text=JOIN%20offers%20` + asked.Code + `"`, "+39 06 9898 7654", "within 24 hours",
	} {
		if !strings.Contains(body, part) {
			t.Errorf("the answer lacks %s:\n%s", part, body)
		}
	}
	if found, ok := policy.FindJoinCode("JOIN offers " + asked.Code); !ok || found != asked.Code {
		t.Errorf("the code %q is not found in what is sent", asked.Code)
	}
	if strings.Contains(body, "3471234567") {
		t.Error("the answer repeats the number")
	}
}

// TestJoinTellsNothing: the answer for a number that is known is that for one that is not.
func TestJoinTellsNothing(t *testing.T) {
	var answers []string
	for _, number := range []string{"+39 347 123 4567", "+49 1512 3456789"} {
		r := aurora()
		h := handler(r)
		body := request(t, h, joinOffers, asks(t, h, joinOffers, number)).Body.String()
		answers = append(answers, strings.ReplaceAll(body, r.asked[0].Code, "CODE"))
	}
	if answers[0] != answers[1] {
		t.Error("two numbers have two answers")
	}
}

func TestJoinRefuses(t *testing.T) {
	often := aurora()
	often.err = errTooMuch
	for name, tt := range map[string]struct {
		records *records
		path    string
		form    func(h http.Handler) url.Values
		status  int
	}{
		"no number":                 {aurora(), joinOffers, func(h http.Handler) url.Values { return asks(t, h, joinOffers, "") }, 422},
		"no phone number":           {aurora(), joinOffers, func(h http.Handler) url.Values { return asks(t, h, joinOffers, "<b>12</b>") }, 422},
		"no seal":                   {aurora(), joinOffers, func(http.Handler) url.Values { return url.Values{"number": {"347 123 4567"}} }, 409},
		"the seal of other words":   {aurora(), joinOffers + "?lang=de", func(h http.Handler) url.Values { return asks(t, h, joinOffers, "347 123 4567") }, 409},
		"too often":                 {often, joinOffers, func(h http.Handler) url.Values { return asks(t, h, joinOffers, "347 123 4567") }, 429},
		"a category without a page": {aurora(), policy.PagePath + "join/orders", func(http.Handler) url.Values { return url.Values{"number": {"347 123 4567"}} }, 404},
		"no category":               {aurora(), policy.PagePath + "join/parties", func(http.Handler) url.Values { return nil }, 404},
	} {
		t.Run(name, func(t *testing.T) {
			h := handler(tt.records)
			w := request(t, h, tt.path, tt.form(h))
			if w.Code != tt.status || len(tt.records.asked) > 0 || strings.Contains(w.Body.String(), "<b>12") {
				t.Errorf("answer %d, want %d; %d requests", w.Code, tt.status, len(tt.records.asked))
			}
		})
	}
	for name, off := range map[string]func(*page.Options){
		"no page is configured": func(o *page.Options) { o.Join = nil }, "nobody knows the number": func(o *page.Options) { o.Reply = "" },
	} {
		o := options(aurora())
		off(&o)
		if w := request(t, page.New(o, page.NewLimits()), joinOffers, nil); w.Code != 404 {
			t.Errorf("%s: answer %d", name, w.Code)
		}
	}
}

func TestJoinLimit(t *testing.T) {
	r := aurora()
	h := handler(r)
	values := asks(t, h, joinOffers, "347 123 4567")
	for i := range 21 {
		w := request(t, h, joinOffers, values, "X-Forwarded-For", "203.0.113.7")
		if want := i < 20; (w.Code == 200) != want {
			t.Errorf("for the %dth time the answer is %d", i+1, w.Code)
		}
	}
	if len(r.asked) != 20 {
		t.Errorf("%d requests were noted", len(r.asked))
	}
}

// TestJoinWithAnOrdinaryText: a category whose id sounds like a stop is not in the text that people send.
func TestJoinWithAnOrdinaryText(t *testing.T) {
	r := aurora()
	o := options(r)
	o.Ordinary = func(text string) bool { return !strings.Contains(text, "offers") }
	h := page.New(o, page.NewLimits())
	if body := request(t, h, joinOffers, asks(t, h, joinOffers, "347 123 4567")).Body.String(); !strings.Contains(body, "<code>JOIN "+r.asked[0].Code+"</code>") {
		t.Errorf("what is to be sent is not the code alone:\n%s", body)
	}
}
