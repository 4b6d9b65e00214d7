package console

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// Log is where the pages read deliveries: in the order of report.Cursor, ending at the first error.
type Log interface {
	Log(ctx context.Context, filter report.Filter) iter.Seq2[report.Line, error]
}

const (
	linesPerPage = 40
	// One page looks into so many runs at most, so that a search for something rare answers and can be continued.
	runsPerPage = 50
	// Runs further back are reached by phone or by run.
	runsSearched = 500
)

// search is the form: what was typed, and what is wrong with it.
type search struct {
	Phone, Campaign, Run, State, Reason string
	Wrong                               map[string]string // sentence by field
	States                              []option
	Reasons                             []option
}

type option struct {
	Value, Text string
	Chosen      bool
}

// logPage is a page of the log.
type logPage struct {
	Search   search
	Asked    bool // something was searched for
	Lines    []lineView
	Continue string // the address of what comes next; "" at the end
	First    string // the address of the search's first page; "" on it
	Cut      bool   // older runs were not looked into
	Noted    string // an address that leads nowhere
	Run      *runView
	Zone     string
}

// lineView is one delivery as the page shows it.
type lineView struct {
	To, ToURL string
	Campaign  string
	Run       string
	Test      bool
	State     badge
	Reason    string
	Says      string
	Error     *report.Error
	Attempts  int
	Newest    step
	Steps     []step
	Details   []fact
}

// step is a time that a delivery reached, or is due at.
type step struct {
	Name string
	At   *moment
}

func (c *console) showLog(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	filter, form := c.readSearch(query)
	page := logPage{Search: form, Asked: form.asked(), Zone: c.Zone.String()}
	status := http.StatusOK
	switch after, err := readPlace(query.Get("after")); {
	case len(form.Wrong) > 0:
		status = http.StatusBadRequest
	case err != nil:
		status, page.Noted = http.StatusBadRequest, "The address of this page is incomplete. Search again."
	default:
		if err := c.readLines(r.Context(), &page, filter, after); errors.Is(err, c.NoRun) {
			status, page.Search.Wrong = http.StatusBadRequest, map[string]string{"run": "There is no run of this id. The runs page lists them."}
		} else if errors.Is(err, errPlace) {
			status, page.Noted = http.StatusBadRequest, "The run where this page goes on is not in the log any more. Search again."
		} else if err != nil {
			c.failed(w, r, "reading the send log", err)
			return
		}
	}
	c.render(w, status, "log", frame{Title: "Send log", Section: "log"}, page)
}

func (s search) asked() bool {
	return s.Phone != "" || s.Campaign != "" || s.Run != "" || s.State != "" || s.Reason != ""
}

// readSearch turns the form into a filter. What it cannot read it names and never leaves out: a filter that is dropped in silence
// would show people who were not asked for.
func (c *console) readSearch(query url.Values) (report.Filter, search) {
	get := func(name string) string { return strings.TrimSpace(query.Get(name)) }
	form := search{Phone: get("phone"), Campaign: get("campaign"), Run: get("run"), State: get("state"), Reason: get("reason"), Wrong: map[string]string{}}
	filter := report.Filter{Campaign: form.Campaign, Run: form.Run, State: sender.State(form.State), Reason: policy.Reason(form.Reason)}
	if form.Phone != "" {
		number, err := phone.Parse(form.Phone, c.Country)
		if err != nil {
			form.Wrong["phone"] = capital(err.Error()) + "."
		}
		filter.Phone = number
	}
	if form.State != "" && !slices.Contains(sender.States(), filter.State) {
		form.Wrong["state"] = "There is no state " + strconv.Quote(form.State) + ". Choose one of the list."
	}
	if form.Reason != "" && !slices.Contains(report.Reasons(), filter.Reason) {
		form.Wrong["reason"] = "There is no reason " + strconv.Quote(form.Reason) + ". Choose one of the list."
	}
	for _, state := range sender.States() {
		b := deliveryBadge(state)
		form.States = append(form.States, option{b.Word, b.Word + ": " + b.Says, state == filter.State})
	}
	for _, reason := range report.Reasons() {
		if reason == policy.UnknownContact || reason == policy.NotInAudience {
			continue // explain says these; no row of the log can
		}
		form.Reasons = append(form.Reasons, option{string(reason), string(reason) + ": " + report.Sentence(reason), reason == filter.Reason})
	}
	return filter, form
}

