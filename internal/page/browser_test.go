package page_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"

	"github.com/permesso/permesso/internal/chromium"
	"github.com/permesso/permesso/internal/page"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// axeVersion is the one that .ci/install fetches.
const axeVersion = "4.14.1"

// axe is axe-core, which finds what people with disabilities cannot use; "" when it is not here.
func axe(t *testing.T) string {
	t.Helper()
	folder, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(folder, "permesso", "axe-core-"+axeVersion, "axe.min.js"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(script)
}

// look is one way to see a page.
type look struct {
	width  int64
	scheme string
}

func (l look) wear() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: 740, DeviceScaleFactor: 1, Mobile: true}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}}})
		return err
	})
}

// scriptless forbids the page its scripts; what a test evaluates still runs.
func scriptless() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
}

// seen is a page in a state of its own.
type seen struct {
	name    string
	path    string
	handler http.Handler
	post    string // a button that is pressed first, by its selector
	typed   string // into the number's field, before that
}

func states() []seen {
	held := aurora()
	held.found.Stops = append(held.found.Stops, report.Suppression{Scope: policy.ScopeKind(policy.Marketing), Reason: policy.OriginMetaStop, At: at(1)},
		report.Suppression{Scope: policy.ScopeCategory("orders"), Reason: policy.OriginOperator, At: at(1)})
	none := aurora()
	none.found.Standing, none.found.Consents, none.found.Stops = nil, nil, nil
	gone := aurora()
	gone.known = false
	spent := page.NewLimits()
	busy := page.New(options(aurora()), spent)
	for range 40 {
		busy.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/p/nothing", nil))
	}
	hebrew := aurora()
	hebrew.found.Language = "he"
	long := options(aurora())
	long.Business = "Antiquariatsbuchhandlungsgenossenschaft am Donaudampfschifffahrtsgesellschaftskai"
	return []seen{
		{"person", adas(), handler(aurora()), "", ""},
		{"person-he", adas(), handler(hebrew), "", ""},
		{"person-ar-held", adas() + "?lang=ar", handler(held), "", ""},
		{"person-de-held", adas() + "?lang=de", page.New(long, page.NewLimits()), "", ""},
		{"person-none", adas() + "?lang=hi", handler(none), "", ""},
		{"person-done", adas() + "?lang=fr", handler(aurora()), `.choices li:nth-child(2) button`, ""},
		{"expired", policy.PagePath + links.Token(ada, today.Add(-time.Hour)), handler(aurora()), "", ""},
		{"gone", policy.PagePath + "forged", handler(aurora()), "", ""},
		{"removed", adas(), handler(gone), "", ""},
		{"busy", policy.PagePath + "forged", busy, "", ""},
		{"join", policy.PagePath + "join/offers", handler(aurora()), "", ""},
		{"join-ar", policy.PagePath + "join/offers?lang=ar", handler(aurora()), "", ""},
		{"join-wrong", policy.PagePath + "join/offers?lang=it", handler(aurora()), `main button`, ""},
		{"join-step", policy.PagePath + "join/offers?lang=he", handler(aurora()), `main button`, "347 123 4567"},
	}
}

func TestInABrowser(t *testing.T) {
	t.Parallel()
	ctx := chromium.Start(t)
	if ctx == nil {
		return
	}
	t.Run("states", func(t *testing.T) { testStates(t, ctx) })
	t.Run("keyboard", func(t *testing.T) { testKeyboard(t, ctx) })
}

