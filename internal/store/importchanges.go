package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/policy"
)

// A contact is compared field by field: its texts, each attribute and each tag for itself, and its number together with the
// place that was computed from it. An absent attribute or tag has no entry.
const (
	fieldNumber    = "number"
	attributeField = "attributes."
	tagField       = "tags."
)

// fields is a contact taken apart.
func (r storedContact) fields() (map[string]string, error) {
	attributes, err := r.attributes()
	if err != nil {
		return nil, err
	}
	all := make(map[string]string, 8+len(attributes))
	all[fieldNumber] = strings.Join([]string{r.Phone, r.Country, r.Zones, r.MainZone}, "\n")
	all["name"], all["language"], all["timezone"], all["external_id"] = r.Name, r.Language, r.Zone, r.ExternalID
	for name, value := range attributes {
		all[attributeField+name] = value
	}
	for _, tag := range split(r.Tags) {
		all[tagField+tag] = ""
	}
	return all, nil
}

// with is the contact with some of its fields given new values; nil takes the field away. Tags keep their order.
func (r storedContact) with(changes map[string]*string) (storedContact, error) {
	attributes, err := r.attributes()
	if err != nil {
		return r, err
	}
	tags := split(r.Tags)
	for _, field := range slices.Sorted(maps.Keys(changes)) {
		value := changes[field]
		text := ""
		if value != nil {
			text = *value
		}
		switch field {
		case fieldNumber:
			parts := strings.SplitN(text, "\n", 4)
			if len(parts) < 4 {
				return r, fmt.Errorf("the number of person %x before an import cannot be read", r.PersonID)
			}
			r.Phone, r.Country, r.Zones, r.MainZone = parts[0], parts[1], parts[2], parts[3]
		case "name":
			r.Name = text
		case "language":
			r.Language = text
		case "timezone":
			r.Zone = text
		case "external_id":
			r.ExternalID = text
		default:
			if tag, ok := strings.CutPrefix(field, tagField); ok {
				tags = slices.DeleteFunc(tags, func(t string) bool { return t == tag && value == nil })
				if value != nil && !slices.Contains(tags, tag) {
					tags = append(tags, tag)
				}
				continue
			}
			name := strings.TrimPrefix(field, attributeField)
			if delete(attributes, name); value != nil {
				attributes[name] = text
			}
		}
	}
	r.Tags = strings.Join(tags, ";")
	r.Attributes, err = attributesText(attributes)
	return r, err
}

// fieldChange is what a field was and what it became; nil is absent.
type fieldChange [2]*string

// absent is a field's value in a contact that was given none.
func absent(field string) *string {
	if strings.HasPrefix(field, attributeField) || strings.HasPrefix(field, tagField) {
		return nil
	}
	return new("")
}

// differences lists the fields in which two states of a contact differ.
func differences(before, after storedContact) (map[string]fieldChange, error) {
	was, err := before.fields()
	if err != nil {
		return nil, err
	}
	is, err := after.fields()
	if err != nil {
		return nil, err
	}
	changes := map[string]fieldChange{}
	for field, value := range was {
		if now, there := is[field]; !there {
			changes[field] = fieldChange{&value, nil}
		} else if now != value {
			changes[field] = fieldChange{&value, &now}
		}
	}
	for field, value := range is {
		if _, there := was[field]; !there {
			changes[field] = fieldChange{nil, &value}
		}
	}
	return changes, nil
}

// importChange is a row of import_changes.
type importChange struct {
	importID string
	person   policy.PersonID
	// added says that the import made the contact; then fields is nil, and version 0 unless the contact was changed since.
	added        bool
	was, version instant
	fields       map[string]fieldChange
}

// importChangeRow is importChange as it is stored.
type importChangeRow struct {
	ImportID string   `db:"import_id"`
	PersonID []byte   `db:"person_id"`
	Was      *instant `db:"was"`
	Version  *instant `db:"version"`
	Fields   *string  `db:"fields"`
}

func (r importChangeRow) change() (importChange, error) {
	c := importChange{importID: r.ImportID, person: policy.PersonID(r.PersonID), added: r.Fields == nil}
	if r.Was != nil {
		c.was = *r.Was
	}
	if r.Version != nil {
		c.version = *r.Version
	}
	if r.Fields != nil {
		if err := json.Unmarshal([]byte(*r.Fields), &c.fields); err != nil {
			return c, fmt.Errorf("reading what import %s changed: %w", r.ImportID, err)
		}
	}
	return c, nil
}

