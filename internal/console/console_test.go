package console_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/internal/console"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

const liveRun = "20261127-1700-k3f9xa"

// everyPage is each page in each of its forms, and the status it answers with.
var everyPage = map[string]int{
	"/": 200, "/?campaign=weekend-offer": 200, "/?campaign=none": 200, "/?show=500": 200, "/runs/" + liveRun: 200, "/runs/20261113-1700-5rw1jb": 200, "/runs/none": 404, "/nowhere": 404,
	"/log": 200, "/log?run=" + liveRun: 200, "/log?reason=no_consent&state=skipped": 200, "/log?phone=%2B393471230000": 200, "/log?phone=347+123+1226": 200, "/log?campaign=none": 200,
	"/log?phone=12": 400, "/log?state=lost": 400, "/log?reason=because": 400, "/log?run=none": 400, "/log?after=x.y": 400, "/log?after=gone": 400,
	"/fragments/runs": 200, "/fragments/runs?campaign=none": 200, "/fragments/runs/" + liveRun: 200, "/fragments/runs/none": 404,
}

var (
	inlineHandler = regexp.MustCompile(`(?i)<[^>]*\s(on[a-z]+|style|hx-on[a-z:-]*)\s*=`)
	inlineScript  = regexp.MustCompile(`(?i)<script(\s[^>]*)?>`)
)

func TestEveryPageIsWholeAndHoldsToItsPolicy(t *testing.T) {
	for target, status := range everyPage {
		t.Run(target, func(t *testing.T) {
			answer := get(t, optionsOf(aurora()), target)
			if answer.Code != status {
				t.Errorf("status %d, want %d", answer.Code, status)
			}
			html := answer.Body.String()
			if err := balanced(html); err != nil {
				t.Errorf("the HTML is broken: %v", err)
			}
			if found := inlineHandler.FindString(html); found != "" || strings.Contains(strings.ToLower(html), "<style") {
				t.Errorf("inline script or style, which the policy refuses: %s", found)
			}
			for _, script := range inlineScript.FindAllString(html, -1) {
				if !strings.Contains(script, ` src="/static/`) {
					t.Errorf("a script that is not a file of ours: %s", script)
				}
			}
			if strings.Contains(html, "ZgotmplZ") {
				t.Error("html/template refused a value of a page")
			}
			if len(html) > 60_000 {
				t.Errorf("the page has %d bytes, more than 60,000", len(html))
			}
		})
	}
}

// balanced reports whether every element that opens closes, in order.
func balanced(html string) error {
	d := xml.NewDecoder(strings.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("at byte %d: %w", d.InputOffset(), err)
		}
	}
}

