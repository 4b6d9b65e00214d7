package report

import (
	"errors"
	"slices"
	"time"

	"github.com/permesso/permesso/policy"
)

// Scope is something that a key of /api/v1 may do.
type Scope string

// The scopes of keys, each named as the path that it opens.
const (
	ScopeConsents Scope = "consents"
	ScopeContacts Scope = "contacts"
	ScopeLog      Scope = "log"
	ScopeRuns     Scope = "runs"
)

// Scopes are all of them.
func Scopes() []Scope { return []Scope{ScopeConsents, ScopeContacts, ScopeLog, ScopeRuns} }

// Key is a key of /api/v1 without the key itself, which nobody keeps: a line of `permesso keys list --json`.
type Key struct {
	Name      string  `json:"name"`
	Scopes    []Scope `json:"scopes"`
	CreatedAt Time    `json:"created_at"`
	CreatedBy string  `json:"created_by"`
	ExpiresAt Time    `json:"expires_at,omitzero"`
	LastUsed  Time    `json:"last_used_at,omitzero"` // to the hour
	RevokedAt Time    `json:"revoked_at,omitzero"`
}

// Opens reports whether the key opens anything at a time.
func (k Key) Opens(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt.Time))
}

// May reports whether the key has a scope.
func (k Key) May(scope Scope) bool { return slices.Contains(k.Scopes, scope) }

// Actor is who the consent ledger and the audit log say did what was done with the key. No operator is named so.
func (k Key) Actor() string { return "key:" + k.Name }

// Request is something that a program asked for with a key, as it is known when it comes again.
type Request struct {
	Key  Key
	ID   string   // the Idempotency-Key; "" is never known again
	Hash [32]byte // of all that the request says
}

// Answer is what a request was answered.
type Answer struct {
	Status int
	Body   []byte
}

// Fate is what became of one record of a request.
type Fate struct {
	// New is false when all that it says was on record.
	New bool
	// Erased says that the person asked to be forgotten, so that nothing was kept of it.
	Erased bool
	// Stops are the scopes of the stops that hold for the person of a consent.
	Stops []policy.Scope
	// Code is what confirms a consent that is pending when the person sends it; "" when nothing does.
	Code string
}

// ErrOtherRequest says that a request came with the Idempotency-Key of another one.
var ErrOtherRequest = errors.New("the Idempotency-Key is that of another request of the last 24 hours")
