package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// What UndoImport refuses.
var (
	ErrNoImport      = errcode.With(errors.New("there is no import with this id"), errcode.NoSuchImport)
	ErrAlreadyUndone = errors.New("the import is undone already") // told, and no failure
	ErrForgotten     = errcode.With(errors.New("what the import changed is no longer kept: that is 90 days"), errcode.ImportForgotten)
	// ErrImportStays says why consents and stops are not taken back with the file that brought them.
	ErrImportStays = errcode.With(errors.New("it is no import of contacts. What people agreed to and what they stopped is a record, which no undo takes back: "+
		"record what is right now with `permesso consent revoke`, or `permesso suppress remove` with its reason"), errcode.ImportStays)
)

const kindContacts = "contacts"

// undoRows is how many contacts one transaction of an undo takes back.
const undoRows = 1000

// UndoImport takes back what an import of contacts added and changed, and touches no consent, stop or delivery.
//
// A field goes back to what it was where it still has the value that the import gave it; where a later import, or anything
// else, changed it since, that stays and the contact counts as Kept. A contact that the import added is removed; the person
// and their numbers go too unless something else hangs on them. What a later import put into such a contact stays, as if that
// import had added it. An erased contact stays erased.
//
// It works in transactions of 1,000 contacts and tells after each what was done so far; when it is cut off, the same call goes
// on. The audit log has its beginning and its end. Errors: ErrNoImport, ErrAlreadyUndone, ErrForgotten, ErrImportStays.
func (s *Store) UndoImport(ctx context.Context, id, actor string, progress func(report.Undone)) (report.Undone, error) {
	var total report.Undone
	about, err := s.beginUndo(ctx, id, storable(actor))
	if err != nil {
		return total, fmt.Errorf("undoing import %s: %w", id, err)
	}
	for after := (policy.PersonID{}); ; {
		did, last, err := s.undoSome(ctx, about, after)
		if err != nil {
			return total, fmt.Errorf("undoing import %s: %w", id, err)
		}
		if last == after {
			break
		}
		total, after = total.Plus(did), last
		if progress != nil {
			progress(total)
		}
	}
	if err := s.endUndo(ctx, id, storable(actor), total); err != nil {
		return total, fmt.Errorf("undoing import %s: %w", id, err)
	}
	return total, nil
}

// beginUndo marks the import, so that what may still be running of it adds no more.
func (s *Store) beginUndo(ctx context.Context, id, actor string) (about importRow, err error) {
	err = s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		var rows []importRow
		if err := tx.SelectContext(ctx, &rows, "SELECT "+importColumns+" FROM imports WHERE import_id = $1", id); err != nil {
			return fmt.Errorf("reading imports: %w", err)
		}
		switch {
		case len(rows) == 0:
			return ErrNoImport
		case rows[0].Kind != kindContacts:
			return ErrImportStays
		case rows[0].UndoneAt.Valid:
			return ErrAlreadyUndone
		case rows[0].Forgotten.Valid:
			return ErrForgotten
		}
		about = rows[0]
		if _, err := tx.ExecContext(ctx, "UPDATE imports SET undone_by = $2 WHERE import_id = $1", id, cmp.Or(actor, "operator")); err != nil {
			return fmt.Errorf("marking the import: %w", err)
		}
		return audit(ctx, tx, now, report.Audit{Actor: actor, Action: "import.undo", Subject: id,
			Details: fmt.Sprintf("%d added, %d changed, from %s", about.Added, about.Changed, about.File)})
	})
	return about, err
}

func (s *Store) endUndo(ctx context.Context, id, actor string, total report.Undone) error {
	return s.inTx(ctx, func(tx *sqlx.Tx) error {
		now, err := s.dialect.now(ctx, tx)
		if err != nil {
			return err
		}
		ours, err := changed(tx.ExecContext(ctx, "UPDATE imports SET undone_at = $2 WHERE import_id = $1 AND undone_at IS NULL", id, now))
		if err != nil {
			return fmt.Errorf("closing the import: %w", err)
		}
		if !ours {
			return nil // somebody else undid it with us
		}
		return audit(ctx, tx, now, report.Audit{Actor: actor, Action: "import.undone", Subject: id,
			Details: fmt.Sprintf("%d removed, %d of them remembered, %d restored, %d kept", total.Removed, total.Remembered, total.Restored, total.Kept)})
	})
}

// undoing is one transaction of an undo.
type undoing struct {
	done    report.Undone
	changes []importChange
	stored  map[policy.PersonID]storedContact
	later   map[policy.PersonID][]importChange // by version

	removed  []storedContact
	restored []contactChange
	rewrite  []importChange // of later imports
}

