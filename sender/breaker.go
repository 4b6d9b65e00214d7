package sender

import (
	"slices"
	"strings"
	"time"

	"github.com/permesso/permesso/policy"
)

// BreakerKind is what a breaker is about.
type BreakerKind string

// The kinds of breakers. The subject of one of a number is its id, followed by " quality" when Meta's rating opened it, of a template its name, or name and language, of a
// campaign its id; one of the account may be about a kind of message alone. Token and deaf have none.
const (
	BreakToken    BreakerKind = "token"
	BreakAccount  BreakerKind = "account"
	BreakNumber   BreakerKind = "number"
	BreakTemplate BreakerKind = "template"
	BreakCampaign BreakerKind = "campaign"
	BreakDeaf     BreakerKind = "deaf"
)

// BreakerKinds lists all kinds.
func BreakerKinds() []BreakerKind {
	return []BreakerKind{BreakToken, BreakAccount, BreakNumber, BreakTemplate, BreakCampaign, BreakDeaf}
}

// Healing is what closes a breaker without a person.
type Healing string

// The ways to heal.
const (
	HealsByProbe Healing = "probe" // a question to Meta that sends nothing
	HealsByTime  Healing = "time"  // its time is over; then one message at a time
	HealsByNews  Healing = "news"  // a webhook, or Meta's list of templates
	HealsByHand  Healing = "hand"  // nothing does: a person resumes a run
)

// Breaker is a durable fact: while it is open, no message of the runs that it stops passes the gate.
type Breaker struct {
	Kind    BreakerKind
	Subject string
	Code    int    // Meta's code, 0 when none caused it
	Why     string // one sentence for operators
	Healing Healing
	// Wait is how long after it opened, and after each try, the next try to heal it comes.
	Wait time.Duration

	Since time.Time // zero, before it is stored, is then
	// NextAt is when it is next tried; zero, before it is stored, is after Wait.
	NextAt time.Time
}

// Key names a breaker: its kind, and its subject if it has one.
func (b Breaker) Key() string { return strings.TrimSuffix(string(b.Kind)+" "+b.Subject, " ") }

// Stops reports whether messages of the run are held back.
func (b Breaker) Stops(run Run) bool {
	switch b.Kind {
	case BreakAccount:
		return b.Subject == "" || b.Subject == string(run.Kind)
	case BreakNumber:
		return b.Subject == run.NumberID || b.Subject == run.NumberID+ofQuality && run.Guarded && (run.Kind == policy.Marketing || run.Kind == "")
	case BreakTemplate:
		return b.stopsTemplate(run)
	case BreakCampaign:
		// A guard has nothing against a test: it is how a message that was mended is looked at.
		return b.Subject == run.Ask.Campaign && !(b.OfGuard() && run.Ask.Test)
	case BreakDeaf:
		return run.Kind == policy.Marketing || run.Kind == ""
	}
	return true // the token's, and one that this version does not know
}

func (b Breaker) stopsTemplate(run Run) bool {
	name, language, one := strings.Cut(b.Subject, " ")
	if name != run.Message.Template || !one {
		return name == run.Message.Template
	}
	return slices.ContainsFunc(run.Message.Languages, func(l string) bool { return strings.ReplaceAll(l, "-", "_") == language })
}

const (
	// probeEvery is how soon a breaker is first tried, and that of the token after each try.
	probeEvery = 30 * time.Second
	// healthEvery is the same for Meta's word on a number or the account.
	healthEvery = time.Minute
	// spamWait leaves a number alone that people block or report: "do not auto-resume fast" (131048, graph-api §2.4).
	spamWait = time.Hour
	// mostWait bounds the waits of a breaker that opens again and again.
	mostWait, mostTokenWait = time.Hour, 5 * time.Minute
	// spamLimited is Meta's code for a number restricted for blocks and reports, selfLifting for a limit that Meta takes back by itself.
	spamLimited, selfLifting = 131048, 131064
)

// WaitAfter is how long the next try waits when the breaker opened for the times-th time in a row: each time twice as long.
func (b Breaker) WaitAfter(times int) time.Duration {
	wait, most := b.Wait, mostWait
	if b.Kind == BreakToken {
		most = mostTokenWait
	}
	if times > 1 {
		wait = max(wait, probeEvery)
	}
	for range min(times, 20) - 1 {
		wait = min(2*wait, most)
	}
	return max(wait, b.Wait)
}

