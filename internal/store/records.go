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

// ImportContacts adds and updates contacts in one transaction, as no import of a file: nothing is kept to undo it by. A nil
// field leaves what is there, tags are added, attributes are set over; of several records for one person, whatever form their
// number is written in, the last wins. An erased contact stays erased. Counts are of contacts: erased ones and those that the
// records do not change are Unchanged, and nothing of theirs is written.
func (s *Store) ImportContacts(ctx context.Context, records []scheduler.ContactRecord) (scheduler.ImportCounts, error) {
	return s.importContacts(ctx, nil, records)
}

// importContacts is one batch of an import; file is nil when there is none to note it under.
func (s *Store) importContacts(ctx context.Context, file *Import, records []scheduler.ContactRecord) (counts scheduler.ImportCounts, err error) {
	names, patches := s.foldContacts(records)
	const rounds = 5
	for range rounds {
		err = s.inTx(ctx, func(tx *sqlx.Tx) error {
			now, err := s.dialect.now(ctx, tx)
			if err != nil {
				return err
			}
			if err := file.begin(ctx, tx, now); err != nil {
				return err
			}
			if err := s.claimNumbers(ctx, tx, now, names, file.expectsNew()); err != nil {
				return err
			}
			written, err := s.writeContacts(ctx, tx, now, file, names, patches)
			if err != nil {
				return err
			}
			counts = written.counts(len(names))
			return file.count(ctx, tx, now, counts)
		})
		if !errors.Is(err, errContactMoved) && !errors.Is(err, errNotNew) {
			break
		}
		file.met()
	}
	if err != nil {
		return scheduler.ImportCounts{}, fmt.Errorf("importing %d contacts: %w", len(records), err)
	}
	file.began(names)
	s.grew(ctx, counts.Added, "contacts", "persons", "identifiers")
	return counts, nil
}

// foldContacts makes one record per person of a file's records, as if they were applied one after the other. The patches
// stand in the order of the names.
func (s *Store) foldContacts(records []scheduler.ContactRecord) ([]claimed, []*scheduler.ContactRecord) {
	names := s.claimedNumbers(len(records), func(row int) phone.Number { return records[row].Phone })
	patches := make([]*scheduler.ContactRecord, 0, len(records))
	distinct := names[:0]
	for _, name := range names {
		if last := len(distinct) - 1; last >= 0 && distinct[last].hash == name.hash {
			patches[last] = foldContact(*patches[last], records[name.row])
			continue
		}
		distinct, patches = append(distinct, name), append(patches, &records[name.row])
	}
	return distinct, patches
}

func foldContact(first, next scheduler.ContactRecord) *scheduler.ContactRecord {
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
	return &first
}

func lastGiven(before, next *string) *string {
	if next != nil {
		return next
	}
	return before
}

func comparePersons(a, b policy.PersonID) int { return bytes.Compare(a[:], b[:]) }

// writtenContacts is what patches did.
type writtenContacts struct {
	added   []newContact
	changed []contactChange
	erased  []policy.PersonID // of whom nothing was kept
}

func (w writtenContacts) counts(all int) scheduler.ImportCounts {
	return scheduler.ImportCounts{Added: len(w.added), Changed: len(w.changed), Unchanged: all - len(w.added) - len(w.changed)}
}

// writeContacts writes the patches of claimed persons. One who was made in this transaction is no contact yet.
func (s *Store) writeContacts(ctx context.Context, tx *sqlx.Tx, now instant, file *Import, names []claimed, patches []*scheduler.ContactRecord) (w writtenContacts, err error) {
	var met []policy.PersonID
	for i := range names {
		if !names[i].fresh {
			met = append(met, names[i].person)
		}
	}
	stored, err := s.storedContacts(ctx, tx, met)
	if err != nil {
		return w, err
	}
	w.added = make([]newContact, 0, len(names)-len(stored))
	for i := range names {
		before, found := stored[names[i].person]
		switch {
		case !found:
			w.added = append(w.added, newContact{names[i].person, patches[i]})
			continue
		case before.ErasedAt.Valid:
			w.erased = append(w.erased, names[i].person)
			continue
		}
		after, err := before.patched(patches[i])
		switch {
		case err != nil:
			return w, err
		case after.imported() != before.imported():
			after.UpdatedAt = max(now, before.UpdatedAt+1)
			w.changed = append(w.changed, contactChange{before, after})
		}
	}
	slices.SortFunc(w.added, func(a, b newContact) int { return comparePersons(a.person, b.person) })
	slices.SortFunc(w.changed, func(a, b contactChange) int { return bytes.Compare(a.before.PersonID, b.before.PersonID) })
	if err := s.addContacts(ctx, tx, now, w.added); err != nil {
		return w, err
	}
	if err := s.changeContacts(ctx, tx, w.changed); err != nil {
		return w, err
	}
	return w, file.note(ctx, tx, w.added, w.changed)
}

// newContact is a person with what makes a contact of them.
type newContact struct {
	person policy.PersonID
	patch  *scheduler.ContactRecord
}

