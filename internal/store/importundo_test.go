package store_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// layer is what one import made of a contact's fields; a contact is its layers, the last word of each field above the others.
type layer struct {
	id     string
	fields map[string]string
}

// history is a contact as it must be: there as long as a layer is.
type history []layer

func (h history) fields() map[string]string {
	all := map[string]string{}
	for _, l := range h {
		maps.Copy(all, l.fields)
	}
	return all
}

// imported adds a layer of those fields that the import changes.
func (h history) imported(id string, row map[string]string) history {
	was, fields := h.fields(), map[string]string{}
	for field, value := range row {
		if before, there := was[field]; !there || before != value {
			fields[field] = value
		}
	}
	if len(h) > 0 && len(fields) == 0 {
		return h
	}
	return append(slices.Clone(h), layer{id, fields})
}

func (h history) undone(id string) history {
	return slices.DeleteFunc(slices.Clone(h), func(l layer) bool { return l.id == id })
}

// recordOf is a file's row with these fields.
func recordOf(number phone.Number, row map[string]string) scheduler.ContactRecord {
	r := scheduler.ContactRecord{Phone: number}
	for field, value := range row {
		switch field {
		case "name":
			r.Name = new(value)
		case "language":
			r.Language = new(value)
		case "points", "city":
			if r.Attributes == nil {
				r.Attributes = map[string]string{}
			}
			r.Attributes[field] = value
		default:
			r.Tags = append(r.Tags, field)
		}
	}
	return r
}

// fieldsOf is the reverse, for a contact.
func fieldsOf(c scheduler.Contact) map[string]string {
	fields := map[string]string{}
	if c.Name != "" {
		fields["name"] = c.Name
	}
	if c.Language != "" {
		fields["language"] = c.Language
	}
	maps.Copy(fields, c.Attributes)
	for _, tag := range c.Tags {
		fields[tag] = ""
	}
	return fields
}

// Imports over one another, undone in any order, leave of each contact what the others gave it: import A, B over it, undo B is
// A; import A, B, undo A is what B gave; and once all are undone nobody is left.
func TestUndoneImportsLeaveTheOthers(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		met := 0
		rapid.Check(t, func(r *rapid.T) {
			numbers := make([]phone.Number, 3)
			for i := range numbers {
				met++
				numbers[i] = number(met)
			}
			people, open := map[phone.Number]history{}, []string{}
			undo := func(i int) {
				id := open[i]
				open = slices.Delete(open, i, i+1)
				if _, err := s.UndoImport(t.Context(), id, "ada", nil); err != nil {
					r.Fatal(err)
				}
				for number, h := range people {
					people[number] = h.undone(id)
				}
			}
			row := rapid.MapOfN(rapid.SampledFrom([]string{"name", "language", "points", "city", "vip", "new"}), rapid.SampledFrom([]string{"1", "2", "3"}), 0, 4)
			for range rapid.IntRange(1, 8).Draw(r, "steps") {
				if len(open) > 0 && rapid.IntRange(0, 2).Draw(r, "undo") == 0 {
					undo(rapid.IntRange(0, len(open)-1).Draw(r, "which"))
				} else {
					open = append(open, importRows(t, r, s, numbers, people, row))
				}
				compare(t, r, s, numbers, people)
			}
			for len(open) > 0 {
				undo(rapid.IntRange(0, len(open)-1).Draw(r, "which"))
				compare(t, r, s, numbers, people)
			}
		})
	})
}

// importRows imports rows for some of the numbers and notes in people what they are then.
func importRows(t *testing.T, r *rapid.T, s *store.Store, numbers []phone.Number, people map[phone.Number]history, row *rapid.Generator[map[string]string]) string {
	noted := s.NewImport(report.Import{Kind: "contacts", File: "contacts.csv"})
	var records []scheduler.ContactRecord
	for _, number := range numbers {
		if !rapid.Bool().Draw(r, "named") {
			continue
		}
		fields := row.Draw(r, "row")
		for field := range fields {
			if field == "vip" || field == "new" {
				fields[field] = "" // a tag is there or not
			}
		}
		records = append(records, recordOf(number, fields))
		people[number] = people[number].imported(noted.ID(), fields)
	}
	if _, err := noted.ImportContacts(t.Context(), records); err != nil {
		r.Fatal(err)
	}
	if err := noted.Finish(t.Context(), 0); err != nil {
		r.Fatal(err)
	}
	return noted.ID()
}

func compare(t *testing.T, r *rapid.T, s *store.Store, numbers []phone.Number, people map[phone.Number]history) {
	for _, number := range numbers {
		contact, found, err := s.Contact(t.Context(), number)
		if err != nil {
			r.Fatal(err)
		}
		if want := len(people[number]) > 0; found != want {
			r.Fatalf("%s is there: %t, want %t", number, found, want)
		}
		if !found {
			continue
		}
		if diff := gocmp.Diff(people[number].fields(), fieldsOf(contact)); diff != "" {
			r.Fatalf("%s (-want +got):\n%s", number, diff)
		}
	}
}

