package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/ledger"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// archive is a ledger under test: stores that share a key, and the checkpoints, kept as a state_dir keeps them.
type archive struct {
	*testing.T
	target string
	key    ledger.Key
	stores []*store.Store

	mu    sync.Mutex
	lines [][]byte
}

func newArchive(t *testing.T, target string, stores int) *archive {
	a := &archive{T: t, target: target, key: ledger.NewKey([]byte(strings.Repeat("k", ledger.SecretSize)))}
	for range stores {
		s := storetest.Open(t, target)
		s.SealWith(func(context.Context) (ledger.Key, error) { return a.key, nil })
		a.stores = append(a.stores, s)
	}
	return a
}

// checkpoint writes a line, as App.Checkpoint does: with heads that are read after the line before.
func (a *archive) checkpoint() {
	a.mu.Lock()
	defer a.mu.Unlock()
	heads, err := a.stores[0].LedgerHeads(a.Context())
	if err != nil {
		a.Errorf("reading the heads: %v", err)
		return
	}
	var before []byte
	if n := len(a.lines); n > 0 {
		before = a.lines[n-1]
		last, err := ledger.ParseLine(before)
		if err != nil || !last.Follows(heads) {
			a.Errorf("the heads do not follow the last checkpoint: %v", err)
		}
	}
	line, err := a.key.Line(ledger.Checkpoint{Line: int64(len(a.lines) + 1), At: time.Now().UTC(), Instance: a.stores[0].Instance(), Heads: heads}, before)
	if err != nil {
		a.Errorf("writing a checkpoint: %v", err)
		return
	}
	a.lines = append(a.lines, line)
}

// verify checks the ledger against some lines; known is how many the database would know of.
func (a *archive) verify(lines [][]byte, known int) ledger.Report {
	keys := map[ledger.KeyID]ledger.Key{a.key.ID: a.key}
	history := ledger.NewHistory(a.stores[0].Instance())
	for _, line := range lines {
		history.Read(line)
	}
	history.End(int64(known), keys)
	report, err := a.stores[0].VerifyLedger(context.Background(), history, keys)
	if err != nil {
		a.Errorf("verifying: %v", err)
	}
	return report
}

func event(n int) policy.ConsentEvent {
	e := policy.ConsentEvent{
		Category: []string{"offers", "orders"}[n%2], Action: []policy.Action{policy.Granted, policy.Revoked, policy.Pending, policy.Confirmed}[n/2%4],
		At: given.Add(time.Duration(n) * time.Minute), Source: "web_form", Wording: fmt.Sprintf("Sì a Libreria Aurora, %d", n%3), Business: "Libreria Aurora", Language: "it",
	}
	if n%3 > 0 {
		e.Evidence, e.IP, e.Agent = fmt.Sprintf("form-%d", n), "192.0.2.7", "Firefox"
	}
	return e
}

func mobile(n int) phone.Number { return phone.Number(fmt.Sprintf("+39347%07d", n)) }

// grow appends events, as a file and one by one, and erases somebody in the middle.
func (a *archive) grow(n int) {
	a.Helper()
	s := a.stores[0]
	for from := 0; from < n; from += 20 {
		var records []scheduler.ConsentRecord
		for i := from; i < min(n, from+19); i++ {
			records = append(records, scheduler.ConsentRecord{Phone: mobile(i % 7), Event: event(i)})
		}
		if _, err := s.ImportConsents(a.Context(), records); err != nil {
			a.Fatal(err)
		}
		if err := s.AddConsent(a.Context(), mobile(from%5), event(1000+from), "ada"); err != nil {
			a.Fatal(err)
		}
		if from == 20 {
			a.erase(mobile(3))
		}
		a.checkpoint()
	}
}

func (a *archive) erase(number phone.Number) {
	a.Helper()
	people, err := a.stores[0].Find(a.Context(), number)
	if err == nil {
		err = a.stores[0].EraseConsents(a.Context(), people, "ada")
	}
	if err != nil {
		a.Fatal(err)
	}
}

