package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/console"
)

func TestEveryAnswerHasTheHeaders(t *testing.T) {
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":  "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store",
	}
	handler := console.New(optionsOf(aurora()))
	for _, r := range []struct{ method, target, host string }{
		{"GET", "/", "localhost"}, {"GET", "/log?phone=12", "localhost"}, {"GET", "/nowhere", "localhost"}, {"POST", "/", "localhost"}, {"GET", "/", "evil.example"}, {"GET", "/static/htmx.min.js", "localhost"},
	} {
		answer := ask(t, handler, r.method, r.target, "Host", r.host)
		for name, value := range want {
			if got := answer.Header().Get(name); got != value {
				t.Errorf("%s %s at %s: %s is %q, want %q", r.method, r.target, r.host, name, got, value)
			}
		}
	}
}

func TestOnlyReadingIsServed(t *testing.T) {
	handler := console.New(optionsOf(aurora()))
	for _, target := range []string{"/", "/log", "/runs/" + liveRun, "/fragments/runs", "/static/console.css", "/nowhere"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			if code := ask(t, handler, method, target).Code; code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: status %d, want 405", method, target, code)
			}
			if code := ask(t, handler, method, target, "Sec-Fetch-Site", "cross-site").Code; code != http.StatusForbidden {
				t.Errorf("%s %s from another site: status %d, want 403", method, target, code)
			}
		}
	}
}

func TestHostsThatAreServed(t *testing.T) {
	for name, tt := range map[string]struct {
		hosts []string
		host  string
		want  int
	}{
		"localhost":                    {nil, "localhost", 200},
		"localhost with a port":        {nil, "localhost:8081", 200},
		"in capitals":                  {nil, "LOCALHOST:8081", 200},
		"with its final dot":           {nil, "localhost.:8081", 200},
		"IPv4":                         {nil, "127.0.0.1:8081", 200},
		"IPv6":                         {nil, "[::1]:8081", 200},
		"IPv6 without a port":          {nil, "[::1]", 200},
		"another name":                 {nil, "evil.example:8081", 403},
		"a name that begins like ours": {nil, "localhost.evil.example", 403},
		"an address of the network":    {nil, "192.0.2.7:8081", 403},
		"nothing":                      {nil, "", 403},
		"the configured name":          {[]string{"ops.aurora.example:8081"}, "ops.aurora.example", 200},
		"beside the configured name":   {[]string{"ops.aurora.example"}, "aurora.example", 403},
		"a configured address":         {[]string{"192.0.2.7:8081"}, "192.0.2.7:8081", 200},
		"any address":                  {[]string{"0.0.0.0:8081"}, "192.0.2.7:8081", 200},
		"any address, only a port":     {[]string{":8081"}, "[2001:db8::7]:8081", 200},
		"any address is still no name": {[]string{"[::]:8081"}, "evil.example", 403},
	} {
		t.Run(name, func(t *testing.T) {
			options := optionsOf(aurora())
			options.Hosts = tt.hosts
			answer := ask(t, console.New(options), http.MethodGet, "/", "Host", tt.host)
			if answer.Code != tt.want {
				t.Errorf("status %d, want %d", answer.Code, tt.want)
			}
			if tt.want == 403 && !strings.Contains(answer.Body.String(), "listen.console") {
				t.Errorf("the refusal does not say what to do: %s", answer.Body)
			}
		})
	}
}

func TestStaticFiles(t *testing.T) {
	handler := console.New(optionsOf(aurora()))
	for name, kind := range map[string]string{
		"htmx.min.js": "text/javascript; charset=utf-8", "console.js": "text/javascript; charset=utf-8", "console.css": "text/css; charset=utf-8", "mark.svg": "image/svg+xml", "NOTICE": "text/plain; charset=utf-8",
	} {
		answer := ask(t, handler, http.MethodGet, "/static/"+name)
		if answer.Code != 200 || answer.Header().Get("Content-Type") != kind || answer.Body.Len() == 0 {
			t.Errorf("%s: status %d, type %q, %d bytes", name, answer.Code, answer.Header().Get("Content-Type"), answer.Body.Len())
		}
	}
	for _, name := range []string{"none.js", "", "..%2fconsole.go", "%2e%2e"} {
		if answer := ask(t, handler, http.MethodGet, "/static/"+name); answer.Code == 200 {
			t.Errorf("/static/%s is served", name)
		}
	}
	page := ask(t, handler, http.MethodGet, "/").Body.String()
	named := regexp.MustCompile(`/static/[a-z.]+\?v=[0-9a-f]+`).FindAllString(page, -1)
	if len(named) < 4 {
		t.Fatalf("the page names %q", named)
	}
	for _, target := range named {
		if got := ask(t, handler, http.MethodGet, target).Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%s is kept as %q", target, got)
		}
	}
}

// What guards the pages stands before the API too.
func TestTheAPIIsGuarded(t *testing.T) {
	options := optionsOf(aurora())
	options.API = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	handler := console.New(options)
	for name, tt := range map[string]struct {
		method, target, host, site string
		want                       int
	}{
		"a program":              {"POST", "/api/v1/consents", "localhost", "", 418},
		"any path of it":         {"GET", "/api/v2/none", "localhost", "", 418},
		"another name":           {"GET", "/api/v1/log", "evil.example", "", 403},
		"a page of another site": {"POST", "/api/v1/consents", "localhost", "cross-site", 403},
	} {
		answer := ask(t, handler, tt.method, tt.target, "Host", tt.host, "Sec-Fetch-Site", tt.site)
		if answer.Code != tt.want || answer.Header().Get("Cache-Control") != "no-store" || answer.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: status %d, want %d", name, answer.Code, tt.want)
		}
	}
	if code := ask(t, console.New(optionsOf(aurora())), "GET", "/api/v1/log").Code; code != 404 {
		t.Errorf("without an API: status %d", code)
	}
}
