package proof

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/proof/reliability"
)

const (
	accountID   = "500600700800"
	numberID    = "111222333444"
	otherNumber = "111222333555"
	accessToken = "token-of-proof"
	appSecret   = "secret-of-proof"
	nextSecret  = "next-secret-of-proof" // what the app's secret is rotated to
	verifyToken = "verify-of-proof"

	// patience is how long anything may take that normally takes a moment: the machine is shared.
	patience = 60 * time.Second
)

// rig is an installation with a Meta, and all that can go wrong between them.
type rig struct {
	t        *testing.T
	name     string
	seed     uint64
	chance   *rand.Rand
	settings settings

	dir, database string // database is the real one's address
	used          string // the address that permesso is given
	db            *sql.DB
	meta          *Proxy // between permesso and the sandbox
	player        *Player
	houses        []*house
	everybody     []string // phones of the audience
	law           Law

	running                 bool // there is something to audit
	kills, takeovers, stops int
	unknown                 int // most that were seen at once
	verdict                 Verdict
	settled                 int
	met                     map[string]int // what it is about to how often it came to that
	most                    map[string]int // what was measured to the largest of it
	measuring               sync.Mutex
}

// settings are what scenarios change in a configuration.
type settings struct {
	people    int
	perSecond int
	campaigns []string // ids; the first goes out over numberID, the second over otherNumber, and so on in turn
	policy    string   // YAML inside policy
	special   []string // endings of the sandbox's special numbers, one person each
	latency   time.Duration
	houses    int    // installations on the one database; 0 is 1
	used      string // the address that permesso is given for the database; "" is the database's own
	words     string // what the body's second parameter says; "" is a date
	more      string // YAML of further campaigns, indented as campaigns are
	graph     string // the address that permesso is given for Meta; "" is that of the proxy before the sandbox
}

// house is one folder with a configuration, as on one machine.
type house struct{ dir, webhook, console, metrics string }

func (h *house) config() string { return filepath.Join(h.dir, "config.yaml") }

// newRig sets everything up: the sandbox, the proxy before it, the player, configurations and people.
func newRig(t *testing.T, name, target string, seed uint64, s settings) *rig {
	t.Helper()
	if s.perSecond == 0 {
		s.perSecond = 400
	}
	if len(s.campaigns) == 0 {
		s.campaigns = []string{"offer"}
	}
	if s.latency == 0 {
		s.latency = 15 * time.Millisecond
	}
	r := &rig{t: t, name: name, seed: seed, chance: rand.New(rand.NewPCG(seed, 0x726967)), settings: s, dir: t.TempDir(), database: target, used: s.used, met: map[string]int{}, most: map[string]int{}}
	if r.used == "" {
		r.used = target
	}
	r.law = Law{Audience: map[string]int{}, Done: true, Told: true}
	t.Cleanup(r.note)
	db, err := openDatabase(target)
	if err != nil {
		t.Fatal(err)
	}
	r.db = db
	t.Cleanup(func() { _ = db.Close() })
	for range max(1, s.houses) {
		r.houses = append(r.houses, &house{dir: t.TempDir(), webhook: freeAddress(t), console: freeAddress(t), metrics: freeAddress(t)})
	}
	var receivers []string
	for _, h := range r.houses {
		receivers = append(receivers, "http://"+h.webhook+"/webhook")
	}
	r.player, err = NewPlayer(r.acksFile(), appSecret, seed, receivers[0])
	if err != nil {
		t.Fatal(err)
	}
	hooks := httptest.NewServer(r.player)
	sandbox := freeAddress(t)
	launch(t, r.dir, "sandbox", "--listen", sandbox, "--webhook-url", hooks.URL, "--ledger", r.ledgerFile(), "--latency", s.latency.String(),
		"--number", numberID, "--number", otherNumber)
	r.meta, err = NewProxy("127.0.0.1:0", sandbox, seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		hooks.Close()
		_ = r.player.Close()
		_ = r.meta.Close()
	})
	for _, h := range r.houses {
		r.configure(h)
	}
	r.must("the sandbox answers", eventually(patience, func() error {
		_, err := os.Stat(r.ledgerFile())
		return err
	}))
	r.importPeople()
	for _, h := range r.houses {
		if len(r.houses) > 1 {
			r.verbIn(h, "resume", "--join") // a folder that the database does not know sends nothing
		}
	}
	r.running = true
	return r
}