// capital turns a sentence of an error into one of a page.
func capital(sentence string) string {
	if sentence == "" {
		return ""
	}
	return strings.ToUpper(sentence[:1]) + sentence[1:]
}

// place is where a page of the log begins: in a run, after a person; the zero person is the run's beginning.
type place struct {
	run    string
	person policy.PersonID
}

var errPlace = errors.New("the run where the page goes on is not there")

func (p place) String() string {
	if p.person == (policy.PersonID{}) {
		return p.run
	}
	return p.run + "." + p.person.String()
}

func readPlace(text string) (place, error) {
	run, person, found := strings.Cut(text, ".")
	p := place{run: run}
	if !found {
		return p, nil
	}
	if run == "" {
		return p, errPlace
	}
	var err error
	p.person, err = policy.ParsePersonID(person)
	return p, err
}

// readLines fills the page: the newest run first. The log itself is ordered the other way, which suits a file but not a screen.
func (c *console) readLines(ctx context.Context, page *logPage, filter report.Filter, after place) error {
	runs, err := c.runsToSearch(ctx, page, filter)
	if err != nil {
		return err
	}
	var lines []report.Line
	var next place
	if filter.Phone != "" {
		lines, next, err = c.linesOfPerson(ctx, filter, after)
	} else {
		lines, next, err = c.linesOfRuns(ctx, runs, filter, after)
	}
	if err != nil {
		return err
	}
	for _, line := range lines {
		page.Lines = append(page.Lines, c.line(line))
	}
	query := page.Search.query()
	if after != (place{}) {
		page.First = address("/log", query)
	}
	if next != (place{}) {
		query.Set("after", next.String())
		page.Continue = address("/log", query)
	}
	return nil
}

func (c *console) runsToSearch(ctx context.Context, page *logPage, filter report.Filter) ([]scheduler.Run, error) {
	if filter.Run != "" {
		run, err := c.Runs.Run(ctx, filter.Run)
		if err != nil {
			return nil, err
		}
		page.Run = &runView{ID: run.ID, Campaign: run.CampaignID, State: runBadge(run.State), Fires: momentOf(run.FireAt, c.Zone, false), Test: run.Test}
		if filter.Campaign != "" && filter.Campaign != run.CampaignID {
			return nil, nil
		}
		return []scheduler.Run{run}, nil
	}
	if filter.Phone != "" {
		return nil, nil // one person's rows are found by key in every run there is
	}
	runs, err := c.Runs.Runs(ctx, filter.Campaign, runsSearched+1)
	if err != nil {
		return nil, err
	}
	if len(runs) > runsSearched {
		runs, page.Cut = runs[:runsSearched], true
	}
	return runs, nil
}

// linesOfPerson reads all rows of one person, few by nature, and shows the newest first.
func (c *console) linesOfPerson(ctx context.Context, filter report.Filter, after place) ([]report.Line, place, error) {
	var lines []report.Line
	for line, err := range c.Log.Log(ctx, filter) {
		if err != nil {
			return nil, place{}, err
		}
		lines = append(lines, line)
	}
	slices.Reverse(lines)
	if after.run != "" {
		at := slices.IndexFunc(lines, func(l report.Line) bool { return l.Run == after.run })
		if at < 0 {
			return nil, place{}, errPlace
		}
		lines = lines[at+1:]
	}
	if len(lines) <= linesPerPage {
		return lines, place{}, nil
	}
	return lines[:linesPerPage], place{run: lines[linesPerPage-1].Run}, nil
}