// What an import kept of an erased person is not brought back.
func TestUndoDoesNotReviveTheErased(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, db := storetest.Open(t, target), storetest.SQL(t, target)
		importContacts(t, s, scheduler.ContactRecord{Phone: number(1), Name: new("Ada")})
		noted := s.NewImport(report.Import{Kind: "contacts", File: "contacts.csv"})
		records := []scheduler.ContactRecord{{Phone: number(1), Name: new("Bea")}, {Phone: number(2), Name: new("Cid")}}
		if _, err := noted.ImportContacts(t.Context(), records); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), "UPDATE contacts SET erased_at = 1, phone = '', name = ''"); err != nil {
			t.Fatal(err)
		}
		if done, err := s.UndoImport(t.Context(), noted.ID(), "ada", nil); err != nil || done != (report.Undone{}) {
			t.Errorf("undo: %+v, %v, want nothing done", done, err)
		}
		for i := range 2 {
			if contact := contactOf(t, s, number(i+1)); !contact.Erased || contact.Name != "" || contact.Phone != "" {
				t.Errorf("the erased contact is %+v", contact)
			}
		}
		var left int
		if err := db.GetContext(t.Context(), &left, "SELECT count(*) FROM import_changes"); err != nil || left != 0 {
			t.Errorf("%d changes are kept after the undo, %v", left, err)
		}
	})
}

// Undoing goes by keys, in transactions of bounded size, and its end is found however many imports there are.
func TestUndoOfManyImports(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		var ids []string
		for i := range 12 {
			noted := s.NewImport(report.Import{Kind: "contacts", File: fmt.Sprintf("%d.csv", i)})
			var records []scheduler.ContactRecord
			for n := range 30 {
				records = append(records, scheduler.ContactRecord{Phone: number(n), Attributes: map[string]string{"day": fmt.Sprint(i), fmt.Sprintf("x%d", i): "1"}})
			}
			if _, err := noted.ImportContacts(t.Context(), records); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, noted.ID())
		}
		slices.SortFunc(ids[:11], func(a, b string) int { return cmp.Compare(b[len(b)-6:], a[len(a)-6:]) }) // any order but that of the imports
		for _, id := range ids[:11] {
			if _, err := s.UndoImport(t.Context(), id, "ada", nil); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := contactOf(t, s, number(7)).Attributes, map[string]string{"day": "11", "x11": "1"}; !maps.Equal(got, want) {
			t.Errorf("attributes %v, want those of the last import, %v", got, want)
		}
	})
}

// What an import changed is kept for 90 days after its last row: the next import lets go of it.
func TestOldImportsAreForgotten(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s, db := storetest.Open(t, target), storetest.SQL(t, target)
		file := func(records ...scheduler.ContactRecord) string {
			noted := s.NewImport(report.Import{Kind: "contacts", File: "contacts.csv"})
			if _, err := noted.ImportContacts(t.Context(), records); err != nil {
				t.Fatal(err)
			}
			if err := noted.Finish(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			return noted.ID()
		}
		var many []scheduler.ContactRecord
		for n := range 2100 {
			many = append(many, scheduler.ContactRecord{Phone: number(n), Name: new("Ada")})
		}
		old := file(many...)
		const day = 24 * 3600 * 1_000_000
		if _, err := db.ExecContext(t.Context(), "UPDATE imports SET seen_at = seen_at - $1", 91*int64(day)); err != nil {
			t.Fatal(err)
		}
		recent := file(scheduler.ContactRecord{Phone: number(1), Name: new("Bea")})
		var left []string
		if err := db.SelectContext(t.Context(), &left, "SELECT import_id FROM import_changes"); err != nil || !slices.Equal(left, []string{recent}) {
			t.Errorf("changes of %v are kept, %v; want those of the last import", left, err)
		}
		if _, err := s.UndoImport(t.Context(), old, "ada", nil); !errors.Is(err, store.ErrForgotten) {
			t.Errorf("undoing a forgotten import: %v", err)
		}
		if done, err := s.UndoImport(t.Context(), recent, "ada", nil); err != nil || done.Restored != 1 || contactOf(t, s, number(1)).Name != "Ada" {
			t.Errorf("undoing the last import: %+v, %v", done, err)
		}
	})
}

// Batches that are taken for new and are not are written all the same: by people whom another import, or the file itself, brought.
func TestABatchThatIsNotNewAfterAll(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		s := storetest.Open(t, target)
		event := func(n int) scheduler.ConsentRecord {
			return scheduler.ConsentRecord{Phone: number(n), Event: policy.ConsentEvent{Category: "offers", Action: policy.Granted, At: given, Source: "paper", Wording: "Sì"}}
		}
		for _, kind := range []string{"contacts", "consents"} {
			noted := s.NewImport(report.Import{Kind: kind, File: kind + ".csv"})
			for i, batch := range []struct {
				numbers []int
				want    scheduler.ImportCounts
			}{
				{[]int{1, 2}, scheduler.ImportCounts{Added: 2}},
				{[]int{3, 4}, scheduler.ImportCounts{Added: 2}},
				{[]int{5, 1}, scheduler.ImportCounts{Added: 1, Unchanged: 1}},
				{[]int{6}, scheduler.ImportCounts{Added: 1}},
				{[]int{6, 2}, scheduler.ImportCounts{Unchanged: 2}},
			} {
				var contacts []scheduler.ContactRecord
				var consents []scheduler.ConsentRecord
				for _, n := range batch.numbers {
					contacts, consents = append(contacts, scheduler.ContactRecord{Phone: number(n)}), append(consents, event(n))
				}
				var counts scheduler.ImportCounts
				var err error
				if kind == "contacts" {
					counts, err = noted.ImportContacts(t.Context(), contacts)
				} else {
					counts, err = noted.ImportConsents(t.Context(), consents)
				}
				if err != nil || counts != batch.want {
					t.Errorf("%s %d: %+v, %v, want %+v", kind, i, counts, err, batch.want)
				}
			}
		}
		for n := 1; n <= 6; n++ {
			contactOf(t, s, number(n))
			if ledger, err := s.Consents(t.Context(), number(n)); err != nil || len(ledger) != 1 {
				t.Errorf("the ledger of %d has %d events, %v", n, len(ledger), err)
			}
		}
	})
}
