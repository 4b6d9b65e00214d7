package sender

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/permesso/permesso/policy"
)

// Shelf ends what can never be sent, so that one person's row does not hold up everybody else's.
type Shelf interface {
	// SetAside ends queued rows of a run as failed, with the title Internal and a sentence that says why. A row that is not
	// queued any more stays as it is.
	SetAside(ctx context.Context, runID string, people []policy.PersonID, why string) error
	// PauseRun pauses one run, with a sentence that says why.
	PauseRun(ctx context.Context, runID, why string) error
}

// Internal is the title of the error with which a row fails that this program could not send. Its code is 0: no word of Meta's.
const Internal = "internal"

const (
	// gateTries is how often a row is taken to the gate whose own data the database refuses.
	gateTries = 3
	// brokenInARow is how many rows in a row may be like that before their run pauses: then it is not they who are at fault.
	brokenInARow = 25

	whyBroken  = "permesso could not make this message: what is on record of this person cannot be used. The log of `permesso serve` has the details"
	whyRefused = "the database refused this row three times. The log of `permesso serve` has its error"
	whySick    = "25 messages in a row could not be made or judged, so that the fault is not theirs alone. See the log of `permesso serve`, then resume"
)

// Panic is a panic over one row, as an error. Its text holds nothing of what the row says.
type Panic struct {
	what  string
	stack []byte
}

// Caught makes an error of what recover returned; call it where the panic is recovered.
func Caught(recovered any) *Panic {
	// The text of the language's own panics has types and indexes alone; another's may have anything.
	what := fmt.Sprintf("a panic with a %T", recovered)
	if err, ok := recovered.(runtime.Error); ok {
		what = err.Error()
	}
	return &Panic{what: what, stack: debug.Stack()}
}

// Error returns what happened, without the stack.
func (p *Panic) Error() string { return "a mistake in permesso itself: " + p.what }

// Stack is where it happened: functions and lines.
func (p *Panic) Stack() string { return string(p.stack) }

// told is what a log says of an error: where it panicked, too, if it did.
func told(err error, more ...any) []any {
	more = append(more, "error", err)
	if p, ok := errors.AsType[*Panic](err); ok {
		more = append(more, "stack", p.Stack())
	}
	return more
}

// broken is a row that cannot be sent, and why.
type broken struct {
	person policy.PersonID
	why    string
	err    error
}

// breakage are a feed's rows that cannot be sent: pages, gates and the loop tell it of them.
type breakage struct {
	mu           sync.Mutex
	rows         []broken // to be set aside
	refused      map[policy.PersonID]int
	pages, gates int // in a row
	sick         bool
}

// bound notes that a row's message could be made, or why not.
func (b *breakage) bound(person policy.PersonID, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.pages = 0
		return
	}
	b.rows = append(b.rows, broken{person, whyBroken, err})
	b.pages++
	b.sick = b.sick || b.pages >= brokenInARow
}

// judged notes that a row could be judged, or why not. Only a row's first time counts in a row: the last of a run come alone.
func (b *breakage) judged(person policy.PersonID, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.gates = 0
		return
	}
	if b.refused == nil {
		b.refused = map[policy.PersonID]int{}
	}
	b.refused[person]++
	switch b.refused[person] {
	case 1:
		b.gates++
		b.sick = b.sick || b.gates >= brokenInARow
	case gateTries:
		delete(b.refused, person)
		b.rows = append(b.rows, broken{person, whyRefused, err})
	}
}

// take empties it.
func (b *breakage) take() (rows []broken, sick bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rows, sick = b.rows, b.sick
	b.rows, b.sick, b.pages, b.gates = nil, false, 0, 0
	return rows, sick
}

// setAside ends a feed's rows that cannot be sent, or pauses its run when there are too many for it to be their fault.
func (l *line) setAside(ctx context.Context, f *feed) error {
	rows, sick := f.broken.take()
	if sick {
		l.log.Error("a run pauses", told(rowError(rows), "run", f.run.ID, "why", whySick)...)
		l.refresh.Store(true)
		return l.o.Shelf.PauseRun(ctx, f.run.ID, whySick)
	}
	for why, people := range byReason(rows) {
		if err := l.o.Shelf.SetAside(ctx, f.run.ID, people, why); err != nil {
			return err // they are still queued: the feed meets them again
		}
	}
	for _, row := range rows {
		l.log.Error("a message cannot be sent and fails", told(row.err, "run", f.run.ID, "person", row.person.String(), "why", row.why)...)
	}
	return nil
}

func byReason(rows []broken) map[string][]policy.PersonID {
	people := map[string][]policy.PersonID{}
	for _, row := range rows {
		people[row.why] = append(people[row.why], row.person)
	}
	return people
}

func rowError(rows []broken) error {
	if len(rows) == 0 {
		return errors.New("the database refuses the rows")
	}
	return rows[0].err
}
