package storetest

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// secrets are texts of the erased person that nothing may hold afterwards.
var secrets = []string{"393481234567", "3481234567", "Zenobia", "Quattrocchi", "customer-8841", "vip-cellar", "barolo", "form-7712", "203.0.113.77", "Opera/77",
	"IT.5566778899", "lasciatemi in pace", "angry on the phone", "bounced off her", "old-name", "HBgMMzkzNDgxMjM0NTY3"}

// Erasure holds the store at a target to what an erasure promises, looking at every column of every table and at every byte of a file.
func Erasure(t *testing.T, target string) {
	w := newWorld(t, Open(t, target))
	db := SQL(t, target)
	number := phone.Number("+393481234567")
	place := scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome"}
	file := func(name string) scheduler.ContactRecord {
		return scheduler.ContactRecord{Phone: number, Name: new(name), Language: new("it"), ExternalID: new("customer-8841"), Tags: []string{"vip-cellar"},
			Attributes: map[string]string{"wine": "barolo"}, Number: place}
	}
	w.file(file("old-name"))
	w.file(file("Zenobia Quattrocchi"))
	p := person{number, w.find(number)}
	other := w.people(1)[0]
	consent := policy.ConsentEvent{Category: "offers", Action: policy.Granted, At: time.Now().Add(-time.Hour), Source: "web_form", Wording: "Sì, scrivetemi",
		Evidence: "form-7712", IP: "203.0.113.77", Agent: "Opera/77"}
	orders := consent
	orders.Category = "orders"
	_, err := w.store.RecordConsents(w.ctx, []policy.PersonConsent{{Person: p.id, Event: consent}, {Person: p.id, Event: orders}})
	w.must(err)

	wamid := "wamid." + base64.StdEncoding.EncodeToString([]byte("\x1c\x18\x0c393481234567\x15\x02\x00"))
	sent := w.launch("sent", "offers", []person{p})
	flight := w.pass(sent, []person{p})[0]
	w.must(w.store.Record(w.ctx, []sender.Outcome{{RunID: flight.run, PersonID: p.id, AttemptID: flight.attempt, Result: sender.Result{Fate: sender.Taken, WAMID: wamid}}}))
	failed := sender.Status{WAMID: wamid, Callback: sender.Callback(w.store.Instance(), flight.attempt), State: sender.Failed, At: time.Now(),
		Err: &sender.Error{Code: 131026, Title: "Undeliverable", Details: "bounced off her +393481234567"}}
	w.hear(failed)
	flying := w.launch("flying", "orders", []person{p})
	inFlight := w.pass(flying, []person{p})[0]
	waiting := w.launch("waiting", "orders", []person{p, other})

	identity := policy.Identity{Phone: number, UserID: "IT.5566778899"}
	now := time.Now()
	inbound := func(text string) sender.Inbox {
		id := fmt.Sprintf("%s%d", wamid, w.attempts.Add(1))
		body := []byte(`{"from":"393481234567","text":"` + text + `","odd":1,"id":"` + id + `"}`)
		box := sender.Inbox{Body: body, Replies: []sender.Reply{{Identity: identity, MessageID: id, NumberID: numberID, At: now, Opens: true,
			Forward: &sender.Forward{Type: "text", Text: text, From: "393481234567", Raw: []byte(`{}`)}}}}
		box.BodyHash = [32]byte{byte(w.attempts.Add(1))}
		box.Acts = []policy.Act{{Kind: policy.ActReview, Identity: identity, Scope: policy.ScopeKind(policy.Marketing), Origin: policy.OriginKeyword, At: now, Text: text, MessageID: id}}
		return box
	}
	w.receive(inbound("lasciatemi in pace"))
	stop := w.written(p, 0, stops(policy.ScopeCategory("news")))
	stop.Acts[0].Text, stop.Acts[0].MessageID, stop.Wishes[0].MessageID = "lasciatemi in pace", wamid+"9", wamid+"9"
	w.receive(stop)
	_, err = w.store.Suppress(w.ctx, number, policy.ScopeKind(policy.Utility), "angry on the phone, Zenobia", "ada")
	w.must(err)
	early := sender.Inbox{Statuses: []sender.Status{{WAMID: wamid + "A", State: sender.Delivered, At: now}}}
	w.receive(early)
	db.MustExec(`UPDATE runs SET plan = '{"campaign":"waiting","hash":"h","sample":[{"phone":"+393481234567","text":"Ciao Zenobia"},{"phone":"+393470000001","text":"Ciao Ada"}]}'
		WHERE run_id = $1`, waiting.run.ID)
	for _, secret := range secrets {
		if secret != "3481234567" && len(found(t, db, target, secret)) == 0 && secret != "bounced off her" {
			t.Errorf("before, %q is nowhere: the test shows nothing", secret)
		}
	}

	erased, people, err := w.store.Erase(w.ctx, policy.Identity{Phone: number}, "asked for by Zenobia Quattrocchi of 393481234567", "ada")
	w.must(err)
	if len(people) != 1 || people[0] != p.id || erased.Webhooks != 1 || erased.Deliveries != 3 || erased.Suppressions == 0 {
		t.Errorf("erased %+v of %v", erased, people)
	}
	clean := func(when string) {
		t.Helper()
		for _, secret := range secrets {
			for _, where := range found(t, db, target, secret) {
				t.Errorf("%s: %q is in %s", when, secret, where)
			}
		}
	}
	// What was on the wire comes back now: the answer, and then Meta's word.
	w.must(w.store.Record(w.ctx, []sender.Outcome{{RunID: inFlight.run, PersonID: p.id, AttemptID: inFlight.attempt, Result: sender.Result{Fate: sender.Taken, WAMID: wamid + "B"}}}))
	w.must(w.store.EraseLate(w.ctx, people))
	clean("after the erasure")
	w.want(sent.run.ID, sender.Failed, "", p)
	w.want(flying.run.ID, sender.Accepted, "", p)

	failed.WAMID, failed.Callback = wamid+"B", sender.Callback(w.store.Instance(), inFlight.attempt)
	w.hear(failed)
	w.want(flying.run.ID, sender.Failed, "", p)
	before := len(w.suppressed(number))
	if before == 0 {
		t.Error("no stop holds for the number any more")
	}
	w.want(waiting.run.ID, sender.Queued, "", other)
	if kept := found(t, db, target, "Ciao Ada"); !slices.Contains(kept, "runs.plan") {
		t.Errorf("another's line of the plan is gone: %q", kept)
	}

	// The files come again, and the person writes again.
	counts, err := w.store.ImportContacts(w.ctx, []scheduler.ContactRecord{file("Zenobia Quattrocchi")})
	w.must(err)
	if counts.Unchanged != 1 || counts.Added+counts.Changed != 0 {
		t.Errorf("a re-import did %+v", counts)
	}
	_, err = w.store.ImportConsents(w.ctx, []scheduler.ConsentRecord{{Phone: number, Number: place, Event: consent}})
	w.must(err)
	_, err = w.store.ImportSuppressions(w.ctx, []scheduler.SuppressionRecord{{Phone: number, At: now, Reason: "angry on the phone", Source: "form-7712"}})
	w.must(err)
	again := w.written(p, 0, stops(policy.ScopeAll))
	again.Acts[0].Text, again.Acts[0].MessageID, again.Wishes[0].MessageID = "lasciatemi in pace", wamid+"C", wamid+"C"
	again.Acts[0].Identity.UserID = "IT.5566778899"
	w.receive(again)
	unread := inbound("lasciatemi in pace")
	unread.Body, unread.Replies = nil, nil
	w.receive(unread)
	w.must(w.store.EraseLate(w.ctx, people))
	clean("after what came later")
	if got := len(w.suppressed(number)); got <= before {
		t.Errorf("%d stops hold, before it were %d: the later ones are lost", got, before)
	}
	contact, known, err := w.store.Contact(w.ctx, number)
	if err != nil || !known || !contact.Erased {
		t.Errorf("the contact is %+v, %t, %v", contact, known, err)
	}
	if w.audited("contacts.erase") != 1 {
		t.Error("the audit log does not say that somebody was erased")
	}
	if _, _, err := w.store.Erase(w.ctx, policy.Identity{UserID: "IT.5566778899"}, "", "ada"); err != nil {
		t.Errorf("erasing again: %v", err)
	}
}

// found lists where a text stands: the columns of the tables, and for SQLite the database's files.
func found(t *testing.T, db *sqlx.DB, target, text string) (where []string) {
	t.Helper()
	columns := `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'`
	path, lite := strings.CutPrefix(target, "sqlite:")
	if lite {
		columns = `SELECT m.name AS table_name, p.name AS column_name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'`
	}
	var all []struct {
		Table  string `db:"table_name"`
		Column string `db:"column_name"`
	}
	if err := db.Select(&all, columns); err != nil || len(all) < 100 {
		t.Fatalf("%d columns, %v", len(all), err)
	}
	for _, c := range all {
		var n int
		value := "CAST(" + c.Column + " AS TEXT)"
		if err := db.Get(&n, "SELECT count(*) FROM "+c.Table+" WHERE "+value+" LIKE $1", "%"+text+"%"); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			where = append(where, c.Table+"."+c.Column)
		}
	}
	if lite {
		files, _ := filepath.Glob(path + "*")
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(raw), text) {
				where = append(where, "the bytes of "+filepath.Base(file))
			}
		}
	}
	return where
}
