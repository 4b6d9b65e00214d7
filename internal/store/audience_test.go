package store_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

func TestAudiences(t *testing.T) {
	storetest.Databases(t, storetest.Audiences)
}

func reachOf(t *testing.T, filter string, segments map[string]string) scheduler.Reach {
	t.Helper()
	types := map[string]scheduler.AttributeType{"points": scheduler.AttributeNumber, "birthday": scheduler.AttributeDate, "secretkey": scheduler.AttributeNumber}
	audience, err := scheduler.ParseAudience(filter, types, segments)
	if err != nil {
		t.Fatalf("%s: %v", filter, err)
	}
	return scheduler.Reach{Audience: audience, Category: "secretcategory"}
}

// Nothing that somebody wrote into a filter is in a statement; it is all in the parameters.
func TestFiltersStayOutOfSQL(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		now := time.Now()
		for _, tt := range []struct{ filter, held string }{
			{`country = "IT"`, "IT"},
			{`language = "gsw-CH"`, "gsw-ch-"},
			{`timezone = "Europe/Rome"`, "Europe/Rome"},
			{`tags:"secret'tag"`, "secret'tag"},
			{`tags:"secret*"`, "secret"},
			{`external_id = "*secret"`, "secret"},
			{`external_id != "*secret*"`, "secret"},
			{`attributes.secretword = "$1"`, "$1"},
			{`attributes."secret'\") --" = "x"`, "secret"},
			{`attributes.secretkey > 987654321.123`, "987654321"},
			{`attributes.secretkey <= -987654321.123`, "123"},
			{`attributes.birthday != "1987-06-05"`, "1987-06-05"},
			{`sent_days = 98765`, ""},
			{`consent_days < 98765`, "secretcategory"},
			{`segment.secretname`, "secret"},
		} {
			query, args := store.MembersQuery(s, reachOf(t, tt.filter, map[string]string{"secretname": `tags:secret`}), now, policy.PersonID{}, policy.PersonID{0xff})
			if regexp.MustCompile(`(?i)secret|\bIT\b|gsw|Rome|98765|1987|\$"`).MatchString(query) {
				t.Errorf("%s is in the statement: %s", tt.filter, query)
			}
			if !strings.Contains(fmt.Sprint(args[2:]...), tt.held) {
				t.Errorf("%s: %q is not among the parameters %v", tt.filter, tt.held, args[2:])
			}
		}
	})
}

// However an audience asks, the contacts of a stretch are found by their keys, and what is looked up of each person by theirs.
func TestAudiencesWalkKeys(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		const people = 2500
		s, db := storetest.Open(t, target), storetest.SQL(t, target)
		contacts := make([]scheduler.ContactRecord, people)
		consents := make([]scheduler.ConsentRecord, people)
		event := policy.ConsentEvent{Category: "offers", Action: policy.Granted, At: given, Source: "paper", Wording: "Sì, scrivetemi."}
		for i := range contacts {
			number := phone.Number(fmt.Sprintf("+39347%07d", i))
			contacts[i] = scheduler.ContactRecord{Phone: number, Attributes: map[string]string{"points": fmt.Sprint(i)}, Number: scheduler.NumberFacts{Country: "IT"}}
			consents[i] = scheduler.ConsentRecord{Phone: number, Event: event}
		}
		importContacts(t, s, contacts...)
		if _, err := s.ImportConsents(t.Context(), consents); err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{
			"INSERT INTO runs (run_id, campaign_id, occurrence, state, fire_at, created_at) VALUES ('earlier', 'earlier', '1', 'done', 1, 1)",
			"INSERT INTO deliveries (run_id, person_id, state, queued_at, sending_at) SELECT 'earlier', person_id, 'sent', 1, 1 FROM contacts",
		} {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		var keys [][]byte
		if err := db.SelectContext(t.Context(), &keys, "SELECT person_id FROM contacts ORDER BY person_id LIMIT 600 OFFSET 1000"); err != nil {
			t.Fatal(err)
		}
		for _, filter := range []string{
			"", `country = "IT"`, `country != "FR" AND NOT tags:staff`, "attributes.points > 10 OR attributes.points:*", `attributes.birthday < "2000-01-01"`, "sent_days > 3", "delivered_days = 3", "consent_days < 30",
			"replied_days != 2", `(tags:vip OR segment.lately) AND NOT (language = "it" AND sent_days < 3)`,
		} {
			query, args := store.MembersQuery(s, reachOf(t, filter, map[string]string{"lately": "replied_days < 9"}), given, policy.PersonID(keys[0]), policy.PersonID(keys[len(keys)-1]))
			for _, fresh := range []bool{true, false} { // before and after the tables were looked at
				plan := explained(t, db, s.Database(), query, args)
				if !walksKeys(s.Database(), plan) {
					t.Errorf("%s, statistics made: %t:\n%s", filter, !fresh, plan)
				}
				if fresh && s.Database() == "postgres" {
					if _, err := db.ExecContext(t.Context(), "ANALYZE"); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	})
}

func explained(t *testing.T, db *sqlx.DB, database, query string, args []any) string {
	t.Helper()
	verb, column := "EXPLAIN QUERY PLAN ", 3
	if database == "postgres" {
		verb, column = "EXPLAIN ", 0
	}
	rows, err := db.QueryxContext(t.Context(), verb+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }() // the error that counts is rows.Err
	var plan []string
	for rows.Next() {
		line, err := rows.SliceScan()
		if err != nil {
			t.Fatal(err)
		}
		plan = append(plan, fmt.Sprintf("%s", line[column]))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}

// walksKeys reports whether no table of people is read whole.
func walksKeys(database, plan string) bool {
	if database == "postgres" {
		return regexp.MustCompile(`contacts_pkey`).MatchString(plan) && !regexp.MustCompile(`Seq Scan on (contacts|deliveries|consents|persons)`).MatchString(plan)
	}
	return strings.Contains(plan, "SEARCH c USING PRIMARY KEY (person_id>? AND person_id<?)") && !regexp.MustCompile(`SCAN (c|d|k|p)\b`).MatchString(plan)
}

// The largest filters that are read are not too large for a statement.
func TestLargestAudiences(t *testing.T) {
	wide, deep := map[string]string{}, map[string]string{"d0": "tags:vip"}
	var all []string
	for i := range 7 {
		var tests []string
		for n := range 140 {
			tests = append(tests, fmt.Sprintf("attributes.points = %d", i*140+n))
		}
		wide[fmt.Sprint("w", i)] = strings.Join(tests, " OR ")
		all = append(all, fmt.Sprint("segment.w", i))
	}
	for i := range 49 {
		deep[fmt.Sprint("d", i+1)] = fmt.Sprintf("NOT (tags:staff AND (attributes.points < %d OR segment.d%d))", i, i)
	}
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		importContacts(t, s, scheduler.ContactRecord{Phone: "+393471234501", Attributes: map[string]string{"points": "977"}},
			scheduler.ContactRecord{Phone: "+393471234502", Attributes: map[string]string{"points": "981"}})
		want := scheduler.Want{Now: given, Audiences: []scheduler.Reach{reachOf(t, strings.Join(all, " OR "), wide), reachOf(t, "segment.d49", deep)}}
		stretch, err := s.Range(t.Context(), policy.PersonID{}, 10, want)
		if err != nil {
			t.Fatal(err)
		}
		found := map[phone.Number][]bool{}
		for _, subject := range stretch.Subjects {
			found[subject.Contact.Phone] = subject.In
		}
		if diff := cmp.Diff(map[phone.Number][]bool{"+393471234501": {true, true}, "+393471234502": {false, true}}, found); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
		}
	})
}