// undoSome takes back the next contacts of an import after one, and returns the last of them; after itself when none is left.
// What it did is no longer among the import's changes, so that nothing is done twice.
func (s *Store) undoSome(ctx context.Context, about importRow, after policy.PersonID) (done report.Undone, last policy.PersonID, err error) {
	const rounds = 5
	for range rounds {
		err = s.inTx(ctx, func(tx *sqlx.Tx) error {
			now, err := s.dialect.now(ctx, tx)
			if err != nil {
				return err
			}
			if err := s.holdPeople(ctx, tx, now); err != nil {
				return err
			}
			u, err := s.readUndo(ctx, tx, about, after)
			done, last = report.Undone{}, after
			if err != nil || len(u.changes) == 0 {
				return err
			}
			for _, change := range u.changes {
				if err := u.takeBack(now, change); err != nil {
					return err
				}
			}
			if err := s.writeUndo(ctx, tx, about, u); err != nil {
				return err
			}
			done, last = u.done, u.changes[len(u.changes)-1].person
			return nil
		})
		if !errors.Is(err, errContactMoved) {
			break
		}
	}
	return done, last, err
}

func (s *Store) readUndo(ctx context.Context, tx *sqlx.Tx, about importRow, after policy.PersonID) (*undoing, error) {
	u := &undoing{later: map[policy.PersonID][]importChange{}}
	var rows []importChangeRow
	// By key, and not always the first that are left: PostgreSQL would walk over all that were taken back before.
	if err := tx.SelectContext(ctx, &rows, `SELECT import_id, person_id, was, version, fields FROM import_changes
		WHERE import_id = $1 AND person_id > $2 ORDER BY person_id LIMIT $3`, about.ID, after[:], undoRows); err != nil {
		return nil, fmt.Errorf("reading what the import changed: %w", err)
	}
	people := make([]policy.PersonID, len(rows))
	for i, r := range rows {
		change, err := r.change()
		if err != nil {
			return nil, err
		}
		u.changes = append(u.changes, change)
		people[i] = change.person
	}
	var err error
	if u.stored, err = s.storedContacts(ctx, tx, people); err != nil {
		return nil, err
	}
	// Only what began to change contacts before others were through can have come after.
	var others []string
	if err := tx.SelectContext(ctx, &others, `SELECT import_id FROM imports WHERE kind = 'contacts' AND import_id <> $1 AND seen_at >= $2 AND undone_at IS NULL
		ORDER BY import_id`, about.ID, about.StartedAt); err != nil {
		return nil, fmt.Errorf("reading later imports: %w", err)
	}
	var keys []importKey
	for _, other := range others {
		for _, person := range people {
			keys = append(keys, importKey{other, person})
		}
	}
	found, err := s.changesAt(ctx, tx, keys)
	if err != nil {
		return nil, err
	}
	for key, change := range found {
		u.later[key.person] = append(u.later[key.person], change)
	}
	for _, changes := range u.later {
		slices.SortFunc(changes, func(a, b importChange) int { return cmp.Compare(a.version, b.version) })
	}
	return u, nil
}

// takeBack decides about one contact.
func (u *undoing) takeBack(now instant, change importChange) error {
	contact, found := u.stored[change.person]
	if !found || contact.ErasedAt.Valid {
		return nil // there is nothing of the import's left in it
	}
	version := change.version
	if version == 0 {
		version = contact.CreatedAt
	}
	later := slices.DeleteFunc(slices.Clone(u.later[change.person]), func(c importChange) bool { return c.version <= version })
	if change.added {
		return u.takeBackAdded(now, contact, version, later)
	}
	return u.takeBackChanged(now, contact, change, later)
}

// takeBackAdded removes a contact that nothing changed since it was added. Where only imports did, it is left with what they
// gave it, as if the first of them had added it.
func (u *undoing) takeBackAdded(now instant, contact storedContact, version instant, later []importChange) error {
	if contact.UpdatedAt == version {
		u.removed = append(u.removed, contact)
		return nil
	}
	u.done.Kept++
	if !unbroken(version, later, contact.UpdatedAt) {
		return nil
	}
	all, err := contact.fields()
	if err != nil {
		return err
	}
	gone := map[string]*string{}
	for field := range all {
		switch next := firstGiven(later, field); {
		case field == fieldNumber:
		case next < 0:
			gone[field] = nil
		default:
			later[next].fields[field] = fieldChange{absent(field), later[next].fields[field][1]}
		}
	}
	after, err := contact.with(gone)
	if err != nil {
		return err
	}
	after.UpdatedAt = max(now, contact.UpdatedAt+1)
	u.restored = append(u.restored, contactChange{contact, after})
	later[0].added, later[0].was, later[0].fields = true, 0, nil
	later[len(later)-1].version = after.UpdatedAt
	u.rewrite = append(u.rewrite, later...)
	return nil
}

// firstGiven returns the first of the changes that gave the field a value, or -1.
func firstGiven(changes []importChange, field string) int {
	return slices.IndexFunc(changes, func(c importChange) bool { _, given := c.fields[field]; return given })
}

// unbroken reports whether changes lead from one version of a contact to another with nothing between them.
func unbroken(from instant, changes []importChange, to instant) bool {
	for _, c := range changes {
		if c.added || c.was != from {
			return false
		}
		from = c.version
	}
	return from == to
}

