package store_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

func logOf(t *testing.T, s *store.Store, filter report.Filter) []report.Line {
	t.Helper()
	var lines []report.Line
	for line, err := range s.Log(t.Context(), filter) {
		if err != nil {
			t.Fatalf("Log(%+v): %v", filter, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// set writes columns of one person's delivery as they would stand after a while.
func set(t *testing.T, db *sqlx.DB, run string, person policy.PersonID, columns map[string]any) {
	t.Helper()
	text, args := "", []any{run, person[:]}
	for name, value := range columns {
		if text != "" {
			text += ", "
		}
		args = append(args, value)
		text += fmt.Sprintf("%s = $%d", name, len(args))
	}
	done, err := db.ExecContext(t.Context(), "UPDATE deliveries SET "+text+" WHERE run_id = $1 AND person_id = $2", args...)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := done.RowsAffected(); err != nil || n != 1 {
		t.Fatalf("set %d rows, %v", n, err)
	}
}

func micros(seconds float64) int64 {
	return given.UnixMicro() + int64(seconds*1e6)
}

func TestLogLinesAreTheContracts(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, db := storetest.Open(t, target), storetest.SQL(t, target)
		const first, second = phone.Number("+393471234567"), phone.Number("+393471234568")
		importContacts(t, s, scheduler.ContactRecord{Phone: first}, scheduler.ContactRecord{Phone: second})
		run := newRun(t, s, "weekend", given, first, second)
		set(t, db, run.ID, personOf(t, s, first), map[string]any{
			"state": "read", "language": "it", "attempts": 2, "wamid": "wamid.A", "queued_at": micros(0), "due_at": micros(1), "sending_at": micros(2),
			"accepted_at": micros(3), "sent_at": micros(4), "delivered_at": micros(5), "read_at": micros(6), "replied_at": micros(7.5), "billable": 1,
			"price_category": "marketing", "price_model": "PMP", "error_code": 130429, "error_title": "of the first attempt",
		})
		set(t, db, run.ID, personOf(t, s, second), map[string]any{
			"state": "failed", "queued_at": micros(0), "sending_at": micros(2), "failed_at": micros(3), "attempts": 1, "error_code": 131026,
			"error_title": "Message undeliverable", "error_details": "not on WhatsApp",
		})
		if _, err := db.ExecContext(t.Context(), "UPDATE contacts SET user_id = 'IT.77' WHERE phone = '+393471234567'"); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		out := json.NewEncoder(&got)
		for _, number := range []phone.Number{first, second} {
			for _, line := range logOf(t, s, report.Filter{Phone: number}) {
				if err := out.Encode(line); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := `{"run":"` + run.ID + `","campaign":"weekend","phone":"+393471234567","user_id":"IT.77","template":"weekend_offer","language":"it","category":"offers",` +
			`"state":"read","reason":"","attempts":2,"wamid":"wamid.A","test":false,"due_at":"2026-11-01T10:00:01.123456Z","queued_at":"2026-11-01T10:00:00.123456Z",` +
			`"sending_at":"2026-11-01T10:00:02.123456Z","accepted_at":"2026-11-01T10:00:03.123456Z","sent_at":"2026-11-01T10:00:04.123456Z",` +
			`"delivered_at":"2026-11-01T10:00:05.123456Z","read_at":"2026-11-01T10:00:06.123456Z","replied_at":"2026-11-01T10:00:07.623456Z",` +
			`"pricing":{"billable":true,"category":"marketing","model":"PMP"}}` + "\n" +
			`{"run":"` + run.ID + `","campaign":"weekend","phone":"+393471234568","user_id":"","template":"weekend_offer","language":"","category":"offers",` +
			`"state":"failed","reason":"","error":{"code":131026,"title":"Message undeliverable","details":"not on WhatsApp"},"attempts":1,"wamid":"","test":false,` +
			`"queued_at":"2026-11-01T10:00:00.123456Z","sending_at":"2026-11-01T10:00:02.123456Z","failed_at":"2026-11-01T10:00:03.123456Z"}` + "\n"
		if diff := cmp.Diff(want, got.String()); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	})
}

func TestLogFilters(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, db := storetest.Open(t, target), storetest.SQL(t, target)
		const ada, luz = phone.Number("+393471234567"), phone.Number("+5215512345678")
		importContacts(t, s, scheduler.ContactRecord{Phone: ada})
		importContacts(t, s, scheduler.ContactRecord{Phone: luz})
		late := newRun(t, s, "weekend", given.Add(time.Hour), ada, luz)
		early := newRun(t, s, "news", given, ada, luz)
		empty := newRun(t, s, "empty", given)
		set(t, db, early.ID, personOf(t, s, luz), map[string]any{"state": "skipped", "reason": "no_consent"})
		set(t, db, late.ID, personOf(t, s, ada), map[string]any{"state": "sent", "changed_at": micros(1e6)})
		if _, err := db.ExecContext(t.Context(), "UPDATE deliveries SET queued_at = $1", micros(0)); err != nil {
			t.Fatal(err)
		}
		adaEarly, luzEarly, adaLate, luzLate := early.ID+"+39", early.ID+"+52", late.ID+"+39", late.ID+"+52"
		all := logOf(t, s, report.Filter{})
		for _, tt := range []struct {
			name   string
			filter report.Filter
			want   []string // runs in order of fire time, people by key: the order of their making
		}{
			{"everything", report.Filter{}, []string{adaEarly, luzEarly, adaLate, luzLate}},
			{"campaign", report.Filter{Campaign: "news"}, []string{adaEarly, luzEarly}},
			{"run", report.Filter{Run: late.ID}, []string{adaLate, luzLate}},
			{"run without people", report.Filter{Run: empty.ID}, nil},
			{"state", report.Filter{State: sender.Queued}, []string{adaEarly, luzLate}},
			{"reason", report.Filter{Reason: policy.NoConsent}, []string{luzEarly}},
			{"since", report.Filter{Since: given.Add(time.Minute)}, []string{adaLate}},
			{"since the very moment", report.Filter{Since: given}, []string{adaEarly, luzEarly, adaLate, luzLate}},
			{"limit", report.Filter{Limit: 3}, []string{adaEarly, luzEarly, adaLate}},
			{"limit at the end of a run", report.Filter{Limit: 2}, []string{adaEarly, luzEarly}},
			{"phone in another form", report.Filter{Phone: "+525512345678"}, []string{luzEarly, luzLate}},
			{"phone and state", report.Filter{Phone: luz, State: sender.Queued}, []string{luzLate}},
			{"phone and limit", report.Filter{Phone: luz, Limit: 1}, []string{luzEarly}},
			{"phone, campaign and since", report.Filter{Phone: ada, Campaign: "weekend", Since: given.Add(time.Minute)}, []string{adaLate}},
			{"phone and run", report.Filter{Phone: ada, Run: early.ID}, []string{adaEarly}},
			{"phone never met", report.Filter{Phone: "+393470000000"}, nil},
			{"after the first", report.Filter{After: all[0].At}, []string{luzEarly, adaLate, luzLate}},
			{"after the second", report.Filter{After: all[1].At}, []string{adaLate, luzLate}},
			{"after the last", report.Filter{After: all[3].At}, nil},
			{"phone, after another's line", report.Filter{Phone: luz, After: all[0].At}, []string{luzEarly, luzLate}},
			{"phone, after their line", report.Filter{Phone: luz, After: all[1].At}, []string{luzLate}},
		} {
			var got []string
			for _, line := range logOf(t, s, tt.filter) {
				got = append(got, line.Run+line.Phone[:3])
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
		}
	})
}

func TestLogOfThousandsIsPaged(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		const people = 2500
		var records []scheduler.ContactRecord
		for n := range people {

			records = append(records, scheduler.ContactRecord{Phone: number(n)})
		}
		importContacts(t, s, records...)
		for n := range 2 {
			run, _, err := s.CreateRun(t.Context(), scheduler.Run{CampaignID: "c", State: scheduler.Running, FireAt: given.Add(time.Duration(n) * time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			var rows []scheduler.Row
			for contact, err := range s.Contacts(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				rows = append(rows, scheduler.Row{PersonID: contact.PersonID, Decision: policy.Decision{Verdict: policy.Deny, Reason: policy.NoConsent}})
			}
			if err := s.Enqueue(t.Context(), run.ID, rows); err != nil {
				t.Fatal(err)
			}
		}
		check := func(name string, lines []report.Line, want int) {
			t.Helper()
			if len(lines) != want {
				t.Errorf("%s: %d lines, want %d", name, len(lines), want)
			}
			seen := map[string]bool{}
			for i, line := range lines {
				if key := line.Run + line.Phone; seen[key] {
					t.Fatalf("%s: %s comes twice", name, key)
				} else {
					seen[key] = true
				}
				if i > 0 && line.At.FireAt.Before(lines[i-1].At.FireAt) {
					t.Fatalf("%s: line %d is out of order", name, i)
				}
			}
		}
		check("in one go", logOf(t, s, report.Filter{Reason: policy.NoConsent}), 2*people)
		var lines []report.Line
		for after := (report.Cursor{}); ; after = lines[len(lines)-1].At {
			page := logOf(t, s, report.Filter{After: after, Limit: 700})
			lines = append(lines, page...)
			if len(page) == 0 {
				break
			}
		}
		check("page by page", lines, 2*people)
	})
}

func TestTailShowsEachChangeOnce(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, db := storetest.Open(t, target), storetest.SQL(t, target)
		const ada, bea = phone.Number("+393471234567"), phone.Number("+393471234568")
		importContacts(t, s, scheduler.ContactRecord{Phone: ada}, scheduler.ContactRecord{Phone: bea})
		run := newRun(t, s, "weekend", given, ada, bea)
		if _, err := db.ExecContext(t.Context(), "UPDATE deliveries SET queued_at = $1", micros(0)); err != nil {
			t.Fatal(err)
		}
		tail := func(since, until float64) (phones []string) {
			t.Helper()
			for line, err := range s.Tail(t.Context(), report.Filter{}, time.UnixMicro(micros(since)), time.UnixMicro(micros(until))) {
				if err != nil {
					t.Fatal(err)
				}
				phones = append(phones, line.Phone)
			}
			slices.Sort(phones)
			return phones
		}
		// Meta's own times are older than our hearing of them; what counts is when we wrote it down.
		set(t, db, run.ID, personOf(t, s, bea), map[string]any{"state": "delivered", "delivered_at": micros(0.5), "changed_at": micros(10)})
		if got := tail(-1, 0); !slices.Equal(got, []string{string(ada)}) {
			t.Errorf("tail to the queueing = %v", got)
		}
		if got := tail(0, 9); len(got) != 0 {
			t.Errorf("tail before the change = %v", got)
		}
		if got := tail(9, 10); !slices.Equal(got, []string{string(bea)}) {
			t.Errorf("tail with the change = %v", got)
		}
		if got := tail(10, 20); len(got) != 0 {
			t.Errorf("tail after the change = %v", got)
		}
		if err := s.MoveRun(t.Context(), run.ID, scheduler.RunCancelled, "enough"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), "UPDATE runs SET finished_at = $1", micros(-8*3600)); err != nil {
			t.Fatal(err)
		}
		if got := tail(9, 10); len(got) != 0 {
			t.Errorf("tail of a run that ended long ago = %v", got)
		}
		until, err := s.VisibleUntil(t.Context())
		if behind := time.Since(until); err != nil || behind < time.Second || behind > time.Minute {
			t.Errorf("VisibleUntil = %s ago, %v", behind, err)
		}
	})
}

func TestSummary(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, db := storetest.Open(t, target), storetest.SQL(t, target)
		numbers := make([]phone.Number, 12)
		var records []scheduler.ContactRecord
		for n := range numbers {
			numbers[n] = number(n)
			records = append(records, scheduler.ContactRecord{Phone: numbers[n]})
		}
		importContacts(t, s, records...)
		run := newRun(t, s, "weekend", given, numbers...)
		later := newRun(t, s, "later", given.Add(time.Hour), numbers[3])
		sent := func(id string, n int, at float64, state sender.State) {
			set(t, db, id, personOf(t, s, numbers[n]), map[string]any{"state": string(state), "sending_at": micros(at)})
		}
		for n := range 6 { // two a second, three in the last
			sent(run.ID, n, float64(n/2), sender.Delivered)
		}
		sent(run.ID, 6, 2.5, sender.Failed)
		sent(later.ID, 3, 100, sender.Sent)
		for n, reason := range map[int]policy.Reason{7: policy.NoConsent, 8: policy.NoConsent, 9: policy.OutsideWindow} {
			set(t, db, run.ID, personOf(t, s, numbers[n]), map[string]any{"state": "skipped", "reason": string(reason)})
		}
		set(t, db, run.ID, personOf(t, s, numbers[10]), map[string]any{"reason": string(policy.OutsideWindow)}) // queued, and waits for it
		set(t, db, run.ID, personOf(t, s, numbers[0]), map[string]any{"replied_at": micros(50)})
		if _, err := db.ExecContext(t.Context(), "UPDATE runs SET started_at = $1 WHERE run_id = $2", micros(0), run.ID); err != nil {
			t.Fatal(err)
		}
		stop := func(n int, after float64, origin policy.Origin) {
			t.Helper()
			when := time.UnixMicro(micros(after)).UTC().Truncate(time.Second) // as Meta dates them
			act := policy.Act{Kind: policy.ActStop, Identity: policy.Identity{Phone: numbers[n], UserID: fmt.Sprintf("IT.%d", n)}, Scope: policy.ScopeAll, Origin: origin, At: when}
			if _, err := s.Store(t.Context(), []sender.Inbox{{Acts: []policy.Act{act}}}); err != nil {
				t.Fatal(err)
			}
		}
		stop(0, 0.2, policy.OriginKeyword)                                                              // in the very second of the message: counts, once for two identifiers
		stop(1, 60, policy.OriginMeta1050)                                                              // counts
		stop(2, -60, policy.OriginKeyword)                                                              // before the message
		stop(3, 200, policy.OriginButton)                                                               // after a later message of ours
		stop(6, 60, policy.OriginKeyword)                                                               // the message failed
		stop(7, 60, policy.OriginKeyword)                                                               // got no message
		stop(4, 60, policy.OriginPage)                                                                  // taken back below
		if _, err := s.Suppress(t.Context(), numbers[5], policy.ScopeAll, "asked", "ada"); err != nil { // an operator's
			t.Fatal(err)
		}
		start := policy.Act{Kind: policy.ActStart, Identity: policy.Identity{Phone: numbers[4]}, Scope: policy.ScopeAll, At: given.Add(time.Hour)}
		if _, err := s.Store(t.Context(), []sender.Inbox{{Acts: []policy.Act{start}}}); err != nil {
			t.Fatal(err)
		}

		got, err := s.Summary(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := report.Summary{
			Run: run.ID, Campaign: "weekend", FireAt: report.Time{Time: given}, StartedAt: report.Time{Time: given},
			States:   map[sender.State]int{sender.Queued: 2, sender.Delivered: 6, sender.Failed: 1, sender.Skipped: 3},
			Reasons:  map[policy.Reason]int{policy.NoConsent: 2, policy.OutsideWindow: 2},
			Waits:    map[policy.Reason]int{policy.OutsideWindow: 1},
			OptedOut: 2, Replied: 1, Rate: report.Rate{Mean: 2.8, Max: 3},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("summary (-want +got):\n%s", diff)
		}
		progress, err := s.Progress(t.Context(), run.ID)
		if err != nil || progress.Total() != len(numbers) || progress.Waiting() != 2 || got.Total() != len(numbers) {
			t.Errorf("progress = %+v, %v, total of the summary %d", progress, err, got.Total())
		}
		if other, err := s.Summary(t.Context(), later.ID); err != nil || other.OptedOut != 0 {
			t.Errorf("summary of a run that never started = %+v, %v", other, err)
		}
		if _, err := s.Summary(t.Context(), "nowhere"); !errors.Is(err, store.ErrNoRun) {
			t.Errorf("summary of no run: %v", err)
		}
	})
}