// row appends the change's columns.
func (c importChange) row(row []any) ([]any, error) {
	null := func(at instant) any {
		if at == 0 {
			return nil
		}
		return int64(at)
	}
	row = append(row, c.importID, c.person[:], null(c.was), null(c.version))
	if c.added {
		return append(row, nil), nil
	}
	text, err := json.Marshal(c.fields)
	return append(row, string(text)), err
}

// note keeps what a batch did to contacts, both in key order: of those added that they were, of those changed the fields.
func (i *Import) note(ctx context.Context, tx *sqlx.Tx, added []newContact, changed []contactChange) error {
	if i == nil {
		return nil
	}
	if err := i.store.load(ctx, tx, bulkAdded, rowsOf{
		shared: []any{i.about.ID}, n: len(added),
		row: func(n int, row []any) []any { return append(row, added[n].person[:]) },
	}); err != nil {
		return err
	}
	for chunk := range slices.Chunk(changed, recordsPerStatement) {
		if err := i.noteChanged(ctx, tx, chunk); err != nil {
			return err
		}
	}
	return nil
}

// noteChanged keeps changes. A row further down a file may change a contact again, or one that the file added: then the two
// are one change.
func (i *Import) noteChanged(ctx context.Context, tx *sqlx.Tx, changed []contactChange) error {
	var again []importKey
	for _, c := range changed {
		if c.before.UpdatedAt >= i.started {
			again = append(again, importKey{i.about.ID, policy.PersonID(c.before.PersonID)})
		}
	}
	earlier, err := i.store.changesAt(ctx, tx, again)
	if err != nil {
		return err
	}
	changes := make([]importChange, len(changed))
	for n, c := range changed {
		key := importKey{i.about.ID, policy.PersonID(c.before.PersonID)}
		change := importChange{importID: key.id, person: key.person, was: c.before.UpdatedAt}
		if first, found := earlier[key]; found {
			change = first
		}
		change.version = c.after.UpdatedAt
		if !change.added {
			fields, err := differences(c.before, c.after)
			if err != nil {
				return err
			}
			change.join(fields)
		}
		changes[n] = change
	}
	return i.store.saveChanges(ctx, tx, changes)
}

// join adds later changes of the same import.
func (c *importChange) join(later map[string]fieldChange) {
	if c.fields == nil {
		c.fields = later
		return
	}
	for field, change := range later {
		if first, found := c.fields[field]; found {
			change[0] = first[0]
		}
		c.fields[field] = change
	}
}

// importKey names a row of import_changes.
type importKey struct {
	id     string
	person policy.PersonID
}

// changesAt reads those of the named changes that there are.
func (s *Store) changesAt(ctx context.Context, tx *sqlx.Tx, keys []importKey) (map[importKey]importChange, error) {
	found := map[importKey]importChange{}
	for chunk := range slices.Chunk(keys, recordsPerStatement) {
		b := s.dialect.newBatch()
		for _, key := range chunk {
			b.row().str(key.id).bytes(key.person[:])
		}
		var rows []importChangeRow
		if err := s.queries.importChanges.read(ctx, tx, &rows, &b); err != nil {
			return nil, fmt.Errorf("reading what imports changed: %w", err)
		}
		for _, r := range rows {
			change, err := r.change()
			if err != nil {
				return nil, err
			}
			found[importKey{change.importID, change.person}] = change
		}
	}
	return found, nil
}

// saveChanges writes changes over those that are there.
func (s *Store) saveChanges(ctx context.Context, tx *sqlx.Tx, changes []importChange) error {
	slices.SortFunc(changes, func(a, b importChange) int {
		return cmp.Or(strings.Compare(a.importID, b.importID), comparePersons(a.person, b.person))
	})
	for chunk := range slices.Chunk(changes, recordsPerStatement) {
		b := s.dialect.newBatch()
		var values []any
		for _, c := range chunk {
			var err error
			if values, err = c.row(values[:0]); err != nil {
				return fmt.Errorf("keeping what import %s changed: %w", c.importID, err)
			}
			b.row().values(values)
		}
		if _, err := s.queries.saveImportChanges.exec(ctx, tx, &b); err != nil {
			return fmt.Errorf("keeping what imports changed: %w", err)
		}
	}
	return nil
}