// linesOfRuns walks the runs from the newest back until the page is full.
func (c *console) linesOfRuns(ctx context.Context, runs []scheduler.Run, filter report.Filter, after place) ([]report.Line, place, error) {
	if after.run != "" {
		at := slices.IndexFunc(runs, func(r scheduler.Run) bool { return r.ID == after.run })
		if at < 0 {
			return nil, place{}, errPlace
		}
		runs = runs[at:]
	}
	var lines []report.Line
	for i, run := range runs {
		if i == runsPerPage || len(lines) == linesPerPage {
			return lines, place{run: run.ID}, nil
		}
		filter.Run, filter.After, filter.Limit = run.ID, report.Cursor{}, linesPerPage-len(lines)+1
		if run.ID == after.run {
			filter.After = report.Cursor{FireAt: run.FireAt, Run: run.ID, Person: after.person}
		}
		for line, err := range c.Log.Log(ctx, filter) {
			if err != nil {
				return nil, place{}, err
			}
			if len(lines) == linesPerPage {
				last := lines[len(lines)-1]
				if last.Run != run.ID {
					return lines, place{run: run.ID}, nil
				}
				return lines, place{run: run.ID, person: last.At.Person}, nil
			}
			lines = append(lines, line)
		}
	}
	return lines, place{}, nil
}

// query is the form as an address.
func (s search) query() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{"phone": s.Phone, "campaign": s.Campaign, "run": s.Run, "state": s.State, "reason": s.Reason} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

func (c *console) line(l report.Line) lineView {
	view := lineView{
		To: l.Phone, Campaign: l.Campaign, Run: l.Run, Test: l.Test, State: deliveryBadge(l.State), Reason: string(l.Reason),
		Says: l.Says(), Error: l.Error, Attempts: l.Attempts, Steps: c.steps(l), Details: detailsOf(l),
	}
	switch {
	case l.Phone != "":
		view.ToURL = address("/log", url.Values{"phone": {l.Phone}})
	case l.UserID != "":
		view.To = l.UserID
	default:
		view.To = "(erased)"
	}
	view.Newest = step{string(l.State), momentOf(l.Newest().Time, c.Zone, true)}
	if l.State == sender.Queued && l.DueAt.After(l.Newest().Time) {
		view.Newest = step{"due", momentOf(l.DueAt.Time, c.Zone, true)}
	}
	return view
}

// steps are the times that the line has, in the order of time, and within a second in that of a message's life: Meta tells
// whole seconds, so that what was sent seems to have left before it was queued.
func (c *console) steps(l report.Line) []step {
	var steps []step
	for _, s := range []struct {
		name string
		at   report.Time
	}{
		{"queued", l.QueuedAt}, {"due", l.DueAt}, {"sending", l.SendingAt}, {"accepted", l.AcceptedAt}, {"sent", l.SentAt},
		{"delivered", l.DeliveredAt}, {"read", l.ReadAt}, {"failed", l.FailedAt}, {"replied", l.RepliedAt},
	} {
		if !s.at.IsZero() {
			steps = append(steps, step{s.name, momentOf(s.at.Time, c.Zone, true)})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.At.at.Truncate(time.Second).Compare(b.At.at.Truncate(time.Second)) })
	return steps
}

func detailsOf(l report.Line) []fact {
	var facts []fact
	add := func(name, text string, mono bool) {
		if text != "" {
			facts = append(facts, fact{name, text, mono})
		}
	}
	add("template", l.Template, true)
	add("language", l.Language, true)
	add("category", l.Category, false)
	if l.Attempts > 1 {
		add("attempts", thousands(l.Attempts), false)
	}
	if l.Pricing != nil {
		add("price", strings.TrimSpace(l.Pricing.Category+" "+l.Pricing.Model), false)
	}
	if l.Phone != "" {
		add("user id", l.UserID, true)
	}
	add("message id", l.WAMID, true)
	return facts
}