// The rate is how fast messages left while they left: neither the second hand of the clock nor the wait for reports slows it.
func TestRate(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, db := storetest.Open(t, target), storetest.SQL(t, target)
		numbers := make([]phone.Number, 200)
		var records []scheduler.ContactRecord
		for n := range numbers {
			numbers[n] = number(n)
			records = append(records, scheduler.ContactRecord{Phone: numbers[n]})
		}
		importContacts(t, s, records...)
		for _, tt := range []struct {
			name string
			at   func(n int) float64 // seconds; below 0 it never left
			want report.Rate
		}{
			{"nobody", func(int) float64 { return -1 }, report.Rate{}},
			{"one", func(n int) float64 { return float64(-n) }, report.Rate{Mean: 1, Max: 1}},
			{"all in a moment that the clock's second cuts", func(n int) float64 { return 0.9 + float64(n)/1000 }, report.Rate{Mean: 200, Max: 200}},
			{"a second and a half at a steady pace", func(n int) float64 { return 0.95 + float64(n)/133 }, report.Rate{Mean: 133, Max: 133}},
			{"two bursts a second apart", func(n int) float64 { return float64(n % 2) }, report.Rate{Mean: 100, Max: 100}},
			{"a pause between two halves", func(n int) float64 { return float64(n%100)/128 + 100*float64(n/100) }, report.Rate{Mean: 1.98, Max: 100}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				run := newRun(t, s, tt.name, given, numbers...)
				for n := range numbers {
					if at := tt.at(n); at >= 0 {
						set(t, db, run.ID, personOf(t, s, numbers[n]), map[string]any{"state": "delivered", "sending_at": micros(at), "delivered_at": micros(at + 500)})
					}
				}
				got, err := s.Summary(t.Context(), run.ID)
				if err != nil {
					t.Fatal(err)
				}
				if got.Rate != tt.want {
					t.Errorf("rate %+v, want %+v", got.Rate, tt.want)
				}
			})
		}
	})
}
