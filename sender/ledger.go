package sender

import (
	"context"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/templates"
)

// Client posts one message. It classifies, it never retries.
type Client interface {
	Send(ctx context.Context, post Post) Result
}

// Run is what the sender needs to know of a run.
type Run struct {
	ID       string
	NumberID string
	Kind     policy.Kind // as which its messages count
	Edge     string
	Ask      policy.Ask
	Rules    policy.Rules
	Message  templates.Message
	Guarded  bool // it has a guard
	Priority int
	// Planned says that no more rows will be added.
	Planned bool
}

// Row is a queued delivery read ahead, with the recipient to bind; it carries no claim.
type Row struct {
	PersonID policy.PersonID
	To       Recipient
	Reads    string    // the language the recipient reads, BCP 47
	DueAt    time.Time // zero when it never had to wait
	Fields   templates.Recipient
	Person   policy.Person // the facts of the contact; what the gate must read again it reads itself
	// Unreadable says what on record of the person cannot be used; such a row is set aside.
	Unreadable error
}

// Page asks for queued rows: those never deferred in key order, or, with Due, those whose time has come.
type Page struct {
	RunID string
	After policy.PersonID
	// Due asks for deferred rows, in order of due time and person, after DueAfter and After.
	Due      bool
	DueAfter time.Time
	Limit    int
}

// GateRow is one row that stands before the gate.
type GateRow struct {
	PersonID  policy.PersonID
	AttemptID AttemptID
	Language  string
	Person    policy.Person
	// Missing is the template parameter that has no value, "" when the message is complete.
	Missing string
}

// GateAnswer is the gate's word on one row. Only a Sending row may be posted, and only when it was allowed. State is where
// the row stands as far as the gate looked: Queued and not deferred when the run is closed; "" when the row is not there, or
// when another attempt has it in sending.
type GateAnswer struct {
	State    State
	Decision policy.Decision
	// Refused says why this row, Queued still, could not be judged, when that is its own data's doing and not the database's.
	Refused error
}

// Ledger keeps the deliveries. Every method is one transaction.
type Ledger interface {
	// Queued returns rows of a run that wait, in order.
	Queued(ctx context.Context, page Page) ([]Row, error)
	// Gate judges the rows again on fresh facts and moves them; answers are in the order of rows.
	// readAt is this process's clock just before the first read.
	Gate(ctx context.Context, run Run, rows []GateRow) (answers []GateAnswer, readAt time.Time, err error)
	// Record stores the outcomes, each fenced by its attempt.
	Record(ctx context.Context, outcomes []Outcome) error
}

// Runs tells a number's sender what there is to do.
type Runs interface {
	// Active returns the number's runs that are planning or running, the highest priority first.
	// A run that an open breaker stops pauses instead.
	Active(ctx context.Context, numberID string) ([]Run, error)
	// Finish closes the run when no row of it is queued or sending; it reports whether it did, and when the next deferred row is due.
	Finish(ctx context.Context, runID string) (done bool, nextDue time.Time, err error)
	// OpenBreaker keeps a breaker and pauses every run that it stops, as one. One that is open stays as it is.
	OpenBreaker(ctx context.Context, b Breaker) error
}

// Leases gives one process at a time the pacing of a number. They pace, they do not protect.
type Leases interface {
	// Hold takes or renews the lease for span, by the database's clock; taken is true when it changed hands.
	Hold(ctx context.Context, numberID, holder string, span time.Duration) (held, taken bool, err error)
	// Release gives it up if holder has it.
	Release(ctx context.Context, numberID, holder string) error
	// Settle turns rows that a dead process left in sending, older than age, into unknown.
	Settle(ctx context.Context, numberID string, age time.Duration) (int, error)
}
