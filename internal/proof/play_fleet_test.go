package proof

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
)

// A lease lasts 5 s (docs/ARCHITECTURE.md, "The sender").
const leaseSpan = 5 * time.Second

// fleet are several workers on one database. Some may be dead or frozen.
type fleet struct {
	r       *rig
	houses  []*house // one for each worker
	workers []*process
	roles   []string
	cut     int // sessions of the database that were ended
}

// muster starts a worker in each of these houses.
func (r *rig) muster(houses []*house, roles ...string) *fleet {
	r.t.Helper()
	f := &fleet{r: r, houses: houses, roles: roles}
	for _, h := range houses {
		f.workers = append(f.workers, r.serve(h, roles...))
	}
	return f
}

// kill strikes a worker dead and starts it again.
func (f *fleet) kill(i int) {
	f.r.t.Helper()
	f.workers[i].kill()
	f.r.kills++
	f.workers[i] = f.r.serve(f.houses[i], f.roles...)
}

// restart ends a worker politely and starts it again.
func (f *fleet) restart(i int) {
	f.r.t.Helper()
	f.workers[i].stop()
	if code := f.workers[i].code; code != 0 {
		f.r.t.Errorf("serve ended with %d on SIGTERM: %s", code, f.workers[i].err.String())
	}
	f.workers[i] = f.r.serve(f.houses[i], f.roles...)
	f.r.takeovers++
}

// terminate ends up to n random sessions of the database, as an administrator or a failing pooler does.
func (f *fleet) terminate(n int) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	var ended int
	err := f.r.db.QueryRowContext(ctx, `SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'permesso' ORDER BY random() LIMIT $1) AS x`, n).Scan(&ended)
	f.r.must("ending sessions", err)
	f.cut += ended
}

// open reports how many runs are open.
func (r *rig) open() int {
	open, err := r.count("SELECT count(*) FROM runs WHERE state NOT IN ('done', 'cancelled', 'missed')")
	r.must("counting runs", err)
	return open
}

// untilSettled waits for the end of all runs as long as messages go out: what a dead worker left is taken up only when its lease
// ends, and a busy machine takes longer. A run that does not end is the audit's to find.
func (r *rig) untilSettled() {
	r.t.Helper()
	const stalls = 40 * time.Second
	before, since := r.posted(), time.Now()
	for r.open() > 0 && time.Since(since) < stalls {
		time.Sleep(100 * time.Millisecond)
		if now := r.posted(); now != before {
			before, since = now, time.Now()
		}
	}
	unknown, err := r.count("SELECT count(*) FROM deliveries WHERE state = 'unknown'")
	r.must("counting unknown messages", err)
	r.unknown = max(r.unknown, unknown)
}

// playFleet has two numbers sent by two workers, in the long form by two and then by four, while workers are killed and frozen
// and their sessions are ended; whoever takes stops and statuses is a process of its own.
func playFleet(t *testing.T, target string, seed uint64, soak length) {
	for _, workers := range map[length][]int{false: {2}, true: {2, 4}}[soak] {
		people := soak.of(700, 4000)
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
			on := target
			if workers != 2 {
				on = storetest.Beside(t, target)
			}
			r := newRig(t, "fleet", on, seed, settings{people: people, perSecond: 70, campaigns: []string{"one", "two"}, houses: 1 + workers, latency: 80 * time.Millisecond})
			r.player.Hold()
			r.serve(r.houses[0], "--only", "webhook")
			f := r.muster(r.houses[1:], "--only", "scheduler,sender")
			r.detach("one")
			r.detach("two")
			r.untilPosted(20)
			cold := max(0, r.holder(f.workers)) // for three times its lease, while the others are struck
			f.workers[cold].signal(syscall.SIGSTOP)
			thaw := time.Now().Add(3 * leaseSpan)
			for strike := 0; strike < soak.of(4, 30) && r.open() > 0; strike++ {
				r.pause(1500 * time.Millisecond)
				if strike%2 == 0 {
					f.kill((cold + 1 + r.draw(workers-1)) % workers)
				} else {
					f.terminate(1 + r.draw(6))
				}
				if strike == 1 {
					r.stopPlainly(r.unreached(10))
				}
			}
			time.Sleep(time.Until(thaw))
			f.workers[cold].signal(syscall.SIGCONT)
			r.takeovers++
			r.untilSettled()
			r.powered("kills", r.kills, 1)
			r.powered("sessions that were ended", f.cut, 2)
			r.powered("stops", r.stops, 10)
			r.law.MaxUnknown = 20 * r.kills // those that a kill kept from leaving stay so; that Meta had them is the audit's to find
			early := r.law
			early.Told = false
			r.audit(early)
			r.judge()
			t.Logf("fleet: %d workers, %d kills, %d sessions ended", workers, r.kills, f.cut)
		})
	}
}

// playRolling replaces two workers one after the other, again and again, as a deployment does, beside a process that takes the
// webhooks: nothing is unknown at any time, nothing is sent twice, and nobody is faster for it (F33).
func playRolling(t *testing.T, target string, seed uint64, soak length) {
	perSecond := soak.of(120, 200)
	people, restarts := soak.of(1500, 10_000), soak.of(6, 50)
	r := newRig(t, "rolling", target, seed, settings{people: people, perSecond: perSecond, latency: 60 * time.Millisecond, houses: 3})
	r.law.PerSecond = float64(perSecond)
	r.law.MaxUnknown = 0
	r.player.Hold()
	r.serve(r.houses[0], "--only", "webhook")
	f := r.muster(r.houses[1:], "--only", "scheduler,sender")
	r.detach("offer")
	for i := range restarts {
		r.untilPosted(min(people*9/10, (i+1)*people*8/10/restarts))
		f.restart(i % 2)
		unknown, err := r.count("SELECT count(*) FROM deliveries WHERE state = 'unknown'")
		r.must("counting", err)
		if unknown > 0 {
			t.Errorf("after restart %d of %d %d messages are unknown (seed %d)", i+1, restarts, unknown, seed)
		}
	}
	r.untilSettled()
	early := r.law
	early.Told = false
	r.audit(early)
	r.powered("restarts", r.takeovers, restarts)
	r.judge()
}
