package policy

import "time"

// Verdict is the answer of a rule. The zero value refuses.
type Verdict int

// The verdicts, the strictest first.
const (
	Deny Verdict = iota
	Defer
	Allow
)

// String returns the word printed by explain: deny, defer or allow.
func (v Verdict) String() string {
	switch v {
	case Allow:
		return "allow"
	case Defer:
		return "defer"
	}
	return "deny"
}

// Reason is why a person did not, or not yet, get a message (CONTRACT §4).
type Reason string

// The reasons in the order in which the rules are asked; the first refusal is the reason.
const (
	UnknownContact      Reason = "unknown_contact"
	NotInAudience       Reason = "not_in_audience"
	Erased              Reason = "erased"
	InvalidNumber       Reason = "invalid_number"
	Suppressed          Reason = "suppressed"
	OptOutReview        Reason = "opt_out_review"
	NoConsent           Reason = "no_consent"
	ConsentRevoked      Reason = "consent_revoked"
	ConsentExpired      Reason = "consent_expired"
	Country             Reason = "country"
	Unreachable         Reason = "unreachable"
	MetaCooldown        Reason = "meta_cooldown"
	Holdout             Reason = "holdout"
	NoTemplate          Reason = "no_template"
	TemplateNotApproved Reason = "template_not_approved"
	MissingParameter    Reason = "missing_parameter"
	NotAfter            Reason = "not_after"
	OutsideWindow       Reason = "window"
	InQuietHours        Reason = "quiet_hours"
	FrequencyCap        Reason = "frequency_cap"
	MaxRecipients       Reason = "max_recipients"
	Budget              Reason = "budget"
	MessagingLimit      Reason = "messaging_limit"
	QualityGuard        Reason = "quality_guard"
	RunCancelled        Reason = "run_cancelled" // by people, never by a rule
)

// Decision is the answer for one recipient. The zero Decision is a refusal.
type Decision struct {
	Verdict Verdict
	Reason  Reason    // "" when allowed
	Rule    string    // the name of the rule that decided
	Until   time.Time // when a deferral ends; zero otherwise
}

// Expires reports whether a refusal for this reason ends a delivery as expired rather than skipped: time ran out. Quiet
// hours and holidays only ever make a message wait, so that one which they refuse had no time left to wait.
func (r Reason) Expires() bool { return r == NotAfter || r == OutsideWindow || r == InQuietHours }