// testStates looks at every page in each of its states as a phone shows it, light and dark: nothing is wider than the phone,
// nothing is asked of anybody else, and axe-core finds nothing to object to.
func testStates(t *testing.T, ctx context.Context) {
	script := axe(t)
	if script == "" {
		chromium.Lacking(t, "axe-core "+axeVersion)
		return
	}
	var complaints []string
	if err := chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*log.EventEntryAdded); ok && !strings.Contains(e.Entry.Text, "Failed to load resource") { // their 404 and 410
			complaints = append(complaints, e.Entry.Text)
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, s := range states() {
		t.Run(s.name, func(t *testing.T) {
			var others []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasPrefix(r.URL.Path, policy.PagePath) {
					others = append(others, r.URL.Path)
				}
				s.handler.ServeHTTP(w, r)
			}))
			defer server.Close()
			open := chromedp.Steps(look{360, "light"}.wear(), chromedp.Navigate(server.URL+s.path), chromedp.WaitReady(chromedp.CSS("h1")))
			chromium.In(t, ctx, open)
			if s.post != "" {
				if s.typed != "" {
					chromium.In(t, ctx, chromedp.SendKeys(chromedp.CSS("#number"), s.typed))
				}
				chromium.In(t, ctx, chromedp.Steps(chromedp.Click(chromedp.CSS(s.post)), chromedp.WaitReady(chromedp.CSS("[role=status], [role=alert], .code"))))
			}
			chromium.In(t, ctx, chromedp.Evaluate[bool](script+"\n;document.querySelectorAll('details').forEach(d => d.open = true), true"))
			for _, l := range []look{{360, "light"}, {320, "dark"}} {
				chromium.In(t, ctx, l.wear())
				if wide := chromium.In(t, ctx, chromedp.Evaluate[int64]("document.documentElement.scrollWidth")); wide > l.width {
					t.Errorf("%s: the page is %d px wide on a phone of %d: it scrolls sideways", l.scheme, wide, l.width)
				}
				for _, v := range violations(t, ctx) {
					t.Errorf("%s: %s", l.scheme, v)
				}
				if err := os.WriteFile(filepath.Join(t.ArtifactDir(), s.name+"-"+l.scheme+".png"), chromium.In(t, ctx, chromedp.FullScreenshot(100)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if len(others) > 0 {
				t.Errorf("the page asks for more than itself: %q", others)
			}
		})
	}
	for _, said := range complaints {
		t.Errorf("the browser complains: %s", said)
	}
}

// violations are what axe-core has against the page that is open, in the rules of WCAG 2.2 A and AA and the best practices.
func violations(t *testing.T, ctx context.Context) (found []string) {
	t.Helper()
	text := chromium.In(t, ctx, chromedp.Evaluate[string](`axe.run({resultTypes: ["violations"]}).then(r => JSON.stringify(
		r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.html + " " + n.failureSummary).join("; "))))`, chromedp.EvalAwaitPromise))
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// testKeyboard goes through a person's page and an opt-in page with the keyboard alone, in a browser that runs no script.
func testKeyboard(t *testing.T, ctx context.Context) {
	r := aurora()
	server := httptest.NewServer(handler(r))
	defer server.Close()
	tab, enter := chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r")
	reach := func(label string) {
		t.Helper()
		for range 40 {
			chromium.In(t, ctx, tab)
			if strings.HasPrefix(chromium.In(t, ctx, chromedp.Evaluate[string](`(document.activeElement.getAttribute("aria-label") || document.activeElement.textContent).trim()`)), label) {
				return
			}
		}
		t.Fatalf("the keyboard does not reach %q", label)
	}
	chromium.In(t, ctx, chromedp.Steps(look{360, "light"}.wear(), scriptless(), chromedp.Navigate(server.URL+adas()), chromedp.WaitReady(chromedp.CSS("h1"))))
	for _, step := range []struct{ button, says string }{
		{"Turn off: Offers", "“Offers” is off"}, {"Turn on: Offers", "“Offers” is on"}, {"Stop everything", "Everything is off"},
	} {
		reach(step.button)
		chromium.In(t, ctx, enter)
		said, err := "", error(nil)
		for until := time.Now().Add(30 * time.Second); !strings.Contains(said, step.says) && time.Now().Before(until); {
			// The page that is left may answer still, or no more.
			if said, err = chromedp.Run(ctx, chromedp.Evaluate[string](`document.readyState === "complete" ? document.querySelector("[role=status]")?.textContent ?? "" : ""`)); err != nil {
				said = ""
			}
		}
		if !strings.Contains(said, step.says) {
			t.Fatalf("after %q the page says %q, %v", step.button, said, err)
		}
	}
	if len(r.choices) != 3 || !r.choices[1].On || r.choices[2].Category != "" {
		t.Errorf("what was recorded is %+v", r.choices)
	}
	chromium.In(t, ctx, chromedp.Steps(chromedp.Navigate(server.URL+policy.PagePath+"join/offers"), chromedp.WaitReady(chromedp.CSS("#number")),
		chromedp.SendKeys(chromedp.CSS("#number"), "347 123 4567\r"), chromedp.WaitReady(chromedp.CSS(".code"))))
	if code := chromium.In(t, ctx, chromedp.Text(chromedp.CSS(".code"))); len(r.asked) != 1 || code != fmt.Sprintf("JOIN offers %s", r.asked[0].Code) {
		t.Errorf("the message to send is %q", code)
	}
}
