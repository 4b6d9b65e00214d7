package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// How many runs the first page shows, and what "older" asks for next.
var shownRuns = []int{25, 100, 500}

// runsPage is the first page, and its fragment.
type runsPage struct {
	Campaign string
	Open     []runView
	Over     []runView
	Halted   *moment
	HaltWhy  string
	Breakers []breakerView
	Every    string // how often the fragment asks again
	Fragment string // its own address
	Older    string // the address that shows more; "" when all are here
	Cut      bool   // there are more than any address shows
	Slow     bool   // the rest is still being counted
	None     bool
}

// breakerView is what holds sending back.
type breakerView struct {
	Name, Why string
	Since     *moment
}

// runView is one run as the pages show it.
type runView struct {
	ID       string
	Campaign string
	State    badge
	Why      string
	Urgent   bool // somebody has to act
	Test     bool
	Manual   bool
	Fires    *moment
	Started  *moment
	Finished *moment
	Open     bool
	Figures  tally
	LogURL   string
}

// tally is a run's counts for people. Sent includes delivered, delivered includes read, as one who read also received.
type tally struct {
	Planned, Sent, Delivered, Read, Failed, Skipped int
	// Gone of ToSend messages have left or were tried; ToSend is 0 when there is nobody to send to.
	Gone, ToSend, Percent int
	Others                []other // states that have no figure of their own and somebody in them
	Rate                  string  // messages per second over the run, "" before there is one
	Busiest               int     // in the busiest second
	OptedOut, Replied     int
}

type other struct {
	State badge
	Count int
}

func (c *console) showRuns(w http.ResponseWriter, r *http.Request) {
	page, err := c.readRuns(r.Context(), r.URL.Query())
	if err != nil {
		c.failed(w, r, "reading the runs", err)
		return
	}
	c.render(w, http.StatusOK, "runs", frame{Title: "Runs", Section: "runs", Live: true}, page)
}

func (c *console) showRunsFragment(w http.ResponseWriter, r *http.Request) {
	page, err := c.readRuns(r.Context(), r.URL.Query())
	if err != nil {
		c.failed(w, r, "reading the runs", err)
		return
	}
	c.renderFragment(w, "runs", "live-runs", page)
}

func (c *console) readRuns(ctx context.Context, query url.Values) (runsPage, error) {
	page := runsPage{Campaign: query.Get("campaign"), Every: "every 5s"}
	place := max(0, slices.IndexFunc(shownRuns, func(n int) bool { return query.Get("show") == strconv.Itoa(n) }))
	show := shownRuns[place]
	own := url.Values{}
	if page.Campaign != "" {
		own.Set("campaign", page.Campaign)
	}
	if show != shownRuns[0] {
		own.Set("show", strconv.Itoa(show))
	}
	page.Fragment = address("/fragments/runs", own)

	runs, err := c.Runs.Runs(ctx, page.Campaign, show+1)
	if err != nil {
		return page, err
	}
	if len(runs) > show {
		runs, page.Cut = runs[:show], true
		if place+1 < len(shownRuns) {
			own.Set("show", strconv.Itoa(shownRuns[place+1]))
			page.Older, page.Cut = address("/", own), false
		}
	}
	since, why, err := c.Runs.Halted(ctx)
	if err != nil {
		return page, err
	}
	page.Halted, page.HaltWhy = momentOf(since, c.Zone, false), why
	if page.Breakers, err = c.breakers(ctx); err != nil {
		return page, err
	}
	page.None = len(runs) == 0
	return page, c.countRuns(ctx, &page, runs)
}

func (c *console) breakers(ctx context.Context) ([]breakerView, error) {
	if c.Breakers == nil {
		return nil, nil
	}
	open, err := c.Breakers(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]breakerView, len(open))
	for i, b := range open {
		views[i] = breakerView{b.Key(), b.Why, momentOf(b.Since, c.Zone, false)}
	}
	return views, nil
}

