package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

const contactColumns = `c.person_id, c.phone, c.user_id, c.name, c.language, c.timezone, c.external_id, c.tags, c.attributes, c.country, c.zones, c.main_zone, c.erased_at`

type contactRow struct {
	PersonID   []byte        `db:"person_id"`
	Phone      string        `db:"phone"`
	UserID     string        `db:"user_id"`
	Name       string        `db:"name"`
	Language   string        `db:"language"`
	Zone       string        `db:"timezone"`
	ExternalID string        `db:"external_id"`
	Tags       string        `db:"tags"`
	Attributes string        `db:"attributes"`
	Country    string        `db:"country"`
	Zones      string        `db:"zones"`
	MainZone   string        `db:"main_zone"`
	ErasedAt   sql.NullInt64 `db:"erased_at"`
}

// eachContact calls found with each row of a query that selects contactColumns and what else more points to, those that are
// Unreadable too. Every person of a run is read this way three times, which is why it goes round sqlx's reflection.
func eachContact(ctx context.Context, q sqlx.QueryerContext, found func(scheduler.Contact) error, more []any, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // the error that counts is rows.Err
	var r contactRow
	columns := append([]any{
		&r.PersonID, &r.Phone, &r.UserID, &r.Name, &r.Language, &r.Zone, &r.ExternalID, &r.Tags, &r.Attributes, &r.Country, &r.Zones, &r.MainZone, &r.ErasedAt,
	}, more...)
	for rows.Next() {
		if err := rows.Scan(columns...); err != nil {
			return err
		}
		contact, _ := r.contact() // the contact has the error too, and one of many is for found to judge
		if err := found(contact); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (r contactRow) contact() (scheduler.Contact, error) {
	c := scheduler.Contact{
		PersonID: policy.PersonID(r.PersonID), Phone: phone.Number(r.Phone), UserID: r.UserID, Name: r.Name, Language: r.Language, Zone: r.Zone,
		ExternalID: r.ExternalID, Tags: split(r.Tags), Country: r.Country, Zones: split(r.Zones), MainZone: r.MainZone, Erased: r.ErasedAt.Valid,
	}
	if r.Attributes == "{}" {
		return c, nil
	}
	var plain bool
	if c.Attributes, plain = plainAttributes(r.Attributes); plain {
		return c, nil
	}
	if err := json.Unmarshal([]byte(r.Attributes), &c.Attributes); err != nil {
		c.Attributes = nil
		// What it says of a value is left out: it may quote it.
		c.Unreadable = fmt.Errorf("the attributes of person %s are not the texts that an import writes (%T)", c.PersonID, err)
	}
	return c, c.Unreadable
}

// plainAttributes reads an object of strings as this package writes it, without spaces between them, as long as nothing
// in it is escaped; else ok is false, and it is for encoding/json, which takes four times as long.
func plainAttributes(text string) (attributes map[string]string, ok bool) {
	if len(text) < len(`{"":""}`) || !strings.HasPrefix(text, `{"`) || !strings.HasSuffix(text, `"}`) || strings.ContainsRune(text, '\\') {
		return nil, false
	}
	attributes = make(map[string]string, 1+strings.Count(text, `","`))
	for rest := text[2 : len(text)-2]; ; {
		name, more, found := strings.Cut(rest, `":"`)
		if !found || strings.Contains(name, `"`) {
			return nil, false
		}
		value, next, further := strings.Cut(more, `"`)
		attributes[name] = value
		if !further {
			return attributes, true
		}
		if rest, found = strings.CutPrefix(next, `,"`); !found {
			return nil, false
		}
	}
}

// split reads a list stored as one text, separated by ";".
func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ";")
}

// PersonOf is what the contact's own row says of the person; the rest is read beside it.
func personOf(c scheduler.Contact) policy.Person {
	return policy.Person{
		ID: c.PersonID, Known: true, Erased: c.Erased, InvalidNumber: c.Phone == "" && c.UserID == "",
		Country: c.Country, Zone: c.Zone, Zones: c.Zones, MainZone: c.MainZone,
	}
}
