package proof

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// outage is a database that nobody can write, until it ends.
type outage struct{ begin, end func() error }

// newOutage is the way in which the database of a target goes away: PostgreSQL's server is shut down, a SQLite file is locked by
// another process.
func newOutage(t *testing.T, target string, c *cluster) outage {
	t.Helper()
	if c != nil {
		return outage{
			begin: func() error { c.strike(); return nil },
			end:   func() error { c.start(); return nil },
		}
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: strings.TrimPrefix(target, "sqlite:")}).EscapedPath()+"?_txlock=immediate&_pragma=busy_timeout(30000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	var held *sql.Tx
	return outage{
		begin: func() error { held, err = db.BeginTx(context.Background(), nil); return err },
		end: func() error {
			if held == nil {
				return errors.New("the file is not locked")
			}
			return held.Rollback()
		},
	}
}

// playOutage takes the database away while a run sends and stops come in: nothing is acknowledged until it is back, and then every
// stop is in force at once, before anybody of them gets a message (F9).
func playOutage(t *testing.T, target string, seed uint64, soak length) {
	people, stops, away := soak.of(600, 6000), soak.of(60, 500), time.Duration(soak.of(20, 60))*time.Second
	var c *cluster
	if strings.HasPrefix(target, "postgres") {
		c = newCluster(t)
		target = c.url
	}
	r := newRig(t, "outage", target, seed, settings{people: people, perSecond: 90})
	r.player.Hold()
	r.player.slots = make(chan struct{}, stops) // Meta asks for no leave: everybody's stop comes at once
	gone := newOutage(t, target, c)
	p := r.serve(r.houses[0])
	r.detach("offer")
	r.untilPosted(people / 10)
	r.must("taking the database away", gone.begin())
	time.Sleep(1500 * time.Millisecond) // what passed the gate before begins within a second
	stopping := r.unreached(stops)
	_, before, err := r.player.Idle()
	r.must("the book", err)
	posted := r.posted()
	var taken []time.Time
	said := make(chan struct{})
	go func() {
		defer close(said)
		taken = r.stopsOf(stopping, away+3*patience)
	}()
	time.Sleep(away)
	_, after, err := r.player.Idle()
	r.must("the book", err)
	if after != before {
		t.Errorf("audit: %s: %d bodies were acknowledged while the database was away, seed %d", StopKept, after-before, seed)
	}
	if more := r.posted() - posted; more > 0 {
		t.Errorf("%s, seed %d: %d messages were posted while the database was away", r.name, seed, more)
	}
	r.must("bringing the database back", gone.end())
	back := time.Now()
	<-said
	if !p.running() {
		t.Fatalf("serve ended with its database: %s", p.err.String())
	}
	last := slices.MaxFunc(taken, time.Time.Compare).Sub(back)
	sent, err := r.postsTo(stopping)
	r.must("reading the ledger", err)
	t.Logf("outage: %d stops over %s, answers that were no 200: %v; the last was in force %s after, %d messages to them since", stops, away, r.player.Refused(),
		last.Round(time.Millisecond), sent)
	if bound := time.Duration(soak.of(20, 5)) * time.Second; last > bound {
		t.Errorf("%s, seed %d: the last stop was in force %s after the database was back, want %s", r.name, seed, last, bound)
	}
	r.untilOver()
	if sent, err = r.postsTo(stopping); err != nil || sent > 0 {
		t.Errorf("audit: %s: %d messages to people whose stop was refused while the database was away, seed %d (%v)", AfterStop, sent, seed, err)
	}
	r.powered("messages after the database was back", r.posted()-posted, people/4)
	r.law.MaxUnknown = 300 // what was on its way when the database went
	early := r.law
	early.Told = false
	r.audit(early)
	r.judge()
}

// postsTo is how many POSTs there were to these people.
func (r *rig) postsTo(people []string) (n int, err error) {
	posts, err := lines[Post](r.ledgerFile())
	if err != nil {
		return 0, fmt.Errorf("counting messages: %w", err)
	}
	who := map[string]bool{}
	for _, phone := range people {
		who[personOf(phone)] = true
	}
	for _, p := range posts {
		if who[personOf(p.To)] {
			n++
		}
	}
	return n, nil
}