// countFor bounds how long one request counts runs that are over. Those that it did not get to come with the next: counts are kept.
const countFor = 2 * time.Second

func (c *console) countRuns(ctx context.Context, page *runsPage, runs []scheduler.Run) error {
	slices.SortStableFunc(runs, func(a, b scheduler.Run) int { return openFirst(a.State, b.State) })
	var start time.Time // of those that are over; the open ones are always counted
	for _, run := range runs {
		if !run.State.Open() && start.IsZero() {
			start = time.Now()
		} else if !run.State.Open() && time.Since(start) > countFor {
			page.Slow, page.Older, page.Cut = true, "", false
			return nil
		}
		summary, err := c.figures.of(ctx, run)
		if err != nil {
			return err
		}
		if view := c.view(run, summary); view.Open {
			page.Open = append(page.Open, view)
		} else {
			page.Over = append(page.Over, view)
		}
		if moves(run.State) {
			page.Every = "every 1s"
		}
	}
	return nil
}

func openFirst(a, b scheduler.RunState) int {
	switch {
	case a.Open() == b.Open():
		return 0
	case a.Open():
		return -1
	}
	return 1
}

// moves reports whether the run's figures change from one second to the next.
func moves(s scheduler.RunState) bool { return s == scheduler.Planning || s == scheduler.Running }

func (c *console) view(run scheduler.Run, summary report.Summary) runView {
	return runView{
		ID: run.ID, Campaign: run.CampaignID, State: runBadge(run.State), Why: run.Why, Test: run.Test, Manual: run.Manual,
		Urgent:  run.State == scheduler.Paused || run.State == scheduler.Waiting || run.State == scheduler.Missed,
		Fires:   momentOf(run.FireAt, c.Zone, false),
		Started: momentOf(run.StartedAt, c.Zone, true), Finished: momentOf(run.FinishedAt, c.Zone, true),
		Open: run.State.Open(), Figures: tallyOf(run, summary), LogURL: address("/log", url.Values{"run": {run.ID}}),
	}
}

func tallyOf(run scheduler.Run, summary report.Summary) tally {
	n := summary.States
	rows := report.Progress{States: n}
	t := tally{
		Planned: rows.Total(), Sent: n[sender.Sent] + n[sender.Delivered] + n[sender.Read], Delivered: n[sender.Delivered] + n[sender.Read],
		Read: n[sender.Read], Failed: n[sender.Failed], Skipped: n[sender.Skipped],
		Gone: rows.Messages() + n[sender.Failed], OptedOut: summary.OptedOut, Replied: summary.Replied, Busiest: summary.Rate.Max,
	}
	t.ToSend = t.Gone + rows.Waiting() + n[sender.Cancelled]
	if run.State.Open() && run.PlannedAt.IsZero() {
		// Its rows are still being written; the first pass has counted them already.
		t.Planned = max(t.Planned, run.Plan.Matched)
		t.ToSend = max(t.ToSend, run.Plan.Allowed+run.Plan.Deferred)
	}
	t.Percent = percent(t.Gone, t.ToSend)
	if summary.Rate.Max > 0 {
		t.Rate = strconv.FormatFloat(summary.Rate.Mean, 'f', 1, 64)
	}
	for _, state := range []sender.State{sender.Accepted, sender.Held, sender.Unknown, sender.Expired, sender.Cancelled} {
		if n[state] > 0 {
			t.Others = append(t.Others, other{deliveryBadge(state), n[state]})
		}
	}
	return t
}

// runPage is one run, and its fragment.
type runPage struct {
	Run      runView
	Facts    []fact
	States   []share
	Reasons  []share
	Every    string // "" when nothing moves any more
	Fragment string
	Others   string // the address of the campaign's other runs
}

type fact struct {
	Name, Text string
	Mono       bool
}

