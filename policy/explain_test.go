package policy_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/policy"
)

// longNumber is what no sentence may contain.
var longNumber = regexp.MustCompile(`\d{7,}`)

type fataler interface {
	Helper()
	Errorf(format string, args ...any)
}

// checkExplained checks that Explain asks every rule in order, with a sentence, and implies what Decide decides.
func checkExplained(t fataler, rules policy.Rules, facts policy.Facts) {
	t.Helper()
	judgements := policy.Explain(rules, facts)
	var names []string
	for _, j := range judgements {
		names = append(names, j.Rule)
		if j.Verdict != policy.Allow && (j.Reason == "" || j.Decision.Rule != j.Rule) {
			t.Errorf("rule %s: %+v without a reason or under another name", j.Rule, j.Decision)
		}
		if j.Verdict == policy.Allow && j.Decision != (policy.Decision{Verdict: policy.Allow}) {
			t.Errorf("rule %s allows and says more: %+v", j.Rule, j.Decision)
		}
		if (j.Verdict == policy.Defer) == j.Until.IsZero() {
			t.Errorf("rule %s: %v until %v", j.Rule, j.Verdict, j.Until)
		}
		if !strings.HasSuffix(j.Because, ".") || longNumber.MatchString(j.Because) {
			t.Errorf("rule %s: %q is no sentence to show", j.Rule, j.Because)
		}
	}
	if diff := cmp.Diff(order, names); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(implied(rules, facts), policy.Decide(rules, facts)); diff != "" {
		t.Errorf("Decide is not what Explain implies (-implied +decided):\n%s", diff)
	}
}

func firstRefusal(judgements []policy.Judgement) policy.Decision {
	for _, j := range judgements {
		if j.Verdict != policy.Allow {
			return j.Decision
		}
	}
	return policy.Decision{Verdict: policy.Allow}
}

// implied reads Decide's answer off Explain: the first refusal, and what becomes of its deferral.
func implied(rules policy.Rules, facts policy.Facts) policy.Decision {
	first := firstRefusal(policy.Explain(rules, facts))
	next := first
	for range 16 {
		switch {
		case next.Verdict == policy.Deny:
			return next
		case next.Verdict == policy.Allow && first.Verdict == policy.Allow:
			return next
		case next.Verdict == policy.Allow:
			first.Until = facts.Now
			return first
		case !facts.Ask.NotAfter.IsZero() && !next.Until.Before(facts.Ask.NotAfter):
			return policy.Decision{Verdict: policy.Deny, Reason: policy.NotAfter, Rule: "not_after"}
		}
		facts.Now = next.Until
		next = firstRefusal(policy.Explain(rules, facts))
	}
	return policy.Decision{Verdict: policy.Deny, Reason: first.Reason, Rule: first.Rule}
}

func because(t *testing.T, rule string, change func(*policy.Rules, *policy.Facts)) string {
	t.Helper()
	rules, facts := allowed()
	change(&rules, &facts)
	for _, j := range policy.Explain(rules, facts) {
		if j.Rule == rule {
			return j.Because
		}
	}
	t.Fatalf("no rule %s", rule)
	return ""
}

