package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/permesso/permesso/internal/store/storetest"
)

// The cap holds over campaigns that go out at once, from several numbers and processes (CONTRACT §6.5, reliability F30).
func TestCapOverCampaignsAtOnce(t *testing.T) {
	t.Parallel()
	const people = 500
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		one := strings.Replace(weekendOffer, "id: weekend-offer", "id: one\n    number: \""+numberID+`"`, 1)
		two := strings.Replace(weekendOffer, "id: weekend-offer", "id: two\n    number: \""+otherNumber+`"`, 1)
		h := newHouse(t, target, settings{perSecond: 300, policy: onePerDay, both: true, campaigns: one + two})
		all := h.plainPeople(people)
		// Both are planned, one after the other, before anything is sent: no plan knows of the other's messages.
		planning := h.serve("--only", "scheduler")
		var runs []string
		for _, campaign := range []string{"one", "two"} {
			run := strings.TrimSpace(h.must("run", campaign, "--detach"))
			h.eventually("it is planned", func() error {
				if r := object[runLine](h, "runs", "show", run); r.States["queued"] != people {
					return fmt.Errorf("%s: %v", r.State, r.States)
				}
				return nil
			})
			runs = append(runs, run)
		}
		planning.signal(syscall.SIGTERM)
		planning.wait(patience)
		if strings.HasPrefix(target, "postgres") {
			h.neighbour().start("serve")
		}
		h.serve()
		sent := map[string]int{}
		for _, run := range runs {
			for who, line := range h.ends(run) {
				switch {
				case line.State == "accepted":
					sent[line.Campaign]++
				case line.State != "skipped" || line.Reason != "frequency_cap":
					t.Errorf("…%s is %s (%s)", who[len(who)-5:], line.State, line.Reason)
				}
			}
		}
		h.everyone(all)
		if sent["one"]+sent["two"] != people {
			t.Errorf("%v were sent, want %d in all", sent, people)
		}
		t.Logf("%v", sent)
	})
}

// Files that are imported at once, and a stop that comes before the person is known, still make one person of one number.
func TestImportsTogether(t *testing.T) {
	t.Parallel()
	const people = 1000
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		h.serve("--only", "webhook")
		contacts := [][]string{{"phone", "name", "language", "points", "gift", "coupon"}}
		consents := [][]string{{"phone", "category", "action", "at", "source", "wording"}}
		var all []string
		for i := range people {
			phone := fmt.Sprintf("+5511987%06d", i)
			all = append(all, personOf(phone))
			contacts = append(contacts, []string{phone, "Anna", "it", "50", "un libro", "c"})
			consents = append(consents, []string{phone, "offers", "granted", "2026-01-02T10:00:00Z", "web_form", "Sì alle offerte di Libreria Aurora"})
		}
		early, late := "+"+all[0], "+"+all[1]
		h.stop(1, []string{early}, func(_ int, phone string) []byte { return wroteText(phone, "STOP") })
		contactsFile, consentsFile := h.write("contacts.csv", csvText(t, contacts)), h.write("consents.csv", csvText(t, consents))
		var importing []*process
		for range 2 {
			importing = append(importing, h.start("contacts", "import", contactsFile, "--json"), h.start("consent", "import", consentsFile, "--json"))
		}
		h.stop(1, []string{late}, func(_ int, phone string) []byte { return wroteText(phone, "STOP") })
		for _, p := range importing {
			if code := p.wait(patience); code != 0 {
				t.Fatalf("%v: exit %d: %s", p.cmd.Args, code, tail(p.err.String()))
			}
		}
		want := map[string]string{}
		for _, who := range all {
			want[who] = ""
		}
		want[all[0]], want[all[1]] = "suppressed", "suppressed"
		h.plans("weekend-offer", want)
		h.must("run", "weekend-offer")
		h.everyone(slices.DeleteFunc(all, func(who string) bool { return want[who] != "" }))
	})
}
