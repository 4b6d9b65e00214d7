package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/store/storetest"
)

// haltedWithin is how soon after `permesso halt` has said so nothing leaves any more, from any process.
const haltedWithin = 2 * time.Second

// ofNumber is the usual campaign under another id, from a number.
func ofNumber(id, number string) string {
	return strings.Replace(weekendOffer, "id: weekend-offer", "id: "+id+"\n    number: \""+number+`"`, 1)
}

// halt stops everything in every process, and so it stays through restarts, until resume; then everybody gets theirs once.
func TestHaltStopsEveryProcess(t *testing.T) {
	t.Parallel()
	const people = 500
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 100, both: true, campaigns: ofNumber("one", numberID) + ofNumber("two", otherNumber)})
		h.meta.with(func(f *faults) { f.latency = 50 * time.Millisecond })
		release := h.meta.stallsAfter(120)
		all := h.plainPeople(people)
		processes := []*process{h.serve()}
		houses := []*house{h}
		if strings.HasPrefix(target, "postgres") {
			n := h.neighbour()
			houses, processes = append(houses, n), append(processes, n.serve())
		}
		runs := []string{strings.TrimSpace(h.must("run", "one", "--detach")), strings.TrimSpace(h.must("run", "two", "--detach"))}
		h.meta.atLeast(120)
		halted := object[struct {
			Halted bool
			Runs   int
		}](h, "halt", "--reason", "a fire drill")
		said := time.Now()
		release()
		if !halted.Halted || halted.Runs != 2 {
			t.Errorf("halt: %+v", halted)
		}
		h.silentAfter(said.Add(haltedWithin), 3*time.Second)
		stopped := h.meta.count()
		if stopped >= 2*people {
			t.Fatal("all had left before the halt: it shows nothing")
		}

		// Restarted, all of them, by a signal and by power loss.
		for i, p := range processes {
			if i%2 == 0 {
				p.kill()
			} else {
				p.signal(syscall.SIGTERM)
				p.wait(patience)
			}
		}
		for _, house := range houses {
			house.serve()
		}
		h.refused(5, []string{"everything is halted", "a fire drill"}, "run", "one")
		h.silentAfter(time.Now(), 7*time.Second) // longer than a dead process's lease
		for _, run := range runs {
			if r := object[runLine](h, "runs", "show", run); r.State != "running" || r.States["queued"] == 0 {
				t.Errorf("a halted run is %s: %v", r.State, r.States)
			}
		}
		if n := h.meta.count(); n != stopped {
			t.Errorf("%d messages left while everything was halted", n-stopped)
		}

		h.must("resume")
		lost := 0
		for _, run := range runs {
			for who, line := range h.ends(run) {
				switch line.State {
				case "accepted":
				case "unknown":
					lost++
				default:
					t.Errorf("…%s is %s (%s)", who[len(who)-5:], line.State, line.Reason)
				}
			}
		}
		for _, who := range all {
			if got := len(byPerson(h.meta.posts())[who]); got > 2 || got < 2 && lost == 0 {
				t.Errorf("…%s got %d messages of two campaigns", who[len(who)-5:], got)
			}
		}
		h.onceEach()
		t.Logf("%d left before the halt, %d were lost with a process", stopped, lost)
	})
}

// halt in the middle of a takeover: the one who held the lease is dead, the next does not have it yet, and sends nothing when it does.
func TestHaltDuringTakeover(t *testing.T) {
	t.Parallel()
	const people = 400
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 80})
		all := h.plainPeople(people)
		db := storetest.SQL(t, target)
		first := h.serve()
		run := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
		h.meta.atLeast(60)
		two := strings.HasPrefix(target, "postgres")
		if two {
			h.neighbour().serve()
		}
		before := holderOf(t, db, numberID)
		first.kill()
		// Its lease lives until the halt is said, however slow the machine.
		db.MustExec("UPDATE leases SET until = until + 600000000 WHERE number_id = $1", numberID)
		h.must("halt")
		stopped := h.meta.count()
		db.MustExec("UPDATE leases SET until = until - 600000000 WHERE number_id = $1", numberID)
		if !two {
			h.serve() // one process at a time has an SQLite file
		}
		h.eventually("the other process takes the number over", func() error {
			if now := holderOf(t, db, numberID); now == before || now == "" {
				return fmt.Errorf("%q holds it", now)
			}
			return nil
		})
		h.silentAfter(time.Now(), 3*time.Second)
		if n := h.meta.count(); n != stopped {
			t.Errorf("%d messages left after the halt", n-stopped)
		}
		h.must("resume")
		lost := 0
		for _, line := range h.ends(run) {
			if line.State == "unknown" {
				lost++
			}
		}
		got := takenOnce(t, h.meta.posts())
		if missing := len(all) - len(got); missing > lost {
			t.Errorf("%d got nothing, and only %d were lost with the process", missing, lost)
		}
	})
}

