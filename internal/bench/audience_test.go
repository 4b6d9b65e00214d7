package bench

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/templates"
)

// BenchmarkAudience counts a plan over 200,000 contacts who consented and were written to once or twice, for audiences of
// different sizes and costs.
func BenchmarkAudience(b *testing.B) {
	const people = 200_000
	b.Run("sqlite", func(b *testing.B) { benchmarkAudience(b, sqliteDatabase, people) })
	b.Run("postgres", func(b *testing.B) { benchmarkAudience(b, postgresDatabase, people) })
}

func benchmarkAudience(b *testing.B, database func(testing.TB) string, people int) {
	target := database(b)
	s, err := store.Open(b.Context(), target)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	now := time.Now()
	populate(b, s, people, now)
	deliver(b, target, now)
	for _, audience := range []struct{ name, filter string }{
		{"everyone", ""},
		{"nine_tenths", `country = "IT"`},
		{"a_tenth", `country = "FR"`},
		{"a_hundredth", `tags:rare`},
		{"a_number", "attributes.points >= 270"},
		{"a_date", `attributes.birthday < "1970-01-01"`},
		{"long_ago", "sent_days > 5"},
		{"several", `country = "IT" AND language = "it" AND (attributes.points >= 270 OR tags:rare) AND NOT sent_days < 5`},
	} {
		b.Run(audience.name, func(b *testing.B) {
			var matched int
			var rounds []float64
			for b.Loop() {
				began := time.Now()
				plans, err := scheduler.MakePlans(b.Context(), s, nil, []*scheduler.Draft{drafted(b, audience.filter, now)}, now)
				if err != nil {
					b.Fatal(err)
				}
				matched, rounds = plans[0].Matched, append(rounds, float64(time.Since(began).Milliseconds()))
			}
			b.ReportMetric(float64(matched), "matched")
			b.ReportMetric(slices.Min(rounds), "ms/fastest")
			b.ReportMetric(median(rounds), "ms/median")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func drafted(b *testing.B, filter string, now time.Time, change ...func(*scheduler.Frozen)) *scheduler.Draft {
	b.Helper()
	frozen := scheduler.Frozen{
		Rules:      policy.Rules{Categories: map[string]policy.Category{"offers": {ID: "offers", Kind: policy.Marketing}}, Caps: []policy.Cap{{Max: 1, Per: 24 * time.Hour, Kind: policy.Marketing}}},
		Attributes: map[string]scheduler.AttributeType{"points": scheduler.AttributeNumber, "birthday": scheduler.AttributeDate},
		Campaign: scheduler.Campaign{ID: "weekend-offer", Category: "offers", Audience: filter, Number: numberID, Zone: "Europe/Rome",
			Message: templates.Message{Template: "weekend_offer", Languages: []string{"it"}}},
	}
	for _, f := range change {
		f(&frozen)
	}
	run, err := scheduler.NewRun(frozen, now)
	if err != nil {
		b.Fatal(err)
	}
	template, err := templates.Parse([]byte(`{"name":"weekend_offer","language":"it","status":"APPROVED","category":"MARKETING","components":[{"type":"BODY","text":"Ciao"}]}`))
	if err != nil {
		b.Fatal(err)
	}
	draft, err := scheduler.NewDraft(run, templates.NewCatalogue([]templates.Template{template}), 80)
	if err != nil {
		b.Fatal(err)
	}
	return draft
}

func populate(b *testing.B, s *store.Store, people int, now time.Time) {
	b.Helper()
	granted := policy.ConsentEvent{Category: "offers", Action: policy.Granted, At: now.AddDate(0, -2, 0), Source: "web_form", Wording: "Sì, scrivetemi"}
	const chunk = 10_000
	for from := 0; from < people; from += chunk {
		contacts, consents := make([]scheduler.ContactRecord, chunk), make([]scheduler.ConsentRecord, chunk)
		for i := range chunk {
			n := from + i
			number, place := phone.Number(fmt.Sprintf("+39347%07d", n)), scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome"}
			if n%10 == 0 {
				place = scheduler.NumberFacts{Country: "FR", Zones: []string{"Europe/Paris"}, MainZone: "Europe/Paris"}
			}
			var tags []string
			if n%4 == 0 {
				tags = append(tags, "club", "newsletter")
			}
			if n%100 == 7 {
				tags = append(tags, "rare")
			}
			contacts[i] = scheduler.ContactRecord{Phone: number, Name: new(fmt.Sprintf("Giulia %d", n)), Language: new("it"), Tags: tags, Number: place,
				Attributes: map[string]string{"coupon": fmt.Sprint("A", n), "points": fmt.Sprint(n * 7 % 300), "birthday": fmt.Sprintf("%d-%02d-%02d", 1940+n%70, 1+n%12, 1+n%28), "city": "Roma"}}
			consents[i] = scheduler.ConsentRecord{Phone: number, Event: granted, Number: place}
		}
		if _, err := s.ImportContacts(b.Context(), contacts); err != nil {
			b.Fatal(err)
		}
		if _, err := s.ImportConsents(b.Context(), consents); err != nil {
			b.Fatal(err)
		}
	}
}

// deliver writes two earlier runs: everybody ten days ago, every other person two days ago.
func deliver(b *testing.B, target string, now time.Time) {
	b.Helper()
	driver, source := "postgres", target
	if path, ok := strings.CutPrefix(target, "sqlite:"); ok {
		driver, source = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, earlier := range []struct {
		run   string
		days  int
		where string
	}{{"run-1", 10, "true"}, {"run-2", 2, "phone LIKE '%0' OR phone LIKE '%2' OR phone LIKE '%4' OR phone LIKE '%6' OR phone LIKE '%8'"}} {
		at := now.AddDate(0, 0, -earlier.days).UnixMicro()
		for _, statement := range []string{
			fmt.Sprintf(`INSERT INTO runs (run_id, campaign_id, occurrence, state, category, kind, fire_at, created_at) VALUES ('%s', 'earlier', '%s', 'done', 'offers', 'marketing', %d, %d)`, earlier.run, earlier.run, at, at),
			fmt.Sprintf(`INSERT INTO deliveries (run_id, person_id, state, queued_at, sending_at, accepted_at, delivered_at, wamid, attempt_id)
				SELECT '%s', person_id, 'delivered', %d, %d, %d, %d, NULL, NULL FROM contacts WHERE %s`, earlier.run, at, at, at, at, earlier.where),
		} {
			if _, err := db.ExecContext(context.Background(), statement); err != nil {
				b.Fatal(err)
			}
		}
	}
	if driver == "postgres" {
		if _, err := db.Exec("ANALYZE"); err != nil {
			b.Fatal(err)
		}
	}
}
