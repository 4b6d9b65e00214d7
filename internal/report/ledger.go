package report

import (
	"time"

	"github.com/permesso/permesso/policy"
)

// Time is a moment as permesso prints it: RFC 3339 in UTC with microseconds, always six digits, so that texts sort as times do.
// With omitzero it is absent when it was not reached.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000000Z07:00"

// String returns the printed form, "" for the zero Time.
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

// MarshalText implements encoding.TextMarshaler, which CSV and XML use.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalJSON implements json.Marshaler; the zero Time is null.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.String() + `"`), nil
}

// Suppression is one stop of one person, of one scope and one origin: a line of `suppress list --json`.
type Suppression struct {
	Phone  string        `json:"phone"` // E.164; "" when only a user id is known, or after erasure
	UserID string        `json:"user_id"`
	Scope  policy.Scope  `json:"scope"`
	Reason policy.Origin `json:"reason"` // who asked: keyword, button, page, meta_stop, meta_131050, operator, import
	Source string        `json:"source"` // the inbound message's id, the file's source, or the operator's words
	At     Time          `json:"at"`
	// LiftedAt is when a stop that no longer holds was taken back.
	LiftedAt Time `json:"lifted_at,omitzero"`
	// Words are the reason in the file's or the operator's own words.
	Words string `json:"-"`
}

// Consent is one event of a person's ledger, with all that proves it.
type Consent struct {
	Event       policy.EventID `json:"event"` // its place in the ledger, "" before it has one
	Category    string         `json:"category"`
	Action      policy.Action  `json:"action"`
	At          Time           `json:"at"` // when the person acted
	Source      string         `json:"source"`
	Wording     string         `json:"wording"`
	WordingHash string         `json:"wording_sha256,omitempty"`
	Business    string         `json:"business,omitempty"`
	Language    string         `json:"language,omitempty"`
	Evidence    string         `json:"evidence"`
	IP          string         `json:"ip,omitempty"`
	Agent       string         `json:"agent,omitempty"`
	RecordedAt  Time           `json:"recorded_at"`
	Actor       string         `json:"actor"`            // who recorded it
	Erased      bool           `json:"erased,omitempty"` // evidence, ip and agent are gone
	Link        string         `json:"link,omitempty"`   // which binds it to all before it in its chain
}

// Audit is one thing that an operator did. Subject is a person id, a run or a campaign, never a phone number.
type Audit struct {
	At      Time   `json:"at"`
	Actor   string `json:"actor"`
	Action  string `json:"action"`
	Subject string `json:"subject"`
	Details string `json:"details"`
}

// Import is one file that was imported: a line of `contacts imports --json`.
type Import struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"` // contacts, consents or suppressions
	File  string `json:"file"` // its name, without the folder
	Hash  string `json:"sha256"`
	Actor string `json:"actor"`
	// StartedAt is its first commit, SeenAt its last; FinishedAt is absent while it runs, and after it was cut off.
	StartedAt  Time `json:"started_at"`
	SeenAt     Time `json:"seen_at"`
	FinishedAt Time `json:"finished_at,omitzero"`
	// What its batches did; Rejected is known when it is finished.
	Added     int `json:"added"`
	Changed   int `json:"changed"`
	Unchanged int `json:"unchanged"`
	Rejected  int `json:"rejected"`
	// UndoneBy is who began to undo it, UndoneAt when that was done.
	UndoneBy string `json:"undone_by,omitempty"`
	UndoneAt Time   `json:"undone_at,omitzero"`
	// ForgottenAt is there when what it changed is no longer kept.
	ForgottenAt Time `json:"forgotten_at,omitzero"`
}

// Undone is what undoing an import of contacts did. A contact may be both restored and kept.
type Undone struct {
	// Removed contacts had been added by the import. Of those, Remembered persons stay on record without a contact, for what
	// else hangs on them: consents, stops, messages.
	Removed    int `json:"removed"`
	Remembered int `json:"remembered"`
	// Restored contacts got values back that the import had changed.
	Restored int `json:"restored"`
	// Kept contacts have values of the import's that something later changed, and that therefore stay.
	Kept int `json:"kept"`
}

// Plus adds what two parts of one undoing did.
func (u Undone) Plus(v Undone) Undone {
	return Undone{u.Removed + v.Removed, u.Remembered + v.Remembered, u.Restored + v.Restored, u.Kept + v.Kept}
}
