package storetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

func testKeys(w *world) {
	hash := sha256.Sum256([]byte("pk_one"))
	until := time.Now().Add(time.Hour).Truncate(time.Microsecond).UTC()
	made, err := w.store.CreateKey(w.ctx, report.Key{Name: "shop", Scopes: []report.Scope{report.ScopeConsents, report.ScopeLog}, CreatedBy: "ada", ExpiresAt: report.Time{Time: until}}, hash)
	w.must(err)
	if made.CreatedAt.IsZero() || !made.May(report.ScopeLog) || made.May(report.ScopeRuns) || !made.Opens(time.Now()) || made.Opens(until) {
		w.Errorf("made is %+v", made)
	}
	if _, err := w.store.CreateKey(w.ctx, report.Key{Name: "shop"}, sha256.Sum256([]byte("pk_two"))); !errors.Is(err, store.ErrKeyThere) {
		w.Errorf("the same name again: %v", err)
	}
	read := func() report.Key {
		w.Helper()
		key, found, err := w.store.KeyOf(w.ctx, hash)
		w.must(err)
		if !found {
			w.Fatal("the key is not found")
		}
		return key
	}
	if got := read(); !cmp.Equal(got, made) {
		w.Errorf("read is %+v", got)
	}
	if _, found, err := w.store.KeyOf(w.ctx, sha256.Sum256([]byte("pk_two"))); err != nil || found {
		w.Errorf("another key: %v %v", found, err)
	}
	now := time.Now().Truncate(time.Hour) // and a minute later is in the same one
	w.must(w.store.KeyUsed(w.ctx, read(), now))
	w.must(w.store.KeyUsed(w.ctx, read(), now.Add(time.Minute)))
	if got := read().LastUsed; !got.Equal(now) {
		w.Errorf("last used %s", got)
	}
	revoked, err := w.store.RevokeKey(w.ctx, "shop", "bob")
	w.must(err)
	if again, err := w.store.RevokeKey(w.ctx, "shop", "bob"); err != nil || revoked.Opens(now) || !cmp.Equal(again, revoked) || !cmp.Equal(read(), revoked) {
		w.Errorf("revoked is %+v, then %+v, %v", revoked, again, err)
	}
	if _, err := w.store.RevokeKey(w.ctx, "none", "bob"); !errors.Is(err, store.ErrNoKey) {
		w.Errorf("no key: %v", err)
	}
	if _, err := w.store.CreateKey(w.ctx, report.Key{Name: "shop"}, sha256.Sum256([]byte("pk_two"))); !errors.Is(err, store.ErrKeyThere) {
		w.Errorf("the name of a revoked key: %v", err)
	}
	if keys, err := w.store.Keys(w.ctx); err != nil || !cmp.Equal(keys, []report.Key{revoked}) {
		w.Errorf("listed are %+v, %v", keys, err)
	}
	if w.audited("keys.create") != 1 || w.audited("keys.revoke") != 1 {
		w.Error("the audit log has not one line for each act")
	}
}

// asked is a request of a program's.
func asked(id, says string) report.Request {
	return report.Request{Key: report.Key{Name: "shop"}, ID: id, Hash: sha256.Sum256([]byte(says))}
}

// told is an answer that tells what became of each record.
func told(fates []report.Fate) report.Answer {
	return report.Answer{Status: 201, Body: fmt.Appendf(nil, "%+v", fates)}
}

func (w *world) agreed(p person, action policy.Action, ago time.Duration) scheduler.ConsentRecord {
	return scheduler.ConsentRecord{Phone: p.phone, Event: policy.ConsentEvent{Category: "offers", Action: action, At: time.Now().Add(-ago), Source: "web_form", Wording: "Sì, scrivetemi", IP: "192.0.2.7"}}
}