func (r *rig) ledgerFile() string { return filepath.Join(r.dir, "ledger.ndjson") }
func (r *rig) acksFile() string   { return filepath.Join(r.dir, "acks.ndjson") }

func (r *rig) must(what string, err error) {
	r.t.Helper()
	if err == nil {
		return
	}
	if r.running {
		// It may be a breach that keeps the scenario from going on.
		law := r.law
		law.Done, law.Told, law.MaxUnknown = false, false, len(r.everybody)
		r.running = false
		r.audit(law)
	}
	r.t.Fatalf("%s, seed %d: %s: %v", r.name, r.seed, what, err)
}

func (r *rig) configure(h *house) {
	r.t.Helper()
	var campaigns strings.Builder
	for i, id := range r.settings.campaigns {
		fmt.Fprintf(&campaigns, `
  - id: %s
    category: offers
    template: weekend_offer
    languages: [it, en]
    number: %q
    parameters:
      body: [{field: name, default: lettore}, {text: %q}]
      buttons: {0: {field: attributes.coupon}, 1: {payload: opt_out}}`, id, []string{numberID, otherNumber}[i%2], cmp.Or(r.settings.words, "30 novembre"))
	}
	campaigns.WriteString(r.settings.more)
	policy := "policy: {}"
	if r.settings.policy != "" {
		policy = "policy: " + r.settings.policy
	}
	text := fmt.Sprintf(`version: 1
business: {name: Libreria Aurora, country: IT, timezone: Europe/Rome}
database: %q
listen: {webhook: %q, console: %q, metrics: %q}
graph:
  base_url: http://%s
  account_id: %q
  access_token: ${WHATSAPP_ACCESS_TOKEN}
  app_secret: ${WHATSAPP_APP_SECRET}
  verify_token: ${WHATSAPP_VERIFY_TOKEN}
numbers:
  - {id: %q, messages_per_second: %d}
  - {id: %q, messages_per_second: %d}
categories:
  offers: {kind: marketing, title: {it: Offerte, en: Offers}}
%s
campaigns:%s
`, r.used, h.webhook, h.console, h.metrics, cmp.Or(r.settings.graph, r.meta.Address()), accountID, numberID, r.settings.perSecond, otherNumber, r.settings.perSecond, policy, campaigns.String())
	r.must("writing the configuration", os.WriteFile(h.config(), []byte(text), 0o600))
}

// start runs a verb in a house and returns at once.
func (r *rig) start(h *house, args ...string) *process {
	r.t.Helper()
	return launch(r.t, h.dir, append(args, "--config", h.config())...)
}

// verb runs a verb to its end, which must be good.
func (r *rig) verb(args ...string) string {
	r.t.Helper()
	return r.verbIn(r.houses[0], args...)
}

func (r *rig) verbIn(h *house, args ...string) string {
	r.t.Helper()
	p := r.start(h, args...)
	select {
	case <-p.over:
	case <-time.After(2 * patience):
		r.t.Fatalf("permesso %s does not end", strings.Join(args, " "))
	}
	if p.code != 0 {
		r.t.Fatalf("permesso %s: exit %d\n%s%s", strings.Join(args, " "), p.code, p.out.String(), p.err.String())
	}
	return p.out.String()
}

// serve starts the service in a house and returns once it is up.
func (r *rig) serve(h *house, args ...string) *process {
	r.t.Helper()
	p := r.start(h, append([]string{"serve", "--json"}, args...)...)
	r.must("serve is up", eventually(patience, func() error {
		if !p.running() {
			r.t.Fatalf("serve ended with %d: %s", p.code, p.err.String())
		}
		return answers("http://" + h.metrics + "/livez")
	}))
	return p
}

// detach creates a run of a campaign for serve to take up, and returns its id.
func (r *rig) detach(campaign string) string {
	r.t.Helper()
	r.law.Audience[campaign] = len(r.everybody)
	return strings.TrimSpace(r.verb("run", campaign, "--detach"))
}

