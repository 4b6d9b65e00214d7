package simulation

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
	"github.com/permesso/permesso/templates"
)

var numbers = [...]string{"111222333444", "111222333555"}

// planPage is how many people are planned at once, so that a run has several pages.
const planPage = 16

// span is a stretch of the simulated time, from the start.
type span struct{ from, to time.Duration }

func (s span) has(at time.Duration) bool { return s.from <= at && at < s.to }

// key is one person in one run.
type key struct {
	run   string
	phone phone.Number
}

// world is one seed: an installation, its people, Meta, and all that is going to happen.
type world struct {
	seed  uint64
	t     testing.TB
	db    *store.Store
	bug   bug
	seen  *sometimes
	began time.Time
	ends  time.Duration // faults end then, and everything comes to rest
	slots time.Time     // no slot after it

	numbers   []string
	perSecond float64
	rules     policy.Rules
	catalogue templates.Catalogue
	breaks    float64 // the share of attempts that break a number
	outage    span    // of the network
	storm     span    // of Meta's 429

	calm    atomic.Bool
	settled chan struct{} // closed when every run is over
	found   chan struct{} // closed when the planted bug showed: what is still to come needs no processes
	players sync.WaitGroup

	mu        sync.Mutex
	turn      int
	trace     []string
	faults    []string // what was wrong
	people    []*person
	byID      map[policy.PersonID]*person
	campaigns []scheduler.Campaign
	processes []*process
	holds     []*hold
	names     map[string]string // of runs, the same in every run of the seed
	attempts  map[sender.AttemptID]*attempt
	tries     map[key]int
	sends     map[key][]*attempt // that began
	allowed   map[key]bool       // by the plan
	editions  map[string]string  // the text that each run sends
	holders   map[string]string  // of leases
	handed    map[key]bool       // for the bug that reads each row once
}

// draw is a source of chance that only the seed and the parts decide.
func (w *world) draw(parts ...any) *rand.Rand {
	h := fnv.New64a()
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%v|", part) // a hash never fails
	}
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// note keeps a line of what happened; the lock is held.
func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%9.3f ", time.Since(w.began).Seconds())+fmt.Sprintf(format, args...))
}

func (w *world) tell(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(format, args...)
}

// wrong keeps what must not be; the lock is held.
func (w *world) wrong(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
	if last := w.faults[len(w.faults)-1]; w.bug.found != "" && strings.Contains(last, w.bug.found) && !w.over() {
		close(w.found)
	}
	w.note("WRONG: "+format, args...)
}

// over reports whether the planted bug was found.
func (w *world) over() bool {
	select {
	case <-w.found:
		return true
	default:
		return false
	}
}

func (w *world) wrongs(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong(format, args...)
}

// blank is the file of an empty database with the templates in it.
var blank = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "permesso-simulation-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "blank.db")
	s, err := store.Open(context.Background(), "sqlite:"+path)
	if err != nil {
		return nil, err
	}
	var entries []templates.Entry
	for name, category := range map[string]string{"weekend_offer": "MARKETING", "news": "MARKETING", "order_update": "UTILITY"} {
		raw := fmt.Appendf(nil, `{"name":%q,"language":"it","status":"APPROVED","category":%q,"components":[{"type":"BODY","text":"Ciao, {{1}}","example":{"body_text":[["x"]]}}]}`, name, category)
		t, err := templates.Parse(raw)
		if err != nil {
			return nil, err
		}
		entries = append(entries, templates.Entry{Raw: raw, Template: t})
	}
	if err := s.SaveTemplates(context.Background(), entries); err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// dawn is when the simulated time begins: a Friday, 3 s before a slot.
var dawn = time.Date(2026, 11, 20, 16, 59, 57, 0, time.UTC)

// newWorld is made inside the bubble, at dawn.
func newWorld(t testing.TB, path string, seed uint64, seen *sometimes, planted bug) (*world, error) {
	db, err := store.Open(context.Background(), "sqlite:"+path)
	if err != nil {
		return nil, err
	}
	w := &world{
		seed: seed, t: t, db: db, bug: planted, seen: seen, began: time.Now(), settled: make(chan struct{}), found: make(chan struct{}),
		byID: map[policy.PersonID]*person{}, names: map[string]string{}, attempts: map[sender.AttemptID]*attempt{}, tries: map[key]int{},
		sends: map[key][]*attempt{}, allowed: map[key]bool{}, editions: map[string]string{}, holders: map[string]string{}, handed: map[key]bool{},
	}
	r := w.draw("world")
	w.numbers = numbers[:1+r.IntN(2)]
	w.perSecond = []float64{8, 12, 40}[r.IntN(3)]
	w.breaks = []float64{0, 0, 0.01}[r.IntN(3)]
	trouble := span{from: time.Duration(3500+r.IntN(2500)) * time.Millisecond}
	trouble.to = trouble.from + time.Duration(500+r.IntN(2500))*time.Millisecond
	switch seed % 4 {
	case 0:
		w.outage = trouble
	case 1:
		w.storm = trouble
	}
	locations := policy.NewLocations()
	db.ShareLocations(locations)
	w.rules = policy.Rules{
		Categories: map[string]policy.Category{
			"offers": {ID: "offers", Kind: policy.Marketing}, "news": {ID: "news", Kind: policy.Marketing}, "orders": {ID: "orders", Kind: policy.Utility},
		},
		Caps: [][]policy.Cap{
			{{Max: 1, Per: 24 * time.Hour, Kind: policy.Marketing}},
			{{Max: 1, Per: 24 * time.Hour, Kind: policy.Marketing}},
			{{Max: 2, Per: 24 * time.Hour, Kind: policy.Marketing}, {Max: 1, Per: time.Hour, Category: "offers"}},
			{{Max: 1, Per: 20 * time.Second, Kind: policy.Marketing}, {Max: 3, Per: time.Hour}},
		}[r.IntN(4)],
		Locations: locations, Lots: db.Lots(),
	}
	w.ends, w.slots = 12*time.Second, w.began.Add(4*time.Second)
	if seed%16 == 15 {
		w.ends, w.slots = 72*time.Second, w.began.Add(64*time.Second)
	}
	list, _, err := db.Templates(context.Background())
	if err != nil {
		return nil, err
	}
	w.catalogue = templates.NewCatalogue(list)
	w.campaigns = w.draft(r)
	return w, w.populate(r)
}

