package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

// shop is a business with people and a number, whose sender, planner and watch work in a bubble of fake time.
type shop struct {
	t         *testing.T
	db        *store.Store
	catalogue templates.Catalogue
	people    int
	stopEvery int // each so many-th who gets a message opts out two seconds later; 0 is nobody

	mu    sync.Mutex
	sent  []reached
	later sync.WaitGroup
	stop  context.CancelFunc
	over  sync.WaitGroup
}

// reached is a message as it left.
type reached struct {
	to string
	at time.Time
}

const shopNumber = "111222333444"

func openShop(t *testing.T, people int) *shop {
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "permesso.db"))
	if err != nil {
		t.Fatal(err)
	}
	raw := []byte(`{"name":"offer","language":"it","status":"APPROVED","category":"MARKETING","components":[{"type":"BODY","text":"Ciao"}]}`)
	template, err := templates.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.SaveTemplates(t.Context(), []templates.Entry{{Raw: raw, Template: template}}); err != nil {
		t.Fatal(err)
	}
	place := scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome"}
	var contacts []scheduler.ContactRecord
	var consents []scheduler.ConsentRecord
	for i := range people {
		number := phone.Number(fmt.Sprintf("+39347%07d", i))
		contacts = append(contacts, scheduler.ContactRecord{Phone: number, Language: new("it"), Number: place})
		consents = append(consents, scheduler.ConsentRecord{Phone: number, Number: place, Event: policy.ConsentEvent{
			Category: "offers", Action: policy.Granted, At: time.Now().Add(-time.Hour), Source: "web_form", Wording: "Sì"}})
	}
	if _, err := db.ImportContacts(t.Context(), contacts); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ImportConsents(t.Context(), consents); err != nil {
		t.Fatal(err)
	}
	return &shop{t: t, db: db, catalogue: templates.NewCatalogue([]templates.Template{template}), people: people}
}

// Send takes the message; whoever opts out does so soon after.
func (s *shop) Send(_ context.Context, post sender.Post) sender.Result {
	var body struct {
		To string `json:"to"`
	}
	if err := json.Unmarshal(post.Body, &body); err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, reached{body.To, time.Now()})
	n := len(s.sent)
	if s.stopEvery > 0 && n%s.stopEvery == 0 {
		s.later.Go(func() {
			time.Sleep(2 * time.Second)
			act := policy.Act{Kind: policy.ActStop, Identity: policy.Identity{Phone: phone.Number(body.To)}, Scope: policy.ScopeAll, Origin: policy.OriginKeyword, At: time.Now(), MessageID: "wamid.stop"}
			if _, err := s.db.Store(context.Background(), []sender.Inbox{{Acts: []policy.Act{act}}}); err != nil {
				s.t.Error(err)
			}
		})
	}
	return sender.Result{Fate: sender.Taken, WAMID: fmt.Sprintf("wamid.%d", n)}
}

// open starts a process: planner, sender and the watch of runs.
func (s *shop) open(name string) {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	log := slog.New(slog.DiscardHandler)
	planner := &scheduler.Planner{
		Store: s.db, Open: s.db, Move: s.db, Leases: s.db, Holder: name, Rate: func(string) float64 { return 40 }, Logger: log,
		Catalogue: func(context.Context) (templates.Catalogue, error) { return s.catalogue, nil }, Configured: func(string) string { return "" },
	}
	s.over.Go(func() { _ = planner.Run(ctx) })
	line := sender.New(sender.Options{
		NumberID: shopNumber, PerSecond: 40, Holder: name, Instance: s.db.Instance(), Client: s, Ledger: s.db, Runs: s.db, Leases: s.db, Shelf: s.db, Logger: log,
		Bind: func(_ context.Context, run sender.Run) (sender.Binding, error) { return sender.Bind(run, s.catalogue) },
	})
	s.over.Go(func() { _ = line.Run(ctx) })
	w := watcher{App: &App{Store: s.db, Log: log}}
	s.over.Go(func() {
		for sender.Sleep(ctx, lookAtBreakers) {
			if err := w.watchRuns(ctx); err != nil && ctx.Err() == nil {
				s.t.Error(err)
			}
		}
	})
}

func (s *shop) close() {
	s.stop()
	s.over.Wait()
	s.later.Wait()
}

