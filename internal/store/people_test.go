package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

var (
	given = time.Date(2026, 11, 1, 10, 0, 0, 123_456_000, time.UTC)
	italy = scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome"}
)

func contactOf(t *testing.T, s *store.Store, number phone.Number) scheduler.Contact {
	t.Helper()
	contact, found, err := s.Contact(t.Context(), number)
	if err != nil || !found {
		t.Fatalf("Contact(%s) = found %t, %v", number, found, err)
	}
	contact.PageToken = nil // a function, which nothing can be compared with
	return contact
}

func importContacts(t *testing.T, s *store.Store, records ...scheduler.ContactRecord) scheduler.ImportCounts {
	t.Helper()
	counts, err := s.ImportContacts(t.Context(), records)
	if err != nil {
		t.Fatalf("ImportContacts: %v", err)
	}
	return counts
}

func TestImportContacts(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, db := storetest.Open(t, target), storetest.SQL(t, target)
		records := []scheduler.ContactRecord{
			{Line: 2, Phone: "+393471234567", Name: new("Ada"), Language: new("it"), Tags: []string{"vip"}, Attributes: map[string]string{"points": "7"}, Number: italy},
			{Line: 3, Phone: "+393471234568", Name: new("Bea \x00<\u2028>\xff'\"\\"), Zone: new("Europe/Rome"), ExternalID: new("c-2"), Number: italy},
		}
		if got, want := importContacts(t, s, records...), (scheduler.ImportCounts{Added: 2}); got != want {
			t.Fatalf("first import: %+v, want %+v", got, want)
		}
		updated := func() (at []int64) {
			if err := db.SelectContext(t.Context(), &at, "SELECT updated_at FROM contacts ORDER BY person_id"); err != nil {
				t.Fatal(err)
			}
			return at
		}
		before := updated()
		if got, want := importContacts(t, s, records...), (scheduler.ImportCounts{Unchanged: 2}); got != want {
			t.Errorf("second import: %+v, want %+v", got, want)
		}
		if after := updated(); !slices.Equal(before, after) {
			t.Errorf("an import that changes nothing moved updated_at: %v, then %v", before, after)
		}
		if got, want := contactOf(t, s, "+393471234568").Name, "Bea <\u2028>\uFFFD'\"\\"; got != want {
			t.Errorf("name = %q, want %q", got, want)
		}

		// A nil field leaves what is there, tags are added, attributes are set over.
		got := importContacts(t, s, scheduler.ContactRecord{Phone: "+393471234567", Name: new("Ada L."), Tags: []string{"vip", "new"}, Attributes: map[string]string{"city": "Roma"}, Number: italy})
		if want := (scheduler.ImportCounts{Changed: 1}); got != want {
			t.Errorf("third import: %+v, want %+v", got, want)
		}
		ada := contactOf(t, s, "+393471234567")
		want := scheduler.Contact{
			PersonID: ada.PersonID, Phone: "+393471234567", Name: "Ada L.", Language: "it", Tags: []string{"vip", "new"},
			Attributes: map[string]string{"points": "7", "city": "Roma"}, Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome",
		}
		if diff := cmp.Diff(want, ada); diff != "" {
			t.Errorf("contact (-want +got):\n%s", diff)
		}
		if after := updated(); !slices.ContainsFunc(after, func(at int64) bool { return at > slices.Max(before) }) {
			t.Errorf("a change left updated_at where it was: %v, then %v", before, after)
		}
		// An empty cell that was meant: it is not nil.
		importContacts(t, s, scheduler.ContactRecord{Phone: "+393471234567", Language: new(""), Number: italy})
		if got := contactOf(t, s, "+393471234567").Language; got != "" {
			t.Errorf("language = %q, want none", got)
		}
	})
}

func TestImportContactsTheLastRowOfAPersonWins(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		records := []scheduler.ContactRecord{
			{Phone: "+5511981234567", Name: new("Um"), Language: new("pt"), Tags: []string{"a"}, Attributes: map[string]string{"x": "1", "y": "1"}},
			{Phone: "+551181234567", Name: new("Dois"), Tags: []string{"b"}, Attributes: map[string]string{"y": "2"}}, // the same person, without the ninth digit
			{Phone: "+5215512345678", Name: new("Tres")},
			{Phone: "+525512345678", Name: new("Cuatro")},
		}
		if got, want := importContacts(t, s, records...), (scheduler.ImportCounts{Added: 2}); got != want {
			t.Errorf("counts = %+v, want %+v", got, want)
		}
		brazil := contactOf(t, s, "+551181234567")
		if brazil.PersonID != contactOf(t, s, "+5511981234567").PersonID {
			t.Error("two forms of one number are two people")
		}
		want := scheduler.Contact{PersonID: brazil.PersonID, Phone: "+551181234567", Name: "Dois", Language: "pt", Tags: []string{"a", "b"}, Attributes: map[string]string{"x": "1", "y": "2"}}
		if diff := cmp.Diff(want, brazil); diff != "" {
			t.Errorf("contact (-want +got):\n%s", diff)
		}
		if got := contactOf(t, s, "+5215512345678").Name; got != "Cuatro" {
			t.Errorf("name = %q, want that of the last row", got)
		}
		if got, want := importContacts(t, s, records...), (scheduler.ImportCounts{Unchanged: 2}); got != want {
			t.Errorf("again: %+v, want %+v", got, want)
		}
	})
}

