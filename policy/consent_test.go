package policy_test

import (
	"testing"

	"github.com/permesso/permesso/policy"
)

func TestOnlyConsentThatWasGivenCounts(t *testing.T) {
	checkDecisions(t, []decideCase{
		{"only asked for", consents(policy.Pending), deny(policy.NoConsent, "consent")},
		{"granted", consents(policy.Granted), yes},
		{"confirmed", consents(policy.Confirmed), yes},
		{"taken back", consents(policy.Revoked), deny(policy.ConsentRevoked, "consent")},
		{"on record as expired", consents(policy.Expired), deny(policy.ConsentExpired, "consent")},
		{"by an act that nobody knows", consents("given"), deny(policy.NoConsent, "consent")},
	})
}

func consents(action policy.Action) func(*policy.Rules, *policy.Facts) {
	return func(_ *policy.Rules, f *policy.Facts) {
		c := f.Person.Consents["offers"]
		c.Action = action
		f.Person.Consents["offers"] = c
	}
}
