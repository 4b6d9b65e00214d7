package proof

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// playChaos lets everything go wrong at once: two campaigns over two numbers, on PostgreSQL in two processes, which are killed, stopped,
// frozen and cut off from the database in turn, while answers are lost, webhooks come in disorder, and people stop.
func playChaos(t *testing.T, target string, seed uint64, soak length) {
	server := strings.HasPrefix(target, "postgres")
	houses, receivers := 1, []string{}
	if server {
		houses = 2
	}
	r := newRig(t, "chaos", target, seed, settings{people: soak.of(420, 5000), perSecond: 70, campaigns: []string{"one", "two"}, houses: houses})
	for _, h := range r.houses {
		receivers = append(receivers, "http://"+h.webhook+"/webhook")
	}
	r.player.Hear(receivers...)
	r.player.Set(Disorder{Copies: 3, Delay: 300 * time.Millisecond, Lose: 0.1, Split: 4})
	workers := make([]*process, houses)
	for i, h := range r.houses {
		workers[i] = r.serve(h)
	}
	r.detach("one")
	r.detach("two")
	r.meta.Set(Faults{DropAnswer: 0.01, Cut: 0.005, Delay: 20 * time.Millisecond})
	blows := map[string]int{}
	for step := range soak.of(7, 60) {
		which := r.draw(houses)
		blow := []string{"kill", "stop", "freeze", "restart", "cut", "stop"}[step%6]
		if server && step%6 == 4 {
			blow = "terminate"
		}
		blows[blow]++
		switch blow {
		case "kill":
			workers[which].kill()
			r.kills++
			workers[which] = r.serve(r.houses[which])
		case "restart":
			workers[which].stop()
			workers[which] = r.serve(r.houses[which])
		case "freeze":
			workers[which].signal(syscall.SIGSTOP)
			r.pause(3 * time.Second)
			workers[which].signal(syscall.SIGCONT)
		case "cut":
			r.meta.CutAll()
		case "terminate":
			_, err := r.count("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'permesso' AND datname = current_database() AND random() < 0.5")
			r.must("ending sessions", err)
		case "stop":
			r.stopAll(append(r.sendingNow(), r.unreached(6)...))
		}
		r.pause(500 * time.Millisecond)
	}
	r.untilOver()
	r.powered("kills", r.kills, 1)
	r.powered("stops", r.stops, 6)
	r.law.MaxUnknown = len(r.everybody) // what was cut before it was whole is unknown for good
	r.judge()
	t.Logf("blows: %v", blows)
}