// pause, resume and cancel reach a run in the process that sends it.
func TestHandsOnARun(t *testing.T) {
	t.Parallel()
	const people = 400
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 100})
		h.plainPeople(people)
		h.serve()
		release := h.meta.stallsAfter(40)
		run := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
		h.meta.atLeast(40)
		h.must("runs", "pause", run, "--reason", "the text is wrong")
		release()
		h.silentAfter(time.Now().Add(haltedWithin), 1500*time.Millisecond)
		paused := h.meta.count()
		release = h.meta.stallsAfter(paused + 40)
		h.must("runs", "resume", run)
		h.meta.atLeast(paused + 40)
		h.must("runs", "cancel", run)
		release()
		h.silentAfter(time.Now().Add(haltedWithin), 1500*time.Millisecond)
		lines := h.log(run)
		states := countBy(lines, stateOf)
		if states["accepted"] != h.meta.count() || states["accepted"]+states["cancelled"] != people || states["cancelled"] == 0 {
			t.Errorf("%d POSTs, and the log counts %v", h.meta.count(), states)
		}
		takenOnce(t, h.meta.posts())
	})
}

// max_recipients holds over the whole run, whoever is left out by other rules; 0 is nobody. dry_run lets nothing leave.
func TestLimitsOfARun(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		limited := ofNumber("some", numberID) + "    max_recipients: 17\n" + ofNumber("none", numberID) + "    max_recipients: 0\n"
		h := newHouse(t, target, settings{campaigns: limited})
		all := h.plainPeople(60)
		h.must("suppress", "add", "+"+all[0])
		h.must("run", "some")
		if n := h.meta.count(); n != 17 {
			t.Errorf("%d messages, at most 17 were to leave", n)
		}
		if reasons := countBy(h.log(h.runs()[0].Run), reasonOf); reasons["max_recipients"] != 42 || reasons["suppressed"] != 1 {
			t.Errorf("reasons: %v", reasons)
		}
		h.must("run", "none")
		h.write("config.yaml", h.read("config.yaml")+"\ndry_run: true\n")
		h.refused(4, []string{"dry_run"}, "run", "some")
		if n := h.meta.count(); n != 17 || len(h.runs()) != 2 {
			t.Errorf("%d messages of %d runs", n, len(h.runs()))
		}
	})
}

// silentAfter watches for a while, and fails the test when a message began after the moment.
func (h *house) silentAfter(moment time.Time, watch time.Duration) {
	h.t.Helper()
	time.Sleep(time.Until(moment) + watch)
	for _, p := range h.meta.posts() {
		if late := p.start.Sub(moment); late > 0 && p.start.Before(moment.Add(watch)) {
			h.t.Errorf("a message began %s after nothing was to leave any more", late)
		}
	}
}

// onceEach fails the test when a person got one number's campaign twice.
func (h *house) onceEach() {
	h.t.Helper()
	byEdge := map[string][]post{}
	for _, p := range h.meta.posts() {
		byEdge[p.edge] = append(byEdge[p.edge], p)
	}
	for _, posts := range byEdge {
		takenOnce(h.t, posts)
	}
}

func holderOf(t *testing.T, db *sqlx.DB, number string) string {
	t.Helper()
	var holders []string
	if err := db.Select(&holders, "SELECT holder FROM leases WHERE number_id = $1", number); err != nil {
		t.Fatal(err)
	}
	return strings.Join(holders, " ")
}
