package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/permesso/permesso/policy"
)

// Unproven is the reason of an unknown delivery of which working webhooks have said nothing either.
const Unproven policy.Reason = "unproven"

// sentences say each reason in plain English, in the order in which the rules are asked (CONTRACT §4).
var sentences = []struct {
	reason policy.Reason
	says   string
}{
	{policy.UnknownContact, "this person is not among the contacts"},
	{policy.NotInAudience, "the audience filter of the campaign does not match this person"},
	{policy.Erased, "this person's data was erased"},
	{policy.InvalidNumber, "there is neither a phone number nor a user id to send to"},
	{policy.Suppressed, "this person asked not to be written to, or is on the suppression list"},
	{policy.OptOutReview, "a message of theirs looked like an opt-out and waits to be read by a human"},
	{policy.NoConsent, "no consent on record for this category"},
	{policy.ConsentRevoked, "the consent for this category was revoked"},
	{policy.ConsentExpired, "the consent for this category is too old"},
	{policy.Country, "messages to this country are not allowed"},
	{policy.Unreachable, "earlier messages could not be delivered to this number"},
	{policy.MetaCooldown, "Meta declined a message to this person and asks to leave them alone for a while"},
	{policy.Holdout, "this person is held out for comparison"},
	{policy.NoTemplate, "there is no such template in a language of the campaign"},
	{policy.TemplateNotApproved, "Meta has not approved the template, or has paused it"},
	{policy.MissingParameter, "a variable of the template has no value for this person"},
	{policy.NotAfter, "the offer ended before the message could go out"},
	{policy.OutsideWindow, "the campaign's hours do not leave room, in this person's time"},
	{policy.InQuietHours, "it is quiet hours, or a holiday, where this person is"},
	{policy.FrequencyCap, "this person has had as many messages as the caps allow"},
	{policy.MaxRecipients, "the run has as many recipients as it is limited to"},
	{policy.Budget, "the run's budget is spent"},
	{policy.MessagingLimit, "the limit of people per day is reached"},
	{policy.QualityGuard, "the wave has not begun, or the guard stopped the run"},
	{policy.RunCancelled, "an operator cancelled the run"},
	{Unproven, "the answer was lost, and WhatsApp has said nothing of this message since"},
}

// Sentence says a reason in plain English, without capital or full stop. Of a reason that it does not know it says the word; of none, nothing.
func Sentence(reason policy.Reason) string {
	for _, s := range sentences {
		if s.reason == reason {
			return s.says
		}
	}
	return strings.ReplaceAll(string(reason), "_", " ")
}

// Waiting says why a delivery that will still go out waits.
func Waiting(reason policy.Reason) string {
	switch reason {
	case policy.OutsideWindow:
		return "waits for the campaign's hours, in this person's time"
	case policy.InQuietHours:
		return "waits for the end of quiet hours, or of a holiday, where this person is"
	case policy.FrequencyCap:
		return "waits until the caps have room for one more"
	case policy.MetaCooldown:
		return "waits for the time that Meta asked for"
	}
	return "waits: " + Sentence(reason)
}

// Reasons lists every known reason in the order in which reports print them: that in which the rules are asked.
func Reasons() []policy.Reason {
	reasons := make([]policy.Reason, len(sentences))
	for i, s := range sentences {
		reasons[i] = s.reason
	}
	return reasons
}

// ordered returns the keys of counts in the order given, then the others by name.
func ordered[K cmp.Ordered](counts map[K]int, order []K) []K {
	var keys []K
	for _, key := range order {
		if _, there := counts[key]; there {
			keys = append(keys, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		if !slices.Contains(order, key) {
			keys = append(keys, key)
		}
	}
	return keys
}
