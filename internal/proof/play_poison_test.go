package proof

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// writable opens the database as somebody would who repairs it by hand; what is opened for the audit only reads.
func (r *rig) writable() *sql.DB {
	r.t.Helper()
	driver, source := "postgres", r.database
	if path, ok := strings.CutPrefix(r.database, "sqlite:"); ok {
		driver, source = "sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_txlock=immediate&_pragma=busy_timeout(30000)"
	}
	db, err := sql.Open(driver, source)
	r.must("opening the database", err)
	r.t.Cleanup(func() { _ = db.Close() })
	return db
}

func (r *rig) change(db *sql.DB, statement string, args ...any) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := db.ExecContext(ctx, statement, args...)
	r.must("changing the database", err)
}

// playPoison has people of whom no message can be made or judged: some whose attributes cannot be read when the run is planned,
// some when it is sent, some whose row the database refuses at the gate every time. Each fails alone and says so; nobody else
// waits for them, and nothing ends (F31).
func playPoison(t *testing.T, target string, seed uint64, soak length) {
	people, each := soak.of(400, 5000), soak.of(3, 12)
	r := newRig(t, "poison", target, seed, settings{people: people, perSecond: 60})
	r.player.Hold()
	db := r.writable()
	var able []string // they agreed and never stopped
	for _, i := range r.chance.Perm(people) {
		if i%41 != 40 && i%67 != 66 {
			able = append(able, r.everybody[i])
		}
	}
	unplanned, refused := able[:each], able[each:2*each]
	const spoil = "UPDATE contacts SET attributes = '{\"coupon\": 5}' WHERE phone = $1"
	for _, phone := range unplanned {
		r.change(db, spoil, phone)
	}
	for _, phone := range refused {
		r.refuse(db, phone)
	}
	p := r.serve(r.houses[0])
	r.detach("offer")
	r.untilPosted(20)
	// Read ahead are 1,000 rows at once: those are told by a pause, after which all is read anew.
	run := strings.TrimSpace(r.run())
	r.verb("runs", "pause", run)
	unsent := r.unreached(people)
	chosen := map[string]bool{}
	for _, phone := range append(unplanned, refused...) {
		chosen[phone] = true
	}
	var unread []string
	for _, phone := range unsent {
		if len(unread) < each && contains(able, phone) && !chosen[phone] {
			unread = append(unread, phone)
			r.change(db, spoil, phone)
		}
	}
	began := time.Now()
	r.verb("runs", "resume", run, "--detach")
	r.untilSettled()
	if !p.running() {
		t.Fatalf("serve ended with %d: %s", p.code, p.err.String())
	}
	for _, want := range []struct {
		what, state, reason, title string
		who                        []string
	}{
		{"those who could not be read for the plan", "skipped", "missing_parameter", "", unplanned},
		{"those who could not be read for their message", "failed", "", "internal", unread},
		{"those whom the database refused", "failed", "", "internal", refused},
	} {
		for _, phone := range want.who {
			var state, reason, title string
			err := r.db.QueryRow(`SELECT d.state, COALESCE(d.reason, ''), COALESCE(d.error_title, '') FROM deliveries d
				JOIN contacts c ON c.person_id = d.person_id WHERE c.phone = $1`, phone).Scan(&state, &reason, &title)
			r.must("reading a row", err)
			if state != want.state || reason != want.reason || title != want.title {
				t.Errorf("%s: %s is %s %q %q, want %s %q %q (seed %d)", want.what, masked(phone), state, reason, title, want.state, want.reason, want.title, seed)
			}
		}
		r.powered(want.what, len(want.who), each)
	}
	if text := p.err.String(); strings.Contains(text, phoneOf(1)[4:]) || !strings.Contains(text, "a message cannot be sent and fails") {
		t.Errorf("the log names people, or does not name the rows: %s", text)
	}
	accepted, err := r.count("SELECT count(*) FROM deliveries WHERE state = 'accepted'")
	r.must("counting", err)
	if want := len(able) - 3*each; accepted != want {
		t.Errorf("%d messages were accepted, want %d: all but the poisoned (seed %d)", accepted, want, seed)
	}
	r.judge()
	t.Logf("poison: %d people of %d failed alone; %d others in %s", 3*each, people, accepted, time.Since(began).Round(time.Second))
}

func contains(phones []string, phone string) bool {
	for _, p := range phones {
		if p == phone {
			return true
		}
	}
	return false
}

// refuse has the database refuse that a person's row passes the gate.
func (r *rig) refuse(db *sql.DB, phone string) {
	r.t.Helper()
	name := "refuse_" + strings.TrimPrefix(phone, "+")
	var person bin
	r.must("finding a person", r.db.QueryRow("SELECT person_id FROM contacts WHERE phone = $1", phone).Scan(&person))
	if strings.HasPrefix(r.database, "sqlite:") {
		r.change(db, fmt.Sprintf(`CREATE TRIGGER %s BEFORE UPDATE ON deliveries WHEN NEW.state = 'sending' AND NEW.person_id = x'%s'
			BEGIN SELECT RAISE(ABORT, 'a row that is refused'); END`, name, person))
		return
	}
	r.change(db, fmt.Sprintf(`CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NEW.state = 'sending' AND NEW.person_id = '\x%s'::bytea THEN RAISE EXCEPTION 'a row that is refused'; END IF; RETURN NEW; END $$`, name, person))
	r.change(db, fmt.Sprintf("CREATE TRIGGER %s BEFORE UPDATE ON deliveries FOR EACH ROW EXECUTE FUNCTION %s()", name, name))
}

// run is the id of the one run that there is.
func (r *rig) run() (id string) {
	r.t.Helper()
	r.must("reading the run", r.db.QueryRow("SELECT run_id FROM runs").Scan(&id))
	return id
}
