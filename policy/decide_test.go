package policy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/policy"
)

// order is CONTRACT §4's, written out again on purpose.
var order = []string{
	"unknown_contact", "not_in_audience", "erased", "invalid_number", "suppressed", "opt_out_review", "consent", "country", "unreachable",
	"meta_cooldown", "holdout", "no_template", "template_not_approved", "missing_parameter", "not_after", "window", "quiet_hours",
	"frequency_cap", "max_recipients", "budget", "messaging_limit", "quality_guard",
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// friday is inside the window of the allowed person: 18:30 in Rome.
var friday = at("2026-12-04T18:30:00+01:00")

// sharedLocations serves every test, as one does every run.
var sharedLocations = policy.NewLocations()

// allowed is a person to whom everything allows a marketing message, and the rules that looked.
func allowed() (policy.Rules, policy.Facts) {
	rules := policy.Rules{
		Categories: map[string]policy.Category{
			"offers": {ID: "offers", Kind: policy.Marketing, ConsentExpiresAfter: 720 * 24 * time.Hour},
			"orders": {ID: "orders", Kind: policy.Utility},
		},
		Caps: []policy.Cap{
			{Max: 1, Per: 24 * time.Hour, Kind: policy.Marketing},
			{Max: 3, Per: 7 * 24 * time.Hour},
			{Max: 2, Per: 7 * 24 * time.Hour, Category: "offers"},
		},
		QuietHours: &policy.QuietHours{From: 20 * 60, To: 9 * 60, Kind: policy.Marketing},
		Countries:  map[policy.Kind]policy.CountryRule{policy.Marketing: {Deny: []string{"US"}}},
		Locations:  sharedLocations,
	}
	facts := policy.Facts{
		Now: friday,
		Ask: policy.Ask{
			Campaign: "weekend-offer", Category: "offers", FireAt: at("2026-12-04T18:00:00+01:00"), Zone: "Europe/Rome",
			Window: &policy.Window{From: 18 * 60, To: 20 * 60, In: "recipient"}, NotAfter: at("2026-12-31T20:00:00+01:00"), MaxRecipients: new(50000),
		},
		Person: policy.Person{
			Known: true, Country: "IT", Zone: "Europe/Rome",
			SuppressionsRead: true,
			Suppressions: []policy.Suppression{
				{Scope: policy.ScopeCategory("news"), Origin: policy.OriginPage, At: friday.Add(-time.Hour)},
				{Scope: policy.ScopeAll, Origin: policy.OriginKeyword, At: friday.Add(-48 * time.Hour), LiftedAt: friday.Add(-24 * time.Hour)},
			},
			ConsentsRead: true,
			Consents:     map[string]policy.Consent{"offers": {Action: policy.Granted, At: friday.AddDate(0, -3, 0), Source: "web_form"}, "orders": {Action: policy.Granted, At: friday.AddDate(0, -3, 0), Source: "in_store"}},
			SendsRead:    true,
			Sends: []policy.Send{
				{At: friday.Add(-26 * time.Hour), Kind: policy.Marketing, Category: "offers", Campaign: "other"},
				{At: friday.Add(-time.Hour), Kind: policy.Utility, Category: "orders", Campaign: "order-ready"},
			},
		},
		Message: policy.Message{InAudience: true, TemplateFound: true, TemplateStatus: "APPROVED", TemplateKind: policy.Marketing, Ahead: 17},
	}
	return rules, facts
}

type decideCase struct {
	name   string
	change func(*policy.Rules, *policy.Facts)
	want   policy.Decision
}

func deny(reason policy.Reason, rule string) policy.Decision {
	return policy.Decision{Verdict: policy.Deny, Reason: reason, Rule: rule}
}

func later(reason policy.Reason, rule, until string) policy.Decision {
	return policy.Decision{Verdict: policy.Defer, Reason: reason, Rule: rule, Until: at(until)}
}

var yes = policy.Decision{Verdict: policy.Allow}

func stop(scope policy.Scope) func(*policy.Rules, *policy.Facts) {
	return func(_ *policy.Rules, f *policy.Facts) {
		f.Person.Suppressions = append(f.Person.Suppressions, policy.Suppression{Scope: scope, Origin: policy.OriginKeyword, At: friday.Add(-time.Minute)})
	}
}

// utility turns the message into one about orders.
func utility(f *policy.Facts) {
	f.Ask.Category, f.Message.TemplateKind = "orders", policy.Utility
}

func TestDecideAboutPeople(t *testing.T) {
	checkDecisions(t, []decideCase{
		{"everything allows", func(*policy.Rules, *policy.Facts) {}, yes},
		{"no contact", func(_ *policy.Rules, f *policy.Facts) { f.Person.Known = false }, deny(policy.UnknownContact, "unknown_contact")},
		{"not in the audience", func(_ *policy.Rules, f *policy.Facts) { f.Message.InAudience = false }, deny(policy.NotInAudience, "not_in_audience")},
		{"erased", func(_ *policy.Rules, f *policy.Facts) { f.Person.Erased = true }, deny(policy.Erased, "erased")},
		{"no number", func(_ *policy.Rules, f *policy.Facts) { f.Person.InvalidNumber = true }, deny(policy.InvalidNumber, "invalid_number")},
		{"stop of all", stop(policy.ScopeAll), deny(policy.Suppressed, "suppressed")},
		{"stop of marketing", stop(policy.ScopeKind(policy.Marketing)), deny(policy.Suppressed, "suppressed")},
		{"stop of the category", stop(policy.ScopeCategory("offers")), deny(policy.Suppressed, "suppressed")},
		{"stop of another category", stop(policy.ScopeCategory("orders")), yes},
		{"stop of another kind", stop(policy.ScopeKind(policy.Utility)), yes},
		{"stop that cannot be read", stop("al"), deny(policy.Suppressed, "suppressed")},
		{"stops not read", func(_ *policy.Rules, f *policy.Facts) { f.Person.SuppressionsRead = false }, deny(policy.Suppressed, "suppressed")},
		{"stop of marketing, utility message", func(r *policy.Rules, f *policy.Facts) { utility(f); stop(policy.ScopeKind(policy.Marketing))(r, f) }, yes},
		{"stop of marketing, utility message that Meta calls marketing", func(r *policy.Rules, f *policy.Facts) {
			utility(f)
			f.Message.TemplateKind = policy.Marketing
			stop(policy.ScopeKind(policy.Marketing))(r, f)
		}, deny(policy.Suppressed, "suppressed")},
		{"stop of marketing, template of a class nobody knows", func(r *policy.Rules, f *policy.Facts) {
			utility(f)
			f.Message.TemplateKind = ""
			stop(policy.ScopeKind(policy.Marketing))(r, f)
		}, deny(policy.Suppressed, "suppressed")},
		{"stop of utility, utility message that Meta calls marketing", func(r *policy.Rules, f *policy.Facts) {
			utility(f)
			f.Message.TemplateKind = policy.Marketing
			stop(policy.ScopeKind(policy.Utility))(r, f)
		}, deny(policy.Suppressed, "suppressed")},
		{"opt-out under review", func(_ *policy.Rules, f *policy.Facts) { f.Person.OptOutReview = true }, deny(policy.OptOutReview, "opt_out_review")},
		{"opt-out under review, utility", func(_ *policy.Rules, f *policy.Facts) { utility(f); f.Person.OptOutReview = true }, yes},
		{"consent never given", func(_ *policy.Rules, f *policy.Facts) { f.Person.Consents = nil }, deny(policy.NoConsent, "consent")},
		{"consent never given, utility", func(_ *policy.Rules, f *policy.Facts) { utility(f); delete(f.Person.Consents, "orders") }, deny(policy.NoConsent, "consent")},
		{"consents not read", func(_ *policy.Rules, f *policy.Facts) { f.Person.ConsentsRead = false }, deny(policy.NoConsent, "consent")},
		{"category not configured", func(r *policy.Rules, f *policy.Facts) { delete(r.Categories, "offers"); f.Person.Suppressions = nil }, deny(policy.NoConsent, "consent")},
		{"category of no kind", func(r *policy.Rules, f *policy.Facts) {
			r.Categories["offers"] = policy.Category{ID: "offers"}
			f.Person.Suppressions = nil
		}, deny(policy.NoConsent, "consent")},
		{"category not configured, any stop counts", func(r *policy.Rules, f *policy.Facts) {
			delete(r.Categories, "offers")
			stop(policy.ScopeCategory("orders"))(r, f)
		}, deny(policy.Suppressed, "suppressed")},
		{"consent revoked", func(_ *policy.Rules, f *policy.Facts) {
			f.Person.Consents["offers"] = policy.Consent{Action: policy.Revoked, At: friday.Add(-time.Hour)}
		}, deny(policy.ConsentRevoked, "consent")},
		{"consent of no action", func(_ *policy.Rules, f *policy.Facts) {
			f.Person.Consents["offers"] = policy.Consent{Action: "maybe", At: friday.Add(-time.Hour)}
		}, deny(policy.NoConsent, "consent")},
		{"consent expired to the second", func(_ *policy.Rules, f *policy.Facts) {
			f.Person.Consents["offers"] = policy.Consent{Action: policy.Granted, At: friday.Add(-720 * 24 * time.Hour)}
		}, deny(policy.ConsentExpired, "consent")},
		{"consent not quite expired", func(_ *policy.Rules, f *policy.Facts) {
			f.Person.Consents["offers"] = policy.Consent{Action: policy.Granted, At: friday.Add(-720*24*time.Hour + time.Second)}
		}, yes},
		{"country denied", func(_ *policy.Rules, f *policy.Facts) { f.Person.Country = "US" }, deny(policy.Country, "country")},
		{"country denied, utility", func(_ *policy.Rules, f *policy.Facts) { utility(f); f.Person.Country = "US" }, yes},
		{"country denied, utility that Meta calls marketing", func(_ *policy.Rules, f *policy.Facts) {
			utility(f)
			f.Message.TemplateKind, f.Person.Country = policy.Marketing, "US"
		}, deny(policy.Country, "country")},
		{"country not known", func(_ *policy.Rules, f *policy.Facts) { f.Person.Country = "" }, deny(policy.Country, "country")},
		{"country not known and no rule", func(r *policy.Rules, f *policy.Facts) { r.Countries, f.Person.Country = nil, "" }, yes},
		{"country not among the allowed", func(r *policy.Rules, _ *policy.Facts) {
			r.Countries = map[policy.Kind]policy.CountryRule{policy.Marketing: {Allow: []string{"FR", "DE"}}}
		}, deny(policy.Country, "country")},
		{"country allowed", func(r *policy.Rules, _ *policy.Facts) {
			r.Countries = map[policy.Kind]policy.CountryRule{policy.Marketing: {Allow: []string{"fr", "it"}}}
		}, yes},
		{"unreachable", func(_ *policy.Rules, f *policy.Facts) { f.Person.Unreachable = true }, deny(policy.Unreachable, "unreachable")},
		{"unreachable, utility", func(_ *policy.Rules, f *policy.Facts) { utility(f); f.Person.Unreachable = true }, yes},
	})
}

func TestDecideAboutTheMessage(t *testing.T) {
	checkDecisions(t, []decideCase{
		{"no template", func(_ *policy.Rules, f *policy.Facts) { f.Message.TemplateFound = false }, deny(policy.NoTemplate, "no_template")},
		{"no template of a utility campaign to one who stopped marketing", func(r *policy.Rules, f *policy.Facts) {
			utility(f)
			f.Message = policy.Message{InAudience: true}
			stop(policy.ScopeKind(policy.Marketing))(r, f)
		}, deny(policy.NoTemplate, "no_template")},
		{"template paused", func(_ *policy.Rules, f *policy.Facts) { f.Message.TemplateStatus = "PAUSED" }, deny(policy.TemplateNotApproved, "template_not_approved")},
		{"template of no status", func(_ *policy.Rules, f *policy.Facts) { f.Message.TemplateStatus = "" }, deny(policy.TemplateNotApproved, "template_not_approved")},
		{"parameter without a value", func(_ *policy.Rules, f *policy.Facts) { f.Message.MissingParameter = "attributes.coupon" }, deny(policy.MissingParameter, "missing_parameter")},
		{"offer over", func(_ *policy.Rules, f *policy.Facts) { f.Ask.NotAfter = friday }, deny(policy.NotAfter, "not_after")},
		{"offer not quite over", func(_ *policy.Rules, f *policy.Facts) { f.Ask.NotAfter = friday.Add(time.Nanosecond) }, yes},
		{"offer without an end", func(_ *policy.Rules, f *policy.Facts) { f.Ask.NotAfter = time.Time{} }, yes},
		{"time not known", func(_ *policy.Rules, f *policy.Facts) { f.Now = time.Time{} }, deny(policy.NotAfter, "not_after")},
		{"limit reached", func(_ *policy.Rules, f *policy.Facts) { f.Message.Ahead = 50000 }, deny(policy.MaxRecipients, "max_recipients")},
		{"last one inside the limit", func(_ *policy.Rules, f *policy.Facts) { f.Message.Ahead = 49999 }, yes},
		{"limit of none", func(_ *policy.Rules, f *policy.Facts) { f.Ask.MaxRecipients, f.Message.Ahead = new(0), 0 }, deny(policy.MaxRecipients, "max_recipients")},
		{"no limit", func(_ *policy.Rules, f *policy.Facts) { f.Ask.MaxRecipients, f.Message.Ahead = nil, 60000 }, yes},
		{"Meta asked to wait, in time", func(_ *policy.Rules, f *policy.Facts) { f.Person.CooldownUntil = at("2026-12-04T19:00:00+01:00") },
			later(policy.MetaCooldown, "meta_cooldown", "2026-12-04T18:00:00Z")},
		{"Meta asked to wait, too long", func(_ *policy.Rules, f *policy.Facts) { f.Person.CooldownUntil = at("2026-12-04T20:00:00+01:00") }, deny(policy.MetaCooldown, "meta_cooldown")},
		{"Meta asked to wait, no window", func(_ *policy.Rules, f *policy.Facts) {
			f.Ask.Window, f.Person.CooldownUntil = nil, at("2026-12-04T19:00:00+01:00")
		}, deny(policy.MetaCooldown, "meta_cooldown")},
		{"Meta's wait is over", func(_ *policy.Rules, f *policy.Facts) { f.Person.CooldownUntil = friday }, yes},
		{"Meta asked to wait, utility", func(_ *policy.Rules, f *policy.Facts) { utility(f); f.Person.CooldownUntil = friday.Add(time.Hour) }, yes},
		{"Meta asked to wait before the window", func(_ *policy.Rules, f *policy.Facts) {
			f.Now, f.Person.CooldownUntil = at("2026-12-04T15:00:00+01:00"), at("2026-12-04T16:00:00+01:00")
		}, later(policy.MetaCooldown, "meta_cooldown", "2026-12-04T17:00:00Z")},
	})
}

func TestDecideAboutTime(t *testing.T) {
	noCaps := func(r *policy.Rules) { r.Caps = nil }
	checkDecisions(t, []decideCase{
		{"before the window", func(_ *policy.Rules, f *policy.Facts) { f.Now = at("2026-12-04T17:59:59+01:00") }, later(policy.OutsideWindow, "window", "2026-12-04T17:00:00Z")},
		{"at its start", func(_ *policy.Rules, f *policy.Facts) { f.Now = at("2026-12-04T18:00:00+01:00") }, yes},
		{"just before its end", func(_ *policy.Rules, f *policy.Facts) { f.Now = at("2026-12-04T19:59:59+01:00") }, yes},
		{"at its end", func(_ *policy.Rules, f *policy.Facts) { f.Now = at("2026-12-04T20:00:00+01:00") }, deny(policy.OutsideWindow, "window")},
		{"next day, inside the hours of another day", func(_ *policy.Rules, f *policy.Facts) { f.Now = at("2026-12-05T18:30:00+01:00") }, deny(policy.OutsideWindow, "window")},
		{"fired after the hours: tomorrow's window", func(_ *policy.Rules, f *policy.Facts) {
			f.Now, f.Ask.FireAt = at("2026-12-04T21:00:00+01:00"), at("2026-12-04T21:00:00+01:00")
		}, later(policy.OutsideWindow, "window", "2026-12-05T17:00:00Z")},
		{"the person's own zone", func(_ *policy.Rules, f *policy.Facts) { f.Person.Zone = "America/New_York" }, later(policy.OutsideWindow, "window", "2026-12-04T23:00:00Z")},
		{"the campaign's zone", func(r *policy.Rules, f *policy.Facts) {
			r.QuietHours, f.Person.Zone = nil, "America/New_York"
			f.Ask.Window = &policy.Window{From: 18 * 60, To: 20 * 60, In: "campaign"}
		}, yes},
		{"nobody knows the person's zone", func(_ *policy.Rules, f *policy.Facts) { f.Person.Zone = "" }, yes},
		{"nobody knows any zone", func(_ *policy.Rules, f *policy.Facts) { f.Person.Zone, f.Ask.Zone = "", "" }, deny(policy.OutsideWindow, "window")},
		{"a zone that does not exist", func(_ *policy.Rules, f *policy.Facts) { f.Person.Zone = "Europe/Atlantis" }, deny(policy.OutsideWindow, "window")},
		{"the machine's own zone is nobody's", func(_ *policy.Rules, f *policy.Facts) { f.Person.Zone = "Local" }, deny(policy.OutsideWindow, "window")},
		{"one zone of several does not exist", func(_ *policy.Rules, f *policy.Facts) {
			f.Person.Zone, f.Person.Zones = "", []string{"Europe/Rome", "Europe/Atlantis"}
		}, deny(policy.OutsideWindow, "window")},
		{"quiet hours in a zone that does not exist", func(_ *policy.Rules, f *policy.Facts) { f.Ask.Window, f.Person.Zone = nil, "Europe/Atlantis" }, deny(policy.InQuietHours, "quiet_hours")},
		{"fire time not known", func(_ *policy.Rules, f *policy.Facts) { f.Ask.FireAt = time.Time{} }, deny(policy.OutsideWindow, "window")},
		{"window of no length", func(_ *policy.Rules, f *policy.Facts) { f.Ask.Window = &policy.Window{From: 600, To: 600} }, deny(policy.OutsideWindow, "window")},
		{"window that is no time of day", func(_ *policy.Rules, f *policy.Facts) { f.Ask.Window = &policy.Window{From: -60, To: 1500} }, deny(policy.OutsideWindow, "window")},
		{"strict: every zone of the prefix must be inside", func(_ *policy.Rules, f *policy.Facts) {
			f.Person.Zone, f.Person.Zones, f.Person.MainZone = "", []string{"Europe/Rome", "Europe/London"}, "Europe/Rome"
		}, later(policy.OutsideWindow, "window", "2026-12-04T18:00:00Z")},
		{"loose: the main zone is enough", func(r *policy.Rules, f *policy.Facts) {
			r.LooseZones = true
			f.Person.Zone, f.Person.Zones, f.Person.MainZone = "", []string{"Europe/Rome", "Europe/London"}, "Europe/Rome"
		}, yes},
		{"loose without a main zone is strict", func(r *policy.Rules, f *policy.Facts) {
			r.LooseZones = true
			f.Person.Zone, f.Person.Zones = "", []string{"Europe/Rome", "Europe/London"}
		}, later(policy.OutsideWindow, "window", "2026-12-04T18:00:00Z")},
		{"strict: no moment suits every zone", func(_ *policy.Rules, f *policy.Facts) {
			f.Person.Zone, f.Person.Zones = "", []string{"America/Manaus", "America/Sao_Paulo", "America/Noronha"}
		}, deny(policy.OutsideWindow, "window")},
		{"window over midnight, after it", func(r *policy.Rules, f *policy.Facts) {
			r.QuietHours, f.Ask.Window = nil, &policy.Window{From: 22 * 60, To: 2 * 60}
			f.Ask.FireAt, f.Now = at("2026-12-04T23:00:00+01:00"), at("2026-12-05T01:59:00+01:00")
		}, yes},
		{"window over midnight, fired within it", func(r *policy.Rules, f *policy.Facts) {
			r.QuietHours, f.Ask.Window = nil, &policy.Window{From: 22 * 60, To: 2 * 60}
			f.Ask.FireAt, f.Now = at("2026-12-05T01:00:00+01:00"), at("2026-12-05T02:00:00+01:00")
		}, deny(policy.OutsideWindow, "window")},
		{"window until 24:00", func(r *policy.Rules, f *policy.Facts) {
			r.QuietHours, f.Ask.Window, f.Now = nil, &policy.Window{From: 18 * 60, To: 24 * 60}, at("2026-12-04T23:59:59+01:00")
		}, yes},
		{"quiet hours without a window", func(_ *policy.Rules, f *policy.Facts) {
			f.Ask.Window, f.Now = nil, at("2026-12-04T22:00:00+01:00")
		}, later(policy.InQuietHours, "quiet_hours", "2026-12-05T08:00:00Z")},
		{"quiet hours of another kind", func(_ *policy.Rules, f *policy.Facts) {
			utility(f)
			f.Ask.Window, f.Now = nil, at("2026-12-04T22:00:00+01:00")
		}, yes},
		{"quiet hours, utility that Meta calls marketing", func(_ *policy.Rules, f *policy.Facts) {
			utility(f)
			f.Message.TemplateKind, f.Ask.Window, f.Now = policy.Marketing, nil, at("2026-12-04T22:00:00+01:00")
		}, later(policy.InQuietHours, "quiet_hours", "2026-12-05T08:00:00Z")},
		{"quiet hours last longer than the window", func(_ *policy.Rules, f *policy.Facts) {
			f.Ask.Window, f.Now = &policy.Window{From: 18 * 60, To: 23 * 60}, at("2026-12-04T20:30:00+01:00")
		}, deny(policy.InQuietHours, "quiet_hours")},
		{"quiet hours end with the window", func(r *policy.Rules, f *policy.Facts) {
			r.QuietHours = &policy.QuietHours{From: 19 * 60, To: 20 * 60}
			f.Now = at("2026-12-04T19:30:00+01:00")
		}, deny(policy.InQuietHours, "quiet_hours")},
		{"quiet hours at the start of the window", func(r *policy.Rules, f *policy.Facts) {
			noCaps(r)
			f.Ask.Window, f.Ask.FireAt, f.Now = &policy.Window{From: 8 * 60, To: 12 * 60}, at("2026-12-04T07:00:00+01:00"), at("2026-12-04T07:30:00+01:00")
		}, later(policy.OutsideWindow, "window", "2026-12-04T08:00:00Z")},
		{"quiet all day", func(r *policy.Rules, _ *policy.Facts) {
			r.QuietHours = &policy.QuietHours{From: 0, To: 1440}
		}, deny(policy.InQuietHours, "quiet_hours")},
		{"quiet in one of the zones", func(r *policy.Rules, f *policy.Facts) {
			noCaps(r)
			f.Ask.Window, f.Now = nil, at("2026-12-04T09:30:00+01:00")
			f.Person.Zone, f.Person.Zones = "", []string{"Europe/Rome", "Europe/London"}
		}, later(policy.InQuietHours, "quiet_hours", "2026-12-04T09:00:00Z")},
		{"a wait beyond the offer's end", func(_ *policy.Rules, f *policy.Facts) {
			f.Now, f.Ask.NotAfter = at("2026-12-04T17:00:00+01:00"), at("2026-12-04T18:00:00+01:00")
		}, deny(policy.NotAfter, "not_after")},
		{"a wait beyond the offer's end and the consent's", func(_ *policy.Rules, f *policy.Facts) {
			f.Now, f.Ask.NotAfter = at("2026-12-04T17:00:00+01:00"), at("2026-12-04T18:00:00+01:00")
			f.Person.Consents["offers"] = policy.Consent{Action: policy.Granted, At: at("2026-12-04T17:30:00+01:00").Add(-720 * 24 * time.Hour)}
		}, deny(policy.NotAfter, "not_after")},
		{"a wait beyond the consent's end", func(_ *policy.Rules, f *policy.Facts) {
			f.Now = at("2026-12-04T17:00:00+01:00")
			f.Person.Consents["offers"] = policy.Consent{Action: policy.Granted, At: at("2026-12-04T17:30:00+01:00").Add(-720 * 24 * time.Hour)}
		}, deny(policy.ConsentExpired, "consent")},
	})
}

func TestDecideAboutCaps(t *testing.T) {
	sent := func(f *policy.Facts, when ...string) {
		f.Person.Sends = nil
		for _, text := range when {
			f.Person.Sends = append(f.Person.Sends, policy.Send{At: at(text), Kind: policy.Marketing, Category: "offers", Campaign: "weekend-offer"})
		}
	}
	only := func(r *policy.Rules, c policy.Cap) { r.Caps = []policy.Cap{c} }
	login := func(r *policy.Rules, f *policy.Facts) { // a code to sign in with
		r.Categories["codes"] = policy.Category{ID: "codes", Kind: policy.Authentication}
		f.Ask.Category, f.Message.TemplateKind = "codes", policy.Authentication
		f.Person.Consents["codes"] = policy.Consent{Action: policy.Granted, At: f.Now.Add(-time.Hour), Source: "in_app"}
	}
	const aDay = 24 * time.Hour
	checkDecisions(t, []decideCase{
		{"full until inside the window", func(_ *policy.Rules, f *policy.Facts) { sent(f, "2026-12-03T19:00:00+01:00") }, later(policy.FrequencyCap, "frequency_cap", "2026-12-04T18:00:00Z")},
		{"full until the window's end", func(_ *policy.Rules, f *policy.Facts) { sent(f, "2026-12-03T20:00:00+01:00") }, deny(policy.FrequencyCap, "frequency_cap")},
		{"full until later, and no window", func(_ *policy.Rules, f *policy.Facts) {
			f.Ask.Window = nil
			sent(f, "2026-12-03T19:00:00+01:00")
		}, deny(policy.FrequencyCap, "frequency_cap")},
		{"room to the second", func(_ *policy.Rules, f *policy.Facts) { sent(f, "2026-12-03T18:30:00+01:00") }, yes},
		{"sends not read", func(_ *policy.Rules, f *policy.Facts) { f.Person.SendsRead = false }, deny(policy.FrequencyCap, "frequency_cap")},
		{"sends not read, and no cap", func(r *policy.Rules, f *policy.Facts) { r.Caps, f.Person.SendsRead = nil, false }, yes},
		{"never", func(r *policy.Rules, f *policy.Facts) {
			only(r, policy.Cap{Max: 0, Per: aDay})
			f.Person.Sends = nil
		}, deny(policy.FrequencyCap, "frequency_cap")},
		{"never, of another category", func(r *policy.Rules, _ *policy.Facts) { only(r, policy.Cap{Max: 0, Per: aDay, Category: "orders"}) }, yes},
		{"never, of another campaign", func(r *policy.Rules, _ *policy.Facts) { only(r, policy.Cap{Max: 0, Per: aDay, Campaign: "other"}) }, yes},
		{"never, of this campaign", func(r *policy.Rules, _ *policy.Facts) {
			only(r, policy.Cap{Max: 0, Per: aDay, Campaign: "weekend-offer"})
		}, deny(policy.FrequencyCap, "frequency_cap")},
		{"a cap of no span", func(r *policy.Rules, _ *policy.Facts) { only(r, policy.Cap{Max: 5}) }, deny(policy.FrequencyCap, "frequency_cap")},
		{"an unnamed cap exempts utility", func(r *policy.Rules, f *policy.Facts) { utility(f); only(r, policy.Cap{Max: 0, Per: aDay}) }, yes},
		{"an unnamed cap exempts authentication", func(r *policy.Rules, f *policy.Facts) {
			login(r, f)
			only(r, policy.Cap{Max: 0, Per: aDay})
		}, yes},
		{"a named cap holds authentication", func(r *policy.Rules, f *policy.Facts) {
			login(r, f)
			only(r, policy.Cap{Max: 0, Per: aDay, Kind: policy.Authentication})
		}, deny(policy.FrequencyCap, "frequency_cap")},
		{"an unnamed cap holds what Meta calls marketing", func(r *policy.Rules, f *policy.Facts) {
			utility(f)
			f.Message.TemplateKind = policy.Marketing
			only(r, policy.Cap{Max: 0, Per: aDay})
		}, deny(policy.FrequencyCap, "frequency_cap")},
		{"a named cap holds utility", func(r *policy.Rules, f *policy.Facts) {
			utility(f)
			only(r, policy.Cap{Max: 1, Per: aDay, Kind: policy.Utility})
		}, deny(policy.FrequencyCap, "frequency_cap")},
		{"an unnamed cap does not count utility", func(r *policy.Rules, f *policy.Facts) {
			only(r, policy.Cap{Max: 1, Per: 2 * time.Hour})
		}, yes},
		{"a send of no kind counts", func(r *policy.Rules, f *policy.Facts) {
			only(r, policy.Cap{Max: 1, Per: 2 * time.Hour})
			f.Person.Sends[1].Kind = ""
		}, later(policy.FrequencyCap, "frequency_cap", "2026-12-04T18:30:00Z")},
		{"two caps: the later room", func(r *policy.Rules, f *policy.Facts) {
			r.Caps = []policy.Cap{{Max: 1, Per: aDay}, {Max: 2, Per: 7 * aDay}}
			sent(f, "2026-11-27T19:15:00+01:00", "2026-12-03T18:45:00+01:00")
		}, later(policy.FrequencyCap, "frequency_cap", "2026-12-04T18:15:00Z")},
		{"several must leave", func(r *policy.Rules, f *policy.Facts) {
			only(r, policy.Cap{Max: 2, Per: aDay})
			sent(f, "2026-12-03T18:40:00+01:00", "2026-12-03T18:50:00+01:00", "2026-12-03T19:10:00+01:00", "2026-12-03T19:10:00+01:00")
		}, later(policy.FrequencyCap, "frequency_cap", "2026-12-04T18:10:00Z")},
		{"the limit on recipients still holds after the wait", func(_ *policy.Rules, f *policy.Facts) {
			sent(f, "2026-12-03T19:00:00+01:00")
			f.Message.Ahead = 50000
		}, deny(policy.MaxRecipients, "max_recipients")},
	})
}

func TestDecideInTestRuns(t *testing.T) {
	var cases []decideCase
	for name, change := range map[string]func(*policy.Rules, *policy.Facts){
		"consent":        func(_ *policy.Rules, f *policy.Facts) { f.Person.ConsentsRead, f.Person.Consents = false, nil },
		"opt_out_review": func(_ *policy.Rules, f *policy.Facts) { f.Person.OptOutReview = true },
		"country":        func(_ *policy.Rules, f *policy.Facts) { f.Person.Country = "US" },
		"unreachable":    func(_ *policy.Rules, f *policy.Facts) { f.Person.Unreachable = true },
		"meta_cooldown":  func(_ *policy.Rules, f *policy.Facts) { f.Person.CooldownUntil = friday.Add(time.Hour) },
		"not_after":      func(_ *policy.Rules, f *policy.Facts) { f.Ask.NotAfter = friday },
		"window":         func(_ *policy.Rules, f *policy.Facts) { f.Now = friday.Add(20 * time.Hour) },
		"quiet_hours":    func(_ *policy.Rules, f *policy.Facts) { f.Ask.Window, f.Now = nil, friday.Add(5*time.Hour) },
		"frequency_cap":  func(r *policy.Rules, f *policy.Facts) { r.Caps[0].Max, f.Person.SendsRead = 0, false },
		"max_recipients": func(_ *policy.Rules, f *policy.Facts) { f.Message.Ahead = 60000 },
	} {
		cases = append(cases, decideCase{name + " does not hold", func(r *policy.Rules, f *policy.Facts) { change(r, f); f.Ask.Test = true }, yes})
	}
	for reason, change := range map[policy.Reason]func(*policy.Rules, *policy.Facts){
		policy.UnknownContact:      func(_ *policy.Rules, f *policy.Facts) { f.Person.Known = false },
		policy.NotInAudience:       func(_ *policy.Rules, f *policy.Facts) { f.Message.InAudience = false },
		policy.Erased:              func(_ *policy.Rules, f *policy.Facts) { f.Person.Erased = true },
		policy.InvalidNumber:       func(_ *policy.Rules, f *policy.Facts) { f.Person.InvalidNumber = true },
		policy.Suppressed:          stop(policy.ScopeAll),
		policy.NoTemplate:          func(_ *policy.Rules, f *policy.Facts) { f.Message.TemplateFound = false },
		policy.TemplateNotApproved: func(_ *policy.Rules, f *policy.Facts) { f.Message.TemplateStatus = "REJECTED" },
		policy.MissingParameter:    func(_ *policy.Rules, f *policy.Facts) { f.Message.MissingParameter = "name" },
	} {
		cases = append(cases, decideCase{string(reason) + " holds", func(r *policy.Rules, f *policy.Facts) { change(r, f); f.Ask.Test = true }, deny(reason, string(reason))})
	}
	checkDecisions(t, cases)
}

func checkDecisions(t *testing.T, cases []decideCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rules, facts := allowed()
			c.change(&rules, &facts)
			if diff := cmp.Diff(c.want, policy.Decide(rules, facts)); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
			checkExplained(t, rules, facts)
			rules.Locations = nil
			if diff := cmp.Diff(c.want, policy.Decide(rules, facts)); diff != "" {
				t.Errorf("decision without a memory of zones (-want +got):\n%s", diff)
			}
		})
	}
}