func testSubmissions(w *world) {
	people := w.people(2)
	w.act(stop(people[1], policy.ScopeAll, time.Now()))
	stranger := person{phone: "+393479999999"}
	records := []scheduler.ConsentRecord{w.agreed(people[0], policy.Revoked, time.Minute), w.agreed(people[1], policy.Granted, time.Minute), w.agreed(stranger, policy.Pending, time.Minute)}
	records = append(records, records[0])
	var fates []report.Fate
	submit := func(request report.Request, records ...scheduler.ConsentRecord) (report.Answer, error) {
		return w.store.SubmitConsents(w.ctx, request, records, func(f []report.Fate) report.Answer { fates = f; return told(f) })
	}
	first, err := submit(asked("a", "x"), records...)
	w.must(err)
	code := fates[2].Code
	if want := []report.Fate{{New: true}, {New: true, Stops: []policy.Scope{policy.ScopeAll}}, {New: true, Code: code}, {}}; code == "" || !cmp.Equal(fates, want) {
		w.Errorf("%+v, want %+v", fates, want)
	}
	stranger.id = w.find(stranger.phone)
	for i, p := range []person{people[0], people[1], stranger} {
		events := offers(w, p)
		last := events[len(events)-1]
		if last.Actor != "key:shop" || last.Action != records[i].Event.Action || last.IP != "192.0.2.7" {
			w.Errorf("%d: the ledger ends with %+v", i, last)
		}
	}
	if len(w.suppressed(people[1].phone)) != 1 || !w.suppressed(people[1].phone)[0].Active() {
		w.Error("a consent that a program sent lifted a stop")
	}
	fates = nil
	if again, err := submit(asked("a", "x"), records...); err != nil || !cmp.Equal(again, first) || fates != nil {
		w.Errorf("the same request again: %+v, %v", again, err)
	}
	if _, err := submit(asked("a", "y"), records...); !errors.Is(err, report.ErrOtherRequest) {
		w.Errorf("another request of that id: %v", err)
	}
	other := asked("a", "y")
	other.Key.Name = "crm"
	if _, err := submit(other, records[0]); err != nil || !cmp.Equal(fates, []report.Fate{{}}) {
		w.Errorf("the id of another key's request: %+v, %v", fates, err)
	}
	if _, err := submit(asked("", "z"), records...); err != nil || len(fates) != 4 || fates[0].New {
		w.Errorf("without an id: %+v, %v", fates, err)
	}
	if fates[2].New || fates[2].Code != code {
		w.Errorf("what was pending already is %+v, and its code is %s", fates[2], code)
	}
	ahead := w.agreed(stranger, policy.Pending, -40*time.Second) // the program's clock is
	if _, err := submit(asked("", "ahead"), ahead); err != nil || fates[0].Code == "" || fates[0].Code == code {
		w.Errorf("another one that is pending: %+v, %v", fates, err)
	}
	w.sendCode(fates[0].Code, policy.Identity{Phone: stranger.phone}, time.Now().Truncate(time.Second))
	if found, _, err := w.store.Personal(w.ctx, stranger.id); err != nil || found.Standing["offers"].Action != policy.Confirmed {
		w.Errorf("what the person confirmed, by a clock behind the program's, is %+v, %v", found.Standing["offers"], err)
	}
	if _, err := submit(asked("", "ahead"), ahead); err != nil || fates[0].New || fates[0].Code != "" && fates[0].Code != code {
		w.Errorf("what is confirmed is pending: %+v, %v", fates, err)
	}
	if _, err := submit(asked("none", "z")); err != nil || len(fates) != 0 {
		w.Errorf("nothing: %+v, %v", fates, err)
	}
	if _, err := submit(asked("undated", "z"), scheduler.ConsentRecord{Phone: people[0].phone, Event: policy.ConsentEvent{Category: "offers", Action: policy.Granted}}); !errors.Is(err, store.ErrUndated) {
		w.Errorf("undated: %v", err)
	}
	if _, err := submit(asked("undated", "mended"), records[0]); err != nil {
		w.Errorf("a request that failed is remembered: %v", err)
	}
	w.submitContacts(people, stranger)
}

func (w *world) submitContacts(people []person, stranger person) {
	w.Helper()
	name := func(p person, name string) scheduler.ContactRecord {
		return scheduler.ContactRecord{Phone: p.phone, Name: new(name)}
	}
	var fates []report.Fate
	records := []scheduler.ContactRecord{name(people[0], "Ada"), name(people[1], "Bea"), name(stranger, "Eva"), name(stranger, "Ina")}
	for round, want := range [][]report.Fate{{{}, {New: true}, {New: true}, {New: true}}, {{}, {}, {}, {}}} {
		if _, err := w.store.SubmitContacts(w.ctx, asked(fmt.Sprint(round), "x"), records, func(f []report.Fate) report.Answer { fates = f; return told(f) }); err != nil || round == 1 && !cmp.Equal(fates, want) {
			w.Errorf("%d: %+v, %v", round, fates, err)
		}
		if !fates[1].New && round == 0 || !fates[2].New && round == 0 {
			w.Errorf("%d: %+v", round, fates)
		}
	}
	if w.audited("contacts.add") != 1 {
		w.Error("the audit log has not one line for what a program added")
	}
}

// testSubmissionRaces has one request come many times at once, beside others about the same people.
func testSubmissionRaces(w *world) {
	people := w.people(4)
	var records []scheduler.ConsentRecord
	for _, p := range people {
		records = append(records, w.agreed(p, policy.Revoked, time.Minute))
	}
	var did, all sync.WaitGroup
	var worked atomic.Int32
	answers := make([]report.Answer, 8)
	did.Add(1)
	for i := range answers {
		all.Go(func() {
			did.Wait()
			request := asked("same", "x")
			if i%4 == 3 {
				request = asked(fmt.Sprint(i), "x")
			}
			var err error
			answers[i], err = w.store.SubmitConsents(w.ctx, request, records, func(f []report.Fate) report.Answer {
				if f[0].New {
					worked.Add(1)
				}
				return told(f)
			})
			if err != nil {
				w.Error(err)
			}
		})
	}
	did.Done()
	all.Wait()
	for i, got := range answers {
		if i%4 != 3 && !cmp.Equal(got, answers[0]) {
			w.Errorf("%d was answered %s, and the first %s", i, got.Body, answers[0].Body)
		}
	}
	if worked.Load() < 1 {
		w.Error("nobody's events were new")
	}
	for _, p := range people {
		if events := offers(w, p); len(events) != 2 {
			w.Errorf("a person has %d events, want the consent and one refusal", len(events))
		}
	}
}
