// Package simulation owns the trial of the whole in one process: fake time, real SQL, and a WhatsApp, people, operators
// and failures that a seed decides.
//
// Real are the scheduler, the planner, the sender, the webhook receiver, and the store on a SQLite file, whose clock is the
// bubble's of testing/synctest. Between them and the store stands a process that can die, stand still or lose its database
// just before a call takes effect or just after. The judge sees the first byte of every message under the lock under which
// acknowledgements are noted, and reads the database when all is at rest. A seed decides all that happens; in which order
// goroutines of one instant run, Go decides, so that a seed which failed may have to be tried a few times (-count=20).
//
//	go test ./internal/simulation -sim.seed=17 -sim.runs=1
//	go test ./internal/simulation -sim.runs=10000 -timeout 6h
package simulation
