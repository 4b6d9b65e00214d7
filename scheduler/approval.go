package scheduler

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/permesso/permesso/templates"
)

// Approval is what a second person is asked to approve, and, with By, who did. The zero Approval asks for nothing.
type Approval struct {
	Hash   string `json:"hash"`   // the plan's
	People int    `json:"people"` // who would get it
	// Configured and Templates name the campaign as config.yaml had it, and its template as Meta did.
	Configured string `json:"configured"`
	Templates  string `json:"templates"`
	// Closes is when the last window among these people ends; zero when the campaign has no window.
	Closes time.Time `json:"closes,omitzero"`

	By string    `json:"by,omitempty"`
	At time.Time `json:"at,omitzero"`
}

// driftPercent is how far the number of people may move under an approval, rounded up to a whole person: people come, go and
// opt out while a run waits, and that alone is no other run.
const driftPercent = 5

// approvable reports whether the run could have to wait for a second person.
func (r Run) approvable() bool { return !r.Test && r.Frozen.ApproveAbove != nil }

// Hold says why the run has to wait for a second person before a row of it is written, as it is counted now; "" lets it go on.
func (r Run) Hold(now Approval) string {
	switch {
	case !r.approvable():
		return ""
	case r.Approval.By != "":
		if drift := r.Approval.Drift(now); drift != "" {
			return fmt.Sprintf("%s approved it, and it is no longer what was approved: %s", r.Approval.By, drift)
		}
		return ""
	case now.People <= *r.Frozen.ApproveAbove:
		return ""
	}
	return fmt.Sprintf("it waits for a second person: %d people would get it, and above %d somebody else has to approve", now.People, *r.Frozen.ApproveAbove)
}

// Drift says how what is there now differs from what is approved, "" when it is the same within the tolerance: a change of
// the campaign, of the rules that hold for it, or of its template always counts, the number of people beyond 5 %.
func (a Approval) Drift(now Approval) string {
	moved := now.People - a.People
	switch {
	case now.Configured == "":
		return "the campaign is not configured any more"
	case now.Configured != a.Configured:
		return "the campaign, or a rule that holds for it, was changed in config.yaml"
	case now.Templates == "" || now.Templates != a.Templates:
		return "its template was changed"
	case max(moved, -moved) > (a.People*driftPercent+99)/100:
		return fmt.Sprintf("it was for %d people and is for %d now", a.People, now.People)
	}
	return ""
}

// Lapsed says why a run that waits for approval has waited too long, "" while it has not: all of its people's windows are over, or
// its not_after is past; without a window, a slot is as late as catch_up_within allows. A run by hand without either waits on.
func (r Run) Lapsed(now time.Time) string {
	if r.State != Waiting {
		return ""
	}
	c := r.Frozen.Campaign
	over := func(end time.Time) bool { return !end.IsZero() && !now.Before(end) }
	switch {
	case over(c.NotAfter):
		return fmt.Sprintf("nobody approved it before its not_after, %s", stamp(c.NotAfter))
	case c.Window != nil:
		end := r.Approval.Closes
		if end.IsZero() {
			end = r.FireAt.Add(25 * time.Hour) // nobody is left in it, and no window of any zone lasts longer, DST days included
		}
		if over(end) {
			return fmt.Sprintf("nobody approved it before the last of its windows ended, %s", stamp(end))
		}
	case !r.Manual && c.Schedule != nil:
		if end := r.FireAt.Add(max(Grace, c.Schedule.CatchUpWithin)); over(end) {
			return fmt.Sprintf("nobody approved it within catch_up_within, by %s", stamp(end))
		}
	}
	return ""
}

// Ask is what a second person would approve of the plan. configured is the hash of the campaign as it is configured now.
func (d *Draft) Ask(plan Plan, configured string) Approval {
	return Approval{
		Hash: plan.Hash, People: plan.Allowed + plan.Deferred, Configured: configured, Closes: d.closes,
		Templates: templatesHash(d.catalogue, d.Run.Frozen.Campaign.Message),
	}
}

// templatesHash names the message's template in all of its languages, as Meta listed it last.
func templatesHash(catalogue templates.Catalogue, message templates.Message) string {
	sum := sha256.New()
	out := json.NewEncoder(sum)
	for _, language := range message.Languages {
		template, _ := catalogue.Find(message.Template, language)
		if err := out.Encode(template); err != nil {
			return "" // a template is texts and lists of texts: it can always be written, and "" is approved of nobody
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}
