package policy

import "time"

// rule is one entry of the ordered list; its value is its place.
type rule int

// The rules in the order in which they are asked (CONTRACT §4).
const (
	ruleContact rule = iota
	ruleAudience
	ruleErased
	ruleNumber
	ruleSuppression
	ruleReview
	ruleConsent
	ruleCountry
	ruleReachable
	ruleCooldown
	ruleHoldout
	ruleTemplate
	ruleApproved
	ruleParameters
	ruleNotAfter
	ruleWindow
	ruleQuietHours
	ruleCaps
	ruleMaxRecipients
	ruleBudget
	ruleMessagingLimit
	ruleQualityGuard
	ruleCount
)

// String returns the name that explain prints: the rule's reason, and "consent" for the one rule that has three.
func (r rule) String() string {
	if r < 0 || r >= ruleCount {
		return "unknown rule"
	}
	return [ruleCount]string{
		ruleContact:        string(UnknownContact),
		ruleAudience:       string(NotInAudience),
		ruleErased:         string(Erased),
		ruleNumber:         string(InvalidNumber),
		ruleSuppression:    string(Suppressed),
		ruleReview:         string(OptOutReview),
		ruleConsent:        "consent",
		ruleCountry:        string(Country),
		ruleReachable:      string(Unreachable),
		ruleCooldown:       string(MetaCooldown),
		ruleHoldout:        string(Holdout),
		ruleTemplate:       string(NoTemplate),
		ruleApproved:       string(TemplateNotApproved),
		ruleParameters:     string(MissingParameter),
		ruleNotAfter:       string(NotAfter),
		ruleWindow:         string(OutsideWindow),
		ruleQuietHours:     string(InQuietHours),
		ruleCaps:           string(FrequencyCap),
		ruleMaxRecipients:  string(MaxRecipients),
		ruleBudget:         string(Budget),
		ruleMessagingLimit: string(MessagingLimit),
		ruleQualityGuard:   string(QualityGuard),
	}[r]
}

// maxRounds bounds how often a deferral may lead to another before the answer is no.
const maxRounds = 16

// Decide is the only judge of whether a message may go to a person: plan, run, gate and explain all ask it. It is pure,
// and safe for concurrent use as long as nobody writes to what rules and facts point to.
//
// The first rule that does not allow decides. When that is a deferral, every rule is asked again as of the moment it ends,
// so that Until is a moment at which all of them allow, and the reason is that of the first rule that deferred;
// a deferral that leads to a refusal is that refusal. A fact that is missing refuses, and so do the zero Facts.
func Decide(rules Rules, facts Facts) Decision {
	var c clock
	q := ask(&rules, &facts, &c)
	first := q.first()
	if first.Verdict != Defer {
		return first
	}
	next := first
	for range maxRounds {
		until := next.Until
		if facts.expiredAt(until) {
			return Decision{Verdict: Deny, Reason: NotAfter, Rule: ruleNotAfter.String()}
		}
		if !until.After(q.now) {
			break
		}
		q.now = until
		switch next = q.first(); next.Verdict {
		case Allow:
			first.Until = until
			return first
		case Deny:
			return next
		}
	}
	return Decision{Verdict: Deny, Reason: first.Reason, Rule: first.Rule}
}

// DecideWithin judges a message that may leave at any moment from facts.Now until so long after it, the end included: it is
// allowed when Decide allows it at both ends. A moment is all that a window's last second has left at its gate.
func DecideWithin(rules Rules, facts Facts, span time.Duration) Decision {
	if now := Decide(rules, facts); now.Verdict != Allow {
		return now
	}
	facts.Now = facts.Now.Add(span)
	return Decide(rules, facts)
}

// question is one person's case: the rules, the facts and what several rules need of both.
type question struct {
	rules *Rules
	facts *Facts
	now   time.Time

	category  Category
	listed    bool // the category is configured
	marketing bool // the message counts as marketing, whatever else it counts as

	clock *clock
}