func TestImportsDoNotReviveTheErased(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, db := storetest.Open(t, target), storetest.SQL(t, target)
		record := scheduler.ContactRecord{Phone: "+393471234567", Name: new("Ada"), Number: italy}
		importContacts(t, s, record)
		if _, err := db.ExecContext(t.Context(), "UPDATE contacts SET erased_at = 1, phone = '', name = ''"); err != nil {
			t.Fatal(err)
		}
		if got, want := importContacts(t, s, record), (scheduler.ImportCounts{Unchanged: 1}); got != want {
			t.Errorf("counts = %+v, want %+v", got, want)
		}
		if contact := contactOf(t, s, "+393471234567"); !contact.Erased || contact.Name != "" || contact.Phone != "" {
			t.Errorf("the erased contact is %+v", contact)
		}
		for contact, err := range s.Contacts(t.Context()) {
			t.Errorf("Contacts lists %+v, %v", contact, err)
		}
	})
}

func TestImportsThatMeetLoseNothing(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		const people, imports = 50, 6
		var all sync.WaitGroup
		for i := range imports {
			var records []scheduler.ContactRecord
			for n := range people {
				records = append(records, scheduler.ContactRecord{Phone: number(n), Tags: []string{fmt.Sprintf("t%d", i)}})
			}
			if i%2 == 1 {
				slices.Reverse(records)
			}
			all.Go(func() {
				if _, err := s.ImportContacts(t.Context(), records); err != nil {
					t.Errorf("import %d: %v", i, err)
				}
			})
		}
		all.Wait()
		count := 0
		for contact, err := range s.Contacts(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			count++
			if len(contact.Tags) != imports {
				t.Errorf("%s has the tags %v, want %d of them", contact.Phone, contact.Tags, imports)
			}
		}
		if count != people {
			t.Errorf("%d contacts, want %d", count, people)
		}
	})
}

// number is the n-th invented mobile of these tests.
func number(n int) phone.Number { return phone.Number(fmt.Sprintf("+39347%07d", n)) }

func TestContactsAndSuppressionsArePaged(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		const people = 2503
		var contacts []scheduler.ContactRecord
		var stops []scheduler.SuppressionRecord
		for n := range people {
			contacts = append(contacts, scheduler.ContactRecord{Phone: number(n)})
			stops = append(stops, scheduler.SuppressionRecord{Phone: number(n), Scope: policy.ScopeAll, At: given, Source: "old system"})
		}
		if got := importContacts(t, s, contacts...); got.Added != people {
			t.Fatalf("added %d, want %d", got.Added, people)
		}
		seen := map[phone.Number]bool{}
		last := policy.PersonID{}
		for contact, err := range s.Contacts(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if seen[contact.Phone] || contact.PersonID.String() <= last.String() {
				t.Fatalf("%s comes twice, or out of order", contact.Phone)
			}
			seen[contact.Phone], last = true, contact.PersonID
		}
		if len(seen) != people {
			t.Errorf("Contacts lists %d, want %d", len(seen), people)
		}
		counts, err := s.ImportSuppressions(t.Context(), stops)
		if err != nil || counts.Added != people {
			t.Fatalf("ImportSuppressions = %+v, %v", counts, err)
		}
		listed := map[string]bool{}
		for line, err := range s.Suppressions(t.Context(), true) {
			if err != nil {
				t.Fatal(err)
			}
			listed[line.Phone] = true
		}
		if len(listed) != people {
			t.Errorf("Suppressions lists %d, want %d", len(listed), people)
		}
		for range s.Suppressions(t.Context(), true) {
			break // a reader may stop
		}
	})
}

