package e2e

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/store/storetest"
)

const (
	onePerDay = "  caps: [{max: 1, per: 24h, kind: marketing}]\n  countries: {marketing: {deny: [US]}}\n"
	// membersFirst has had its message when weekend-offer comes.
	membersFirst = `
  - id: members-first
    category: offers
    template: weekend_offer
    languages: [it, en]
    audience: attributes.points >= 1000
    parameters:
      body: [{field: name, default: lettore}, {field: attributes.gift}, {text: "30 novembre"}]
      buttons: {0: {field: attributes.coupon}, 1: {payload: opt_out}}
`
)

// The main job: exactly the right people get exactly the right message, and everybody else has a reason.
func TestMainJob(t *testing.T) {
	t.Parallel()
	storetest.Bare(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 1000, policy: onePerDay, campaigns: weekendOffer + membersFirst})
		p := newPopulation(2000)
		h.importAll(p)
		h.importAgain(p)

		members, offers := map[string]string{}, map[string]string{} // person to reason
		for _, c := range p.people {
			who := personOf(c.phone)
			if c.member() {
				members[who] = c.refused()
			}
			if c.matched() {
				offers[who] = c.refused()
			}
			if c.member() && c.refused() == "" {
				offers[who] = "frequency_cap"
			}
		}
		h.plans("members-first", members)
		h.sends(p, "members-first", members)
		h.plans("weekend-offer", offers)
		h.explains(p, offers)
		h.sends(p, "weekend-offer", offers)

		for who, reason := range offers {
			if reason == "" {
				offers[who] = "frequency_cap"
			}
		}
		h.plans("weekend-offer", offers)
		h.sends(p, "weekend-offer", offers)
	})
}

func (h *house) importAll(p *population) {
	h.t.Helper()
	people := map[string]bool{}
	for _, c := range p.people {
		people[personOf(c.phone)] = true
	}
	contacts := h.imports("contacts", p.contacts, len(people))
	if contacts.Rejected != p.badContacts || contacts.Rows != len(p.contacts)-1 || contacts.Repeated != p.repeatedContacts {
		h.t.Errorf("contacts: %+v, want %d rows, %d rejected, %d repeated", contacts, len(p.contacts)-1, p.badContacts, p.repeatedContacts)
	}
	rejected, err := os.ReadFile(contacts.RejectedFile)
	if err != nil || strings.Count(string(rejected), "Nobody") != p.badContacts {
		h.t.Errorf("the file of rejected rows: %v\n%s", err, rejected)
	}
	if consents := h.imports("consent", p.consents, p.consentEvents); consents.Rejected != p.unproved {
		h.t.Errorf("consents: %+v, want %d rejected", consents, p.unproved)
	}
	if stops := h.imports("suppress", p.suppressions, p.stops); stops.Rejected != 0 {
		h.t.Errorf("suppressions: %+v, want none rejected", stops)
	}
}

// importAgain imports every file a second time, which changes nothing.
func (h *house) importAgain(p *population) {
	h.t.Helper()
	known := func() string {
		text := h.must("contacts", "export", "--json") + h.must("suppress", "list", "--all", "--json")
		for _, c := range p.people[:40] {
			stands := object[map[string]any](h, "consent", "show", c.phone)
			delete(stands, "at") // when it was asked for
			text += fmt.Sprint(stands)
		}
		return text
	}
	before := known()
	for _, verb := range []string{"contacts", "consent", "suppress"} {
		again := object[importResult](h, verb, "import", h.path(verb+".csv"))
		if again.Added != 0 || again.Changed != 0 || again.Unchanged == 0 {
			h.t.Errorf("importing %s again: %+v, want all unchanged", verb, again)
		}
	}
	if diff := cmp.Diff(before, known()); diff != "" {
		h.t.Errorf("importing again changed what is known (-before +after):\n%s", diff)
	}
}

// plans checks that the plan counts these people and reasons.
func (h *house) plans(campaign string, want map[string]string) {
	h.t.Helper()
	plan := object[struct {
		Matched, Allowed, Deferred, Holdout int
		Denied                              map[string]int
		Hash                                string
	}](h, "plan", campaign)
	denied := map[string]int{}
	for _, reason := range want {
		denied[reason]++
	}
	allowed := denied[""]
	delete(denied, "")
	if diff := cmp.Diff(denied, plan.Denied); diff != "" {
		h.t.Errorf("plan %s: denied (-want +got):\n%s", campaign, diff)
	}
	if plan.Matched != len(want) || plan.Allowed != allowed || plan.Deferred != 0 || plan.Holdout != 0 || plan.Hash == "" {
		h.t.Errorf("plan %s: %+v, want %d matched, %d allowed", campaign, plan, len(want), allowed)
	}
}

