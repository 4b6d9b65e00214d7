package console_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/console"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

var errNoRun = errors.New("no such run")

// shop is a store of invented data behind the console's own interfaces. It keeps the order that report.Cursor promises.
type shop struct {
	mu        sync.Mutex
	runs      []scheduler.Run // newest first
	summaries map[string]report.Summary
	lines     []report.Line // oldest run first
	halted    time.Time
	haltedWhy string
	broken    error
	asked     []report.Filter
	counted   int
	onSummary func(id string, s report.Summary) report.Summary
}

func (s *shop) Run(_ context.Context, id string) (scheduler.Run, error) {
	if s.broken != nil {
		return scheduler.Run{}, s.broken
	}
	for _, run := range s.runs {
		if run.ID == id {
			return run, nil
		}
	}
	return scheduler.Run{}, fmt.Errorf("run %q: %w", id, errNoRun)
}

func (s *shop) Runs(_ context.Context, campaign string, limit int) ([]scheduler.Run, error) {
	if s.broken != nil {
		return nil, s.broken
	}
	var runs []scheduler.Run
	for _, run := range s.runs {
		if (campaign == "" || run.CampaignID == campaign) && len(runs) < limit {
			runs = append(runs, run)
		}
	}
	return runs, nil
}

func (s *shop) Halted(context.Context) (time.Time, string, error) {
	return s.halted, s.haltedWhy, s.broken
}

func (s *shop) Summary(_ context.Context, id string) (report.Summary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return report.Summary{}, s.broken
	}
	s.counted++
	if s.onSummary != nil {
		return s.onSummary(id, s.summaries[id]), nil
	}
	return s.summaries[id], nil
}

func (s *shop) Log(_ context.Context, f report.Filter) iter.Seq2[report.Line, error] {
	s.mu.Lock()
	s.asked = append(s.asked, f)
	s.mu.Unlock()
	return func(yield func(report.Line, error) bool) {
		if s.broken != nil {
			yield(report.Line{}, s.broken)
			return
		}
		shown := 0
		for _, l := range s.lines {
			if !matches(f, l) || !comesAfter(l.At, f.After) {
				continue
			}
			if !yield(l, nil) {
				return
			}
			if shown++; shown == f.Limit {
				return
			}
		}
	}
}

func matches(f report.Filter, l report.Line) bool {
	return (f.Campaign == "" || f.Campaign == l.Campaign) && (f.Run == "" || f.Run == l.Run) && (f.Phone == "" || string(f.Phone) == l.Phone) &&
		(f.State == "" || f.State == l.State) && (f.Reason == "" || f.Reason == l.Reason)
}

func comesAfter(a, b report.Cursor) bool {
	if c := a.FireAt.Compare(b.FireAt); c != 0 {
		return c > 0
	}
	if a.Run != b.Run {
		return a.Run > b.Run
	}
	return bytes.Compare(a.Person[:], b.Person[:]) > 0
}

var rome = mustZone("Europe/Rome")

func mustZone(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return zone
}

// friday is the evening of the invented shop: half past the campaign's start.
var friday = time.Date(2026, 11, 27, 18, 0, 0, 0, rome)

func newRun(id, campaign string, state scheduler.RunState, fire time.Time) scheduler.Run {
	run := scheduler.Run{
		ID: id, CampaignID: campaign, Occurrence: fire.Format("2006-01-02T15:04"), State: state, NumberID: "111222333444", Category: "offers", Kind: "marketing",
		FireAt: fire, CreatedAt: fire, Plan: scheduler.Plan{Filter: `country = "IT" AND segment.rich`, Hash: "9f2c71d0b4e8a653"},
	}
	run.Frozen.Campaign.ID = campaign
	run.Frozen.Campaign.Message.Template = "weekend_offer"
	if state != scheduler.Planning && state != scheduler.Missed {
		run.PlannedAt, run.StartedAt = fire.Add(time.Second), fire.Add(1200*time.Millisecond)
	}
	if !state.Open() {
		run.FinishedAt = fire.Add(8 * time.Minute)
	}
	return run
}