// Tripped is the breaker that a refusal of the run's message opens; ok is false when it is about the one message, or only asks
// for a lower rate.
func Tripped(run Run, err *Error) (b Breaker, ok bool) {
	b = Breaker{Code: err.Code, Why: why(run, err) + "; ", Healing: HealsByProbe, Wait: healthEvery}
	switch err.Reaction {
	case PauseToken:
		b.Kind, b.Wait = BreakToken, probeEvery
		b.Why += "every run goes on by itself once Meta accepts the token"
	case PauseAccount:
		b.Kind = BreakAccount
		b.Why += "every run goes on by itself once Meta says that the account may send"
		if err.Code == selfLifting {
			b.Healing, b.Wait = HealsByTime, time.Hour
		}
	case PauseNumber:
		b.Kind, b.Subject = BreakNumber, run.NumberID
		b.Why += "the number's runs go on by themselves once Meta says that it may send"
		if err.Code == spamLimited {
			b.Wait = spamWait
		}
	case PauseTemplate:
		b.Kind, b.Subject, b.Healing, b.Wait = BreakTemplate, run.Message.Template, HealsByNews, 0
		b.Why += "its runs go on by themselves once Meta has the template approved, with the same parameters"
	case PauseRun:
		b.Kind, b.Subject, b.Healing, b.Wait = BreakCampaign, run.Ask.Campaign, HealsByHand, 0
		b.Why += "everybody in the campaign would meet it: mend that, then resume the run"
	case WaitRun:
		b.Kind, b.Subject, b.Healing, b.Wait = BreakCampaign, run.Ask.Campaign, HealsByTime, max(probeEvery, err.RetryAfter)
		b.Why += "nobody in the campaign got through: it tries again by itself, one message at a time"
	case SlowDown:
		if err.RetryAfter < probeEvery {
			return Breaker{}, false
		}
		return storm(run, err), true
	default:
		return Breaker{}, false
	}
	return b, true
}

// storm is the breaker of a number that Meta takes nothing from at the lowest rate, or asked to leave alone for a while.
func storm(run Run, err *Error) Breaker {
	return Breaker{
		Kind: BreakNumber, Subject: run.NumberID, Code: err.Code, Healing: HealsByTime, Wait: max(probeEvery, err.RetryAfter),
		Why: why(run, err) + "; the number waits and tries again by itself, one message at a time",
	}
}

// silentAnswers is the breaker of a number whose messages get no answer: only a person can tell whether to go on.
func silentAnswers(run Run) Breaker {
	return Breaker{
		Kind: BreakNumber, Subject: run.NumberID, Healing: HealsByHand,
		Why: "25 messages in a row got no answer: whether they left is not known. Look at the network and at Meta's status, then resume",
	}
}

// TemplateUnfit is the breaker of a template that cannot be sent; language "" is all of them.
func TemplateUnfit(template, language, why string) Breaker {
	return Breaker{
		Kind: BreakTemplate, Subject: strings.TrimSuffix(template+" "+strings.ReplaceAll(language, "-", "_"), " "), Healing: HealsByNews,
		Why: why + "; its runs go on by themselves once Meta has it approved, with the same parameters",
	}
}

// Deaf is the breaker of an installation that does not hear stops.
func Deaf(why string) Breaker {
	return Breaker{Kind: BreakDeaf, Healing: HealsByNews, Why: why + ": people's stops would not be heard; marketing goes on by itself at the first webhook"}
}

// Stopped is the breaker of a campaign that its guard stops: only a person can tell whether to go on.
func Stopped(campaign, why string) Breaker {
	return Breaker{Kind: BreakCampaign, Subject: campaign, Healing: HealsByHand, Why: why + "; look at the message and at whom it goes to, then resume the run or cancel it"}
}

// OfGuard reports whether a guard opened it: Meta's codes open all others of campaigns.
func (b Breaker) OfGuard() bool { return b.Kind == BreakCampaign && b.Code == 0 }

// ofQuality follows the number in the subject of the breaker that Meta's rating of it opens.
const ofQuality = " quality"

// LowQuality is the breaker of a number that Meta rates RED: it stops those of its runs that have a guard.
func LowQuality(numberID string) Breaker {
	return Breaker{
		Kind: BreakNumber, Subject: numberID + ofQuality, Healing: HealsByProbe, Wait: spamWait,
		Why: "Meta rates the quality of number " + numberID + " RED, for blocks and reports; runs with a guard go on by themselves once it does not",
	}
}

// Number is the number that a breaker of one is about, and whether it is about its quality.
func (b Breaker) Number() (id string, quality bool) { return strings.CutSuffix(b.Subject, ofQuality) }

// AccountNews is what a webhook said of the account: that it may not send, or may again.
type AccountNews struct {
	At time.Time
	// Lifted says that it may send again.
	Lifted bool
	// Kind is the kind of message that it is about, "" for all.
	Kind policy.Kind
	// Until is when Meta says that it ends; zero when it does not say.
	Until time.Time
	// Lost says that Meta never takes it back by itself.
	Lost bool
	Why  string
}

// Breaker is the breaker that the news opens, or with Lifted closes.
func (n AccountNews) Breaker() Breaker {
	b := Breaker{Kind: BreakAccount, Subject: string(n.Kind), Healing: HealsByProbe, Wait: healthEvery, Since: n.At}
	b.Why = n.Why + "; runs go on by themselves once Meta says that the account may send"
	switch {
	case n.Lost:
		b.Healing, b.Why = HealsByHand, n.Why+"; when that is mended, resume the runs"
	case !n.Until.IsZero():
		b.Healing, b.NextAt = HealsByTime, n.Until
		b.Why = n.Why + "; runs go on by themselves on " + n.Until.UTC().Format("2 January 2006 at 15:04 UTC")
	}
	return b
}
