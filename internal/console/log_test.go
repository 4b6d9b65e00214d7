package console_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/console"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

func TestLogRowSaysWhatWhyAndWhen(t *testing.T) {
	html := get(t, optionsOf(aurora()), "/log?run="+liveRun).Body.String()
	for _, want := range []string{
		`<a href="/log?phone=%2B393471230000" title="everything for this person">&#43;393471230000</a>`,
		`<span class="mono" title="no consent on record for this category">no_consent</span><div class="why">no consent on record for this category</div>`,
		`<span class="mono" title="Message undeliverable">131026</span> Message undeliverable`, "has not accepted the new terms",
		`<time datetime="2026-11-27T17:07:01.5Z">Fri 27 Nov 2026, 18:07:01</time>`, `<li><span>delivered</span> <time datetime="2026-11-27T17:00:04.5Z">18:00:04</time></li>`,
		`<time datetime="2026-11-28T08:00:01.722Z">Sat 28 Nov 2026, 09:00:01</time></summary>`, `<li><span>queued</span> <time datetime="2026-11-27T17:00:00.4Z">Fri 27 Nov 2026, 18:00:00</time></li>`,
		`quiet_hours</span><div class="why">waits for the end of quiet hours, or of a holiday, where this person is</div>`,
		"(erased)", "IT.7351088412", "wamid.", `<option value="skipped">`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// TestLogRowTellsItsStepsInOrder: WhatsApp's times are whole seconds, so that a message seems sent before it was queued.
func TestLogRowTellsItsStepsInOrder(t *testing.T) {
	store := aurora()
	ours := func(after time.Duration) report.Time { return report.Time{Time: store.lines[0].At.FireAt.Add(after)} }
	store.lines = store.lines[:1]
	store.lines[0].State = sender.Read
	store.lines[0].QueuedAt, store.lines[0].SendingAt, store.lines[0].AcceptedAt = ours(400*time.Millisecond), ours(410*time.Millisecond), ours(490*time.Millisecond)
	store.lines[0].SentAt, store.lines[0].DeliveredAt, store.lines[0].ReadAt = ours(0), ours(0), ours(7*time.Second)
	var steps []string
	for _, step := range regexp.MustCompile(`<li><span>(\w+)</span> <time`).FindAllStringSubmatch(get(t, optionsOf(store), "/log?run="+store.lines[0].Run).Body.String(), -1) {
		steps = append(steps, step[1])
	}
	if want := []string{"queued", "sending", "accepted", "sent", "delivered", "read"}; !slices.Equal(steps, want) {
		t.Errorf("the steps are %v, want %v", steps, want)
	}
}

func TestBadSearchGetsOneSentenceAndNoRows(t *testing.T) {
	for target, want := range map[string]string{
		"/log?phone=12":             "The phone number is too short; check that no digit and no area code is missing.",
		"/log?phone=%2B39CALLME":    "The phone number contains letters; write it in digits.",
		"/log?state=lost":           "There is no state &#34;lost&#34;. Choose one of the list.",
		"/log?reason=because":       "There is no reason &#34;because&#34;. Choose one of the list.",
		"/log?run=none":             "There is no run of this id. The runs page lists them.",
		"/log?after=gone":           "Search again.",
		"/log?after=.":              "Search again.",
		"/log?phone=%3Cscript%3E":   `value="&lt;script&gt;"`,
		"/log?state=lost&phone=12":  "The phone number is too short",
		"/log?phone=%2B39+347%2B12": "The phone number has a plus sign that is not at its start",
	} {
		store := aurora()
		answer := get(t, optionsOf(store), target)
		if answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: status %d, lacks %q", target, answer.Code, want)
		}
		if strings.Contains(answer.Body.String(), "<tbody") || len(store.asked) > 0 {
			t.Errorf("%s shows rows all the same", target)
		}
	}
}

func TestSearchFiltersReachTheStore(t *testing.T) {
	store := aurora()
	get(t, optionsOf(store), "/log?phone=347%20123%200000&campaign=weekend-offer&run="+liveRun+"&state=read&reason=no_consent")
	want := report.Filter{Campaign: "weekend-offer", Run: liveRun, Phone: "+393471230000", State: sender.Read, Reason: policy.NoConsent}
	if len(store.asked) != 1 || store.asked[0] != want {
		t.Errorf("the store was asked for %+v, want %+v", store.asked, want)
	}
}

var older = regexp.MustCompile(`<a href="([^"]+)" rel="next">Older</a>`)

func walk(t *testing.T, options console.Options, target string) []string {
	t.Helper()
	row := regexp.MustCompile(`(?s)<tr role="row">\n<th role="rowheader"[^>]*>(?:<a[^>]*>|<span[^>]*>)([^<]*)<.*?title="run ([^"]*)"`)
	var rows []string
	handler := console.New(options)
	for pages := 0; target != ""; pages++ {
		if pages > 100 {
			t.Fatal("the log never ends")
		}
		answer := ask(t, handler, http.MethodGet, target)
		if answer.Code != 200 {
			t.Fatalf("%s: status %d", target, answer.Code)
		}
		for _, found := range row.FindAllStringSubmatch(answer.Body.String(), -1) {
			rows = append(rows, found[2]+" "+strings.ReplaceAll(found[1], "&#43;", "+"))
		}
		next := older.FindStringSubmatch(answer.Body.String())
		target = ""
		if next != nil {
			target = strings.ReplaceAll(next[1], "&amp;", "&")
		}
	}
	return rows
}

func TestOlderPagesShowEveryRowOnce(t *testing.T) {
	store := aurora()
	for name, tt := range map[string]struct {
		query string
		keep  func(report.Line) bool
	}{
		"all":         {"", func(report.Line) bool { return true }},
		"one run":     {"?run=" + liveRun, func(l report.Line) bool { return l.Run == liveRun }},
		"a campaign":  {"?campaign=weekend-offer", func(l report.Line) bool { return l.Campaign == "weekend-offer" }},
		"a state":     {"?state=skipped", func(l report.Line) bool { return l.State == sender.Skipped }},
		"a reason":    {"?reason=no_consent", func(l report.Line) bool { return l.Reason == policy.NoConsent }},
		"nobody":      {"?state=expired", func(report.Line) bool { return false }},
		"cross-check": {"?run=" + liveRun + "&campaign=order-ready", func(report.Line) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, run := range store.runs { // newest first, and within a run as the log has it
				for _, l := range store.lines {
					if l.Run == run.ID && tt.keep(l) {
						to := l.Phone + l.UserID
						if to == "" {
							to = "(erased)"
						}
						want = append(want, l.Run+" "+to)
					}
				}
			}
			if got := walk(t, optionsOf(store), "/log"+tt.query); !slices.Equal(got, want) {
				t.Errorf("the pages show %d rows, want %d in their order", len(got), len(want))
			}
		})
	}
}