// aurora is a bookshop on a Friday evening: one run under way, one paused, and those of the weeks before.
func aurora() *shop {
	s := &shop{summaries: map[string]report.Summary{}}
	add := func(run scheduler.Run, states map[sender.State]int, reasons map[policy.Reason]int, rate report.Rate) {
		s.runs = append(s.runs, run)
		s.summaries[run.ID] = report.Summary{Run: run.ID, Campaign: run.CampaignID, States: states, Reasons: reasons, Rate: rate, OptedOut: states[sender.Read] / 150, Replied: states[sender.Read] / 40}
	}
	add(newRun("20261127-1700-k3f9xa", "weekend-offer", scheduler.Running, friday),
		map[sender.State]int{sender.Queued: 6402, sender.Sending: 4, sender.Accepted: 74, sender.Sent: 612, sender.Delivered: 8344, sender.Read: 3170, sender.Failed: 131, sender.Skipped: 1263},
		map[policy.Reason]int{policy.NoConsent: 604, policy.Suppressed: 287, policy.FrequencyCap: 219, policy.ConsentExpired: 96, policy.MissingParameter: 41, policy.OptOutReview: 16}, report.Rate{Mean: 78.6, Max: 80})
	live := s.summaries["20261127-1700-k3f9xa"]
	live.Reasons[policy.OutsideWindow], live.Waits = 1200, map[policy.Reason]int{policy.OutsideWindow: 1200}
	s.summaries[live.Run] = live
	paused := newRun("20261127-1630-w2m8qt", "order-ready", scheduler.Paused, friday.Add(-30*time.Minute))
	paused.Category, paused.Kind, paused.Manual = "orders", "utility", true
	paused.Why = "Meta paused the template order_ready for low quality. Edit it, wait for its approval, then `permesso runs resume 20261127-1630-w2m8qt`."
	add(paused, map[sender.State]int{sender.Queued: 214, sender.Delivered: 96, sender.Read: 188, sender.Failed: 3, sender.Unknown: 2, sender.Skipped: 9}, map[policy.Reason]int{policy.NoConsent: 9}, report.Rate{Mean: 41.2, Max: 80})
	add(newRun("20261120-1700-8d4hnz", "weekend-offer", scheduler.Done, friday.AddDate(0, 0, -7)),
		map[sender.State]int{sender.Sent: 801, sender.Delivered: 9480, sender.Read: 8216, sender.Failed: 203, sender.Expired: 12, sender.Skipped: 1109}, map[policy.Reason]int{policy.NoConsent: 611, policy.Suppressed: 261, policy.FrequencyCap: 237}, report.Rate{Mean: 78.9, Max: 80})
	test := newRun("20261120-1412-c7p0ev", "weekend-offer", scheduler.Done, friday.AddDate(0, 0, -7).Add(-168*time.Minute))
	test.Test, test.Manual = true, true
	add(test, map[sender.State]int{sender.Read: 2}, nil, report.Rate{Mean: 2, Max: 2})
	missed := newRun("20261113-1700-5rw1jb", "weekend-offer", scheduler.Missed, friday.AddDate(0, 0, -14))
	missed.Why = "Nothing was running from 17:58 to 20:31, and catch_up_within is 2h."
	add(missed, nil, nil, report.Rate{})
	cancelled := newRun("20261109-0900-t6y3mk", "autumn-readings", scheduler.RunCancelled, friday.AddDate(0, 0, -18).Add(-8*time.Hour))
	cancelled.Why = "The date in the text was wrong."
	add(cancelled, map[sender.State]int{sender.Delivered: 310, sender.Read: 402, sender.Cancelled: 4102, sender.Skipped: 377}, map[policy.Reason]int{policy.NoConsent: 377, policy.RunCancelled: 4102}, report.Rate{Mean: 77.1, Max: 80})
	s.addLines()
	return s
}

