package storetest

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// Audiences holds the reading of key ranges to what scheduler says that filters mean: for each filter the people whom the
// database finds are those whom scheduler.Reach.Has finds in the same facts.
func Audiences(t *testing.T, target string) {
	a := newAudiences(t, target)
	t.Run("hard cases", a.hardCases)
	t.Run("days", a.hardTimes)
	t.Run("stretches", a.stretches)
	t.Run("as scheduler has it", a.asSchedulerHasIt)
}

// audiences is an empty store whose rows the test writes itself: through the store's own doors some of them could not come about.
type audiences struct {
	store *store.Store
	db    *sqlx.DB
}

func newAudiences(t *testing.T, target string) audiences {
	a := audiences{store: Open(t, target), db: SQL(t, target)}
	a.db.SetMaxOpenConns(1)
	relaxed := "SET synchronous_commit = off"
	if a.store.Database() == "sqlite" {
		relaxed = "PRAGMA synchronous = OFF"
	}
	a.exec(t, a.db, relaxed)
	for _, run := range []struct {
		id   string
		test int
	}{{"real", 0}, {"other", 0}, {"trial", 1}} {
		a.exec(t, a.db, `INSERT INTO runs (run_id, campaign_id, occurrence, state, category, kind, test, fire_at, created_at)
			VALUES ($1, 'earlier', $1, 'done', 'offers', 'marketing', $2, 1, 1)`, run.id, run.test)
	}
	return a
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func (a audiences) exec(t fataler, db sqlx.Execer, query string, args ...any) {
	t.Helper()
	if _, err := db.Exec(query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// somebody is a contact as the database has them; times are microseconds since 1970, 0 is NULL.
type somebody struct {
	country, language, zone, externalID, tags string
	attributes                                map[string]string
	consents                                  []consented
	deliveries                                []delivery
	replied                                   int64
	// sentBefore and deliveredBefore are what is left of deliveries that were deleted by their age.
	sentBefore, deliveredBefore int64
}

type consented struct {
	category string
	action   policy.Action
	at       int64
}

type delivery struct {
	run                      string
	state                    string
	sending, delivered, read int64
}

// personID is that of the n-th person.
func personID(n int) policy.PersonID {
	var id policy.PersonID
	binary.BigEndian.PutUint64(id[8:], uint64(n+1))
	return id
}

// write replaces everybody.
func (a audiences) write(t fataler, people []somebody) {
	t.Helper()
	tx, err := a.db.Beginx()
	if err != nil {
		t.Fatalf("beginning: %v", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit there is nothing to undo
	for _, table := range []string{"contacts", "persons", "consents", "deliveries"} {
		a.exec(t, tx, "DELETE FROM "+table)
	}
	for n, p := range people {
		id := personID(n)
		attributes, err := json.Marshal(p.attributes)
		if err != nil {
			t.Fatalf("writing attributes: %v", err)
		}
		a.exec(t, tx, `INSERT INTO contacts (person_id, phone, country, language, timezone, external_id, tags, attributes, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, 1)`, id[:], "+39347"+id.String()[29:], p.country, p.language, p.zone, p.externalID, p.tags, string(attributes))
		a.exec(t, tx, "INSERT INTO persons (person_id, replied_at, sent_at, delivered_at) VALUES ($1, $2, $3, $4)", id[:], nullable(p.replied), nullable(p.sentBefore), nullable(p.deliveredBefore))
		for i, c := range p.consents {
			a.exec(t, tx, `INSERT INTO consents (person_id, category, at, event_id, action, source, recorded_at) VALUES ($1, $2, $3, $4, $5, 'paper', 1)`,
				id[:], c.category, c.at, []byte{byte(i)}, string(c.action))
		}
		for _, d := range p.deliveries {
			a.exec(t, tx, `INSERT INTO deliveries (run_id, person_id, state, queued_at, sending_at, delivered_at, read_at) VALUES ($1, $2, $3, 1, $4, $5, $6)`,
				d.run, id[:], d.state, nullable(d.sending), nullable(d.delivered), nullable(d.read))
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatalf("committing: %v", err)
	}
}

func nullable(micros int64) any {
	if micros == 0 {
		return nil
	}
	return micros
}

func moment(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// subject is somebody as scheduler judges them, told apart from what the store reads.
func (p somebody) subject(n int) scheduler.Subject {
	s := scheduler.Subject{Contact: scheduler.Contact{
		PersonID: personID(n), Country: p.country, Language: p.language, Zone: p.zone, ExternalID: p.externalID,
		Tags: strings.Split(p.tags, ";"), Attributes: p.attributes, RepliedAt: moment(p.replied), SentAt: moment(p.sentBefore), DeliveredAt: moment(p.deliveredBefore),
	}}
	for _, c := range p.consents {
		if s.Person.Consents == nil {
			s.Person.Consents = map[string]policy.Consent{}
		}
		s.Person.Consents[c.category] = s.Person.Consents[c.category].After(policy.Consent{Action: c.action, At: moment(c.at)})
	}
	for _, d := range p.deliveries {
		if d.run == "trial" || d.sending == 0 || !slices.Contains([]string{"sending", "unknown", "accepted", "held", "sent", "delivered", "read"}, d.state) {
			continue
		}
		s.Contact.SentAt = later(s.Contact.SentAt, moment(d.sending))
		s.Contact.DeliveredAt = later(s.Contact.DeliveredAt, moment(cmp.Or(d.delivered, d.read)))
	}
	return s
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// read walks all contacts in stretches and returns whom it found, in order.
func (a audiences) read(t fataler, limit int, want scheduler.Want) []scheduler.Subject {
	t.Helper()
	var all []scheduler.Subject
	var after policy.PersonID
	for {
		stretch, err := a.store.Range(contextOf(t), after, limit, want)
		if err != nil {
			t.Fatalf("Range: %v", err)
		}
		for _, s := range stretch.Subjects {
			if id := s.Contact.PersonID; id.String() <= after.String() || id.String() > stretch.Last.String() {
				t.Fatalf("%s is not after %s and up to %s", id, after, stretch.Last)
			}
		}
		all = append(all, stretch.Subjects...)
		if stretch.Done {
			return all
		}
		if stretch.Last.String() <= after.String() {
			t.Fatalf("Range does not go on after %s", after)
		}
		after = stretch.Last
	}
}

// found are the places of the people whom the database has for each reach.
func (a audiences) found(t fataler, limit int, now time.Time, reaches ...scheduler.Reach) [][]int {
	t.Helper()
	found := make([][]int, len(reaches))
	for _, s := range a.read(t, limit, scheduler.Want{Categories: []string{"offers", "news"}, SendsSince: now.AddDate(0, 0, -7), Audiences: reaches, Now: now}) {
		if len(s.In) != len(reaches) || !slices.Contains(s.In, true) {
			t.Fatalf("a subject is in %v of %d audiences", s.In, len(reaches))
		}
		for i, in := range s.In {
			if in {
				found[i] = append(found[i], int(binary.BigEndian.Uint64(s.Contact.PersonID[8:]))-1)
			}
		}
	}
	return found
}

func (a audiences) asSchedulerHasIt(t *testing.T) {
	pairs, matches := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		people := rapid.SliceOfN(rapid.Custom(drawSomebody), 8, 20).Draw(rt, "people")
		a.write(rt, people)
		now := audienceNow.Add(time.Duration(rapid.Int64Range(-3, 3).Draw(rt, "nanoseconds")))
		var reaches []scheduler.Reach
		for range rapid.IntRange(4, 8).Draw(rt, "filters") {
			segments := drawSegments(rt)
			filter := drawFilter(rt, 3, len(segments))
			audience, err := scheduler.ParseAudience(filter, audienceTypes, segments)
			if err != nil && (strings.Contains(err.Error(), "finds nobody") || strings.Contains(err.Error(), "longer than")) {
				continue
			}
			if err != nil {
				rt.Fatalf("%s: %v", filter, err)
			}
			reaches = append(reaches, scheduler.Reach{Audience: audience, Category: rapid.SampledFrom([]string{"offers", "news"}).Draw(rt, "category")})
		}
		found := a.found(rt, rapid.IntRange(1, 30).Draw(rt, "limit"), now, reaches...)
		for i, reach := range reaches {
			for n, p := range people {
				pairs++
				got, want := slices.Contains(found[i], n), reach.Has(p.subject(n), now)
				if got != want {
					rt.Fatalf("%s\nperson %+v\nthe database has them: %t, scheduler: %t", reach.Audience, p, got, want)
				}
				if want {
					matches++
				}
			}
		}
	})
	t.Logf("%s answered for %d pairs of a filter and a contact, %d of them with yes", a.store.Database(), pairs, matches)
}

// stretches reads a table whose people are found densely and thinly: the facts beside them are the same.
func (a audiences) stretches(t *testing.T) {
	people := make([]somebody, 100)
	for n := range people {
		people[n] = somebody{country: "IT", consents: []consented{{"offers", policy.Granted, audienceNow.UnixMicro()}},
			deliveries: []delivery{{"real", "sent", audienceNow.UnixMicro(), 0, 0}, {"other", "sent", audienceNow.UnixMicro() - 1, 0, 0}}}
		if n%20 == 3 {
			people[n].tags, people[n].country = "rare", "FR"
		}
	}
	a.write(t, people)
	audience := func(filter string) scheduler.Reach {
		parsed, err := scheduler.ParseAudience(filter, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return scheduler.Reach{Audience: parsed, Category: "offers"}
	}
	want := scheduler.Want{Categories: []string{"offers"}, SendsSince: audienceNow.Add(-time.Hour), Planning: []string{"other"}, Activity: true, Audiences: []scheduler.Reach{audience("")}, Now: audienceNow}
	everybody := map[policy.PersonID]policy.Person{}
	for _, s := range a.read(t, 7, want) {
		if len(s.Person.Sends) != 1 || s.Person.Consents["offers"].Action != policy.Granted || !s.Person.SuppressionsRead {
			t.Fatalf("the facts of %s are %+v", s.Contact.PersonID, s.Person)
		}
		everybody[s.Contact.PersonID] = s.Person
	}
	for _, tt := range []struct {
		name    string
		limit   int
		reaches []scheduler.Reach
		found   int
	}{
		{"everyone", 30, []scheduler.Reach{audience("")}, 100},
		{"in one stretch that ends with the last", 100, []scheduler.Reach{audience("")}, 100},
		{"a few", 30, []scheduler.Reach{audience("tags:rare")}, 5},
		{"a few in short stretches", 2, []scheduler.Reach{audience("tags:rare")}, 5},
		{"most", 30, []scheduler.Reach{audience(`country = "IT"`)}, 95},
		{"two that part the people", 30, []scheduler.Reach{audience("tags:rare"), audience(`country = "IT"`)}, 100},
		{"two of one filter", 30, []scheduler.Reach{audience("tags:rare"), audience("tags:rare")}, 5},
		{"two of one shape", 30, []scheduler.Reach{audience("sent_days < 2"), audience("sent_days < 0")}, 100},
		{"nobody", 30, []scheduler.Reach{audience("tags:unknown")}, 0},
		{"an audience that was never parsed", 30, []scheduler.Reach{{}}, 0},
		{"no audience", 30, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want.Audiences = tt.reaches
			subjects := a.read(t, tt.limit, want)
			if len(subjects) != tt.found {
				t.Fatalf("%d people, want %d", len(subjects), tt.found)
			}
			for _, s := range subjects {
				if !reflect.DeepEqual(s.Person, everybody[s.Contact.PersonID]) {
					t.Errorf("the facts of %s differ: %+v, want %+v", s.Contact.PersonID, s.Person, everybody[s.Contact.PersonID])
				}
				for i, reach := range tt.reaches {
					if s.In[i] != reach.Has(s, audienceNow) {
						t.Errorf("%s is in audience %d: %t", s.Contact.PersonID, i, s.In[i])
					}
				}
			}
		})
	}
}
