package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/store/storetest"
)

// scheduled are copies of the usual campaign, each with a schedule of its own.
func scheduled(schedules map[string]string) string {
	campaigns := ""
	for id, schedule := range schedules {
		one := strings.Replace(weekendOffer, "id: weekend-offer", "id: "+id, 1)
		campaigns += one + "    schedule: " + schedule + "\n"
	}
	return campaigns
}

func slotIn(span time.Duration) (time.Time, string) {
	at := time.Now().Add(span).Truncate(time.Second).UTC()
	return at, at.Format(time.RFC3339)
}

// appoint has processes that serve take up campaigns of one slot, and returns it, before it comes.
func appoint(houses []*house, serving []*process, campaigns func(at string) string) time.Time {
	t := houses[0].t
	t.Helper()
	slot, at := slotIn(10 * time.Second)
	for i, h := range houses {
		h.settings.campaigns = campaigns(at)
		h.configure()
		serving[i].signal(syscall.SIGHUP)
	}
	for i, h := range houses {
		h.logs(serving[i], "the configuration was read anew", 1)
	}
	if late := time.Since(slot); late > 0 {
		t.Fatalf("processes that are up took a configuration up %s after the slot in it", late)
	}
	return slot
}

// A slot starts one run, however many processes see it come (CONTRACT §6.4).
func TestScheduleFiresOnce(t *testing.T) {
	t.Parallel()
	const people, campaigns, neighbours = 20, 10, 2
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		all := h.plainPeople(people)
		houses, serving := []*house{h}, []*process{h.serve()}
		for range neighbours {
			if strings.HasPrefix(target, "postgres") {
				n := h.neighbour()
				houses, serving = append(houses, n), append(serving, n.serve())
			}
		}
		fires := appoint(houses, serving, func(at string) string {
			schedules := map[string]string{}
			for i := range campaigns { // many at once, so that the processes cross
				schedules[fmt.Sprintf("tonight-%d", i)] = "{at: " + at + "}"
			}
			return scheduled(schedules)
		})
		h.meta.atLeast(people * campaigns)
		first := h.meta.posts()[0].start
		if early, late := fires.Sub(first), first.Sub(fires); early > 0 || late > 5*time.Second {
			t.Errorf("the first message left %s after the slot", late)
		}
		runs := h.runs()
		if len(runs) != campaigns {
			t.Errorf("%d slots made %d runs: %+v", campaigns, len(runs), runs)
		}
		for _, r := range runs {
			if lines := h.ends(r.Run); len(lines) != people || countBy(lines, stateOf)["accepted"] != people {
				t.Errorf("run %s of %s: %v", r.Run, r.Campaign, countBy(lines, stateOf))
			}
		}
		for _, who := range all {
			if got := byPerson(h.meta.posts())[who]; len(got) != campaigns {
				t.Errorf("…%s got %d messages of %d campaigns", who[len(who)-5:], len(got), campaigns)
			}
		}
	})
}

// A slot that passed while nothing served is caught up, or recorded as missed: never forgotten, never twice.
func TestScheduleAfterDowntime(t *testing.T) {
	t.Parallel()
	const people = 50
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		_, at := slotIn(-3 * time.Minute)
		h := newHouse(t, target, settings{policy: onePerDay, campaigns: scheduled(map[string]string{
			"caught-up": "{at: " + at + ", catch_up: once, catch_up_within: 2h}",
			"default":   "{at: " + at + "}", // late rather than never
			"skipped":   "{at: " + at + ", catch_up: skip}",
			"too-late":  "{at: " + at + ", catch_up: once, catch_up_within: 2m}",
		})})
		all := h.plainPeople(people)
		db := storetest.SQL(t, target)
		p := h.serve()
		h.eventually("the schedules are seen", func() error {
			var seen int
			if err := db.Get(&seen, "SELECT count(*) FROM schedules"); err != nil || seen != 4 {
				return fmt.Errorf("%d, %v", seen, err)
			}
			return nil
		})
		p.signal(syscall.SIGTERM)
		p.wait(patience)
		if n := len(h.runs()); n > 0 {
			t.Fatalf("a schedule that is new fired for the past: %d runs", n)
		}
		db.MustExec("UPDATE schedules SET since = since - 600000000") // as if they had been seen ten minutes before the slot
		for range 2 {                                                 // a second start finds nothing more to do
			p = h.serve()
			h.eventually("each slot has its run", func() error {
				states := map[string]string{}
				for _, r := range h.runs() {
					states[r.Campaign] += r.State
					if r.State == "missed" && r.Why == "" {
						return fmt.Errorf("%s is missed without a reason", r.Campaign)
					}
				}
				if len(states) != 4 || states["caught-up"] != "done" || states["default"] != "done" || states["skipped"] != "missed" || states["too-late"] != "missed" {
					return fmt.Errorf("%v", states)
				}
				return nil
			})
			p.signal(syscall.SIGTERM)
			p.wait(patience)
		}
		h.everyone(all)
		if n := h.meta.count(); n != people {
			t.Errorf("%d POSTs for %d people", n, people)
		}
	})
}

// The console serves what `plan --next --ics` prints: the same events.
func TestCalendarIsServed(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{campaigns: scheduled(map[string]string{"nightly": `{cron: "30 2 * * *", timezone: Europe/Rome}`})})
		h.serve()
		answer, err := http.Get("http://" + h.console + "/calendar.ics")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		feed, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(feed), "SUMMARY:nightly\r\n"); answer.StatusCode != http.StatusOK || n < 89 || n > 91 {
			t.Errorf("status %d, %d events in 90 days", answer.StatusCode, n)
		}
	})
}