// run makes a run of a campaign.
func (s *shop) run(id string, change func(*scheduler.Campaign)) string {
	c := scheduler.Campaign{ID: id, Category: "offers", Number: shopNumber, Zone: "Europe/Rome", Message: templates.Message{Template: "offer", Languages: []string{"it"}}}
	change(&c)
	rules := policy.Rules{Categories: map[string]policy.Category{"offers": {ID: "offers", Kind: policy.Marketing}}, Lots: s.db.Lots(), Locations: policy.NewLocations()}
	run, err := scheduler.NewRun(scheduler.Frozen{Rules: rules, Campaign: c}, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	run.Manual = true
	run, _, err = s.db.CreateRun(s.t.Context(), run)
	if err != nil {
		s.t.Fatal(err)
	}
	return run.ID
}

// await looks at the run until it is as wanted, for so long at most.
func (s *shop) await(id string, most time.Duration, is func(scheduler.Run) bool) scheduler.Run {
	s.t.Helper()
	for deadline := time.Now().Add(most); ; time.Sleep(time.Second) {
		run, err := s.db.Run(context.Background(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		if is(run) {
			return run
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("after %s the run is %s (%s), wave %d", most, run.State, run.Why, run.Wave)
		}
	}
}

// waves splits what was sent by the wave that each person is drawn for.
func (s *shop) waves(id string) (first, last [3]time.Time, count [3]int) {
	run, err := s.db.Run(context.Background(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	ask := run.Ask()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.sent {
		people, err := s.db.Find(context.Background(), phone.Number(m.to))
		if err != nil || len(people) != 1 {
			s.t.Fatal(people, err)
		}
		k := s.db.Lots().Wave(people[0], &ask)
		if count[k] == 0 {
			first[k] = m.at
		}
		last[k] = m.at
		count[k]++
	}
	return first, last, count
}

func inWaves(c *scheduler.Campaign) {
	c.Waves = []policy.Share{150_000, 400_000}
	c.Guard = &policy.Guard{OptOutsPer1000: new(15.0), Failures: new(policy.Share(100_000))}
}

// A campaign that every fifth person answers with a stop ends within its first wave; a person may have it go on.
func TestABadCampaignStopsWithinItsFirstWave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShop(t, 400)
		defer func() { _ = s.db.Close() }()
		s.stopEvery = 5
		s.open("one")
		id := s.run("bad", inWaves)
		run := s.await(id, time.Hour, func(r scheduler.Run) bool { return r.State == scheduler.Paused })
		if !strings.Contains(run.Why, "opted out") || !strings.Contains(run.Why, "the guard allows 15 (opt_outs_per_1000)") || run.PausedBy != "campaign bad" {
			t.Errorf("paused by %q: %s", run.PausedBy, run.Why)
		}
		if _, _, count := s.waves(id); count[1]+count[2] > 0 || count[0] < 30 || run.Wave != 0 {
			t.Errorf("it stopped in wave %d, after %v messages of each wave", run.Wave+1, count)
		}
		// Somebody has mended it: what was before is not judged again.
		s.stopEvery = 0
		if err := s.db.MoveRun(t.Context(), id, scheduler.Running, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if run, err := s.db.Run(t.Context(), id); err != nil || run.State != scheduler.Running {
			t.Errorf("resumed, it is %s (%s), %v", run.State, run.Why, err)
		}
		s.close()
	})
}

// A run keeps to its waves, whoever sends it: each begins when the one before was watched, also after a takeover.
func TestARunGoesOutInWaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openShop(t, 300)
		defer func() { _ = s.db.Close() }()
		s.open("one")
		id := s.run("good", inWaves)
		run := s.await(id, time.Hour, func(r scheduler.Run) bool { return !r.WaveOver.IsZero() })
		if says := run.WaveSays(func(t time.Time) string { return t.Format(time.TimeOnly) }); !strings.HasPrefix(says, "wave 1 of 2, up to 15% of its people, was sent by") {
			t.Errorf("it says %q", says)
		}
		s.close()
		s.open("two")
		s.await(id, time.Hour, func(r scheduler.Run) bool { return r.Wave == 1 })
		s.close()
		s.open("three")
		run = s.await(id, time.Hour, func(r scheduler.Run) bool { return r.State == scheduler.Done })
		s.close()
		first, last, count := s.waves(id)
		if count[0]+count[1]+count[2] != s.people || count[0] < 20 || count[1] < 40 {
			t.Fatalf("%v people of the waves", count)
		}
		for k := 1; k < 3; k++ {
			if gap := first[k].Sub(last[k-1]); gap < policy.WaveWatch || gap > policy.WaveWatch+90*time.Second {
				t.Errorf("wave %d begins %s after the one before, want %s", k+1, gap, policy.WaveWatch)
			}
		}
		if took := run.FinishedAt.Sub(run.FireAt); run.Plan.FinishAt.IsZero() || took > 15*time.Minute || run.Plan.Waves[0].People != count[0] || run.Plan.Waves[2].People != count[2] {
			t.Errorf("it took %s; the plan is %+v", took, run.Plan)
		}
	})
}
