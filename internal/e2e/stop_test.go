package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/permesso/permesso/internal/store/storetest"
)

// stopLine is a line of `suppress list --json` (CONTRACT §4).
type stopLine struct{ Phone, Scope, Reason, Source string }

// No message starts after the 200 of the webhook that carried the person's stop (CONTRACT §6.2, reliability F8).
func TestStopsWhileRunning(t *testing.T) {
	t.Parallel()
	const people, stops = 800, 200
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 200})
		h.meta.with(func(f *faults) { f.latency, f.statuses = 50*time.Millisecond, everyStatus })
		all := h.stoppablePeople(people)
		h.serve()
		run := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
		h.meta.atLeast(60)
		payload := stopPayload(t, h.meta.posts()[0])

		scopes := map[string]string{} // person to the scope that their stop must have
		acks := h.stop(8, waiting(all, h.meta.posts(), stops), func(i int, phone string) []byte {
			who := personOf(phone)
			switch i % 4 {
			case 0:
				scopes[who] = "all"
				return wroteText(phone, []string{"STOP", "stop.", "Basta!", "  Stop, grazie "}[i/4%4])
			case 1:
				scopes[who] = "kind:marketing"
				return tapped(phone, payload)
			case 2:
				scopes[who] = "kind:marketing"
				return prefers(phone, "stop")
			}
			scopes[who] = "category:offers"
			return wroteText(phone, "STOP OFFERS")
		})
		lines := h.ends(run)
		h.heldTo(acks, lines)
		h.stopsListed(acks, scopes)
		h.eventually("everything is told", h.meta.hooks.told)
		got := takenOnce(t, h.meta.posts())
		for _, phone := range all {
			who := personOf(phone)
			if _, stopped := acks[who]; !stopped && !got[who].taken() {
				t.Errorf("…%s did not stop and got nothing", phone[len(phone)-5:])
			}
		}
	})
}

// The same when the sender stands still between its gate and its wire, and another process takes the stop.
func TestStopsWhileTheSenderIsFrozen(t *testing.T) {
	t.Parallel()
	const people, tries, enough = 1200, 400, 5
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 190}) // one batch at a time: what is frozen seldom holds SQLite's lock
		all := h.stoppablePeople(people)
		h.serve("--only", "webhook")
		db := storetest.SQL(t, target)
		sender := h.start("run", "weekend-offer", "--json")
		h.meta.atLeast(20)
		acks := map[string]time.Time{}
		caught := 0
		for try := 0; try < tries && caught < enough && h.meta.count() < people-100; try++ {
			time.Sleep(rand.N(8 * time.Millisecond)) // anywhere in a batch
			sender.signal(syscall.SIGSTOP)
			between := h.betweenGateAndWire(db)
			if caught += len(between); len(between) > 0 {
				thaw := time.AfterFunc(4*time.Second, func() { sender.signal(syscall.SIGCONT) }) // or it does
				stopping := append(between, waiting(all, h.meta.posts(), 5)...)
				maps.Copy(acks, h.stop(len(stopping), stopping, func(_ int, phone string) []byte { return wroteText(phone, "STOP") }))
				thaw.Stop()
			}
			sender.signal(syscall.SIGCONT)
		}
		if code := sender.wait(3 * patience); code != 0 {
			t.Errorf("run: exit %d: %s", code, tail(sender.err.String()))
		}
		t.Logf("%d were frozen between gate and wire", caught)
		takenOnce(t, h.meta.posts())
		h.heldTo(acks, h.log(h.runs()[0].Run))
	})
}

// betweenGateAndWire are the people who passed the gate and to whom not a byte was sent; the sender stands still.
func (h *house) betweenGateAndWire(db *sqlx.DB) []string {
	h.t.Helper()
	time.Sleep(10 * time.Millisecond) // what is on the wire reaches the ledger
	var sending []string
	if err := db.Select(&sending, "SELECT c.phone FROM deliveries d JOIN contacts c ON c.person_id = d.person_id WHERE d.state = 'sending'"); err != nil {
		return nil // SQLite answers "locking protocol" while a frozen process holds a lock of its index
	}
	got := byPerson(h.meta.posts())
	return slices.DeleteFunc(sending, func(phone string) bool { return len(got[personOf(phone)]) > 0 })
}

// stoppablePeople imports ordinary people, some of them with numbers that WhatsApp writes otherwise.
func (h *house) stoppablePeople(n int) []string {
	h.t.Helper()
	var all []string
	contacts := [][]string{{"phone", "name", "language", "points", "gift", "coupon"}}
	consents := [][]string{{"phone", "category", "action", "at", "source", "wording"}}
	for i := range n {
		phone := plainPhone(i)
		switch i % 5 {
		case 0:
			phone = fmt.Sprintf("+5511987%06d", i)
		case 1:
			phone = fmt.Sprintf("+52551234%04d", i)
		}
		all = append(all, phone)
		contacts = append(contacts, []string{phone, "Anna", "it", "50", "un libro", "c"})
		consents = append(consents, []string{phone, "offers", "granted", "2026-01-02T10:00:00Z", "web_form", "Sì alle offerte di Libreria Aurora"})
	}
	h.imports("contacts", contacts, n)
	h.imports("consent", consents, n)
	return all
}

// stopPayload is what the stop button of a message of ours sends back.
func stopPayload(t *testing.T, p post) string {
	t.Helper()
	for _, c := range p.body.Template.Components {
		for _, given := range c.Parameters {
			if given.Payload != "" {
				return given.Payload
			}
		}
	}
	t.Fatalf("no stop button in %+v", p.body.Template)
	return ""
}