func (s *Store) addContacts(ctx context.Context, tx *sqlx.Tx, now instant, added []newContact) error {
	var failure error
	err := s.load(ctx, tx, bulkContacts, rowsOf{
		shared: []any{int64(now), int64(now)}, n: len(added),
		row: func(i int, row []any) []any {
			p := added[i].patch
			attributes, err := attributesOver("", p.Attributes)
			if err != nil {
				failure = err
			}
			return append(row, added[i].person[:], p.Phone.String(), given(p.Name), given(p.Language), given(p.Zone), given(p.ExternalID),
				tagsOver("", p.Tags), attributes, p.Number.Country, strings.Join(p.Number.Zones, ";"), p.Number.MainZone)
		},
	})
	return errors.Join(failure, err)
}

// given is what a record says of a new contact.
func given(text *string) string {
	if text == nil {
		return ""
	}
	return storable(*text)
}

// contactChange is a contact before and after something changed it.
type contactChange struct{ before, after storedContact }

// changeContacts writes every change; errContactMoved when somebody else changed one of them since it was read.
func (s *Store) changeContacts(ctx context.Context, tx *sqlx.Tx, changed []contactChange) error {
	for chunk := range slices.Chunk(changed, recordsPerStatement) {
		b := s.dialect.newBatch()
		for _, c := range chunk {
			b.row().bytes(c.before.PersonID)
			for _, text := range c.after.imported() {
				b.str(text)
			}
			b.num(int64(c.before.UpdatedAt)).num(int64(c.after.UpdatedAt))
		}
		done, err := s.queries.changeContacts.exec(ctx, tx, &b)
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
	}
	return nil
}

// storedContact is a contact's row with the version that fences its change.
type storedContact struct {
	contactRow
	CreatedAt instant `db:"created_at"`
	UpdatedAt instant `db:"updated_at"`
}

func (s *Store) storedContacts(ctx context.Context, tx *sqlx.Tx, people []policy.PersonID) (map[policy.PersonID]storedContact, error) {
	found := make(map[policy.PersonID]storedContact, len(people))
	for chunk := range slices.Chunk(people, recordsPerStatement) {
		var rows []storedContact
		if err := s.queries.contactsAsStored.read(ctx, tx, &rows, s.batchOf(chunk)); err != nil {
			return nil, fmt.Errorf("reading contacts: %w", err)
		}
		for _, r := range rows {
			found[policy.PersonID(r.PersonID)] = r
		}
	}
	return found, nil
}

// imported is all that an import may change; it is compared to tell whether it does.
func (r storedContact) imported() [10]string {
	return [...]string{r.Phone, r.Name, r.Language, r.Zone, r.ExternalID, r.Tags, r.Attributes, r.Country, r.Zones, r.MainZone}
}

// patched is the row after a record; the zero row is a contact that is not there yet.
func (r storedContact) patched(patch *scheduler.ContactRecord) (storedContact, error) {
	var err error
	if r.Attributes, err = attributesOver(r.Attributes, patch.Attributes); err != nil {
		return r, fmt.Errorf("the attributes of person %x: %w", r.PersonID, err)
	}
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
	r.Tags = tagsOver(r.Tags, patch.Tags)
	return r, nil
}

// tagsOver adds tags to those that are stored.
func tagsOver(stored string, given []string) string {
	if len(given) == 0 {
		return stored
	}
	tags := split(stored)
	for _, tag := range given {
		if tag = storable(tag); tag != "" && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return strings.Join(tags, ";")
}

// attributesOver sets attributes over those that are stored; "" is of a contact that is not there yet.
func attributesOver(stored string, given map[string]string) (string, error) {
	switch {
	case stored != "" && len(given) == 0:
		return stored, nil
	case stored == "" && allPlain(given):
		return plainAttributesText(given), nil
	}
	attributes, err := storedContact{contactRow: contactRow{Attributes: stored}}.attributes()
	if err != nil {
		return "", err
	}
	for name, value := range given {
		attributes[storable(name)] = storable(value)
	}
	return attributesText(attributes)
}

// allPlain reports whether attributes can be stored as they are.
func allPlain(attributes map[string]string) bool {
	for name, value := range attributes {
		if !plainJSON(name) || !plainJSON(value) {
			return false
		}
	}
	return true
}

// attributes reads the row's attributes; the caller owns the map.
func (r storedContact) attributes() (map[string]string, error) {
	attributes := map[string]string{}
	if r.Attributes == "" || r.Attributes == "{}" {
		return attributes, nil
	}
	if err := json.Unmarshal([]byte(r.Attributes), &attributes); err != nil {
		return nil, fmt.Errorf("reading the attributes of person %x: %w", r.PersonID, err)
	}
	return attributes, nil
}

// attributesText is json.Marshal, whose text it must be: stored and new attributes are compared as texts.
func attributesText(attributes map[string]string) (string, error) {
	if allPlain(attributes) {
		return plainAttributesText(attributes), nil
	}
	text, err := json.Marshal(attributes)
	return string(text), err
}

// plainAttributesText is attributesText of attributes that are all plain.
func plainAttributesText(attributes map[string]string) string {
	names := make([]string, 0, 8)
	for name := range attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	text := append(make([]byte, 0, 128), '{')
	for i, name := range names {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(append(append(append(text, '"'), name...), '"', ':', '"'), attributes[name]...), '"')
	}
	return string(append(text, '}'))
}

// plainJSON reports whether json.Marshal puts nothing but quotes around the text.
func plainJSON(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < 0x20, c >= 0x7f, c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// storable is a text that both databases take and give back unchanged: PostgreSQL refuses the zero byte and what is not UTF-8,
// and one such cell must not stop a file.
func storable(text string) string {
	if plainJSON(text) {
		return text
	}
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
}
