package store_test

import (
	"testing"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// A stop of somebody whom a restored database does not know has no number, is on the list, and holds as soon as they are known.
func TestARestoredStopOfSomebodyUnknown(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, ctx := storetest.Open(t, target), t.Context()
		const number phone.Number = "+393479999999"
		record := policy.StopRecord{Hash: store.HashOf(s, number), Scope: policy.ScopeAll, Origin: policy.OriginKeyword, At: time.Now().Truncate(time.Second)}
		if n, err := s.RestoreStops(ctx, []policy.StopRecord{record}); n != 1 || err != nil {
			t.Fatalf("RestoreStops = %d, %v", n, err)
		}
		listed := 0
		for stop, err := range s.Suppressions(ctx, true) {
			if err != nil || stop.Phone != "" || stop.Reason != policy.OriginKeyword {
				t.Errorf("the list has %+v, %v", stop, err)
			}
			listed++
		}
		if listed != 1 {
			t.Errorf("%d stops are listed, want 1", listed)
		}
		place := scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome"}
		if _, err := s.ImportContacts(ctx, []scheduler.ContactRecord{{Phone: number, Number: place}}); err != nil {
			t.Fatal(err)
		}
		subject, found, err := s.Subject(ctx, number, scheduler.Want{SendsSince: time.Now()})
		if err != nil || !found || len(subject.Person.Suppressions) != 1 || !subject.Person.Suppressions[0].Active() {
			t.Errorf("after the import the person is %+v, %t, %v", subject.Person, found, err)
		}
	})
}

// PostgreSQL tells where a database is, and another place of another; SQLite tells nothing.
func TestPlace(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, other := storetest.Open(t, target), storetest.Open(t, storetest.Beside(t, target))
		here, there := s.Place(t.Context()), other.Place(t.Context())
		if told := s.Database() == "postgres"; told != (here != "") || told && here == there || here != s.Place(t.Context()) {
			t.Errorf("the databases are at %q and at %q", here, there)
		}
	})
}