// waiting picks people to whom nothing was posted yet.
func waiting(all []string, posts []post, n int) []string {
	got := byPerson(posts)
	var left []string
	for _, i := range rand.Perm(len(all)) {
		if len(left) < n && len(got[personOf(all[i])]) == 0 {
			left = append(left, all[i])
		}
	}
	return left
}

// stop sends everybody's stop, so many at a time and again until it is taken, and returns when each was acknowledged.
func (h *house) stop(together int, people []string, say func(i int, phone string) []byte) map[string]time.Time {
	h.t.Helper()
	acks := map[string]time.Time{}
	var mu sync.Mutex
	var at sync.WaitGroup
	slots := make(chan struct{}, together)
	for i, phone := range people {
		body := say(i, phone)
		slots <- struct{}{}
		at.Go(func() {
			defer func() { <-slots }()
			status, err := h.meta.hooks.post(h.t.Context(), body)
			for err == nil && status == http.StatusServiceUnavailable {
				status, err = h.meta.hooks.post(h.t.Context(), body)
			}
			acked := time.Now()
			if err != nil || status != http.StatusOK {
				h.t.Errorf("a stop was answered by %d, %v", status, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			acks[personOf(phone)] = acked
		})
	}
	at.Wait()
	return acks
}

// heldTo checks that nothing went to anybody after their stop's 200, and what the log says of them.
func (h *house) heldTo(acks map[string]time.Time, lines map[string]logLine) {
	h.t.Helper()
	got := byPerson(h.meta.posts())
	before := 0
	for who, acked := range acks {
		line := lines[who]
		for _, p := range got[who] {
			if p.start.After(acked) {
				h.t.Errorf("…%s: a POST began %s after the 200 of their stop", who[len(who)-5:], p.start.Sub(acked))
			}
		}
		switch {
		case len(got[who]) > 0:
			before++
			if line.State == "skipped" || line.State == "queued" {
				h.t.Errorf("…%s got a message before their stop and is %s", who[len(who)-5:], line.State)
			}
		case line.State != "skipped" || line.Reason != "suppressed":
			h.t.Errorf("…%s stopped and is %s (%s)", who[len(who)-5:], line.State, line.Reason)
		}
	}
	if before == len(acks) && before > 0 {
		h.t.Errorf("all %d stops came too late to show anything", before)
	}
	h.t.Logf("%d of %d who stopped had their message before", before, len(acks))
}

func (h *house) stopsListed(acks map[string]time.Time, scopes map[string]string) {
	h.t.Helper()
	listed := map[string]stopLine{}
	for _, line := range objects[stopLine](h.t, h.must("suppress", "list", "--json")) {
		if _, twice := listed[personOf(line.Phone)]; twice {
			h.t.Logf("listed twice: %+v", line)
		}
		listed[personOf(line.Phone)] = line
	}
	if len(listed) != len(acks) {
		h.t.Errorf("%d people are on the list, %d stopped", len(listed), len(acks))
	}
	for who := range acks {
		if listed[who].Scope != scopes[who] {
			h.t.Errorf("…%s stopped %s and is listed as %+v", who[len(who)-5:], scopes[who], listed[who])
		}
	}
}

// Statuses in any order and number give the state that the set of them gives (reliability F4, F5).
func TestStatusesInDisorder(t *testing.T) {
	t.Parallel()
	const people = 320
	sets := [][]string{ // and the state that each must end in
		{"sent"}, {"sent", "delivered"}, {"sent", "delivered", "read"}, {"sent", "read"}, {"read"}, {"delivered"}, {"failed"}, {"sent", "failed"}, {"failed", "delivered"}, {},
	}
	final := []string{"sent", "delivered", "read", "read", "read", "delivered", "failed", "failed", "delivered", "accepted"}
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{perSecond: 400})
		kinds := map[string]int{}
		h.meta.with(func(f *faults) {
			f.statuses = func(n int, p post) []string {
				kinds[personOf(p.to)] = n % len(sets)
				return sets[n%len(sets)]
			}
		})
		h.meta.hooks.set(func() {
			h.meta.hooks.mix = func(batch []any) []any {
				batch = append(batch, batch...)
				rand.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
				return batch
			}
		})
		h.plainPeople(people)
		h.serve()
		run := strings.TrimSpace(h.must("run", "weekend-offer", "--detach"))
		h.ends(run)
		h.eventually("everything is told", h.meta.hooks.told)
		h.eventually("everyone is in the state that their statuses give", func() error {
			for who, line := range h.log(run) {
				if want := final[kinds[who]]; line.State != want || line.Attempts != 1 {
					return fmt.Errorf("…%s was told %v and is %s, want %s", who[len(who)-5:], sets[kinds[who]], line.State, want)
				}
			}
			return nil
		})
		for who, line := range h.log(run) {
			for _, state := range sets[kinds[who]] {
				at := map[string]*time.Time{"sent": line.SentAt, "delivered": line.DeliveredAt, "read": line.ReadAt, "failed": line.FailedAt}[state]
				if at == nil {
					t.Errorf("…%s was %s, and the log does not say when: %+v", who[len(who)-5:], state, line)
				}
			}
			if line.State == "failed" && (line.Error == nil || line.Error.Code != 131026) {
				t.Errorf("…%s failed with %+v", who[len(who)-5:], line.Error)
			}
		}
	})
}