// draft makes the campaigns: two of schedules that want the same people, and receipts by hand.
func (w *world) draft(r *rand.Rand) []scheduler.Campaign {
	schedule := func() *scheduler.Schedule {
		return &scheduler.Schedule{
			Cron: "* * * * *", Zone: "Europe/Rome", EndsAt: w.slots, CatchUpWithin: 2 * time.Minute,
			CatchUp: []scheduler.CatchUp{scheduler.CatchUpSkip, scheduler.CatchUpOnce, scheduler.CatchUpAll}[r.IntN(3)],
			Overlap: []scheduler.Overlap{scheduler.OverlapSkip, scheduler.OverlapQueue}[r.IntN(2)],
		}
	}
	campaign := func(id, category, template string, priority int) scheduler.Campaign {
		return scheduler.Campaign{
			ID: id, Category: category, Number: w.numbers[priority%len(w.numbers)], Zone: "Europe/Rome", Priority: priority,
			Message: templates.Message{Template: template, Languages: []string{"it"}, Parameters: templates.Parameters{Body: []templates.Value{{Text: new("edition-0")}}}},
		}
	}
	offer, news, order := campaign("offer", "offers", "weekend_offer", 10), campaign("news", "news", "news", 5), campaign("order", "orders", "order_update", 20)
	offer.Schedule = schedule()
	if r.Float64() < 0.5 {
		news.Schedule = schedule()
	}
	if r.Float64() < 0.2 {
		offer.NotAfter = w.began.Add(time.Duration(4+r.IntN(6)) * time.Second)
	}
	if r.Float64() < 0.15 {
		// 18:00 is the first slot; who stands in it waits until 18:01.
		news.Window = &policy.Window{From: 18*60 + 1, To: 19 * 60, In: "campaign"}
	}
	return []scheduler.Campaign{offer, news, order}
}

// populate brings in people, most of whom consent.
func (w *world) populate(r *rand.Rand) error {
	ctx := context.Background()
	place := scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome"}
	var contacts []scheduler.ContactRecord
	var consents []scheduler.ConsentRecord
	var stops []scheduler.SuppressionRecord
	for i := range 18 + r.IntN(14) {
		p := &person{phone: phone.Number(fmt.Sprintf("+39347%07d", 1000*w.seed%10_000_000+uint64(i))), never: map[string]bool{}, due: make(chan struct{})}
		w.people = append(w.people, p)
		contacts = append(contacts, scheduler.ContactRecord{Phone: p.phone, Name: new("Ada"), Language: new("it"), Number: place})
		for _, category := range []string{"offers", "news", "orders"} {
			if r.Float64() < 0.05 {
				p.never[category] = true
				continue
			}
			consents = append(consents, scheduler.ConsentRecord{Phone: p.phone, Number: place, Event: policy.ConsentEvent{
				Category: category, Action: policy.Granted, At: w.began.Add(-24 * time.Hour), Source: "web_form", Wording: "Sì, scrivetemi"}})
		}
		if r.Float64() < 0.04 {
			p.never = map[string]bool{"offers": true, "news": true, "orders": true}
			stops = append(stops, scheduler.SuppressionRecord{Phone: p.phone, Scope: policy.ScopeAll, Reason: "asked by phone", At: w.began.Add(-time.Hour), Source: "file"})
		}
	}
	if _, err := w.db.ImportContacts(ctx, contacts); err != nil {
		return err
	}
	if _, err := w.db.ImportConsents(ctx, consents); err != nil {
		return err
	}
	if _, err := w.db.ImportSuppressions(ctx, stops); err != nil {
		return err
	}
	for _, p := range w.people {
		ids, err := w.db.Find(ctx, p.phone)
		if err != nil || len(ids) != 1 {
			return fmt.Errorf("%d persons have one number: %w", len(ids), err)
		}
		w.byID[ids[0]] = p
	}
	return nil
}

func (w *world) rate(string) float64 { return w.perSecond }

// configured are the campaigns as the configuration has them now.
func (w *world) configured() []scheduler.Campaign {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.campaigns)
}

func (w *world) freeze(c scheduler.Campaign) scheduler.Frozen {
	return scheduler.Frozen{Campaign: c, Rules: w.rules}
}

// nameOf is the run's name by campaign and occurrence, which does not change from one trial of a seed to the next; the lock is held.
func (w *world) nameOf(run string) string {
	if name, ok := w.names[run]; ok {
		return name
	}
	r, err := w.db.Run(context.Background(), run)
	if err != nil {
		return run
	}
	name := r.CampaignID + " " + r.Occurrence
	if r.Manual {
		name = fmt.Sprintf("%s manual %s", r.CampaignID, r.FireAt.Sub(w.began))
	}
	w.names[run] = name
	return name
}

// edition is the text of a message, "edition-3".
func edition(body []byte) string {
	_, rest, _ := strings.Cut(string(body), "edition-")
	number, _, _ := strings.Cut(rest, `"`)
	return number
}