// takeBackChanged gives a contact's fields back what they were before the import. What a later import was given to change is
// then what was there before both.
func (u *undoing) takeBackChanged(now instant, contact storedContact, change importChange, later []importChange) error {
	is, err := contact.fields()
	if err != nil {
		return err
	}
	back, kept := map[string]*string{}, false
	for field, values := range change.fields {
		next := firstGiven(later, field)
		value, there := is[field]
		switch {
		case next >= 0:
			kept = true
			later[next].fields[field] = fieldChange{values[0], later[next].fields[field][1]}
		case there == (values[1] != nil) && (!there || value == *values[1]):
			back[field] = values[0]
		default:
			kept = true
		}
	}
	last := contact.UpdatedAt == change.version
	if len(later) > 0 {
		last = unbroken(change.version, later, contact.UpdatedAt)
		if later[0].was == change.version {
			later[0].was = change.was
		}
	}
	if kept {
		u.done.Kept++
	}
	if len(back) > 0 {
		u.done.Restored++
		after, err := contact.with(back)
		if err != nil {
			return err
		}
		after.UpdatedAt = max(now, contact.UpdatedAt+1)
		switch {
		case last && len(later) > 0:
			later[len(later)-1].version = after.UpdatedAt
		case last && !kept:
			// It is the very contact that it was: an earlier import that made it so can still tell.
			after.UpdatedAt = change.was
		}
		u.restored = append(u.restored, contactChange{contact, after})
	}
	u.rewrite = append(u.rewrite, later...)
	return nil
}

func (s *Store) writeUndo(ctx context.Context, tx *sqlx.Tx, about importRow, u *undoing) error {
	if err := s.changeContacts(ctx, tx, u.restored); err != nil {
		return err
	}
	if err := s.removeContacts(ctx, tx, u); err != nil {
		return err
	}
	if err := s.saveChanges(ctx, tx, u.rewrite); err != nil {
		return err
	}
	people := make([]policy.PersonID, len(u.changes))
	for i, change := range u.changes {
		people[i] = change.person
	}
	if _, err := s.queries.dropImportChanges.exec(ctx, tx, s.batchOf(people), about.ID); err != nil {
		return fmt.Errorf("closing changes of the import: %w", err)
	}
	return nil
}

// removeContacts removes contacts, and their persons where nothing else hangs on them.
func (s *Store) removeContacts(ctx context.Context, tx *sqlx.Tx, u *undoing) error {
	if len(u.removed) == 0 {
		return nil
	}
	contacts, made := s.dialect.newBatch(), s.dialect.newBatch()
	first := u.removed[0].CreatedAt
	for _, c := range u.removed {
		contacts.row().bytes(c.PersonID).num(int64(c.UpdatedAt))
		made.row().bytes(c.PersonID).num(int64(c.CreatedAt))
		first = min(first, c.CreatedAt)
	}
	done, err := s.queries.dropContacts.exec(ctx, tx, &contacts)
	if err != nil {
		return fmt.Errorf("removing contacts: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || int(n) != len(u.removed) {
		return errors.Join(err, errContactMoved)
	}
	u.done.Removed += len(u.removed)
	needed := map[policy.PersonID]bool{}
	if err := s.markPersons(ctx, tx, needed, s.queries.holds, &made); err != nil {
		return err
	}
	if err := s.markInRuns(ctx, tx, needed, u.removed, first); err != nil {
		return err
	}
	var free []policy.PersonID
	for _, c := range u.removed {
		if person := policy.PersonID(c.PersonID); !needed[person] {
			free = append(free, person)
		}
	}
	u.done.Remembered += len(u.removed) - len(free)
	if len(free) == 0 {
		return nil
	}
	for _, drop := range []statement{s.queries.dropIdentifiers, s.queries.dropPersons} {
		if _, err := drop.exec(ctx, tx, s.batchOf(free)); err != nil {
			return fmt.Errorf("removing persons: %w", err)
		}
	}
	return nil
}

// markInRuns marks those who have a row in a run: in one that was open since the first of them became a contact.
func (s *Store) markInRuns(ctx context.Context, tx *sqlx.Tx, needed map[policy.PersonID]bool, removed []storedContact, first instant) error {
	var runs []string
	if err := tx.SelectContext(ctx, &runs, "SELECT run_id FROM runs WHERE state <> 'missed' AND (finished_at IS NULL OR finished_at >= $1) ORDER BY run_id", first); err != nil {
		return fmt.Errorf("reading runs: %w", err)
	}
	for _, run := range runs {
		b := s.dialect.newBatch()
		for _, c := range removed {
			b.row().str(run).bytes(c.PersonID)
		}
		if err := s.markPersons(ctx, tx, needed, s.queries.inRun, &b); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) markPersons(ctx context.Context, tx *sqlx.Tx, needed map[policy.PersonID]bool, query statement, of *batch) error {
	var people [][]byte
	if err := query.read(ctx, tx, &people, of); err != nil {
		return fmt.Errorf("reading what hangs on persons: %w", err)
	}
	for _, person := range people {
		needed[policy.PersonID(person)] = true
	}
	return nil
}