func ask(rules *Rules, facts *Facts, c *clock) question {
	q := question{rules: rules, facts: facts, now: facts.Now, clock: c}
	q.category, q.listed = rules.Categories[facts.Ask.Category]
	q.category.ID = facts.Ask.Category
	q.listed = q.listed && q.category.Kind.Valid()
	template := facts.Message.TemplateKind
	if template == "" && !facts.Message.TemplateFound {
		template = q.category.Kind // nothing is known of a template that does not exist: the rule for that refuses
	}
	q.marketing = EffectiveKind(q.category.Kind, template) == Marketing
	return q
}

// counts reports whether the message counts as of kind k: it may be of its category's kind and marketing too.
func (q *question) counts(k Kind) bool {
	return k == q.category.Kind || (q.marketing && k == Marketing)
}

// answer is a Decision before it is told: small, because most answers only say yes.
type answer struct {
	verdict Verdict
	reason  Reason
	until   int64 // Unix nanoseconds
}

func refuse(yes bool, reason Reason) answer {
	if yes {
		return answer{verdict: Deny, reason: reason}
	}
	return answer{verdict: Allow}
}

func wait(until time.Time, reason Reason) answer {
	return answer{verdict: Defer, reason: reason, until: until.UnixNano()}
}

// tell makes the answer of rule r a Decision.
func (a answer) tell(r rule) Decision {
	switch a.verdict {
	case Allow:
		return Decision{Verdict: Allow}
	case Defer:
		return Decision{Verdict: Defer, Reason: a.reason, Rule: r.String(), Until: time.Unix(0, a.until).UTC()}
	}
	return Decision{Verdict: Deny, Reason: a.reason, Rule: r.String()}
}

// first returns the answer of the first rule that does not allow as of q.now.
func (q *question) first() Decision {
	for r := range ruleCount {
		if a := q.judge(r); a.verdict != Allow {
			return a.tell(r)
		}
	}
	return Decision{Verdict: Allow}
}

// judge asks one rule. It is a switch, not a table of functions, so that the facts stay on the stack:
// this runs for every person of every run.
func (q *question) judge(r rule) answer {
	p, m := &q.facts.Person, &q.facts.Message
	switch r {
	case ruleContact:
		return refuse(!p.Known, UnknownContact)
	case ruleAudience:
		return refuse(!m.InAudience, NotInAudience)
	case ruleErased:
		return refuse(p.Erased, Erased)
	case ruleNumber:
		return refuse(p.InvalidNumber, InvalidNumber)
	case ruleSuppression:
		return q.suppression()
	case ruleTemplate:
		return refuse(!m.TemplateFound, NoTemplate)
	case ruleApproved:
		return refuse(m.TemplateStatus != approved, TemplateNotApproved)
	case ruleParameters:
		return refuse(m.MissingParameter != "", MissingParameter)
	case ruleMessagingLimit:
		return q.messagingLimit()
	}
	if q.facts.Ask.Test {
		return refuse(false, "")
	}
	return q.judgeReal(r)
}

// judgeReal asks the rules that do not hold in a test run (CONTRACT §4, `run --test`).
func (q *question) judgeReal(r rule) answer {
	p, a := &q.facts.Person, &q.facts.Ask
	switch r {
	case ruleReview:
		return refuse(q.marketing && p.OptOutReview, OptOutReview)
	case ruleConsent:
		return q.consent()
	case ruleCountry:
		return q.country()
	case ruleReachable:
		return refuse(q.marketing && p.Unreachable, Unreachable)
	case ruleCooldown:
		return q.cooldown()
	case ruleHoldout:
		return refuse(q.heldOut() != ofNone, Holdout)
	case ruleNotAfter:
		return refuse(q.now.IsZero() || q.facts.expiredAt(q.now), NotAfter)
	case ruleWindow:
		return q.window()
	case ruleQuietHours:
		return q.quietHours()
	case ruleCaps:
		return q.caps()
	case ruleMaxRecipients:
		return refuse(a.MaxRecipients != nil && q.facts.Message.Ahead >= *a.MaxRecipients, MaxRecipients)
	case ruleBudget:
		return q.budget()
	case ruleQualityGuard:
		return q.qualityGuard()
	}
	return answer{}
}
