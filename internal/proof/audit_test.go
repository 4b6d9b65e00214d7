package proof

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// The people of the hand-made evidence: one was reached, one stopped before, one is unknown.
const (
	ann, ben, cid = "0a", "0b", "0c"
	annPhone      = "+393471000001"
	benPhone      = "+5531987654321"
	cidPhone      = "+393471000003"
	callbackOf    = "1:instance:"
)

const second = int64(1_000_000)

func status(callback, what string, at int64) Ack {
	body := fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"statuses":[
		{"id":"w","status":%q,"biz_opaque_callback_data":%q}]}}]}]}`, what, callback)
	return Ack{At: at, SHA256: hash([]byte(body)), Body: []byte(body)}
}

// good is evidence of a run in which all went as it must.
func good() (Evidence, Law) {
	e := Evidence{
		Posts: []Post{
			{Begin: 11 * second, Decided: 11*second + 5, Number: "111", To: annPhone, Callback: callbackOf + "a1", HTTP: 200, WAMID: "wamid.ann"},
			{Begin: 12 * second, Decided: 12*second + 5, Number: "111", To: cidPhone, Callback: callbackOf + "c1", HTTP: 502},
		},
		Acks: []Ack{
			status(callbackOf+"a1", "delivered", 13*second), status(callbackOf+"a1", "sent", 14*second), status(callbackOf+"a1", "sent", 15*second),
			{At: 10 * second, Stop: &Stop{"+553187654321", "all"}, Body: []byte(`{}`)},
		},
		Runs: []Run{{"run-1", "offer", "done", "111", "offers", "marketing"}},
		Rows: []Row{
			{Run: "run-1", Person: ann, State: "delivered", Attempt: "a1", WAMID: "wamid.ann", Attempts: 1, Sending: 11 * second, Accepted: 11 * second, Sent: 11 * second, Delivered: 12 * second},
			{Run: "run-1", Person: ben, State: "skipped", Reason: "suppressed"},
			{Run: "run-1", Person: cid, State: "unknown", Attempt: "c1", Attempts: 1, Sending: 12 * second},
		},
		Consents: []Consent{
			{ann, "offers", "granted", 1, second}, {ben, "offers", "granted", 1, second}, {cid, "offers", "granted", 1, second},
		},
		Suppressions: []Suppression{{"+5531987654321", "all", 10 * second, 0}},
		Names:        []Name{{ann, "phone", annPhone}, {ben, "phone", benPhone}, {cid, "phone", cidPhone}},
		Strikes:      map[string]int{},
	}
	return e, Law{Audience: map[string]int{"offer": 3}, Caps: []Limit{{1, 24 * time.Hour}}, PerSecond: 10, MaxUnknown: 1, Done: true, Told: true}
}

func TestGoodEvidence(t *testing.T) {
	t.Parallel()
	e, law := good()
	v := e.Audit(law)
	if len(v.Findings) > 0 || v.People != 3 || v.Posts != 2 || v.Unknown != 1 || v.Acks != 4 {
		t.Errorf("%+v", v)
	}
}

// The auditor can fail: each breach is found, under its name.
func TestEveryInvariantBites(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		want  Invariant
		spoil func(*Evidence, *Law)
	}{
		"posted twice": {Once, func(e *Evidence, _ *Law) { e.Posts = append(e.Posts, e.Posts[0]) }},
		"an attempt overwritten by another": {Once, func(e *Evidence, law *Law) {
			law.Caps = nil
			p := e.Posts[0]
			p.Callback, p.Begin, p.WAMID = callbackOf+"a0", p.Begin-second, "wamid.before"
			e.Posts = append(e.Posts, p)
		}},
		"an unclear attempt tried again": {Once, func(e *Evidence, law *Law) {
			law.Caps = nil
			p := e.Posts[1]
			p.Callback = callbackOf + "c0"
			e.Posts = append(e.Posts, p)
		}},
		"taken, and no row": {OnRecord, func(e *Evidence, _ *Law) {
			e.Rows[0], e.Acks = Row{Run: "run-1", Person: ann, State: "skipped", Reason: "no_consent"}, e.Acks[3:]
		}},
		"after the stop":           {AfterStop, func(e *Evidence, _ *Law) { stopped(e, annPhone, "all", 11*second-1) }},
		"after the stop of a kind": {AfterStop, func(e *Evidence, _ *Law) { stopped(e, annPhone, "kind:marketing", second) }},
		"after the stop of a category": {AfterStop, func(e *Evidence, _ *Law) {
			stopped(e, annPhone, "category:offers", second)
		}},
		"a refused POST after the stop": {AfterStop, func(e *Evidence, _ *Law) {
			e.Posts = append(e.Posts, Post{Begin: 20 * second, Number: "111", To: "+553187654321", Callback: callbackOf + "b1", HTTP: 400, Code: 131000})
		}},
		"a stop that is nowhere":     {StopKept, func(e *Evidence, _ *Law) { e.Suppressions = nil; e.Rows[1].Reason = "no_consent" }},
		"a stop that was narrowed":   {StopKept, func(e *Evidence, _ *Law) { e.Suppressions[0].Scope = "category:offers" }},
		"a stop that was lifted":     {StopKept, func(e *Evidence, _ *Law) { e.Suppressions[0].Lifted = 11 * second }},
		"a stop of somebody unknown": {StopKept, func(e *Evidence, _ *Law) { stopped(e, "+393479999999", "all", second) }},
		"no such state":              {State, func(e *Evidence, _ *Law) { e.Rows[1].State = "asleep" }},
		"refused for no reason":      {State, func(e *Evidence, _ *Law) { e.Rows[1].Reason = "" }},
		"refused for another reason": {State, func(e *Evidence, _ *Law) { e.Rows[1].Reason = "bored" }},
		"delivered, with a reason":   {State, func(e *Evidence, _ *Law) { e.Rows[0].Reason = "window" }},
		"unknown without an attempt": {State, func(e *Evidence, _ *Law) { e.Rows[2].Attempts = 0 }},
		"delivered, never accepted":  {State, func(e *Evidence, _ *Law) { e.Rows[0].Accepted = 0 }},
		"two in a day":               {Cap, func(e *Evidence, _ *Law) { secondRun(e, "delivered", 3600*second) }},
		"one and one unknown":        {Cap, func(e *Evidence, law *Law) { secondRun(e, "unknown", 3600*second); law.MaxUnknown = 2 }},
		"no consent":                 {Consented, func(e *Evidence, _ *Law) { e.Consents = e.Consents[1:] }},
		"consent for something else": {Consented, func(e *Evidence, _ *Law) { e.Consents[0].Category = "orders" }},
		"consent revoked": {Consented, func(e *Evidence, _ *Law) {
			e.Consents = append(e.Consents, Consent{ann, "offers", "revoked", 2, 2 * second})
		}},
		"consent given afterwards": {Consented, func(e *Evidence, _ *Law) { e.Consents[0].Recorded = 12 * second }},
		"an echo that settled nothing": {Settled, func(e *Evidence, law *Law) {
			e.Acks, law.Told = append(e.Acks, status(callbackOf+"c1", "sent", 20*second)), false
		}},
		"taken, and unknown for good": {Settled, func(e *Evidence, _ *Law) { e.Posts[1].WAMID = "wamid.cid" }},
		"taken, and queued": {Settled, func(e *Evidence, law *Law) {
			e.Rows[0].State, e.Runs[0].State, law.Done = "queued", "running", false
		}},
		"the last word won":    {Lattice, func(e *Evidence, _ *Law) { e.Rows[0].State = "sent" }},
		"more than was said":   {Lattice, func(e *Evidence, _ *Law) { e.Rows[0].State = "read" }},
		"a time that is lost":  {Lattice, func(e *Evidence, _ *Law) { e.Rows[0].Sent = 0 }},
		"accepted by nobody":   {Lattice, func(e *Evidence, _ *Law) { e.Rows[2].State, e.Rows[2].Accepted = "accepted", second }},
		"another message's id": {Lattice, func(e *Evidence, _ *Law) { e.Rows[0].WAMID = "wamid.other" }},
		"a slot without a run": {OneRun, func(_ *Evidence, law *Law) { law.Runs = map[string]int{"another": 1} }},
		"a slot with two runs": {OneRun, func(e *Evidence, law *Law) {
			law.Runs = map[string]int{e.Runs[0].Campaign: 1}
			again := e.Runs[0]
			again.ID = "run-1-again"
			e.Runs = append(e.Runs, again)
			for _, row := range slices.Clone(e.Rows) {
				if row.Run == "run-1" {
					e.Rows = append(e.Rows, Row{Run: again.ID, Person: row.Person, State: "skipped", Reason: "no_consent"})
				}
			}
		}},
		"a slot that was missed": {OneRun, func(e *Evidence, law *Law) {
			law.Runs = map[string]int{e.Runs[0].Campaign: 2}
			e.Runs = append(e.Runs, Run{ID: "run-late", Campaign: e.Runs[0].Campaign, State: "missed"})
			law.Audience, law.Done = nil, false
		}},
		"a person without a row": {NoneLost, func(e *Evidence, _ *Law) { e.Rows = slices.Delete(e.Rows, 1, 2) }},
		"left behind":            {NoneLost, func(e *Evidence, _ *Law) { e.Rows[1].State, e.Rows[1].Reason = "queued", "" }},
		"a run without an end":   {NoneLost, func(e *Evidence, _ *Law) { e.Runs[0].State = "running" }},
		"suppressed by nobody": {NoneLost, func(e *Evidence, _ *Law) {
			e.Rows[2], e.Posts = Row{Run: "run-1", Person: cid, State: "skipped", Reason: "suppressed"}, e.Posts[:1]
		}},
		"too many unknown": {Unknown, func(_ *Evidence, law *Law) { law.MaxUnknown = 0 }},
		"too fast": {Pace, func(e *Evidence, _ *Law) {
			for i := range int64(20) {
				e.Posts = append(e.Posts, Post{Begin: 30*second + i, Number: "111", Code: 130429})
			}
		}},
		"counted twice": {Counted, func(e *Evidence, _ *Law) { e.Strikes[ann] = 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, law := good()
			tt.spoil(&e, &law)
			v := e.Audit(law)
			if v.of(tt.want) == 0 {
				t.Errorf("%s is not among %+v", tt.want, v.Findings)
			}
			for _, f := range v.Findings {
				if f.Invariant != tt.want {
					t.Errorf("another invariant was broken: %+v", f)
				}
			}
		})
	}
}

func stopped(e *Evidence, phone, scope string, at int64) {
	e.Acks = append(e.Acks, Ack{At: at, Stop: &Stop{phone, scope}, Body: []byte(`{}`)})
	for _, n := range e.Names {
		if personOf(n.Value) == personOf(phone) {
			e.Suppressions = append(e.Suppressions, Suppression{n.Value, scope, at, 0})
		}
	}
}

// secondRun gives ann another message, so much later.
func secondRun(e *Evidence, state string, later int64) {
	e.Runs = append(e.Runs, Run{"run-2", "other", "done", "222", "offers", "marketing"})
	r := e.Rows[0]
	r.Run, r.State, r.Attempt, r.WAMID, r.Sending = "run-2", state, "a2", "", r.Sending+later
	if state == "unknown" {
		r.Accepted, r.Sent, r.Delivered = 0, 0, 0
	} else {
		e.Posts = append(e.Posts, Post{Begin: r.Sending, Number: "222", To: annPhone, Callback: callbackOf + "a2", HTTP: 200, WAMID: "wamid.again"})
		e.Acks = append(e.Acks, status(callbackOf+"a2", "sent", r.Sending), status(callbackOf+"a2", "delivered", r.Sending))
	}
	e.Rows = append(e.Rows, r)
}

// What nobody can be blamed for is no finding.
func TestWhatIsNoBreach(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Evidence, *Law){
		"a message a day later": func(e *Evidence, _ *Law) { secondRun(e, "delivered", 24*3600*second) },
		"a stop afterwards":     func(e *Evidence, _ *Law) { stopped(e, annPhone, "all", 11*second) },
		"a stop of another category": func(e *Evidence, _ *Law) {
			stopped(e, annPhone, "category:orders", second)
		},
		"a retry of what Meta refused": func(e *Evidence, _ *Law) {
			e.Posts = append(e.Posts, Post{Begin: 9 * second, Number: "111", To: annPhone, Callback: callbackOf + "a0", HTTP: 400, Code: 130429})
		},
		"an unknown message whose echo is on its way": func(e *Evidence, law *Law) { e.Posts[1].WAMID, law.Told = "wamid.cid", false },
		"a message that was refused for the moment": func(e *Evidence, law *Law) {
			e.Posts[0].Code, e.Posts[0].WAMID = 130429, ""
			e.Rows[0] = Row{Run: "run-1", Person: ann, State: "queued", Attempt: "a1"}
			e.Acks, e.Runs[0].State, law.Done = e.Acks[3:], "running", false
		},
		"a message that left while the evidence was read": func(e *Evidence, law *Law) {
			e.At, law.MaxUnknown = 11*second-1, 1
			e.Rows[0] = Row{Run: "run-1", Person: ann, State: "sending", Attempt: "a1", Attempts: 1, Sending: 11*second - 2}
			e.Acks, e.Runs[0].State, law.Done, law.Caps = e.Acks[3:], "running", false, nil
		},
		"a message while the revocation was on its way": func(e *Evidence, law *Law) {
			e.Consents, law.RevokedBy = append(e.Consents, Consent{ann, "offers", "revoked", 2, 11*second - 1000}), 11*second
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, law := good()
			change(&e, &law)
			if v := e.Audit(law); len(v.Findings) > 0 {
				t.Errorf("%+v", v.Findings)
			}
		})
	}
}

// A torn last line was never on record; a line that is no JSON is an error and not an absence.
func TestLines(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		want int
		fine bool
	}{
		"whole":  {"{\"to\":\"+391\",\"begin\":5}\n{\"to\":\"+392\"}\n", 2, true},
		"torn":   {"{\"to\":\"+391\"}\n{\"to\":\"+3", 1, true},
		"empty":  {"", 0, true},
		"broken": {"{\"to\":\"+391\"}\nnonsense\n", 0, false},
	} {
		path := filepath.Join(t.TempDir(), "ledger")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := lines[Post](path)
		if len(got) != tt.want || (err == nil) != tt.fine {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := lines[Post](filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a ledger that is not there is no empty ledger")
	}
}
