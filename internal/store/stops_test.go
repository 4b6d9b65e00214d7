package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

// newRun makes a running run of the marketing category offers, with a queued row for each number.
func newRun(t *testing.T, s *store.Store, campaign string, fireAt time.Time, numbers ...phone.Number) scheduler.Run {
	t.Helper()
	run, created, err := s.CreateRun(t.Context(), scheduler.Run{
		CampaignID: campaign, State: scheduler.Running, NumberID: "111", Category: "offers", Kind: policy.Marketing, FireAt: fireAt,
		Frozen: scheduler.Frozen{Campaign: scheduler.Campaign{ID: campaign, Message: templates.Message{Template: "weekend_offer"}}},
	})
	if err != nil || !created {
		t.Fatalf("CreateRun = created %t, %v", created, err)
	}
	var rows []scheduler.Row
	for _, number := range numbers {
		rows = append(rows, scheduler.Row{PersonID: personOf(t, s, number), Decision: policy.Decision{Verdict: policy.Allow}})
	}
	if err := s.Enqueue(t.Context(), run.ID, rows); err != nil {
		t.Fatal(err)
	}
	return run
}

func personOf(t *testing.T, s *store.Store, number phone.Number) policy.PersonID {
	t.Helper()
	people, err := s.Find(t.Context(), number)
	if err != nil || len(people) != 1 {
		t.Fatalf("Find(%s) = %v, %v, want one person", number, people, err)
	}
	return people[0]
}

func stateOf(t *testing.T, s *store.Store, run string, number phone.Number) sender.State {
	t.Helper()
	lines := logOf(t, s, report.Filter{Run: run, Phone: number})
	if len(lines) != 1 {
		t.Fatalf("%d lines of %s in run %s", len(lines), number, run)
	}
	return lines[0].State
}

func suppressions(t *testing.T, s *store.Store, activeOnly bool) []report.Suppression {
	t.Helper()
	var list []report.Suppression
	for line, err := range s.Suppressions(t.Context(), activeOnly) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, line)
	}
	slices.SortFunc(list, func(a, b report.Suppression) int {
		return strings.Compare(a.Phone+string(a.Scope)+string(a.Reason), b.Phone+string(b.Scope)+string(b.Reason))
	})
	return list
}

func importStops(t *testing.T, s *store.Store, records ...scheduler.SuppressionRecord) scheduler.ImportCounts {
	t.Helper()
	counts, err := s.ImportSuppressions(t.Context(), records)
	if err != nil {
		t.Fatalf("ImportSuppressions: %v", err)
	}
	return counts
}

func TestImportSuppressions(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		importContacts(t, s, scheduler.ContactRecord{Phone: "+5215512345678"}, scheduler.ContactRecord{Phone: "+393471234567"})
		run := newRun(t, s, "weekend", given, "+5215512345678", "+393471234567")
		records := []scheduler.SuppressionRecord{
			{Phone: "+525512345678", Scope: policy.ScopeAll, Reason: "old list", At: given, Source: "crm"},
			{Phone: "+5215512345678", Scope: policy.ScopeAll, Reason: "newer", At: given.Add(time.Hour), Source: "crm2"}, // the same person
			{Phone: "+393471234567", Scope: policy.ScopeCategory("orders"), At: given, Source: "crm"},                    // another category
			{Phone: "+393470000000", At: given, Source: "crm"},                                                           // nobody we know; no scope is all
		}
		for i, want := range []scheduler.ImportCounts{{Added: 3}, {Unchanged: 3}} {
			if got := importStops(t, s, records...); got != want {
				t.Errorf("import %d: %+v, want %+v", i, got, want)
			}
		}
		want := []report.Suppression{
			{Phone: "+393470000000", Scope: policy.ScopeAll, Reason: policy.OriginImport, Source: "crm", At: report.Time{Time: given}},
			{Phone: "+393471234567", Scope: "category:orders", Reason: policy.OriginImport, Source: "crm", At: report.Time{Time: given}},
			{Phone: "+5215512345678", Scope: policy.ScopeAll, Reason: policy.OriginImport, Source: "crm2", At: report.Time{Time: given.Add(time.Hour)}, Words: "newer"},
		}
		if diff := cmp.Diff(want, suppressions(t, s, true)); diff != "" {
			t.Errorf("suppressions (-want +got):\n%s", diff)
		}
		if got := stateOf(t, s, run.ID, "+525512345678"); got != sender.Skipped {
			t.Errorf("the waiting delivery of who is suppressed is %s", got)
		}
		if got := stateOf(t, s, run.ID, "+393471234567"); got != sender.Queued {
			t.Errorf("a delivery that the scope does not cover is %s", got)
		}
		// An earlier date weakens nothing, a later one counts.
		earlier, later := records[1], records[1]
		earlier.At, later.At = given.Add(-time.Hour), given.Add(2*time.Hour)
		if got, want := importStops(t, s, earlier), (scheduler.ImportCounts{Unchanged: 1}); got != want {
			t.Errorf("earlier: %+v, want %+v", got, want)
		}
		if got, want := importStops(t, s, later), (scheduler.ImportCounts{Changed: 1}); got != want {
			t.Errorf("later: %+v, want %+v", got, want)
		}
	})
}