func person(n int) policy.PersonID {
	var id policy.PersonID
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// addLines writes people into the runs, a few of each kind.
func (s *shop) addLines() {
	kinds := []func(*report.Line, time.Time){
		func(l *report.Line, at time.Time) { reach(l, sender.Read, at) },
		func(l *report.Line, at time.Time) { reach(l, sender.Delivered, at) },
		func(l *report.Line, _ time.Time) { l.State, l.Reason = sender.Skipped, policy.NoConsent },
		func(l *report.Line, at time.Time) {
			reach(l, sender.Failed, at)
			l.Error = &report.Error{Code: 131026, Title: "Message undeliverable", Details: "The number is not on WhatsApp, or has not accepted the new terms."}
		},
		func(l *report.Line, at time.Time) { reach(l, sender.Sent, at); l.ReadAt = report.Time{} },
		func(l *report.Line, _ time.Time) { l.State, l.Reason = sender.Skipped, policy.Suppressed },
		func(l *report.Line, at time.Time) {
			l.State, l.Reason, l.DueAt = sender.Queued, policy.InQuietHours, report.Time{Time: at.Add(15 * time.Hour)}
		},
		func(l *report.Line, at time.Time) { reach(l, sender.Unknown, at); l.Reason = report.Unproven },
		func(l *report.Line, _ time.Time) { l.State, l.Reason, l.Phone = sender.Skipped, policy.Erased, "" },
		func(l *report.Line, at time.Time) {
			reach(l, sender.Accepted, at)
			l.Phone, l.UserID = "", "IT.7351088412"
		},
	}
	for _, run := range slices.Backward(s.runs) {
		if run.State == scheduler.Missed {
			continue
		}
		for n := range 60 {
			at := run.FireAt.Add(time.Duration(1500+n*37) * time.Millisecond)
			line := report.Line{
				Run: run.ID, Campaign: run.CampaignID, Phone: fmt.Sprintf("+3934712%05d", 30000+n*613), Template: "weekend_offer", Category: run.Category, Test: run.Test,
				QueuedAt: report.Time{Time: run.FireAt.Add(400 * time.Millisecond)}, At: report.Cursor{FireAt: run.FireAt, Run: run.ID, Person: person(n + 1)},
			}
			kinds[n%len(kinds)](&line, at)
			s.lines = append(s.lines, line)
		}
	}
}

// reach takes a line to a state, with the times on the way.
func reach(l *report.Line, state sender.State, at time.Time) {
	l.State, l.Attempts, l.Language = state, 1, "it"
	l.SendingAt = report.Time{Time: at}
	if state == sender.Unknown {
		return
	}
	l.WAMID = "wamid.HBgMMzkzNDcxMjMwMDAw"
	l.AcceptedAt = report.Time{Time: at.Add(180 * time.Millisecond)}
	switch state {
	case sender.Accepted:
	case sender.Failed:
		l.FailedAt = report.Time{Time: at.Add(2 * time.Second)}
	default:
		l.SentAt = report.Time{Time: at.Add(time.Second)}
		if state != sender.Sent {
			l.DeliveredAt = report.Time{Time: at.Add(3 * time.Second)}
		}
		if state == sender.Read {
			l.ReadAt = report.Time{Time: at.Add(7 * time.Minute)}
		}
	}
}

func optionsOf(s *shop) console.Options {
	return console.Options{Runs: s, Reports: s, Log: s, NoRun: errNoRun, Business: "Libreria Aurora", Zone: rome, Country: "IT"}
}

// get asks a fresh console for one page.
func get(t testing.TB, options console.Options, target string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(t, console.New(options), http.MethodGet, target)
}

func ask(t testing.TB, handler http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	request.Host = "localhost:8081"
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
			continue
		}
		request.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer
}

// logged returns options whose log lines end up in the buffer.
func logged(s *shop) (console.Options, *bytes.Buffer) {
	var b bytes.Buffer
	options := optionsOf(s)
	options.Logger = slog.New(slog.NewTextHandler(&b, nil))
	return options, &b
}
