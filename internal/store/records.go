package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

// recordsPerStatement bounds the rows of one statement; a call of any size is one transaction.
const recordsPerStatement = 1000

// errContactMoved says that a contact changed between its reading and its writing.
var errContactMoved = errcode.With(errors.New("contacts kept changing underneath: another import, or an erasure, is running"), errcode.DatabaseBusy)

// ImportContacts adds and updates contacts in one transaction. A nil field leaves what is there, tags are added, attributes
// are set over; of several records for one person, whatever form their number is written in, the last wins. An erased
// contact stays erased. Counts are of contacts: erased ones and those that the records do not change are Unchanged, and
// nothing of theirs is written.
func (s *Store) ImportContacts(ctx context.Context, records []scheduler.ContactRecord) (counts scheduler.ImportCounts, err error) {
	patches := foldContacts(records)
	const rounds = 5
	for range rounds {
		err = s.inTx(ctx, func(tx *sqlx.Tx) error {
			var err error
			counts, err = s.importContacts(ctx, tx, patches)
			return err
		})
		if !errors.Is(err, errContactMoved) {
			break
		}
	}
	if err != nil {
		return scheduler.ImportCounts{}, fmt.Errorf("importing %d contacts: %w", len(records), err)
	}
	s.grew(ctx, counts.Added, "contacts", "persons", "identifiers")
	return counts, nil
}

// foldContacts makes one record per person of a file's records, as if they were applied one after the other.
func foldContacts(records []scheduler.ContactRecord) map[phone.Number]scheduler.ContactRecord {
	folded := make(map[phone.Number]scheduler.ContactRecord, len(records))
	for _, next := range records {
		key := next.Phone.Canonical()
		first, found := folded[key]
		if !found {
			folded[key] = next
			continue
		}
		first.Phone, first.Number, first.Line = next.Phone, next.Number, next.Line
		first.Name = lastGiven(first.Name, next.Name)
		first.Language = lastGiven(first.Language, next.Language)
		first.Zone = lastGiven(first.Zone, next.Zone)
		first.ExternalID = lastGiven(first.ExternalID, next.ExternalID)
		first.Tags = slices.Concat(first.Tags, next.Tags)
		if len(next.Attributes) > 0 {
			merged := make(map[string]string, len(first.Attributes)+len(next.Attributes))
			maps.Copy(merged, first.Attributes)
			maps.Copy(merged, next.Attributes)
			first.Attributes = merged
		}
		folded[key] = first
	}
	return folded
}

func lastGiven(before, next *string) *string {
	if next != nil {
		return next
	}
	return before
}

func (s *Store) importContacts(ctx context.Context, tx *sqlx.Tx, patches map[phone.Number]scheduler.ContactRecord) (scheduler.ImportCounts, error) {
	var counts scheduler.ImportCounts
	now, err := s.dialect.now(ctx, tx)
	if err != nil {
		return counts, err
	}
	people, err := s.claimPhones(ctx, tx, now, maps.Keys(patches))
	if err != nil {
		return counts, err
	}
	byPerson := make(map[policy.PersonID]scheduler.ContactRecord, len(people))
	for number, person := range people {
		byPerson[person] = patches[number]
	}
	for chunk := range slices.Chunk(slices.SortedFunc(maps.Keys(byPerson), comparePersons), recordsPerStatement) {
		did, err := s.importContactChunk(ctx, tx, now, chunk, byPerson)
		if err != nil {
			return counts, err
		}
		counts = counts.Plus(did)
	}
	return counts, nil
}

func comparePersons(a, b policy.PersonID) int { return bytes.Compare(a[:], b[:]) }