func TestLedgerFindsWhateverWasAltered(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		a := newArchive(t, target, 1)
		a.grow(60)
		if report := a.verify(a.lines, len(a.lines)); !report.Whole() || report.Events < 60 {
			t.Fatalf("untouched: %+v", report)
		}
		db := storetest.SQL(t, target)
		tables := []string{"consents", "consent_chains", "wordings"}
		for _, table := range tables {
			db.MustExec("CREATE TABLE kept_" + table + " AS SELECT * FROM " + table)
		}
		var places []int64
		if err := db.Select(&places, "SELECT event FROM consents ORDER BY event"); err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(rt *rapid.T) {
			lines, known := slices.Clone(a.lines), len(a.lines)
			what, altered := alter(rt, db, places, &lines)
			report := a.verify(lines, known)
			for _, table := range tables {
				db.MustExec("DELETE FROM " + table)
				db.MustExec("INSERT INTO " + table + " SELECT * FROM kept_" + table)
			}
			switch {
			case altered && report.Whole():
				rt.Fatalf("%s was not found", what)
			case !altered && !report.Whole():
				rt.Fatalf("%s altered nothing, and found is %+v", what, report.Findings)
			}
		})
		if report := a.verify(a.lines, len(a.lines)); !report.Whole() {
			t.Fatalf("put back as it was: %+v", report)
		}
	})
}

// alter tries one thing that nobody may do, and says what; altered is false where the database itself refused it, a key being
// taken, or there was nothing to alter.
func alter(t *rapid.T, db *sqlx.DB, places []int64, lines *[][]byte) (what string, altered bool) {
	at := rapid.IntRange(0, len(places)-1).Draw(t, "event")
	one, other := places[at], places[(at+rapid.IntRange(1, len(places)-1).Draw(t, "other"))%len(places)]
	exec := func(query string, args ...any) (string, bool) {
		done, err := db.Exec(query, args...)
		if err != nil {
			return query, false
		}
		n, err := done.RowsAffected()
		return query, err == nil && n > 0
	}
	switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); kind {
	case 0, 1:
		change := rapid.SampledFrom([]string{
			"action = 'expired'", "at = at + 1", "recorded_at = recorded_at - 1", "category = category || 'x'", "source = 'paper'", "actor = actor || 'x'", "business = 'x'",
			"language = 'en'", "evidence = evidence || 'x'", "ip = '10.0.0.1'", "agent = 'x'", "event = event + 4000000", "event = NULL", "wording_hash = NULL",
			"person_id = link", "link = person_id", "salt = person_id", "personal = link", "evidence = '', ip = '', agent = '', salt = NULL, personal = link",
		}).Draw(t, "change")
		return exec("UPDATE consents SET "+change+" WHERE event = $1", one)
	case 2:
		return exec("DELETE FROM consents WHERE event = $1", one)
	case 3:
		return exec("DELETE FROM consents WHERE event >= $1", one)
	case 4: // two events in each other's place
		db.MustExec("UPDATE consents SET event = -1 WHERE event = $1", one)
		db.MustExec("UPDATE consents SET event = $1 WHERE event = $2", one, other)
		return exec("UPDATE consents SET event = $1 WHERE event = -1", other)
	case 5: // an event that was recorded twice
		return exec(`INSERT INTO consents (person_id, category, at, event_id, action, source, wording_hash, evidence, actor, recorded_at, business, language, ip, agent, event, link, salt, personal)
			SELECT person_id, category, at + 1, event_id, action, source, wording_hash, evidence, actor, recorded_at, business, language, ip, agent, $2, link, salt, personal FROM consents WHERE event = $1`,
			one, places[len(places)-1]+1)
	case 6:
		return exec("UPDATE consent_chains SET " + rapid.SampledFrom([]string{"seq = seq - 1", "seq = seq + 1", "link = key_id", "chain_id = chain_id + 1", "key_id = link"}).Draw(t, "head"))
	case 7:
		return exec(rapid.SampledFrom([]string{"UPDATE wordings SET text = text || '.'", "DELETE FROM wordings", "DELETE FROM consent_chains", "DELETE FROM consents"}).Draw(t, "table"))
	default:
		return tear(t, lines), true
	}
}

