package page_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/page"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

func TestLinks(t *testing.T) {
	good := strings.TrimPrefix(adas(), policy.PagePath)
	other := policy.NewPageLinks([]byte("another installation's key")).Token(ada, today.Add(time.Hour))
	gone, erased, broken := aurora(), aurora(), aurora()
	gone.known, erased.found.Erased, broken.err = false, true, errors.New("the database is away")
	for name, tt := range map[string]struct {
		records *records
		token   string
		status  int
		says    string
	}{
		"good":                 {aurora(), good, 200, "Your messages from"},
		"one letter is other":  {aurora(), "C" + good[1:], 404, "There is no page here"},
		"its end is other":     {aurora(), good[:47] + flipped(good[47]), 404, "There is no page here"},
		"cut":                  {aurora(), good[:40], 404, "incomplete or wrong"},
		"longer":               {aurora(), good + "AAAA", 404, "There is no page here"},
		"of another":           {aurora(), other, 404, "There is no page here"},
		"of nothing":           {aurora(), "join", 404, "There is no page here"},
		"expired":              {aurora(), links.Token(ada, today.Add(-time.Hour)), 410, "This link has expired"},
		"nobody is there":      {gone, good, 410, "Nothing to choose here"},
		"erased":               {erased, good, 410, "Nothing to choose here"},
		"nothing can be read":  {broken, good, 503, "That did not work"},
		"expired, and said so": {aurora(), links.Token(ada, today.AddDate(-1, 0, 0)), 410, "write STOP to <bdi>Libreria Aurora</bdi> on WhatsApp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := handler(tt.records)
			for _, form := range []url.Values{nil, {"do": {"stop"}, "seal": {"x"}}} {
				w := request(t, h, policy.PagePath+tt.token, form, "Accept-Language", "en")
				if form != nil && tt.status == 200 {
					continue // TestForms
				}
				if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) {
					t.Errorf("answer %d, want %d with %q:\n%s", w.Code, tt.status, tt.says, shown(w.Body.String()))
				}
				if w.Code != 200 && strings.Contains(shown(w.Body.String()), "567") {
					t.Error("who must not see the page sees the number's end")
				}
			}
			if len(tt.records.choices) > 0 {
				t.Errorf("something was recorded: %+v", tt.records.choices)
			}
		})
	}
}

func flipped(c byte) string {
	if c == 'A' {
		return "E"
	}
	return "A"
}

func TestHeaders(t *testing.T) {
	h := handler(aurora())
	for _, path := range []string{adas(), policy.PagePath + "forged", policy.PagePath + "join/offers", policy.PagePath + "a/b/c", policy.PagePath} {
		w := request(t, h, path, nil)
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow", "X-Content-Type-Options": "nosniff",
			"Content-Type": "text/html; charset=utf-8", "Content-Language": "en",
		} {
			if header == "Content-Language" && path != adas() {
				want = "it" // the business's: nothing says otherwise
			}
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", path, header, got, want)
			}
		}
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'", "style-src 'sha256-"} {
			if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, part) || strings.Contains(got, "unsafe") {
				t.Errorf("%s: the content policy is %q", path, got)
			}
		}
		if body := w.Body.String(); strings.Contains(body, "<script") || strings.Contains(body, "src=") || strings.Contains(body, "style=") {
			t.Errorf("%s: the page has a script, or loads something", path)
		}
	}
}

// TestGETChangesNothing asks as link previews and scanners do.
func TestGETChangesNothing(t *testing.T) {
	r := aurora()
	h := handler(r)
	body := request(t, h, adas(), nil).Body.String()
	for _, do := range []string{"on", "off", "stop"} {
		for _, category := range []string{"offers", "events", ""} {
			if w := request(t, h, adas()+"?"+url.Values{"do": {do}, "category": {category}, "done": {do}}.Encode(), nil); w.Code != 200 {
				t.Errorf("answer %d", w.Code)
			}
		}
	}
	request(t, h, adas()+"?"+form(t, body, "off", "offers").Encode(), nil)
	if len(r.choices) > 0 {
		t.Errorf("a GET recorded %+v", r.choices)
	}
}

