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
func playTicks(t *testing.T, target string, seed uint64, soak length) {
	want, span := soak.of(40, 1000), soak.of(4, 100)
	r := newRig(t, "ticks", target, seed, settings{people: 12, houses: schedulers})
	r.player.Hold()
	f := r.muster(r.houses, "--only", "scheduler")
	// Those who are to wake at the slots must all know of them before the first.
	first := time.Now().Add(time.Duration(soak.of(12, 40)) * time.Second).Truncate(time.Second)
	var more strings.Builder
	r.law.Runs = map[string]int{}
	for i := range want {
		fmt.Fprintf(&more, `
  - id: tick-%d
    category: offers
    template: weekend_offer
    languages: [it, en]
    number: %q
    schedule: {at: %q}
    parameters:
      body: [{field: name, default: lettore}, {text: "30 novembre"}]
      buttons: {0: {field: attributes.coupon}, 1: {payload: opt_out}}`, i, numberID, first.Add(time.Duration(i%span)*time.Second).Format(time.RFC3339))
		r.law.Audience[fmt.Sprintf("tick-%d", i)] = len(r.everybody)
		r.law.Runs[fmt.Sprintf("tick-%d", i)] = 1
	}
	r.settings.more = more.String()
	for i, h := range r.houses {
		r.configure(h)
		f.workers[i].signal(syscall.SIGHUP)
	}
	for i, w := range f.workers {
		r.must("the schedules are taken up", eventually(2*patience, func() error {
			if !strings.Contains(w.err.String(), "the configuration was read anew") {
				return fmt.Errorf("scheduler %d has not read them: %s", i, w.err.String())
			}
			return nil
		}))
	}
	planned := func() int {
		n, err := r.count("SELECT count(*) FROM runs WHERE planned_at IS NOT NULL")
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
	runs, err := r.count("SELECT count(*) FROM runs")
	r.must("counting runs", err)
	slots, err := r.count("SELECT count(*) FROM (SELECT DISTINCT campaign_id, occurrence FROM runs WHERE state = 'running' AND planned_at IS NOT NULL) AS x")
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
