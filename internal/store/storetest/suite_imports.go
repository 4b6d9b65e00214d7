package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// file imports records as one file and returns its id.
func (w *world) file(records ...scheduler.ContactRecord) string {
	w.Helper()
	noted := w.store.NewImport(report.Import{Kind: "contacts", File: "/home/ada/contacts.csv", Hash: "c0ffee", Actor: "ada"})
	for chunk := range slices.Chunk(records, 1200) {
		_, err := noted.ImportContacts(w.ctx, chunk)
		w.must(err)
	}
	w.must(noted.Finish(w.ctx, 0))
	return noted.ID()
}

func (w *world) undo(id string) report.Undone {
	w.Helper()
	done, err := w.store.UndoImport(w.ctx, id, "bea", nil)
	w.must(err)
	return done
}

// wantUndone undoes an import and checks what that did.
func (w *world) wantUndone(id string, want report.Undone) {
	w.Helper()
	if diff := gocmp.Diff(want, w.undo(id)); diff != "" {
		w.Errorf("undoing (-want +got):\n%s", diff)
	}
}

// everybody lists all contacts without their keys, by number.
func (w *world) everybody() []scheduler.Contact {
	w.Helper()
	var all []scheduler.Contact
	for c, err := range w.store.Contacts(w.ctx) {
		w.must(err)
		c.PersonID = policy.PersonID{}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b scheduler.Contact) int { return cmp.Compare(a.Phone, b.Phone) })
	return all
}

func (w *world) wantEverybody(when string, want []scheduler.Contact) {
	w.Helper()
	if diff := gocmp.Diff(want, w.everybody()); diff != "" {
		w.Errorf("contacts %s (-want +got):\n%s", when, diff)
	}
}

func (w *world) noted(id string) report.Import {
	w.Helper()
	list, err := w.store.Imports(w.ctx, 0)
	w.must(err)
	for _, i := range list {
		if i.ID == id {
			return i
		}
	}
	w.Fatalf("import %s is not listed", id)
	return report.Import{}
}

const (
	ada = phone.Number("+393471234567")
	bea = phone.Number("+393471234568")
	cid = phone.Number("+5511981234567")
)

