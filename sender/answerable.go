package sender

import (
	"slices"
	"time"

	"github.com/permesso/permesso/policy"
)

// Why an answer is never sent.
const (
	DropWindow      = "window_closed"
	DropLate        = "too_late"
	DropNotStopped  = "not_suppressed"
	DropConfirmed   = "confirmed_already"
	DropSuppressed  = "suppressed"
	DropReview      = "opt_out_review"
	DropUnaddressed = "nobody_to_answer"
	DropUnworded    = "not_configured"
	DropRestored    = "restored_database"
)

// AnswerWithin is how late an opt-out may be confirmed, and help be given (graph-api §8.3, rule 8: one confirmation, within five minutes).
const AnswerWithin = 5 * time.Minute

// AnswerFacts are what an answer is judged by, read in the transaction that lets it leave.
type AnswerFacts struct {
	Now       time.Time
	OpenUntil time.Time // the end of the person's window with the number; zero when there is none
	Stops     []policy.Suppression
	StopsRead bool
	Review    bool // somebody has yet to read whether the person opted out
	Confirmed bool // the stop has had its confirmation
}

// Refusal says why the answer must not leave, "" when it may. Outside the window nothing does. A confirmation goes out once, while the
// person's own stop holds; everything else goes to nobody who is suppressed.
func (a Answer) Refusal(f AnswerFacts) string {
	switch {
	case a.To.Phone == "" && a.To.UserID == "":
		return DropUnaddressed
	case a.Text == "":
		return DropUnworded
	case !f.OpenUntil.After(f.Now.Add(BeginWithin)):
		return DropWindow
	case a.Late(f.Now):
		return DropLate
	case !f.StopsRead:
		return DropSuppressed
	case a.Kind == Confirmation && !a.confirms(f.Stops):
		return DropNotStopped
	case a.Kind == Confirmation && f.Confirmed:
		return DropConfirmed
	case a.Kind == Confirmation:
		return ""
	case slices.ContainsFunc(f.Stops, func(s policy.Suppression) bool { return s.Active() && s.Scope.Covers(a.Category) }):
		return DropSuppressed
	case f.Review:
		return DropReview
	}
	return ""
}

// Late reports whether nobody waits for the answer any more. A question may be asked as long as the window is open.
func (a Answer) Late(now time.Time) bool {
	within := AnswerWithin
	if a.Kind == Question {
		within = Window
	}
	return now.Sub(a.AskedAt) > within
}

func (a Answer) confirms(stops []policy.Suppression) bool {
	return slices.ContainsFunc(stops, func(s policy.Suppression) bool {
		return s.Active() && s.Scope == a.Scope && s.Origin.LiftedByPerson()
	})
}