func TestOnePersonsRowsComeNewestFirst(t *testing.T) {
	store := &shop{}
	var want []string
	for n := range 120 {
		run := newRun(fmt.Sprintf("run-%03d", n), "daily", scheduler.Done, friday.AddDate(0, 0, n))
		store.runs = slices.Insert(store.runs, 0, run)
		store.lines = append(store.lines, report.Line{Run: run.ID, Campaign: "daily", Phone: "+393471230000", State: sender.Read, At: report.Cursor{FireAt: run.FireAt, Run: run.ID, Person: person(1)}})
		want = slices.Insert(want, 0, run.ID+" +393471230000")
	}
	if got := walk(t, optionsOf(store), "/log?phone=%2B393471230000"); !slices.Equal(got, want) {
		t.Errorf("got %d rows, want %d, the newest first", len(got), len(want))
	}
}

func TestRareRowsAreFoundFarBack(t *testing.T) {
	store := &shop{}
	for n := range 180 {
		store.runs = append(store.runs, newRun(fmt.Sprintf("run-%03d", n), "daily", scheduler.Done, friday.AddDate(0, 0, -n)))
	}
	last := store.runs[179]
	store.lines = []report.Line{{Run: last.ID, Campaign: "daily", Phone: "+393471230000", State: sender.Unknown, At: report.Cursor{FireAt: last.FireAt, Run: last.ID, Person: person(1)}}}
	first := get(t, optionsOf(store), "/log?state=unknown")
	if len(store.asked) > 50 || !strings.Contains(first.Body.String(), "Nothing in the newest runs") {
		t.Errorf("the first page looked into %d runs", len(store.asked))
	}
	if got, want := walk(t, optionsOf(store), "/log?state=unknown"), []string{"run-179 +393471230000"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoPhoneNumberIsLogged(t *testing.T) {
	store := aurora()
	store.broken = errors.New("the database is locked")
	options, lines := logged(store)
	for _, target := range []string{"/log?phone=%2B393471230000", "/log?phone=3471230000", "/log?phone=12345", "/log?phone=%2B393471230000&state=lost"} {
		get(t, options, target)
	}
	if lines.Len() == 0 || regexp.MustCompile(`[0-9]{5}`).MatchString(regexp.MustCompile(`time=\S+`).ReplaceAllString(lines.String(), "")) {
		t.Errorf("the log holds a number, or nothing: %s", lines)
	}
}

func FuzzSearch(f *testing.F) {
	for target := range everyPage {
		_, query, _ := strings.Cut(target, "?")
		f.Add(query)
	}
	f.Add("phone=<script>alert(1)</script>&campaign=\"'><img src=x>&run=%00&after=20261127-1700-k3f9xa.0000")
	f.Fuzz(func(t *testing.T, query string) {
		handler := console.New(optionsOf(aurora()))
		request := httptest.NewRequest(http.MethodGet, "/log", nil)
		request.Host, request.URL = "localhost", &url.URL{Path: "/log", RawQuery: query}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		html := answer.Body.String()
		if answer.Code != http.StatusOK && answer.Code != http.StatusBadRequest {
			t.Fatalf("status %d", answer.Code)
		}
		if strings.Count(html, "<script") != 0 || strings.Contains(html, "<img src=x") || inlineHandler.MatchString(html) && !inlineHandler.MatchString(query) {
			t.Fatal("what was typed became part of the page")
		}
	})
}