// tear alters the checkpoints.
func tear(t *rapid.T, lines *[][]byte) string {
	n := rapid.IntRange(0, len(*lines)-1).Draw(t, "line")
	if rapid.Bool().Draw(t, "take") {
		*lines = slices.Delete(*lines, n, n+1)
		return fmt.Sprintf("taking line %d of the checkpoints", n+1)
	}
	line := slices.Clone((*lines)[n])
	i := rapid.IntRange(0, len(line)-1).Draw(t, "byte")
	line[i] ^= 1
	(*lines)[n] = line
	return fmt.Sprintf("byte %d of line %d of the checkpoints", i, n+1)
}

func TestLedgerRaisesNoFalseAlarm(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		a := newArchive(t, target, 3)
		var work sync.WaitGroup
		for writer := range 6 {
			s, random := a.stores[writer%3], rand.New(rand.NewPCG(uint64(writer), 1))
			work.Go(func() {
				for range 8 {
					a.act(s, random)
				}
			})
		}
		done := make(chan struct{})
		go func() { work.Wait(); close(done) }()
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			a.checkpoint()
			a.mu.Lock()
			lines := slices.Clone(a.lines)
			a.mu.Unlock()
			if report := a.verify(lines, len(lines)); !report.Whole() {
				t.Errorf("while others write: %+v", report.Findings)
				<-done
			}
		}
		heads, err := a.stores[0].LedgerHeads(t.Context())
		if err != nil || len(heads) == 0 || len(heads) > 6 {
			t.Errorf("%d chains, %v, want no more than ever wrote at once", len(heads), err)
		}
	})
}

// act is something that happens to a ledger in daily life.
func (a *archive) act(s *store.Store, random *rand.Rand) {
	n := random.IntN(400)
	var err error
	switch random.IntN(4) {
	case 0:
		records := make([]scheduler.ConsentRecord, 12)
		for i := range records {
			records[i] = scheduler.ConsentRecord{Phone: mobile((n + i) % 9), Event: event(n + i)} // files of several writers have rows in common
		}
		_, err = s.ImportConsents(a.Context(), records)
	case 1:
		err = s.AddConsent(a.Context(), mobile(n%9), event(n), "ada")
	default:
		var people []policy.PersonID
		if people, err = s.Find(a.Context(), mobile(n%9)); err != nil || len(people) == 0 {
			break
		}
		if random.IntN(3) == 0 {
			err = s.EraseConsents(a.Context(), people, "ada")
			break
		}
		_, err = s.RecordConsents(a.Context(), []policy.PersonConsent{{Person: people[0], Event: event(n)}, {Person: people[0], Event: event(n + 1)}})
	}
	if err != nil {
		a.Errorf("writing: %v", err)
	}
}

func TestLedgerNamesWhatItFinds(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		a := newArchive(t, target, 1)
		a.grow(30)
		db := storetest.SQL(t, target)
		var first int64
		if err := db.Get(&first, "SELECT MIN(event) FROM consents"); err != nil {
			t.Fatal(err)
		}
		place := func(seq int64) int64 { return first + seq - 1 }
		db.MustExec("UPDATE consents SET source = 'paper' WHERE event = $1", place(2))
		db.MustExec("DELETE FROM consents WHERE event >= $1 AND event <= $2", place(5), place(6))
		for _, move := range [][2]int64{{place(9), -1}, {place(12), place(9)}, {-1, place(12)}} {
			db.MustExec("UPDATE consents SET event = $2 WHERE event = $1", move[0], move[1])
		}
		var got []string
		for _, f := range a.verify(a.lines, len(a.lines)).Findings {
			got = append(got, fmt.Sprintf("%s %d-%d", f.Kind, f.From, f.To))
		}
		if want := []string{"edited 2-2", "missing 5-6", "swapped 9-12"}; !slices.Equal(got, want) {
			t.Errorf("found %q, want %q", got, want)
		}
	})
}