// sends runs the campaign and checks everybody's message and everybody's line of the log.
func (h *house) sends(p *population, campaign string, want map[string]string) {
	h.t.Helper()
	before := h.meta.count()
	summary := object[struct {
		Run     string
		States  map[string]int
		Reasons map[string]int
	}](h, "run", campaign)
	posts := h.meta.posts()[before:]
	got := takenOnce(h.t, posts)
	if len(posts) != len(got) {
		h.t.Errorf("%s: %d POSTs for %d messages taken", campaign, len(posts), len(got))
	}
	lines := h.log(summary.Run)
	callbacks := map[string]bool{}
	for _, c := range p.people {
		who := personOf(c.phone)
		reason, matched := want[who]
		line, logged := lines[who]
		message, sent := got[who]
		switch {
		case matched != logged:
			h.t.Errorf("%s: …%s: in the audience %v, in the log %v", campaign, who[len(who)-5:], matched, logged)
		case sent != (matched && reason == ""):
			h.t.Errorf("%s: …%s got a message: %v, want the reason %q", campaign, who[len(who)-5:], sent, reason)
		case sent:
			h.rightMessage(c, message)
			if callbacks[message.callback] || message.callback == "" || strings.Contains(message.callback, c.phone[3:]) {
				h.t.Errorf("callback %q is empty, personal or not the only one", message.callback)
			}
			callbacks[message.callback] = true
			if line.State != "accepted" || line.Reason != "" || line.WAMID != message.wamid || line.Attempts != 1 || line.Language != message.body.Template.Language.Code ||
				line.QueuedAt == nil || line.SendingAt == nil || line.AcceptedAt == nil || line.AcceptedAt.Before(*line.SendingAt) {
				h.t.Errorf("%s: …%s was taken as %s and is logged as %+v", campaign, who[len(who)-5:], message.wamid, line)
			}
		case matched:
			if line.State != "skipped" || line.Reason != reason || line.Attempts != 0 || line.Phone != c.phone {
				h.t.Errorf("%s: %s is logged as %+v, want skipped for %s", campaign, c.phone, line, reason)
			}
		}
	}
	if states := countBy(lines, stateOf); !maps.Equal(states, summary.States) {
		h.t.Errorf("%s: the summary counts %v, the log has %v", campaign, summary.States, states)
	}
	reasons := countBy(lines, reasonOf)
	delete(reasons, "")
	if !maps.Equal(reasons, summary.Reasons) {
		h.t.Errorf("%s: the summary counts %v, the log has %v", campaign, summary.Reasons, reasons)
	}
}

// rightMessage compares what was posted with what the person's own row asks for.
func (h *house) rightMessage(c citizen, p post) {
	h.t.Helper()
	language, want := c.expected()
	var got []string
	stop := ""
	for _, part := range p.body.Template.Components {
		for _, given := range part.Parameters {
			place := strings.ToLower(part.Type)
			if place == "button" {
				place += fmt.Sprintf(" %v %s", part.Index, part.SubType)
			}
			if given.Type == "payload" {
				stop += place + " " + given.Payload
				continue
			}
			got = append(got, place+" "+given.Text)
		}
	}
	squeeze := func(texts []string) []string {
		out := make([]string, len(texts))
		for i, text := range texts {
			out[i] = strings.Join(strings.Fields(text), " ")
		}
		return out
	}
	if !slices.Equal(squeeze(got), squeeze(want)) || p.body.Template.Language.Code != language || p.body.Template.Name != "weekend_offer" {
		h.t.Errorf("got %s in %s: %q\nwant %s: %q", p.body.Template.Name, p.body.Template.Language.Code, got, language, want)
	}
	if !strings.HasPrefix(stop, "button 1 quick_reply ") || strings.Count(stop, "button") != 1 {
		h.t.Errorf("the stop button is %q", stop)
	}
	if p.edge != "v25.0/"+numberID+"/messages" || p.to != c.phone {
		h.t.Errorf("posted at %s to %s, want %s", p.edge, p.to, c.phone)
	}
}

// explains asks about two people of each reason, somebody outside the audience and a stranger.
func (h *house) explains(p *population, want map[string]string) {
	h.t.Helper()
	type explained struct {
		Verdict, Reason string
		Rules           []struct{ Rule, Verdict, Reason, Because string }
	}
	check := func(phone, reason string) {
		h.t.Helper()
		e := object[explained](h, "explain", "weekend-offer", phone)
		verdict := "deny"
		if reason == "" {
			verdict = "allow"
		}
		if e.Verdict != verdict || e.Reason != reason || len(e.Rules) < 20 {
			h.t.Errorf("explain %s: %s %q, want %s %q", phone, e.Verdict, e.Reason, verdict, reason)
		}
		for _, rule := range e.Rules {
			if rule.Because == "" || strings.Contains(rule.Because, phone[1:]) {
				h.t.Errorf("explain: rule %s says %q", rule.Rule, rule.Because)
			}
		}
	}
	asked := map[string]int{}
	for _, c := range p.people {
		reason, matched := want[personOf(c.phone)]
		if !matched {
			reason = "not_in_audience"
		}
		if asked[reason]++; asked[reason] <= 2 {
			check(c.phone, reason)
		}
	}
	check("+393475555555", "unknown_contact")
	for _, reason := range []string{"", "suppressed", "no_consent", "consent_revoked", "consent_expired", "country", "missing_parameter", "frequency_cap", "not_in_audience"} {
		if asked[reason] == 0 {
			h.t.Errorf("nobody in the population has the reason %q", reason)
		}
	}
}