// phoneOf is the number of the i-th person; some are of countries whose numbers WhatsApp writes otherwise.
func phoneOf(i int) string {
	switch {
	case i%5 == 0:
		return fmt.Sprintf("+5511987%06d", i)
	case i%5 == 1 && i < 100_000: // a Mexican number has no room for more
		return fmt.Sprintf("+5255123%05d", i)
	}
	return fmt.Sprintf("+393470%06d", i)
}

// importPeople imports the people: nearly all agreed to offers, a few never did, a few stopped long ago.
func (r *rig) importPeople() {
	r.t.Helper()
	contacts := [][]string{{"phone", "name", "language", "coupon"}}
	consents := [][]string{{"phone", "category", "action", "at", "source", "wording"}}
	stops := [][]string{{"phone", "reason", "at", "source"}}
	add := func(phone string, i int) {
		r.everybody = append(r.everybody, phone)
		contacts = append(contacts, []string{phone, "Anna", "it", "c"})
		if i%41 != 40 {
			consents = append(consents, []string{phone, "offers", "granted", "2026-01-02T10:00:00Z", "web_form", "Sì alle offerte di Libreria Aurora"})
		}
		if i%67 == 66 {
			stops = append(stops, []string{phone, "asked at the till", "2026-02-02T10:00:00Z", "till"})
		}
	}
	for i := range r.settings.people {
		add(phoneOf(i), i)
	}
	for i, ending := range r.settings.special {
		add(fmt.Sprintf("+39347%d%s", 1+strings.Count(strings.Join(r.settings.special[:i], " "), ending), ending), 0)
	}
	r.verb("contacts", "import", r.file("contacts.csv", contacts))
	r.verb("consent", "import", r.file("consents.csv", consents))
	if len(stops) > 1 {
		r.verb("suppress", "import", r.file("stops.csv", stops))
	}
}

func (r *rig) file(name string, rows [][]string) string {
	r.t.Helper()
	var text bytes.Buffer
	r.must("writing "+name, csv.NewWriter(&text).WriteAll(rows))
	path := filepath.Join(r.dir, name)
	r.must("writing "+name, os.WriteFile(path, text.Bytes(), 0o600))
	return path
}

// posted is how many POSTs are in the ledger.
func (r *rig) posted() int {
	text, err := os.ReadFile(r.ledgerFile())
	r.must("reading the ledger", err)
	return bytes.Count(text, []byte("\n"))
}

// reached is who is in the ledger already.
func (r *rig) reached() map[string]bool {
	posts, err := lines[Post](r.ledgerFile())
	r.must("reading the ledger", err)
	who := map[string]bool{}
	for _, p := range posts {
		who[personOf(p.To)] = true
	}
	return who
}

// unreached are people of the audience in random order to whom nothing was posted yet.
func (r *rig) unreached(n int) []string {
	reached := r.reached()
	var left []string
	for _, i := range r.chance.Perm(len(r.everybody)) {
		if len(left) < n && !reached[personOf(r.everybody[i])] {
			left = append(left, r.everybody[i])
		}
	}
	return left
}

// untilPosted waits for n POSTs, or for the end of what posts them.
func (r *rig) untilPosted(n int) {
	r.t.Helper()
	r.must("messages are posted", eventually(patience, func() error {
		if have := r.posted(); have < n {
			return fmt.Errorf("%d of %d", have, n)
		}
		return nil
	}))
}