// share is one state or reason, how many people are in it, and where they are in the log.
type share struct {
	Word    string
	Says    string
	Tone    string
	Count   int
	Percent string
	Of      int
	URL     string
}

func (c *console) showRun(w http.ResponseWriter, r *http.Request) {
	if page, ok := c.readRun(w, r); ok {
		c.render(w, http.StatusOK, "run", frame{Title: page.Run.Campaign + ", " + page.Run.Fires.Day, Section: "runs", Live: page.Every != ""}, page)
	}
}

func (c *console) showRunFragment(w http.ResponseWriter, r *http.Request) {
	if page, ok := c.readRun(w, r); ok {
		c.renderFragment(w, "run", "live-run", page)
	}
}

func (c *console) readRun(w http.ResponseWriter, r *http.Request) (runPage, bool) {
	id := r.PathValue("id")
	run, err := c.Runs.Run(r.Context(), id)
	if errors.Is(err, c.NoRun) {
		c.problem(w, http.StatusNotFound, "There is no such run", "No run has the id "+strconv.Quote(id)+". The runs page lists them, and `permesso runs list` does.")
		return runPage{}, false
	}
	if err != nil {
		c.failed(w, r, "reading a run", err)
		return runPage{}, false
	}
	summary, err := c.figures.of(r.Context(), run)
	if err != nil {
		c.failed(w, r, "reading what happened in a run", err)
		return runPage{}, false
	}
	page := runPage{
		Run: c.view(run, summary), Facts: factsOf(run), States: statesOf(summary), Reasons: reasonsOf(summary),
		Fragment: "/fragments/runs/" + url.PathEscape(run.ID), Others: address("/", url.Values{"campaign": {run.CampaignID}}),
	}
	switch {
	case moves(run.State):
		page.Every = "every 1s"
	case run.State.Open() || time.Since(run.FinishedAt) < 24*time.Hour:
		page.Every = "every 5s" // WhatsApp still reports who received it
	}
	return page, true
}

func factsOf(run scheduler.Run) []fact {
	campaign := run.Frozen.Campaign
	var facts []fact
	add := func(name, text string, mono bool) {
		if text != "" {
			facts = append(facts, fact{name, text, mono})
		}
	}
	add("Run", run.ID, true)
	add("Category", run.Category, false)
	add("Kind", string(run.Kind), false)
	add("Template", campaign.Message.Template, true)
	add("Number", run.NumberID, true)
	add("Audience", run.Plan.Filter, true)
	add("Plan", run.Plan.Hash, true)
	return facts
}

func statesOf(summary report.Summary) []share {
	var shares []share
	total := summary.Total()
	for _, state := range sender.States() {
		if count := summary.States[state]; count > 0 {
			b := deliveryBadge(state)
			shares = append(shares, newShare(b.Word, b.Says, b.Tone, count, total, url.Values{"run": {summary.Run}, "state": {b.Word}}))
		}
	}
	return shares
}

func reasonsOf(summary report.Summary) []share {
	var shares []share
	total := 0
	for _, count := range summary.Reasons {
		total += count
	}
	for _, reason := range report.Reasons() {
		if count := summary.Reasons[reason]; count > 0 {
			shares = append(shares, reasonShare(summary, reason, count, total))
		}
	}
	return shares
}

func reasonShare(summary report.Summary, reason policy.Reason, count, total int) share {
	says := report.Sentence(reason)
	if summary.Waits[reason] == count {
		says = report.Waiting(reason)
	}
	return newShare(string(reason), says, "", count, total, url.Values{"run": {summary.Run}, "reason": {string(reason)}})
}

func newShare(word, says, tone string, count, total int, query url.Values) share {
	text := strconv.FormatFloat(float64(count)*100/float64(total), 'f', 1, 64) + " %"
	return share{Word: word, Says: says, Tone: tone, Count: count, Percent: text, Of: total, URL: address("/log", query)}
}

func address(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}