func TestSubject(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		const contact, stranger = phone.Number("+5215512345678"), phone.Number("+393471234568")
		importContacts(t, s, scheduler.ContactRecord{Phone: contact, Name: new("Luz"), Number: scheduler.NumberFacts{Country: "MX"}}, scheduler.ContactRecord{Phone: "+393471234500"})
		event := policy.ConsentEvent{Category: "offers", Action: policy.Granted, At: given, Source: "web_form", Wording: "Yes."}
		for _, number := range []phone.Number{contact, stranger} {
			if err := s.AddConsent(t.Context(), number, event, "ada"); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Suppress(t.Context(), number, policy.ScopeKind(policy.Marketing), "asked", "ada"); err != nil {
				t.Fatal(err)
			}
		}
		want := scheduler.Want{Categories: []string{"offers"}, SendsSince: given, Activity: true}
		for _, tt := range []struct {
			number phone.Number
			known  bool
			name   string
		}{{contact, true, "Luz"}, {"+525512345678", true, "Luz"}, {stranger, false, ""}} {
			subject, found, err := s.Subject(t.Context(), tt.number, want)
			if err != nil || !found {
				t.Fatalf("Subject(%s) = found %t, %v", tt.number, found, err)
			}
			p := subject.Person
			if p.Known != tt.known || subject.Contact.Name != tt.name {
				t.Errorf("Subject(%s): known %t, name %q", tt.number, p.Known, subject.Contact.Name)
			}
			if !p.ConsentsRead || !p.SuppressionsRead || !p.SendsRead || p.Consents["offers"].Action != policy.Granted || len(p.Suppressions) != 1 {
				t.Errorf("Subject(%s): facts %+v", tt.number, p)
			}
		}
		if _, found, err := s.Subject(t.Context(), "+393470000000", want); found || err != nil {
			t.Errorf("Subject of a number never met = found %t, %v", found, err)
		}
		if _, found, err := s.Contact(t.Context(), stranger); found || err != nil {
			t.Errorf("Contact of a person who is none = found %t, %v", found, err)
		}
	})
}

func TestConsentLedger(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		grant := policy.ConsentEvent{Category: "offers", Action: policy.Granted, At: given, Source: "paper", Wording: "Sì, scrivetemi.", Evidence: "folder 7"}
		revoke := policy.ConsentEvent{Category: "offers", Action: policy.Revoked, At: given.Add(time.Hour), Source: "phone_call"}
		records := []scheduler.ConsentRecord{
			{Line: 2, Phone: "+393471234567", Event: revoke},
			{Line: 3, Phone: "+393471234567", Event: grant},
			{Line: 4, Phone: "+393471234567", Event: grant}, // the same row twice
			{Line: 5, Phone: "+393471234568", Event: grant},
		}
		for i, want := range []scheduler.ImportCounts{{Added: 3, Unchanged: 1}, {Unchanged: 4}} {
			if got, err := s.ImportConsents(t.Context(), records); err != nil || got != want {
				t.Errorf("import %d: %+v, %v, want %+v", i, got, err, want)
			}
		}
		orders := policy.ConsentEvent{Category: "orders", Action: policy.Granted, At: given.Add(time.Minute), Source: "in_store", Wording: "Sì, scrivetemi."}
		if err := s.AddConsent(t.Context(), "+393471234567", orders, "ada"); err != nil {
			t.Fatal(err)
		}
		ledger, err := s.Consents(t.Context(), "+393471234567")
		if err != nil {
			t.Fatal(err)
		}
		var events []policy.ConsentEvent
		var actors []string
		for _, c := range ledger {
			events = append(events, policy.ConsentEvent{Category: c.Category, Action: c.Action, At: c.At.Time, Source: c.Source, Wording: c.Wording, Evidence: c.Evidence})
			actors = append(actors, c.Actor)
			if c.RecordedAt.IsZero() {
				t.Errorf("%+v has no recorded_at", c)
			}
		}
		if diff := cmp.Diff([]policy.ConsentEvent{grant, orders, revoke}, events); diff != "" {
			t.Errorf("ledger (-want +got):\n%s", diff)
		}
		if want := []string{"import", "ada", "import"}; !slices.Equal(actors, want) {
			t.Errorf("actors = %v, want %v", actors, want)
		}
		if ledger, err := s.Consents(t.Context(), "+393470000000"); err != nil || len(ledger) != 0 {
			t.Errorf("ledger of a number never met = %v, %v", ledger, err)
		}
		if _, found, err := s.Contact(t.Context(), "+393471234567"); found || err != nil {
			t.Errorf("a consent made a contact: %t, %v", found, err)
		}
		if err := s.AddConsent(t.Context(), "+393471234567", policy.ConsentEvent{Category: "offers", Action: policy.Granted}, "ada"); err == nil {
			t.Error("a consent without a time was taken")
		}
		entries, err := s.Audited(t.Context(), 0)
		if err != nil || len(entries) != 1 {
			t.Fatalf("Audited = %v, %v, want one entry", entries, err)
		}
		people, err := s.Find(t.Context(), "+393471234567")
		if err != nil || len(people) != 1 {
			t.Fatalf("Find = %v, %v", people, err)
		}
		if e := entries[0]; e.Actor != "ada" || e.Action != "consent.granted" || e.Subject != people[0].String() || e.At.IsZero() {
			t.Errorf("audit entry %+v", e)
		}
	})
}