func TestForms(t *testing.T) {
	r := aurora()
	h := handler(r)
	body := request(t, h, adas(), nil).Body.String()
	for _, tt := range []struct {
		do, category, says string
	}{{"off", "offers", "is off"}, {"on", "events", "is on"}, {"stop", "", "Everything is off"}} {
		values := form(t, body, tt.do, tt.category)
		w := request(t, h, adas(), values, "User-Agent", "Phone/1", "X-Forwarded-For", "198.51.100.1, 203.0.113.7", "Sec-Fetch-Site", "same-origin")
		if w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "?") {
			t.Fatalf("%s %s: answer %d to %q", tt.do, tt.category, w.Code, w.Header().Get("Location"))
		}
		if after := request(t, h, adas()+w.Header().Get("Location"), nil).Body.String(); !strings.Contains(after, tt.says) || !strings.Contains(after, `role="status"`) {
			t.Errorf("%s %s: the page does not say %q", tt.do, tt.category, tt.says)
		}
	}
	if len(r.choices) != 3 {
		t.Fatalf("%d choices were recorded", len(r.choices))
	}
	on := r.choices[1]
	want := policy.ConsentEvent{
		Source: "web_form", Business: "Libreria Aurora", Language: "en", IP: "192.0.2.1", Agent: "Phone/1", Evidence: "the person's own page",
		Wording: "I want to receive messages about “Incontri con gli autori” from Libreria Aurora on WhatsApp. I can stop them at any time.",
	}
	if on.Event != want || !on.On || on.Category != "events" || on.Person != ada {
		t.Errorf("on is recorded as %+v", on)
	}
	if !strings.Contains(strings.NewReplacer("<bdi>", "", "</bdi>", "", `<bdi lang="it">`, "").Replace(body), on.Event.Wording) {
		t.Error("the page does not show the words that were recorded")
	}
	if off := r.choices[0]; off.On || off.Category != "offers" || off.Event.Wording != "" {
		t.Errorf("off is recorded as %+v", off)
	}
	// What is said to be done is shown only if it is so.
	if body := request(t, h, adas()+"?done=on&category=offers", nil).Body.String(); strings.Contains(body, `role="status"`) {
		t.Error("the page says that something was done which was not")
	}
}

func TestFormsOfOthers(t *testing.T) {
	body := request(t, handler(aurora()), adas(), nil).Body.String()
	off, on, stop := form(t, body, "off", "offers"), form(t, body, "on", "events"), form(t, body, "stop", "")
	with := func(v url.Values, key, value string) url.Values {
		changed := url.Values{}
		for k := range v {
			changed.Set(k, v.Get(k))
		}
		changed.Set(key, value)
		return changed
	}
	bob := policy.PagePath + links.Token(policy.PersonID{9}, today.Add(time.Hour))
	renamed := options(aurora())
	renamed.Business = "Libreria Nuova"
	for name, tt := range map[string]struct {
		options page.Options
		path    string
		form    url.Values
		headers []string
	}{
		"no seal":                 {options(aurora()), adas(), with(off, "seal", ""), nil},
		"another seal":            {options(aurora()), adas(), with(off, "seal", stop.Get("seal")), nil},
		"another category":        {options(aurora()), adas(), with(off, "category", "orders"), nil},
		"another act":             {options(aurora()), adas(), with(off, "do", "on"), nil},
		"a category that is not":  {options(aurora()), adas(), with(off, "category", "parties"), nil},
		"of another person":       {options(aurora()), bob, off, nil},
		"from another site":       {options(aurora()), adas(), off, []string{"Sec-Fetch-Site", "cross-site"}},
		"words changed meanwhile": {renamed, adas(), on, nil},
		"another language":        {options(aurora()), adas() + "?lang=de", on, nil},
		"far too long":            {options(aurora()), adas(), with(off, "x", strings.Repeat("x", 5000)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := aurora()
			tt.options.Records = r
			w := request(t, page.New(tt.options, page.NewLimits()), tt.path, tt.form, tt.headers...)
			if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), `role="alert"`) || len(r.choices) > 0 {
				t.Errorf("answer %d, and %d choices were recorded", w.Code, len(r.choices))
			}
		})
	}
	r := aurora()
	h := handler(r)
	r.err = errors.New("disk full")
	if w := request(t, h, adas(), off); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a choice that cannot be recorded is answered %d", w.Code)
	}
}