func testUndo(w *world) {
	w.file(scheduler.ContactRecord{Phone: ada, Name: new("Ada"), Language: new("it"), Tags: []string{"vip"}, Attributes: map[string]string{"points": "7", "city": "Roma"}})
	before := w.everybody()
	id := w.file(
		scheduler.ContactRecord{Phone: ada, Name: new("Ada L."), Zone: new("Europe/Rome"), Tags: []string{"autumn", "vip"}, Attributes: map[string]string{"points": "8", "shoe": "39"},
			Number: scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome"}, MainZone: "Europe/Rome"}},
		scheduler.ContactRecord{Phone: bea, Name: new("Bea")}, scheduler.ContactRecord{Phone: cid, ExternalID: new("c-3"), Tags: []string{"autumn"}},
	)
	noted := w.noted(id)
	if noted.StartedAt.IsZero() || noted.FinishedAt.IsZero() {
		w.Errorf("the import ran from %s to %s", noted.StartedAt, noted.FinishedAt)
	}
	noted.StartedAt, noted.SeenAt, noted.FinishedAt = report.Time{}, report.Time{}, report.Time{}
	if want := (report.Import{ID: id, Kind: "contacts", File: "contacts.csv", Hash: "c0ffee", Actor: "ada", Added: 2, Changed: 1}); noted != want {
		w.Errorf("the import is noted as %+v, want %+v", noted, want)
	}
	w.wantUndone(id, report.Undone{Removed: 2, Restored: 1})
	w.wantEverybody("after the undo", before)
	for _, number := range []phone.Number{bea, cid, "+551181234567"} {
		if people, err := w.store.Find(w.ctx, number); err != nil || len(people) != 0 {
			w.Errorf("of what was added and taken back there is still %v, %v", people, err)
		}
	}
	noted = w.noted(id)
	if noted.UndoneBy != "bea" || noted.UndoneAt.IsZero() {
		w.Errorf("the import is undone by %q at %s", noted.UndoneBy, noted.UndoneAt)
	}
	entries, err := w.store.Audited(w.ctx, 0)
	w.must(err)
	var said []string
	for _, e := range entries {
		if e.Subject == id && e.Actor == "bea" {
			said = append(said, e.Action+": "+e.Details)
		}
	}
	if want := []string{"import.undone: 2 removed, 0 of them remembered, 1 restored, 0 kept", "import.undo: 2 added, 1 changed, from contacts.csv"}; !slices.Equal(said, want) {
		w.Errorf("audited %q, want %q", said, want)
	}
	// A second file with the same rows is a batch of its own, which changes nothing, and nothing is what its undoing does.
	first := w.file(scheduler.ContactRecord{Phone: bea, Name: new("Bea")})
	again := w.file(scheduler.ContactRecord{Phone: bea, Name: new("Bea")})
	if noted := w.noted(again); noted.Added+noted.Changed != 0 || noted.Unchanged != 1 {
		w.Errorf("the same file again: %+v", noted)
	}
	w.wantUndone(again, report.Undone{})
	w.wantUndone(first, report.Undone{Removed: 1})
	w.wantEverybody("after all", before)
}

func testUndoUnderLater(w *world) {
	base := w.file(scheduler.ContactRecord{Phone: ada, Name: new("Ada"), Language: new("it")})
	start := w.everybody()
	a := w.file(scheduler.ContactRecord{Phone: ada, Name: new("Ada A."), Language: new("en"), Tags: []string{"a"}}, scheduler.ContactRecord{Phone: bea, Name: new("Bea A."), Language: new("en")})
	b := w.file(scheduler.ContactRecord{Phone: ada, Name: new("Ada B."), Tags: []string{"a", "b"}}, scheduler.ContactRecord{Phone: bea, Name: new("Bea B.")})
	w.wantUndone(a, report.Undone{Restored: 1, Kept: 2})
	w.wantEverybody("with what the later import gave", []scheduler.Contact{
		{Phone: ada, Name: "Ada B.", Language: "it", Tags: []string{"b"}}, {Phone: bea, Name: "Bea B."}})
	w.wantUndone(b, report.Undone{Removed: 1, Restored: 1})
	w.wantEverybody("with neither", start)

	// What no import changed counts as the last word, whoever said it, and stays.
	c := w.file(scheduler.ContactRecord{Phone: ada, Name: new("Ada C."), Language: new("fr")}, scheduler.ContactRecord{Phone: bea, Name: new("Bea C.")})
	_, err := w.store.ImportContacts(w.ctx, []scheduler.ContactRecord{{Phone: ada, Name: new("Ada herself")}, {Phone: bea, Language: new("pt")}})
	w.must(err)
	w.wantUndone(c, report.Undone{Restored: 1, Kept: 2})
	w.wantEverybody("with what was changed by hand", []scheduler.Contact{
		{Phone: ada, Name: "Ada herself", Language: "it"}, {Phone: bea, Name: "Bea C.", Language: "pt"}})
	w.wantUndone(base, report.Undone{Kept: 1})

	// One file may name a person twice, far apart.
	twice := w.store.NewImport(report.Import{Kind: "contacts", File: "twice.csv"})
	for _, r := range []scheduler.ContactRecord{{Phone: cid, Name: new("Cid 1")}, {Phone: cid, Name: new("Cid 2")}, {Phone: ada, Name: new("1")}, {Phone: ada, Name: new("2"), Language: new("de")}} {
		_, err := twice.ImportContacts(w.ctx, []scheduler.ContactRecord{r})
		w.must(err)
	}
	w.wantUndone(twice.ID(), report.Undone{Removed: 1, Restored: 1})
	w.wantEverybody("without the file that named people twice", []scheduler.Contact{
		{Phone: ada, Name: "Ada herself", Language: "it"}, {Phone: bea, Name: "Bea C.", Language: "pt"}})
}

// wantStranger checks that a number has a person who is no contact.
func (w *world) wantStranger(number phone.Number) scheduler.Subject {
	w.Helper()
	subject, found, err := w.store.Subject(w.ctx, number, scheduler.Want{Categories: []string{"offers"}})
	w.must(err)
	if !found || subject.Person.Known || subject.Contact.Name != "" {
		w.Errorf("found %t, known %t, %q; want a person who is no contact", found, subject.Person.Known, subject.Contact.Name)
	}
	return subject
}

func testUndoKeepsTheRest(w *world) {
	granted := policy.ConsentEvent{Category: "offers", Action: policy.Granted, At: time.Now().Add(-time.Hour), Source: "paper", Wording: "Sì"}
	wrote := phone.Number("+393471234569")
	w.must(w.store.AddConsent(w.ctx, ada, granted, "ada"))
	id := w.file(scheduler.ContactRecord{Phone: ada, Name: new("Ada")}, scheduler.ContactRecord{Phone: bea, Name: new("Bea")},
		scheduler.ContactRecord{Phone: cid, Name: new("Cid")}, scheduler.ContactRecord{Phone: wrote, Name: new("Dan")})
	_, err := w.store.Suppress(w.ctx, bea, policy.ScopeAll, "asked", "ada")
	w.must(err)
	_, err = w.store.ImportSuppressions(w.ctx, []scheduler.SuppressionRecord{{Phone: "+551181234567", Scope: policy.ScopeAll, At: time.Now().Add(-time.Hour), Source: "old system"}})
	w.must(err)
	_, err = w.store.Store(w.ctx, []sender.Inbox{{Replies: []sender.Reply{{Identity: policy.Identity{Phone: wrote}, MessageID: "wamid.in", At: time.Now()}}}})
	w.must(err)

	w.wantUndone(id, report.Undone{Removed: 4, Remembered: 4})
	w.wantEverybody("after the undo", nil)
	if subject := w.wantStranger(ada); subject.Person.Consents["offers"].Action != policy.Granted {
		w.Errorf("the consent became %+v", subject.Person.Consents)
	}
	for _, number := range []phone.Number{bea, cid} {
		if subject := w.wantStranger(number); len(subject.Person.Suppressions) != 1 {
			w.Errorf("the stop became %+v", subject.Person.Suppressions)
		}
	}
	w.wantStranger(wrote)

	// They are the same persons when they come again, and a second undo still knows who was there before.
	again := w.file(scheduler.ContactRecord{Phone: ada, Name: new("Ada")}, scheduler.ContactRecord{Phone: bea})
	if len(w.suppressed(bea)) != 1 {
		w.Error("the stop does not hold for the person imported again")
	}
	w.wantUndone(again, report.Undone{Removed: 2, Remembered: 2})
}

func testUndoInARun(w *world) {
	people := w.people(2)
	id := w.file(scheduler.ContactRecord{Phone: ada, Name: new("Ada"), Language: new("it")}, scheduler.ContactRecord{Phone: bea, Language: new("it")})
	for _, number := range []phone.Number{ada, bea} {
		people = append(people, person{number, w.find(number)})
	}
	l := w.launch("undone", "offers", people)
	sent := w.gate(l, people[3:])
	w.wantUndone(id, report.Undone{Removed: 2, Remembered: 2})
	rows := w.queued(l.run.ID)
	if len(rows) != 3 {
		w.Fatalf("%d rows wait, want 3", len(rows))
	}
	for _, row := range rows {
		if known := row.PersonID != people[2].id; row.Person.Known != known {
			w.Errorf("the row of %s says known %t", row.PersonID, row.Person.Known)
		}
		l.rows[row.PersonID] = row
	}
	w.gate(l, people[2:3])
	w.want(l.run.ID, sender.Skipped, policy.UnknownContact, people[2])
	for _, p := range people[2:] {
		if line := w.lines(l.run.ID)[p.id]; line.Phone != string(p.phone) {
			w.Errorf("the send log has the phone %q, want %s", line.Phone, p.phone)
		}
	}
	if state := w.lines(l.run.ID)[people[3].id].State; state != sent[0].answer.State {
		w.Errorf("undoing moved a row from %s to %s", sent[0].answer.State, state)
	}
}

func testUndoRefusals(w *world) {
	id := w.file(scheduler.ContactRecord{Phone: ada})
	w.undo(id)
	consents := w.store.NewImport(report.Import{Kind: "consents", File: "consents.csv"})
	_, err := consents.ImportConsents(w.ctx, []scheduler.ConsentRecord{{Phone: ada, Event: policy.ConsentEvent{
		Category: "offers", Action: policy.Granted, At: time.Now().Add(-time.Hour), Source: "paper", Wording: "Sì"}}})
	w.must(err)
	stops := w.store.NewImport(report.Import{Kind: "suppressions", File: "stops.csv"})
	_, err = stops.ImportSuppressions(w.ctx, []scheduler.SuppressionRecord{{Phone: bea, At: time.Now().Add(-time.Hour)}})
	w.must(err)
	w.must(stops.Finish(w.ctx, 3))
	for id, want := range map[string]error{
		id: store.ErrAlreadyUndone, "i20261121-1800-nobody": store.ErrNoImport, "": store.ErrNoImport,
		consents.ID(): store.ErrImportStays, stops.ID(): store.ErrImportStays,
	} {
		if done, err := w.store.UndoImport(w.ctx, id, "bea", nil); !errors.Is(err, want) || done != (report.Undone{}) {
			w.Errorf("undoing %q: %+v, %v, want %v", id, done, err, want)
		}
	}
	if noted := w.noted(consents.ID()); noted.Added != 1 || !noted.FinishedAt.IsZero() || noted.UndoneBy != "" {
		w.Errorf("the import of consents is noted as %+v", noted)
	}
	if noted := w.noted(stops.ID()); noted.Added != 1 || noted.Rejected != 3 {
		w.Errorf("the import of stops is noted as %+v", noted)
	}
	list, err := w.store.Imports(w.ctx, 2)
	w.must(err)
	if len(list) != 2 || list[0].ID != stops.ID() || list[1].ID != consents.ID() {
		w.Errorf("the last two imports are %+v", list)
	}
}

func testUndoCutOff(w *world) {
	records := make([]scheduler.ContactRecord, 2500)
	for i := range records {
		records[i] = scheduler.ContactRecord{Phone: phone.Number(fmt.Sprintf("+39349%07d", i)), Tags: []string{"autumn"}}
	}
	w.file(records[:700]...)
	before := w.everybody()
	for i := range records {
		records[i].Name = new(strings.Repeat("x", i%5+1))
	}
	// An import that is killed leaves its batches, and no finish.
	noted := w.store.NewImport(report.Import{Kind: "contacts", File: "contacts.csv"})
	for chunk := range slices.Chunk(records, 600) {
		_, err := noted.ImportContacts(w.ctx, chunk)
		w.must(err)
	}
	if n := w.noted(noted.ID()); n.Added != 1800 || n.Changed != 700 || !n.FinishedAt.IsZero() {
		w.Errorf("the import that was cut off is noted as %+v", n)
	}
	ctx, cut := context.WithCancel(w.ctx)
	first, err := w.store.UndoImport(ctx, noted.ID(), "bea", func(report.Undone) { cut() })
	if !errors.Is(err, context.Canceled) || first.Removed+first.Restored != 1000 {
		w.Errorf("an undo that is cut off: %+v, %v", first, err)
	}
	// What is still running of it must not go on behind the undo's back.
	if _, err := noted.ImportContacts(w.ctx, records[:1]); !errors.Is(err, store.ErrImportUndone) {
		w.Errorf("a batch of an import that is being undone: %v", err)
	}
	if got, want := first.Plus(w.undo(noted.ID())), (report.Undone{Removed: 1800, Restored: 700}); got != want {
		w.Errorf("both parts of the undo: %+v, want %+v", got, want)
	}
	w.wantEverybody("after the undo", before)
}

// testUndoRaces has consents and stops come for people whose import is being undone: none is lost, whoever is first.
func testUndoRaces(w *world) {
	const rounds, people = 6, 60
	for round := range rounds {
		records := make([]scheduler.ContactRecord, people)
		consents := make([]scheduler.ConsentRecord, people)
		event := policy.ConsentEvent{Category: "offers", Action: policy.Granted, At: time.Now().Add(-time.Hour), Source: "paper", Wording: "Sì"}
		for i := range records {
			records[i].Phone = phone.Number(fmt.Sprintf("+39348%03d%04d", round, i))
			consents[i] = scheduler.ConsentRecord{Phone: records[i].Phone, Event: event}
		}
		id := w.file(records...)
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := w.store.UndoImport(w.ctx, id, "bea", nil); err != nil {
				w.Errorf("undo: %v", err)
			}
		})
		for chunk := range slices.Chunk(consents[:people/2], 7) {
			all.Go(func() {
				if _, err := w.store.ImportConsents(w.ctx, chunk); err != nil {
					w.Errorf("consents: %v", err)
				}
			})
		}
		all.Go(func() {
			for _, r := range records[people/2:] {
				if _, err := w.store.Store(w.ctx, []sender.Inbox{{Acts: []policy.Act{stop(person{phone: r.Phone}, policy.ScopeAll, time.Now())}}}); err != nil {
					w.Errorf("stop: %v", err)
				}
			}
		})
		all.Wait()
		for i, r := range records {
			if subject := w.wantStranger(r.Phone); i < people/2 && subject.Person.Consents["offers"].Action != policy.Granted ||
				i >= people/2 && len(subject.Person.Suppressions) != 1 {
				w.Errorf("%d: consents %v, stops %v", i, subject.Person.Consents, subject.Person.Suppressions)
			}
		}
	}
}