func TestErasureLeavesTheLedgerWhole(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		a := newArchive(t, target, 1)
		a.grow(20)
		a.erase(mobile(1))
		events, err := a.stores[0].Consents(t.Context(), mobile(1))
		if err != nil || len(events) == 0 || events[len(events)-1].Action != policy.ErasedPerson {
			t.Fatalf("no erasure is on record: %v, %v", events, err)
		}
		for _, e := range events {
			if e.Evidence != "" || e.IP != "" || e.Agent != "" {
				t.Errorf("%s still has a personal part", e.Event)
			}
		}
		db := storetest.SQL(t, target)
		var salts int
		if err := db.Get(&salts, "SELECT count(*) FROM consents WHERE salt IS NOT NULL AND personal IS NOT NULL"); err != nil || salts > 0 {
			t.Errorf("%d erased events have a salt, by which what was erased could be guessed (%v)", salts, err)
		}
		a.erase(mobile(1)) // nothing is left, and nothing breaks
		if report := a.verify(a.lines, len(a.lines)); !report.Whole() {
			t.Fatalf("after an erasure: %+v", report.Findings)
		}
		db.MustExec("DELETE FROM consents WHERE action = 'erased'")
		if report := a.verify(a.lines, len(a.lines)); !slices.ContainsFunc(report.Findings, func(f ledger.Finding) bool { return f.Kind == ledger.ErasureUnrecorded }) {
			t.Errorf("an erasure that is not on record: %+v", report.Findings)
		}
	})
}

func TestLedgerOfBeforeChains(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		a := newArchive(t, target, 2)
		a.grow(20)
		db := storetest.SQL(t, target)
		// As the migration leaves events of an older version.
		db.MustExec("DELETE FROM consents WHERE action = 'erased'")
		db.MustExec("UPDATE consents SET event = NULL, link = NULL, salt = NULL, personal = NULL, ip = '', agent = '', business = '', language = ''")
		db.MustExec("DELETE FROM consent_chains")
		if report := a.verify(nil, 0); report.Whole() {
			t.Error("events that no chain has were not found")
		}
		db.MustExec("UPDATE instance SET unchained = 1")
		if report := a.verify(nil, 0); !report.Whole() || len(report.Notes) == 0 {
			t.Errorf("events that wait for their chain: %+v", report)
		}
		var work sync.WaitGroup
		for _, s := range a.stores {
			work.Go(func() {
				if _, err := s.ChainOld(t.Context()); err != nil {
					t.Errorf("chaining: %v", err)
				}
			})
		}
		work.Wait()
		if report := a.verify(nil, 0); !report.Whole() || report.Events < 20 || len(report.Notes) > 0 {
			t.Errorf("after they were chained: %+v", report)
		}
		if n, err := a.stores[0].ChainOld(t.Context()); n != 0 || err != nil {
			t.Errorf("chained again: %d, %v", n, err)
		}
	})
}

func TestLedgerOfAnotherKey(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		a := newArchive(t, target, 1)
		stranger := storetest.Open(t, target)
		if _, err := stranger.ImportConsents(t.Context(), []scheduler.ConsentRecord{{Phone: mobile(1), Event: event(1)}}); err != nil {
			t.Fatal(err)
		}
		a.grow(10)
		report := a.verify(a.lines, len(a.lines))
		if len(report.Findings) != 1 || report.Findings[0].Kind != ledger.KeyUnknown {
			t.Errorf("a chain of a key that is not here: %+v", report.Findings)
		}
	})
}
