package sender

import "time"

const (
	// sameMistake is how many messages of a campaign in a row may be refused for the same mistake. Where one message in ten is wrong
	// by itself, ten in a row come once in 10 billion; and no more than nine people lose their message to a mistake of everybody's.
	sameMistake = 10
	// outage is how many messages of a campaign in a row Meta may refuse for the moment: each was tried, and none failed yet.
	outage = 25
	// stormAfter and stormOf are how long, and how many, messages are refused for the rate at the lowest rate before the number waits.
	stormAfter, stormOf = 5 * time.Second, 10
)

// refusals tells what stands before everybody from what is wrong with a message. One goroutine has it, the one that records.
type refusals struct {
	campaigns map[string]streak
	// since is when the first of the slowed messages was refused, after which none got through.
	since   time.Time
	slowed  int
	stormed bool // the number waited, and nothing got through since
}

// streak is how many messages in a row met the same.
type streak struct {
	code int
	n    int
}

// momentary is the streak of all codes that ask to try again: an outage has many.
const momentary = -1

func newRefusals() refusals { return refusals{campaigns: map[string]streak{}} }

// judge counts a message of a campaign. The refusal that makes a streak too long, and each after it, comes back as one that
// stops the campaign: its message is not at fault.
func (r *refusals) judge(campaign string, result Result) Result {
	switch {
	case result.Fate == Taken || result.Fate == TakenHeld:
		delete(r.campaigns, campaign)
		return result
	case result.Fate != Refused:
		return result
	}
	code, most, then := result.Err.Code, sameMistake, PauseRun
	switch result.Err.Reaction {
	case FailMessage:
	case Retry:
		code, most, then = momentary, outage, WaitRun
	case SlowDown, PauseToken, PauseAccount, PauseNumber, PauseTemplate, PauseRun, WaitRun:
		return result // says nothing of the campaign's messages, or stops it anyway
	default:
		delete(r.campaigns, campaign) // it is about the person
		return result
	}
	s := r.campaigns[campaign]
	if s.code != code {
		s = streak{code: code}
	}
	s.n++
	r.campaigns[campaign] = s
	if s.n < most {
		return result
	}
	stops := *result.Err
	stops.Reaction = then
	result.Err = &stops
	return result
}

// storms counts a message that was refused for the rate, and reports whether the number has to wait. After it waited the first
// refusal is enough.
func (r *refusals) storms(now time.Time, lowest bool) bool {
	if r.slowed == 0 {
		r.since = now
	}
	r.slowed++
	return r.stormed || lowest && r.slowed >= stormOf && now.Sub(r.since) >= stormAfter
}

// tripped notes that a breaker opened.
func (r *refusals) tripped(b Breaker) {
	r.stormed = r.stormed || b.Kind == BreakNumber && b.Healing == HealsByTime
}

// gotThrough notes that Meta took, or judged, a message.
func (r *refusals) gotThrough() { r.slowed, r.stormed = 0, false }