func TestZeroValuesRefuse(t *testing.T) {
	if (policy.Decision{}).Verdict != policy.Deny {
		t.Error("the zero Decision does not refuse")
	}
	if got := policy.Decide(policy.Rules{}, policy.Facts{}); got != deny(policy.UnknownContact, "unknown_contact") {
		t.Errorf("the zero Facts give %+v", got)
	}
	rules, facts := allowed()
	if got := policy.Decide(policy.Rules{}, facts); got.Verdict != policy.Deny {
		t.Errorf("the zero Rules give %+v", got)
	}
	for name, emptied := range map[string]policy.Facts{
		"no time":    {Ask: facts.Ask, Person: facts.Person, Message: facts.Message},
		"no ask":     {Now: facts.Now, Person: facts.Person, Message: facts.Message},
		"no person":  {Now: facts.Now, Ask: facts.Ask, Message: facts.Message},
		"no message": {Now: facts.Now, Ask: facts.Ask, Person: facts.Person},
		"a test run": {Ask: policy.Ask{Test: true}},
	} {
		if got := policy.Decide(rules, emptied); got.Verdict != policy.Deny || got.Reason == "" {
			t.Errorf("%s: %+v, want a refusal with a reason", name, got)
		}
	}
}

func TestDecideKeepsOffTheHeap(t *testing.T) {
	rules, facts := allowed()
	full, drawn := withHoldoutAndHolidays()
	if n := testing.AllocsPerRun(100, func() { policy.Decide(rules, facts); policy.Decide(full, drawn) }); n != 0 {
		t.Errorf("%v allocations for an allowed person, which is millions in a run", n)
	}
}