func TestLimits(t *testing.T) {
	r := aurora()
	h := handler(r)
	for i := range 30 {
		if w := request(t, h, policy.PagePath+"forged", nil); w.Code != 404 {
			t.Fatalf("try %d is answered %d", i, w.Code)
		}
	}
	if w := request(t, h, policy.PagePath+"forged", nil); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("the 31st try is answered %d", w.Code)
	}
	if w := request(t, h, policy.PagePath+links.Token(ada, today.Add(-time.Hour)), nil); w.Code != http.StatusTooManyRequests {
		t.Errorf("then an expired link is answered %d", w.Code)
	}
	body := request(t, h, adas(), nil)
	if body.Code != 200 {
		t.Errorf("a good link from the same address is answered %d", body.Code)
	}
	on, off := form(t, body.Body.String(), "on", "events"), form(t, body.Body.String(), "off", "offers")
	for i := range 21 {
		want := http.StatusSeeOther
		if i == 20 {
			want = http.StatusTooManyRequests
		}
		if w := request(t, h, adas(), on); w.Code != want {
			t.Errorf("on for the %dth time is answered %d", i+1, w.Code)
		}
	}
	if w := request(t, h, adas(), off); w.Code != http.StatusSeeOther {
		t.Errorf("off is answered %d: to stop has no limit", w.Code)
	}
}

func TestWhatIsShown(t *testing.T) {
	r := aurora()
	r.found.Stops = append(r.found.Stops, report.Suppression{Scope: policy.ScopeKind(policy.Marketing), Reason: policy.OriginMeta1050, At: at(1)},
		report.Suppression{Scope: policy.ScopeCategory("orders"), Reason: policy.OriginImport, At: at(1), Source: "old system", Words: "their own words"})
	body := request(t, handler(r), adas(), nil).Body.String()
	for _, want := range []string{
		"in WhatsApp itself", "has stopped these messages", "On, but stopped", "ending in <bdi>567</bdi>", "<bdi>birthday, points</bdi>", "Sì, voglio ricevere offerte",
		`<bdi lang="it">Incontri con gli autori</bdi>`, "26 Nov 2026", "in store", "Stop: <bdi>everything</bdi>", "Stop taken back", "write to <bdi>Libreria Aurora</bdi>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, secret := range []string{"3471234567", "39347", "old system", "their own words"} {
		if strings.Contains(body, secret) {
			t.Errorf("the page shows %q", secret)
		}
	}
	if first, second := strings.Index(body, "confirmed by a WhatsApp"), strings.Index(body, "was asked for"); first > second {
		t.Error("what was confirmed stands below what was asked for at the same time: the latest is first")
	}
	// A consent that is too old is none.
	r = aurora()
	r.found.Standing["offers"] = policy.Consent{Action: policy.Granted, At: today.AddDate(-2, 0, 0)}
	form(t, request(t, handler(r), adas(), nil).Body.String(), "on", "offers")
	// Nothing is on: there is nothing to stop.
	r.found.Standing = nil
	if body := request(t, handler(r), adas(), nil).Body.String(); strings.Contains(body, `value="stop"`) || !strings.Contains(body, "You get no messages from") {
		t.Error("who gets nothing is not told so")
	}
}

// TestTapsToStartAndToStop: what is one tap away in one direction is one tap away in the other.
func TestTapsToStartAndToStop(t *testing.T) {
	body := request(t, handler(aurora()), adas(), nil).Body.String()
	if forms := strings.Count(body, "<form"); forms != strings.Count(body, "<button") || forms != 4 {
		t.Errorf("there are %d forms and %d buttons for three categories and everything", forms, strings.Count(body, "<button"))
	}
}

func TestLanguage(t *testing.T) {
	for i, tt := range []struct{ own, accept, query, want, dir string }{
		{"it", "de", "", "it", "ltr"}, {"", "de-CH, fr;q=0.5", "", "de", "ltr"}, {"zz", "zh, he;q=0.3", "", "he", "rtl"}, {"pt-BR", "", "", "pt", "ltr"},
		{"", "", "", "it", "ltr"}, {"", "zh", "", "it", "ltr"}, {"it", "de", "ar", "ar", "rtl"}, {"it", "", "xx", "it", "ltr"}, {"", "\x00;;;,", "", "it", "ltr"}, {"iw", "", "", "he", "rtl"},
	} {
		r := aurora()
		r.found.Language = tt.own
		w := request(t, handler(r), adas()+"?"+url.Values{"lang": {tt.query}}.Encode(), nil, "Accept-Language", tt.accept)
		if want := fmt.Sprintf(`<html lang="%s" dir="%s">`, tt.want, tt.dir); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%d: the page does not begin with %s", i, want)
		}
	}
}