func TestExplainSaysWhichFactDecided(t *testing.T) {
	for _, c := range []struct {
		rule   string
		change func(*policy.Rules, *policy.Facts)
		want   string
	}{
		{"suppressed", stop(policy.ScopeKind(policy.Marketing)), "A stop of scope kind:marketing (keyword) is in force since 2026-12-04 18:29:00 +01:00."},
		{"suppressed", func(r *policy.Rules, f *policy.Facts) {
			utility(f)
			f.Message.TemplateKind = policy.Marketing
			stop(policy.ScopeKind(policy.Marketing))(r, f)
		}, "A stop of scope kind:marketing (keyword) is in force since 2026-12-04 18:29:00 +01:00; Meta classes the template as marketing."},
		{"consent", func(*policy.Rules, *policy.Facts) {}, "Consent to offers was granted on 2026-09-04 19:30:00 +02:00 (web_form) and holds until 2028-08-24 19:30:00 +02:00."},
		{"consent", func(_ *policy.Rules, f *policy.Facts) { f.Person.Consents = nil }, "No consent to offers is on record."},
		{"country", func(_ *policy.Rules, f *policy.Facts) { f.Person.Country = "US" }, "The rule on countries for marketing excludes US."},
		{"template_not_approved", func(_ *policy.Rules, f *policy.Facts) { f.Message.TemplateStatus = "PAUSED" }, "Meta's status of the template is PAUSED; only APPROVED ones are sent."},
		{"window", func(_ *policy.Rules, f *policy.Facts) { f.Now = at("2026-12-04T17:00:00+01:00") },
			"The window 18:00–20:00 in Europe/Rome of this run is from 2026-12-04 18:00:00 +01:00 to 2026-12-04 20:00:00 +01:00; the message waits until 2026-12-04 18:00:00 +01:00."},
		{"window", func(_ *policy.Rules, f *policy.Facts) {
			f.Person.Zone, f.Person.Zones = "", []string{"America/Manaus", "America/Sao_Paulo", "America/Noronha"}
		}, "The window cannot be placed: no moment of a day is within 18:00–20:00 in all 3 time zones of the number's prefix."},
		{"quiet_hours", func(_ *policy.Rules, f *policy.Facts) { f.Ask.Window, f.Now = nil, at("2026-12-04T22:00:00+01:00") },
			"It is within the quiet hours 20:00–09:00 in Europe/Rome, until 2026-12-05 09:00:00 +01:00."},
		{"frequency_cap", func(_ *policy.Rules, f *policy.Facts) { f.Person.Sends[0].At = at("2026-12-03T19:00:00+01:00") },
			"The cap of 1 per 24h, kind marketing is full: 1 sent in its span; there is room at 2026-12-04 19:00:00 +01:00."},
		{"max_recipients", func(_ *policy.Rules, f *policy.Facts) { f.Ask.MaxRecipients = new(17) }, "The run is limited to 17 recipients, and 17 come before."},
		{"opt_out_review", func(_ *policy.Rules, f *policy.Facts) { utility(f); f.Person.OptOutReview = true }, "Holds marketing only, and this message is not."},
		{"window", func(_ *policy.Rules, f *policy.Facts) { f.Ask.Test = true }, "Does not hold in a test run, which goes to the business's own test phones only."},
	} {
		if got := because(t, c.rule, c.change); got != c.want {
			t.Errorf("%s: %q, want %q", c.rule, got, c.want)
		}
	}
}

func TestExplainWaitsForTheLastCapAndTheLastSend(t *testing.T) {
	const aDay = 24 * time.Hour
	rules, facts := allowed()
	rules.Caps = []policy.Cap{{Max: 2, Per: aDay}, {Max: 4, Per: 7 * aDay}}
	facts.Person.Sends = nil
	for _, sent := range []string{"2026-11-27T19:05:00+01:00", "2026-12-03T18:40:00+01:00", "2026-12-03T18:50:00+01:00", "2026-12-03T18:55:00+01:00"} {
		facts.Person.Sends = append(facts.Person.Sends, policy.Send{At: at(sent), Kind: policy.Marketing})
	}
	for _, j := range policy.Explain(rules, facts) {
		if j.Rule != "frequency_cap" {
			continue
		}
		if j.Decision != later(policy.FrequencyCap, "frequency_cap", "2026-12-04T18:05:00Z") {
			t.Errorf("with both caps: %+v", j.Decision)
		}
		if want := "The cap of 4 per 7d is full: 4 sent in its span; there is room at 2026-12-04 19:05:00 +01:00."; j.Because != want {
			t.Errorf("with both caps: %q, want %q", j.Because, want)
		}
	}
	rules.Caps = rules.Caps[:1]
	for _, j := range policy.Explain(rules, facts) {
		if j.Rule == "frequency_cap" && j.Decision != later(policy.FrequencyCap, "frequency_cap", "2026-12-04T17:50:00Z") {
			t.Errorf("with the first cap: %+v", j.Decision)
		}
	}
}

func TestExplainNeverRepeatsFreeText(t *testing.T) {
	const number = "+393471234567"
	rules, facts := allowed()
	facts.Person.Zone = number
	facts.Person.Suppressions = []policy.Suppression{{Scope: policy.ScopeAll, Origin: policy.OriginOperator, Source: "asked on " + number, At: friday.Add(-time.Hour)}}
	facts.Person.Consents["offers"] = policy.Consent{Action: policy.Granted, At: friday.Add(-time.Hour), Source: number}
	for _, j := range policy.Explain(rules, facts) {
		if strings.Contains(j.Because, "3471234567") {
			t.Errorf("rule %s shows a number", j.Rule)
		}
	}
}