// withHoldoutAndHolidays is an allowed person where all that can be in force is.
func withHoldoutAndHolidays() (policy.Rules, policy.Facts) {
	rules, facts := allowed()
	rules.Lots, rules.UniversalHoldout, facts.Ask.Holdout, facts.Person.ID = lots, 1, 1, policy.PersonID{1}
	rules.Holidays = holidaysOf([]policy.ClosedDay{{Date: "2026-08-10", Name: "Chiusura"}}, "FR", "IT")
	return rules, facts
}

func BenchmarkDecide(b *testing.B) {
	rules, facts := allowed()
	quiet := facts
	quiet.Ask.Window, quiet.Now = nil, friday.Add(5*time.Hour)
	ambiguous := facts
	ambiguous.Person.Zone, ambiguous.Person.Zones = "", []string{"Europe/Rome", "Europe/Paris", "Europe/Berlin", "Europe/Madrid"}
	suppressed := facts
	suppressed.Person.SuppressionsRead = false
	changing := facts
	changing.Now, changing.Ask.FireAt, changing.Ask.NotAfter = at("2026-10-25T18:30:00+01:00"), at("2026-10-25T18:00:00+01:00"), time.Time{}
	changing.Person.Sends = nil
	full, drawn := withHoldoutAndHolidays()
	for _, c := range []struct {
		name  string
		rules policy.Rules
		facts policy.Facts
		want  policy.Verdict
	}{
		{"allowed", rules, facts, policy.Allow}, {"four zones", rules, ambiguous, policy.Allow}, {"clock change", rules, changing, policy.Allow},
		{"deferred", rules, quiet, policy.Defer}, {"suppressed", rules, suppressed, policy.Deny}, {"holdouts and holidays", full, drawn, policy.Allow},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := policy.Decide(c.rules, c.facts); got.Verdict != c.want {
					b.Fatalf("%+v", got)
				}
			}
		})
	}
}