// count asks the database for a number.
func (r *rig) count(query string) (n int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	err = r.db.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

// stuck is how long nothing may move in a run that is not over: a sender gives an outcome up that it could not record, and settles
// the message, in less than a minute.
const stuck = 75 * time.Second

// untilOver waits for the end of all runs as long as something moves; one that does not end is the audit's to find.
func (r *rig) untilOver() {
	r.t.Helper()
	left, since := -1, time.Now()
	for time.Since(since) < stuck {
		open, err := r.count("SELECT count(*) FROM runs WHERE state NOT IN ('done', 'cancelled', 'missed')")
		if err == nil && open == 0 {
			break
		}
		if waiting, err := r.count("SELECT count(*) FROM deliveries WHERE state IN ('queued', 'sending')"); err == nil && waiting != left {
			left, since = waiting, time.Now()
		}
		time.Sleep(50 * time.Millisecond)
	}
	unknown, err := r.count("SELECT count(*) FROM deliveries WHERE state = 'unknown'")
	r.must("counting unknown messages", err)
	r.unknown = max(r.unknown, unknown)
}

// untilTold lets Meta say all that it has to say, and waits until permesso has taken it.
func (r *rig) untilTold() {
	r.t.Helper()
	r.player.Release()
	before, since := -1, time.Now()
	r.must("all is told", eventually(2*patience, func() error {
		idle, acks, err := r.player.Idle()
		if err != nil {
			return err
		}
		if acks != before || !idle {
			before, since = acks, time.Now()
			return fmt.Errorf("%d bodies were taken, and there are more", acks)
		}
		if quiet := time.Since(since); quiet < 300*time.Millisecond {
			return fmt.Errorf("quiet for %s", quiet)
		}
		return r.echoed()
	}))
}

// echoed reports whether each message that Meta took was reported at least once.
func (r *rig) echoed() error {
	posts, err := lines[Post](r.ledgerFile())
	if err != nil {
		return err
	}
	acks, err := lines[Ack](r.acksFile())
	if err != nil {
		return err
	}
	told := map[string]bool{}
	for _, a := range acks {
		for key := range statusesOf(a.Body) {
			told[key[0]] = true
		}
	}
	for _, p := range posts {
		if p.WAMID != "" && !told[p.Callback] && !strings.HasSuffix(p.To, neverReported) {
			return fmt.Errorf("the message to %s was not reported", masked(p.To))
		}
	}
	return nil
}

// audit judges what is on record now.
func (r *rig) audit(law Law) Verdict {
	r.t.Helper()
	e, err := Read(r.t.Context(), r.ledgerFile(), r.acksFile(), r.database)
	r.must("reading the evidence", err)
	v := e.Audit(law)
	const most = 8
	for i, f := range v.Findings {
		if i < most || !slices.ContainsFunc(v.Findings[:i], func(o Finding) bool { return o.Invariant == f.Invariant }) {
			r.t.Errorf("audit: %s: %s", f.Invariant, f.Sentence)
		}
	}
	if len(v.Findings) > 0 {
		r.t.Errorf("%s on %s with seed %d: %d findings", r.name, r.databaseName(), r.seed, len(v.Findings))
	}
	return v
}

func (r *rig) databaseName() string {
	name, _, _ := strings.Cut(r.database, ":")
	return name
}

// judge ends a scenario: everything is told, the last audit is held, and the line that says so is printed.
func (r *rig) judge() {
	r.t.Helper()
	r.untilTold()
	v := r.audit(r.law)
	r.verdict, r.settled = v, r.unknown-v.Unknown
	r.t.Logf("%s, %s, seed %d: %d people, %d kills, %d POSTs, %d doubles, %d after a stop of %d, %d unknown, %d settled",
		r.name, r.databaseName(), r.seed, v.People, r.kills, v.Posts, v.Doubles, v.AfterStop, r.stops, r.unknown, r.settled)
}

// note adds what came of the scenario to the results, also of one that did not come to its end.
func (r *rig) note() {
	v := r.verdict
	if err := reliability.Append(reliability.Result{Day: time.Now().UTC().Format(time.DateOnly), Played: &reliability.Played{
		Scenario: r.name, Database: r.databaseName(), Seed: r.seed, Long: os.Getenv(envSoak) == "1", Failed: r.t.Failed(),
		Tally: reliability.Tally{
			People: v.People, Posts: v.Posts, Doubles: v.Doubles, Stops: r.stops, AfterStop: v.AfterStop,
			Unknown: r.unknown, Settled: r.settled, Kills: r.kills, Takeovers: r.takeovers,
		},
		Met: r.met, Most: r.most,
	}}); err != nil {
		r.t.Error(err)
	}
}

// measured notes a value of which the largest is told, for goroutines too.
func (r *rig) measured(what string, value int) {
	r.measuring.Lock()
	defer r.measuring.Unlock()
	r.most[what] = max(r.most[what], value)
}

// powered notes how often a scenario came to what it is about, and fails one that did not.
func (r *rig) powered(what string, got, least int) {
	r.t.Helper()
	r.met[what] += got
	if got < least {
		r.t.Errorf("under-powered: %s: %d, want at least %d (%s, seed %d)", what, got, least, r.name, r.seed)
	}
}
