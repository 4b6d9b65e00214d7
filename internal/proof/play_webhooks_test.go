package proof

import (
	"strings"
	"testing"
	"time"
)

// endings are all of the sandbox's special people whose message is taken and reported, in every order that it plays.
var endings = []string{
	"130472", "130497", "131000", "131026", "131049", "990106", "990001", "990002", "990003", "990004", "990005", "990006", "990008", "990015",
	"990008", "990008", "990008", "990008", "131026", "131026", "131026", "131026",
}

// playDisorder brings each status up to five times, late, lost and sent again, in any order and at once, on PostgreSQL to two
// receivers (F4, F5), before the answer to the POST is recorded too (F7).
func playDisorder(t *testing.T, target string, seed uint64, soak length) {
	houses := 1
	if strings.HasPrefix(target, "postgres") {
		houses = 2
	}
	r := newRig(t, "disorder", target, seed, settings{people: soak.of(170, 3000), special: endings, houses: houses})
	r.player.Set(Disorder{Copies: 5, Delay: 400 * time.Millisecond, Lose: 0.1, Split: 3})
	r.serve(r.houses[0])
	if houses == 2 {
		r.serve(r.houses[1], "--only", "webhook")
		r.player.Hear("http://"+r.houses[0].webhook+"/webhook", "http://"+r.houses[1].webhook+"/webhook")
	}
	r.meta.Set(Faults{Delay: 60 * time.Millisecond}) // so that statuses overtake answers
	r.detach("offer")
	r.untilOver()
	r.judge()
	_, acks, err := r.player.Idle()
	r.must("the book", err)
	r.powered("bodies that were taken", acks, 2*len(r.everybody))
	ahead, err := r.count("SELECT count(*) FROM deliveries WHERE state = 'read' AND sent_at IS NOT NULL AND delivered_at IS NOT NULL")
	r.must("counting", err)
	r.powered("messages with every status", ahead, len(r.everybody)/2)
}

// playPlanning stops people while their runs are planned: whoever was judged before the stop, and written after it, is the gate's
// to refuse.
func playPlanning(t *testing.T, target string, seed uint64, soak length) {
	r := newRig(t, "planning", target, seed, settings{people: soak.of(2400, 8000), perSecond: 1500, latency: time.Millisecond})
	r.serve(r.houses[0])
	stopping := r.unreached(soak.of(200, 900))
	said := make(chan struct{})
	go func() {
		defer close(said)
		r.stopPlainly(stopping)
	}()
	r.pause(50 * time.Millisecond)
	r.detach("offer")
	<-said
	r.untilOver()
	behind, err := r.count("SELECT count(*) FROM deliveries WHERE state = 'skipped' AND reason = 'suppressed'")
	r.must("counting", err)
	r.powered("people who were stopped before their message", behind, len(stopping)/10)
	r.judge()
}

// playConsents revokes consents while a run goes on: the gate sees the last word (promise 3).
func playConsents(t *testing.T, target string, seed uint64, soak length) {
	r := newRig(t, "consents", target, seed, settings{people: soak.of(500, 4000), perSecond: 100})
	r.serve(r.houses[0])
	r.detach("offer")
	r.untilPosted(60)
	rows := [][]string{{"phone", "category", "action", "at", "source", "wording"}}
	for _, phone := range r.unreached(soak.of(200, 1500)) {
		rows = append(rows, []string{phone, "offers", "revoked", time.Now().UTC().Format(time.RFC3339), "phone_call", ""})
	}
	r.verb("consent", "import", r.file("revoked.csv", rows))
	r.law.RevokedBy = time.Now().UnixMicro()
	r.untilOver()
	refused, err := r.count("SELECT count(*) FROM deliveries WHERE reason = 'consent_revoked'")
	r.must("counting", err)
	r.powered("people whose consent was gone", refused, 50)
	r.judge()
}