func TestRunsPageSaysWhatMatters(t *testing.T) {
	html := get(t, optionsOf(aurora()), "/").Body.String()
	for _, want := range []string{
		`<a id="link-20261127-1700-k3f9xa" href="/runs/20261127-1700-k3f9xa">weekend-offer</a>`, "12,331 of 18,737", ">65 %<", "78.6 per second",
		"<dt>Planned</dt><dd>20,000</dd>", "<dt>Sent</dt><dd>12,126</dd>", "<dt>Delivered</dt><dd>11,514</dd>", "<dt>Read</dt><dd>3,170</dd>", "<dt>Failed</dt><dd>131</dd>", "<dt>Skipped</dt><dd>1,263</dd>",
		`<progress value="12331" max="18737" aria-label="Messages of weekend-offer that have gone out">`,
		`<time datetime="2026-11-27T17:00:00Z">Fri 27 Nov 2026, 18:00 CET`, "(17:00 UTC)", "2 unknown", "<code>permesso runs resume 20261127-1630-w2m8qt</code>",
		"Nothing was running from 17:58 to 20:31", ">nobody<", "4,102 cancelled", "712 of 4,814", `hx-trigger="every 1s"`, `hx-get="/fragments/runs"`, ">test</span>", ">by hand</span>",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestRunsBeingPlannedShowTheirPlan(t *testing.T) {
	store := &shop{summaries: map[string]report.Summary{}}
	run := newRun("r1", "weekend-offer", scheduler.Planning, friday)
	run.Plan.Matched, run.Plan.Allowed, run.Plan.Deferred = 20000, 15000, 3000
	store.runs = []scheduler.Run{run}
	store.summaries["r1"] = report.Summary{Run: "r1", States: map[sender.State]int{sender.Queued: 900, sender.Delivered: 90, sender.Skipped: 10}}
	html := get(t, optionsOf(store), "/").Body.String()
	for _, want := range []string{"90 of 18,000", "<dd>20,000</dd>", ">0 %<"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestHaltIsAboveEverything(t *testing.T) {
	store := aurora()
	store.halted, store.haltedWhy = friday.Add(10*time.Minute), "wrong price in the text"
	html := get(t, optionsOf(store), "/fragments/runs").Body.String()
	if !strings.Contains(html, "Everything is halted") || !strings.Contains(html, "wrong price in the text") || !strings.Contains(html, "permesso resume") {
		t.Errorf("the halt is not told: %.600s", html)
	}
}

func TestEmptyPagesSayWhatToDo(t *testing.T) {
	for target, want := range map[string]string{
		"/": "permesso run CAMPAIGN", "/?campaign=spring": "permesso run spring", "/log": "permesso run CAMPAIGN", "/log?phone=%2B393479999999": "permesso explain CAMPAIGN PHONE", "/log?state=read": "Nothing matches",
	} {
		html := get(t, optionsOf(&shop{}), target).Body.String()
		if !strings.Contains(html, want) {
			t.Errorf("%s lacks %q", target, want)
		}
	}
}

func TestRunPageLinksIntoTheLog(t *testing.T) {
	html := get(t, optionsOf(aurora()), "/runs/"+liveRun).Body.String()
	for _, want := range []string{
		`href="/log?reason=no_consent&amp;run=20261127-1700-k3f9xa"`, `href="/log?run=20261127-1700-k3f9xa&amp;state=failed"`, "no consent on record for this category", "waits for the campaign&#39;s hours, in this person&#39;s time", "24.5 %",
		"country = &#34;IT&#34; AND segment.rich", "Opted out after it", `href="/?campaign=weekend-offer"`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// walk follows "Older" to the end and returns the rows as phone, user id or (erased) with their run, in order.
func TestManyRunsAreShownInPortions(t *testing.T) {
	store := &shop{summaries: map[string]report.Summary{}}
	for n := range 600 {
		store.runs = append(store.runs, newRun(fmt.Sprintf("run-%03d", n), "daily", scheduler.Done, friday.AddDate(0, 0, -n)))
	}
	for target, want := range map[string]struct {
		rows int
		more string
	}{"/": {25, `href="/?show=100"`}, "/?show=100&campaign=daily": {100, `href="/?campaign=daily&amp;show=500"`}, "/?show=500": {500, "permesso runs list"}, "/?show=1000000": {25, `href="/?show=100"`}} {
		html := get(t, optionsOf(store), target).Body.String()
		if rows := strings.Count(html, `scope="row"`); rows != want.rows || !strings.Contains(html, want.more) {
			t.Errorf("%s shows %d runs, want %d and %s", target, rows, want.rows, want.more)
		}
	}
}

func TestAnErrorIsNeverAnEmptyPage(t *testing.T) {
	for target, status := range everyPage {
		store := aurora()
		store.broken = errors.New("the database is locked")
		options, lines := logged(store)
		answer := get(t, options, target)
		if status != 200 { // what is wrong with the address itself is said without the store
			continue
		}
		if answer.Code != http.StatusInternalServerError || !strings.Contains(answer.Body.String(), "This page cannot be shown") {
			t.Errorf("%s: status %d", target, answer.Code)
		}
		if !strings.Contains(lines.String(), "the database is locked") {
			t.Errorf("%s: the log does not have the error: %s", target, lines)
		}
	}
}

// elapse lets time pass inside a synctest bubble, where it costs none.
func elapse(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // virtual time
}

func TestManyWatchersCountOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := aurora()
		store.runs = store.runs[:1]
		took := 10 * time.Millisecond
		store.onSummary = func(_ string, s report.Summary) report.Summary {
			elapse(took)
			return s
		}
		handler := console.New(optionsOf(store))
		for range 20 {
			ask(t, handler, http.MethodGet, "/fragments/runs")
		}
		if store.counted != 1 {
			t.Errorf("20 watchers in one moment made %d counts, want 1", store.counted)
		}
		elapse(time.Second)
		ask(t, handler, http.MethodGet, "/fragments/runs")
		if store.counted != 2 {
			t.Errorf("a second later there were %d counts, want 2", store.counted)
		}
		// A count that takes a second is not repeated for twenty.
		took = time.Second
		elapse(time.Second)
		store.counted = 0
		for range 21 {
			ask(t, handler, http.MethodGet, "/fragments/runs")
			elapse(time.Second)
		}
		if store.counted != 2 {
			t.Errorf("21 seconds of watching a slow count made %d counts, want 2", store.counted)
		}
	})
}

func TestSlowCountsComeInPortions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := aurora()
		store.onSummary = func(_ string, s report.Summary) report.Summary {
			elapse(1500 * time.Millisecond)
			return s
		}
		handler := console.New(optionsOf(store))
		first := ask(t, handler, http.MethodGet, "/").Body.String()
		if !strings.Contains(first, "still being counted") || strings.Count(first, "<article") != 2 {
			t.Errorf("the first answer shows %d open runs and does not say that more come", strings.Count(first, "<article"))
		}
		for range 4 {
			ask(t, handler, http.MethodGet, "/")
		}
		if last := ask(t, handler, http.MethodGet, "/").Body.String(); strings.Contains(last, "still being counted") || strings.Count(last, `scope="row"`) != 4 {
			t.Errorf("in the end %d of 4 runs are there", strings.Count(last, `scope="row"`))
		}
	})
}