func (s *Store) importContactChunk(ctx context.Context, tx *sqlx.Tx, now instant, people []policy.PersonID, patches map[policy.PersonID]scheduler.ContactRecord) (scheduler.ImportCounts, error) {
	var counts scheduler.ImportCounts
	stored, err := s.storedContacts(ctx, tx, people)
	if err != nil {
		return counts, err
	}
	add, change := s.dialect.newBatch(), s.dialect.newBatch()
	for _, person := range people {
		before, found := stored[person]
		if found && before.ErasedAt.Valid {
			counts.Unchanged++
			continue
		}
		after, err := before.patched(patches[person])
		switch {
		case err != nil:
			return counts, err
		case !found:
			after.PersonID = person[:]
			after.addTo(&add)
			counts.Added++
		case after.imported() == before.imported():
			counts.Unchanged++
		default:
			after.addTo(&change)
			change.num(int64(before.UpdatedAt))
			counts.Changed++
		}
	}
	if err := writeAll(ctx, tx, s.queries.addContacts, &add, now); err != nil {
		return counts, err
	}
	return counts, writeAll(ctx, tx, s.queries.changeContacts, &change, now)
}

// writeAll runs a statement that must write every row of its batch; else somebody else wrote first.
func writeAll(ctx context.Context, tx *sqlx.Tx, query statement, b *batch, now instant) error {
	if b.rows == 0 {
		return nil
	}
	done, err := query.exec(ctx, tx, b, now)
	if err != nil {
		return fmt.Errorf("writing contacts: %w", err)
	}
	written, err := done.RowsAffected()
	if err != nil {
		return fmt.Errorf("writing contacts: %w", err)
	}
	if int(written) != b.rows {
		return errContactMoved
	}
	return nil
}

// storedContact is a contact's row with the version that fences its change.
type storedContact struct {
	contactRow
	UpdatedAt instant `db:"updated_at"`
}

func (s *Store) storedContacts(ctx context.Context, tx *sqlx.Tx, people []policy.PersonID) (map[policy.PersonID]storedContact, error) {
	var rows []storedContact
	if err := s.queries.contactsAsStored.read(ctx, tx, &rows, s.batchOf(people)); err != nil {
		return nil, fmt.Errorf("reading contacts: %w", err)
	}
	found := make(map[policy.PersonID]storedContact, len(rows))
	for _, r := range rows {
		found[policy.PersonID(r.PersonID)] = r
	}
	return found, nil
}

// imported is all that an import may change; it is compared to tell whether it does.
func (r storedContact) imported() [10]string {
	return [...]string{r.Phone, r.Name, r.Language, r.Zone, r.ExternalID, r.Tags, r.Attributes, r.Country, r.Zones, r.MainZone}
}

func (r storedContact) addTo(b *batch) {
	b.row().bytes(r.PersonID)
	for _, text := range r.imported() {
		b.str(text)
	}
}

// patched is the row after a record; the zero row is a contact that is not there yet.
func (r storedContact) patched(patch scheduler.ContactRecord) (storedContact, error) {
	attributes := map[string]string{}
	if r.Attributes != "" {
		if err := json.Unmarshal([]byte(r.Attributes), &attributes); err != nil {
			return r, fmt.Errorf("reading the attributes of person %x: %w", r.PersonID, err)
		}
	}
	for name, value := range patch.Attributes {
		attributes[storable(name)] = storable(value)
	}
	text, err := json.Marshal(attributes)
	if err != nil {
		return r, fmt.Errorf("keeping the attributes of person %x: %w", r.PersonID, err)
	}
	r.Attributes = string(text)
	r.Phone = patch.Phone.String()
	r.Country, r.Zones, r.MainZone = patch.Number.Country, strings.Join(patch.Number.Zones, ";"), patch.Number.MainZone
	for _, field := range []struct {
		given *string
		to    *string
	}{{patch.Name, &r.Name}, {patch.Language, &r.Language}, {patch.Zone, &r.Zone}, {patch.ExternalID, &r.ExternalID}} {
		if field.given != nil {
			*field.to = storable(*field.given)
		}
	}
	tags := split(r.Tags)
	for _, tag := range patch.Tags {
		if tag = storable(tag); tag != "" && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	r.Tags = strings.Join(tags, ";")
	return r, nil
}

// storable is a text that both databases take and give back unchanged: PostgreSQL refuses the zero byte and what is not UTF-8,
// and one such cell must not stop a file.
func storable(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
}
