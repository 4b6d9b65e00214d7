package proof

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// playCap plans three campaigns for the same people, each without knowing of the others, and lets their messages meet at the
// gates of two numbers, on PostgreSQL in two processes, with answers lost on the way (F30).
func playCap(t *testing.T, target string, seed uint64, soak length) {
	houses := 1
	if strings.HasPrefix(target, "postgres") {
		houses = 2
	}
	campaigns := []string{"one", "two", "three"}
	r := newRig(t, "cap", target, seed, settings{
		people: soak.of(260, 2000), perSecond: 150, campaigns: campaigns, houses: houses, policy: "{caps: [{max: 1, per: 24h, kind: marketing}]}",
	})
	r.law.Caps = []Limit{{1, 24 * time.Hour}}
	r.player.Hold()
	planner := r.serve(r.houses[0], "--only", "scheduler")
	for _, campaign := range campaigns {
		run := r.detach(campaign)
		r.must("it is planned", eventually(patience, func() error {
			planned, err := r.count("SELECT count(*) FROM runs WHERE planned_at IS NOT NULL AND run_id = '" + run + "'")
			if err == nil && planned == 0 {
				err = fmt.Errorf("%s is not", campaign)
			}
			return err
		}))
	}
	planner.stop()
	r.meta.Set(Faults{DropAnswer: 0.05})
	for i := range houses {
		r.serve(r.houses[i])
	}
	r.untilOver()
	lost := r.meta.Counts().Dropped
	capped, err := r.count("SELECT count(*) FROM deliveries WHERE reason = 'frequency_cap'")
	r.must("counting", err)
	r.powered("answers that were lost", lost, 3)
	r.powered("people whom the cap kept from a second message", capped, len(r.everybody))
	r.law.MaxUnknown = lost
	early := r.law
	early.Told = false
	r.audit(early)
	r.law.MaxUnknown = 0
	r.judge()
}

// playFreeze stops a sender for longer than its lease lasts, and lets it go on when another has taken over (F13).
func playFreeze(t *testing.T, target string, seed uint64, soak length) {
	r := newRig(t, "freeze", target, seed, settings{people: soak.of(700, 6000), perSecond: 100, houses: 2})
	r.player.Hold()
	workers := [2]*process{}
	for i := range workers {
		workers[i] = r.serve(r.houses[i])
	}
	r.detach("offer")
	r.untilPosted(40)
	for range soak.of(1, 5) {
		frozen := -1
		r.must("a worker holds the lease", eventually(patience, func() error {
			if frozen = r.holder(workers[:]); frozen < 0 {
				return errors.New("none does")
			}
			return nil
		}))
		before := r.posted()
		workers[frozen].signal(syscall.SIGSTOP)
		// The lease's five seconds, the other's look for it, and time to go on from where this one stands. Frozen inside a transaction
		// it keeps its locks until the server ends the session, after a minute.
		err := eventually(stuck, func() error {
			if h := r.holder(workers[:]); h == frozen || r.posted() < before+60 {
				return fmt.Errorf("worker %d holds the lease, %d posted since", h, r.posted()-before)
			}
			return nil
		})
		workers[frozen].signal(syscall.SIGCONT)
		if err == nil {
			r.takeovers++
		} else {
			t.Logf("no takeover: %v", err)
		}
		r.pause(time.Second)
	}
	r.untilOver()
	r.powered("takeovers", r.takeovers, 1)
	r.law.MaxUnknown = 0 // whoever comes back knows what became of its own messages
	early := r.law
	early.Told = false
	r.audit(early)
	r.judge()
}

// holder is which of the workers sends for the first number, -1 when none does.
func (r *rig) holder(workers []*process) int { return r.holderOf(numberID, workers) }

func (r *rig) holderOf(lease string, workers []*process) int {
	var held string
	if r.db.QueryRow("SELECT holder FROM leases WHERE number_id = $1 AND until > $2", lease, time.Now().UnixMicro()).Scan(&held) != nil {
		return -1
	}
	return slices.IndexFunc(workers, func(p *process) bool {
		return slices.Contains(strings.Split(held, "-"), strconv.Itoa(p.cmd.Process.Pid))
	})
}

// playRestarts ends serve politely in the middle of its work, again and again: nothing is lost on the way, and what begins
// after it is not faster than what was before (F33).
func playRestarts(t *testing.T, target string, seed uint64, soak length) {
	const perSecond = 60
	r := newRig(t, "restarts", target, seed, settings{people: soak.of(360, 5000), perSecond: perSecond, latency: 60 * time.Millisecond})
	r.player.Hold()
	r.law.PerSecond = perSecond
	r.law.MaxUnknown = 0
	p := r.serve(r.houses[0])
	r.detach("offer")
	restarts := soak.of(4, 50)
	for range restarts {
		r.untilPosted(min(r.settings.people*3/4, r.posted()+1+r.draw(r.settings.people/restarts)))
		r.pause(50 * time.Millisecond)
		p.stop()
		p = r.serve(r.houses[0])
		r.takeovers++
	}
	r.untilOver()
	early := r.law
	early.Told = false
	r.audit(early)
	r.powered("restarts", r.takeovers, restarts)
	r.judge()
}
