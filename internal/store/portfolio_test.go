package store_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

// crowd is people with consent, and runs in which all of them wait.
type crowd struct {
	people []policy.PersonID
	made   uint64
}

func newCrowd(t *testing.T, s *store.Store, n int) *crowd {
	t.Helper()
	raw := []byte(`{"name":"offer","language":"it","status":"APPROVED","category":"MARKETING","components":[{"type":"BODY","text":"Ciao"}]}`)
	template, err := templates.Parse(raw)
	must(t, err)
	must(t, s.SaveTemplates(t.Context(), []templates.Entry{{Raw: raw, Template: template}}))
	place := scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome"}
	var contacts []scheduler.ContactRecord
	var consents []scheduler.ConsentRecord
	for i := range n {
		number := phone.Number(fmt.Sprintf("+39347%07d", i))
		contacts = append(contacts, scheduler.ContactRecord{Phone: number, Language: new("it"), Number: place})
		consents = append(consents, scheduler.ConsentRecord{Phone: number, Number: place, Event: policy.ConsentEvent{
			Category: "offers", Action: policy.Granted, At: time.Now().Add(-time.Hour), Source: "web_form", Wording: "Sì"}})
	}
	_, err = s.ImportContacts(t.Context(), contacts)
	must(t, err)
	_, err = s.ImportConsents(t.Context(), consents)
	must(t, err)
	c := &crowd{}
	for _, contact := range contacts {
		found, err := s.Find(t.Context(), contact.Phone)
		must(t, err)
		c.people = append(c.people, found...)
	}
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run makes a run in which everybody waits, and returns their rows as they are read ahead.
func (c *crowd) run(t *testing.T, s *store.Store, id string) (sender.Run, map[policy.PersonID]sender.Row) {
	t.Helper()
	rules := policy.Rules{Categories: map[string]policy.Category{"offers": {ID: "offers", Kind: policy.Marketing}}}
	run, err := scheduler.NewRun(scheduler.Frozen{Rules: rules, Campaign: scheduler.Campaign{
		ID: id, Category: "offers", Number: "1", Zone: "Europe/Rome", Message: templates.Message{Template: "offer", Languages: []string{"it"}}}}, time.Now())
	must(t, err)
	run, _, err = s.CreateRun(t.Context(), run)
	must(t, err)
	rows := make([]scheduler.Row, len(c.people))
	for i, id := range c.people {
		rows[i] = scheduler.Row{PersonID: id, Decision: policy.Decision{Verdict: policy.Allow}}
	}
	must(t, s.Enqueue(t.Context(), run.ID, rows))
	must(t, s.Planned(t.Context(), run.ID, scheduler.Plan{}))
	run, err = s.Run(t.Context(), run.ID)
	must(t, err)
	queued, err := s.Queued(t.Context(), sender.Page{RunID: run.ID, Limit: len(rows)})
	must(t, err)
	read := map[policy.PersonID]sender.Row{}
	for _, row := range queued {
		read[row.PersonID] = row
	}
	return run.ForSender(), read
}

// attempt is an id as senders make them: it begins with the time.
func attempt(n uint64) sender.AttemptID {
	id := sender.MadeBefore(time.Now())
	for i := range 8 {
		id[15-i] = byte(n >> (8 * i))
	}
	return id
}

// Whatever workers stand at the gates at once, in however many processes: no more people than the limit pass.
func TestParallelGatesKeepTheMessagingLimit(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		const limit, workers, batch = 60, 6, 5
		first := storetest.Open(t, target)
		c := newCrowd(t, first, 100)
		stores := []*store.Store{first, storetest.Open(t, target), storetest.Open(t, target)}
		type job struct {
			run    sender.Run
			rows   map[policy.PersonID]sender.Row
			people []policy.PersonID
		}
		var jobs []job
		random := rand.New(rand.NewPCG(20261122, 11))
		for _, id := range []string{"a", "b"} {
			run, rows := c.run(t, first, id)
			for _, at := range random.Perm(len(c.people) / batch) {
				jobs = append(jobs, job{run, rows, c.people[at*batch : at*batch+batch]})
			}
		}
		random.Shuffle(len(jobs), func(a, b int) { jobs[a], jobs[b] = jobs[b], jobs[a] })
		queue := make(chan job, len(jobs))
		for _, j := range jobs {
			queue <- j
		}
		close(queue)
		var mu sync.Mutex
		written, messages := map[policy.PersonID]bool{}, 0
		var working sync.WaitGroup
		for k := range workers {
			s := stores[k%len(stores)]
			s.NameLimit(new(limit))
			working.Go(func() {
				n := uint64(k) << 32
				for j := range queue {
					rows := make([]sender.GateRow, len(j.people))
					for i, id := range j.people {
						n++
						rows[i] = sender.GateRow{PersonID: id, AttemptID: attempt(n), Language: "it", Person: j.rows[id].Person}
					}
					answers, _, err := s.Gate(t.Context(), j.run, rows)
					if err != nil {
						t.Error(err)
						return
					}
					var ended []sender.Outcome
					for i, a := range answers {
						switch {
						case a.State == sender.Sending && n%7 == 0:
							ended = append(ended, sender.Outcome{RunID: j.run.ID, PersonID: rows[i].PersonID, AttemptID: rows[i].AttemptID, Result: sender.Result{Fate: sender.NotSent, Late: true}})
						case a.State == sender.Sending:
							mu.Lock()
							written[rows[i].PersonID] = true
							messages++
							mu.Unlock()
						case a.State != sender.Queued || a.Decision.Reason != policy.MessagingLimit:
							t.Errorf("the gate answers %s (%s)", a.State, a.Decision.Reason)
						}
					}
					if len(ended) > 0 {
						if err := s.Record(t.Context(), ended); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		working.Wait()
		if len(written) > limit {
			t.Errorf("%d people were written to, the limit is %d", len(written), limit)
		}
		if len(written) < limit-2*batch || messages <= len(written) {
			t.Errorf("%d people got %d messages under a limit of %d: who has a place gets every message", len(written), messages, limit)
		}
	})
}

// In no 24 hours of many days more people pass the gates than the limit has, and days after days places are taken anew.
func TestTheMessagingLimitRolls(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			s := storetest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "permesso.db"))
			random := rand.New(rand.NewPCG(seed, 1))
			const limit = 12
			s.NameLimit(new(limit))
			c := newCrowd(t, s, 30)
			type passed struct {
				person policy.PersonID
				at     time.Time
			}
			var all []passed
			for day := range 5 {
				run, rows := c.run(t, s, fmt.Sprintf("day-%d", day))
				for range 16 {
					time.Sleep(time.Duration(random.Int64N(int64(3 * time.Hour))))
					var gates []sender.GateRow
					for _, k := range random.Perm(len(c.people))[:1+random.IntN(8)] {
						c.made++
						gates = append(gates, sender.GateRow{PersonID: c.people[k], AttemptID: attempt(c.made), Language: "it", Person: rows[c.people[k]].Person})
					}
					answers, _, err := s.Gate(t.Context(), run, gates)
					must(t, err)
					for i, a := range answers {
						if a.State != sender.Sending {
							continue
						}
						o := sender.Outcome{RunID: run.ID, PersonID: gates[i].PersonID, AttemptID: gates[i].AttemptID, Result: sender.Result{Fate: sender.Taken, WAMID: fmt.Sprint(c.made, i)}}
						if random.IntN(4) == 0 {
							o.Result = sender.Result{Fate: sender.Refused, Err: &sender.Error{Code: 131026, Reaction: sender.FailMessage}}
						} else {
							all = append(all, passed{gates[i].PersonID, time.Now()})
						}
						must(t, s.Record(t.Context(), []sender.Outcome{o}))
					}
				}
			}
			most := 0
			for i := range all {
				people := map[policy.PersonID]bool{}
				for k := i; k >= 0 && all[i].at.Sub(all[k].at) <= 24*time.Hour; k-- {
					people[all[k].person] = true
				}
				most = max(most, len(people))
			}
			if most != limit {
				t.Errorf("in some 24 hours %d people were written to, want the limit of %d and no more", most, limit)
			}
			t.Logf("%d messages left", len(all))
		})
	}
}
