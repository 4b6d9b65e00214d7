package storetest

import (
	"slices"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// testLifts asks who may take back whose stop, and what a stop that holds no more does to a later run.
func testLifts(w *world) {
	now := time.Now().Truncate(time.Second)
	origins := []policy.Origin{policy.OriginKeyword, policy.OriginButton, policy.OriginPage, policy.OriginMetaStop, policy.OriginMeta1050, policy.OriginOperator, policy.OriginImport}
	for _, tt := range []struct {
		name  string
		act   policy.Act
		lifts func(policy.Origin) bool
	}{
		{"start", policy.Act{Kind: policy.ActStart, Scope: policy.ScopeAll, At: now.Add(time.Hour)}, policy.Origin.LiftedByPerson},
		{"start at the same time", policy.Act{Kind: policy.ActStart, Scope: policy.ScopeAll, At: now}, func(policy.Origin) bool { return false }},
		{"start from before", policy.Act{Kind: policy.ActStart, Scope: policy.ScopeAll, At: now.Add(-time.Hour)}, func(policy.Origin) bool { return false }},
		{"start of something else", policy.Act{Kind: policy.ActStart, Scope: policy.ScopeCategory("news"), At: now.Add(time.Hour)}, func(policy.Origin) bool { return false }},
		{"Meta's resume", policy.Act{Kind: policy.ActResume, Scope: policy.ScopeAll, At: now.Add(time.Hour)}, policy.Origin.LiftedByMeta},
	} {
		p := w.people(1)[0]
		for _, origin := range origins {
			switch origin {
			case policy.OriginOperator:
				_, err := w.store.Suppress(w.ctx, p.phone, policy.ScopeAll, "complaint", "operator")
				w.must(err)
			case policy.OriginImport:
				_, err := w.store.ImportSuppressions(w.ctx, []scheduler.SuppressionRecord{{Phone: p.phone, Scope: policy.ScopeAll, At: now, Source: "crm"}})
				w.must(err)
			default:
				w.act(policy.Act{Kind: policy.ActStop, Identity: policy.Identity{Phone: p.phone}, Scope: policy.ScopeAll, Origin: origin, At: now})
			}
		}
		tt.act.Identity.Phone = p.phone
		w.act(tt.act)
		stops := w.suppressed(p.phone)
		if len(stops) != len(origins) {
			w.Errorf("%s: %d stops, want one of each origin", tt.name, len(stops))
		}
		for _, s := range stops {
			if s.Active() == tt.lifts(s.Origin) {
				w.Errorf("%s: the stop by %s is active: %t", tt.name, s.Origin, s.Active())
			}
		}
	}

	// The person came back; the old stop, delivered again, closes nothing of a run since then. A new one does.
	p := w.people(1)[0]
	w.act(stop(p, policy.ScopeAll, now))
	w.act(policy.Act{Kind: policy.ActStart, Identity: policy.Identity{Phone: p.phone}, Scope: policy.ScopeAll, At: now.Add(time.Second)})
	l := w.launch("back", "offers", []person{p})
	if stopped := w.act(stop(p, policy.ScopeAll, now)); !slices.Contains(stopped, p.id) {
		w.Error("a stop that is heard again must be waited for again")
	}
	w.want(l.run.ID, sender.Queued, "", p)
	w.act(stop(p, policy.ScopeAll, now.Add(2*time.Second)))
	w.want(l.run.ID, sender.Skipped, policy.Suppressed, p)
	w.act(policy.Act{Kind: policy.ActStart, Identity: policy.Identity{Phone: p.phone}, Scope: policy.ScopeAll, At: now.Add(3 * time.Second)})
	if stops := w.suppressed(p.phone); len(stops) != 1 || stops[0].Active() {
		w.Errorf("after stop, start, stop and start: %+v", stops)
	}
}

// testStartOfAnother: a message that names two people by its identifiers stops both, and takes back only what the one said whose number
// it came from.
func testStartOfAnother(w *world) {
	p := w.people(2)
	said := func(kind policy.ActKind, who person, userID string, ago time.Duration) {
		w.act(policy.Act{Kind: kind, Identity: policy.Identity{Phone: who.phone, UserID: userID}, Scope: policy.ScopeAll, Origin: policy.OriginKeyword,
			At: time.Now().Add(-ago), MessageID: "wamid." + string(kind)})
	}
	active := func(after string, want ...bool) {
		w.Helper()
		for i, who := range p {
			for _, s := range w.suppressed(who.phone) {
				if s.Active() != want[i] {
					w.Errorf("%s: the stop of person %d is active: %t", after, i, s.Active())
				}
			}
		}
	}
	said(policy.ActStop, p[1], "IT.9100", time.Hour)
	said(policy.ActStop, p[0], "", time.Hour)
	active("two stops", true, true)
	said(policy.ActStart, p[0], "IT.9100", 30*time.Minute)
	active("a start from the number of one with the user id of the other", false, true)
	said(policy.ActStart, p[1], "IT.9100", 20*time.Minute)
	active("a start of the other", false, false)
	said(policy.ActStop, p[0], "IT.9100", 10*time.Minute)
	active("a stop of either", true, true)
}
