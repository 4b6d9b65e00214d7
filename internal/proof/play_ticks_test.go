package proof

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// schedulers is how many look at every slot.
const schedulers = 8

// playTicks has eight schedulers wake at the same slots while their sessions are ended and whoever plans is frozen for three
// times its lease: each slot has exactly one run, with a row for each of its people (F12, F13). The slots are those of 40
// campaigns within four seconds; at length of 1,000 within 100.
func playTicks(t *testing.T, _ string, seed uint64, soak length) {
	target := newCluster(t).url // eight processes would leave too few connections to the tests beside this one
	want, span := soak.of(40, 1000), soak.of(4, 100)
	r := newRig(t, "ticks", target, seed, settings{people: 12, houses: schedulers})
	r.player.Hold()
	f := r.muster(r.houses, "--only", "scheduler")
	campaigns, first := f.appoint(want, span, time.Duration(soak.of(12, 40))*time.Second)
	planned := func() int {
		n, err := r.count("SELECT count(*) FROM runs WHERE planned_at IS NOT NULL AND campaign_id LIKE '" + campaigns + "%'")
		r.must("counting runs", err)
		return n
	}
	frozen, thaw := -1, time.Time{}
	for end := first.Add(time.Duration(span)*time.Second + 3*patience); time.Now().Before(end) && (planned() < want || time.Now().Before(thaw)); {
		if time.Now().Before(first) {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if frozen < 0 {
			if frozen = r.planner(f.workers); frozen >= 0 {
				f.workers[frozen].signal(syscall.SIGSTOP)
				thaw = time.Now().Add(3 * leaseSpan)
			}
		}
		if planned() < want {
			f.terminate(1 + r.draw(8))
		}
		r.pause(time.Duration(soak.of(150, 400)) * time.Millisecond)
	}
	if frozen >= 0 {
		before := r.digest()
		f.workers[frozen].signal(syscall.SIGCONT) // it goes on where it stood, and finds all done
		time.Sleep(3 * time.Second)
		if after := r.digest(); after != before {
			t.Errorf("the planner that was frozen for %s changed what others had done meanwhile (seed %d)", 3*leaseSpan, seed)
		}
	}
	r.powered("planners that were frozen", frozen+schedulers, schedulers)
	runs, err := r.count("SELECT count(*) FROM runs WHERE campaign_id LIKE '" + campaigns + "%'")
	r.must("counting runs", err)
	slots, err := r.count(`SELECT count(*) FROM (SELECT DISTINCT campaign_id, occurrence FROM runs WHERE state = 'running' AND planned_at IS NOT NULL
		AND campaign_id LIKE '` + campaigns + `%') AS x`)
	r.must("counting slots", err)
	if runs != want || slots != want {
		t.Errorf("%d slots have %d runs, of which %d stand for a slot of their own and are planned (seed %d)", want, runs, slots, seed)
	}
	r.powered("sessions that were ended", f.cut, 5)
	r.law.Done, r.law.Told = false, false
	v := r.audit(r.law)
	t.Logf("ticks, %s, seed %d: %d schedulers, %d slots, %d runs, %d rows of %d people, %d sessions ended, planner %d frozen",
		r.databaseName(), seed, schedulers, want, runs, want*len(r.everybody), v.People, f.cut, frozen)
}

// appoint gives all workers so many campaigns of one slot each, over so many seconds that begin some time from now, and returns how
// their ids begin and the first slot. Those who are to meet must all know of it by then: on a machine that is too busy for that it
// appoints others, later.
func (f *fleet) appoint(campaigns, span int, from time.Duration) (id string, first time.Time) {
	r := f.r
	r.t.Helper()
	for try := 1; ; try++ {
		id, first = fmt.Sprintf("tick-%d-", try), time.Now().Add(from).Truncate(time.Second)
		r.settings.more, r.law.Runs = "", map[string]int{}
		for i := range campaigns {
			campaign := fmt.Sprint(id, i)
			r.settings.more += fmt.Sprintf(`
  - id: %s
    category: offers
    template: weekend_offer
    languages: [it, en]
    number: %q
    schedule: {at: %q}
    parameters:
      body: [{field: name, default: lettore}, {text: "30 novembre"}]
      buttons: {0: {field: attributes.coupon}, 1: {payload: opt_out}}`, campaign, numberID, first.Add(time.Duration(i%span)*time.Second).Format(time.RFC3339))
			r.law.Audience[campaign], r.law.Runs[campaign] = len(r.everybody), 1
		}
		f.takeUp()
		if time.Until(first) > time.Second {
			return id, first
		}
		if from *= 2; try == 3 {
			r.t.Fatalf("ticks: %d schedulers do not take up a configuration within %s (seed %d)", len(f.workers), from, r.seed)
		}
	}
}

// takeUp writes everybody's configuration and waits until all have read it.
func (f *fleet) takeUp() {
	f.r.t.Helper()
	const word = "the configuration was read anew"
	before := make([]int, len(f.workers))
	for i, w := range f.workers {
		before[i] = strings.Count(w.err.String(), word)
		f.r.configure(f.houses[i])
		w.signal(syscall.SIGHUP)
	}
	for i, w := range f.workers {
		f.r.must("the configuration is taken up", eventually(2*patience, func() error {
			if strings.Count(w.err.String(), word) == before[i] {
				return fmt.Errorf("worker %d has not read it: %s", i, w.err.String())
			}
			return nil
		}))
	}
}

// digest is one text for all that stands of runs and rows.
func (r *rig) digest() (text string) {
	r.t.Helper()
	r.must("reading runs and rows", r.db.QueryRow(`SELECT
		(SELECT md5(string_agg(concat_ws('|', run_id, state, plan, planned_at, config_hash), ',' ORDER BY run_id)) FROM runs) ||
		(SELECT md5(string_agg(concat_ws('|', run_id, person_id, state, reason, queued_at, due_at, changed_at), ',' ORDER BY run_id, person_id)) FROM deliveries)`).Scan(&text))
	return text
}

// planner is which of the workers plans the runs of schedules, -1 when none does.
func (r *rig) planner(workers []*process) int {
	return r.holderOf("plan:schedules", workers)
}