func TestUnsuppressLiftsWhatOperatorsSet(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		const number = phone.Number("+393471234567")
		importContacts(t, s, scheduler.ContactRecord{Phone: number})
		record := scheduler.SuppressionRecord{Phone: number, Scope: policy.ScopeAll, At: given, Source: "crm"}
		importStops(t, s, record)
		stop := sender.Inbox{Acts: []policy.Act{{Kind: policy.ActStop, Identity: policy.Identity{Phone: number, UserID: "IT.77"}, Scope: policy.ScopeAll, Origin: policy.OriginKeyword, At: given, MessageID: "wamid.in"}}}
		if _, err := s.Store(t.Context(), []sender.Inbox{stop}); err != nil {
			t.Fatal(err)
		}
		people, err := s.Suppress(t.Context(), number, policy.ScopeKind(policy.Marketing), "asked on the phone", "ada")
		if err != nil || !slices.Equal(people, []policy.PersonID{personOf(t, s, number)}) {
			t.Fatalf("Suppress = %v, %v", people, err)
		}
		if flying, err := s.InFlight(t.Context(), people); err != nil || flying {
			t.Errorf("InFlight = %t, %v", flying, err)
		}
		// One line per person, scope and origin, also when the stop is written for two identifiers.
		if list := suppressions(t, s, true); len(list) != 3 || list[0].UserID != "IT.77" || list[0].Phone != number.String() {
			t.Errorf("suppressions = %+v, want three with phone and user id", list)
		}

		if _, _, err := s.Unsuppress(t.Context(), number, "", "ada"); !errors.Is(err, store.ErrNoReason) {
			t.Errorf("without a reason: %v", err)
		}
		lifted, remaining, err := s.Unsuppress(t.Context(), number, "a mistake", "ada")
		if err != nil || lifted != 2 {
			t.Fatalf("Unsuppress = %d, %v, want 2", lifted, err)
		}
		if len(remaining) != 1 || remaining[0].Reason != policy.OriginKeyword {
			t.Errorf("remaining = %+v, want the person's own", remaining)
		}
		if list := suppressions(t, s, true); len(list) != 1 || list[0].Reason != policy.OriginKeyword {
			t.Errorf("active = %+v, want the person's own", list)
		}
		if list := suppressions(t, s, false); len(list) != 3 || list[1].LiftedAt.IsZero() == list[0].LiftedAt.IsZero() {
			t.Errorf("all = %+v, want three, two of them lifted", list)
		}
		if lifted, _, err := s.Unsuppress(t.Context(), number, "again", "ada"); err != nil || lifted != 0 {
			t.Errorf("again: %d, %v", lifted, err)
		}
		if lifted, remaining, err := s.Unsuppress(t.Context(), "+393470000000", "who", "ada"); err != nil || lifted != 0 || len(remaining) != 0 {
			t.Errorf("of nobody: %d, %v, %v", lifted, remaining, err)
		}

		// What an operator lifted stays lifted when the old file comes again, and closes nothing.
		run := newRun(t, s, "weekend", given, number)
		if got, want := importStops(t, s, record), (scheduler.ImportCounts{Unchanged: 1}); got != want {
			t.Errorf("the old file: %+v, want %+v", got, want)
		}
		if got := stateOf(t, s, run.ID, number); got != sender.Queued {
			t.Errorf("a lifted stop closed a delivery: %s", got)
		}
		// A new stop of the operator's holds again, and closes what waits.
		if _, err := s.Suppress(t.Context(), number, policy.ScopeKind(policy.Marketing), "asked again", "ada"); err != nil {
			t.Fatal(err)
		}
		if list := suppressions(t, s, true); len(list) != 2 {
			t.Errorf("active = %+v, want two", list)
		}
		if got := stateOf(t, s, run.ID, number); got != sender.Skipped {
			t.Errorf("the waiting delivery is %s", got)
		}

		entries, err := s.Audited(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		var actions []string
		for _, e := range entries {
			actions = append(actions, e.Action)
			if e.Actor != "ada" || e.Subject != people[0].String() || strings.Contains(e.Details, "347123") {
				t.Errorf("audit entry %+v", e)
			}
		}
		if want := []string{"suppress.add", "suppress.remove", "suppress.remove", "suppress.add"}; !slices.Equal(actions, want) {
			t.Errorf("audit = %v, want %v", actions, want)
		}
	})
}

func TestSuppressingANumberNeverMetHoldsForItsForms(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		if _, err := s.Suppress(t.Context(), "+541123456789", policy.ScopeAll, "", "ada"); err != nil {
			t.Fatal(err)
		}
		importContacts(t, s, scheduler.ContactRecord{Phone: "+5491123456789"})
		subject, found, err := s.Subject(t.Context(), "+5491123456789", scheduler.Want{})
		if err != nil || !found || len(subject.Person.Suppressions) != 1 || !subject.Person.Suppressions[0].Active() {
			t.Errorf("Subject = %+v, found %t, %v: want the stop of the other form", subject.Person, found, err)
		}
		if list := suppressions(t, s, true); len(list) != 1 || list[0].Source != "ada" || list[0].Phone != "+5491123456789" {
			t.Errorf("suppressions = %+v", list)
		}
	})
}

func TestAudit(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		for _, action := range []string{"run.cancel", "halt", "keys.create"} {
			if err := s.Audit(t.Context(), "ada", action, "weekend", "by hand"); err != nil {
				t.Fatal(err)
			}
		}
		entries, err := s.Audited(t.Context(), 2)
		if err != nil || len(entries) != 2 || entries[0].Action != "keys.create" || entries[1].Action != "halt" {
			t.Errorf("Audited = %+v, %v, want the two newest", entries, err)
		}
	})
}
